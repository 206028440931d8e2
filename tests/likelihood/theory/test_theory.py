"""Predicted observables against their definition, written out; what a normalised distribution means in the fit."""

import dataclasses

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from theory_models import OPEN_SIZE, combination, extraction, measured, prediction, published, simple, truth

import bayescomb as bc
from bayescomb.likelihood.theory import theory

# Distribution a has 3 bins, divided by their widths; b has 2.
TRUTHS = {"a": truth(1, bins=3, members=2), "b": truth(2, bins=2, members=2, size=50.0)}
CASES = {
    "fixed": {},
    "common": {"treatment": "common"},
    "normal": {"treatment": "common", "scales": {"prior": "normal", "width": 0.5}},
    "independent": {"treatment": "independent"},
    "correlated": {"treatment": "correlated", "scales": {"prior": "normal", "width": 0.5}},
    "two masses": {"masses": {"b": "m_b"}, "treatment": "independent"},
    "no members": {"errors": "none", "treatment": "common"},
    "numerical": {"numerical_errors": True},
    "shared": {"numerical_errors": True},
}
KINDS = [("absolute", "absolute"), ("normalised", "normalised"), ("absolute", "normalised")]


def made(case="fixed", kinds=("absolute", "normalised"), **changes):
    """Both predictions in an extraction, measured with a common offset, and a further observable z in the same input."""
    shared = case == "shared"
    tables = [prediction(TRUTHS["a"], "a", per_bin_width=True, shared=shared), prediction(TRUTHS["b"], "b", shared=shared)]
    names = [name for t in tables for name in t.observables]
    values = np.concatenate([1.1 * t.cross_sections[0, 3] / t.divisors for t in tables])
    inputs = [measured("m", [*names, "z"], [*values, 5.0], np.diag([*(0.02 * values) ** 2, 1.0]))]
    settings = {"errors": "symmetric_hessian"} | CASES[case] | changes
    chosen = extraction(dict(zip("ab", kinds, strict=True)), **settings)
    return combination(inputs, tables, chosen, extra=["z"])


def expected(combination, theta, eta, *, truths=TRUTHS):
    """Predicted observables from the definition, to first order in eta.

    Members come first, then one per bin and one more that its masses share, table by table, and what is open about a rate
    with the first table whose rate counts.
    """
    chosen = combination.extraction_in_force
    parameter = dict(zip(chosen.mass_parameters + chosen.scale_parameters, theta, strict=True))
    measured_at = {next(iter(e.observables)): e.value for e in combination.estimates}
    found, own_errors, rate = [], eta[2:], None
    for table in combination.predictions:
        mass, own, bins = parameter[chosen.masses[table.name]], truths[table.name], len(table.observables)
        x, y = (parameter[name] for name in chosen.scales_of(table.name)) if chosen.scale_parameters else (0.0, 0.0)
        central, relative = own.cross_sections(mass, x, y), np.zeros(bins)
        if len(eta):
            relative = eta[:2] @ own.relative(mass)
        if len(own_errors):
            relative = relative + own_errors[:bins] * own.numerical
            own_errors = own_errors[bins:]
        if table.correlated_errors.size:
            relative = relative + own_errors[:bins] * own.correlated
            own_errors = own_errors[bins:]
            if rate is None and chosen.distributions[table.name] != "normalised":
                rate, own_errors = own_errors[0], own_errors[1:]
            relative = relative + (0.0 if rate is None else OPEN_SIZE * rate)
        first_order, widths = central * relative, table.divisors
        if chosen.distributions[table.name] == "normalised":
            total = central.sum()
            first_order = first_order / total - central * first_order.sum() / total**2
            scale = sum(measured_at[name] * w for name, w in zip(table.observables, widths, strict=True))
            central, first_order = scale * central / total, scale * first_order
        found.append((central + first_order) / widths)
    return np.concatenate(found)


