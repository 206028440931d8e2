"""Display of results: ``repr`` is one line, ``str`` the text of the command line, and a notebook shows it as HTML.

Classes of results must not import the modules that write text, which are in rooms above them.  The root package, which
knows every room, registers the text function of each class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

__all__ = ["Shown", "in_notebooks_with", "show_with"]

_TEXTS: Final[dict[str, Callable[[Any], str]]] = {}
# The function that makes HTML from a text function and the object to show; at most one.
_PAGES: Final[list[Callable[[Callable[[Any], str], object], str]]] = []


def show_with(name: str, text: Callable[[Any], str]) -> None:
    """Register the function that writes the text of a class.

    Args:
        name: module and name of the class, which need not be imported yet.
        text: function from an instance to its text.
    """
    _TEXTS[name] = text


def in_notebooks_with(page: Callable[[Callable[[Any], str], object], str]) -> None:
    """Register the function that makes HTML from a text function and the object to show."""
    _PAGES[:] = [page]


class Shown:
    """Base of results with a one-line ``repr``, a text and HTML; a dataclass needs ``repr=False``.

    Examples:
        >>> class Count(Shown):
        ...     def _line(self):
        ...         return "3 < 4"
        >>> Count()
        <Count 3 < 4>
        >>> show_with(f"{Count.__module__}.Count", lambda count: "three is less than four, 3 < 4")
        >>> print(Count())
        three is less than four, 3 < 4
        >>> Count()._repr_html_()
        '<pre>three is less than four, 3 &lt; 4</pre>'
    """

    def _line(self) -> str:
        """Text of the ``repr`` after the name of the class."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._line()}>"

    def __str__(self) -> str:
        return (self._text_function() or repr)(self)

    def _text_function(self) -> Callable[[Any], str] | None:
        names = (f"{c.__module__}.{c.__qualname__}" for c in type(self).__mro__)
        return next((_TEXTS[name] for name in names if name in _TEXTS), None)

    def _repr_html_(self) -> str:
        """The text as HTML, with HTML tables."""
        text = self._text_function()
        if text is not None and _PAGES and type(self).__module__.startswith("bayescomb."):
            return _PAGES[0](text, self)
        import html

        return f"<pre>{html.escape(str(self), quote=False)}</pre>"
