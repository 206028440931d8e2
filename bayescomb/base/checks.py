"""Checks of inputs when they are built: each returns the checked value, or raises an error with place and remedy.

The fields of frozen dataclasses hold what cannot be changed: :func:`frozen_array` makes an array read-only, and
:class:`FrozenMapping` is a read-only mapping that can be pickled, unlike ``MappingProxyType``.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import PurePath
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from bayescomb.base.arrays import FloatArray
from bayescomb.base.errors import (
    BayescombError,
    DuplicateNameError,
    InvalidMatrixError,
    InvalidNumberError,
    OptionError,
    UnknownNameError,
)
from bayescomb.base.numerics import SYMMETRY_TOLERANCE, asymmetric_entry, correlation_of

__all__ = [
    "SINGULAR",
    "FrozenMapping",
    "check_array",
    "check_choice",
    "check_correlation",
    "check_count",
    "check_covariance",
    "check_distinct",
    "check_finite",
    "check_items",
    "check_kind",
    "check_mapping",
    "check_names",
    "check_shape",
    "expects",
    "frozen_array",
    "known_name",
    "located",
    "some_names",
    "with_article",
]

# An eigenvalue of a matrix scaled to unit diagonal is rounding below this times the number of rows.
SINGULAR: Final = 1e-14
# Most characters of a value in a message.
LONGEST_VALUE: Final = 60


def frozen_array(values: ArrayLike) -> FloatArray:
    """A read-only float copy of an array."""
    array = np.array(values, dtype=float)
    array.flags.writeable = False
    return array


def check_finite(values: ArrayLike, *, where: str) -> FloatArray:
    """The values as a read-only array, all finite.

    Raises:
        InvalidNumberError: an entry is NaN, infinite or not a number.
    """
    try:
        holds_text = np.asarray(values).dtype.kind == "U"  # numpy would parse it as numbers
        array = frozen_array(values)
    except (TypeError, ValueError, OverflowError) as error:
        msg = f"{where}: {values!r} is no array of numbers ({error}); give finite numbers"
        raise InvalidNumberError(msg) from error
    if holds_text:
        msg = f"{where}: {values!r} holds text; give finite numbers"
        raise InvalidNumberError(msg)
    if not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        msg = f"{where}: {array[place]} found at position {place}, a finite number is needed; correct the input"
        raise InvalidNumberError(msg)
    return array


def check_shape(array: FloatArray, shape: tuple[int, ...], *, where: str) -> FloatArray:
    """The array itself.

    Raises:
        InvalidMatrixError: it has another shape.
    """
    if array.shape != shape:
        msg = f"{where}: shape {array.shape} found, {shape} needed; give one row or column per name"
        raise InvalidMatrixError(msg)
    return array


def check_array(values: ArrayLike, shape: tuple[int, ...], *, where: str) -> FloatArray:
    """The values as a read-only array of a shape, all finite.

    Raises:
        InvalidMatrixError: it has another shape.
        InvalidNumberError: an entry is NaN, infinite or not a number.
    """
    return check_shape(check_finite(values, where=where), shape, where=where)


def _check_symmetric(matrix: FloatArray, *, where: str, names: Sequence[str] = ()) -> FloatArray:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        msg = f"{where}: shape {matrix.shape} found, a square matrix is needed"
        raise InvalidMatrixError(msg)
    found = asymmetric_entry(matrix)
    if found is not None:
        i, j = found
        msg = (
            f"{where}: not symmetric, {_entry(i, j, names)} is {matrix[i, j]:g} and {_entry(j, i, names)} is "
            f"{matrix[j, i]:g}; correct the typing error or symmetrise on purpose"
        )
        raise InvalidMatrixError(msg)
    return frozen_array((matrix + matrix.T) / 2)


def check_correlation(values: ArrayLike, *, names: Sequence[str], where: str) -> FloatArray:
    """A symmetric matrix of unit diagonal and entries within [-1, 1] up to rounding; it may be singular or indefinite.

    Args:
        values: shape (n, n).
        names: the n names that its rows and columns belong to.
        where: name of the matrix, for messages.

    Raises:
        InvalidMatrixError: shape, symmetry, diagonal or an entry is wrong.
        InvalidNumberError: an entry is not finite.
    """
    matrix = check_array(values, (len(names),) * 2, where=where)
    matrix = _check_symmetric(matrix, where=where, names=names)
    wrong = np.flatnonzero(np.abs(np.diag(matrix) - 1) > SYMMETRY_TOLERANCE)
    if wrong.size:
        i = int(wrong[0])
        msg = f"{where}: diagonal {_entry(i, i, names)} is {matrix[i, i]:g}, a correlation matrix has 1; correct it"
        raise InvalidMatrixError(msg)
    if np.abs(matrix).max(initial=0.0) > 1 + SYMMETRY_TOLERANCE:
        i, j = (int(k) for k in np.unravel_index(np.abs(matrix).argmax(), matrix.shape))
        msg = f"{where}: {_entry(i, j, names)} is {matrix[i, j]:.12g}, a correlation lies in [-1, 1]; correct it"
        raise InvalidMatrixError(msg)
    return np.clip(matrix, -1.0, 1.0)


def check_correlation_entry(value: float, *, where: str) -> float:
    """An entry of a correlation matrix; one that rounding has moved beyond 1 or -1 is set to that.

    Raises:
        InvalidMatrixError: it lies outside [-1, 1].
    """
    if not -1 - SYMMETRY_TOLERANCE <= value <= 1 + SYMMETRY_TOLERANCE:
        msg = f"{where}: {value:.12g} found, a correlation lies in [-1, 1]; correct it"
        raise InvalidMatrixError(msg)
    return min(max(value, -1.0), 1.0)


def check_covariance(values: ArrayLike, *, where: str, definite: bool, singular: bool = False) -> FloatArray:
    """A symmetric matrix, on request positive definite.

    Args:
        values: shape (n, n).
        where: name of the matrix, for messages.
        definite: require all eigenvalues to be above 0.
        singular: with ``definite``, allow eigenvalues 0, but no variance 0.

    Raises:
        InvalidMatrixError: it is not square, not symmetric or not positive definite.
        InvalidNumberError: an entry is not finite.
    """
    matrix = _check_symmetric(check_finite(values, where=where), where=where)
    if definite:
        lowest = -SINGULAR * len(matrix) if singular else 0.0
        if (np.diag(matrix) == 0).any() or np.linalg.eigvalsh(correlation_of(matrix)).min() <= lowest:
            msg = (
                f"{where}: not positive definite (smallest eigenvalue {np.linalg.eigvalsh(matrix).min():.3g}); "
                "check the uncertainties (each must be above 0) and the correlations"
            )
            raise InvalidMatrixError(msg)
    return matrix


def check_names(names: Sequence[str], *, where: str, allow_empty: bool = False) -> None:
    """Require unique names of printable text without surrounding blanks.

    Raises:
        DuplicateNameError: a name is given twice.
        UnknownNameError: a name is empty or not of that form, or there is no name at all.
    """
    if not names and not allow_empty:
        msg = f"{where}: none given, at least one is needed"
        raise UnknownNameError(msg)
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str) or not name or name != name.strip() or not name.isprintable():
            found = next((unicodedata.name(c, repr(c)).lower() for c in str(name) if not c.isprintable()), "")
            holds = f"it holds the character {found!r}; " if found else "it is empty; " if not name else ""
            msg = f"{where}: {name!r} is no name; {holds}use printable text without surrounding blanks"
            raise UnknownNameError(msg)
        if name in seen:
            msg = f"{where}: the name {name!r} stands twice; every name must be unique"
            raise DuplicateNameError(msg)
        seen.add(name)


def check_distinct(first: Iterable[str], second: Iterable[str], *, kinds: tuple[str, str], where: str) -> None:
    """Require that no name is of both kinds.

    Raises:
        DuplicateNameError: a name is of both.
    """
    taken = set(first)
    for name in second:
        if name in taken:
            owners = " and of ".join(map(with_article, kinds))
            msg = f"{where}: {name!r} is the name of {owners}, both of which are parameters; rename one of them"
            raise DuplicateNameError(msg)


def with_article(noun: str) -> str:
    """The noun with "a" or "an" before it."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def known_name(name: str, known: Collection[str], *, kind: str, where: str) -> str:
    """The name itself.

    Raises:
        UnknownNameError: it is not known; the message offers the closest names.
    """
    if not isinstance(name, str) or name not in known:
        close = _written_otherwise(name, known) or difflib.get_close_matches(str(name), list(dict.fromkeys(known)), n=3)
        hint = f"did you mean {', '.join(map(repr, close))}?" if close else f"known: {some_names(known)}"
        if not known:
            hint = f"there is no {kind}"
        msg = f"{where}: unknown {kind} {name!r}; {hint}"
        raise UnknownNameError(msg)
    return name


