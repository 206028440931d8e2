"""Errors at a kink and their parts: closed forms, the linear model with mean slopes, simulated data, all outputs alike."""

import dataclasses
import json

import numpy as np
import pytest
from gaussian import combine, fit_of_data, random_covariance
from worked import estimate, pair

import bayescomb as bc
from bayescomb.cli.main import main
from bayescomb.output.analysis import analyse
from bayescomb.output.data.groups import export_groups, export_header
from bayescomb.output.data.results import impact_data, profile_data
from bayescomb.output.export.export import export_hepdata
from bayescomb.output.text.fit import impact_text, profile_text

TOYS = 200_000


def one(up, down, *, value=10.0, statistical=1.0, response="absolute"):
    """One estimate of x with a kinked nuisance."""
    return combine(
        bc.Measurement(
            name="m",
            estimates=(estimate("e", value, "x"),),
            statistical_covariance=np.array([[statistical**2]]),
            nuisances=(bc.Nuisance(name="n", response=response),),
            responses=np.array([[up]]),
            down_responses=np.array([[down]]),
        )
    )


# shift at +1, at -1, form, and the mean slope (up - down) / 2; of a lognormal factor x log(1 + up / x) and so on
SLOPES = [
    (20.0, -10.0, "absolute", 15.0),
    (2.0, 0.0, "absolute", 1.0),
    (0.0, -2.0, "absolute", 1.0),
    (2.0, 1.0, "absolute", 0.5),
    (-3.0, -1.0, "absolute", -1.0),
    (2.0, -1.0, "relative", 1.5),
    (2.0, -1.0, "lognormal", 10 * (np.log(1.2) - np.log(0.9)) / 2),
]


@pytest.mark.parametrize(("up", "down", "form", "slope"), SLOPES)
@pytest.mark.parametrize("chi2", ["neyman", "pearson"])
def test_error_at_a_kink_is_that_of_the_mean_slope(up, down, form, slope, chi2):
    given = dataclasses.replace(one(up, down, response=form), chi2=chi2)
    fit, parts = bc.profile(given), bc.impacts(given)
    assert fit.on_kink == ("n",)
    assert fit.errors.item() == pytest.approx(np.hypot(1, slope), rel=1e-9)
    assert fit.covariance.item() == pytest.approx(1 + slope**2, rel=1e-9)
    assert fit.statistical_errors.item() == pytest.approx(1, rel=1e-9)
    assert fit.systematic_errors.item() == pytest.approx(abs(slope), rel=1e-9)
    assert parts.sources.sel(source="n").item() == fit.systematic_errors.item()
    # x - slope n is measured to 1: x and n are correlated
    assert fit.cross_covariance.item() == pytest.approx(slope, rel=1e-9)
    assert fit.constraints.item() == pytest.approx(1, rel=1e-9)
    assert fit.weights.item() == pytest.approx(1, rel=1e-9)


def convino(folder, *, inputs, observables, correlations=""):
    """A base file and its measurement files: name -> (columns and rows of [not fitted], values)."""
    for name, (rows, values) in inputs.items():
        listed = "".join(f"name_{i} = {key}\nvalue_{i} = {value}\n" for i, (key, value) in enumerate(values.items()))
        (folder / f"{name}.txt").write_text(
            f"[not fitted]\n{rows}[end not fitted]\n[systematics]\n[end systematics]\n"
            f"[estimates]\nn_estimates = {len(values)}\n{listed}[end estimates]\n"
        )
    files = "".join(f"file{i} = {name}.txt\n" for i, name in enumerate(inputs))
    (folder / "base.txt").write_text(
        f"[global]\n[end global]\n[inputs]\nnFiles = {len(inputs)}\n{files}[end inputs]\n"
        f"[observables]\n{observables}[end observables]\n[correlations]\n{correlations}[end correlations]\n"
    )
    return bc.load(folder / "base.txt")


def test_one_input_returns_its_interval_and_its_record_has_the_source(tmp_path):
    """100 +20 -10 (syst) with 1 (stat): +20.02 -10.05 beside sqrt(1 + 15^2)."""
    given = convino(tmp_path, inputs={"m": ("  s stat\na (+20-10) 1\n", {"a": 100})}, observables="x = a\n")
    fit = bc.profile(given)
    assert fit.errors.item() == pytest.approx(np.sqrt(226), rel=1e-9)
    assert fit.up_errors.item() == pytest.approx(np.sqrt(401), rel=1e-6)
    assert fit.down_errors.item() == pytest.approx(-np.sqrt(101), rel=1e-6)
    results = export_groups(analyse(fit))["results"]
    assert results["error"].item() == pytest.approx(np.sqrt(226), rel=1e-9)
    assert results["systematic_error"].item() == pytest.approx(15, rel=1e-9)


