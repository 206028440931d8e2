"""Checks that inputs go through when they are built; each returns the checked value or raises with place and remedy."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayescomb.errors import (
    DuplicateNameError,
    InvalidMatrixError,
    InvalidNumberError,
    OptionError,
    UnknownNameError,
)

__all__ = [
    "check_choice",
    "check_correlation",
    "check_covariance",
    "check_finite",
    "check_names",
    "check_shape",
    "frozen_array",
    "known_name",
]

# Published matrices are typed with a few digits, so a genuine asymmetry is far above this.
SYMMETRY_TOLERANCE: Final = 1e-9


def frozen_array(values: ArrayLike) -> NDArray[np.float64]:
    """A read-only float copy of an array."""
    array = np.array(values, dtype=float)
    array.flags.writeable = False
    return array


def check_finite(values: ArrayLike, *, where: str) -> NDArray[np.float64]:
    """The values as a read-only array, all finite.

    Raises:
        InvalidNumberError: an entry is NaN or infinite, or no number.
    """
    try:
        array = frozen_array(values)
    except (TypeError, ValueError) as error:
        msg = f"{where}: {values!r} is no array of numbers ({error}); give finite numbers"
        raise InvalidNumberError(msg) from error
    if not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        msg = f"{where}: {array[place]} found at position {place}, a finite number is needed; correct the input"
        raise InvalidNumberError(msg)
    return array


def check_shape(array: NDArray[np.float64], shape: tuple[int, ...], *, where: str) -> NDArray[np.float64]:
    """The array itself if it has the shape.

    Raises:
        InvalidMatrixError: it has another one.
    """
    if array.shape != shape:
        msg = f"{where}: shape {array.shape} found, {shape} needed; give one row or column per name"
        raise InvalidMatrixError(msg)
    return array


def _check_symmetric(values: ArrayLike, *, where: str) -> NDArray[np.float64]:
    matrix = check_finite(values, where=where)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        msg = f"{where}: shape {matrix.shape} found, a square matrix is needed"
        raise InvalidMatrixError(msg)
    difference = np.abs(matrix - matrix.T)
    scale = np.abs(matrix).max(initial=1e-300)
    if difference.max(initial=0.0) > SYMMETRY_TOLERANCE * scale:
        i, j = (int(k) for k in np.unravel_index(difference.argmax(), difference.shape))
        msg = (
            f"{where}: not symmetric, entry ({i}, {j}) is {matrix[i, j]:g} and ({j}, {i}) is {matrix[j, i]:g}; "
            "correct the typing error or symmetrise on purpose"
        )
        raise InvalidMatrixError(msg)
    return frozen_array((matrix + matrix.T) / 2)


def check_correlation(values: ArrayLike, *, size: int, where: str) -> NDArray[np.float64]:
    """A symmetric matrix of unit diagonal and entries within [-1, 1]; it may be singular or indefinite.

    Raises:
        InvalidMatrixError: shape, symmetry, diagonal or an entry is wrong.
        InvalidNumberError: an entry is not finite.
    """
    matrix = check_shape(_check_symmetric(values, where=where), (size, size), where=where)
    wrong = np.flatnonzero(np.abs(np.diag(matrix) - 1) > SYMMETRY_TOLERANCE)
    if wrong.size:
        i = int(wrong[0])
        msg = f"{where}: diagonal entry {i} is {matrix[i, i]:g}, a correlation matrix has 1; correct it"
        raise InvalidMatrixError(msg)
    if np.abs(matrix).max(initial=0.0) > 1:
        i, j = (int(k) for k in np.unravel_index(np.abs(matrix).argmax(), matrix.shape))
        msg = f"{where}: entry ({i}, {j}) is {matrix[i, j]:g}, a correlation lies in [-1, 1]; correct it"
        raise InvalidMatrixError(msg)
    return matrix


def check_covariance(values: ArrayLike, *, where: str, definite: bool) -> NDArray[np.float64]:
    """A symmetric matrix, positive definite if asked for.

    Raises:
        InvalidMatrixError: it is not square, not symmetric or not positive definite.
        InvalidNumberError: an entry is not finite.
    """
    matrix = _check_symmetric(values, where=where)
    if definite:
        scale = np.sqrt(np.abs(np.diag(matrix)))
        if (scale == 0).any() or np.linalg.eigvalsh(matrix / np.outer(scale, scale)).min() <= 0:
            msg = (
                f"{where}: not positive definite (smallest eigenvalue {np.linalg.eigvalsh(matrix).min():.3g}); "
                "check the uncertainties (each must be above 0) and the correlations"
            )
            raise InvalidMatrixError(msg)
    return matrix


def check_names(names: Sequence[str], *, where: str, allow_empty: bool = False) -> None:
    """Names are non-empty strings without surrounding blanks, and unique.

    Raises:
        DuplicateNameError: a name stands twice.
        UnknownNameError: a name is empty, or there is none at all.
    """
    if not names and not allow_empty:
        msg = f"{where}: none given, at least one is needed"
        raise UnknownNameError(msg)
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str) or not name or name != name.strip() or not name.isprintable():
            msg = f"{where}: {name!r} is no name; use printable text without surrounding blanks"
            raise UnknownNameError(msg)
        if name in seen:
            msg = f"{where}: the name {name!r} stands twice; every name must be unique"
            raise DuplicateNameError(msg)
        seen.add(name)


def known_name(name: str, known: Collection[str], *, kind: str, where: str) -> str:
    """The name itself if it is known.

    Raises:
        UnknownNameError: it is not; the message offers the closest names.
    """
    if name not in known:
        close = difflib.get_close_matches(str(name), list(known), n=3)
        hint = f"did you mean {', '.join(map(repr, close))}?" if close else f"known: {_some(known)}"
        msg = f"{where}: unknown {kind} {name!r}; {hint}"
        raise UnknownNameError(msg)
    return name


def check_choice(value: str, choices: Iterable[str], *, where: str) -> str:
    """The value itself if it is one of the choices.

    Raises:
        OptionError: it is not.
    """
    choices = list(choices)
    if value not in choices:
        msg = f"{where}: {value!r} found, allowed: {', '.join(choices)}"
        raise OptionError(msg)
    return value


def _some(names: Collection[str], limit: int = 8) -> str:
    """The first few names, for a message."""
    listed = list(dict.fromkeys(names))
    return ", ".join(map(repr, listed[:limit])) + (", ..." if len(listed) > limit else "")
