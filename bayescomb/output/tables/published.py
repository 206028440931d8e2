"""Published sizes of scan shifts beside ours: read from their text, and compared with what their rounding allows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from bayescomb.base.rounding import fixed, small_unit

__all__ = ["PublishedSize", "comment", "published_size"]

QUOTED: Final = re.compile(r"\s*(<)?\s*(\d+)(\.\d+)?\s*(\S*)\s*")


@dataclass(frozen=True, kw_only=True)
class PublishedSize:
    """A size as it was published, in the unit of the result.

    Attributes:
        value: the size, or its upper limit.
        rounding: half of its last digit.
        limit: whether it is an upper limit.
        scale: size of one unit of the text, in the unit of the result.
        unit: of the text.
    """

    value: float
    rounding: float
    limit: bool
    scale: float
    unit: str

    @property
    def value_reach(self) -> float:
        """Half of the interval that the text leaves open, about 0 for an upper limit and about the value else."""
        return self.value if self.limit else self.rounding


def published_size(text: str, unit: str) -> PublishedSize | None:
    """A published size such as "26 MeV" or "<1 MeV"; ``None`` where the text is not one, or of an unknown unit.

    Args:
        text: as it was published, with its unit.
        unit: of the result.

    Examples:
        >>> found = published_size("26 MeV", "GeV")
        >>> round(found.value, 6), round(found.rounding, 6)
        (0.026, 0.0005)
        >>> published_size("<1 MeV", "GeV").limit, published_size("small", "GeV")
        (True, None)
    """
    found = QUOTED.fullmatch(text)
    scales = {unit: 1.0, small_unit(unit): 1e-3}
    if found is None or found[4] not in scales:
        return None
    scale = scales[found[4]]
    digits = len(found[3]) - 1 if found[3] else 0
    return PublishedSize(
        value=scale * float(found[2] + (found[3] or "")),
        rounding=scale * 0.5 * 10.0**-digits,
        limit=found[1] is not None,
        scale=scale,
        unit=found[4],
    )


def comment(ours: float | None, text: str, unit: str) -> str:
    """What is to be said of our half shift beside the published size: nothing where it is within the rounding.

    Args:
        ours: signed, in the unit of the result.
        text: the published size.
        unit: of the result.

    Examples:
        >>> comment(-0.02603, "26 MeV", "GeV"), comment(0.00023, "<1 MeV", "GeV")
        ('', '')
        >>> comment(-0.00352, "5 MeV", "GeV")
        '1.5 MeV below 5 ± 0.5 MeV'
        >>> comment(0.00852, "8 MeV", "GeV")
        '0.52 MeV above 8 ± 0.5 MeV'
    """
    quoted = published_size(text, unit) if text else None
    if quoted is None or ours is None:
        return ""
    excess = abs(ours) - quoted.value
    if excess <= (0.0 if quoted.limit else quoted.rounding) and (quoted.limit or -excess <= quoted.rounding):
        return ""
    size = abs(excess) / quoted.scale
    # As many digits as tell it from the rounding.
    shown = fixed(size, 1 if size >= 1.15 * quoted.rounding / quoted.scale else 2)
    quoted_as = (
        text.strip() if quoted.limit else text.strip().replace(" ", f" ± {fixed(quoted.rounding / quoted.scale, 1)} ", 1)
    )
    return f"{shown} {quoted.unit} {'above' if excess > 0 else 'below'} {quoted_as}"
