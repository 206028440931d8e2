"""A Convino set-up of the shape and size of a real one runs unchanged and gives the exact joint fit."""

import dataclasses
import warnings

import numpy as np
import pytest
from real_shape import CHAINS, GROUPS, NUISANCES, real_shape

import bayescomb as bc
from bayescomb.base.errors import InputWarning
from bayescomb.output.text.check import check_text
from bayescomb.output.text.fit import compatibility_text, impact_text, profile_text
from bayescomb.output.text.scan import scan_text
from bayescomb.output.text_layout import wrapped


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


@pytest.mark.slow
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


def assert_fits_a_page(text, width=120, lines=65):
    text = wrapped(text, width=width)
    assert max(map(len, text.split("\n"))) <= width
    assert text.count("\n") < lines


@pytest.fixture
def columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")


@pytest.mark.slow
@pytest.mark.usefixtures("columns")
def test_text_of_check_says_how_many_ranges_are_whole_and_lists_the_cut_ones(combination):
    text = check_text(bc.check(combination))
    assert_fits_a_page(text)
    # The first coefficient of each chain of three ends before 1, as (r, 0.25) allows sqrt(1 - 0.25^2) = 0.968 at most.
    assert f"{82 - CHAINS} ranges of 82 whole" in text
    assert text.count("0.00 to +1.00") == CHAINS


@pytest.mark.usefixtures("columns")
def test_text_of_profile_has_no_unit_matrix_and_no_empty_table(shape, combination):
    text = profile_text(bc.profile(combination))
    assert_fits_a_page(text)
    if not shape.pulls.any():
        assert "each result is its own estimate" in text
    assert "nothing that one input measures is tested by the others" in compatibility_text(bc.compatibility(combination))


@pytest.mark.slow
@pytest.mark.usefixtures("columns")
def test_text_of_impacts_keeps_the_largest(combination):
    text = impact_text(bc.impacts(combination))
    assert_fits_a_page(text)
    assert "--json has them" in text
    assert "group statistics" not in text  # the row of the statistics says it


@pytest.mark.usefixtures("columns")
def test_text_of_scan_shows_what_moves_between_experiments(shape, combination):
    given = combination.assumption_set
    few = dataclasses.replace(given, coefficients=given.coefficients[:6])
    result = bc.scan(dataclasses.replace(combination, assumption_sets={given.name: few}), points=2)
    text = scan_text(result)
    assert_fits_a_page(text)
    # Measured once, a value moves only by what an input's fit had moved.
    assert ("value [error]" in text) == bool(shape.pulls.any())
    # A chain r, 0.5 ends at sqrt(1 - 0.5^2).
    assert text.count("0.00 to +0.866*") == 3
    row = result.rows[0]
    ends = []
    for r in row.reached:
        coefficients = np.array([c.nominal for c in few.coefficients])
        coefficients[0] = r
        fit = bc.profile(result.combination, coefficients=coefficients)
        scale = np.sqrt(np.diag(fit.covariance))
        ends.append(fit.covariance.to_numpy() / np.outer(scale, scale))
    np.testing.assert_allclose(row.half_correlation_shift, (ends[1] - ends[0]) / 2, atol=1e-10)
