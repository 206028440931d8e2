"""One convention for shifts: an input says the same in every format, alone and beside inputs in other formats."""

import itertools
import warnings

import numpy as np
import pytest
from exported import Submission
from input_formats import EXTERNAL, Input, convino_text, nuisance_name, write_model
from property_comparisons import log_densities
from scipy.optimize import brentq, nnls

import bayescomb as bc
from bayescomb.formats.loading import convert

RHO = (-1.0, -0.9, 0.9, 1.0)
EXACT = {"rel": 1e-8, "abs": 1e-9}


def external(name, value, stat, sizes, **kwargs):
    """One estimate of x with the sources s and t."""
    names = tuple(f"{source}{name}" for source in "st"[: len(sizes)])
    keys = {"values": (value,), "maps": ({"x": 1.0},), "covariance": np.array([[stat**2]]), "nuisances": names}
    return Input(name=name, up=np.array([sizes]), **keys | kwargs)


def as_fit(item):
    """The fit that publishes the same: its nuisances keep their prior, and their covariance with the value is the shift."""
    up, _ = item.shifts
    whole = np.block([[item.covariance + up @ up.T, up], [up.T, np.eye(up.shape[1])]])
    return Input(
        name=item.name, values=item.values, maps=item.maps, covariance=whole, nuisances=item.nuisances, pulls=(0.0, 0.0)
    )


def in_every_format(item):
    """(input, format) of each format, those of a fit too."""
    fitted = as_fit(item)
    return [(item, form) for form in item.formats()] + [(fitted, form) for form in fitted.formats()]


A, B = external("a", 10.0, 1.0, [2.0, 0.5]), external("b", 12.0, 1.2, [1.5, 0.8])
FORMATS = [form for _, form in in_every_format(A)]


def both(folder, first, second, *, rho=RHO):
    """Two inputs, their sources s correlated by each rho in a set of its own and by an unknown one in the last."""
    pair = [(nuisance_name(*first, f"s{first[0].name}"), nuisance_name(*second, f"s{second[0].name}"))]
    sets = {f"{r:g}": [("r", pair, f"nominal = {r}")] for r in rho}
    sets["sampled"] = [("r", pair, "nominal = 0.3\nlow = -0.9\nhigh = 0.9")]
    return bc.load(write_model(folder, [first, second], sets, observables=["x"]))


def closed_form(rho):
    """Best linear unbiased estimate of 10 and 12 with V = S + sum of the sources; pulls C k^T V^-1 (x - mu)."""
    x = np.array([10.0, 12.0])
    k = np.array([[2.0, 0.5, 0, 0], [0, 0, 1.5, 0.8]])
    prior = np.eye(4)
    prior[0, 2] = prior[2, 0] = rho
    inverse = np.linalg.inv(np.diag([1.0, 1.44]) + k @ prior @ k.T)
    variance = 1 / inverse.sum()
    value = variance * inverse.sum(axis=0) @ x
    away = x - value
    # x is predicted by mu - k lambda
    return value, np.sqrt(variance), away @ inverse @ away, -prior @ k.T @ inverse @ away


@pytest.mark.slow
@pytest.mark.parametrize("first", FORMATS)
def test_every_pair_of_formats_gives_one_profile_and_one_density(first, tmp_path):
    one = dict(zip(FORMATS, in_every_format(A), strict=True))[first]
    rng = np.random.default_rng(1)
    points = [
        ({"r": float(r)}, {"x": float(x)}) for r, x in zip(rng.uniform(-0.9, 0.9, 3), rng.normal(11, 2, 3), strict=True)
    ]
    in_python = bc.Combination(
        name="python",
        measurements=(A.measurement(), B.measurement()),
        observables=(bc.Observable(name="x"),),
        assumption_sets={
            "sampled": bc.AssumptionSet(
                name="sampled",
                coefficients=(
                    bc.CorrelationCoefficient(
                        name="r", pairs=(bc.CorrelationPair(first="sa", second="sb"),), nominal=0.3, low=-0.9, high=0.9
                    ),
                ),
            )
        },
        assumptions="sampled",
    )
    expected_density = log_densities(in_python, points)
    for i, two in enumerate(in_every_format(B)[: FORMATS.index(first) + 1]):  # the others are the same pairs
        combination = both(tmp_path / str(i), one, two)
        for rho in RHO:
            fit = bc.profile(combination.with_assumptions(f"{rho:g}"))
            value, error, chi2, pulls = closed_form(rho)
            assert fit.values.item() == pytest.approx(value, **EXACT), two[1]
            assert fit.errors.item() == pytest.approx(error, **EXACT), (two[1], rho)
            assert [fit.up_errors.item(), -fit.down_errors.item()] == pytest.approx([error, error], **EXACT)
            assert fit.chi2 == pytest.approx(chi2, **EXACT), (two[1], rho)
            names = [nuisance_name(*f, f"{s}{f[0].name}") for f in (one, two) for s in "st"]
            found = [fit.pulls.sel(nuisance=name).item() for name in names]
            assert found == pytest.approx(list(pulls), **EXACT), (two[1], rho)
        density = log_densities(combination.with_assumptions("sampled"), points)
        np.testing.assert_allclose(density - density[0], expected_density - expected_density[0], rtol=1e-7, atol=1e-8)


