"""Lines of ``[correlations]``, one per coefficient or scan group, from an assumption set."""

from __future__ import annotations

from collections.abc import Sequence

from bayescomb.assumptions import AssumptionSet, CorrelationBlock, CorrelationCoefficient
from bayescomb.convino_writer_values import number_text
from bayescomb.errors import OptionError

__all__ = ["correlation_lines"]


def correlation_lines(assumptions: AssumptionSet) -> list[str]:
    """The lines, in the order of the coefficients, those of a scan group where its first stands; blocks come last.

    Raises:
        OptionError: a coefficient with a range has several pairs or a prior that is not uniform, or the members of a scan
            group have no nuisance in common, so that no line can hold them.
    """
    lines: list[str] = []
    written: set[str] = set()
    for coefficient in assumptions.coefficients:
        if not coefficient.varied:
            lines += [f"{pair.first} = {_bracket(coefficient, pair.sign)} {pair.second}" for pair in coefficient.pairs]
            continue
        group = coefficient.scan_group
        if group and group in written:
            continue
        written.add(group)
        members = [c for c in assumptions.coefficients if c.varied and c.scan_group == group] if group else [coefficient]
        for member in members:
            _check_range(member)
        lines.append(_together(members))
    for block in assumptions.blocks:
        lines += _block_lines(block)
    return lines


def _check_range(coefficient: CorrelationCoefficient) -> None:
    where = f"coefficient {coefficient.name!r}"
    if coefficient.prior != "uniform":
        msg = f"{where}: a {coefficient.prior} prior cannot be written to Convino files, only a uniform one; change it first"
        raise OptionError(msg)
    if len(coefficient.pairs) != 1:
        msg = (
            f"{where}: one prior for its {len(coefficient.pairs)} pairs cannot be written to Convino files, where every "
            "pair has its own; split it or remove its range"
        )
        raise OptionError(msg)


def _together(members: Sequence[CorrelationCoefficient]) -> str:
    """One line for the members of a scan group: all have a nuisance in common, which stands in front."""
    pairs = [member.pairs[0] for member in members]
    common = [n for n in (pairs[0].first, pairs[0].second) if all(n in (pair.first, pair.second) for pair in pairs)]
    if not common:
        names = ", ".join(repr(member.name) for member in members)
        msg = (
            f"scan group {members[0].scan_group!r} of {names}: its pairs have no nuisance in common, so no line of a "
            "Convino file holds them; scan them alone"
        )
        raise OptionError(msg)
    first = common[0]
    parts = [
        f"{_bracket(member, pair.sign)} {pair.second if pair.first == first else pair.first}"
        for member, pair in zip(members, pairs, strict=True)
    ]
    return f"{first} = {' + '.join(parts)}"


def _bracket(coefficient: CorrelationCoefficient, sign: int) -> str:
    """``(nominal)`` or ``(nominal & start : end)`` of a pair, whose correlation is ``sign`` times the coefficient."""
    where = f"coefficient {coefficient.name!r}"
    nominal = number_text(0.0 + sign * coefficient.nominal, where=where)
    if coefficient.low is None or coefficient.high is None:
        return f"({nominal})"
    ends = (coefficient.high, coefficient.low) if coefficient.descending else (coefficient.low, coefficient.high)
    start, end = (number_text(0.0 + sign * value, where=where) for value in ends)
    return f"({nominal} & {start} : {end})"


def _block_lines(block: CorrelationBlock) -> list[str]:
    lines = []
    for i, first in enumerate(block.nuisances):
        parts = [
            f"({number_text(rho, where=f'block {block.name!r}')}) {second}"
            for second, rho in zip(block.nuisances[:i], block.correlation[i], strict=False)
            if rho
        ]
        if parts:
            lines.append(f"{first} = {' + '.join(parts)}")
    return lines
