"""Errors on errors in the posterior: against quadrature, Student's t, the other engine and simulated data; in files too."""

import json

import arviz as az
import numpy as np
import pytest
from densities import assert_engines_agree
from repetitions import repetitions
from scipy import stats

import bayescomb as bc
from bayescomb.base.errors import InvalidNumberError, OptionError, UnknownNameError
from bayescomb.cli.main import main
from bayescomb.fit.fitter import Fitter
from bayescomb.formats.loading import convert
from bayescomb.likelihood.uncertain_sizes import scaled
from bayescomb.studies.simulated.toys import Toys

SIGMAS = 5.0


def one_source(*, values=(0.0, 5.0), relative=0.5, observables=("x", "x"), varied=False):
    """Two estimates that disagree, each with a systematic of the same source, half correlated."""
    pair = bc.CorrelationPair(first="n1", second="n2")
    ends = {"low": 0.0, "high": 0.8} if varied else {}
    coefficient = bc.CorrelationCoefficient(name="c", pairs=(pair,), nominal=0.4, **ends)
    combination = bc.Combination(
        name="one",
        measurements=tuple(
            bc.Measurement(
                name=f"m{i}",
                estimates=(bc.Estimate(name=f"e{i}", value=value, observables={observable: 1.0}),),
                statistical_covariance=[[1.0]],
                nuisances=(bc.Nuisance(name=f"n{i}", source="s"),),
                responses=[[size]],
            )
            for i, (value, observable, size) in enumerate(zip(values, observables, (1.2, 0.8), strict=True), start=1)
        ),
        observables=tuple(bc.Observable(name=name) for name in dict.fromkeys(observables)),
        assumption_sets={"set": bc.AssumptionSet(name="set", coefficients=(coefficient,))},
        assumptions="set",
    )
    return combination.with_errors_on_errors({"s": relative} if relative else {})


def by_quadrature(combination, relative, coefficient=0.4):
    """Mean and sd of x and mean of log s: the data's covariance is 1 + s G C G, s an inverse gamma variable."""
    values = np.array([e.value for e in combination.estimates])
    sizes = np.array([m.responses[0, 0] for m in combination.measurements])
    systematic = np.outer(sizes, sizes) * np.array([[1.0, coefficient], [coefficient, 1.0]])
    alpha = 1 / (4 * relative**2)
    log_s = np.linspace(-6, 9, 3001)
    weight, mean, variance = np.empty((3, len(log_s)))
    for i, t in enumerate(log_s):
        inverse = np.linalg.inv(np.eye(2) + np.exp(t) * systematic)
        information = inverse.sum()
        mean[i], variance[i] = (inverse @ values).sum() / information, 1 / information
        residual = values - mean[i]
        weight[i] = np.sqrt(np.linalg.det(inverse) / information) * np.exp(-residual @ inverse @ residual / 2)
    weight *= stats.invgamma.pdf(np.exp(log_s), alpha, scale=alpha) * np.exp(log_s)
    weight /= weight.sum()
    centre = weight @ mean
    return centre, np.sqrt(weight @ (variance + (mean - centre) ** 2)), weight @ log_s


def close(draws, expected, quantity="mean"):
    """Within Monte Carlo errors."""
    values = draws.to_numpy()
    found = values.mean() if quantity == "mean" else values.std()
    return abs(found - expected) < SIGMAS * float(az.mcse(values, method=quantity))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["marginal", "full"])
def test_posterior_is_that_of_quadrature(engine):
    relative = 0.35
    combination = one_source(relative=relative)
    posterior = bc.sample(combination, seed=4, engine=engine, draws=2500)
    assert int(posterior["sample_stats"]["diverging"].sum()) == 0
    mean, sd, log_scale = by_quadrature(combination, relative)
    draws = posterior["posterior"]
    assert close(draws["x"], mean)
    assert close(draws["x"], sd, "sd")
    assert close(np.log(draws["variance_scale"].sel(uncertain_size="s")), log_scale)
    # wider than with a certain size, as the two disagree
    assert sd > 1.05 * bc.profile(one_source(relative=0)).errors.item()
    if engine == "marginal":
        conditional = posterior["conditional"].sel(parameter="x")
        assert close(conditional["mean"], mean)


