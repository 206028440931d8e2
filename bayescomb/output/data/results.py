"""Results as plain data for JSON: full precision, every output with its assumption set, treatment and chi2 form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.files.writing import plain_value
from bayescomb.base.labelled import labels, numbers
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.measurements import unsplit_label
from bayescomb.inputs.observables import Observable, variable_name
from bayescomb.output.statements import caveats, draws_beyond_notes, header_data
from bayescomb.output.tables.impacts import QUANTITIES, impact_table
from bayescomb.output.tables.result import UNDIVIDED, compatibility_table, correlation_table, part_cells, weights_table
from bayescomb.output.tables.table import by_result

if TYPE_CHECKING:
    import xarray as xr

    from bayescomb.fit.averaging.relative import RelativeReading
    from bayescomb.fit.compatibility import Compatibility
    from bayescomb.fit.impacts import ImpactResult
    from bayescomb.fit.profile import ProfileResult
    from bayescomb.fit.scan import ScanPoint, ScanResult, ScanRow
    from bayescomb.fit.size_result import SizeResult
    from bayescomb.output.analysis import Divided
    from bayescomb.sampling.posterior.summary import Sampled, Summary
    from bayescomb.studies.comparison import Comparison

__all__ = [
    "comparison_data",
    "goodness_data",
    "impact_data",
    "posterior_data",
    "profile_data",
    "repair_data",
    "scan_data",
    "study_data",
]


def profile_data(
    fit: ProfileResult, compatible: Sequence[Compatibility] = (), reading: RelativeReading | None = None
) -> dict[str, Any]:
    """Profile result; ``up`` and ``down`` are signed, the constraint of a nuisance without posterior is null.

    Free nuisances stand among the nuisances, with their fitted value as pull and its error as constraint.
    """
    observables = {o.name: o for o in fit.combination.results}
    names = fit.names
    shown = [name for name in names if name in observables]
    constraints = dict(zip(labels(fit, "constraints", "nuisance"), numbers(fit, "constraints"), strict=True))
    pulls = zip(labels(fit, "pulls", "nuisance"), numbers(fit, "pulls"), strict=True)
    nuisances: dict[str, Any] = {
        name: {"pull": float(pull), "constraint": float(constraints[name]) if name in constraints else None}
        for name, pull in pulls
    }
    for name in (name for name in names if name not in observables):
        row = fit.row(name)
        nuisances[name] = {"pull": row.value, "constraint": row.error, "free": True}
    positions = [names.index(name) for name in shown]
    covariance = numbers(fit, "covariance")[np.ix_(positions, positions)]
    weights = weights_table(fit, shown).rows
    correlation = [list(by_result(row, "correlation").values()) for row in correlation_table(shown, covariance).rows]
    data = {
        **header_data(fit.combination),
        **goodness_data(fit),
        "scale_factor": None if fit.scale is None else {"rule": fit.scale.rule, "factors": dict(fit.scale.factors)},
        "parameters": {name: _parameter(fit, name) | _spectator(observables[name]) for name in shown},
        "parts": fit.parts,
        "weights": {name: {row["estimate"]: plain_value(row[f"weight[{name}]"]) for row in weights} for name in shown},
        "nuisances": nuisances,
        "covariance": _matrix(shown, covariance),
        "correlation": {"names": shown, "matrix": correlation},
        "on_kink": list(fit.on_kink),
        "at_bound": list(fit.at_bound),
        "determinant_of_weights": _determinant(fit.combination, included=False),
        "compatibility": [
            {key: value for key, value in row.items() if key != "problem" or value}
            for row in compatibility_table(compatible).rows
        ],
        "repairs": repair_data(fit),
    }
    if fit.other_minima is not None:
        data["other_minima"] = [
            {"delta_chi2": float(m["delta_chi2"]), "parameters": {n: float(m.sel(parameter=n)) for n in shown}}
            for m in fit.other_minima.transpose("minimum", "parameter")
        ]
    if fit.sizes is not None:
        data |= size_data(fit.sizes)
    if reading is not None:
        data["relative_errors"] = reading_data(reading, fit.combination)
    if fit.unnormalised is not None:
        data["unnormalised"] = {name: _parameter(fit.unnormalised, name) for name in shown}
    return data


def goodness_data(fit: ProfileResult) -> dict[str, Any]:
    """Goodness of fit of all inputs, and what their own pulls cost before combining."""
    chi2, own = plain_value(fit.chi2), plain_value(fit.own_chi2)
    return {"chi2": chi2, "ndf": fit.ndf, "p_value": fit.p_value, "own_chi2": own}


def repair_data(fit: ProfileResult) -> list[dict[str, Any]]:
    """Source matrices that were changed, and by how much."""
    return [{"block": r.block, "how": r.how, "smallest_eigenvalue": r.smallest, "change": r.change} for r in fit.repairs]


def reading_data(found: RelativeReading, combination: Combination) -> dict[str, Any]:
    """Results with relative errors as stated, iterated, and as absolute ones."""
    from bayescomb.output.tables.averages import relative_table

    return {
        "iterations": found.steps,
        "prefers_absolute": found.prefers_absolute,
        "readings": {
            row["reading"]: {"chi2": row["chi2"], "values": by_result(row, "values"), "errors": by_result(row, "errors")}
            for row in relative_table(found, combination).rows
        },
    }


def size_data(found: SizeResult) -> dict[str, Any]:
    """Fitted sizes of uncertain sources, and the answers corrected for them."""
    intervals = found.intervals
    return {
        "sizes": {
            str(name): {key: found.sizes[key].sel(uncertain_size=name).item() for key in found.sizes}
            for name in found.sizes["uncertain_size"].to_numpy()
        },
        "bartlett": {
            str(name): {key: plain_value(float(intervals[key].sel(parameter=name))) for key in intervals}
            for name in intervals["parameter"].to_numpy()
        },
        "corrected_chi2": plain_value(found.chi2),
    }


def _determinant(combination: Combination, *, included: bool) -> str | None:
    """Whether Pearson's weights, which follow the prediction, are normalised; ``None`` where they are constant."""
    if not combination.pearson:
        return None
    return "included" if included else "left out"


