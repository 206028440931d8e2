"""One posterior gives one number: every output that names a quantity gives it to the last digit as the others do."""

import math
from collections import defaultdict

import pytest

import bayescomb as bc
from bayescomb.inputs.observables import variable_name
from bayescomb.inputs.serialise import combination_to_json
from bayescomb.output.analysis import analyse, divide
from bayescomb.output.averages import averages
from bayescomb.output.data.extraction import sets_data, theory_data
from bayescomb.output.data.groups import export_groups, export_header
from bayescomb.output.data.results import comparison_data, impact_data, posterior_data, profile_data, scan_data
from bayescomb.output.export.export import plain_data
from bayescomb.output.report.report import page_tables
from bayescomb.output.report.results import collect
from bayescomb.output.tables.averages import average_tables
from bayescomb.output.tables.table import by_result
from bayescomb.sampling.posterior.storage import combination_of, run_of
from bayescomb.sampling.posterior.summary import summarise
from bayescomb.studies.theory.study import theory_study

SUMMARY = ("mean", "sd", "median", "hdi_low", "hdi_high", "central_low", "central_high", "mcse_mean", "mcse_sd")
DIAGNOSTICS = ("r_hat", "ess_bulk", "ess_tail")
SHARES = (
    "mean_of_variance", "variance_of_mean", "coefficient_share", "coefficient_share_mcse", "shift_of_mean",
    "shift_of_mean_mcse",
)  # fmt: skip
# Tables of the report that name nothing that another output has.
ALONE = {
    "estimates", "estimate_covariance", "provenance", "indefinite_sources", "feasibility", "repairs",
    "without_posterior", "settings", "interpolation", "theory_fit", "predictive", "uncertain_sizes", "rate_and_shape",
    "importance", "compatibility_estimate", "compatibility_experiment", "groups", "group_correlation", "scale_factors",
    "relative_errors",
}  # fmt: skip
OF_PREDICTIONS = {
    "orders": "prediction_orders",
    "variants": "prediction_variants",
    "envelope": "scale_envelope",
}


class Numbers:
    """Quantity -> output -> the number that it gives."""

    def __init__(self):
        self.found = defaultdict(dict)

    def add(self, output, kind, name, row, keys):
        """``keys``: names of the quantities, or a mapping from the output's own keys to them."""
        keys = keys if isinstance(keys, dict) else {key: key for key in keys}
        for own, quantity in keys.items():
            if own in row and row[own] is not None and not math.isnan(row[own]):
                self.found[kind, name, quantity][output] = row[own]

    def matrix(self, output, quantity, names, values):
        for i, first in enumerate(names):
            for j, second in enumerate(names):
                self.found["results", (first, second), quantity][output] = values[i][j]

    def require_one(self):
        """No quantity has two numbers."""
        assert not {quantity: found for quantity, found in self.found.items() if len(set(found.values())) > 1}


def of_commands(posterior, fit, numbers):
    """JSON of sample and compare."""
    sampled = posterior_data(summarise(posterior), fit)
    for section, kind in (("parameters", "result"), ("coefficients", "coefficient")):
        for name, row in sampled[section].items():
            ends = {
                f"{key}_{end}": row[f"{key}68"][i] for key in ("hdi", "central") for i, end in enumerate(("low", "high"))
            }
            numbers.add("sample", kind, name, row | ends, (*SUMMARY, *DIAGNOSTICS))
    for name, row in sampled["nuisances"].items():
        numbers.add("sample", "nuisance", name, row, {"pull": "mean", "constraint": "sd"})
    numbers.matrix("sample", "covariance", sampled["covariance"]["names"], sampled["covariance"]["matrix"])
    compared = {key: key for key in (*SUMMARY, *SHARES)}
    compared |= {f"profile_{key}": f"profile {key}" for key in ("value", "error", "up", "down")}
    divided = divide(posterior, run_of(posterior), fit.combination)
    comparison = comparison_data(bc.compare(posterior, fit), divided)
    for name, row in comparison["parameters"].items():
        numbers.add("compare", "result", name, row, compared)
    for name, row in comparison.get("relevance", {}).items():
        numbers.add("compare", "coefficient", name, row, {"prior_mean": "prior mean", "prior_sd": "prior sd"})
        numbers.add("compare", "coefficient", name, row, {"posterior_mean": "mean", "posterior_sd": "sd"})
        numbers.add("compare", "coefficient", name, row, ("information",))