@pytest.mark.slow
def test_nuisances_without_information_are_students_t():
    """Two measurements of different observables: the data say nothing, a nuisance is t with 1 / (2 epsilon^2) degrees."""
    relative = 0.4
    combination = one_source(relative=relative, observables=("x", "y"), varied=True)
    posterior = bc.sample(combination, seed=4, draws=2500)
    draws = posterior["posterior"]
    scales = draws["variance_scale"].to_numpy().ravel()
    shape = 1 / (4 * relative**2)
    size = az.ess(draws["variance_scale"].to_numpy().squeeze(-1))
    assert stats.kstest(scales, stats.invgamma(shape, scale=shape).cdf).statistic < 1.95 / np.sqrt(size)  # p = 0.001
    pull = draws["pull"].sel(nuisance="n1").to_numpy()
    assert stats.kstest(pull.ravel(), stats.t(2 * shape).cdf).statistic < 1.95 / np.sqrt(az.ess(pull))
    rho = draws["rho"].to_numpy()[..., 0]
    assert stats.kstest(rho.ravel() / 0.8, stats.uniform.cdf).statistic < 1.95 / np.sqrt(az.ess(rho))


@pytest.mark.slow
@pytest.mark.parametrize("varied", [False, True])
def test_engines_have_the_same_density(varied):
    assert_engines_agree(one_source(relative=0.35, varied=varied))


@pytest.mark.thorough
def test_engines_agree_with_a_sampled_coefficient():
    combination = one_source(relative=0.35, varied=True)
    trees = [bc.sample(combination, seed=seed, engine=engine) for seed, engine in ((1, "marginal"), (2, "full"))]
    quantities = {
        "x": lambda draws: draws["x"],
        "log s": lambda draws: np.log(draws["variance_scale"].sel(uncertain_size="s")),
        "c": lambda draws: draws["rho"].sel(coefficient="c"),
        "n1": lambda draws: draws["pull"].sel(nuisance="n1"),
    }
    for name, quantity in quantities.items():
        first, second = (quantity(tree["posterior"]).to_numpy() for tree in trees)
        for method, size in (("mean", np.mean), ("sd", np.std)):
            error = np.hypot(*(float(az.mcse(values, method=method)) for values in (first, second)))
            assert abs(size(first) - size(second)) < SIGMAS * error, (name, method)


@pytest.mark.slow
def test_sizes_have_their_part_of_the_variance(run1):
    combination = run1.with_errors_on_errors({"LHCbJES": 0.4, "method": 0.5})
    posterior = bc.sample(combination, seed=1, draws=500, chains=2)
    assert int(posterior["sample_stats"]["diverging"].sum()) == 0
    shares = bc.variance_shares(posterior)
    assert "size of LHCbJES" in shares["part"]
    assert shares["share"].sum("part").item() == pytest.approx(1, abs=1e-9)
    comparison = bc.compare(posterior, bc.profile(combination))
    assert "nominal_sd" not in comparison.table  # it is no Gaussian
    assert bc.posterior_predictive(posterior)["chi2_p_value"].item() > 0.01
    assert np.isfinite(bc.prior_sensitivity(posterior)["shift"].to_numpy()).all()


@pytest.mark.slow
def test_ranks_are_uniform_with_an_uncertain_size():
    toys = Toys(one_source(values=(0.0, 1.0), relative=0.3, varied=True), seed=1, draws=200, tune=200)
    records = [toys.analyse(i) for i in range(repetitions(40))]
    assert not any("problem" in record for record in records)
    names = list(records[0]["posterior"])
    assert {"x", "rho[c]", "scale[s]", "pull[n1]"} <= set(names)
    for name in names:
        ranks = (np.array([record["posterior"][name][1] for record in records]) + 0.5) / 100
        assert stats.kstest(ranks, stats.uniform.cdf).pvalue > 1e-3 / len(names), name


def test_model_file_round_trip(run1, edited_model, tmp_path):
    text = '[errors_on_errors]\nLHCbJES = 0.3\nmethod = { relative = 0.5, kind = "independent" }\n\n[[assumption_sets]]'
    model = (edited_model() / "model.toml").read_text(encoding="utf-8")
    first = model.index("[[assumption_sets]]")
    (edited_model() / "model.toml").write_text(model[:first] + text + model[first + 19 :], encoding="utf-8")
    combination = bc.load(edited_model())
    expected = {
        "LHCbJES": bc.ErrorOnError(relative=0.3),
        "method": bc.ErrorOnError(relative=0.5, kind="independent"),
    }
    assert dict(combination.errors_on_errors) == expected
    assert bc.load(convert(edited_model(), tmp_path / "again")).errors_on_errors == combination.errors_on_errors
    with pytest.raises(OptionError, match="cannot be written to Convino"):
        convert(edited_model(), tmp_path / "convino.txt")
    assert run1.errors_on_errors == {}
    assert dict(combination.only(["CMS"]).errors_on_errors) == expected
    assert dict(one_source().without("m1").errors_on_errors)["s"].relative == 0.5


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        ("LHCBJES = 0.3", UnknownNameError, "LHCbJES"),
        ('LHCbJES = "much"', InvalidNumberError, "much"),
        ("LHCbJES = { value = 0.3 }", UnknownNameError, "relative"),
    ],
)
def test_wrong_entries_of_a_model_file_are_named(edited_model, text, error, match):
    model = (edited_model() / "model.toml").read_text(encoding="utf-8")
    first = model.index("[[assumption_sets]]")
    table = f"[errors_on_errors]\n{text}\n\n"
    (edited_model() / "model.toml").write_text(model[:first] + table + model[first:], encoding="utf-8")
    with pytest.raises(error, match=match):
        bc.load(edited_model())


