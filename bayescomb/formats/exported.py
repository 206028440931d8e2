"""Reader of exports of :func:`bayescomb.export_hepdata`: how they are recognised, and their combination."""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePosixPath
from typing import Any, Final

from bayescomb.base.errors import BayescombError, FileFormatError, OutputError
from bayescomb.base.files.writing import is_folder
from bayescomb.formats.hepdata.record.archive import Limits, is_archive, read_files
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.serialise import combination_from_json

__all__ = ["DATA", "FORMAT", "FORMAT_VERSION", "TREE", "exported_combination", "exported_data", "require_replaceable"]

FORMAT: Final = "bayescomb result"
FORMAT_VERSION: Final = 1
DATA: Final = "combination.json"
TREE: Final = "combination.nc"
INPUTS: Final = "inputs"
# The inputs of a large combination can be larger than any table of HEPData.
LIMITS: Final = Limits(file_bytes=200_000_000)


def exported_data(path: Path) -> dict[str, Any] | None:
    """The JSON data of an export, ``None`` if the folder, archive or file is something else.

    Args:
        path: a folder, an archive, or a ``combination.json``.

    Raises:
        FileFormatError, DuplicateNameError: the archive is damaged or not safe to read.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from bayescomb.formats.exported import exported_data
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "combination.json").write_text('{"format": "bayescomb result", "files": []}')
        ...     exported_data(Path(folder)), exported_data(Path(folder, "elsewhere"))
        ({'format': 'bayescomb result', 'files': []}, None)
    """
    text = _data_text(path)
    try:
        data = None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) and data.get("format") == FORMAT else None


def _data_text(path: Path) -> bytes | None:
    if is_archive(path):
        found = [text for name, text in read_files(path, limits=LIMITS).items() if PurePosixPath(name).name == DATA]
        return found[0] if len(found) == 1 else None
    file = path / DATA if path.is_dir() else path
    if not file.is_file() or file.stat().st_size > LIMITS.file_bytes:
        return None
    return file.read_bytes()


def exported_combination(data: dict[str, Any], *, where: str | Path) -> Combination:
    """The combination from which an export was made, with its settings.

    Args:
        data: from :func:`exported_data`.
        where: place of the export, for messages.

    Raises:
        FileFormatError: the version is not known, or the data do not hold a combination.

    Examples:
        >>> import json
        >>> import bayescomb as bc
        >>> from bayescomb.formats.exported import exported_combination
        >>> from bayescomb.inputs.serialise import combination_to_json, difference
        >>> combination = bc.load("models/run1_mass")
        >>> data = {"format_version": 1, "inputs": json.loads(combination_to_json(combination))}
        >>> difference(exported_combination(data, where="export"), combination)
        ''
    """
    version = data.get("format_version")
    if version != FORMAT_VERSION:
        msg = f"{where}: format_version = {version!r} found, {FORMAT_VERSION} is known here; use a later bayescomb"
        raise FileFormatError(msg)
    try:
        return combination_from_json(json.dumps(data[INPUTS]))
    except BayescombError as error:
        msg = f"{where}, {DATA}: {error}"
        raise type(error)(msg) from error
    except (LookupError, TypeError, ValueError, AttributeError, StopIteration, RecursionError) as error:
        msg = (
            f"{where}, {DATA}: {INPUTS!r} holds no combination ({type(error).__name__}: {error}); it was changed after the "
            "export; export again"
        )
        raise FileFormatError(msg) from error


def require_replaceable(target: Path, *, archive: str) -> None:
    """Raise unless the target of an export is absent, an empty folder or an earlier export.

    Args:
        target: path of the new export.
        archive: file ending of an archive, empty for a folder.

    Raises:
        OutputError: the target is something else, or the folder above it does not exist.
    """
    parent = target.absolute().parent
    # os.path accepts any name; methods of Path raise for some.
    if "\0" in str(target) or not is_folder(parent):
        msg = f"{target}: the folder {parent} does not exist; make it first"
        raise OutputError(msg)
    if not os.path.lexists(target):
        return
    if target.is_symlink() or not (target.is_file() if archive else target.is_dir()):
        msg = f"{target}: exists and is no {'archive' if archive else 'folder'}; name one that is new or an earlier export"
        raise OutputError(msg)
    try:
        entries = [] if archive else sorted(p.name for p in target.iterdir())
        if not archive and not entries:
            return
        data = exported_data(target)
    except OSError as error:
        msg = f"{target}: cannot be read ({error.strerror or error}); choose another place"
        raise OutputError(msg) from error
    except BayescombError:
        data = None  # an archive that is not an export
    ours = set() if data is None else set(data.get("files", ()))
    foreign = [name for name in entries if name not in ours]
    if data is None or foreign:
        shown = ", ".join(foreign[:3]) if foreign else target.name
        msg = (
            f"{target}: holds what is no part of an export ({shown}{', ...' if len(foreign) > 3 else ''}); name one that is "
            "new or an earlier export, or move this away"
        )
        raise OutputError(msg)