def two_kinked():
    """x and y with JES of +2 -1 and +3 -1 and JER of 0.5; statistical errors 0.5."""
    return combine(
        bc.Measurement(
            name="A",
            estimates=(estimate("xA", 10.0, "x"), estimate("yA", 20.0, "y")),
            statistical_covariance=0.25 * np.eye(2),
            nuisances=(bc.Nuisance(name="JES"), bc.Nuisance(name="JER")),
            responses=np.array([[2.0, 0.5], [3.0, 0.5]]),
            down_responses=np.array([[-1.0, -0.5], [-1.0, -0.5]]),
        )
    )


def test_kinked_source_of_two_results_against_simulated_data():
    fit, parts = bc.profile(two_kinked()), bc.impacts(two_kinked())
    np.testing.assert_allclose(fit.errors, np.sqrt([0.25 + 0.25 + 1.5**2, 0.25 + 0.25 + 2.0**2]), rtol=1e-9)
    assert fit.covariance[0, 1].item() == pytest.approx(1.5 * 2 + 0.25, rel=1e-9)
    np.testing.assert_allclose(parts.sources.sel(source="JES"), [1.5, 2.0], rtol=1e-9)
    np.testing.assert_allclose(parts.sources.sel(source="JER"), 0.5, rtol=1e-9)
    # the estimates are the measured values: 1.685 from 2 million sets, sqrt((4 + 1) / 2 - 1 / (2 pi) + 0.5) exactly
    rng = np.random.default_rng(1)
    jes = rng.normal(size=TOYS)
    found = np.where(jes > 0, 2 * jes, jes) + 0.5 * rng.normal(size=TOYS) + 0.5 * rng.normal(size=TOYS)
    exact = np.sqrt(2.5 - 1 / (2 * np.pi) + 0.5)
    assert found.std() == pytest.approx(exact, rel=5 * np.sqrt(1 / TOYS))
    assert exact == pytest.approx(1.685, abs=5e-4)
    assert fit.errors[0].item() == pytest.approx(exact, rel=0.02)


def test_kinked_source_of_one_of_two_inputs_against_simulated_data():
    """a = x + g(n) with slopes 1.2 and 0.8, b = x: every set fitted on both branches, in closed form."""
    a, b, slopes = 1.0, 1.5, (1.2, 0.8)
    given = combine(
        bc.Measurement(
            name="m",
            estimates=(estimate("a", 10.0, "x"), estimate("b", 10.0, "x")),
            statistical_covariance=np.diag([a**2, b**2]),
            nuisances=(bc.Nuisance(name="n"),),
            responses=np.array([[slopes[0]], [0.0]]),
            down_responses=np.array([[-slopes[1]], [0.0]]),
        )
    )
    fit = bc.profile(given)
    assert fit.errors.item() == pytest.approx((1 / (a**2 + 1) + 1 / b**2) ** -0.5, rel=1e-9)
    rng = np.random.default_rng(2)
    n = rng.normal(size=TOYS)
    first = a * rng.normal(size=TOYS) + np.where(n > 0, slopes[0] * n, slopes[1] * n)
    second = b * rng.normal(size=TOYS)
    # n has the sign of a - b, so that the branch is known, and x is the mean with the variance of that branch
    slope = np.where(first > second, *slopes)
    weight = b**2 / (a**2 + slope**2 + b**2)
    assert fit.errors.item() == pytest.approx((weight * first + (1 - weight) * second).std(), rel=0.02)


