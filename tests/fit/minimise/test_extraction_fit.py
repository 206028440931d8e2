"""The profile of a mass: closure figures, and everything against a fit with all parameters and nuisances explicit."""

import dataclasses
from functools import cache

import numpy as np
import pytest
from refusals import refused
from theory_explicit import SCALES, Explicit, general
from theory_models import combination, extraction, measured, prediction, published, simple, truth

import bayescomb as bc
from bayescomb.base.errors import FitError, RangeError, UnderdeterminedError
from bayescomb.fit.fitter import Fitter


@pytest.mark.parametrize(
    ("energies", "mass", "error", "chi2", "ndf"),
    [(["8 TeV"], 171.38, 0.512, 29.8, 6), (["13 TeV"], 171.78, 0.410, 17.7, 2)],
)
def test_closure_with_published_values(energies, mass, error, chi2, ndf):
    """Figures of an independent program: values and statistical matrices alone, central scales, normalised."""
    fit = bc.profile(published(*energies))
    assert fit.values.sel(parameter="m_t").item() == pytest.approx(mass, abs=0.05)
    assert fit.errors.sel(parameter="m_t").item() == pytest.approx(error, abs=0.005)
    assert (fit.chi2, fit.ndf) == (pytest.approx(chi2, abs=0.1), ndf)
    assert fit.systematic_errors.sel(parameter="m_t").item() == 0.0


@cache
def solved(case, kinds=("absolute", "normalised")):
    """A general model with its profile and its explicit fit."""
    given = general(case, kinds=kinds, numerical_errors=case in {"normal", "shared"})
    return given, bc.profile(given), Explicit(given)


def chi2_of(combination):
    """The minimum before what the inputs' own pulls cost is taken off."""
    fitter = Fitter(combination)
    return fitter.fit(fitter.correlation()[0], errors="hesse").chi2


MODELS = [(case, ("absolute", "normalised")) for case in SCALES] + [("fixed", ("normalised", "normalised"))]


@pytest.mark.slow
@pytest.mark.parametrize(("case", "kinds"), MODELS)
def test_values_errors_and_chi2_against_the_explicit_fit(case, kinds):
    given, fit, explicit = solved(case, kinds)
    best, chi2, *_ = explicit.best
    assert chi2_of(given) == pytest.approx(chi2, abs=1e-7)
    covariance = explicit.covariance()
    n = len(explicit.chosen.mass_parameters) + len(explicit.chosen.scale_parameters)
    np.testing.assert_allclose(fit.values[:n], best[:n], atol=2e-6)
    np.testing.assert_allclose(fit.covariance[:n, :n], covariance[:n, :n], rtol=1e-5, atol=1e-8)
    found = explicit.observables(best)
    np.testing.assert_allclose(fit.values[n:], [found[o.name] for o in given.observables], rtol=1e-6)


@pytest.mark.parametrize(("case", "kinds"), MODELS)
def test_pulls_and_constraints_against_the_explicit_fit(case, kinds):
    given, fit, explicit = solved(case, kinds)
    best = explicit.best[0]
    spread = np.sqrt(np.diag(explicit.covariance()))
    eta, nuisances = explicit.parts[2], explicit.parts[5]
    ours, theirs = [n.name for n in given.nuisances], [str(n) for n in fit.pulls.nuisance.values]
    assert theirs[: len(ours)] == ours
    assert theirs[len(ours) : len(ours) + 2] == ["set 1", "set 2"]
    k = len(best[eta])
    np.testing.assert_allclose(fit.pulls[: len(ours)], best[nuisances], atol=3e-6)
    np.testing.assert_allclose(fit.pulls[len(ours) : len(ours) + k], best[eta], atol=3e-6)
    np.testing.assert_allclose(fit.constraints[: len(ours)], spread[nuisances], rtol=1e-5)
    np.testing.assert_allclose(fit.constraints[len(ours) : len(ours) + k], spread[eta], rtol=1e-5)
    if explicit.chosen.scales.prior == "normal":
        width = explicit.chosen.scales.width
        np.testing.assert_allclose(fit.pulls[len(ours) + k :], best[explicit.parts[1]] / width, atol=3e-6)
        np.testing.assert_allclose(fit.constraints[len(ours) + k :], spread[explicit.parts[1]] / width, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("case", "kinds"), MODELS)
def test_asymmetric_errors_against_the_explicit_fit(case, kinds):
    _, fit, explicit = solved(case, kinds)
    up, down = explicit.crossing(0, fit.errors[0].item())
    assert fit.up_errors[0].item() == pytest.approx(up, abs=2e-5)
    assert fit.down_errors[0].item() == pytest.approx(down, abs=2e-5)


