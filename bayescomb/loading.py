"""One door for every form a model can have on disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from bayescomb.convino_file import load_convino, looks_like_convino
from bayescomb.errors import FileFormatError
from bayescomb.export_reading import DATA, exported_combination, exported_data
from bayescomb.hepdata_archive import is_archive
from bayescomb.hepdata_proposal import refuse_bare
from bayescomb.hepdata_submission import looks_like_hepdata
from bayescomb.inputs import Combination
from bayescomb.model_file import load_model
from bayescomb.shared_names import SHARED_NAMES
from bayescomb.tables import read_text

__all__ = ["load"]

MODEL: Final = "model.toml"


def load(path: str | Path, *, extraction: str | None = None, shared_names: str | None = None) -> Combination:
    """Read a combination, whatever the form of its file.

    Args:
        path: a ``model.toml`` (any name with that ending) or a folder that holds one, see
            :func:`bayescomb.model_file.load_model`; a Convino base file, see
            :func:`bayescomb.convino_file.load_convino`; or an export of :func:`bayescomb.export_hepdata`, folder or archive,
            which gives the combination that it was made from.  Another submission of HEPData needs a ``model.toml`` that
            says what its tables are (:mod:`bayescomb.model_file_hepdata`); the message about one without proposes it.
        extraction: name of the extraction of a ``model.toml`` to put in force, ``""`` for none; by default the one that
            the file names.  Measurements that it does not use are left out.
        shared_names: what a nuisance is whose name several inputs use: ``"error"`` or ``"same"``, one nuisance; by default
            as a ``model.toml`` says, else an error.

    Raises:
        FileFormatError: a file or key is missing or malformed; the other bayescomb errors for wrong content, each with
            the file and line or the key it was found at.

    Warns:
        InputWarning: a Convino file or a table of HEPData holds something that is read as it was surely meant.

    Examples:
        >>> import bayescomb as bc
        >>> combination = bc.load("models/run1_mass")
        >>> len(combination.estimates), len(combination.sources), combination.assumptions
        (15, 25, 'nominal')
    """
    given: object = path
    if not isinstance(given, (str, Path)):
        msg = f"load(): something of the type {type(given).__name__} found, the path of a model is needed"
        raise FileFormatError(msg)
    path = Path(path)
    data = exported_data(path) if _may_be_export(path) else None
    if data is not None:
        combination = exported_combination(data, where=path)
        return combination if extraction is None else combination.with_extraction(extraction)
    if looks_like_hepdata(path) and not os.path.lexists(path / "model.toml"):
        refuse_bare(path)
    if path.suffix == ".toml" or os.path.isdir(path):  # noqa: PTH112 - Path.is_dir() raises for some names
        return load_model(path, extraction=extraction, shared_names=shared_names)
    if looks_like_convino(path):
        return load_convino(path, shared_names=shared_names or SHARED_NAMES[0]).with_extraction(extraction or "")
    read_text(path)  # says so if it is absent or no text
    msg = f"{path}: not a model; give a model.toml, a folder that holds one, or a Convino base file (with an [inputs] block)"
    raise FileFormatError(msg)


def _may_be_export(path: Path) -> bool:
    """Whether to look closer: an archive, a data file of an export, or a folder that is no model."""
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir() raises for some names
        return (path / DATA).is_file() and not (path / MODEL).is_file()
    return path.name == DATA or is_archive(path)
