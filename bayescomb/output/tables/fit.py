"""Tables of a profile: what each estimate weighs, and how well each input agrees with the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.rounding import PULL_PLACES, chi2_text, p_value_text, weight_places, with_unit
from bayescomb.output.tables.table import Column, Table, fixed_column, number_column, text_column

if TYPE_CHECKING:
    from bayescomb.fit.compatibility import Compatibility
    from bayescomb.fit.profile import ProfileResult

__all__ = ["compatibility_table", "correlation_table", "weights_table"]

# Digits of a correlation between results.
CORRELATION_PLACES: Final = 2


def compatibility_table(found: Sequence[Compatibility], *, titles: Mapping[str, str] | None = None) -> Table:
    """One row per input.

    Args:
        found: of :func:`bayescomb.compatibility`.
        titles: measurement -> what a page calls it; its name by default.

    Examples:
        >>> import bayescomb as bc
        >>> table = compatibility_table(bc.compatibility(bc.load("models/run1_mass")))
        >>> len(table.rows), table.terminal[0]
        (15, ['input', 'chi2 of all - chi2 of the rest', 'ndf', 'p-value'])
    """
    kind = found[0].by if found else "measurement"
    rows = [{c.by: c.name, "chi2": c.chi2, "ndf": c.ndf, "p_value": c.p_value, "problem": c.problem} for c in found]
    columns = [
        text_column(kind if kind != "measurement" else "input", kind, only="terminal"),
        Column(
            title=kind if kind != "measurement" else "input",
            show=lambda row: (titles or {}).get(row[kind], row[kind]),
            text=True,
            only="page",
        ),
        number_column(
            "χ² of all \N{MINUS SIGN} χ² of the rest",
            "chi2",
            lambda chi2: "not known" if chi2 is None else chi2_text(chi2),
        ),
        fixed_column("degrees of freedom", "ndf", 0, short="ndf"),
        number_column("p-value", "p_value", p_value_text),
    ]
    title = (
        "Compatibility of each input with the rest: χ² of all inputs less that of all others, at nominal coefficients: "
        "how much worse the rest fits when an input joins. Without a degree of freedom nothing tests it."
    )
    name = "compatibility" if kind == "measurement" else f"compatibility_{kind}"
    return Table(name=name, title=title, rows=rows, columns=columns, footnote="problem")


def correlation_table(names: Sequence[str], covariance: FloatArray) -> Table:
    """Correlations of the results.

    Args:
        names: of n results.
        covariance: shape (n, n); NaN for what has none, as it is at a bound.

    Examples:
        >>> import numpy as np
        >>> table = correlation_table(["a", "b"], np.array([[4.0, 1.0], [1.0, 1.0]]))
        >>> table.terminal[1]
        ['a', '1.00', '+0.50']
    """
    error = np.sqrt(np.diag(covariance))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = covariance / np.outer(error, error)
    rows: list[dict[str, Any]] = []
    for i, name in enumerate(names):
        known = {
            f"correlation[{other}]": float(value) if np.isfinite(value) else None
            for other, value in zip(names, correlation[i], strict=True)
        }
        rows.append({"result": name} | known)
    columns = [text_column("correlation of", "result")]
    columns += [number_column(f"with {name}", f"correlation[{name}]", _correlation_text, short=name) for name in names]
    return Table(name="correlation", title="Correlations of the results.", rows=rows, columns=columns)


def _correlation_text(value: float | None) -> str:
    if value is None:
        return "none"
    if round(value, 12) == 1:
        return f"{1:.{CORRELATION_PLACES}f}"
    shown = f"{value:+.{CORRELATION_PLACES}f}"
    return shown[1:] if float(shown) == 0 else shown


def weights_table(
    fit: ProfileResult,
    parameters: Sequence[str],
    *,
    pulls: Mapping[str, float | None] | None = None,
    titles: Mapping[str, str] | None = None,
) -> Table:
    """Weight of each estimate in each result.

    Args:
        fit: of :func:`bayescomb.profile`.
        parameters: results to show.
        titles: estimate -> what a page calls it; its title or name by default.
        pulls: estimate -> (measured - fitted) / error of this difference, ``None`` where there is none; left out by default.

    Examples:
        >>> import bayescomb as bc
        >>> print(weights_table(bc.profile(bc.load("models/run1_mass").only(["ATLAS"])), ["m_t"]).text.splitlines()[0])
        estimate                        m_t
    """
    rows: list[dict[str, Any]] = []
    for estimate, weights in zip(fit.combination.estimates, fit.weights_of(parameters).T.tolist(), strict=True):
        row: dict[str, Any] = {"estimate": estimate.name, "title": estimate.title}
        row |= {f"weight[{p}]": weight for p, weight in zip(parameters, weights, strict=True)}
        rows.append(row | ({} if pulls is None else {"pull": pulls[estimate.name]}))
    columns = [
        Column(title="estimate", show=lambda row: f"{row['estimate']}  {row['title']}".rstrip(), text=True, only="terminal"),
        Column(
            title="estimate",
            show=lambda row: (titles or {}).get(row["estimate"], row["title"] or row["estimate"]),
            text=True,
            only="page",
        ),
    ]
    units = {o.name: o.unit for o in (*fit.combination.observables, *fit.combination.results)}
    of_data = {units.get(name, "") for e in fit.combination.estimates for name, factor in e.observables.items() if factor}
    for p in parameters:
        places = weight_places(row[f"weight[{p}]"] for row in rows)
        # Of one unit all, a weight has none; else it is per unit of each estimate.
        unit = "" if of_data <= {units.get(p, "")} else f"{units.get(p, '') or 1} per unit of the estimate"
        columns.append(fixed_column(with_unit(f"weight in {p}", unit), f"weight[{p}]", places, sign=True, short=p))
    columns += [] if pulls is None else [fixed_column("pull", "pull", PULL_PLACES, sign=True)]
    of_linearised = "" if fit.combination.quadratic else ", in the linearised model with relative sizes at the fitted values"
    title = (
        "Weights of the estimates in the profile at nominal coefficients: derivative of the combined value by the measured "
        f"one{of_linearised}. Pull: (measured - fitted) / uncertainty of this difference; not given for inputs that come "
        "from a fit, nor where nothing else measures the same."
    )
    return Table(name="weights", title=title, rows=rows, columns=columns)
