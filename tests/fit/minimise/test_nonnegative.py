"""Results that cannot be negative: the bounded minimum and its interval against other ways to them."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
from bounded import SHIFTS, VALUES, explicit, many_results, one_result, two_results
from explicit_chi2 import Explicit
from repetitions import repetitions
from scipy.optimize import brentq, minimize

import bayescomb as bc
from bayescomb.base.errors import FileFormatError, FitError, OptionError, UnknownNameError
from bayescomb.cli.main import main
from bayescomb.fit.minimise.bounds import bounded_minimum
from bayescomb.formats.convino.writer import write_convino
from bayescomb.formats.toml.model_writer import write_model
from bayescomb.inputs.serialise import combination_from_json, combination_to_json
from bayescomb.output.data.results import impact_data, profile_data, scan_data
from bayescomb.output.text.fit import impact_text, profile_text


def lowest(values, information, bounded, fixed):
    """Least (p - v)^T H (p - v) within the bounds, with some p fixed: the best of all subsets of bounds that are met."""
    found = np.inf
    for size in range(len(bounded) + 1):
        for chosen in itertools.combinations([i for i in bounded if i not in fixed], size):
            held = dict.fromkeys(chosen, 0.0) | fixed
            index, free = list(held), [i for i in range(len(values)) if i not in held]
            p = values.copy()
            p[index] = list(held.values())
            away = (p - values)[index]
            p[free] -= np.linalg.solve(information[np.ix_(free, free)], information[np.ix_(free, index)] @ away)
            if (p[[i for i in bounded if i not in held]] >= -1e-12).all():
                found = min(found, float((p - values) @ information @ (p - values)))
    return found


def test_one_result_below_its_bound():
    fit = bc.profile(one_result(-1.0))
    # chi2 = (x + 1)^2: 1 at the bound, 2 at sqrt(2) - 1.
    assert fit.values.item() == 0
    assert fit.chi2 == pytest.approx(1.0, abs=1e-12)
    assert fit.up_errors.item() == pytest.approx(np.sqrt(2) - 1, abs=1e-12)
    assert fit.down_errors.item() == 0
    assert fit.at_bound == ("x",)
    assert np.isnan([fit.errors.item(), fit.covariance.item(), fit.weights.item()]).all()


def test_an_interval_ends_at_the_bound():
    fit = bc.profile(one_result(0.4))
    assert (fit.values.item(), fit.errors.item(), fit.up_errors.item()) == pytest.approx((0.4, 1.0, 1.0), abs=1e-12)
    assert fit.values.item() + fit.down_errors.item() == 0
    assert (fit.at_bound, fit.ends_at_bound) == ((), ("x",))
    assert "the interval ends at the bound 0: x" in profile_text(fit)


@pytest.mark.parametrize("seed", range(repetitions(6)))
def test_minimum_fulfils_the_conditions_of_kuhn_and_tucker(seed):
    combination = many_results(np.random.default_rng(seed), 5)
    free, fit = bc.profile(combination.with_nonnegative(())), bc.profile(combination)
    scale = np.sqrt(np.diag(free.covariance))
    information = np.linalg.inv(free.covariance.to_numpy() / np.outer(scale, scale))
    p = fit.values.to_numpy() / scale
    slope = information @ (p - free.values.to_numpy() / scale)
    bounded = np.isin(fit.values["parameter"], combination.nonnegative)
    assert (p[bounded] >= 0).all()
    np.testing.assert_allclose(slope[~bounded], 0, atol=1e-9)
    assert (slope[bounded] >= -1e-9).all()
    np.testing.assert_allclose((slope * p)[bounded], 0, atol=1e-9)
    away = p - free.values.to_numpy() / scale
    assert fit.chi2 == pytest.approx(free.chi2 + away @ information @ away, abs=1e-9)
    assert set(fit.at_bound) == {str(name) for name in fit.values["parameter"].to_numpy()[bounded & (p == 0)]}


@pytest.mark.parametrize("seed", range(repetitions(4)))
def test_interval_is_that_of_the_best_of_all_sets_of_active_bounds(seed):
    combination = many_results(np.random.default_rng(seed), 4)
    free, fit = bc.profile(combination.with_nonnegative(())), bc.profile(combination)
    values, information = free.values.to_numpy(), np.linalg.inv(free.covariance.to_numpy())
    bounded = [i for i, o in enumerate(combination.observables) if o.name in combination.nonnegative]
    least = lowest(values, information, bounded, {})

    for i, error in enumerate(free.errors.to_numpy()):
        best = fit.values[i].item()

        def growth(x, i=i):
            return lowest(values, information, bounded, {i: x}) - least - 1

        far = np.sqrt(1 + least) * error
        up = brentq(growth, best, values[i] + 1.01 * far, xtol=1e-13)
        assert fit.up_errors[i].item() == pytest.approx(up - best, abs=1e-9 * error)
        low = values[i] - 1.01 * far
        if i in bounded:
            low = 0.0 if growth(0.0) <= 0 else brentq(growth, 0.0, best, xtol=1e-13)
        else:
            low = brentq(growth, low, best, xtol=1e-13)
        assert fit.down_errors[i].item() == pytest.approx(low - best, abs=1e-9 * error)


def test_what_is_linear_of_the_others_is_that_with_the_bound_held():
    values, covariance, total, measured = explicit(0.5)
    assert values[0] < 0 < values[1]
    fit = bc.profile(two_results(nonnegative=("x",)))
    y = values[1] - covariance[1, 0] / covariance[0, 0] * values[0]
    error = np.sqrt(covariance[1, 1] - covariance[0, 1] ** 2 / covariance[0, 0])
    at = {"parameter": "y"}
    found = [x.sel(at).item() for x in (fit.values, fit.errors, fit.up_errors, fit.down_errors)]
    np.testing.assert_allclose(found, [y, error, error, -error], rtol=1e-12)
    residual = measured - np.tile([0.0, y], 2)
    assert fit.chi2 == pytest.approx(residual @ np.linalg.solve(total, residual), rel=1e-12)
    # The published values are predicted as mu - k lambda, so that the nuisances are -C k^T V^-1 (measured - fitted).
    shifts = np.kron(np.eye(2), SHIFTS)
    pulls = -np.array([[1.0, 0.5], [0.5, 1.0]]) @ shifts.T @ np.linalg.solve(total, residual)
    np.testing.assert_allclose(fit.pulls, pulls, atol=1e-12)
    parts = fit.error_parts("y")
    assert np.hypot(parts["stat"], parts["syst"]) == pytest.approx(error, rel=1e-12)
    # y alone is combined with the inverse of what V leaves of it with x = 0 known.
    column = np.tile([0.0, 1.0], 2)
    weights = error**2 * np.linalg.solve(total, column)
    np.testing.assert_allclose(fit.weights.sel(at), weights, atol=1e-12)


@pytest.mark.parametrize("unit", [1.0, 1e-9, 1e9])
def test_a_bound_far_away_changes_nothing(unit):
    far = {"a": (50.0, 60.0), "b": (52.0, 59.0)}
    free, fit = (bc.profile(two_results(values=far, nonnegative=names, unit=unit)) for names in ((), ("x", "y")))
    for key in ("values", "errors", "up_errors", "down_errors", "covariance", "weights", "pulls", "constraints"):
        np.testing.assert_allclose(getattr(fit, key), getattr(free, key), rtol=1e-12)
    assert fit.chi2 == pytest.approx(free.chi2, rel=1e-12)
    assert (fit.at_bound, fit.ends_at_bound) == ((), ())


@pytest.mark.parametrize("values", [VALUES, {"a": (0.5, 3.0), "b": (0.2, 2.2)}], ids=["at the bound", "near it"])
def test_numerical_fit_with_bounds_is_the_closed_form_where_it_can_be(values):
    linear, numerical = (
        bc.profile(two_results(values=values, nonnegative=("x", "y"), kinked=kinked)) for kinked in (False, True)
    )
    assert numerical.combination.quadratic is False
    assert numerical.at_bound == linear.at_bound
    for key in ("values", "errors", "up_errors", "down_errors", "covariance"):
        np.testing.assert_allclose(getattr(numerical, key), getattr(linear, key), atol=1e-6)
    assert numerical.chi2 == pytest.approx(linear.chi2, abs=1e-9)


def test_scan_impacts_and_json_follow_the_bounds():
    combination = two_results(nonnegative=("x",))
    scanned = bc.scan(combination, points=3)
    for point in scanned.rows[0].points:
        fit = bc.profile(combination, coefficients=point.coefficients)
        np.testing.assert_allclose(point.values, fit.values, rtol=1e-12)
        np.testing.assert_allclose(point.errors, fit.errors, rtol=1e-12)
        assert np.isnan(point.errors.sel(parameter="x"))
    found = bc.impacts(combination)
    assert found.total.sel(parameter="y").item() == pytest.approx(bc.profile(combination).errors.sel(parameter="y").item())
    assert np.isnan(found.sources.sel(parameter="x")).all()
    assert "nan" not in impact_text(found)
    data = profile_data(bc.profile(combination), bc.compatibility(combination))
    text = json.dumps([data, impact_data(found), scan_data(scanned)], allow_nan=False)
    assert data["parameters"]["x"]["error"] is None
    assert data["covariance"]["matrix"][0] == [None, None]
    assert (data["nonnegative"], data["at_bound"]) == (["x"], ["x"])
    assert text.count('"nonnegative": ["x"]') == 3
    said = profile_text(bc.profile(combination))
    assert "nonnegative: x" in said
    assert "(at its bound 0)" in said
    assert "the p-value of chi2 is approximate" in said


def test_parts_that_hold_nuisances_have_the_linear_total():
    found = bc.impacts(two_results(nonnegative=("x",)), parts="held")
    error = bc.profile(two_results(nonnegative=("x",))).errors.sel(parameter="y").item()
    assert found.total.sel(parameter="y").item() == pytest.approx(error, rel=1e-12)


def test_bounds_that_nothing_fulfils_are_an_error():
    # Without freedom (a zero row of the root) a negative value cannot reach 0.
    with pytest.raises(FitError, match="no values of the observables are within their bounds"):
        bounded_minimum(np.array([-1.0, 1.0]), np.array([[0.0, 0.0], [0.0, 1.0]]), np.array([0]))


def test_a_singular_covariance_is_bounded_too():
    # x + y = 1 without any error: x = -0.3 ends at 0, and y with it at 1.
    root = np.array([[0.5], [-0.5]])
    z, active = bounded_minimum(np.array([-0.3, 1.3]), root, np.array([0, 1]))
    np.testing.assert_allclose(np.array([-0.3, 1.3]) + root @ z, [0.0, 1.0], atol=1e-15)
    assert active.tolist() == [0]


@pytest.mark.slow
def test_settings_that_do_not_go_with_bounds_are_refused(run1, tmp_path):
    with pytest.raises(UnknownNameError, match="unknown observable 'z'"):
        two_results(nonnegative=("z",))
    with pytest.raises(OptionError, match="list of objects"):
        two_results(nonnegative="xy")
    combination = two_results(nonnegative=("y", "x"))
    assert combination.nonnegative == ("x", "y")
    with pytest.raises(OptionError, match="'normalise' divides"):
        dataclasses.replace(combination, normalise=True)
    with pytest.raises(OptionError, match="whose fit has no bounds"):
        combination.with_errors_on_errors({"jes_a": 0.3})
    with pytest.raises(OptionError, match="makes the observables functions of a mass"):
        bc.load("models/ttj_rho").with_nonnegative()
    for refusing, said in (
        (lambda c: bc.coverage(c, tmp_path / "study", toys=2, seed=1), "no truth can be drawn"),
        (lambda c: bc.explore(c, tmp_path / "page.html"), "nonnegative"),
        (lambda c: bc.export_hepdata(bc.profile(c), tmp_path / "export"), "nonnegative"),
    ):
        with pytest.raises(OptionError, match=said):
            refusing(combination)
    assert run1.with_nonnegative().saturated().nonnegative == ()
    assert combination.without("a").nonnegative == ("x", "y")


def test_bounds_are_stored_written_and_read(tmp_path):
    for names in (("x",), ("x", "y")):
        combination = two_results(nonnegative=names)
        assert combination_from_json(combination_to_json(combination)).nonnegative == names
        path = write_model(combination, tmp_path / "-".join(names))
        assert ("nonnegative = true" in path.read_text()) == (len(names) == 2)
        assert bc.load(path).nonnegative == names
    path.write_text(path.read_text().replace("nonnegative = true", 'nonnegative = "x"'))
    with pytest.raises(FileFormatError, match="true, false or a list of observables is needed"):
        bc.load(path)
    with pytest.raises(OptionError, match="cannot be written to Convino files"):
        write_convino(combination, tmp_path)


def test_command_line_takes_all_or_some(tmp_path, capsys):
    path = str(write_model(two_results(), tmp_path / "model"))
    for words, names in ((["--nonnegative"], "x, y"), (["--nonnegative", "y"], "y"), ([], "")):
        assert main(["profile", path, *words]) == 0
        said = " ".join(capsys.readouterr().out.split())  # wrapped at the width of the terminal
        assert (f"nonnegative: {names} x = " in said) if names else ("nonnegative" not in said)
    with pytest.raises(SystemExit):
        main(["profile", "--nonnegative", path])
    assert "put --nonnegative without a name after MODEL" in capsys.readouterr().err


def test_curved_responses_within_bounds_against_a_minimiser_of_the_explicit_chi2():
    combination = two_results(nonnegative=("x", "y"))
    first, second = combination.measurements
    first = dataclasses.replace(first, down_responses=-1.5 * first.responses)
    relative = dataclasses.replace(second.nuisances[0], response="relative")
    curved = dataclasses.replace(combination, measurements=(first, dataclasses.replace(second, nuisances=(relative,))))
    explicit_chi2 = Explicit(curved)

    def least(fixed=None):
        """Chi2 and theta within the bounds, the kinked nuisance on either side."""
        found = []
        for side in ((0, None), (None, 0)):
            bounds = [(0, None), (0, None), side, (None, None)]
            for i, value in (fixed or {}).items():
                bounds[i] = (value, value)
            signs = [1 if side[0] == 0 else -1]
            start = np.clip(
                [0.5, 2.5, 0.0, 0.0], *np.array([[-9 if a is None else a, 9 if b is None else b] for a, b in bounds]).T
            )
            options = {"ftol": 1e-15, "maxiter": 500}
            result = minimize(
                explicit_chi2, start, args=(signs,), bounds=bounds, method="SLSQP", jac="3-point", options=options
            )
            found.append((result.fun, result.x))
        return min(found, key=lambda pair: pair[0])

    fit = bc.profile(curved)
    chi2, theta = least()
    assert fit.at_bound == ("x",)
    assert fit.chi2 == pytest.approx(chi2, abs=1e-8)
    np.testing.assert_allclose(fit.values, theta[:2], atol=1e-5)
    np.testing.assert_allclose(fit.pulls, theta[2:], atol=1e-5)
    for i, name in enumerate("xy"):
        ends = [fit.up_errors.sel(parameter=name).item(), fit.down_errors.sel(parameter=name).item()]
        for end in ends[: 2 - (name == "x")]:
            assert least({i: theta[i] + end})[0] - chi2 == pytest.approx(1, abs=1e-5)
    assert fit.down_errors.sel(parameter="x").item() == 0