def _parameter(fit: ProfileResult, name: str) -> dict[str, Any]:
    row, parts = fit.row(name), part_cells(fit, name)
    theory = float(numbers(fit, "theory_errors")[fit.names.index(name)])
    label = unsplit_label(fit.combination.measurements)
    undivided = {UNDIVIDED: plain_value(parts[UNDIVIDED]), "undivided_part": label} if label else {}
    return {
        "value": row.value,
        "error": plain_value(row.error),
        "up": plain_value(row.up),
        "down": plain_value(row.down),
        **{key: plain_value(parts.get(key)) for key in ("statistical_error", "systematic_error")},
        **undivided,
        "theory_error": plain_value(theory),
        "unit": row.unit,
    }


def _spectator(observable: Observable) -> dict[str, Any]:
    return {"spectator": True} if observable.spectator else {}


def posterior_data(sampled: Sampled, fit: ProfileResult | None) -> dict[str, Any]:
    """Posterior summary: observables, coefficients and nuisances.

    Args:
        sampled: the posterior.
        fit: the profile at nominal coefficients, whose chi2 is the goodness of fit of the inputs; ``None`` where there
            is none, see :func:`bayescomb.output.analysis.nominal_fit`.
    """
    from bayescomb.sampling.posterior.summary import CENTRAL_KIND, HDI_KIND

    combination, judged = sampled.combination, sampled.verdict
    names, diagnostics = list(sampled.results), sampled.diagnostics

    def summary(found: Summary, quantity: str) -> dict[str, Any]:
        row = diagnostics[quantity]
        return {
            "mean": plain_value(found.mean),
            "sd": plain_value(found.sd),
            "median": found.median,
            "hdi68": [found.hdi_low, found.hdi_high],
            "central68": [found.central_low, found.central_high],
            "mcse": plain_value(found.mcse_mean),
            "mcse_mean": plain_value(found.mcse_mean),
            "mcse_sd": plain_value(found.mcse_sd),
            "origin": found.origin,
            **({"no_moments": found.reason} if found.reason else {}),
            "ess_bulk": row["ess_bulk"],
            "ess_tail": row["ess_tail"],
            "r_hat": plain_value(row["r_hat"]),
        }

    def pull(name: str, moments: tuple[float, float]) -> dict[str, float | None]:
        row = diagnostics.get(f"pull[{name}]") or diagnostics[f"theory_pull[{name}]"]
        mcse = row["mcse_mean"] if np.isfinite(moments[1]) else None
        return {"pull": plain_value(moments[0]), "constraint": plain_value(moments[1]), "mcse": mcse}

    return {
        **header_data(combination),
        "caveats": [*caveats(combination), *draws_beyond_notes(sampled)],
        "chi2": None if fit is None else plain_value(fit.chi2),
        "ndf": None if fit is None else fit.ndf,
        "p_value": None if fit is None else fit.p_value,
        "determinant_of_weights": _determinant(combination, included=True),
        "correlations": sampled.run.correlations,
        "engine": sampled.run.engine,
        "seed": sampled.run.seed,
        "converged": judged.passed,
        "verdict": judged.sentence,
        "intervals": {"hdi68": HDI_KIND, "central68": CENTRAL_KIND, "sizes": CENTRAL_KIND},
        "parameters": {name: summary(found, variable_name(name)) for name, found in sampled.results.items()},
        "coefficients": {
            name: summary(found, f"rho[{name}]")
            for name, found in sampled.coefficients.items()
            if f"rho[{name}]" in diagnostics
        },
        "sizes": {name: {"low": low, "median": median, "high": high} for name, (low, median, high) in sampled.sizes.items()},
        "nuisances": {name: pull(name, moments) for name, moments in sampled.nuisances.items()},
        "divergences": judged.divergences,
        "modes": sampled.run.modes.get("minima", []),
        "covariance": {"names": names, "matrix": [[plain_value(v) for v in row] for row in sampled.covariance.tolist()]},
        "correlation": {"names": names, "matrix": [[plain_value(v) for v in row] for row in sampled.correlation.tolist()]},
    }