def points(compiled, n, seed=1):
    rng = np.random.default_rng(seed)
    low, high = (np.where(np.isfinite(v), v, s) for v, s in ((compiled.low, -1.0), (compiled.high, 1.0)))
    return rng.uniform(low, high, (n, len(low))), rng.normal(size=(n, len(compiled.nuisances)))


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_prediction_is_its_definition(case, kinds):
    given = made(case, kinds)
    compiled = theory(given)
    for theta, eta in zip(*points(compiled, 5), strict=True):
        levels = np.zeros(len(compiled.free_names))
        found = compiled.observables(theta, eta, levels)
        np.testing.assert_allclose(found[:5], expected(given, theta, eta), rtol=1e-11)
        assert found[5] == 0.0


@pytest.mark.parametrize("case", CASES)
def test_derivatives_against_finite_differences(case):
    compiled = theory(made(case))
    for theta in points(compiled, 3)[0]:
        first, second = compiled.derivatives(theta)
        for h in range(len(theta)):
            step = 1e-4 * np.eye(len(theta))[h]
            up, down = (compiled.predict(theta + s) for s in (step, -step))
            np.testing.assert_allclose(first[:, h], (up[0] - down[0]) / 2e-4, rtol=1e-6, atol=1e-7)
            np.testing.assert_allclose(second[..., h], (up[1] - down[1]) / 2e-4, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("case", CASES)
def test_batches_are_their_members(case):
    compiled = theory(made(case))
    theta, eta = points(compiled, 6)
    levels = np.random.default_rng(3).normal(size=(6, len(compiled.free_names)))
    n, k = 5, len(compiled.nuisances)
    central, shifts = compiled.predict(theta.reshape(2, 3, -1))
    assert (central.shape, shifts.shape) == ((2, 3, n), (2, 3, n, k))
    first, second = compiled.derivatives(theta)
    assert (first.shape, second.shape) == ((6, n, theta.shape[1]), (6, n, k, theta.shape[1]))
    every = compiled.observables(theta, eta, levels)
    for i in range(6):
        one = compiled.predict(theta[i])
        np.testing.assert_allclose(central.reshape(6, n)[i], one[0], rtol=1e-13)
        np.testing.assert_allclose(shifts.reshape(6, n, k)[i], one[1], rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(first[i], compiled.derivatives(theta[i])[0], rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(every[i], compiled.observables(theta[i], eta[i], levels[i]), rtol=1e-12)


@pytest.mark.parametrize("case", ["fixed", "two masses", "correlated", "no members"])
def test_symbols_give_the_numbers(case):
    compiled = theory(made(case))
    theta, eta, levels = pt.vectors("theta", "eta", "levels")
    outputs = [*compiled.predict(theta, xp=pt), compiled.observables(theta, eta, levels, xp=pt)]
    function = pytensor.function([theta, eta, levels], outputs, mode="FAST_COMPILE", on_unused_input="ignore")
    for at, unit in zip(*points(compiled, 2), strict=True):
        free = np.linspace(-1, 1, len(compiled.free_names))
        numbers = (*compiled.predict(at), compiled.observables(at, unit, free))
        for found, wanted in zip(function(at, unit, free), numbers, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)


def test_parts_have_names_and_ranges():
    compiled = theory(made("normal", numerical_errors=True))
    assert compiled.parameters == ("m_t", "log2_mu_R", "log2_mu_F")
    assert (compiled.low.tolist(), compiled.high.tolist()) == ([165, -np.inf, -np.inf], [180, np.inf, np.inf])
    assert compiled.free_names == ("level b", "z")
    sources = compiled.sources
    assert (sources["set 1"], sources["log2_mu_F"], sources["numerical a2"]) == ("PDF", "scales", "numerical errors")
    assert "log2_mu_R" not in theory(made("common")).sources
    assert theory(made("common")).low.tolist() == [165, -1, -1]
    assert theory(made().with_extraction("")) is None


def test_shared_errors_are_a_nuisance_per_bin_and_one_for_the_rate():
    compiled = theory(made("shared", ("absolute", "absolute")))
    assert compiled.nuisances == (
        "set 1", "set 2", "numerical a0", "numerical a1", "numerical a2", "correlated numerical a0",
        "correlated numerical a1", "correlated numerical a2", "rate another total", "numerical b0", "numerical b1",
        "correlated numerical b0", "correlated numerical b1",
    )  # fmt: skip
    sources = compiled.sources
    assert sources["correlated numerical b1"] == "correlated numerical errors"
    assert sources["numerical b1"] == "numerical errors"
    assert sources["rate another total"] == "rate"
    without = theory(made("shared", ("absolute", "absolute"), rate_errors=False))
    assert set(compiled.nuisances) - set(without.nuisances) == {"rate another total"}
    assert theory(made("shared", ("normalised", "normalised"))).nuisances == without.nuisances
    plain = theory(made("shared", numerical_errors=False, rate_errors=False))
    assert plain.nuisances == ("set 1", "set 2")


@pytest.mark.parametrize("case", ["fixed", "normal"])
def test_rate_leaves_every_shape_free(case):
    given = made(case, ("rate", "absolute"))
    compiled = theory(given)
    assert compiled.free_names == ("shape a 2", "shape a 3", "z")
    (table, _), (theta, eta) = given.predictions, points(compiled, 3)
    levels = np.random.default_rng(8).normal(size=(3, 3))
    absolute = theory(made(case, ("absolute", "absolute")))
    for at, unit, level in zip(theta, eta, levels, strict=True):
        found, expected_sum = (c.observables(at, unit, lv) for c, lv in ((compiled, level), (absolute, level[:1])))
        assert found[:3] @ table.divisors == pytest.approx(expected_sum[:3] @ table.divisors, rel=1e-12)
        assert np.abs(found[:3] - expected_sum[:3]).min() > 0
    # any measured shape is met
    directions = np.column_stack([compiled.free[:3, :2], 1 / table.divisors])
    assert np.linalg.matrix_rank(directions) == 3


def test_rate_alone_is_a_fit_of_the_sum():
    """One number for one mass: the sum of the bins, whatever the shape, with its variance."""
    chosen = extraction({"p": "rate"})
    given = simple(TRUTHS["a"], chosen, per_bin_width=True, noise=1.0)
    (table,), (measurement,) = given.predictions, given.measurements
    fit = bc.profile(given)
    values = np.array([e.value for e in measurement.estimates])
    total, variance = values @ table.divisors, table.divisors @ measurement.statistical_covariance @ table.divisors
    predicted = [
        TRUTHS["a"].cross_sections(fit.values.sel(parameter="m_t").item() + step).sum() for step in (0, -1e-3, 1e-3)
    ]
    assert predicted[0] == pytest.approx(total, rel=1e-9)
    slope = (predicted[2] - predicted[1]) / 2e-3
    assert fit.errors.sel(parameter="m_t").item() == pytest.approx(np.sqrt(variance) / abs(slope), rel=1e-6)
    assert (fit.ndf, fit.chi2) == (0, pytest.approx(0.0, abs=1e-9))


def test_masses_stay_where_all_tables_are():
    both = made()
    short = dataclasses.replace(
        both.predictions[0],
        masses=both.predictions[0].masses[1:],
        cross_sections=both.predictions[0].cross_sections[:, 1:],
        mc_errors=both.predictions[0].mc_errors[:, 1:],
    )
    compiled = theory(dataclasses.replace(both, predictions=(short, both.predictions[1])))
    assert (compiled.low.tolist(), compiled.high.tolist()) == ([167.5], [180])
    theta, eta = points(compiled, 3)
    for at, unit in zip(theta, eta, strict=True):
        found = compiled.observables(at, unit, np.zeros(2))
        np.testing.assert_allclose(found[:5], expected(both, at, unit), rtol=1e-11)


@pytest.mark.parametrize("case", ["independent", "fixed"])
def test_normalised_distribution_keeps_the_measured_sum(case):
    given = made(case, ("normalised", "normalised"))
    compiled = theory(given)
    values = np.array([e.value for e in given.estimates])
    for table, part in zip(given.predictions, (slice(0, 3), slice(3, 5)), strict=True):
        total = values[part] @ table.divisors
        for theta, eta in zip(*points(compiled, 4), strict=True):
            for unit in (0 * eta, eta):
                assert compiled.observables(theta, unit, np.zeros(3))[part] @ table.divisors == pytest.approx(total)
        level = compiled.free[:, compiled.free_names.index(f"level {table.name}")]
        np.testing.assert_allclose(level[part], values[part], rtol=1e-12)
        assert np.count_nonzero(level) == len(level[part])


def test_dropped_observables_are_free():
    given = made(drop=("a1", "b0"))
    compiled = theory(given)
    assert compiled.free_names == ("level b", "a1", "b0", "z")
    names = [o.name for o in given.observables]
    assert not compiled.select[[names.index("a1"), names.index("b0")]].any()
    theta = np.array([171.0])
    found = compiled.observables(theta, np.zeros(2), np.array([0.0, 7.0, 8.0, 9.0]))
    assert found[[1, 3, 5]].tolist() == [7.0, 8.0, 9.0]
    # b1 is still its share of both bins
    np.testing.assert_allclose(found[[0, 2, 4]], expected(given, theta, np.zeros(2))[[0, 2, 4]], rtol=1e-11)


def shares_chi2(values, covariance, widths, cross_sections, without):
    """(f - t)^T (J V J^T)^-1 (f - t) of the shares f of the bins, one of them left out."""
    contents, covariance = values * widths, covariance * np.outer(widths, widths)
    total = contents.sum()
    f, t = contents / total, cross_sections / cross_sections.sum()
    jacobian = (np.eye(len(f)) - np.outer(f, np.ones(len(f)))) / total
    keep = np.arange(len(f)) != without
    spread = (jacobian @ covariance @ jacobian.T)[np.ix_(keep, keep)]
    return float((f - t)[keep] @ np.linalg.solve(spread, (f - t)[keep]))


@pytest.mark.parametrize("which", ["generated", "8 TeV", "13 TeV"])
def test_chi2_does_not_depend_on_which_share_is_redundant(which):
    if which == "generated":
        given = simple(TRUTHS["a"], extraction({"p": "normalised"}), per_bin_width=True, noise=1.0)
    else:
        given = published(which)
    (table,), (measurement,) = given.predictions, given.measurements
    fit = bc.profile(given)
    mass = fit.values.sel(parameter="m_t").item()
    curve = table.cross_sections[[v[1:3] == (0, "ht2" if which != "generated" else "mt") for v in table.variants]][0]
    at_mass = [np.polyval(np.polyfit(table.masses - 172.5, c, 4), mass - 172.5) for c in curve.T]
    values = np.array([e.value for e in measurement.estimates])
    for k in range(len(values)):
        chi2 = shares_chi2(values, measurement.statistical_covariance, table.divisors, np.array(at_mass), k)
        assert fit.chi2 == pytest.approx(chi2, rel=1e-8)


def test_unit_of_a_normalised_distribution_does_not_matter():
    given = made("fixed", ("normalised", "normalised"))
    scaled = given.measurements[0]
    factors = np.array([7.0] * 3 + [0.1] * 2 + [1.0])
    scaled = dataclasses.replace(
        scaled,
        estimates=tuple(dataclasses.replace(e, value=e.value * f) for e, f in zip(scaled.estimates, factors, strict=True)),
        statistical_covariance=scaled.statistical_covariance * np.outer(factors, factors),
    )
    one, other = bc.profile(given), bc.profile(dataclasses.replace(given, measurements=(scaled,)))
    assert other.chi2 == pytest.approx(one.chi2, rel=1e-9, abs=1e-9)
    np.testing.assert_allclose(other.values[0], one.values[0], rtol=1e-10)
    np.testing.assert_allclose(other.errors[0], one.errors[0], rtol=1e-8)
