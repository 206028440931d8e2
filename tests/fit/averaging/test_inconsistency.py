"""Scale factors of PDG, Birge and CODATA on the published averages that are quoted with them."""

import dataclasses

import numpy as np
import pytest

import bayescomb as bc
from bayescomb.base.errors import OptionError
from bayescomb.cli.main import main
from bayescomb.output.averages import averages
from bayescomb.output.tables.averages import average_tables
from bayescomb.output.text.fit import profile_text

# Review of Particle Physics, charged-kaon mass in MeV: "493.677 +- 0.013 OUR AVERAGE, error includes scale factor of 2.4".
KAON = {
    "Denisov 91": (493.696, 0.007),
    "Gall 88": (493.636, 0.011),
    "Lum 81": (493.640, 0.054),
    "Barkov 79": (493.670, 0.029),
    "Cheng 75": (493.657, 0.020),
    "Backenstoss 73": (493.691, 0.040),
}
# CODATA 2014, Mohr, Newell and Taylor, RMP 88 (2016) 035009, table XV, in 1e-11 m^3/kg/s^2, with its two correlations;
# recommended 6.67408(31), "the uncertainties are multiplied by 6.3", so that every residual is below 2.  All but JILA-10
# were compared with lists of the inputs of CODATA 2018 and 2022, which have the same numbers (metafor's tests among them);
# JILA-10 was corrected in 2018 to 6.67260(25): 6.67234(14) and the two correlations rest on the result, which they give.
GRAVITY = {
    "NIST-82": (6.67248, 0.00043),
    "TR&D-96": (6.6729, 0.0005),
    "LANL-97": (6.67398, 0.00070),
    "UWash-00": (6.674255, 0.000092),
    "BIPM-01": (6.67559, 0.00027),
    "UWup-02": (6.67422, 0.00098),
    "MSL-03": (6.67387, 0.00027),
    "HUST-05": (6.67222, 0.00087),
    "UZur-06": (6.67425, 0.00012),
    "HUST-09": (6.67349, 0.00018),
    "JILA-10": (6.67234, 0.00014),
    "BIPM-14": (6.67554, 0.00016),
    "LENS-14": (6.67191, 0.00099),
    "UCI-14": (6.67435, 0.00013),
}
CORRELATED = {("NIST-82", "LANL-97"): 0.351, ("HUST-05", "HUST-09"): 0.134}


def average(given, *, name="x", correlated=None, more=()):
    """One measurement of all values: their covariance is that of its statistics."""
    labels = list(given)
    errors = np.array([error for _, error in given.values()])
    correlation = np.eye(len(given))
    for (a, b), r in (correlated or {}).items():
        i, j = labels.index(a), labels.index(b)
        correlation[i, j] = correlation[j, i] = r
    measurement = bc.Measurement(
        name="all",
        estimates=tuple(bc.Estimate(name=n, value=v, observables={name: 1.0}) for n, (v, _) in given.items()),
        statistical_covariance=correlation * np.outer(errors, errors),
    )
    return bc.Combination(
        name="average",
        measurements=(measurement, *more),
        observables=(
            bc.Observable(name=name),
            *(bc.Observable(name=o) for m in more for e in m.estimates for o in e.observables),
        ),
        assumption_sets={"none": bc.AssumptionSet(name="none")},
        assumptions="none",
    )


def arithmetic(given):
    x, s = np.array(list(given.values())).T
    w = s**-2
    mean = w @ x / w.sum()
    return mean, w.sum() ** -0.5, (w * (x - mean) ** 2).sum(), x, s


def test_charged_kaon_mass_of_the_particle_data_group():
    kaon = average(KAON, name="m_K")
    (found,) = bc.scale_factors(kaon)
    mean, error, chi2, x, s = arithmetic(KAON)
    ceiling = 3 * np.sqrt(6) * error
    assert found.left_out == tuple(n for n, (_, e) in KAON.items() if e > ceiling) == ("Lum 81",)
    _, _, precise, _, _ = arithmetic({n: v for n, v in KAON.items() if n != "Lum 81"})
    assert found.pdg == pytest.approx(np.sqrt(precise / 4), rel=1e-9)
    assert found.birge == pytest.approx(np.sqrt(chi2 / 5), rel=1e-9)
    assert found.codata == pytest.approx(np.max(np.abs(x - mean) / s) / 2, rel=1e-9)
    assert found.furthest == "Gall 88"
    fit = bc.scaled_profile(bc.profile(kaon), "pdg")
    # As printed: 493.677 +- 0.013, S = 2.4; without PDG's ceiling it were 2.1 and 0.012.
    assert (f"{fit.values.item():.3f}", f"{fit.errors.item():.3f}", f"{found.pdg:.1f}") == ("493.677", "0.013", "2.4")
    assert f"{found.birge:.1f}" == "2.1"


