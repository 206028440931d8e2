"""What is sampled, held, restricted and repaired under each treatment."""

import numpy as np
import pytest
from combinations import star

import bayescomb as bc
from bayescomb.base.errors import InfeasibleCorrelationError, OptionError
from bayescomb.likelihood.feasible_ranges import feasibility_statements
from bayescomb.sampling.plan import sampling_plan


@pytest.fixture(scope="module")
def combination():
    return bc.load("models/run1_mass")


def test_covariance_treatment_samples_all_nineteen_over_their_whole_ranges(combination):
    plan = sampling_plan(combination)
    assert len(plan.sampled) == 19
    assert not plan.radial
    assert plan.base.shape == (15, 15)
    assert [(c.low, c.high) for c in plan.coefficients] == list(zip(plan.low, plan.high, strict=True))
    assert plan.statements[0].status == "box"


def test_total_covariance_is_positive_definite_at_every_corner_that_was_tried(combination):
    """The certificate says the whole box is feasible; random corners must agree."""
    plan = sampling_plan(combination)
    corners = np.where(np.random.default_rng(1).random((2000, 19)) < 0.5, plan.low, plan.high)
    total = plan.base + np.tensordot(corners, plan.patterns, axes=1)
    assert np.linalg.eigvalsh(total).min() > 0


def test_nuisance_treatment_without_repair_names_the_blocks(combination):
    with pytest.raises(InfeasibleCorrelationError, match=r"LHCJES2.*ptmiss.*LHCrad.*PDF.*bkgMC.*other.*repair"):
        sampling_plan(combination.with_treatment("nuisance"))


def test_nuisance_treatment_restricts_holds_and_repairs(combination):
    plan = sampling_plan(combination.with_treatment("nuisance", repair="nearest"))
    bounds = {c.name: (low, high) for c, low, high in zip(plan.coefficients, plan.low, plan.high, strict=True)}
    assert bounds["LHCbJES"] == (0.5, 1.0)
    # trigger: three pairs of nuisances fully correlated two by two inside ATLAS, nine independent ones in CMS
    assert bounds["trigger"] == pytest.approx((-1 / 6, 1 / 6), abs=1e-6)
    assert {r.block.split()[0] for r in plan.repairs} == {"LHCJES2", "ptmiss", "LHCrad", "PDF", "bkgMC", "other"}
    held = {c.name for c in plan.family.coefficients} - set(bounds)
    assert held == {"LHCJES2", "LHClJES", "JER", "ptmiss", "LHCrad", "PDF", "bkgMC"}
    eigenvalues = [np.linalg.eigvalsh(plan.correlation(np.array([r]))[0])[0] for r in (plan.low, plan.initial, plan.high)]
    assert min(eigenvalues) > -1e-7


def test_shared_coefficient_is_cut_at_one_over_root_n():
    plan = sampling_plan(star(8, shared=True, low=0.0, high=0.5, nominal=0.25))
    assert plan.high[0] == pytest.approx(1 / np.sqrt(8), abs=1e-6)
    statement = plan.statements[0]
    assert statement.share == pytest.approx(np.sqrt(2) / 2, abs=1e-6)
    assert "70.7 %" in statement.text


def test_ranges_are_told_per_block():
    statements = {s.label: s for s in feasibility_statements(star(3, low=0.25, high=0.75, nominal=0.5, shared=True))}
    block = next(s for label, s in statements.items() if label != "total covariance")
    assert block.feasible_high[0] == pytest.approx(1 / np.sqrt(3), abs=1e-6)
    # statistics of 0.25 and nuisances of 1: the total is 0.25 + C, so its smallest eigenvalue is 1.25 - sqrt(3) r
    assert statements["total covariance"].feasible_high[0] == pytest.approx(1.25 / np.sqrt(3), abs=1e-6)


def test_nominal_correlations_sample_nothing(combination):
    plan = sampling_plan(combination, correlations="nominal")
    assert len(plan.sampled) == 0
    assert len(plan.kept) == 0
    with pytest.raises(OptionError, match="always"):
        sampling_plan(combination, correlations="always")


def test_fixed_prior_is_scanned_but_not_sampled():
    combination = star(2, prior="fixed")
    assert len(sampling_plan(combination).sampled) == 0
    assert len(bc.scan(combination).rows) == 2
