"""Profiles of formulas that call curves: against an extraction and an independent minimiser, and at the ends of tables."""

import dataclasses

import numpy as np
import pytest
from iminuit import Minuit
from refusals import refused
from scipy.interpolate import CubicSpline

import bayescomb as bc
from bayescomb.base.errors import FitError, FormulaError, RangeError
from bayescomb.inputs.theory.predictions import Variant

MASSES = (165.0, 168.0, 171.0, 174.0, 177.0, 180.0)
# Cross sections in pb that fall by 3 % per GeV, and grow with alpha_s, by 8 and 13 TeV.
AT_8 = tuple(245.0 * np.exp(-0.030 * (m - 172.5) + 0.0005 * (m - 172.5) ** 2) for m in MASSES)
AT_13 = tuple(830.0 * np.exp(-0.027 * (m - 172.5) + 0.0004 * (m - 172.5) ** 2) for m in MASSES)
SLOPES = {"sigma_8": 21.0, "sigma_13": 14.0}  # relative, per unit of alpha_s
VALUES, STATISTICAL, LUMI = {"sigma_8": 250.0, "sigma_13": 838.0}, {"sigma_8": 3.0, "sigma_13": 8.0}, 0.018


def curves(**options):
    units = {"argument_unit": "GeV", "unit": "pb"}
    return (
        bc.Curve(name="table 8", x=MASSES, y=AT_8, **units, **options),
        bc.Curve(name="table 13", x=MASSES, y=AT_13, **units, **options),
    )


def cross_sections(*, prior=None, values=VALUES, formulas=None, **fields):
    """Two cross sections as functions of m_t and alpha_s from one pair of tables; their ratio is derived."""
    measurements = tuple(
        bc.Measurement(
            name=name,
            estimates=(bc.Estimate(name=f"measured {name}", value=value, observables={name: 1.0}),),
            statistical_covariance=[[STATISTICAL[name] ** 2]],
            nuisances=(bc.Nuisance(name=f"lumi {name}"),),
            responses=[[LUMI * value]],
        )
        for name, value in values.items()
    )
    written = {name: f"`table {name[6:]}`(m_t) * (1 + {slope} * (alpha_s - 0.118))" for name, slope in SLOPES.items()}
    parameters = (bc.Parameter(name="m_t", unit="GeV"), bc.Parameter(name="alpha_s", prior=prior))
    return bc.Combination(
        name="cross sections",
        measurements=measurements,
        observables=tuple(bc.Observable(name=n, unit="pb", formula=f) for n, f in (formulas or written).items()),
        derived=(bc.Observable(name="ratio", formula="sigma_13 / sigma_8"),),
        assumption_sets={"none": bc.AssumptionSet(name="none")},
        assumptions="none",
        **{"curves": curves(), "parameters": parameters, **fields},
    )


def test_mass_and_coupling_come_from_one_pair_of_tables():
    """Two numbers for two unknowns: the curves meet the data, and errors are those of an independent minimiser."""
    fit = bc.profile(cross_sections())
    assert fit.chi2 == pytest.approx(0.0, abs=1e-9)
    splines = {"sigma_8": CubicSpline(MASSES, AT_8), "sigma_13": CubicSpline(MASSES, AT_13)}

    def chi2(m_t, alpha_s):
        total = 0.0
        for name, spline in splines.items():
            predicted = float(spline(m_t)) * (1 + SLOPES[name] * (alpha_s - 0.118))
            variance = STATISTICAL[name] ** 2 + (LUMI * VALUES[name]) ** 2
            total += (predicted - VALUES[name]) ** 2 / variance
        return total

    minuit = Minuit(chi2, m_t=172.0, alpha_s=0.118)
    minuit.tol, minuit.strategy = 1e-7, 2
    minuit.migrad().hesse().minos()
    for name in ("m_t", "alpha_s"):
        at = {"parameter": name}
        size = float(fit.errors.sel(at))
        assert float(fit.values.sel(at)) == pytest.approx(minuit.values[name], abs=1e-4 * size)
        assert float(fit.up_errors.sel(at)) == pytest.approx(minuit.merrors[name].upper, rel=1e-3)
        assert float(fit.down_errors.sel(at)) == pytest.approx(minuit.merrors[name].lower, rel=1e-3)
    assert float(fit.values.sel(parameter="ratio")) == pytest.approx(838 / 250, rel=1e-9)


