"""Results of some of the inputs, and parts by source, of the Run 1 mass combination against plain numpy."""

import dataclasses

import numpy as np
import pytest
from run1_blue import blue, run1_inputs

import bayescomb as bc
from bayescomb.base.errors import OptionError, UnknownNameError
from bayescomb.inputs.some_estimates import matching_groups, with_estimates

CHANNELS = {"dilepton": ["*dilepton*"], "l+jets": ["*lepton+jets*"], "all-jets": ["*all-jets*"]}


@pytest.fixture(scope="module")
def published():
    inputs = run1_inputs()
    return inputs, inputs.statistical + sum(inputs.systematic.values())


def part(published, keep):
    inputs, covariance = published
    return blue(inputs.values[keep], covariance[np.ix_(keep, keep)])


def test_without_each_input(run1, published):
    found = bc.without_each(run1)
    labels = published[0].labels
    whole = part(published, list(range(15)))
    assert [row.name for row in found.rows] == labels
    for i, row in enumerate(found.rows):
        rest = part(published, [k for k in range(15) if k != i])
        assert (row.values.item(), row.errors.item(), row.chi2) == pytest.approx((rest.value, rest.error, rest.chi2))
        shift, error = (x.item() for x in found.shift(row))
        assert shift == pytest.approx(rest.value - whole.value, abs=1e-9)
        # Var(a - b) with all weights written out: the combination of all is uncorrelated with the difference.
        weights = np.insert(rest.weights, i, 0.0) - whole.weights
        assert error == pytest.approx(np.sqrt(weights @ published[1] @ weights), rel=1e-6)


def test_experiments_alone_are_the_published_ones_and_together_a_fit_of_two_masses(run1, published):
    """PRL 132 (2024) 261902: ATLAS 172.71 +- 0.48, CMS 172.52 +- 0.42, from inputs with more digits."""
    found = bc.group_results(run1)
    atlas, cms = found.alone
    assert (atlas.values.item(), atlas.errors.item()) == pytest.approx((172.71, 0.48), abs=0.015)
    assert (cms.values.item(), cms.errors.item()) == pytest.approx((172.52, 0.42), abs=0.015)
    inputs, covariance = published
    design = np.array([[e == "ATLAS", e == "CMS"] for e in inputs.experiments], dtype=float)
    inverse = np.linalg.inv(covariance)
    two = np.linalg.inv(design.T @ inverse @ design)
    masses = two @ design.T @ inverse @ inputs.values
    assert [row.values.item() for row in found.together] == pytest.approx(masses.tolist())
    assert [row.errors.item() for row in found.together] == pytest.approx(np.sqrt(np.diag(two)).tolist())
    assert found.correlation.sel(result="m_t [ATLAS]", result_b="m_t [CMS]").item() == pytest.approx(
        two[0, 1] / np.sqrt(two[0, 0] * two[1, 1])
    )
    # One mass for both: the square of their difference in units of its error.
    spread = two[0, 0] + two[1, 1] - 2 * two[0, 1]
    assert (found.chi2, found.ndf) == (pytest.approx((masses[0] - masses[1]) ** 2 / spread, abs=1e-9), 1)


def test_channels_by_their_titles(run1, published):
    found = bc.group_results(run1, CHANNELS)
    titles = [e.title for e in run1.estimates]
    keep = [i for i, title in enumerate(titles) if "dilepton" in title]
    assert found.groups["dilepton"] == tuple(run1.estimates[i].name for i in keep)
    expected = part(published, keep)
    assert (found.alone[0].values.item(), found.alone[0].errors.item()) == pytest.approx((expected.value, expected.error))
    assert found.ndf == 2


def test_groups_that_are_none_are_refused(run1):
    with pytest.raises(UnknownNameError, match="matches no estimate"):
        matching_groups(run1, {"x": ["*tau*"]})
    with pytest.raises(OptionError, match="is in 'a' and 'b'"):
        matching_groups(run1, {"a": ["*7 TeV"], "b": ["ATLAS*"]})


def test_compatibility_of_experiments(run1, published):
    """ATLAS against CMS: the chi2 of six estimates about what the other nine predict for them."""
    inputs, covariance = published
    ours = [i for i, e in enumerate(inputs.experiments) if e == "ATLAS"]
    rest = [i for i in range(15) if i not in ours]
    inverse = np.linalg.inv(covariance[np.ix_(rest, rest)])
    other = blue(inputs.values[rest], covariance[np.ix_(rest, rest)])
    gain = covariance[np.ix_(ours, rest)] @ inverse
    predicted = other.value + gain @ (inputs.values[rest] - other.value)
    slope = 1 - gain.sum(axis=1)
    spread = covariance[np.ix_(ours, ours)] - gain @ covariance[np.ix_(rest, ours)]
    spread += np.outer(slope, slope) * other.error**2
    residual = inputs.values[ours] - predicted
    row = bc.compatibility(run1, by="experiment")[0]
    assert (row.name, row.by, row.ndf) == ("ATLAS", "experiment", 6)
    assert row.chi2 == pytest.approx(residual @ np.linalg.solve(spread, residual), abs=1e-8)