def test_gravitational_constant_of_codata_2014():
    combination = average(GRAVITY, name="G", correlated=CORRELATED)
    (found,) = bc.scale_factors(combination)
    assert found.furthest == "JILA-10"
    assert 6.2 < found.codata < 6.3  # CODATA multiplied by 6.3, the next tenth that leaves all residuals below 2
    assert abs(found.residual) / 6.3 < 2
    fit = bc.scaled_profile(bc.profile(combination), "codata")
    assert (f"{fit.values.item():.5f}", f"{fit.errors.item():.5f}") == ("6.67408", "0.00031")
    assert fit.errors.item() == pytest.approx(found.codata * bc.profile(combination).errors.item())


@pytest.mark.parametrize("rule", ["pdg", "birge", "codata"])
def test_a_factor_multiplies_everything_that_is_an_error(rule):
    kaon = average(KAON)
    plain = bc.profile(kaon)
    fit = bc.scaled_profile(plain, rule)
    factor = fit.scale.factors["x"]
    assert factor > 1.8
    for key in ("errors", "up_errors", "down_errors", "statistical_errors", "systematic_errors"):
        np.testing.assert_allclose(getattr(fit, key), factor * getattr(plain, key))
    np.testing.assert_allclose(fit.covariance, factor**2 * plain.covariance)
    assert (fit.values == plain.values).all()
    assert (fit.chi2, fit.p_value) == (plain.chi2, plain.p_value)
    # The same by scaling the inputs: their average has the same value, and errors times the factor.
    other = bc.profile(average({n: (v, factor * e) for n, (v, e) in KAON.items()}))
    assert (fit.values.item(), fit.errors.item()) == pytest.approx((other.values.item(), other.errors.item()))


def test_inputs_that_agree_keep_their_errors():
    agree = average({"a": (10.0, 1.0), "b": (10.5, 1.0), "c": (9.8, 2.0)})
    (found,) = bc.scale_factors(agree)
    assert found.birge < 1
    assert [found.applied(rule) for rule in ("pdg", "birge", "codata")] == [1.0, 1.0, 1.0]
    assert not bc.scale_factors(average({"a": (10.0, 1.0)}))  # nothing to test


def test_observables_that_nothing_links_have_factors_of_their_own():
    other = bc.Measurement(
        name="y",
        estimates=tuple(bc.Estimate(name=n, value=v, observables={"y": 1.0}) for n, v in (("y1", 1.0), ("y2", 1.1))),
        statistical_covariance=np.eye(2),
    )
    base = average(KAON)
    both = dataclasses.replace(
        base, measurements=(*base.measurements, other), observables=(*base.observables, bc.Observable(name="y"))
    )
    found = {f.results: f for f in bc.scale_factors(both)}
    assert found[("x",)].pdg == pytest.approx(bc.scale_factors(base)[0].pdg)
    assert found[("y",)].pdg == 1.0
    fit = bc.scaled_profile(bc.profile(both), "pdg")
    assert dict(fit.scale.factors) == {"x": pytest.approx(found[("x",)].pdg), "y": 1.0}


def test_errors_on_errors_are_the_other_way_and_not_scaled(run1):
    uncertain = run1.with_errors_on_errors({"LHCbJES": 0.3})
    assert bc.scale_factors(uncertain)[0].birge == pytest.approx(bc.scale_factors(run1)[0].birge)
    with pytest.raises(OptionError, match="errors on errors"):
        bc.scaled_profile(bc.profile(uncertain), "pdg")
    with pytest.raises(OptionError, match="already"):
        bc.scaled_profile(bc.scaled_profile(bc.profile(run1), "birge"), "pdg")


KAON_MODEL = """
format = 1
name = "kaon"
observables = [{ name = "m_K", unit = "MeV" }]
assumption_sets = [{ name = "none" }]
"""


def test_the_command_line_scales_only_where_asked_and_says_so(tmp_path, capsys):
    rows = "".join(
        f'\n[[measurements]]\nname = "{n}"\nestimates = [{{ name = "{n}", value = {v}, observable = "m_K" }}]\n'
        f"statistical = [{e}]\n"
        for n, (v, e) in KAON.items()
    )
    (tmp_path / "model.toml").write_text(KAON_MODEL + rows)
    assert main(["profile", str(tmp_path)]) == 0
    plain = capsys.readouterr().out
    assert "m_K = 493.6766 +- 0.0055 MeV" in plain
    assert "multiplied" not in plain
    assert main(["profile", str(tmp_path), "--scale-factor", "pdg"]) == 0
    scaled = capsys.readouterr().out
    assert "m_K = 493.677 +- 0.013 MeV" in scaled
    assert "multiplied by PDG's scale factor S: m_K 2.37" in " ".join(scaled.split())
    assert main(["table", str(tmp_path), "--of", "scale"]) == 0
    table = capsys.readouterr().out
    assert "2.37" in table
    assert "Lum 81" in table
    assert main(["table", str(tmp_path)]) == 0
    assert "scale factor S" in capsys.readouterr().out


