"""Numbers that a report gathers before it draws or writes."""

import numpy as np

import bayescomb as bc
from bayescomb.output.report.gathered.shapes import relative_impacts


def percent(combination):
    fit = bc.profile(combination)
    return relative_impacts(bc.impacts(combination), fit)


def test_impacts_in_percent_are_of_values_that_no_blinding_shifts():
    """Those of a shifted value would be wrong by a hidden factor."""
    measurements = tuple(
        bc.Measurement(
            name=name,
            estimates=(bc.Estimate(name=name, value=value, observables={name: 1.0}),),
            statistical_covariance=[[0.25]],
            nuisances=(bc.Nuisance(name=f"scale_{name}", source="scale"),),
            responses=[[0.5]],
        )
        for name, value in (("a", 10.0), ("b", -5.0))
    )
    combination = bc.Combination(
        name="two",
        measurements=measurements,
        observables=(bc.Observable(name="a"), bc.Observable(name="b")),
        sources=(bc.Source(name="scale", group="theory"),),
        assumption_sets={"none": bc.AssumptionSet(name="none")},
        assumptions="none",
    )
    seen = percent(combination)
    np.testing.assert_allclose(seen.sel(part="theory"), [5.0, 10.0])
    np.testing.assert_allclose(seen.sel(part="total"), np.sqrt(2) * np.array([5.0, 10.0]))
    assert percent(bc.blind(combination, "a phrase")) is None
