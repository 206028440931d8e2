"""What was given, as text: settings, sizes, origins, and what ``bayescomb check`` finds."""

from __future__ import annotations

from bayescomb.base.rounding import (
    counted,
    significant,
)
from bayescomb.inputs.combination import Combination
from bayescomb.likelihood.check import WIDE_RESPONSE, CheckResult
from bayescomb.output.statements import header
from bayescomb.output.text.as_read import as_read_lines
from bayescomb.output.text.fit import number_text
from bayescomb.output.text_layout import feasibility_lines

__all__ = ["check_text", "combination_text"]

# Largest number of listed names that look alike, and of partners of each.
FEW_ALIKE = 8


def check_text(result: CheckResult) -> str:
    """Sizes, indefinite matrices and what of the quoted ranges is feasible."""
    lines = [header(result.combination)]
    lines.append(", ".join(counted(value, key) for key, value in result.sizes.items()))
    lines += [*_origins(result.combination), "", *as_read_lines(result), ""]
    count = len(result.indefinite)
    found = f"{counted(count, 'source matrices')} {'is' if count == 1 else 'are'}" if count else "no source matrices are"
    lines.append(f"{found} indefinite at the nominal coefficients" + (":" if count else ""))
    for block in result.indefinite:
        rounding = ", which rounding to two digits can explain" if block.rounding else ""
        lines.append(
            f"  {block.label}: smallest eigenvalue {number_text(block.smallest)}, {block.negative} negative{rounding}"
        )
    for widened in result.widened:
        names = [
            f"{name} ({number_text(width)})" for name, width in sorted(widened.constraints.items(), key=lambda c: -c[1])
        ]
        listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        lines.append(
            f"  {widened.measurement}: {counted(len(names), 'constraints')} above 1{': ' if names else ''}{listed}; "
            f"{counted(widened.negative, 'negative eigenvalues')} of its information without the priors, kept as they are"
        )
    if result.wide:
        lines.append(
            f"  relative responses above {significant(100 * WIDE_RESPONSE)} %: {', '.join(result.wide)}; the prediction "
            "reaches 0 within a few sigma, where a flat observable has no posterior: lognormal responses do not"
        )
    lines += _look_alike_lines(result)
    lines.append("")
    lines.append("feasibility of the quoted ranges:")
    lines += feasibility_lines(result.statements)
    if result.combination.treatment == "covariance":
        lines.append("treatment covariance: only the total covariance has to be positive definite")
    return "\n".join(lines)


def _look_alike_lines(result: CheckResult) -> list[str]:
    """Names that may mean one nuisance, a line for each of the first input that has them."""
    if not result.look_alikes:
        return []
    groups: dict[tuple[str, tuple[str, str]], list[str]] = {}
    for pair in result.look_alikes:
        groups.setdefault((pair.first, pair.measurements), []).append(f"{pair.second} ({pair.why})")
    count = counted(len(result.look_alikes), "pairs")
    lines = [
        f"{count} of nuisances of different inputs look alike and nothing is stated of them; relate those that are one:"
    ]
    for (first, (own, other)), partners in list(groups.items())[:FEW_ALIKE]:
        more = f" and {len(partners) - FEW_ALIKE} more" if len(partners) > FEW_ALIKE else ""
        lines.append(f"  {first} of {own}: {', '.join(partners[:FEW_ALIKE])}{more} of {other}")
    more_groups = len(groups) - FEW_ALIKE
    return lines + (
        [f"  and {counted(more_groups, 'nuisances')} more, all in check(...).look_alikes"] if more_groups > 0 else []
    )


def _origins(combination: Combination) -> list[str]:
    """Where the figures come from, a line per table."""
    return [f"{p.table}: {p.kind}, {p.origin}{f' ({p.note})' if p.note else ''}" for p in combination.provenance]


def combination_text(combination: Combination) -> str:
    """Settings, sizes and origin of the figures; :func:`check_text` has the findings too, which take a calculation."""
    sizes = ("measurements", "estimates", "observables", "sources", "nuisances")
    counts = ", ".join(counted(len(getattr(combination, key)), key) for key in sizes)
    return "\n".join([header(combination), counts, *_origins(combination)])
