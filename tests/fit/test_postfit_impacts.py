"""Impacts of nuisances and groups after the fit, against the joint precision of parameters and nuisances."""

import dataclasses

import numpy as np
import pytest
from explicit_chi2 import Explicit
from gaussian import coefficient, combine, external_measurement, fit_of_data
from refusals import refused
from scipy.optimize import brentq
from worked import estimate, nuisances, pair

import bayescomb as bc
from bayescomb.base.errors import OptionError

GROUPS = {"one": ("a.n0",), "across": ("a.n0", "b.n0", "fit.n0"), "fit": ("fit.n0", "fit.n1"), "data": ("stat",)}


def quadratic(*, free=False):
    """Two tables and a fit of x and y, correlated; a nuisance of the fit and one of a table may be free."""
    rng = np.random.default_rng(12)
    maps = [{"x": 1.0}, {"y": 1.0}]
    a, b = (external_measurement(rng, n, observables=("x", "y"), n_estimates=2, n_nuisances=2) for n in ("a", "b"))
    if free:
        a = dataclasses.replace(a, nuisances=(a.nuisances[0], dataclasses.replace(a.nuisances[1], free=True)))
    fit = fit_of_data(
        "fit", design=rng.normal(size=(12, 5)), data=rng.normal(size=12), maps=maps, free=(2,) if free else (),
    )  # fmt: skip
    coefficients = [coefficient("r", 0.6, ("a.n0", "fit.n0")), coefficient("s", -0.5, ("b.n0", "fit.n1"), ("a.n0", "b.n1"))]
    groups = GROUPS | ({"free": ("a.n1", "fit.n2"), "mixed": ("a.n1", "b.n0")} if free else {})
    made = combine(a, b, fit, observables=("x", "y"), coefficients=tuple(coefficients))
    return dataclasses.replace(made, impact_groups=groups)


def joint_precision(combination):
    """Half the second derivatives of chi2, x and y first and all nuisances in their order behind them."""
    names = [n.name for n in combination.nuisances]
    size, start = 2 + len(names), 0
    bound = [2 + i for i, n in enumerate(combination.nuisances) if not n.free]
    prior = np.eye(size)
    for c in combination.assumption_set.coefficients:
        for p in c.pairs:
            i, j = 2 + names.index(p.first), 2 + names.index(p.second)
            prior[i, j] = prior[j, i] = p.sign * c.nominal
    precision = np.zeros((size, size))
    precision[np.ix_(bound, bound)] = np.linalg.inv(prior[np.ix_(bound, bound)])
    unit = np.eye(size)
    for m in combination.measurements:
        n = len(m.estimates)
        rows = np.zeros((n, size))
        rows[:, :2] = combination.design[start : start + n]
        rows -= m.responses @ unit[[2 + names.index(v.name) for v in m.nuisances]].reshape(len(m.nuisances), size)
        if m.fit is None:
            information = np.linalg.inv(m.statistical_covariance)
        else:
            rows = np.vstack([rows, unit[[2 + names.index(v.name) for v in m.fit.nuisances]]])
            information = m.fit.information - np.diag([0.0] * n + [float(not v.free) for v in m.fit.nuisances])
        precision += rows.T @ information @ rows
        start += n
    return precision


def errors_with(precision, held):
    """Errors of x and y where some rows are held: the inverse of what is left."""
    left = [i for i in range(len(precision)) if i not in held]
    return np.sqrt(np.diag(np.linalg.inv(precision[np.ix_(left, left)])))[:2]