def of_fit(fit, impacts, numbers):
    """JSON of profile and impacts, weights and correlations."""
    data = profile_data(fit, bc.compatibility(fit.combination))
    for name, row in data["parameters"].items():
        numbers.add("profile", "result", name, row, {key: f"profile {key}" for key in ("value", "error", "up", "down")})
        numbers.add("profile", "result", name, row, {"statistical_error": "stat", "systematic_error": "syst"})
    for name, row in data["nuisances"].items():
        numbers.add("profile", "nuisance", name, row, {"pull": "profile pull", "constraint": "profile constraint"})
    for key in ("covariance", "correlation"):
        numbers.matrix("profile", f"profile {key}", data[key]["names"], data[key]["matrix"])
    for name, row in data["weights"].items():
        for estimate in row:
            numbers.add("profile", "estimate", estimate, row, {estimate: f"weight in {name}"})
    for row in data["compatibility"]:
        numbers.add("profile", "measurement", row["measurement"], row, ("chi2", "p_value"))
    for section in ("sources", "nuisances", "groups", "whole"):
        for source, row in impact_data(impacts)[section].items():
            numbers.add("impacts", section.removesuffix("s") if section != "whole" else "sum", source, row,
                        {p: f"impact on {p}" for p in row})  # fmt: skip


def of_averages(output, rows, kinds, numbers):
    """Tables of ``bayescomb table`` and of the report; what was walked is taken out of the rows, by name of the table."""
    for row in rows.pop("breakdown"):
        texts = {"statistics": "stat", "all systematics": "syst", "between different sources": "coupling"}
        for key in (key for key, cell in row.items() if key.startswith("result[") and not isinstance(cell, str)):
            result = key[7:-1]
            if row["row"] in {"value", "total"}:
                quantity = {"value": "profile value", "total": "profile error"}[row["row"]]
                numbers.add(output, "result", result, row, {key: quantity})
            else:
                name = texts.get(row["row"], row["row"])
                numbers.add(output, kinds.get(name, "sum"), name, row, {key: f"impact on {result}"})
    for row in rows.pop("information"):
        if row["estimate"] != "correlations":
            own = {key: f"weight in {key[7:-1]}" for key in row if key.startswith("weight[")}
            numbers.add(output, "estimate", row["estimate"], row, own)
    for row in rows.pop("result_correlation"):
        numbers.add(output, "result", row["result"], row, {"error": "profile error"})
        for key in ("covariance", "correlation"):
            for other, value in by_result(row, key).items():
                numbers.found["results", (row["result"], other), f"profile {key}"][output] = value
    for row in rows.pop("source_covariance"):
        for key, value in row.items():
            if row["part"] == "total" and key.startswith("covariance["):
                numbers.found["results", tuple(key[11:-1].split("][")), "profile covariance"][f"{output}: parts"] = value
    for row in rows.pop("without_each"):
        if row["measurement"] == "(none)":
            for key, quantity in (("values", "profile value"), ("errors", "profile error")):
                for name, value in by_result(row, key).items():
                    numbers.found["result", name, quantity][f"{output}: without none"] = value
    for row in rows.pop("compatibility"):
        numbers.add(output, "measurement", row["measurement"], row, ("chi2", "p_value"))


def of_scan(fit, numbers):
    """JSON of scan, with the points that the report has."""
    for row in scan_data(bc.scan(fit.combination, points=2))["scan"]:
        for name, shifts in row["parameters"].items():
            numbers.add("scan", "scan", row["name"], shifts, {key: f"{key} of {name}" for key in shifts})


