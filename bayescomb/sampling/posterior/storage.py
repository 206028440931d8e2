"""A posterior as a netCDF file with a checksum at its end: writing, reading, checks, and its decoded attributes.

The file is made in memory, as HDF5 ends the process if the disk is full while it writes.  The last line of the file is the
SHA-256 of everything before it, which netCDF readers ignore; the attribute ``checksum`` says that the line must be there.
Without the checksum more than half of all damaged bytes would be read as other numbers.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
import xarray as xr

from bayescomb.base.checks import expects
from bayescomb.base.choices import Correlations
from bayescomb.base.errors import PosteriorError
from bayescomb.base.files.writing import written_beside
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.observables import variable_name
from bayescomb.inputs.serialise import SETTINGS, combination_from_json, difference
from bayescomb.likelihood.correlation import Repair

__all__ = [
    "Run",
    "combination_of",
    "is_extended",
    "load_posterior",
    "modes_of",
    "posterior_bytes",
    "posterior_from_bytes",
    "require_same_model",
    "require_same_settings",
    "run_of",
    "save_posterior",
]

MARK: Final = "checksum"
KIND: Final = "sha256 of the file, in its last line"
LAST_LINE: Final = re.compile(rb"\nsha256 ([0-9a-f]{64})\n\Z")
LINE_SIZE: Final = 73
# Attributes that every posterior has; the second list holds JSON texts.
ATTRIBUTES: Final = ("seed", "correlations", "engine", "treatment", "assumptions")
JSON_ATTRIBUTES: Final = ("repairs", "held_coefficients", "not_recovered", "versions")
SAMPLED_WITH: Final = ("seed", "draws", "tune", "chains", "interrupted", "correlations", "engine", "backend", "created")
AGAIN: Final = "sample again, or restore the file"


@dataclass(frozen=True, kw_only=True)
class Run:
    """The decoded attributes of a posterior: how it was sampled.

    Attributes:
        settings: seed, draws, tune, chains, interrupted, correlations, engine, backend and created, as far as known.
        correlations: ``prior`` or ``nominal``.
        engine: ``marginal`` or ``full``.
        seed: of everything random.
        interrupted: number of finished chains, e.g. ``"3 of 4 chains"``; empty if all are finished.
        compile_seconds, sampling_seconds: elapsed time.
        repairs: blocks that were repaired and held at nominal.
        held_coefficients: names of coefficients with a prior that are held, as their blocks leave only one value.
        not_recovered: block -> why its nuisances have no posterior.
        versions: package -> version that sampled.
        extended: whether the model was extended by a user.
        modes: separated minima: ``minima`` (values, delta_chi2, weight, weight_error) and, where they could not be
            weighted, the ``reason``; empty for one minimum.
    """

    settings: Mapping[str, str | int]
    correlations: Correlations
    engine: str
    seed: int
    interrupted: str
    compile_seconds: float
    sampling_seconds: float
    repairs: tuple[Repair, ...]
    held_coefficients: tuple[str, ...]
    not_recovered: Mapping[str, str]
    versions: Mapping[str, str]
    extended: bool
    modes: Mapping[str, Any]


def run_of(posterior: xr.DataTree) -> Run:
    """How a posterior was sampled.

    Examples:
        With ``posterior = bc.sample(bc.load("models/run1_mass"), seed=1)``:

        >>> from bayescomb.sampling.posterior.storage import run_of
        >>> run = run_of(posterior)
        >>> run.seed, run.engine, run.held_coefficients
        (1, 'marginal', ())
    """
    attributes = {str(key): _python(value) for key, value in posterior.attrs.items()}
    repairs, held, not_recovered, versions = (json.loads(attributes[key]) for key in JSON_ATTRIBUTES)
    return Run(
        settings={key: attributes[key] for key in SAMPLED_WITH if key in attributes},
        correlations=attributes["correlations"],
        engine=attributes["engine"],
        seed=attributes["seed"],
        interrupted=attributes.get("interrupted", ""),
        compile_seconds=attributes.get("compile_seconds", np.nan),
        sampling_seconds=attributes.get("sampling_seconds", np.nan),
        repairs=tuple(
            Repair(block=block, how=how, smallest=smallest, change=change) for block, how, smallest, change in repairs
        ),
        held_coefficients=tuple(held),
        not_recovered=not_recovered,
        versions=versions,
        extended=is_extended(posterior),
        modes=modes_of(posterior),
    )


def modes_of(posterior: xr.DataTree) -> dict[str, Any]:
    """Record of separated minima, see :class:`Run`; empty for one minimum."""
    found: dict[str, Any] = json.loads(posterior.attrs.get("modes", "{}"))
    return found


def _python(value: Any) -> Any:
    """A numpy scalar, as netCDF attributes are, as a Python number; other values unchanged."""
    return value.item() if isinstance(value, np.generic) else value


@expects(posterior="posterior")
def save_posterior(posterior: xr.DataTree, path: str | Path) -> Path:
    """Write a posterior as netCDF; an existing file is replaced when the new one is complete.

    Raises:
        OutputError: the file cannot be written.

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
        PosteriorError: the file is absent, damaged, or not a posterior of bayescomb.

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
    except IsADirectoryError as error:
        msg = f"{path}: a folder found, the file of a posterior is needed; the model comes first: MODEL POSTERIOR.nc"
        raise PosteriorError(msg) from error
    except (OSError, ValueError) as error:  # ValueError: an impossible path
        msg = f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}); name the file of a posterior"
        raise PosteriorError(msg) from error
    return posterior_from_bytes(data, where=str(path))


