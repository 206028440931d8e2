"""Shape and rate of an absolute distribution apart, against fits written out."""

import dataclasses

import numpy as np
import pytest
from scipy.optimize import least_squares
from theory_models import extraction, simple, truth

import bayescomb as bc
from bayescomb.output.extraction_data import theory_data
from bayescomb.output.extraction_text import rate_and_shape_text
from bayescomb.studies.rate_and_shape import FLAT_SCALES
from bayescomb.studies.theory_variants import TheoryStudy

# All bins fall with the mass, each at its own slope, so that the rate has something to say.
TRUTH = truth(9, bins=3)
TRUTH = dataclasses.replace(TRUTH, base=np.array([TRUTH.base[0], TRUTH.base[0] * [-0.3, -0.2, -0.1], *TRUTH.base[2:]]))


def absolute(**changes):
    return extraction({"p": "absolute"}, **changes)


def test_rows_are_the_three_fits_and_the_difference_of_their_chi2():
    """The shape alone is a fit of the bins whose rate has a mass of its own: then chi2 tests that the two are the same."""
    given = simple(TRUTH, absolute(), relative=0.01, noise=1.0)
    (row,) = bc.rate_and_shape(given)
    (measurement,) = given.measurements
    values = np.array([e.value for e in measurement.estimates])
    root = np.linalg.inv(np.linalg.cholesky(measurement.statistical_covariance))

    def residuals(p):
        shape, rate = (TRUTH.cross_sections(m) for m in (p[0], p[-1]))
        return root @ (shape / shape.sum() * rate.sum() - values)

    apart = least_squares(residuals, [172.0, 172.0], xtol=1e-14, ftol=1e-14, gtol=1e-14)
    same = least_squares(residuals, [172.0], xtol=1e-14, ftol=1e-14, gtol=1e-14)
    assert (row.both.value, row.both.chi2) == (pytest.approx(same.x[0], abs=1e-5), pytest.approx(2 * same.cost, abs=1e-6))
    # The normalised fit is to first order in the errors of 1 %, with a free level along the measured bins.
    assert row.shape.value == pytest.approx(apart.x[0], abs=0.02 * row.shape.error)
    assert TRUTH.cross_sections(row.rate.value).sum() == pytest.approx(values.sum(), rel=1e-9)
    assert row.chi2 == pytest.approx(2 * (same.cost - apart.cost), rel=0.03, abs=0.01)
    assert (row.prediction, row.mass, row.ndf, row.shape.ndf, row.rate.ndf, row.both.ndf) == ("p", "m_t", 1, 1, 0, 2)
    assert row.chi2 == row.both.chi2 - row.shape.chi2
    assert 0 < row.p_value < 1


def test_flat_scales_leave_the_rate_without_a_mass():
    (row,) = bc.rate_and_shape(simple(TRUTH, absolute(treatment="common"), relative=0.01))
    assert (row.rate.value, row.rate.problem) == (None, FLAT_SCALES)
    text = rate_and_shape_text([row])
    assert "its rate" in text
    assert FLAT_SCALES in text


def test_interval_that_leaves_the_masses_is_said_and_its_error_that_of_the_tangent():
    given = simple(TRUTH, absolute(), relative=0.6, noise=0.0)
    (row,) = bc.rate_and_shape(given)
    assert row.rate.value == pytest.approx(172.0, abs=1e-3)
    assert "a prediction over a wider range is needed" in row.rate.problem
    values = np.array([e.value for e in given.measurements[0].estimates])
    error = np.sqrt(given.measurements[0].statistical_covariance.sum())
    slope = (TRUTH.cross_sections(172.01).sum() - TRUTH.cross_sections(171.99).sum()) / 0.02
    assert values.sum() == pytest.approx(TRUTH.cross_sections(172.0).sum())
    assert row.rate.error == pytest.approx(error / abs(slope), rel=1e-3)


def test_normalised_distributions_have_no_rate():
    given = simple(TRUTH, extraction({"p": "normalised"}), relative=0.01)
    assert bc.rate_and_shape(given) == ()
    assert rate_and_shape_text(()) == ""
    other = given.with_extraction(absolute())
    apart = bc.rate_and_shape(other)
    data = theory_data(TheoryStudy(combination=other, variants=(), envelope=(), apart=apart, interpolation={}))
    assert data["rate_and_shape"][0]["shape"]["value"] == apart[0].shape.value
