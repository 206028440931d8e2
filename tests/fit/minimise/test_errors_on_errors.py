"""Errors on errors in the profile: against explicit nuisances, brute force, another program and simulated data."""

import dataclasses

import numpy as np
import pytest
from repetitions import repetitions
from scipy.optimize import minimize
from scipy.stats import norm

import bayescomb as bc
from bayescomb.base.errors import BayescombError, OptionError, RangeError, UnknownNameError
from bayescomb.fit.fitter import Fitter
from bayescomb.fit.minimise.sizes import SizeProfile
from bayescomb.fit.size_result import ratio_mean
from bayescomb.likelihood.uncertain_sizes import scaled

# The fictitious 16th measurement of the published study, Canonero and Cowan, Eur. Phys. J. C 85 (2025) 156.
OUTLIER = bc.Measurement(
    name="new",
    estimates=(bc.Estimate(name="new", value=174.5, observables={"m_t": 1.0}),),
    statistical_covariance=[[0.4**2]],
    nuisances=(bc.Nuisance(name="new NEW", source="NEW"),),
    responses=[[0.5]],
)

# m_t and half of the 68.3 % interval with Bartlett's correction in GeV, -2 log L and its mean: figures of the program of the
# study, gvm-combinations 0.1.0, run on the same inputs.
FIGURES = {
    ("LHCbJES", 0.2): (172.523217, 0.334843, 7.619986, 14.075428),
    ("LHCbJES", 0.5): (172.560461, 0.355414, 7.798778, 14.324224),
    ("LHCJES1", 0.5): (172.524315, 0.331727, 8.135000, 15.252140),
    ("method", 0.5): (172.557832, 0.331781, 8.411777, 14.824750),
    ("CMSbHad", 0.5): (172.502211, 0.333040, 7.703859, 14.071396),
    ("NEW", 0.1): (172.917885, 0.297552, 15.113941, 15.012379),
    ("NEW", 0.3): (172.815089, 0.336720, 14.526671, 15.147400),
    ("NEW", 0.5): (172.686333, 0.355348, 13.550290, 15.545904),
    ("NEW", 0.6): (172.653231, 0.356365, 13.192274, 15.839926),
}
# Its Migrad stops up to this far above the minimum of -2 log L, which leaves m_t uncertain by error * sqrt(distance).
DISTANCE = 1e-4
# 68.3 % there, 68.27 % here: in units of the error.
LEVEL = norm.ppf(0.5 + 0.683 / 2)


@pytest.fixture(scope="module")
def with_outlier(run1):
    return dataclasses.replace(run1, measurements=(*run1.measurements, OUTLIER))


def test_outlier_with_certain_sizes_is_as_published(with_outlier):
    fit = bc.profile(with_outlier)
    assert fit.values.item() == pytest.approx(172.929, abs=5e-4)
    assert fit.chi2 == pytest.approx(15.18, abs=5e-3)
    assert fit.ndf == 15


@pytest.mark.parametrize(("source", "relative"), FIGURES)
def test_figures_of_the_published_study(run1, with_outlier, source, relative):
    value, half, chi2, mean = FIGURES[source, relative]
    combination = with_outlier if source == "NEW" else run1
    fit = bc.profile(combination.with_errors_on_errors({source: relative}))
    assert chi2 - DISTANCE < fit.chi2 < chi2 + 1e-6  # rounding of the figure
    assert fit.values.item() == pytest.approx(value, abs=fit.errors.item() * np.sqrt(DISTANCE))
    interval = fit.sizes.intervals.sel(parameter="m_t")
    assert (interval["up"] - interval["down"]).item() / 2 == pytest.approx(half / LEVEL, rel=DISTANCE)
    assert fit.chi2 * fit.ndf / fit.sizes.chi2 == pytest.approx(mean, abs=5e-4)