def check_choice[Word: str](value: str, choices: Iterable[Word], *, where: str) -> Word:
    """The value, typed as one of the choices.

    Raises:
        OptionError: it is none of them.
    """
    choices = list(choices)
    for word in choices:
        if value == word:
            return word
    close = difflib.get_close_matches(str(value), choices, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    msg = f"{where}: {value!r} found, allowed: {', '.join(choices)}{hint}"
    raise OptionError(msg)


# Kind of an argument of a public function -> its class, by name as this module cannot import it, and how to get one.
KINDS: Final = {
    "combination": ("Combination", "bayescomb.load(path) reads one"),
    "posterior": ("DataTree", "bayescomb.sample(combination) gives one, bayescomb.load_posterior(path) reads one"),
    "profile": ("ProfileResult", "bayescomb.profile(combination) gives one"),
}


def expects[**P, R](**kinds: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorator that checks arguments of a public function against :data:`KINDS`; an optional one may be ``None``.

    Raises (when the function is called):
        OptionError: an argument is of another kind, most often a path, or two arguments are in the wrong order.

    Examples:
        >>> import bayescomb as bc
        >>> bc.profile("models/run1_mass")
        Traceback (most recent call last):
        ...
        bayescomb.base.errors.OptionError: profile(): combination = 'models/run1_mass' found, a combination is needed;
            bayescomb.load(path) reads one
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            given = signature.bind_partial(*args, **kwargs).arguments
            for name, kind in kinds.items():
                optional = "None" in str(signature.parameters[name].annotation)
                if name in given and not (optional and given[name] is None):
                    check_kind(given[name], kind, where=f"{function.__name__}(): {name}", others=given.values())
            return function(*args, **kwargs)

        return checked

    return decorate


def check_kind(value: object, kind: str, *, where: str, others: Iterable[object] = ()) -> None:
    """Require a value of one of the :data:`KINDS`.

    Raises:
        OptionError: it is of another kind.
    """
    name, remedy = KINDS[kind]

    def fits(candidate: object) -> bool:
        return any(c.__name__ == name for c in type(candidate).__mro__)

    if not fits(value):
        found = next((f"a {k}" for k, (own, _) in KINDS.items() if type(value).__name__ == own), None)
        if found is None:
            found = (
                repr(str(value)) if isinstance(value, (str, PurePath)) else f"an object of the class {type(value).__name__}"
            )
        if any(fits(other) for other in others):
            remedy = "are two arguments in the wrong order?"
        msg = f"{where} = {found} found, a {kind} is needed; {remedy}"
        raise OptionError(msg)


def check_mapping(value: object, *, where: str, example: str) -> None:
    """Require a mapping from names.

    Raises:
        OptionError: the value is none; the message shows the example.
    """
    if not isinstance(value, Mapping):
        msg = f"{where}: {_shortened(value)} found, a mapping from names is needed, as in {example}"
        raise OptionError(msg)


def check_items(values: object, kind: type, *, where: str) -> None:
    """Require a list or tuple of objects of one class.

    Raises:
        OptionError: it is no list, or an object is of another class.
    """
    if isinstance(values, (str, Mapping)) or not isinstance(values, Iterable):
        msg = f"{where}: {_shortened(values)} found, a list of objects of the class {kind.__name__} is needed"
        raise OptionError(msg)
    for value in values:
        if not isinstance(value, kind):
            msg = f"{where}: {_shortened(value)} found in the list, an object of the class {kind.__name__} is needed"
            raise OptionError(msg)


@contextmanager
def located(where: str) -> Iterator[None]:
    """Put the place in front of the message of every bayescomb error raised inside the block.

    Examples:
        >>> with located("budget.csv:7"):
        ...     known_name("x", ["y"], kind="source", where="row")
        Traceback (most recent call last):
        bayescomb.base.errors.UnknownNameError: budget.csv:7: row: unknown source 'x'; known: 'y'
    """
    try:
        yield
    except BayescombError as error:
        msg = f"{where}: {error}"
        raise type(error)(msg) from error


def _entry(i: int, j: int, names: Sequence[str]) -> str:
    """An entry of a matrix for a message, by name if its rows have names."""
    return f"entry ({names[i]!r}, {names[j]!r})" if names else f"entry ({i}, {j})"


def _written_otherwise(name: object, known: Collection[str]) -> list[str]:
    """Known names that differ from this one in capital letters and blanks alone."""

    def folded(text: object) -> str:
        return "".join(str(text).casefold().split())

    return [k for k in dict.fromkeys(known) if folded(k) == folded(name)]


def _shortened(value: object) -> str:
    """A value for a message: one line, cut at :data:`LONGEST_VALUE`."""
    text = " ".join(repr(value).split())
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."


def check_count(value: object, *, least: int, where: str) -> int:
    """A whole number of at least ``least``.

    Raises:
        OptionError: it is no whole number, or a smaller one.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        msg = f"{where} = {value!r} found, a whole number of at least {least} is needed"
        raise OptionError(msg)
    return int(value)


def check_seed(seed: int | None) -> int:
    """The seed; a random one for ``None``.

    Raises:
        OptionError: it is no whole number, or below 0.
    """
    return int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else check_count(seed, least=0, where="seed")


def some_names(names: Collection[str], limit: int = 8) -> str:
    """The first few names for a message, and the number of the others.

    Examples:
        >>> some_names(["a", "b", "c"], limit=2)
        "'a', 'b' and 1 more"
    """
    listed = list(dict.fromkeys(names))
    return ", ".join(map(repr, listed[:limit])) + (f" and {len(listed) - limit} more" if len(listed) > limit else "")


class FrozenMapping[Key, Value](Mapping[Key, Value]):
    """Read-only copy of a mapping, in the same order.

    Examples:
        >>> FrozenMapping({"m_t": 1.0})["m_t"]
        1.0
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[Key, Value]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: Key) -> Value:
        return self._items[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"FrozenMapping({self._items!r})"
