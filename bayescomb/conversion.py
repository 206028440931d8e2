"""Conversion between the forms a model can be written in."""

from __future__ import annotations

import os
from pathlib import Path

from bayescomb.errors import OptionError, OutputError
from bayescomb.loading import load
from bayescomb.model_writer import write_model

__all__ = ["convert"]


def convert(source: str | Path, target: str | Path, *, overwrite: bool = False, shared_names: str | None = None) -> Path:
    """Read a model in whatever form it has, and write it in the form that the target's name asks for.

    Args:
        source: what :func:`bayescomb.load` reads.
        target: a folder (one that is there, or a name without an ending) or ``NAME.toml`` for a model file with its
            tables, ``NAME.txt`` for a Convino base file with its measurement files.
        overwrite: replace files that are there already.
        shared_names: as :func:`bayescomb.load` takes it; what is written states the names and the correlations of 1.

    Returns:
        The path of the main file that was written.

    Raises:
        OptionError: the target has another ending.
        OutputError: a file is there already, cannot be written, or its form cannot express the model.

    Examples:
        >>> import tempfile
        >>> from bayescomb.conversion import convert
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     convert("models/run1_mass", f"{folder}/copy").name
        'model.toml'
    """
    target = Path(target)
    form = "folder" if os.path.isdir(target) else target.suffix or "folder"  # noqa: PTH112 - Path.is_dir() raises for some names
    if form not in {"folder", ".toml", ".txt"}:
        msg = (
            f"{target}: the ending {form!r} names no form of a model; give a folder or NAME.toml for a model file, "
            "NAME.txt for Convino"
        )
        raise OptionError(msg)
    # Convino combines; what a model file says of extracting a mass is for the predictions that go with it.
    combination = load(source, extraction="" if form == ".txt" else None, shared_names=shared_names)
    if form != ".txt":
        return write_model(combination, target, overwrite=overwrite)
    from bayescomb.convino_writer import file_name, write_convino

    files = [target, *(target.with_name(file_name(m.name, kind="a measurement")) for m in combination.measurements)]
    found = [file for file in files if os.path.lexists(file)]
    if found and not overwrite:
        msg = f"{found[0]}: there already; choose another place, or overwrite it on purpose"
        raise OutputError(msg)
    return write_convino(combination, target.parent, name=target.stem)