def combination_of(posterior: xr.DataTree) -> Combination:
    """The combination a posterior was made from, with its assumption set, treatment and repair in force."""
    return _read(posterior.attrs["model"])


@functools.lru_cache(maxsize=4)
def _read(text: str) -> Combination:
    """The combination, read once: it is immutable, and every part of an output asks for it."""
    return combination_from_json(text)


def is_extended(posterior: xr.DataTree) -> bool:
    """Whether the sampled model was extended by a user, so that the closed forms of the combination do not hold for it."""
    return bool(posterior.attrs.get("extended", 0))


def require_same_model(posterior: xr.DataTree, combination: Combination) -> Combination:
    """The combination of the posterior, if it has the same inputs as the given one.

    Raises:
        PosteriorError: the posterior was made from other inputs.
    """
    own = combination_of(posterior)
    where = difference(own, combination)
    if where and own.blinding != combination.blinding:
        hidden = "hidden" if own.blinding is not None else "as measured"
        msg = (
            f"posterior of {own.name!r}: its central values are {hidden}, those of the model as it is now are not; sample "
            "again with the same phrase and the same --seed, which gives the same draws, shifted"
        )
        raise PosteriorError(msg)
    if where:
        msg = (
            f"posterior of {own.name!r} was not made from {combination.name!r} as it is now (they differ in {where}); "
            "sample again from this model"
        )
        raise PosteriorError(msg)
    free = [name for name in combination.nonnegative if name not in own.nonnegative]
    if free:
        msg = (
            f"{free[0]!r} cannot be negative in {combination.name!r} as it is now, but can be in the posterior; sample "
            "again from this model, or leave it out of 'nonnegative'"
        )
        raise PosteriorError(msg)
    return own


def require_same_settings(posterior: xr.DataTree, combination: Combination) -> None:
    """Raise unless posterior and profile have the same assumption set, treatment and other settings.

    Raises:
        PosteriorError: a setting differs.
    """
    own = combination_of(posterior)
    for key in SETTINGS:
        found, wanted = getattr(own, key), getattr(combination, key)
        if found != wanted:
            msg = f"the posterior has {key} {found!r}, the profile {wanted!r}; make both with the same {key}"
            raise PosteriorError(msg)


def posterior_bytes(posterior: xr.DataTree) -> bytes:
    """The netCDF file of a posterior.

    Examples:
        With ``posterior = bc.sample(bc.load("models/run1_mass"), seed=1)``:

        >>> import bayescomb as bc
        >>> from bayescomb.sampling.posterior.storage import posterior_bytes
        >>> posterior_bytes(posterior)[-72:-65]
        b'sha256 '
    """
    marked = posterior.copy()
    marked.attrs[MARK] = KIND
    data = bytes(marked.to_netcdf(engine="h5netcdf"))
    return data + _last_line(data)


def _last_line(data: bytes) -> bytes:
    return f"\nsha256 {hashlib.sha256(data).hexdigest()}\n".encode()