def of_sets(fit, numbers):
    """JSON of sets; what an extraction does not predict from is combined there by itself."""
    headline = [o.name for o in fit.combination.headline]
    for name, found in sets_data(bc.compare_sets(fit.combination))["sets"].items():
        for parameter in headline:
            row = found["parameters"][parameter]
            numbers.add("sets", "set", name, row, {key: f"{key} of {parameter}" for key in ("value", "error")})
            if name == fit.combination.assumptions:
                numbers.add("sets", "result", parameter, row, {key: f"profile {key}" for key in ("value", "error")})


def of_theory(fit, numbers):
    """JSON of theory; the predictions in force give the result itself."""
    data = theory_data(theory_study(fit.combination))
    for section in OF_PREDICTIONS:
        for row in data[section]:
            of_prediction("theory", section, row, numbers)
            if row["shift"] == 0:
                numbers.add(
                    f"theory: {section}", "result", row["mass"], row, {"value": "profile value", "error": "profile error"}
                )


def of_prediction(output, section, row, numbers):
    keys = ("order",) if section == "orders" else ("pdf_set", "scale_choice", "mu_r", "mu_f")
    name = (row["mass"], *(row[key] for key in keys))
    numbers.add(output, section, name, row, ("value", "error", "theory_error", "shift", "chi2"))


def of_programs(fit, posterior, numbers):
    """What other programs are given: a table of a fit, HS3."""
    table = bc.fit_results(fit, nuisances=False)
    for name, value, error in zip(table.labels, table.bestfit, table.uncertainty, strict=True):
        numbers.add("fit_results", "result", name, {"profile value": value, "profile error": error},
                    ("profile value", "profile error"))  # fmt: skip
    numbers.matrix("fit_results", "profile correlation", table.labels, table.corr_mat)
    for result, mean, kind in ((fit, "profile value", "profile covariance"), (posterior, "mean", "covariance")):
        if result is not None and not fit.combination.extraction:  # of which results follow from others
            found = bc.hs3(result)["distributions"][0]
            for name, value in zip(table.labels, found["mean"], strict=True):
                numbers.add("hs3", "result", name, {mean: value}, (mean,))
            numbers.matrix("hs3", kind, table.labels, found["covariances"])


def kinds_of(impacts):
    """Kind of each source."""
    return dict(zip(impacts.sources["source"].to_numpy(), impacts.sources["kind"].to_numpy(), strict=True))


