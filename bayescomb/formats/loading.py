"""Read a model of any format, and convert it to another."""

from __future__ import annotations

import os
from pathlib import Path

from bayescomb.base.choices import SHARED_NAMES
from bayescomb.base.errors import FileFormatError, OptionError, OutputError
from bayescomb.base.files.writing import is_file, is_folder
from bayescomb.formats.declared import MODEL_NAME
from bayescomb.formats.toml.model import load_model
from bayescomb.inputs.combination import Combination

__all__ = ["convert", "load"]


def load(
    path: str | Path,
    *,
    extraction: str | None = None,
    shared_names: str | None = None,
    blind: str | None = None,
    unblind: str | None = None,
) -> Combination:
    """Read a combination from a file or folder of any known format.

    Args:
        path: a ``model.toml`` (any name with that ending) or a folder that holds one, see
            :func:`bayescomb.formats.toml.model.load_model`; a Convino base file, see
            :func:`bayescomb.formats.convino.base_file.load_convino`; a file of result sets of HFLAV's combination-code, see
            :mod:`bayescomb.formats.hflav.result_sets`; a text table of averagetools, see
            :mod:`bayescomb.formats.averagetools.table`; or an export of :func:`bayescomb.export_hepdata`,
            folder or archive.  Any other HEPData submission needs a ``model.toml`` that says what its tables are
            (:mod:`bayescomb.formats.toml.measurements.hepdata_entry`); without one, the error message proposes it.
        extraction: name of the extraction that is used, ``""`` for none; by default the one that the file names.
            Measurements that it does not use are left out.
        shared_names: treatment of nuisances with the same name in several inputs: ``"error"``, or ``"same"`` for one and the
            same nuisance; by default as a ``model.toml`` says, else an error.
        blind: phrase that hides the central values (:func:`bayescomb.blind`); by default the one of a ``model.toml``.
        unblind: the phrase with which the model is blinded, to get the values as measured.

    Raises:
        OptionError: ``unblind`` is not the phrase, or nothing is blinded.
        FileFormatError: a file or key is missing or malformed; the other bayescomb errors for wrong content, each with
            the file and line or the key it was found at.

    Warns:
        InputWarning: something in a Convino file or a table of HEPData is interpreted by guess; the author should check.

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
    if path.suffix.casefold() != ".toml" and not os.path.lexists(path / MODEL_NAME):
        found = _other_form(path, extraction=extraction, shared_names=shared_names, blind=blind, unblind=unblind)
        if found is not None:
            return found
    file = path / MODEL_NAME if is_folder(path) else path
    if file.suffix.casefold() != ".toml" or not is_file(file):
        from bayescomb.formats.no_model import require_model

        require_model(path)
    return load_model(path, extraction=extraction, shared_names=shared_names, blind=blind, unblind=unblind)


def _other_form(
    path: Path, *, extraction: str | None, shared_names: str | None, blind: str | None, unblind: str | None
) -> Combination | None:
    """The combination of a file of another format, whose readers are imported only here; ``None`` for other paths.

    Raises:
        FileFormatError: the path is a HEPData submission, which needs a model file.
    """
    from bayescomb.formats.averagetools.sections import looks_like_averagetools
    from bayescomb.formats.averagetools.table import read_averagetools
    from bayescomb.formats.convino.base_file import load_convino, looks_like_convino
    from bayescomb.formats.exported import exported_combination, exported_data
    from bayescomb.formats.hepdata.proposal import refuse_bare
    from bayescomb.formats.hepdata.record.submission import looks_like_hepdata
    from bayescomb.formats.hflav.combination import load_result_list
    from bayescomb.formats.hflav.result_sets import looks_like_result_sets
    from bayescomb.inputs.blinding import opened

    data = exported_data(path) if _may_be_export(path) else None
    if data is not None:
        combination = opened(exported_combination(data, where=path), asked=blind, phrase=unblind)
        return combination if extraction is None else combination.with_extraction(extraction)
    if path.suffix == ".json" and looks_like_result_sets(path):
        return opened(load_result_list(path), asked=blind, phrase=unblind).with_extraction(extraction or "")
    if not is_folder(path) and looks_like_averagetools(path):
        combination = read_averagetools(path).combination(path)
        return opened(combination, asked=blind, phrase=unblind).with_extraction(extraction or "")
    if looks_like_hepdata(path):
        refuse_bare(path)
    if not is_folder(path) and looks_like_convino(path):
        combination = load_convino(path, shared_names=shared_names or SHARED_NAMES[0]).with_extraction(extraction or "")
        return opened(combination, asked=blind, phrase=unblind)
    return None


def _may_be_export(path: Path) -> bool:
    """Whether the path can be an export: an archive, its data file, or a folder with that file and no model."""
    from bayescomb.formats.exported import DATA
    from bayescomb.formats.hepdata.record.archive import is_archive

    if is_folder(path):
        return is_file(path / DATA) and not is_file(path / MODEL_NAME)
    return path.name == DATA or is_archive(path)


def convert(
    source: str | Path,
    target: str | Path,
    *,
    overwrite: bool = False,
    shared_names: str | None = None,
    unblind: str | None = None,
) -> Path:
    """Convert a model: the name of the target decides the format.

    Args:
        source: what :func:`bayescomb.load` reads.
        target: an existing folder, a name without an ending or ``NAME.toml`` for a model file with its tables;
            ``NAME.txt`` for a Convino base file with its measurement files.
        overwrite: replace existing files.
        shared_names: as for :func:`bayescomb.load`; the written model has separate nuisances with correlation 1.
        unblind: the phrase of a blinded model; without it, a blinded model is refused.

    Returns:
        The path of the main file.

    Raises:
        OptionError: the target has another ending, or the source is blinded.
        OutputError: a file is there already, cannot be written, or its form cannot express the model.

    Examples:
        >>> import tempfile
        >>> from bayescomb.formats.loading import convert
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     convert("models/run1_mass", f"{folder}/copy").name
        'model.toml'
    """
    target = Path(target)
    form = "folder" if is_folder(target) else target.suffix or "folder"
    if form not in {"folder", ".toml", ".txt"}:
        msg = (
            f"{target}: the ending {form!r} names no form of a model; give a folder or NAME.toml for a model file, "
            "NAME.txt for Convino"
        )
        raise OptionError(msg)
    # A Convino file has no predictions, so there is no extraction.
    combination = load(source, extraction="" if form == ".txt" else None, shared_names=shared_names, unblind=unblind)
    if combination.blinding is not None:
        msg = (
            f"{source}: blinded, and a file with hidden values would be taken for the measurement; unblind it to convert it"
        )
        raise OptionError(msg)
    if form != ".txt":
        from bayescomb.formats.toml.model_writer import write_model

        return write_model(combination, target, overwrite=overwrite)
    from bayescomb.formats.convino.writer import file_name, write_convino

    priors = {p.prior_name for p in combination.parameters}  # the Convino writer refuses these with its own message
    own = [m for m in combination.measurements if m.name not in priors]
    files = [target, *(target.with_name(file_name(m.name, kind="a measurement")) for m in own)]
    found = [file for file in files if os.path.lexists(file)]
    if found and not overwrite:
        remedy = "choose another place, move it away, or overwrite it on purpose (convert --overwrite)"
        msg = f"{found[0]}: there already; {remedy}"
        raise OutputError(msg)
    return write_convino(combination, target.parent, name=target.stem)