def test_uncertain_size_of_an_outlier_moves_the_result_back_and_widens_it(run1, with_outlier):
    fits = [bc.profile(with_outlier.with_errors_on_errors({"NEW": relative})) for relative in (0.1, 0.3, 0.5)]
    without, certain = bc.profile(run1), bc.profile(with_outlier)
    values = [certain.values.item(), *(fit.values.item() for fit in fits), without.values.item()]
    assert values == sorted(values, reverse=True)
    widths = [(fit.sizes.intervals["up"] - fit.sizes.intervals["down"]).item() / 2 for fit in fits]
    assert [certain.errors.item(), *widths] == sorted([certain.errors.item(), *widths])
    # although it has one measurement more than the combination without it
    assert widths[-1] > without.errors.item()
    assert fits[-1].sizes.sizes["size"].item() > 1.3  # the fit calls the quoted size too small


def explicit_minimum(combination, source, relative):
    """Minimum of -2 log L over m_t and every nuisance of the source, written out as the publication has it."""
    fitter = Fitter(combination)
    correlation, _ = fitter.correlation()
    labels = np.array([n.source for n in combination.nuisances])
    members = np.flatnonzero((labels == source) & fitter.linear.loading.any(axis=0))
    others = np.flatnonzero(labels != source)
    loading = fitter.linear.loading
    rest = np.eye(len(loading)) + loading[:, others] @ correlation[np.ix_(others, others)] @ loading[:, others].T
    inverse, prior = np.linalg.inv(rest), np.linalg.inv(correlation[np.ix_(members, members)])
    count = len(members)

    def objective(z):
        residual = fitter.linear.offset - fitter.linear.design[:, 0] * (170 + z[0]) - loading[:, members] @ z[1:]
        pulled = prior @ z[1:]
        inside = 1 + 2 * relative**2 * z[1:] @ pulled
        weight = count + 1 / (2 * relative**2)
        value = residual @ inverse @ residual + weight * np.log(inside)
        back = inverse @ residual
        slope = -2 * np.concatenate([[fitter.linear.design[:, 0] @ back], loading[:, members].T @ back])
        slope[1:] += weight * 4 * relative**2 * pulled / inside
        return value, slope

    return minimize(objective, np.concatenate([[2.5], np.zeros(count)]), jac=True, method="BFGS", options={"gtol": 1e-9})


def softer(assumption_set):
    """Correlations of exactly 1 have no inverse: a little less than that."""
    blocks = [dataclasses.replace(b, correlation=0.95 * b.correlation + 0.05 * np.eye(len(b.nuisances)))
              for b in assumption_set.blocks]  # fmt: skip
    coefficients = [
        dataclasses.replace(c, nominal=0.8 * c.nominal, low=None, high=None) for c in assumption_set.coefficients
    ]
    return dataclasses.replace(assumption_set, blocks=tuple(blocks), coefficients=tuple(coefficients))


@pytest.mark.parametrize(("source", "relative"), [("LHCbJES", 0.4), ("method", 0.6), ("CMSbHad", 0.1)])
def test_profile_is_the_minimum_over_explicit_nuisances(run1, source, relative):
    softened = {key: softer(value) for key, value in run1.assumption_sets.items()}
    combination = dataclasses.replace(run1, assumption_sets=softened)
    fit = bc.profile(combination.with_errors_on_errors({source: relative}))
    found = explicit_minimum(combination, source, relative)
    assert fit.chi2 == pytest.approx(found.fun, abs=1e-8)
    assert fit.values.item() == pytest.approx(170 + found.x[0], abs=1e-5)
    # The parabolic error is the inverse second derivative, BFGS's own is rough: differences of the profile instead.
    assert fit.up_errors.item() == pytest.approx(fit.errors.item(), rel=0.2)