def of_report(posterior, fit, impacts, numbers):
    """Every table of the report."""
    results = collect(posterior, fit)
    tables = page_tables(results)
    walked = {table.name for table in tables.values()} - ALONE
    rows = {name: tables[name].rows for name in walked}
    for row in rows.pop("summary"):
        if row["answer"] == "posterior":
            own = {"value": "mean", "error": "sd", "median": "median", "low": "hdi_low", "high": "hdi_high"}
            assert row["interval"] == "68 % HDI"
            numbers.add("report", "result", row["parameter"], row, own | {"mcse_mean": "mcse_mean", "mcse_sd": "mcse_sd"})
        elif "nominal" in row["answer"] and row["answer"].startswith("profile"):
            own = {"value": "profile value", "error": "profile error", "statistical_error": "stat"}
            numbers.add("report", "result", row["parameter"], row, own | {"systematic_error": "syst"})
    for row in rows.pop("coefficient_share"):
        numbers.add("report", "result", row["parameter"], row, (*SHARES, "sd"))
    for row in rows.pop("covariance"):
        pair = (row["parameter"], row["parameter_b"])
        numbers.add("report", "results", pair, row, {"profile": "profile covariance", "posterior": "covariance"})
    for row in rows.pop("coefficients"):
        own = {f"posterior_{key}": key for key in SUMMARY} | {f"prior_{key}": f"prior {key}" for key in SUMMARY}
        numbers.add("report", "coefficient", row["coefficient"], row, own)
    for row in rows.pop("relevance"):
        own = {f"prior_{key}": f"prior {key}" for key in ("mean", "sd")}
        own |= {f"posterior_{key}": key for key in ("mean", "sd")}
        numbers.add("report: relevance", "coefficient", row["coefficient"], row, own | {"information": "information"})
    for row in rows.pop("pulls"):
        own = {"pull": "mean", "constraint": "sd"} | {f"profile_{key}": f"profile {key}" for key in ("pull", "constraint")}
        numbers.add("report", "nuisance", row["nuisance"], row, own)
    results_by_variable = {variable_name(o.name): o.name for o in fit.combination.results}
    for row in rows.pop("diagnostics"):
        kind, _, label = row["quantity"].partition("[")
        kind = {"rho": "coefficient", "pull": "nuisance", "theory_pull": "nuisance"}.get(kind, "result")
        name = results_by_variable.get(row["quantity"], label.removesuffix("]"))
        numbers.add("report", kind, name, row, DIAGNOSTICS)
    for row in rows.pop("impacts"):
        own = {f"impact[{o.name}]": f"impact on {o.name}" for o in fit.combination.headline}
        numbers.add("report", row["kind"], row["name"], row, own)
    totals = {row["parameter"]: row for row in rows.pop("variance_shares") if row["part"] == "total"}
    for name, row in totals.items():  # a sum of parts, so equal but for its rounding
        assert row["variance"] == pytest.approx(numbers.found["result", name, "sd"]["sample"] ** 2, rel=1e-13)
    of_averages("report", rows, kinds_of(impacts), numbers)
    for row in rows.pop("weights"):
        own = {key: f"weight in {key[7:-1]}" for key in row if key.startswith("weight[")}
        numbers.add("report: weights", "estimate", row["estimate"], row, own)
    for row in rows.pop("scan"):
        own = {key: key.replace("[", " of ").rstrip("]") for key in row if key.startswith(("half_shift[", "half_error"))}
        numbers.add("report", "scan", row["coefficient"], row, own)
    for row in rows.pop("assumption_sets"):
        own = {key: f"{key} of {row['parameter']}" for key in ("value", "error")}
        numbers.add("report", "set", row["set"], row, own)
    for section, name in OF_PREDICTIONS.items():
        for row in rows.pop(name, []):
            of_prediction("report", section, row, numbers)
    rows.pop("sensitivity")  # of which the other outputs have no number
    assert not rows, "a table of the report that this walk does not know: walk it, or say that it stands alone"


def of_export(posterior, fit, impacts, numbers):
    """The JSON of the export."""
    analysis = analyse(fit, posterior, impacts_of=impacts)
    data = plain_data(export_header(analysis), export_groups(analysis), combination_to_json(fit.combination))
    quantiles = {"0.16": "central_low", "0.5": "median", "0.84": "central_high"}
    for name, row in data["posterior"].items():
        numbers.add("export", "result", name, row, (*SUMMARY, *DIAGNOSTICS, "coefficient_share"))
        numbers.add("export: quantiles", "result", name, row["quantile"], quantiles)
    names = list(data["posterior"])
    rows = [data["posterior"][name] for name in names]
    covariance = [
        [row["correlation"][b] * (row["sd"] * other["sd"]) for b, other in zip(names, rows, strict=True)] for row in rows
    ]
    numbers.matrix("export", "covariance", names, covariance)
    covariance = [[data["results"][a]["covariance"][b] for b in names] for a in names]
    numbers.matrix("export", "profile covariance", names, covariance)
    correlation = [[data["results"][a]["correlation"][b] for b in names] for a in names]
    numbers.matrix("export", "profile correlation", names, correlation)
    for name, row in data["estimates"].items():
        numbers.add("export", "estimate", name, row["weight"], {p: f"weight in {p}" for p in row["weight"]})
    for name, row in data["results"].items():
        own = {"value": "profile value", "error": "profile error", "up_error": "profile up", "down_error": "profile down"}
        numbers.add("export", "result", name, row, own | {"statistical_error": "stat", "systematic_error": "syst"})
    for name, row in data["posterior_coefficients"].items():
        own = {f"posterior_{key}": key for key in ("mean", "sd", "mcse_mean")}
        own |= {f"prior_{key}": f"prior {key}" for key in ("mean", "sd", "mcse_mean")}
        numbers.add("export", "coefficient", name, row, own)
    for name, row in data["posterior_nuisances"].items():
        numbers.add("export", "nuisance", name, row, ("mean", "sd"))
    for name, row in data["nuisances"].items():
        numbers.add("export", "nuisance", name, row, {"pull": "profile pull", "constraint": "profile constraint"})
    for group, kind in (("impacts", "source"), ("impact_groups", "group")):
        for source, row in data.get(group, {}).items():
            numbers.add("export", kind, source, row["impact"], {p: f"impact on {p}" for p in row["impact"]})