@pytest.mark.parametrize("free", [False, True])
def test_impacts_are_those_of_the_joint_precision(free):
    combination = quadratic(free=free)
    found, precision = bc.impacts(combination, parts="held"), joint_precision(combination)
    covariance = np.linalg.inv(precision)
    names = [n.name for n in combination.nuisances]
    total = np.sqrt(np.diag(covariance))[:2]
    np.testing.assert_allclose(found.total, total, rtol=1e-9)
    assert found.sources.source.values.tolist() == [n.name for n in combination.nuisances if not n.free]
    for name in found.sources.source.values:
        i = 2 + names.index(name)
        shift = covariance[:2, i] / np.sqrt(covariance[i, i])
        np.testing.assert_allclose(found.shifts.sel(source=name), shift, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(found.sources.sel(source=name), np.abs(shift), rtol=1e-7, atol=1e-9)
    statistics = errors_with(precision, list(range(2, len(precision))))
    np.testing.assert_allclose(found.statistics, statistics, rtol=1e-8)
    np.testing.assert_allclose(found.systematics, np.sqrt(total**2 - statistics**2), rtol=1e-8)
    assert found.groups.group.values.tolist() == list(combination.impact_groups)
    for group, members in combination.impact_groups.items():
        expected = statistics
        if members != ("stat",):
            expected = np.sqrt(total**2 - errors_with(precision, [2 + names.index(m) for m in members]) ** 2)
        np.testing.assert_allclose(found.groups.sel(group=group), expected, rtol=1e-7, atol=1e-9, err_msg=group)


def test_iterated_fits_hold_groups_like_the_closed_form():
    """A relative nuisance of another observable changes nothing but the way that is taken."""
    combination = quadratic(free=True)
    extra = bc.Measurement(
        name="d", estimates=(estimate("d.e", 50.0, "z"),), statistical_covariance=np.eye(1),
        nuisances=nuisances("d.n", relative=["d.n"]), responses=np.array([[0.5]]),
    )  # fmt: skip
    curved = dataclasses.replace(
        combination,
        measurements=(*combination.measurements, extra),
        observables=(*combination.observables, bc.Observable(name="z")),
        impact_groups=dict(combination.impact_groups) | {"none of x": ("d.n",)},
    )
    plain, iterated = (bc.impacts(c, parts="held") for c in (combination, curved))
    at = {"parameter": ["x", "y"]}
    for key in ("sources", "shifts", "groups"):
        dim = "group" if key == "groups" else "source"
        expected = getattr(plain, key)
        np.testing.assert_allclose(getattr(iterated, key).sel({dim: expected[dim], **at}), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(iterated.statistics.sel(at), plain.statistics, rtol=1e-6)
    # the square root of a difference of errors that agree to 1e-7
    np.testing.assert_allclose(iterated.groups.sel(group="none of x", **at), 0, atol=2e-3)
    assert iterated.groups.sel(group="none of x", parameter="z").item() == pytest.approx(0.5, rel=0.03)


def small(chi2, second=7.0):
    """One relative, one asymmetric and one absolute nuisance of x."""
    measurement = bc.Measurement(
        name="m",
        estimates=(estimate("e0", 10.0, "x"), estimate("e1", second, "x")),
        statistical_covariance=np.diag([1.0, 1.2]),
        nuisances=nuisances("rel asy abs", relative=["rel"]),
        responses=np.array([[-1.0, -0.8, -0.5], [-1.2, -0.3, 0.7]]),
        down_responses=np.array([[1.0, 0.3, 0.5], [1.2, 0.9, -0.7]]),
    )
    made = dataclasses.replace(combine(measurement, coefficients=(pair("rel", "abs", 0.3),)), chi2=chi2)
    return dataclasses.replace(made, impact_groups={"rel": ("rel",), "two": ("asy", "abs"), "data": ("stat",)})


@pytest.mark.slow
@pytest.mark.parametrize("chi2", ["neyman", "pearson"])
def test_group_is_held_at_its_fitted_values_and_the_rest_fitted_again(chi2):
    combination = small(chi2)
    found, fit, explicit = bc.impacts(combination, parts="held"), bc.profile(combination), Explicit(combination)
    best = np.array([fit.values.item(), *fit.pulls.values])
    bottom = explicit(best)
    assert bottom == pytest.approx(fit.chi2, abs=1e-9)
    assert not fit.on_kink

    def up(held):
        fixed = {i: best[i] for i in held}

        def growth(distance):
            moved = np.array([best[0] + distance, *best[1:]])
            everything_held = len(held) == 3
            reached = explicit(moved) if everything_held else explicit.minimum(moved, fixed | {0: moved[0]})[0]
            return reached - bottom - 1

        return brentq(growth, 0.2, 3.0, xtol=1e-7)

    total = up([])
    assert found.total.item() == pytest.approx(total, rel=1e-5)
    assert found.statistics.item() == pytest.approx(up([1, 2, 3]), rel=1e-5)
    assert found.groups.sel(group="data").item() == found.statistics.item()
    for group, held in (("rel", [1]), ("two", [2, 3])):
        expected = np.sqrt(total**2 - up(held) ** 2)
        assert found.groups.sel(group=group).item() == pytest.approx(expected, rel=1e-4)
    covariance = explicit.covariance(best)
    deviation = np.sqrt(np.diag(covariance))
    largest = max(fit.up_errors.item(), -fit.down_errors.item())
    simple = np.abs(covariance[0, 1:]) / deviation[0] / deviation[1:] * largest
    np.testing.assert_allclose(found.sources.sel(parameter="x"), simple, rtol=1e-4)


def test_nuisance_without_freedom_has_no_impact():
    """An input that constrains a nuisance to nothing, to rounding."""
    rng = np.random.default_rng(2)
    design = np.column_stack([rng.normal(size=8), 1e7 * rng.normal(size=8)])
    fit = fit_of_data("fit", design=design, data=rng.normal(size=8), maps=[{"x": 1.0}])
    table = external_measurement(rng, "a", observables=("x",), n_estimates=1, n_nuisances=1)
    found = bc.impacts(combine(fit, table), parts="held")
    assert found.sources.sel(source="fit.n0").item() < found.total.item()
    assert np.isfinite(found.sources).all()
    assert found.sources.sel(source="a.n0").item() > 0.001


@pytest.mark.parametrize("chi2", ["neyman", "pearson"])
def test_nuisance_on_its_kink_keeps_its_impact(chi2):
    """Its correlation is that of the linearised model, with the mean of both slopes."""
    combination = small(chi2, second=11.5)
    fit = bc.profile(combination)
    assert fit.on_kink == ("asy",)
    found = bc.impacts(combination, parts="held")
    shift = fit.cross_covariance.sel(nuisance="asy").item() / fit.constraints.sel(nuisance="asy").item()
    assert found.shifts.sel(source="asy").item() == pytest.approx(shift, rel=1e-12)
    assert 0.1 < found.sources.sel(source="asy").item() < found.total.item()
    assert found.sources.sel(source="rel").item() > 1


def test_unknown_definitions_are_refused():
    for function in (bc.impacts, bc.profile):
        with refused(OptionError, "'postfit'", "propagated", "held"):
            function(small("neyman"), parts="postfit")
    assert bc.impacts(small("neyman")).parts == "propagated"