def test_parts_by_source_are_scaled_with_the_errors_and_a_report_takes_none(tmp_path):
    kaon = average(KAON)
    found = averages(bc.profile(kaon), of=["breakdown", "sources"], scale="birge")
    total = found.covariances.sel(part="total").item()
    assert total == pytest.approx(found.fit.covariance.item())
    tables = average_tables(found, of=["breakdown", "sources"])
    assert tables["breakdown"].rows[-4]["result[x]"] == pytest.approx(found.fit.errors.item())
    for refused in (lambda fit: bc.report(None, fit, tmp_path / "r"), lambda fit: bc.export_hepdata(fit, tmp_path / "e")):
        with pytest.raises(OptionError, match="multiplied by a scale factor"):
            refused(found.fit)


def test_python_text_names_the_rule():
    assert "expansion factor of CODATA: x 1.85" in profile_text(bc.scaled_profile(bc.profile(average(KAON)), "codata"))


def test_formulas_link_what_they_are_functions_of():
    """With a = 10, b = 4, a - b = 9, each +- 1: chi2 = 3^2 / 3, residuals of 1 each, and var / sigma^2 = 2 / 3 of each."""
    values = {"a": 10.0, "b": 4.0, "difference": 9.0}
    measurement = bc.Measurement(
        name="m",
        estimates=tuple(bc.Estimate(name=f"e {n}", value=v, observables={n: 1.0}) for n, v in values.items()),
        statistical_covariance=np.eye(3),
    )
    combination = bc.Combination(
        name="difference",
        measurements=(measurement,),
        observables=(bc.Observable(name="a"), bc.Observable(name="b"), bc.Observable(name="difference", formula="a - b")),
        assumption_sets={"nominal": bc.AssumptionSet(name="nominal")},
        assumptions="nominal",
    )
    (found,) = bc.scale_factors(combination)
    assert found.results == ("a", "b", "difference")
    assert (found.chi2, found.ndf, found.pdg, abs(found.residual)) == pytest.approx((3.0, 1, np.sqrt(3.0), 1.0))
    np.testing.assert_allclose(np.diag(bc.information_weights(combination).table["intrinsic"]), 2 / 3)
    assert average_tables(averages(bc.profile(combination)))


def test_curved_formulas_of_as_many_parameters_are_averages_of_each():
    """Two numbers each of s = p q and t = p + 2 q are the averages of s and of t, as p and q can adapt to both."""
    given = {"s": (7.0, 8.0), "t": (7.5, 9.0)}
    measurement = bc.Measurement(
        name="m",
        estimates=tuple(
            bc.Estimate(name=f"{n}{i}", value=v, observables={n: 1.0})
            for n, pair in given.items()
            for i, v in enumerate(pair)
        ),
        statistical_covariance=np.diag([0.25, 0.25, 1.0, 1.0]),
    )
    combination = bc.Combination(
        name="curved",
        measurements=(measurement,),
        parameters=(bc.Parameter(name="p", start=3.0), bc.Parameter(name="q", start=2.5)),
        observables=(bc.Observable(name="s", formula="p * q"), bc.Observable(name="t", formula="p + 2 * q")),
        assumption_sets={"nominal": bc.AssumptionSet(name="nominal")},
        assumptions="nominal",
    )
    (found,) = bc.scale_factors(combination)
    # (0.5 / 0.5)^2 twice, (0.75 / 1)^2 twice
    assert (found.chi2, found.ndf, abs(found.residual)) == pytest.approx((3.125, 2, 1.0), rel=1e-5)
    np.testing.assert_allclose(bc.information_weights(combination).table["intrinsic"].sel(parameter="s")[:2], 0.5, rtol=1e-5)


def test_the_prior_of_a_parameter_is_one_of_the_inputs():
    """Of s = 2 p = 7 +- 1 with p = 3 +- 2: chi2 = 1^2 / (1 + 4^2), and s is nearly all in its own measurement."""
    measurement = bc.Measurement(
        name="m",
        estimates=(bc.Estimate(name="e", value=7.0, observables={"s": 1.0}),),
        statistical_covariance=np.eye(1),
    )
    combination = bc.Combination(
        name="prior",
        measurements=(measurement,),
        parameters=(bc.Parameter(name="p", prior=bc.ParameterPrior(shape="normal", mean=3.0, sd=2.0)),),
        observables=(bc.Observable(name="s", formula="2 * p"),),
        assumption_sets={"nominal": bc.AssumptionSet(name="nominal")},
        assumptions="nominal",
    )
    (found,) = bc.scale_factors(combination)
    assert (found.results, found.ndf) == (("s",), 1)
    assert found.chi2 == pytest.approx(1 / 17)
    # weights 16 / 17 and 1 / 17 of s = 7 and 6: the prior is 16 / 17 of 1 from s / 2, with an error of 2
    assert abs(found.residual) == pytest.approx(16 / 17 / 2 / 2)
