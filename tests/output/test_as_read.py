"""What a model leaves unsaid is said by ``check``, a line for each kind."""

import dataclasses

import numpy as np
import pytest

import bayescomb as bc
from bayescomb.output.text.check import assumption_lines, check_text


@pytest.fixture
def model():
    """Two measurements: uncorrelated statistics with one lognormal and one two-sided shift, and a covariance."""
    first = bc.Measurement(
        name="first",
        experiment="A",
        estimates=[bc.Estimate(name=f"a{o}", value=10.0, observables={o: 1.0}) for o in "xy"],
        statistical_covariance=np.eye(2),
        nuisances=[bc.Nuisance(name="n", source="JES", response="lognormal"), bc.Nuisance(name="m")],
        responses=[[1.0, 1.0], [1.0, 2.0]],
        down_responses=[[-1.0, -0.5], [-1.0, -2.0]],
    )
    second = dataclasses.replace(
        first,
        name="second",
        experiment="B",
        estimates=[bc.Estimate(name=f"b{o}", value=10.0, observables={o: 1.0}) for o in "xy"],
        statistical_covariance=[[1.0, 0.5], [0.5, 1.0]],
        nuisances=[bc.Nuisance(name="k", source="JES")],
        responses=[[1.0], [1.0]],
        down_responses=None,
    )
    coefficients = [
        bc.CorrelationCoefficient(name=name, pairs=[bc.CorrelationPair(first="n", second="k")], nominal=0.1, **more)
        for name, more in (("c", {"low": 0.0, "high": 0.5}),)
    ]
    return bc.Combination(
        name="model",
        measurements=[first, second],
        observables=[bc.Observable(name="x", unit="pb"), bc.Observable(name="y")],
        sources=[bc.Source(name="JES")],
        assumption_sets={"s": bc.AssumptionSet(name="s", coefficients=coefficients)},
        assumptions="s",
    )


def test_every_assumption_is_a_line(model):
    assert assumption_lines(model) == [
        "observables: flat priors; 1 in pb; no unit stated of y",
        "statistics: uncorrelated between measurements; inside one: uncorrelated in first; by its covariance in second",
        (
            "nuisances: normal priors of unit width; responses: 1 lognormal, 2 absolute; -1 sigma does the opposite of +1 "
            "sigma, except for 1 nuisance"
        ),
        "sizes of the uncertainties: exact",
        "priors of the coefficients: 1 uniform over the range",
    ]


def test_check_prints_them(model):
    text = check_text(bc.check(model))
    for line in assumption_lines(model):
        assert f"  {line}" in text


def test_extraction_out_of_force_is_said_and_in_force_its_priors():
    model = bc.load("models/ttj_rho")
    assert "prior of m_t: flat over the masses of the tables, 165 to 180 GeV" in assumption_lines(model)
    outside = assumption_lines(model.with_extraction(""))
    assert any(line.startswith("extraction: none in force; defined: ") for line in outside)