def test_a_base_file_of_convino_says_the_same(tmp_path):
    (tmp_path / "a.txt").write_text(convino_text(A, "convino"))
    (tmp_path / "b.txt").write_text(convino_text(as_fit(B), "convino fit"))
    (tmp_path / "base.txt").write_text(
        "[global]\n[end global]\n[inputs]\nnFiles = 2\nfile0 = a.txt\nfile1 = b.txt\n[end inputs]\n"
        "[observables]\nx = a.e0 + b.e0\n[end observables]\n[correlations]\nsa = (0.9) sb\n[end correlations]\n"
    )
    fit = bc.profile(bc.load(tmp_path / "base.txt"))
    value, error, chi2, pulls = closed_form(0.9)
    assert (fit.values.item(), fit.errors.item(), fit.chi2) == pytest.approx((value, error, chi2), **EXACT)
    assert fit.pulls.to_numpy() == pytest.approx(pulls, **EXACT)


# Two-sided shifts: no fit states them, nor a budget.

UP = {"A": (3.0, -1.0), "B": (-0.5, 2.5)}  # the second goes down at +1 sigma
ASYMMETRIC = {
    k: external(k.lower(), v, 1.0, [u], down=np.array([[d]]))
    for (k, (u, d)), v in zip(UP.items(), (10.0, 12.5), strict=True)
}


def explicit(x, rho):
    """Chi2 at x with the nuisances profiled: in each orthant it is a sum of squares of z = |lambda| >= 0."""
    found = []
    for signs in itertools.product((1, -1), repeat=2):
        slopes = [UP[k][0] if sign > 0 else UP[k][1] for k, sign in zip("AB", signs, strict=True)]
        if abs(rho) < 1:
            prior = np.linalg.inv(np.linalg.cholesky([[1, rho], [rho, 1]])) * signs
            rows = np.vstack([np.diag(slopes), prior])
        elif signs[1] == rho * signs[0]:  # one nuisance
            rows = np.array([[slopes[0]], [slopes[1]], [1.0]])
        else:
            continue
        # measured - (x - k lambda)
        right = np.zeros(len(rows))
        right[:2] = x - 10.0, x - 12.5
        found.append(nnls(rows, right)[1] ** 2)
    return min(found)


@pytest.mark.parametrize("rho", [-1.0, -0.6, 0.6, 1.0])
def test_two_sided_shifts_are_the_same_in_every_pair_of_formats(rho, tmp_path):
    first = bc.profile(
        both(tmp_path / "0", *[(ASYMMETRIC[k], "convino") for k in "AB"], rho=[rho]).with_assumptions(f"{rho:g}")
    )
    value, lowest = first.values.item(), first.chi2
    assert explicit(value, rho) == pytest.approx(lowest, abs=1e-7)
    assert min(explicit(value + step, rho) for step in (-1e-2, 1e-2)) > lowest
    for end in (first.up_errors.item(), first.down_errors.item()):
        assert brentq(lambda t, end=end: explicit(value + t * end, rho) - lowest - 1, 0.8, 1.2, xtol=1e-5) == pytest.approx(
            1, abs=1e-4
        )
    for i, (one, two) in enumerate(itertools.combinations_with_replacement(EXTERNAL, 2)):
        combination = both(tmp_path / f"{i + 1}", (ASYMMETRIC["A"], one), (ASYMMETRIC["B"], two), rho=[rho])
        for measurement, name in zip(combination.measurements, "AB", strict=True):
            stated = ASYMMETRIC[name].measurement()
            np.testing.assert_array_equal(measurement.responses, stated.responses)
            np.testing.assert_array_equal(measurement.down_responses, stated.down_responses)
            np.testing.assert_allclose(measurement.statistical_covariance, stated.statistical_covariance, rtol=1e-14)
        if (one, two) != ("labels", "responses"):
            continue  # the same inputs, as one fit is enough to see
        fit = bc.profile(combination.with_assumptions(f"{rho:g}"))
        found = [fit.values.item(), fit.up_errors.item(), fit.down_errors.item(), fit.chi2]
        assert found == pytest.approx([value, first.up_errors.item(), first.down_errors.item(), lowest], rel=1e-6), one


# One input returns its own interval.

SHIFTS = {
    "+20 -10": (20.0, -10.0),
    "-10 +20": (-10.0, 20.0),  # down at +1 sigma
    "+20 +10": (20.0, 10.0),  # up on both sides
    "-20 -10": (-20.0, -10.0),
    "+20 0": (20.0, 0.0),
    "0 -20": (0.0, -20.0),
    "20": (20.0, -20.0),
    "-20": (-20.0, 20.0),  # anticorrelated
}


def alone(shift, form, **kwargs):
    """100 +- 1 with one source."""
    up, down = shift
    return external("a", 100.0, 1.0, [up], down=None if down == -up else np.array([[down]]), **kwargs), form


def interval(combination):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bc.InputWarning)
        fit = bc.profile(combination)
    return [fit.values.item(), fit.up_errors.item(), fit.down_errors.item()]