def test_it_is_the_extraction_of_the_mass_where_that_is_a_table_and_nothing_else():
    """Without uncertainties of the theory, the fourth-degree polynomials of the bins are curves of m_t."""
    ttj_rho = bc.load("models/ttj_rho")
    prediction = next(p for p in ttj_rho.predictions if p.name == "13 TeV")
    pdf, scale = "PDF4LHC21_40_pdfas", "ht2"
    extraction = bc.Extraction(
        name="plain",
        distributions={"13 TeV": "absolute"},
        pdf=bc.PdfChoice(set=pdf),
        scales=bc.ScaleChoice(choice=scale),
        numerical_errors=False,
        rate_errors=False,
    )
    extracted = ttj_rho.with_extraction(extraction)
    table = prediction.curve(Variant(pdf, 0, scale, 1.0, 1.0)) / prediction.divisors
    written = dataclasses.replace(
        extracted,
        extraction="",
        extractions={},
        predictions=(),
        parameters=(bc.Parameter(name="m_t", unit="GeV"),),
        curves=tuple(
            bc.Curve(name=f"table {o}", x=tuple(prediction.masses), y=tuple(y), kind="polynomial", degree=4)
            for o, y in zip(prediction.observables, table.T, strict=True)
        ),
        observables=tuple(dataclasses.replace(o, formula=f"`table {o.name}`(m_t)") for o in extracted.observables),
    )
    first, second = bc.profile(extracted), bc.profile(written)
    assert second.chi2 == pytest.approx(first.chi2, rel=1e-9)
    for name in ("values", "errors", "up_errors", "down_errors"):
        ours, theirs = (getattr(fit, name).sel(parameter="m_t").item() for fit in (second, first))
        assert ours == pytest.approx(theirs, rel=1e-5 if name != "values" else 1e-8)
    assert second.error_parts("m_t")["stat"] == pytest.approx(first.error_parts("m_t")["stat"], rel=1e-6)


def one_mass(values=VALUES, **fields):
    """The mass and the ratio of two predictions, with a prior of alpha_s."""
    sigma_8 = "`table 8`(m_t) * (1 + 21 * (alpha_s - 0.118))"
    formulas = {"sigma_8": sigma_8, "sigma_13": "sigma_8 * `table 13`(m_t) / `table 8`(m_t)"}
    prior = bc.ParameterPrior(shape="normal", mean=0.118, sd=0.001)
    return cross_sections(prior=prior, values=values, formulas=formulas, **fields)


def test_the_range_of_a_curve_is_that_of_its_parameter():
    assert one_mass().bounds == {"m_t": (165.0, 180.0)}
    assert one_mass(curves=curves(beyond="straight")).bounds == {}
    other = bc.Curve(name="table 13", x=(-180.0, -170.0, -160.0, -150.0), y=(4.0, 3.0, 2.0, 1.0))
    formulas = {"sigma_8": "`table 8`(m_t + 1)", "sigma_13": "`table 13`(180 - 2 * m_t)"}
    parameters = (bc.Parameter(name="m_t"),)
    shifted = cross_sections(formulas=formulas, parameters=parameters, curves=(curves()[0], other))
    # 165 < m_t + 1 < 180, and -180 < 180 - 2 m_t < -150
    assert shifted.bounds == {"m_t": (165.0, 179.0)}


def test_a_mass_beyond_the_table_is_refused_and_an_interval_ends_with_it():
    low = {"sigma_8": 350.0, "sigma_13": 1110.0}
    with refused(FitError, "'m_t' runs to the end of its range, 165 to 180"):
        bc.profile(one_mass(values=low))
    far = bc.profile(one_mass(values=low, curves=curves(beyond="straight")))
    assert 155 < far.values.sel(parameter="m_t").item() < 165
    near = bc.profile(one_mass(values={"sigma_8": 314.5, "sigma_13": 1035.0}))
    value, down = (x.sel(parameter="m_t").item() for x in (near.values, near.down_errors))
    assert value + down == pytest.approx(165.0, abs=1e-9)


def test_a_curve_that_rises_and_falls_has_a_minimum_on_each_side():
    parabola = bc.Curve(name="hill", x=(0.0, 1.0, 2.0, 3.0, 4.0), y=(0.0, 3.0, 4.0, 3.0, 0.0))
    measured = bc.Measurement(
        name="m",
        estimates=(bc.Estimate(name="e", value=3.0, observables={"y": 1.0}),),
        statistical_covariance=[[0.01]],
    )
    given = bc.Combination(
        name="hill",
        measurements=(measured,),
        parameters=(bc.Parameter(name="x"),),
        observables=(bc.Observable(name="y", formula="hill(x)"),),
        curves=(parabola,),
        assumption_sets={"none": bc.AssumptionSet(name="none")},
        assumptions="none",
    )
    fit = bc.profile(given)
    both = sorted([fit.values.sel(parameter="x").item(), fit.other_minima.sel(parameter="x").item()])
    np.testing.assert_allclose(both, [1.0, 3.0], rtol=1e-6)


def test_ranges_that_do_not_do_are_refused():
    with refused(FormulaError, "curve 'table 8' ends, and its argument m_t + alpha_s is not linear in one parameter"):
        cross_sections(formulas={"sigma_8": "`table 8`(m_t + alpha_s)", "sigma_13": "`table 13`(m_t)"},
                       curves=tuple(dataclasses.replace(c, argument_unit="") for c in curves()))  # fmt: skip
    far = bc.Curve(name="table 13", x=(180.0, 181.0, 182.0, 183.0), y=(4.0, 3.0, 2.0, 1.0))
    with refused(RangeError, "'table 13' has values for m_t from 180 to 183, another from 165 to 180", "points in common"):
        cross_sections(curves=(curves()[0], far))
    prior = bc.ParameterPrior(shape="uniform", low=160.0, high=175.0)
    with refused(RangeError, "'m_t' is uniform from 160 to 175", "from 165 to 180", "narrow the prior"):
        cross_sections(parameters=(bc.Parameter(name="m_t", prior=prior), bc.Parameter(name="alpha_s")))