def scan_data(result: ScanResult) -> dict[str, Any]:
    """Scan rows with their points; a row that is nowhere feasible has no parameters and says why."""
    from bayescomb.output.tables.scan import scan_rows

    names: list[str] = next(
        (row.half_shift["parameter"].to_numpy().tolist() for row in result.rows if row.half_shift is not None), []
    )
    rows = []
    for row, cells in zip(result.rows, scan_rows(result, names), strict=True):
        entry: dict[str, Any] = {
            "name": row.name,
            "title": row.title,
            **{key: cells[key] for key in ("low", "high", "nominal")},
            "published_half_shift": row.published_half_shift or None,
            "published_half_error_shift": row.published_half_error_shift or None,
            "parameters": {},
            "points": [_scan_point(point) for point in row.points],
        }
        if row.half_shift is None:
            entry["problem"] = row.problem
        else:
            values, errors = by_result(cells, "half_shift"), by_result(cells, "half_error_shift")
            entry["parameters"] = {p: {"half_shift": values[p], "half_error_shift": errors[p]} for p in names}
        entry |= _scan_ends(row)
        rows.append(entry)
    return {**header_data(result.combination), "scan": rows}


def _scan_ends(row: ScanRow) -> dict[str, Any]:
    """Where a scan starts and ends in fact, and half of what covariances and correlations change by between."""
    found: dict[str, Any] = {
        "reached": None if row.reached is None else dict(zip(("low", "high"), row.reached, strict=True))
    }
    if row.cut:
        found["cut_by"] = list(row.blocks)
    if row.ends is not None:
        found["ends"] = [_scan_point(end) for end in row.ends]
    for key in ("covariance", "correlation"):
        shift = getattr(row, f"half_{key}_shift")
        if shift is not None:
            found[f"half_{key}_shift"] = _matrix(shift["parameter"].to_numpy().tolist(), shift.to_numpy())
    return found


def _matrix(names: Sequence[str], values: FloatArray) -> dict[str, Any]:
    """A matrix of parameters by their names, ``None`` for what is at its bound."""
    return {"names": list(names), "matrix": [[plain_value(x) for x in row] for row in values.tolist()]}


