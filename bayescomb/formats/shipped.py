"""The models that are shipped with bayescomb, and working copies of them."""

from __future__ import annotations

import os
import shutil
import tomllib
from pathlib import Path

from bayescomb.base.errors import OptionError, OutputError
from bayescomb.base.files.working_folders import working_folder
from bayescomb.base.files.writing import cannot_write, require_folder
from bayescomb.formats.declared import MODEL_NAME

__all__ = ["copy_model", "model_title", "shipped_models"]


def shipped_models() -> dict[str, Path]:
    """Shipped models: name -> folder in the installed package, or in the checkout that is in use.

    Examples:
        >>> import bayescomb as bc
        >>> sorted(bc.shipped_models())
        ['run1_mass', 'ttj_rho']
    """
    here = Path(__file__).parents[1]
    installed = here / "shipped_models"
    root = installed if installed.is_dir() else here.parent / "models"
    return {path.parent.name: path.parent for path in sorted(root.glob(f"*/{MODEL_NAME}"))}


def model_title(folder: Path) -> str:
    """Title of a model, as stated in its file."""
    with (folder / MODEL_NAME).open("rb") as stream:
        return str(tomllib.load(stream).get("title", ""))


def copy_model(name: str, target: str | Path | None = None) -> Path:
    """Copy a shipped model, with its tables, scripts and sources, into a new folder.

    Args:
        name: name of the model.
        target: a folder that does not exist yet; by default the name of the model in the current folder.

    Returns:
        The folder.

    Raises:
        OptionError: no shipped model has this name.
        OutputError: the target exists or cannot be written.

    Examples:
        >>> import tempfile
        >>> import bayescomb as bc
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     bc.load(bc.copy_model("run1_mass", f"{folder}/mine")).name
        'run1_mass'
    """
    models = shipped_models()
    if name not in models:
        msg = f"no shipped model is called {name!r}; there are: {', '.join(models)}"
        raise OptionError(msg)
    target = Path(target) if target is not None else Path(name)
    absolute = target.absolute()
    if os.path.lexists(absolute):
        msg = f"{target}: exists already; name a folder that does not, nothing is overwritten"
        raise OutputError(msg)
    require_folder(target)
    try:
        # Written beside the target and renamed, so that an interrupted copy never looks like a model.
        with working_folder(absolute) as folder:
            copy = folder / absolute.name
            shutil.copytree(models[name], copy, ignore=shutil.ignore_patterns("__pycache__"))
            copy.rename(absolute)
    except OSError as error:
        raise cannot_write(target, error, what="the model cannot be copied there") from error
    return target