def posterior_from_bytes(data: bytes, *, where: str) -> xr.DataTree:
    """The posterior of a netCDF file.

    Args:
        data: content of the file.
        where: name of the file, for messages.

    Raises:
        PosteriorError: the bytes are damaged, or not a posterior of bayescomb.

    Examples:
        >>> from bayescomb.sampling.posterior.storage import posterior_from_bytes
        >>> posterior_from_bytes(b"", where="p.nc")
        Traceback (most recent call last):
        ...
        bayescomb.base.errors.PosteriorError: p.nc: the file is empty; sample again, or restore the file
    """
    if not data:
        msg = f"{where}: the file is empty; {AGAIN}"
        raise PosteriorError(msg)
    signed = LAST_LINE.search(data[-LINE_SIZE:])
    content = data[:-LINE_SIZE] if signed else data
    if signed and _last_line(content) != data[-LINE_SIZE:]:
        msg = f"{where}: damaged, its bytes are not those that were written (the checksum in its last line differs); {AGAIN}"
        raise PosteriorError(msg)
    try:
        # First without h5netcdf, which prints to standard error when it cannot open a file.
        with h5py.File(io.BytesIO(content), "r") as file:
            marked = MARK in list(file.attrs) and bool(list(file))
        if signed or not marked:
            with xr.open_datatree(io.BytesIO(content), engine="h5netcdf") as tree:
                posterior = tree.load()
    except Exception as error:  # the netCDF stack raises many classes on damaged files, none of them documented
        msg = (
            f"{where}: not a readable netCDF file of 'bayescomb sample' ({type(error).__name__}: {error}); name the file of "
            f"a posterior, {AGAIN}"
        )
        raise PosteriorError(msg) from error
    if marked and not signed:
        msg = (
            f"{where}: cut off, damaged or changed by another program (the checksum in its last line is missing); {AGAIN}, "
            "or save what you changed with bayescomb.save_posterior"
        )
        raise PosteriorError(msg)
    posterior.attrs.pop(MARK, None)
    _check(posterior, where)
    return posterior


def _check(posterior: xr.DataTree, where: str) -> None:
    """Raise unless all attributes, groups and variables are there that outputs need.

    Raises:
        PosteriorError: something is missing or has the wrong form.
    """
    if "posterior" not in posterior.children or "model" not in posterior.attrs:
        msg = f"{where}: no posterior of bayescomb (group 'posterior' and attribute 'model' are needed); sample again"
        raise PosteriorError(msg)
    problem = _attribute_problem(posterior.attrs)
    if not problem:
        try:
            combination = combination_from_json(posterior.attrs["model"])
        except Exception as error:  # a text that is not a model can raise any error
            msg = f"{where}: its attribute 'model' is not a model ({type(error).__name__}: {error}); {AGAIN}"
            raise PosteriorError(msg) from error
        problem = _group_problem(posterior, combination)
    if problem:
        msg = f"{where}: incomplete, {problem}; {AGAIN}"
        raise PosteriorError(msg)


def _attribute_problem(attributes: dict[Any, Any]) -> str:
    missing = [name for name in (*ATTRIBUTES, *JSON_ATTRIBUTES) if name not in attributes]
    if missing:
        return f"attribute {missing[0]!r} is missing"
    for name in JSON_ATTRIBUTES:
        try:
            json.loads(attributes[name])
        except (TypeError, ValueError):
            return f"attribute {name!r} is not JSON"
    return ""


def _group_problem(posterior: xr.DataTree, combination: Combination) -> str:
    draws = posterior["posterior"].to_dataset()
    needed = {"posterior": [variable_name(o.name) for o in combination.results], "sample_stats": ["diverging"]}
    if "rho" in draws:
        needed["prior"] = ["rho"]
    for group, names in needed.items():
        if group not in posterior.children:
            return f"group {group!r} is missing"
        found = posterior[group].to_dataset()
        for name in names:
            if name not in found:
                return f"variable {name!r} of group {group!r} is missing"
            if found[name].dims[:2] != ("chain", "draw"):
                return f"variable {name!r} of group {group!r} has dimensions {found[name].dims}, not chain and draw first"
    numbers = {str(name): values for name, values in draws.data_vars.items() if values.dtype.kind == "f"}
    wrong = [name for name, values in numbers.items() if not np.isfinite(values.to_numpy()).all()]
    return f"variable {wrong[0]!r} has values that are not finite" if wrong else ""