@pytest.mark.parametrize(("case", "kinds"), MODELS)
def test_parts_of_the_errors_add_up(case, kinds):
    _, fit, explicit = solved(case, kinds)
    parts = fit.statistical_errors**2 + fit.systematic_errors**2 + fit.theory_errors**2
    np.testing.assert_allclose(parts, fit.errors**2, rtol=1e-9)
    assert fit.theory_errors[0] > 0
    assert len(explicit.nuisances) == 5


@pytest.mark.slow
@pytest.mark.parametrize("case", ["fixed", "normal", "correlated"])
@pytest.mark.parametrize("group", [("n0",), ("f0", "x0"), ("set 1", "n1"), ("log2_mu_F", "log2_mu_F a", "set 2")])
def test_held_nuisances_against_the_explicit_fit(case, group):
    given, fit, explicit = solved(case)
    fitter = Fitter(given)
    correlation, _ = fitter.correlation()
    raw = fitter.fit(correlation, errors="hesse")
    members = [name for name in group if name in raw.nuisances]
    names = [*explicit.nuisances, "set 1", "set 2"]
    where = [*range(len(explicit.start))[explicit.parts[5]], *range(len(explicit.start))[explicit.parts[2]][:2]]
    position = dict(zip(names, where, strict=False)) | dict(
        zip(explicit.chosen.scale_parameters, range(len(explicit.start))[explicit.parts[1]], strict=True)
    )
    expected = np.sqrt(explicit.covariance(held=[position[name] for name in members])[0, 0])
    assert raw.solution.errors_given([n in members for n in raw.nuisances])[0] == pytest.approx(expected, rel=1e-5)
    again = fitter.fit(correlation, held=fitter.hold(raw, correlation, members), errors="hesse")
    np.testing.assert_allclose(again.values, raw.values, rtol=1e-7, atol=1e-7)
    assert again.errors[0] == pytest.approx(expected, rel=1e-5)
    assert again.chi2 <= raw.chi2 + 1e-9
    assert fit.values[0] == pytest.approx(raw.values[0])


@pytest.mark.slow
@pytest.mark.parametrize("case", ["fixed", "uniform"])
def test_two_masses_and_their_difference(case):
    given = general(case, masses={"b": "m_b"})
    fit, explicit = bc.profile(given), Explicit(given)
    covariance = explicit.covariance()
    best = explicit.best[0]
    labels = fit.values.parameter.values.tolist()
    assert labels[:3] == ["m_t", "m_b", "m_t - m_b"]
    np.testing.assert_allclose(fit.values[:3], [best[0], best[1], best[0] - best[1]], atol=5e-6)
    rows = np.array([[1, 0], [0, 1], [1, -1]])
    np.testing.assert_allclose(fit.covariance[:3, :3], rows @ covariance[:2, :2] @ rows.T, rtol=1e-5)
    assert chi2_of(given) == pytest.approx(explicit.best[1], abs=1e-7)
    assert fit.ndf == bc.profile(general(case)).ndf - 1


def test_scales_at_the_end_of_their_range():
    """A rate that is far off takes the uniform scales to an end, where they are held."""
    given = general("uniform", kinds=("absolute", "absolute"))
    values = {e.name: e.value * (1.6 if e.name.startswith("B") else 1.3) for e in given.estimates}
    given = given.with_values(values)
    fit, explicit = bc.profile(given), Explicit(given)
    best, chi2, free, _ = explicit.best
    assert len(free) < len(best)
    np.testing.assert_allclose(fit.values[:3], best[:3], atol=1e-5)
    assert chi2_of(given) == pytest.approx(chi2, rel=1e-8)
    assert fit.errors[0].item() == pytest.approx(np.sqrt(explicit.covariance()[0, 0]), rel=1e-4)


@pytest.mark.parametrize("gone", ["p0", "p2"])
def test_dropped_observable_might_as_well_not_be_there(gone):
    made = truth(5, bins=4, members=2)
    chosen = extraction({"p": "absolute"}, errors="symmetric_hessian", numerical_errors=True)
    given = simple(made, dataclasses.replace(chosen, drop=(gone,)), per_bin_width=True)
    (table,), (measurement,) = given.predictions, given.measurements
    keep = [i for i, name in enumerate(table.observables) if name != gone]
    table = dataclasses.replace(
        table, observables=[table.observables[i] for i in keep], bins=table.bins[keep],
        cross_sections=table.cross_sections[..., keep], mc_errors=table.mc_errors[..., keep],
    )  # fmt: skip
    measurement = dataclasses.replace(
        measurement, estimates=[measurement.estimates[i] for i in keep], responses=np.zeros((3, 0)),
        statistical_covariance=measurement.statistical_covariance[np.ix_(keep, keep)],
    )  # fmt: skip
    observables = tuple(o for o in given.observables if o.name != gone)
    less = dataclasses.replace(
        given, observables=observables, measurements=(measurement,), predictions=(table,), extractions={"mass": chosen}
    )
    one, other = bc.profile(given), bc.profile(less)
    assert (one.ndf, one.chi2) == (other.ndf, pytest.approx(other.chi2, rel=1e-9))
    for key in ("values", "errors", "up_errors", "down_errors"):
        names = other.values.parameter.values
        np.testing.assert_allclose(getattr(one, key).sel(parameter=names), getattr(other, key), rtol=1e-7)


