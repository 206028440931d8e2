"""The size of the real combination: memory, and answers that agree between the reduced and the full algebra."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from full_size import N_RANGES, full_size

import bayescomb as bc
from bayescomb.fit.fitter import Fitter

MEMORY = 500  # MB

SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import bayescomb as bc
from full_size import full_size
combination = full_size(shared=True)
bc.profile(combination), bc.impacts(combination, parts="held"), bc.scan(combination)
# not getrusage: it counts what the parent had when it forked
status = open("/proc/self/status").read().split()
print(int(status[status.index("VmHWM:") + 1]) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs the peak memory that Linux reports")
def test_profile_impacts_and_scans_stay_within_the_memory():
    arguments = [sys.executable, "-c", SCRIPT, str(Path(__file__).parent / "helpers")]
    found = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert int(found.stdout) < MEMORY


@pytest.fixture(scope="module")
def combination():
    return full_size(shared=True)


def test_constraints_above_one_are_kept_and_reported(combination):
    (widened,) = bc.check(combination).widened
    assert list(widened.constraints) == [f"B{i}" for i in range(4)]
    assert widened.negative >= 4
    # nothing else constrains what it is linked to when the inputs share no bin
    assert bc.profile(full_size()).constraints.sel(nuisance="B3").item() == pytest.approx(1.02, rel=1e-10)


@pytest.mark.slow
def test_scans_with_reduced_models_are_the_full_fits(combination):
    row = bc.scan(combination).rows[7]
    coefficients = Fitter(combination).family.nominal
    assert len(bc.scan(combination).rows) == N_RANGES
    for point in row.points[::5]:
        coefficients[7] = point.coefficients[row.name]
        fit = bc.profile(combination, coefficients=coefficients)
        np.testing.assert_allclose(point.values, fit.values, rtol=1e-10)
        np.testing.assert_allclose(point.errors, fit.errors, rtol=1e-9)
        assert point.chi2 == pytest.approx(fit.chi2 + fit.own_chi2, abs=1e-7)


def test_held_groups_are_conditional_covariances(combination):
    fitter = Fitter(combination)
    correlation, _ = fitter.correlation()
    fit = fitter.fit(correlation)
    members = combination.impact_groups["group 3"]
    refit = fitter.fit(correlation, held=fitter.hold(fit, correlation, members))
    short = fit.solution.errors_given([n in members for n in fit.nuisances])
    np.testing.assert_allclose(short, refit.errors, rtol=1e-8)
    np.testing.assert_allclose(refit.values, fit.values, rtol=1e-9)  # held where they were


def test_coefficients_of_one_and_minus_one_join_two_nuisances_into_one(combination):
    pulls = bc.profile(combination).pulls
    for index, sign in ((N_RANGES, 1), (N_RANGES + 1, -1)):
        first, second = (pulls.sel(nuisance=f"{side}{index}").item() for side in "AB")
        assert first == pytest.approx(sign * second, abs=1e-9)
