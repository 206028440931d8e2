"""A Convino set-up of the shape and size of a real one runs unchanged and gives the exact joint fit."""

import warnings

import numpy as np
import pytest
from real_shape import GROUPS, NUISANCES, real_shape

import bayescomb as bc
from bayescomb.errors import InputWarning


@pytest.fixture(scope="module", params=[False, True], ids=["as written", "with post-fit values"])
def shape(request):
    return real_shape(pulled=request.param)


@pytest.fixture(scope="module")
def combination(shape, tmp_path_factory):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InputWarning)
        combination = bc.load(shape.write(tmp_path_factory.mktemp("real")))
    said = "\n".join(str(w.message) for w in caught)
    # What the files hold beside their figures is warned of, each with its line: two of every group, two lines of prose.
    assert said.count("'= absolute'") == said.count("plus sign with nothing to add") == GROUPS
    assert said.count("is no entry and not read") == 2
    assert "second [end systematics]" in said
    assert "[systematics] is missing" in said
    assert len(caught) == 2 * GROUPS + 4
    return combination


def test_sizes_are_those_of_the_real_one(combination):
    sizes = bc.check(combination).sizes
    assert (sizes["measurements"], sizes["observables"], sizes["nuisances"]) == (3, 19, sum(NUISANCES.values()))
    assert (sizes["coefficients"], sizes["coefficients with a range"]) == (122, 82)
    assert len(combination.impact_groups) == GROUPS + 1
    assert set(combination.impact_groups) & {n.name for n in combination.nuisances}


def test_profile_is_the_exact_joint_fit(shape, combination):
    fit = bc.profile(combination)
    values, covariance, pulls, constraints = shape.joint()
    np.testing.assert_allclose(fit.values, values, rtol=1e-9)
    scale = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(fit.covariance / np.outer(scale, scale), covariance / np.outer(scale, scale), atol=1e-9)
    np.testing.assert_allclose(fit.pulls, pulls, atol=1e-8)
    np.testing.assert_allclose(fit.constraints, constraints, rtol=1e-8)
    # Measured once, a value moves only where an input's fit had moved what others share.
    moved = not np.allclose(values, np.concatenate(list(shape.values.values())), rtol=1e-9)
    assert moved == bool(shape.pulls.any())