def at_the_truth(*, fit=True, free=False, linear=False, chi2="neyman", normalise=False):
    """Data that agree exactly, so that every nuisance is fitted at 0; ``linear`` has the mean slopes in place of kinks.

    Two kinked absolute nuisances of one source, one-sided and with both sides the same sign, a kinked relative and a kinked
    lognormal one, a smooth relative one, a fitted input and a free nuisance.
    """
    rng = np.random.default_rng(8)
    truth = {"x": 50.0, "y": 30.0}
    value = np.array(list(truth.values()))[:, None]
    forms = ["absolute", "absolute", "relative", "lognormal", "relative", "absolute"]
    up = rng.uniform(1.0, 3.0, size=(2, 6))
    down = -up * rng.uniform(0.3, 1.7, size=(2, 6))
    down[0, 0], up[1, 0] = 0.0, -0.5
    down[:, 1] = rng.uniform(0.2, 1.0, size=2)
    down[:, 4:] = -up[:, 4:]
    if linear:
        up[:, :3] = (up - down)[:, :3] / 2
        up[:, 3:4] = value * (np.log1p(up[:, 3:4] / value) - np.log1p(down[:, 3:4] / value)) / 2
        down, forms = -up, ["absolute"] * 6
    names = [f"n{i}" for i in range(6)]
    first = bc.Measurement(
        name="first",
        estimates=tuple(estimate(f"first.{o}", v, o) for o, v in truth.items()),
        statistical_covariance=3 * random_covariance(rng, 2),
        nuisances=tuple(
            bc.Nuisance(name=n, response=form, source="kinked" if n in {"n0", "n1"} else "")
            for n, form in zip(names, forms, strict=True)
        ),
        responses=up,
        down_responses=down,
    )
    plain = bc.Measurement(
        name="plain",
        estimates=tuple(estimate(f"plain.{o}", v, o) for o, v in truth.items()),
        statistical_covariance=4 * random_covariance(rng, 2),
        nuisances=(bc.Nuisance(name="p", free=free),),
        responses=np.array([[1.0], [-0.5]]),
    )
    maps = [{"x": 1.0}, {"y": 1.0}]
    fitted = fit_of_data("fit", design=rng.normal(size=(12, 4)), data=np.zeros(12), maps=maps)
    estimates = tuple(dataclasses.replace(e, value=v) for e, v in zip(fitted.estimates, truth.values(), strict=True))
    fitted = dataclasses.replace(fitted, estimates=estimates)
    coefficients = (pair("n0", "n1", 0.5), pair("n2", "n5", 0.3))
    if fit:
        coefficients += (pair("n0", "fit.n0", -0.4),)
    made = combine(
        *((first, plain, fitted) if fit else (first, plain)), coefficients=coefficients, chi2=chi2, normalise=normalise
    )
    groups = {"some": ("n0", "n2"), "stat": ("stat",)}
    sources = (bc.Source(name="kinked", group="kinks"),)
    return dataclasses.replace(made, sources=sources, impact_groups=groups)


CASES = [
    {},
    {"fit": False},
    {"free": True},
    {"chi2": "pearson"},
    {"normalise": True},
    {"chi2": "pearson", "free": True, "normalise": True},
]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_everything_is_that_of_the_linear_model_with_mean_slopes(case):
    curved, linear = at_the_truth(**case), at_the_truth(**case | {"linear": True, "chi2": "neyman"})
    assert linear.quadratic
    fit, expected = bc.profile(curved), bc.profile(linear)
    assert set(fit.on_kink) == {"n0", "n1", "n2", "n3"}
    for key in (
        "values", "errors", "covariance", "cross_covariance", "constraints", "pulls", "weights", "statistical_errors",
        "systematic_errors",
    ):  # fmt: skip
        found, other = getattr(fit, key), getattr(expected, key)
        assert found.dims == other.dims
        np.testing.assert_allclose(found, other, rtol=1e-6, atol=1e-8, err_msg=key)
    np.testing.assert_allclose(np.hypot(fit.statistical_errors, fit.systematic_errors), fit.errors, rtol=1e-10)
    found, other = bc.impacts(curved), bc.impacts(linear)
    assert found.sources["source"].values.tolist() == other.sources["source"].values.tolist()
    assert found.groups["group"].values.tolist() == ["kinks", "some", "stat"]
    for key in ("sources", "groups", "coupling", "total"):
        np.testing.assert_allclose(getattr(found, key), getattr(other, key), rtol=1e-6, atol=1e-8, err_msg=key)