def test_parts_by_source_are_weights_times_covariances(run1, published):
    inputs, covariance = published
    weights = blue(inputs.values, covariance).weights
    found = bc.source_covariances(run1).sel(parameter="m_t", parameter_b="m_t")
    for name, matrix in {"statistics": inputs.statistical, **inputs.systematic}.items():
        assert float(found.sel(part=name)) == pytest.approx(weights @ matrix @ weights, abs=1e-12), name
    parts = found.sel(part=[p for p in found["part"].to_numpy() if p != "total"])
    assert float(parts.sum()) == pytest.approx(float(found.sel(part="total")))


def test_covariances_by_source_of_two_results_add_up():
    shared = bc.Nuisance(name="jets", source="jets"), bc.Nuisance(name="lumi", source="lumi")
    estimates = tuple(
        bc.Estimate(name=n, value=v, observables={o: 1.0})
        for n, v, o in (("a", 10.0, "x"), ("b", 12.0, "x"), ("c", 5.0, "y"))
    )
    responses = np.array([[1.0, 0.5], [-0.4, 0.6], [0.3, 0.25]])
    measurement = bc.Measurement(
        name="m", estimates=estimates, statistical_covariance=np.diag([1.0, 2.0, 0.5]), nuisances=shared, responses=responses
    )
    combination = bc.Combination(
        name="two",
        measurements=(measurement,),
        observables=(bc.Observable(name="x"), bc.Observable(name="y")),
        sources=(bc.Source(name="jets"), bc.Source(name="lumi")),
        assumption_sets={"none": bc.AssumptionSet(name="none")},
        assumptions="none",
    )
    found, fit = bc.source_covariances(combination), bc.profile(combination)
    w = fit.weights.to_numpy()
    for i, name in enumerate(("jets", "lumi")):
        shift = w @ responses[:, i]
        np.testing.assert_allclose(found.sel(part=name), np.outer(shift, shift), atol=1e-12)
    np.testing.assert_allclose(found.sel(part="total"), fit.covariance, rtol=1e-9)
    np.testing.assert_allclose(found.sum("part") - found.sel(part="total"), fit.covariance, rtol=1e-9)


def test_an_extraction_without_an_input_does_not_compare_its_bins():
    """The prediction of bins that nothing measures is left out; the whole of an energy as its measurement."""
    combination = bc.load("models/ttj_rho")
    found = bc.without_each(combination, by="experiment")
    alone = bc.profile(combination.without("ATLAS 8 TeV"))
    row = next(row for row in found.rows if row.name == "ATLAS")
    assert row.values.item() == pytest.approx(alone.values.sel(parameter="m_t").item(), rel=1e-9)
    # One bin: the same as dropping it from the comparison.
    bin_name = combination.estimates[0].name
    dropped = bc.without_each(combination.without("CMS 13 TeV"), by="estimate").rows[0]
    extraction = combination.without("CMS 13 TeV").extraction_in_force
    observable = next(iter(combination.estimates[0].observables))
    expected = bc.profile(
        combination.without("CMS 13 TeV").with_extraction(dataclasses.replace(extraction, drop=(observable,)))
    )
    assert dropped.name == bin_name
    assert dropped.values.item() == pytest.approx(expected.values.sel(parameter="m_t").item(), rel=1e-9)


def test_derived_quantities_stay_where_an_observable_of_their_formula_goes():
    """Without the estimates of s = p q the ratio s / t is p q / (p + 2 q), of what those of t and p tell."""
    given = {"s": 7.5, "t": 8.0, "p": 3.0}
    measurement = bc.Measurement(
        name="m",
        estimates=tuple(bc.Estimate(name=f"e {n}", value=v, observables={n: 1.0}) for n, v in given.items()),
        statistical_covariance=np.eye(3) / 4,
    )
    combination = bc.Combination(
        name="c",
        measurements=(measurement,),
        parameters=(bc.Parameter(name="a", start=3.0), bc.Parameter(name="q", start=2.5)),
        observables=(
            bc.Observable(name="s", formula="a * q"),
            bc.Observable(name="t", formula="a + 2 * q"),
            bc.Observable(name="p", formula="a"),
        ),
        derived=(bc.Observable(name="ratio", formula="s / t"), bc.Observable(name="half", formula="ratio / 2")),
        assumption_sets={"nominal": bc.AssumptionSet(name="nominal")},
        assumptions="nominal",
    )
    fit = bc.profile(with_estimates(combination, ["e t", "e p"]))
    assert fit.values.sel(parameter="ratio").item() == pytest.approx(3 * 2.5 / 8)
    assert fit.values.sel(parameter="half").item() == pytest.approx(3 * 2.5 / 16)