@pytest.mark.slow
def test_profile_is_the_lowest_of_all_sizes(with_outlier):
    """By brute force: certain fits on a grid of sizes, with the penalty of the gamma variance model."""
    relative = {"NEW": 0.5, "LHCbJES": 0.3}
    combination = with_outlier.with_errors_on_errors(relative)
    fit = bc.profile(combination)
    fitter, fixed = Fitter(combination), Fitter(with_outlier)
    correlation, _ = fixed.correlation()
    sizes = fitter.sizes(correlation)
    assert [size.name for size in sizes] == list(relative)
    best = np.inf
    for first in np.linspace(0.5, 6.0, 56):
        for second in np.linspace(0.4, 1.4, 21):
            scales = np.array([first, second])
            chi2 = fixed.fit(scaled(correlation, sizes, scales)).chi2
            for size, s in zip(sizes, scales, strict=True):
                twice = 2 * size.shape
                at_rest = (size.rank + twice) * (1 + np.log(twice / (size.rank + twice)))
                chi2 += (size.rank + twice) * np.log(s) + twice / s - at_rest
            best = min(best, chi2)
    # The grid misses the minimum by half a step, where -2 log L is second derivative / 2 times that squared higher.
    curvature = np.diag(np.linalg.inv(Fitter(combination).fit(correlation).sizes.fit.log_covariance))
    assert fit.chi2 <= best <= fit.chi2 + float(np.sum(curvature * (np.array([0.05 / 0.5, 0.025 / 0.4])) ** 2))


def test_certain_limit(run1):
    certain = bc.profile(run1)
    small = bc.profile(run1.with_errors_on_errors({"LHCbJES": 0.01, "method": 0.01}))
    tiny = bc.profile(run1.with_errors_on_errors({"LHCbJES": 0.001, "method": 0.001}))
    for quantity in ("values", "errors", "up_errors"):
        nearer, near, limit = (getattr(fit, quantity).item() for fit in (tiny, small, certain))
        assert abs(nearer - limit) < abs(near - limit) < 1e-3
    assert tiny.chi2 == pytest.approx(certain.chi2, abs=1e-4)


def test_components_close_to_the_error(run1):
    combination = run1.with_errors_on_errors({"LHCbJES": 0.4, "method": bc.ErrorOnError(relative=0.5, kind="independent")})
    fit, parts = bc.profile(combination), bc.impacts(combination)
    total = parts.statistics.item() ** 2 + (np.sign(parts.sources) * parts.sources**2).sum().item()
    assert total == pytest.approx(fit.errors.item() ** 2, rel=1e-9)
    assert parts.total.item() == pytest.approx(fit.errors.item(), rel=1e-12)
    assert "size of LHCbJES" in parts.sources["source"]
    assert fit.statistical_errors.item() ** 2 + fit.systematic_errors.item() ** 2 == pytest.approx(fit.errors.item() ** 2)


def test_fully_correlated_source_has_one_nuisance():
    """Coefficient 1 is one shared nuisance: the same likelihood, whose rank counts it once."""
    shared = two_inputs(1.0)
    single = bc.Combination(
        name="single",
        measurements=(
            bc.Measurement(
                name="both",
                estimates=tuple(e for m in shared.measurements for e in m.estimates),
                statistical_covariance=np.eye(2),
                nuisances=(bc.Nuisance(name="n", source="s"),),
                responses=[[1.5], [0.5]],
            ),
        ),
        observables=shared.observables,
        assumption_sets={"none": bc.AssumptionSet(name="none")},
        assumptions="none",
    )
    fits = [bc.profile(c.with_errors_on_errors({"s": 0.5})) for c in (shared, single)]
    assert fits[0].values.item() == pytest.approx(fits[1].values.item(), abs=1e-7)
    assert fits[0].errors.item() == pytest.approx(fits[1].errors.item(), rel=1e-6)
    assert fits[0].chi2 == pytest.approx(fits[1].chi2, abs=1e-9)


