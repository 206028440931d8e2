"""Simulated data of a model with parameters and functions of them: truth, profile and cover of the functions."""

import numpy as np
import pytest
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import OptionError
from bayescomb.studies.toys import Toys


def combination(formula="1 - a - b"):
    def measured(name, value, error):
        return bc.Measurement(
            name=f"m {name}",
            estimates=(bc.Estimate(name=f"e {name}", value=value, observables={name: 1.0}),),
            statistical_covariance=[[error**2]],
            nuisances=(bc.Nuisance(name=f"n {name}"),),
            responses=[[0.5 * error]],
        )

    return bc.Combination(
        name="toys",
        measurements=(measured("a", 0.3, 0.05), measured("b", 0.5, 0.04), measured("c", 0.25, 0.03)),
        parameters=(bc.Parameter(name="b", prior=bc.ParameterPrior(shape="normal", mean=0.45, sd=0.1)),),
        observables=(bc.Observable(name="a"), bc.Observable(name="c", formula=formula)),
        derived=(bc.Observable(name="ratio", formula="a / b"),),
        assumption_sets={"none": bc.AssumptionSet(name="none")},
        assumptions="none",
    )


def test_functions_of_simulated_data_are_covered():
    toys = Toys(combination(), seed=3, correlations="nominal", posterior=False)
    records = [toys.analyse(i)["profile"] for i in range(150)]
    assert set(records[0]) == {"a", "b", "c", "ratio"}
    for name in ("a", "b", "c", "ratio"):
        truth, value, up, down = np.array([r[name] for r in records]).T
        assert np.ptp(truth) == 0
        inside = ((value + down <= truth) & (truth <= value + up)).mean()
        # five standard deviations of a frequency of 0.683
        assert inside == pytest.approx(0.683, abs=5 * np.sqrt(0.683 * 0.317 / len(records)))
    # the prior is data, so that it varies; c and ratio follow from a and b in each
    a, b, c, ratio = (np.array([r[name][1] for r in records]) for name in ("a", "b", "c", "ratio"))
    np.testing.assert_allclose(c, 1 - a - b, rtol=1e-12)
    np.testing.assert_allclose(ratio, a / b, rtol=1e-12)


def test_estimates_of_curved_formulas_are_not_simulated():
    with refused(OptionError, "formula that is not linear"):
        Toys(combination("1 - a * b"), seed=1, posterior=False)