def same_number_everywhere(combination, parts):
    """Profile, impacts, their JSON and the export's groups, to the last digit."""
    fit, found = bc.profile(combination, parts=parts), bc.impacts(combination, parts=parts)
    names = [o.name for o in combination.results]
    of_profile, of_impacts = profile_data(fit), impact_data(found)
    groups = export_groups(analyse(fit, impacts_of=found))
    assert (of_profile["parts"], of_impacts["parts"], export_header(analyse(fit, impacts_of=found))["parts"]) == (parts,) * 3
    assert f"parts of the errors: {parts}" in profile_text(fit)
    assert f"{parts} parts" in impact_text(found)
    for name in names:
        at = {"parameter": name}
        shown = of_profile["parameters"][name]
        whole = {key: values[name] for key, values in of_impacts["whole"].items()}
        exported = groups["results"].sel(at)
        part = groups["impact_parts"]["impact"].sel(at).to_series().to_dict()
        for key, short, long, given in (
            ("statistical_error", "stat", "statistics", fit.statistical_errors),
            ("systematic_error", "syst", "systematics", fit.systematic_errors),
        ):
            sizes = {shown[key], whole[short], exported[key].item(), part[long], given.sel(at).item()}
            assert len(sizes) == 1, (name, key, sizes)
        size = fit.errors if parts == "propagated" else fit.up_errors
        assert whole["total"] == part["total"] == size.sel(at).item()
        assert np.hypot(whole["stat"], whole["syst"]) == pytest.approx(whole["total"], rel=1e-9)
    return of_impacts


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "parts"),
    [
        ({"linear": True}, "propagated"),
        ({"chi2": "pearson"}, "propagated"),
        ({"fit": False, "normalise": True}, "propagated"),
        ({"linear": True}, "held"),
        ({"linear": True, "normalise": True}, "held"),
    ],
    ids=str,
)
def test_one_number_in_every_output(case, parts):
    data = same_number_everywhere(at_the_truth(**case), parts)
    assert data["groups"]["stat"] == data["whole"]["stat"]
    if parts == "propagated":
        assert set(data["sources"]) == {"kinked"}
        assert {"n2", "n3", "p"} <= set(data["nuisances"])
        assert data["sources"]["kinked"] == data["groups"]["kinks"]
    else:
        assert data["sources"] == {}
        assert {"n0", "n1"} <= set(data["nuisances"])


def test_held_parts_of_a_kinked_source_are_one_number_too():
    data = same_number_everywhere(two_kinked(), "held")
    # the estimates are the measured values: the upper error without its source, and the rest
    assert data["whole"]["stat"] == pytest.approx({"x": 0.5, "y": 0.5}, rel=1e-6)


def split(*, asymmetry=0.0, response="absolute", size=0.001, chi2="neyman"):
    """A: 100 +- 3 with 10 of its own, B: 101 +- 3 with 4; and a tiny one that may be relative, or the 10 asymmetric."""
    one = bc.Measurement(
        name="A", estimates=(estimate("a", 100.0, "x"),), statistical_covariance=np.array([[9.0]]),
        nuisances=(bc.Nuisance(name="sA"), bc.Nuisance(name="lumi", response=response)),
        responses=np.array([[10.0, size]]), down_responses=np.array([[-10.0 * (1 + asymmetry), -size]]),
    )  # fmt: skip
    other = bc.Measurement(
        name="B", estimates=(estimate("b", 101.0, "x"),), statistical_covariance=np.array([[9.0]]),
        nuisances=(bc.Nuisance(name="sB"),), responses=np.array([[4.0]]),
    )  # fmt: skip
    return combine(one, other, chi2=chi2)


NEARLY = [{}, {"response": "relative"}, {"response": "lognormal"}, {"asymmetry": 1e-6}, {"asymmetry": -1e-6}]


@pytest.mark.parametrize(
    ("parts", "statistical", "systematic"),
    # w = (1 / 109, 1 / 25) / (1 / 109 + 1 / 25): 3 |w| and |(10, 4) w|; held: (1 / 9 + 1 / 9)^-1/2 and the rest of 4.5095
    [("propagated", 2.5037, 3.7507), ("held", 2.1213, 3.9794)],
)
def test_parts_do_not_jump_where_a_response_is_nearly_linear(parts, statistical, systematic):
    weights = np.array([1 / 109, 1 / 25]) / (1 / 109 + 1 / 25)
    assert 3 * np.hypot(*weights) == pytest.approx(2.5037, abs=5e-5)
    for case in NEARLY:
        fit = bc.profile(split(**case), parts=parts)
        assert fit.statistical_errors.item() == pytest.approx(statistical, abs=1e-4)
        assert fit.systematic_errors.item() == pytest.approx(systematic, abs=1e-4)
        np.testing.assert_allclose(fit.weights[0], weights, atol=1e-5)
        same_number_everywhere(split(**case), parts)
    straight, bent = (bc.profile(split(**case)) for case in ({}, {"asymmetry": 1e-6}))
    for key in ("errors", "statistical_errors", "systematic_errors", "weights", "constraints", "cross_covariance"):
        np.testing.assert_allclose(getattr(bent, key), getattr(straight, key), rtol=1e-5, err_msg=key)