def own(shift, stat=1.0):
    """At mu = x + d the nearest of the two sides that go that way takes up d k^2 / (stat^2 + k^2)."""
    return [100.0, np.hypot(stat, max(*shift, 0.0)), -np.hypot(stat, min(*shift, 0.0))]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayescomb.InputWarning")
@pytest.mark.parametrize("stated", SHIFTS)
def test_one_input_returns_its_own_interval(stated, tmp_path):
    """By every format, and by what convert writes of it as a model and as Convino files."""
    shift = SHIFTS[stated]
    forms = alone(shift, "")[0].formats()
    assert ("budget" in forms) == (stated == "20")
    for form in forms:
        folder = write_model(tmp_path / form, [alone(shift, form)], {"none": []}, observables=["x"])
        assert interval(bc.load(folder)) == pytest.approx(own(shift), rel=1e-6), form
        model = convert(folder, tmp_path / f"{form} again")
        if form in {"labels", "budget"}:
            assert interval(bc.load(model)) == pytest.approx(own(shift), rel=1e-6), form
        if form != "budget":  # whose nuisances have brackets in their names
            back = convert(convert(model, tmp_path / f"{form} convino" / "base.txt"), tmp_path / f"{form} back")
            assert interval(bc.load(back)) == pytest.approx(own(shift), rel=1e-6), form
    assert interval(one_in_python(alone(shift, "")[0])) == pytest.approx(own(shift), rel=1e-6)


def one_in_python(item):
    return bc.Combination(
        name="one",
        measurements=(item.measurement(),),
        observables=(bc.Observable(name="x"),),
        assumption_sets={"none": bc.AssumptionSet(name="none")},
        assumptions="none",
    )


@pytest.mark.parametrize("shift", [20.0, -20.0])
def test_one_fit_returns_its_own_interval(shift, tmp_path):
    whole = np.array([[401.0, 0.5 * shift, 0.0], [0.5 * shift, 0.36, 0.1], [0.0, 0.1, 0.9]])
    item = Input(name="a", values=(100.0,), maps=({"x": 1.0},), covariance=whole, nuisances=("sa", "ta"), pulls=(0.4, -0.2))
    for form in item.formats():
        folder = write_model(tmp_path / form, [(item, form)], {"none": []}, observables=["x"])
        combination = bc.load(folder)
        # one nuisance per unit of lambda, the other held: the shift has the sign of the covariance
        assert np.sign(combination.measurements[0].fit_responses[0, 0]) == np.sign(shift)
        fit = bc.profile(combination)
        expected = [100.0, np.sqrt(401.0), -np.sqrt(401.0)]
        assert interval(combination) == pytest.approx(expected, rel=1e-8)
        assert fit.pulls.to_numpy() == pytest.approx([0.4, -0.2], abs=1e-8)
        assert fit.cross_covariance.to_numpy().ravel() == pytest.approx([0.5 * shift, 0.0], abs=1e-7)
        files = convert(folder, tmp_path / f"{form} convino" / "base.txt")
        assert interval(bc.load(files)) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("shift", [(20.0, -10.0), (-10.0, 20.0), (20.0, -20.0)])
def test_one_input_with_factors(shift, tmp_path):
    """Lognormal: x + k at 1 and x + k_minus at -1.  Relative, Convino's: x / (1 - k / x)."""
    high, low = max(shift), min(shift)
    expected = {"lognormal": [high, low], "relative": [100 / (1 - high / 100) - 100, 100 / (1 - low / 100) - 100]}
    if shift[0] == -shift[1]:  # one number is the factor of +1 sigma, and its inverse that of -1
        expected["lognormal"] = [20.0, 100 / 1.2 - 100]
    for response, ends in expected.items():
        item, _ = alone(shift, "", forms=(response,), covariance=np.array([[1e-6]]))
        for form in item.formats():
            folder = write_model(tmp_path / f"{response} {form}", [(item, form)], {"none": []}, observables=["x"])
            assert interval(bc.load(folder)) == pytest.approx([100.0, *ends], rel=1e-4), (response, form)
    files = convert(folder, tmp_path / "convino" / "base.txt")
    assert interval(bc.load(files)) == pytest.approx([100.0, *ends], rel=1e-4)


@pytest.mark.slow  # the validator of the site reads its schemas
def test_an_export_keeps_the_interval(tmp_path):
    """Where chi2 has grown by 1 stands in its table, and the combination that is read from it has it again."""
    pytest.importorskip("hepdata_lib")
    folder = write_model(tmp_path / "model", [alone((20.0, -10.0), "labels")], {"none": []}, observables=["x"])
    target = bc.export_hepdata(bc.profile(bc.load(folder)), tmp_path / "export")
    expected = own((20.0, -10.0))
    assert interval(bc.load(target)) == pytest.approx(expected, rel=1e-6)
    table = Submission(target)
    ends = [table.values("Combined results", f"{side} error (Delta chi2 = 1)") for side in ("upward", "downward")]
    assert [value for (value,) in ends] == pytest.approx(expected[1:], rel=1e-6)