def _scan_point(point: ScanPoint) -> dict[str, Any]:
    if point.values is None or point.errors is None or point.covariance is None:
        return {"coefficients": dict(point.coefficients), "problem": point.problem}
    return {
        "coefficients": dict(point.coefficients),
        "chi2": plain_value(point.chi2),
        "parameters": {
            str(p): {
                "value": plain_value(float(point.values.sel(parameter=p))),
                "error": plain_value(float(point.errors.sel(parameter=p))),
            }
            for p in point.values["parameter"].to_numpy()
        },
        "covariance": _matrix(point.covariance["parameter"].to_numpy().tolist(), point.covariance.to_numpy()),
    }


def impact_data(result: ImpactResult) -> dict[str, Any]:
    """Impacts of each source, of each nuisance that is given by itself, of each group, of statistics and of all systematics.

    What not knowing the sizes of sources adds stands among the sources.
    """
    names = result.names
    given = {n: i for i, n in enumerate([*labels(result, "sources", "source"), *labels(result, "groups", "group")])}
    rows = sorted(impact_table(result).rows, key=lambda row: given.get(row["name"], len(given)))  # as in the inputs

    def of(key: str, *kinds: str) -> dict[str, dict[str, float | None]]:
        return {row["name"]: by_result(row, key) for row in rows if row["kind"] in kinds and f"{key}[{names[0]}]" in row}

    data = {
        **header_data(result.combination),
        "parts": result.parts,
        "definition": result.definition,
        "groups": of("impact", "group"),
        "sources": of("impact", "source", "size"),
        "nuisances": of("impact", "nuisance"),
        "whole": {"coupling": dict.fromkeys(names, 0.0)} | of("impact", "coupling", "sum"),
    }
    for q in (q for q in QUANTITIES if q.json):
        if "group" in q.values(result):  # which may have the name of a nuisance
            data[q.json] = {
                section: of(q.key, *kinds)
                for section, kinds in (("groups", ("group",)), ("sources", ("source", "size")), ("nuisances", ("nuisance",)))
            }
        elif q.values(result):
            data[q.json] = of(q.key, "nuisance")
    return data


def comparison_data(comparison: Comparison, divided: Divided) -> dict[str, Any]:
    """The comparison table, one entry per parameter, and where the variance comes from."""
    from bayescomb.output.data.extraction import relevance_data, shares_data
    from bayescomb.sampling.posterior.summary import HDI_KIND, INTERVAL

    table = comparison.table
    parameters = {
        str(p): {str(key): plain_value(float(table[key].sel(parameter=p))) for key in table.data_vars}
        | {"mcse": plain_value(float(table["mcse_mean"].sel(parameter=p)))}
        for p in table["parameter"].to_numpy()
    }
    data = {**header_data(comparison.combination), "interval": INTERVAL, "interval_kind": HDI_KIND, "parameters": parameters}
    if divided.shares is not None:
        data["variance_shares"] = shares_data(divided.shares)
    if divided.relevance is not None:
        data["relevance"] = relevance_data(divided.relevance)
    return data


def study_data(study: xr.Dataset, combination: Combination) -> dict[str, Any]:
    """The study as JSON takes it; ``None`` where there is nothing."""
    found: dict[str, Any] = {}
    for name in study["quantity"].to_numpy():
        at = study.sel(quantity=name)
        entry: dict[str, Any] = {key: plain_value(at[key]) for key in ("rank_p_value", "rank_p_value_corrected")}
        for answer in study["answer"].to_numpy():
            own = at.sel(answer=answer)
            entry[str(answer)] = {
                key: plain_value(own[key]) for key in ("pull_mean", "pull_mean_error", "pull_width", "pull_width_error")
            } | {
                f"coverage{level}": [plain_value(own[key].sel(level=level)) for key in ("coverage", "coverage_error")]
                for level in study["level"].to_numpy()
            }
        found[str(name)] = entry
    return header_data(combination) | {key: int(value) for key, value in study.attrs.items()} | {"quantities": found}
