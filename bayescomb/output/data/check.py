"""What ``bayescomb check`` finds, as plain data for programs."""

from __future__ import annotations

from typing import Any

from bayescomb.base.files.writing import plain_value
from bayescomb.inputs.measurements import LikelihoodTable
from bayescomb.likelihood.check import CheckResult
from bayescomb.likelihood.feasible_ranges import Statement
from bayescomb.output.statements import header_data
from bayescomb.output.text.check import assumption_lines

__all__ = ["check_data"]


def check_data(result: CheckResult) -> dict[str, Any]:
    """Sizes, estimates and correlations as they were read, what is indefinite, and how much of the ranges is feasible.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.data.check import check_data
        >>> data = check_data(bc.check(bc.load("models/run1_mass")))
        >>> data["sizes"]["estimates"], [block["name"] for block in data["indefinite"] if not block["rounding"]]
        (15, ['btag', 'LHCrad', 'PDF', 'bkgMC'])
    """
    return {
        **header_data(result.combination),
        "sizes": dict(result.sizes),
        "estimates": [
            {
                "name": e.name,
                "measurement": e.measurement,
                "experiment": e.experiment or None,
                "value": e.value,
                "stat": e.stat,
                "total": e.total,
                "likelihood": _likelihood(result.combination.tables.get(i)),
            }
            for i, e in enumerate(result.estimates)
        ],
        "correlations": [
            {"source": c.source, "experiment": c.experiment or None, "inside": c.inside, "across": c.across}
            for c in result.correlations
        ],
        "assumed": assumption_lines(result.combination),
        "indefinite": [
            {"name": b.label, "smallest_eigenvalue": b.smallest, "negative": b.negative, "rounding": b.rounding}
            for b in result.indefinite
        ],
        "constraints_above_1": [
            {"measurement": w.measurement, "constraints": dict(w.constraints), "negative_eigenvalues": w.negative}
            for w in result.widened
        ],
        "wide_responses": list(result.wide),
        "look_alikes": [
            {"nuisances": [pair.first, pair.second], "measurements": list(pair.measurements), "why": pair.why}
            for pair in result.look_alikes
        ],
        "feasibility": [_statement(s) for s in result.statements],
    }


def _likelihood(table: LikelihoodTable | None) -> dict[str, Any] | None:
    """A likelihood that is a table; value and errors beside it are those of the Gaussian near its minimum."""
    if table is None:
        return None
    up, down = table.errors
    return {
        "points": len(table.points),
        "ends": list(table.ends),
        "rise_at_ends": [table.rise(end) for end in table.ends],
        "minimum": table.minimum,
        "up": up,
        "down": down,
        "change_without_every_second_point": table.coarseness,
    }


def _statement(statement: Statement) -> dict[str, Any]:
    ends = zip(
        statement.coefficients,
        statement.low,
        statement.high,
        statement.feasible_low,
        statement.feasible_high,
        strict=True,
    )
    return {
        "name": statement.label,
        "status": statement.status,
        "share": plain_value(float(statement.share)),
        "share_error": plain_value(float(statement.share_error)),
        "smallest_eigenvalue_at_nominal": plain_value(float(statement.nominal_smallest)),
        "coefficients": {
            name: {
                "range": [plain_value(float(low)), plain_value(float(high))],
                "feasible": [plain_value(float(least)), plain_value(float(most))],
            }
            for name, low, high, least, most in ends
        },
        "sentence": statement.text,
    }
