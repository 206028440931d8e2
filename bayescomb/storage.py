"""Files that are complete or absent: everything is written beside its place and renamed, and posteriors are netCDF."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xarray as xr

from bayescomb.beside import umask, working_folder
from bayescomb.checks import expects
from bayescomb.errors import PosteriorError
from bayescomb.inputs import Combination
from bayescomb.outputs import cannot_write, file_place
from bayescomb.posterior_bytes import posterior_bytes, posterior_from_bytes
from bayescomb.serialise import SETTINGS, combination_from_json, difference

__all__ = [
    "combination_of",
    "is_extended",
    "json_text",
    "load_posterior",
    "require_same_model",
    "require_same_settings",
    "save_posterior",
    "write_json",
    "written_beside",
]


@contextlib.contextmanager
def written_beside(path: str | Path) -> Iterator[Path]:
    """A temporary path on the same file system that replaces ``path`` when the block ends without an error.

    Of two processes that write to the same place the one that ends last wins, as a whole.

    Raises:
        OutputError: a folder or a device stands there, its folder does not exist or cannot be written, or the disk is full.
    """
    place = file_place(path)
    try:
        with working_folder(place) as folder:
            temporary = folder / place.name
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.chmod(0o666 & ~umask())
            temporary.replace(place)
    except OSError as error:
        raise cannot_write(path, error) from error


def write_json(data: Any, path: str | Path) -> Path:
    """Write plain data as JSON in full precision; NaN is refused.

    Raises:
        OutputError: it cannot be written.
    """
    text = json_text(data)
    with written_beside(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(path)


def json_text(data: Any) -> str:
    """Plain data as JSON in full precision; NaN is refused."""
    return json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


@expects(posterior="posterior")
def save_posterior(posterior: xr.DataTree, path: str | Path) -> Path:
    """Write a posterior as netCDF; an existing file stays whole until the new one is complete.

    Raises:
        OutputError: it cannot be written.

    Examples:
        With ``posterior = bc.sample(bc.load("models/run1_mass"), seed=1)``:

        >>> import tempfile
        >>> import bayescomb as bc
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     bc.save_posterior(posterior, f"{folder}/posterior.nc").name
        'posterior.nc'
    """
    data = posterior_bytes(posterior)
    with written_beside(path) as temporary:
        temporary.write_bytes(data)
    return Path(path)


def load_posterior(path: str | Path) -> xr.DataTree:
    """Read a posterior that :func:`save_posterior` wrote.

    Raises:
        PosteriorError: the file is absent, damaged or not one of ours.

    Examples:
        With ``posterior = bc.sample(bc.load("models/run1_mass"), seed=1)``:

        >>> import tempfile
        >>> import bayescomb as bc
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     again = bc.load_posterior(bc.save_posterior(posterior, f"{folder}/posterior.nc"))
        >>> int(again.attrs["seed"]), bool((again["posterior"]["m_t"] == posterior["posterior"]["m_t"]).all())
        (1, True)
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        msg = f"{path}: no such file; make one with 'bayescomb sample MODEL --output {path.name}'"
        raise PosteriorError(msg) from error
    except (OSError, ValueError) as error:  # ValueError: a path that no file can have
        msg = f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}); name the file of a posterior"
        raise PosteriorError(msg) from error
    return posterior_from_bytes(data, where=str(path))


def combination_of(posterior: xr.DataTree) -> Combination:
    """The combination a posterior was made from, with its assumption set, treatment and repair in force."""
    return combination_from_json(posterior.attrs["model"])


def is_extended(posterior: xr.DataTree) -> bool:
    """Whether the sampled model was one that a user extended, of which the closed forms of the combination know nothing."""
    return bool(posterior.attrs.get("extended", 0))


def require_same_model(posterior: xr.DataTree, combination: Combination) -> Combination:
    """The given combination under the posterior's assumption set and treatment.

    Raises:
        PosteriorError: the posterior was made from other inputs.
    """
    own = combination_of(posterior)
    where = difference(own, combination)
    if where:
        msg = (
            f"posterior of {own.name!r} was not made from {combination.name!r} as it is now (they differ in {where}); "
            "sample again from this model"
        )
        raise PosteriorError(msg)
    return own


def require_same_settings(posterior: xr.DataTree, combination: Combination) -> None:
    """Posterior and profile stand side by side only if assumption set, treatment and the like are the same.

    Raises:
        PosteriorError: one of them is not.
    """
    own = combination_of(posterior)
    for key in SETTINGS:
        found, wanted = getattr(own, key), getattr(combination, key)
        if found != wanted:
            msg = f"the posterior has the {key} {found!r}, the profile {wanted!r}; make both with the same {key}"
            raise PosteriorError(msg)
