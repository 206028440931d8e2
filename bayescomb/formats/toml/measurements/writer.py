"""Writer of measurements in ``model.toml``: rows of a budget where they have that form, ``[[measurements]]`` otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from bayescomb.formats.csv import csv_text, figure, triangle_text
from bayescomb.formats.likelihood_tables import likelihood_text
from bayescomb.inputs.budget import BUDGET_COLUMNS, OPTIONAL_BUDGET_COLUMNS, nuisance_name
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.measurements import Estimate, Measurement, Nuisance

__all__ = ["BudgetPart", "budget_part", "measurement_table"]

# Properties of more nuisances than this are written to a CSV file.
MAX_LISTED: Final = 8


@dataclass(frozen=True, kw_only=True)
class BudgetPart:
    """The leading measurements of a combination that a budget can hold.

    Attributes:
        measurements: empty if the combination is written without a budget.
        sources: sources that have a column.
        experiments: experiment -> its estimates.
    """

    measurements: tuple[Measurement, ...] = ()
    sources: tuple[str, ...] = ()
    experiments: dict[str, list[str]] = field(default_factory=dict)

    def text(self) -> str:
        """The budget as CSV text."""
        rows = []
        sizes = {s: i for i, s in enumerate(self.sources)}
        for measurement in self.measurements:
            assert measurement.statistical_covariance is not None  # by _fits_budget
            stat = np.sqrt(np.diag(measurement.statistical_covariance))
            for i, estimate in enumerate(measurement.estimates):
                own = measurement.responses[i, i * len(sizes) : (i + 1) * len(sizes)]
                names = [estimate.name, estimate.title, measurement.name, measurement.experiment, *estimate.observables]
                rows.append([*names, figure(estimate.value), figure(stat[i]), *map(figure, own)])
        header = ["estimate", "title", "measurement", "experiment", "observable", "value", "stat", *self.sources]
        return csv_text("Who measured what: values and sizes of uncertainties in the unit of the observable.", header, rows)


def budget_part(combination: Combination) -> BudgetPart:
    """The leading measurements with one nuisance per estimate and source of the first measurement."""
    measurements = combination.measurements
    first = measurements[0]
    sources = tuple(n.source for n in first.nuisances[: len(first.nuisances) // len(first.estimates)])
    known = {s.name for s in combination.sources}
    if not sources or not known.issuperset(sources) or set(sources) & {*BUDGET_COLUMNS, *OPTIONAL_BUDGET_COLUMNS}:
        return BudgetPart()
    n = next((i for i, m in enumerate(measurements) if not _fits_budget(m, sources)), len(measurements))
    experiments: dict[str, list[str]] = {}
    for measurement in measurements[:n]:
        experiments.setdefault(measurement.experiment, []).extend(e.name for e in measurement.estimates)
    return BudgetPart(measurements=measurements[:n], sources=sources, experiments=experiments)


def _fits_budget(measurement: Measurement, sources: Sequence[str]) -> bool:
    estimates = measurement.estimates
    expected = [Nuisance(name=nuisance_name(s, e.name), source=s) for e in estimates for s in sources]
    if list(measurement.nuisances) != expected or measurement.down_responses is not None:
        return False
    own = np.kron(np.eye(len(estimates)), np.ones(len(sources))) > 0
    elsewhere, sizes = measurement.responses[~own], measurement.responses[own]
    return (
        _statistical(measurement) is not None
        and not np.signbit(sizes).any()
        and not (elsewhere != 0).any()
        and not np.signbit(elsewhere).any()
        and all(tuple(e.observables.values()) == (1.0,) for e in estimates)
        and _is_plain(measurement.experiment)
        and bool(measurement.experiment)
        and all(_is_plain(e.title) for e in estimates)
    )


def _is_plain(text: str) -> bool:
    """Whether a CSV cell can hold a text."""
    return text == text.strip() and (text.isprintable() or not text)


def _statistical(measurement: Measurement) -> list[float] | None:
    """Uncorrelated uncertainties whose squares are the statistical covariance to the last bit.

    ``None`` if there are none, and for likelihood tables, which include the uncertainties.
    """
    covariance = measurement.statistical_covariance
    if covariance is None or measurement.is_total or measurement.tables:
        return None
    sizes = np.sqrt(np.diag(covariance))
    return [float(s) for s in sizes] if np.diag(sizes**2).tobytes() == covariance.tobytes() else None


def measurement_table(measurement: Measurement, prefix: str) -> tuple[dict[str, Any], dict[str, str]]:
    """A measurement as TOML table, and its CSV files, file name -> text.

    Args:
        measurement: the measurement to write.
        prefix: beginning of the file names.
    """
    files: dict[str, str] = {}

    def stored(kind: str, content: str) -> str:
        files[f"{prefix}_{kind}.csv"] = content
        return f"{prefix}_{kind}.csv"

    names = [e.name for e in measurement.estimates]
    title = " ".join(measurement.name.split())
    table: dict[str, Any] = {
        "name": measurement.name,
        "experiment": measurement.experiment or None,
        "estimates": [_estimate_table(e) for e in measurement.estimates],
    }
    for i, likelihood in measurement.tables.items():
        comment = f"-2 ln L of {' '.join(names[i].split())} at values in the unit of its observable, up to a constant."
        curve = likelihood_text(comment, next(iter(measurement.estimates[i].observables)), likelihood)
        own = f"likelihood_{i + 1}" if len(measurement.tables) > 1 else "likelihood"
        table["estimates"][i]["likelihood"] = stored(own, curve)
    statistical = _statistical(measurement)
    if statistical is not None:
        table["statistical"] = statistical
    elif measurement.statistical_covariance is not None and not measurement.tables:
        kind = str(measurement.covariance_kind)
        comment = f"{kind.capitalize()} covariance of the estimates of {title}; lower triangle."
        table[f"{kind}_covariance"] = stored(kind, triangle_text(comment, names, measurement.statistical_covariance))
    if measurement.fit is not None:
        rows = [*names, *(n.name for n in measurement.fit.nuisances)]
        comment = f"Inverse of the post-fit covariance of {title}, the priors of the nuisances included; lower triangle."
        table["hessian"] = stored("hessian", triangle_text(comment, rows, measurement.fit.information))
    if measurement.nuisances:
        table["responses"] = stored("responses", _responses_text(measurement, title))
    details = _details(measurement)
    if len(details) > MAX_LISTED:
        used = [
            key for key in ("name", "source", "response", "free", "pull", "statistical") if any(key in d for d in details)
        ]
        content = [[_detail_cell(d.get(key)) for key in used] for d in details]
        table["nuisances"] = stored("nuisances", csv_text(f"What the tables of {title} do not say.", used, content))
    elif details:
        table["nuisances"] = details
    return table, files


def _estimate_table(estimate: Estimate) -> dict[str, Any]:
    table: dict[str, Any] = {"name": estimate.name}
    if estimate.likelihood is None:
        table["value"] = float(estimate.value)
    factors = {name: float(factor) for name, factor in estimate.observables.items()}
    if list(factors.values()) == [1.0]:
        table["observable"] = next(iter(factors))
    else:
        table["observables"] = factors
    return table | ({"title": estimate.title} if estimate.title else {})


def _responses_text(measurement: Measurement, title: str) -> str:
    """CSV text with a cell per estimate and nuisance; two numbers if the shifts at +1 and -1 sigma are not opposite."""
    up, down = measurement.responses, measurement.down_responses
    nuisances = [n.name for n in measurement.nuisances]
    rows = []
    for i, estimate in enumerate(measurement.estimates):
        cells = [figure(value) for value in up[i]]
        if down is not None:
            for j, value in enumerate(down[i]):
                if figure(value) != figure(0.0 - up[i, j]):
                    cells[j] = f"{up[i, j]:+}/{value:+}"
        rows.append([estimate.name, *cells])
    header = ["estimate", *nuisances]
    comment = f"Shift of the published values of {title} by +1 sigma of each nuisance; two numbers: by +1 and by -1 sigma."
    return csv_text(comment, header, rows)


def _details(measurement: Measurement) -> list[dict[str, Any]]:
    """Properties that differ from their defaults, with the name, of each nuisance that has such properties."""
    pulls = measurement.fit.pulls if measurement.fit else np.zeros(0)
    details = []
    for i, nuisance in enumerate(measurement.all_nuisances):
        detail: dict[str, Any] = {}
        if nuisance.source:
            detail["source"] = nuisance.source
        if nuisance.response != "absolute":
            detail["response"] = nuisance.response
        if nuisance.free:
            detail["free"] = True
        if nuisance.statistical:
            detail["statistical"] = True
        if i < len(pulls) and figure(pulls[i]) != "0.0":
            detail["pull"] = float(pulls[i])
        if detail:
            details.append({"name": nuisance.name} | detail)
    return details


def _detail_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return figure(value) if isinstance(value, float) else str(value)