@pytest.mark.slow
def test_command_line_shows_and_stores_the_sizes(run1_path, tmp_path, capsys):
    option = ["--error-on-error", "LHCbJES=0.3", "--error-on-error", "method=0.5"]
    assert main(["profile", str(run1_path), *option, "--json", str(tmp_path / "fit.json")]) == 0
    text = capsys.readouterr().out
    assert "errors on errors: LHCbJES 30.0 %, method 50.0 %" in " ".join(text.split())
    assert "size of LHCbJES" in text
    data = json.loads((tmp_path / "fit.json").read_text(encoding="utf-8"))
    assert data["errors_on_errors"]["LHCbJES"] == {"relative": 0.3, "kind": "common"}
    assert data["sizes"]["method"]["size"] < 1
    assert data["bartlett"]["m_t"]["up"] > 0 > data["bartlett"]["m_t"]["down"]
    assert main(["profile", str(run1_path), "--error-on-error", "LHCbJES"]) == 2
    assert "SOURCE=RELATIVE is needed" in capsys.readouterr().err


@pytest.mark.slow
def test_scan_and_summary_know_the_sizes(run1):
    combination = run1.with_errors_on_errors({"LHCbJES": 0.3})
    rows = {row.name: row for row in bc.scan(combination, points=2).rows}
    row = rows["LHCbJES"]
    ends = [bc.profile(combination, coefficients=at_end(combination, "LHCbJES", value)) for value in (row.low, row.high)]
    assert row.half_shift.item() == pytest.approx((ends[1].values - ends[0].values).item() / 2, abs=1e-9)
    assert row.half_error_shift.item() == pytest.approx((ends[1].errors - ends[0].errors).item() / 2, abs=1e-9)


def at_end(combination, name, value):
    coefficients = combination.assumption_set.coefficients
    return [value if c.name == name else c.nominal for c in coefficients]


@pytest.mark.slow
def test_extraction_fits_sizes_too():
    """By brute force over the size: the certain extraction with C scaled, and the penalty."""
    ttj = bc.load("models/ttj_rho").with_assumptions("jes_modelling")
    source, relative = "CMS jet energy resolution", 0.5
    uncertain = ttj.with_errors_on_errors({source: relative})
    fit, fitter = bc.profile(uncertain), Fitter(ttj)
    correlation, _ = fitter.correlation()
    sizes = Fitter(uncertain).sizes(correlation)
    factor = fit.sizes.sizes["size"].item()
    twice, rank = 1 / (2 * relative**2), fit.sizes.sizes["rank"].item()
    at_rest = (rank + twice) * (1 + np.log(twice / (rank + twice)))
    found = []
    for size in (0.9 * factor, factor, 1.1 * factor):
        certain = fitter.fit(scaled(correlation, sizes, np.array([size**2])), errors="hesse")
        found.append((certain.chi2 + (rank + twice) * np.log(size**2) + twice / size**2 - at_rest, certain.values[0]))
    assert fit.chi2 == pytest.approx(found[1][0], abs=1e-8)
    assert fit.values.sel(parameter="m_t").item() == pytest.approx(found[1][1], abs=1e-8)
    assert found[0][0] > found[1][0] < found[2][0]
    # The mass is not quite linear in the data, so that the two errors differ by a few per cent, as with certain sizes.
    certain = bc.profile(ttj)
    for key in ("up_errors", "down_errors"):
        ratios = [getattr(f, key).sel(parameter="m_t").item() / f.errors.sel(parameter="m_t").item() for f in (fit, certain)]
        assert ratios[0] == pytest.approx(ratios[1], abs=0.01)