@pytest.mark.parametrize("factor", [0.6, 1.6])
def test_mass_that_runs_to_the_end_of_the_table(factor):
    made = truth(6, bins=3)
    falling = made.base[0] * np.array([[1.0], [-0.2]])
    given = simple(dataclasses.replace(made, base=falling), extraction({"p": "absolute"}))
    given = given.with_values({e.name: e.value * factor for e in given.estimates})
    with refused(FitError, "combination 'theory'", "m_t runs to the end", "165 to 180 GeV", "normalise the distribution"):
        bc.profile(given)


def test_mass_that_the_table_does_not_bracket():
    given = simple(truth(7, bins=3, spread=0.05), extraction({"p": "normalised"}), relative=0.1, noise=0.0)
    with refused(FitError, "chi2 grows by less than 1", "the end of the predicted masses"):
        bc.profile(given)


@pytest.mark.parametrize(("kind", "bins"), [("absolute", "2 independent bins"), ("normalised", "1 independent bin ")])
def test_scales_that_the_bins_do_not_determine(kind, bins):
    chosen = extraction({"p": kind}, treatment="common", errors="symmetric_hessian")
    with refused(UnderdeterminedError, "no single minimum", bins, "m_t", "log2_mu_R, log2_mu_F", "normal prior"):
        bc.profile(simple(truth(3, bins=2, spread=0.25), chosen))


def test_published_values_do_not_fit_the_leading_order_rate():
    with refused(FitError, "m_t runs to the end of the predicted masses"):
        bc.profile(published("13 TeV", distributions={"13 TeV": "absolute"}))


def test_cost_of_the_own_pulls_is_taken_off():
    given, fit, _ = solved("fixed")
    plain = general("fixed", errors="none")
    assert bc.profile(plain).own_chi2 > 0
    assert fit.own_chi2 == pytest.approx(bc.profile(plain).own_chi2, rel=1e-9)
    assert fit.chi2 == pytest.approx(chi2_of(given) - fit.own_chi2, abs=1e-8)


def test_group_that_does_nothing_has_no_impact():
    """Errors of Delta chi2 = 1 and of the second derivatives are different things."""
    plain = published("8 TeV")
    idle = dataclasses.replace(plain.measurements[0], nuisances=(bc.Nuisance(name="idle"),), responses=np.full((8, 1), 1e-9))
    groups = {"idle": ("idle",), "stat": ("stat",)}
    given = dataclasses.replace(plain, measurements=(idle,), impact_groups=groups)
    found = bc.impacts(given, parts="held")
    assert found.groups.sel(group="idle", parameter="m_t").item() == pytest.approx(0.0, abs=1e-3)
    assert found.statistics.sel(parameter="m_t").item() == pytest.approx(found.total.sel(parameter="m_t").item(), rel=1e-3)


def test_nearly_fully_correlated_scales_are_common_ones():
    scales = {"prior": "normal", "width": 0.6}
    fitters = [
        Fitter(general(case, scales=scales | changes))
        for case, changes in (("correlated", {"nominal": 1 - 1e-9}), ("normal", {}))
    ]
    one, other = (f.fit(f.correlation()[0], errors="hesse") for f in fitters)
    assert one.chi2 == pytest.approx(other.chi2, abs=1e-5)
    np.testing.assert_allclose(one.values[[0, 1, 3]], other.values[:3], atol=1e-3)
    with refused(RangeError, "treatment 'common'"):
        bc.ScaleChoice(choice="mt", treatment="correlated", prior="normal", nominal=1.0)


def test_input_of_no_weight_changes_nothing():
    table = prediction(truth(1), "p")
    values, chosen = table.cross_sections[0, 3], extraction({"p": "normalised"})
    good = measured("A", table.observables, values, np.diag((0.02 * values) ** 2))
    useless = measured("B", table.observables, values * [1, 2, 1], np.diag((1e4 * values) ** 2))
    one, both = (bc.profile(combination(inputs, [table], chosen)) for inputs in ([good], [good, useless]))
    assert both.values[0].item() == pytest.approx(one.values[0].item(), abs=1e-4)
    assert both.errors[0].item() == pytest.approx(one.errors[0].item(), rel=1e-4)


def test_variants_of_an_extraction_whose_members_are_at_its_own_scale():
    pdf = bc.PdfChoice(set="PDF4LHC21_40_pdfas", errors="symmetric_hessian")
    given = published("8 TeV", pdf=pdf, scales=bc.ScaleChoice(choice="mt"))
    assert {row.scale_choice for row in bc.prediction_variants(given)} == {"mt", "ht2"}
