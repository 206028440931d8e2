"""Messages about a path that is not a model: what was found there, and what to do."""

from __future__ import annotations

import os
from pathlib import Path

from bayescomb.base.errors import FileFormatError
from bayescomb.base.files.writing import is_file, is_folder
from bayescomb.formats.csv import read_text
from bayescomb.formats.declared import MODEL_NAME
from bayescomb.formats.shipped import shipped_models

__all__ = ["require_model"]

POSTERIOR = b"\x89HDF"
FORMS = "give a model.toml, a folder that holds one, or a Convino base file (with an [inputs] block)"


def require_model(path: Path) -> None:
    """Check that a path can be a model file.

    Args:
        path: the path as the user gave it, after the readers of other formats have refused it.

    Raises:
        FileFormatError: it cannot; the message says what was found there and what to do.
    """
    if is_folder(path):
        if not os.path.lexists(path / MODEL_NAME):
            msg = f"{path / MODEL_NAME}: no such file; {_folder_advice(path)}"
            raise FileFormatError(msg)
        return
    if "://" in str(path) or str(path).startswith(("http:/", "https:/")):
        msg = f"{path}: an address found, a file is needed; download it first, then name the file"
        raise FileFormatError(msg)
    if not os.path.lexists(path):
        msg = f"{path}: no such file; {_absent_advice(path)}"
        raise FileFormatError(msg)
    if path.suffix.casefold() == ".toml":
        return
    if is_file(path):
        with path.open("rb") as file:
            if file.read(len(POSTERIOR)) == POSTERIOR:
                msg = f"{path}: a posterior found, a model is needed; give the posterior after the model: MODEL {path}"
                raise FileFormatError(msg)
    read_text(path)  # raises with its own message if the file is not text
    if path.suffix.casefold() in {".csv", ".xlsx"}:
        msg = f"{path}: a table found, a model is needed; bayescomb init NAME --from {path} makes one of it"
        raise FileFormatError(msg)
    msg = f"{path}: not a model; {FORMS}"
    raise FileFormatError(msg)


def _folder_advice(folder: Path) -> str:
    """Advice about a folder without a model file, from its content."""
    try:
        names = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
    except OSError:
        return "correct the path"
    models = [name for name in names if name.casefold().endswith(".toml")]
    if models:
        return f"name the model itself: {folder / models[0]}"
    inside = [name for name in names if is_file(folder / name / MODEL_NAME)]
    if inside:
        named = ", ".join(str(folder / name) for name in inside[:3])
        return f"name one of the models in it: {named}{', ...' if len(inside) > 3 else ''}"
    tables = [name for name in names if name.casefold().endswith((".csv", ".xlsx"))]
    if tables:
        return f"bayescomb init NAME --from {folder / tables[0]} makes a model of a table"
    return "the folder is empty" if not names else f"correct the path, or {FORMS}"


def _absent_advice(path: Path) -> str:
    """Advice about an absent path."""
    if str(path) in shipped_models():
        return f"a shipped model? bayescomb models copy {path}"
    return "correct the path"