def walk(posterior):
    """Every number of a posterior that more than one output names is one number."""
    combination = combination_of(posterior)
    fit, impacts = bc.profile(combination), bc.impacts(combination)
    numbers = Numbers()
    of_commands(posterior, fit, numbers)
    of_profile(fit, impacts, numbers, posterior=posterior)
    of_report(posterior, fit, impacts, numbers)
    of_export(posterior, fit, impacts, numbers)
    numbers.require_one()
    return numbers.found


def of_profile(fit, impacts, numbers, *, posterior=None):
    """Every command that fits without sampling."""
    of_fit(fit, impacts, numbers)
    rows = {name: table.rows for name, table in average_tables(averages(fit)).items()}
    of_averages("table", rows, kinds_of(impacts), numbers)
    of_scan(fit, numbers)
    of_sets(fit, numbers)
    if fit.combination.extraction:
        of_theory(fit, numbers)
    of_programs(fit, posterior, numbers)


def test_one_profile_gives_one_number(run1):
    fit, numbers = bc.profile(run1.only(["ATLAS"])), Numbers()
    of_profile(fit, bc.impacts(fit.combination), numbers)
    numbers.require_one()
    found = {key: set(outputs) for key, outputs in numbers.found.items()}
    commands = {"profile", "table", "table: without none", "sets", "fit_results"}
    assert found["result", "m_t", "profile error"] == commands
    assert found["result", "m_t", "profile value"] == commands | {"hs3"}
    assert found["results", ("m_t", "m_t"), "profile covariance"] == {"profile", "table", "table: parts", "hs3"}
    assert found["sum", "stat", "impact on m_t"] == {"impacts", "table"}
    assert found["estimate", "a", "weight in m_t"] == {"profile", "table"}


@pytest.mark.slow
def test_one_posterior_gives_one_number(run1_posterior):
    found = walk(run1_posterior)
    named = {key: set(outputs) for key, outputs in found.items()}
    for quantity in ("mean", "sd", "median", "hdi_low", "hdi_high", "mcse_mean"):
        assert named["result", "m_t", quantity] >= {"sample", "compare", "report", "export"}
    for quantity in ("central_low", "central_high"):
        assert named["result", "m_t", quantity] >= {"sample", "compare", "export: quantiles"}
    coefficients = {key[1] for key in found if key[0] == "coefficient"}
    nuisances = {key[1] for key in found if key[0] == "nuisance" and key[2] == "mean"}
    assert len(coefficients) == 19
    assert nuisances
    for name in coefficients:
        assert named["coefficient", name, "mean"] == {"sample", "compare", "report", "report: relevance", "export"}
        assert named["coefficient", name, "hdi_low"] == named["coefficient", name, "central_low"] == {"sample", "report"}
    for name in nuisances:
        assert named["nuisance", name, "mean"] == named["nuisance", name, "sd"] == {"sample", "report", "export"}


@pytest.mark.slow
@pytest.mark.thorough
def test_one_posterior_of_an_extraction_gives_one_number(ttj_posterior):
    """Results of draws instead of conditional moments, nuisances of a prediction, covariance of 13 results."""
    found = walk(ttj_posterior)
    assert {"sample", "compare", "report", "export"} <= set(found["result", "m_t", "sd"])
