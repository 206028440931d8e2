"""What a report says in words and leaves out of its tables, and its appendix as LaTeX."""

import re

import numpy as np
import pytest
from combinations import star

import bayescomb as bc
from bayescomb.fit.post_fit import post_fit_correlation, post_fit_shifts
from bayescomb.likelihood.correlation import correlation_family
from bayescomb.output.report.told.appendix import appendix
from bayescomb.output.tables.table import Column, Table, latex_table, text_column
from bayescomb.output.tables.theory import variants_table
from bayescomb.sampling.plan import sampling_plan
from bayescomb.sampling.posterior.moments import draws_summary, prior_summaries
from bayescomb.sampling.priors import prior_draws
from bayescomb.studies.theory.variants import VariantRow


def test_shifts_and_correlations_after_the_fit_are_those_of_all_nuisances_written_out():
    """Precision of (x, nuisances): data, plus the prior of the nuisances, inverted as a whole."""
    combination = star(1, low=0.0, high=0.8, nominal=0.3, separate_observables=False, nuisance_size=2.0)
    fit = bc.profile(combination)
    names = [n.name for n in combination.nuisances]
    rows = []
    for m in combination.measurements:
        for e in range(len(m.estimates)):
            shifts = {n.name: -float(m.responses[e, k]) for k, n in enumerate(m.nuisances)}
            rows.append([1.0, *(shifts.get(name, 0.0) for name in names)])
    design = np.array(rows)
    noise = np.concatenate([np.diag(m.statistical_covariance) for m in combination.measurements])
    prior = correlation_family(combination)
    inverse = np.linalg.inv(prior.correlation(prior.nominal))
    order = [prior.nuisances.index(name) for name in names]
    precision = design.T @ (design / noise[:, None])
    precision[1:, 1:] += inverse[np.ix_(order, order)]
    covariance = np.linalg.inv(precision)
    sd = np.sqrt(np.diag(covariance))
    found = post_fit_correlation(fit, names)
    np.testing.assert_allclose(found, covariance / np.outer(sd, sd), atol=1e-12)
    shifts = post_fit_shifts(fit, "x")
    np.testing.assert_allclose(shifts["post_fit"].sel(nuisance=names), covariance[0, 1:] / sd[1:], rtol=1e-10)
    # One prior width is 1: cov / var is where the others follow to.
    np.testing.assert_allclose(shifts["pre_fit"].sel(nuisance=names), covariance[0, 1:] / sd[1:] ** 2, rtol=1e-10)


@pytest.mark.parametrize("shape", ["uniform", "triangular", "beta", "truncated_normal"])
def test_prior_of_a_feasible_range_is_exact_and_that_of_its_draws(shape):
    combination = star(1, low=0.0, high=0.8, nominal=0.3, prior=shape)
    plan = sampling_plan(combination)
    rng = np.random.default_rng(3)
    draws = prior_draws(plan.coefficients, low=plan.low, high=plan.high, draws=8000, rng=rng)
    name = plan.coefficients[0].name
    import xarray as xr

    group = xr.Dataset(
        {"rho": (("chain", "draw", "coefficient"), draws.reshape(4, 2000, -1))},
        {"chain": range(4), "draw": range(2000), "coefficient": [c.name for c in plan.coefficients]},
    )
    exact, drawn = prior_summaries(combination, group)[name], draws_summary(group["rho"].sel(coefficient=name))
    assert exact.origin == "exact"
    assert exact.mcse_mean == exact.mcse_sd == 0
    assert abs(exact.mean - drawn.mean) < 5 * drawn.mcse_mean
    assert abs(exact.sd - drawn.sd) < 5 * drawn.mcse_sd
    if shape == "uniform":
        assert exact.sd == pytest.approx(0.8 / np.sqrt(12), rel=1e-14)
    assert exact.hdi_high - exact.hdi_low <= exact.central_high - exact.central_low + 1e-12


def table(rows):
    columns = [text_column("name", "name"), Column(title="shift", show=lambda row: f"{row['shift']:+.2f}", moves=True)]
    return Table(name="t", title="T.", rows=rows, columns=columns, footnote="why")


def test_page_counts_rows_that_move_nothing_and_says_a_reason_once():
    rows = [
        {"name": "a", "shift": 1.0, "why": "far"},
        {"name": "b", "shift": 0.001, "why": "near"},
        {"name": "[c]", "shift": -2.0, "why": "far"},
    ]
    shown = table(rows).page()
    assert [cells[0] for cells in shown.cells] == ["a", "[c]"]
    assert (shown.still, shown.hidden, shown.marks, shown.notes) == (1, 0, ["1", "1"], ["far"])
    whole = table(rows).page(whole=True)
    assert len(whole.cells) == 3
    assert whole.notes == ["far", "near"]
    assert len(table(rows).terminal) == 4  # a terminal shows all
    tex = latex_table(table(rows), star(1))
    assert "a$^{1}$ & " in tex
    assert "{}[c]" in tex  # no argument of the line break before
    assert "1 more row, zero" in tex


def test_a_change_of_scale_is_no_effect_of_the_pdf():
    """At scale b the set in force is 2 GeV lower; the other set is known there only, 0.5 GeV from it."""
    found = [
        VariantRow(mass="m_t", pdf_set=pdf, scale_choice=scale, mu_r=1, mu_f=1, ndf=9, value=value, error=0.8, chi2=chi2,
                   shift=value - 172.5)
        for pdf, scale, value, chi2 in (("own", "a", 172.5, 9.0), ("own", "b", 170.5, 12.0), ("other", "b", 170.0, 150.0))
    ]  # fmt: skip
    failed = VariantRow(mass="m_t", pdf_set="last", scale_choice="b", mu_r=1, mu_f=1, ndf=0, problem="m_t runs to the end")
    made = variants_table([*found, failed])
    other = made.rows[2]
    assert (other["by_pdf"], other["by_scale"]) == (-0.5, -2.0)
    assert other["by_pdf"] + other["by_scale"] == other["shift"]
    shown = made.page()
    assert shown.marks == ["", "", "1", "2"]
    assert "does not describe the data" in shown.notes[0]
    assert shown.notes[1] == "m_t runs to the end"


def test_appendix_has_as_many_cells_as_columns_and_closes_what_it_opens():
    combination = star(1)
    rows = [{"name": "a & b_c 50 %", "shift": 1.0, "why": "so\u00b2"}]
    tables = {name: table(rows) for name in ("summary", "impacts")}
    text = appendix(combination, tables, [("ranking", "Shift of m_t by \u00b1 1 \u03c3 of rho & more.")])
    assert text.isascii()
    opened = []
    for what, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if what == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert not opened
    plain = re.sub(r"\\[\\{}&%_$#]", "", text.split("% begin")[1])
    assert plain.count("{") == plain.count("}")
    assert plain.count("$") % 2 == 0
    lines = [line for line in text.splitlines() if line.endswith(r"\\") and " & " in line and "caption" not in line]
    assert len(lines) == 4
    assert all(len(re.findall(r"(?<!\\)&", line)) == 1 for line in lines)