def two_inputs(correlation, *, values=(0.0, 4.0), source="s"):
    pair = bc.CorrelationPair(first="n1", second="n2")
    coefficient = bc.CorrelationCoefficient(name="c", pairs=(pair,), nominal=correlation)
    return bc.Combination(
        name="two",
        measurements=tuple(
            bc.Measurement(
                name=f"m{i}",
                estimates=(bc.Estimate(name=f"e{i}", value=value, observables={"x": 1.0}),),
                statistical_covariance=[[1.0]],
                nuisances=(bc.Nuisance(name=f"n{i}", source=source if i == 1 else "s"),),
                responses=[[size]],
            )
            for i, (value, size) in enumerate(zip(values, (1.5, 0.5), strict=True), start=1)
        ),
        observables=(bc.Observable(name="x"),),
        assumption_sets={"none": bc.AssumptionSet(name="none", coefficients=(coefficient,) if correlation else ())},
        assumptions="none",
    )


@pytest.mark.slow
def test_bartlett_factor_is_the_mean_of_the_likelihood_ratio():
    """Estimates, nuisance values and sizes simulated: the mean ratio at the true value."""
    relative, toys = 0.25, repetitions(600)
    rng = np.random.default_rng(5)
    true = np.array([1.5, 0.5])
    fitter = Fitter(two_inputs(0.0).with_errors_on_errors({"s": relative}))
    correlation, _ = fitter.correlation()
    sizes = fitter.sizes(correlation)
    variance = 1 + true**2
    ratios, known, factors = [], [], []
    for _ in range(toys):
        # What is quoted of a source of the true variances, which are wrong by a common factor.
        quoted = true * np.sqrt(rng.gamma(1 / (4 * relative**2)) * 4 * relative**2)
        values = np.sqrt(variance) * rng.standard_normal(2)
        model = dataclasses.replace(fitter.linear, offset=values, loading=np.diag(quoted))
        profile = SizeProfile(sizes, model, correlation, None)
        best = profile.minima()[0]
        held = minimize(profile._held(0, 0.0), np.log(best.scales), jac=True).fun
        ratios.append(held - best.chi2)
        factors.append(ratio_mean(profile.solution(best.scales), profile.sizes, 0))
        # The ratio with the true sizes, whose mean is 1 exactly, has most of the fluctuation.
        known.append((values / variance).sum() ** 2 / (1 / variance).sum())
    difference = np.array(ratios) - np.array(known)
    mean, error = 1 + difference.mean(), difference.std() / np.sqrt(toys)
    expected = np.mean(factors)
    assert expected - 1 > 3 * error  # otherwise the test could not tell the correction from none
    # What is left out is of second order in what is corrected for.
    assert mean == pytest.approx(expected, abs=4 * error + (expected - 1) ** 2)


def test_bad_input_is_refused(run1):
    with pytest.raises(UnknownNameError, match="LHCbJES"):
        run1.with_errors_on_errors({"LHCBJES": 0.3})
    for wrong in (0.0, -0.1, 1.5):
        with pytest.raises(RangeError, match="above 0"):
            run1.with_errors_on_errors({"LHCbJES": wrong})
    with pytest.raises(BayescombError):
        run1.with_errors_on_errors({"LHCbJES": float("nan")})
    with pytest.raises(OptionError, match="not a correlation matrix"):
        bc.profile(run1.with_errors_on_errors({"btag": 0.3}))
    with pytest.raises(OptionError, match="independent sizes need uncorrelated"):
        bc.profile(run1.with_errors_on_errors({"LHCbJES": bc.ErrorOnError(relative=0.3, kind="independent")}))
    with pytest.raises(OptionError, match="not its own"):
        bc.profile(two_inputs(0.5, source="other").with_errors_on_errors({"s": 0.3}))
    with pytest.raises(OptionError, match="errors on errors need"):
        two_inputs(0.0, values=(1.0, 4.0)).with_errors_on_errors({"s": 0.3}).with_chi2("pearson")


def test_source_that_shifts_nothing_changes_nothing():
    combination = two_inputs(0.0)
    idle = dataclasses.replace(
        combination,
        measurements=tuple(dataclasses.replace(m, responses=0 * m.responses) for m in combination.measurements),
    )
    assert bc.profile(idle.with_errors_on_errors({"s": 0.5})).values.item() == bc.profile(idle).values.item()
    assert bc.profile(idle.with_errors_on_errors({"s": 0.5})).sizes is None