@pytest.mark.parametrize(
    ("response", "value", "weights", "norm"),
    # of absolute sizes the textbook's 1.8857 with a negative weight; relative at the fitted value 1 / 0.12^2 and 1 / 0.10^2
    [
        ("absolute", 1.8857, (-0.2857, 1.2857), 0.36 * -0.2857 + 0.30 * 1.2857),
        ("relative", 2.1639, (0.4098, 0.5902), 0.15 * 2.1639),
        ("lognormal", 2.1639, (0.4098, 0.5902), np.log(1.15) * 2.1639),
    ],
)
def test_weights_of_relative_sizes_are_those_of_the_iterated_combination(response, value, weights, norm):
    """Peelle's puzzle: 2.4 +- 0.12 and 2.0 +- 0.10 with a common 15 %."""
    given = combine(
        bc.Measurement(
            name="m",
            estimates=(estimate("a", 2.4, "q"), estimate("b", 2.0, "q")),
            statistical_covariance=np.diag([0.12**2, 0.10**2]),
            nuisances=(bc.Nuisance(name="N", response=response),),
            responses=np.array([[0.36], [0.30]]),
        )
    )
    fit = bc.profile(given)
    assert fit.values.item() == pytest.approx(value, abs=5e-5)
    np.testing.assert_allclose(fit.weights[0], weights, atol=5e-5)
    assert fit.systematic_errors.item() == pytest.approx(norm, abs=2e-4)
    assert ("sizes of relative errors at the fitted values" in profile_text(fit)) == (response != "absolute")


def test_two_asymmetric_sources_that_are_correlated(tmp_path):
    """0.10 +0.10 -0.20 and -0.40 +0.12 -0.08, correlated by 0.4, with 0.30 and -0.30 +- 0.15; on the sides of the fit."""
    given = convino(
        tmp_path,
        inputs={
            "lhcb": ("  t1 t2 stat\nm1 (+0.10-0.20) 0 0.001\nm2 0 (+0.12-0.08) 0.001\n", {"m1": 0.10, "m2": -0.40}),
            "belle": ("  stat\nb1 0.15\nb2 0.15\n", {"b1": 0.30, "b2": -0.30}),
        },
        observables="P1 = m1 + b1\nP2 = m2 + b2\n",
        correlations="t1 = (0.4) t2\n",
    )
    fit = bc.profile(given)
    np.testing.assert_allclose(fit.values, [0.1680, -0.3438], atol=5e-5)
    # the results lie above the published 0.10 and -0.40: up sides 0.10 and 0.12
    source = np.outer([0.10, 0.12], [0.10, 0.12]) * [[1, 0.4], [0.4, 1]] + 1e-6 * np.eye(2)
    covariance = np.linalg.inv(np.linalg.inv(source) + np.eye(2) / 0.15**2)
    np.testing.assert_allclose(fit.covariance, covariance, rtol=1e-6)
    assert fit.errors[0].item() == pytest.approx(0.081, abs=5e-4)
    values = covariance @ (np.linalg.solve(source, [0.10, -0.40]) + np.array([0.30, -0.30]) / 0.15**2)
    np.testing.assert_allclose(fit.values, values, rtol=1e-6)


def test_parts_option_of_the_commands(tmp_path, capsys):
    (tmp_path / "r.csv").write_text("estimate,sA,lumi\na,10,0.001\n")
    (tmp_path / "model.toml").write_text(
        'format = 1\nname = "m"\nobservables = [{ name = "x" }]\n[[measurements]]\nname = "A"\nexperiment = "A"\n'
        'estimates = [{ name = "a", value = 100.0, observable = "x" }, { name = "b", value = 101.0, observable = "x" }]\n'
        'statistical = [3.0, 5.0]\nresponses = "r.csv"\nnuisances = [{ name = "sA" }, { name = "lumi", response = '
        '"relative" }]\n[[assumption_sets]]\nname = "nominal"\n'
    )
    (tmp_path / "r.csv").write_text("estimate,sA,lumi\na,10,0.001\nb,0,0\n")
    for words, parts in (((), "propagated"), (("--parts", "held"), "held")):
        found = {}
        for command in ("profile", "impacts"):
            target = tmp_path / f"{command}.json"
            assert main([command, str(tmp_path), *words, "--json", str(target)]) == 0
            assert f"{parts} parts" in capsys.readouterr().out or command == "profile"
            found[command] = json.loads(target.read_text())
            assert found[command]["parts"] == parts
        whole = {key: values["x"] for key, values in found["impacts"]["whole"].items()}
        shown = found["profile"]["parameters"]["x"]
        assert (whole["stat"], whole["syst"]) == (shown["statistical_error"], shown["systematic_error"])


def test_impacts_and_profile_of_an_export_have_one_definition(tmp_path):
    fit = bc.profile(two_kinked(), parts="held")
    with pytest.raises(bc.base.errors.OptionError, match="propagated parts of the errors, the profile has held ones"):
        export_hepdata(fit, tmp_path / "export", impacts=bc.impacts(two_kinked()))
