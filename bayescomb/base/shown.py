"""How a result shows itself: ``repr`` in one line, ``str`` as the command line prints it, a notebook the same.

A result stands below the modules that write text, and imports none of them.  The root package, which knows every room, says
which function writes the text of which class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

__all__ = ["Shown", "show_with"]

_TEXTS: Final[dict[str, Callable[[Any], str]]] = {}


def show_with(name: str, text: Callable[[Any], str]) -> None:
    """Say which function writes the text of a class.

    Args:
        name: module and name of the class, which need not be imported for this.
        text: from an instance to its text.
    """
    _TEXTS[name] = text


class Shown:
    """A result with a line, a text and a block in notebooks; its dataclass is declared with ``repr=False``.

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
        """What is said between the name of the class and the closing bracket."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._line()}>"

    def __str__(self) -> str:
        text = next(
            (_TEXTS[n] for n in (f"{c.__module__}.{c.__qualname__}" for c in type(self).__mro__) if n in _TEXTS), repr
        )
        return text(self)

    def _repr_html_(self) -> str:
        """The text in a notebook."""
        import html

        return f"<pre>{html.escape(str(self), quote=False)}</pre>"
