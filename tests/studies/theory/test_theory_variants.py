"""Orders side by side; shape and rate of an absolute distribution apart, against fits written out."""

import dataclasses

import numpy as np
import pytest
from scipy.optimize import least_squares
from theory_models import SEVEN, extraction, prediction, simple, truth

import bayescomb as bc
from bayescomb.output.data.extraction import theory_data
from bayescomb.output.tables.theory import orders_table
from bayescomb.output.text.extraction import rate_and_shape_text
from bayescomb.studies.theory.rate_and_shape import FLAT_SCALES
from bayescomb.studies.theory.study import TheoryStudy

# All bins fall with the mass, each at its own slope, so that the rate has something to say.
TRUTH = truth(9, bins=3)
TRUTH = dataclasses.replace(TRUTH, base=np.array([TRUTH.base[0], TRUTH.base[0] * [-0.3, -0.2, -0.1], *TRUTH.base[2:]]))
# Its scales move the mass by less than the range of the table.
GENTLE = dataclasses.replace(TRUTH, scales=0.03 * TRUTH.scales)


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


def test_flat_scales_would_leave_the_rate_without_a_mass_and_are_fixed():
    (row,) = bc.rate_and_shape(simple(TRUTH, absolute(treatment="common"), relative=0.01))
    (fixed,) = bc.rate_and_shape(simple(TRUTH, absolute(), relative=0.01))
    assert (row.note, fixed.note) == (FLAT_SCALES, "")
    assert dataclasses.replace(row, note="") == fixed
    assert fixed.rate.value is not None
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
    data = theory_data(TheoryStudy(combination=other, orders=(), variants=(), envelope=(), apart=apart, interpolation={}))
    assert data["rate_and_shape"][0]["shape"]["value"] == apart[0].shape.value


def two_orders(distribution="normalised", **changes):
    """The NLO table of a truth, and an LO one of another truth for the same bins, whose members are at scale "other"."""
    given = simple(GENTLE, extraction({"p": distribution}, errors="symmetric_hessian", **changes), relative=0.01, noise=1.0)
    (next_order,) = given.predictions
    bent = dataclasses.replace(GENTLE, base=GENTLE.base * np.linspace(0.7, 0.71, 3), scales=2 * GENTLE.scales)
    low = prediction(bent, "low", observables=list(next_order.observables), order="LO")
    moved = [v._replace(scale_choice="other") if v.member else v for v in low.variants]
    at_other = [v._replace(scale_choice="other") for v in low.variants[:1]]
    low = dataclasses.replace(
        low,
        variants=(*moved, *at_other),
        cross_sections=np.concatenate([low.cross_sections, low.cross_sections[:1]]),
        mc_errors=np.concatenate([low.mc_errors, low.mc_errors[:1]]),
    )
    return dataclasses.replace(given, predictions=(next_order, low)), bent


def test_orders_are_fits_of_the_two_tables():
    """Chi2 of the shares by hand for either truth, members of the PDF set included."""
    given, bent = two_orders()
    first, second = bc.order_variants(given)
    assert [(row.order, row.predictions, row.mass) for row in (first, second)] == [
        ("NLO", ("p",), "m_t"),
        ("LO", ("low",), "m_t"),
    ]
    (measurement,) = given.measurements
    values = np.array([e.value for e in measurement.estimates])
    share = values / values.sum()
    jacobian = (np.eye(3) - np.outer(share, np.ones(3))) / values.sum()
    root = np.linalg.inv(np.linalg.cholesky((jacobian @ measurement.statistical_covariance @ jacobian.T)[:2, :2]))
    for row, made in ((first, GENTLE), (second, bent)):

        def residuals(p, made=made, *, x=0.0, y=0.0):
            central = made.cross_sections(p[0], x, y)
            shares, relative = central / central.sum(), made.relative(p[0])
            shares = shares * (1 + p[1:] @ (relative - (relative @ shares)[:, None]))
            return np.concatenate([root @ (shares - share)[:2], p[1:]])

        best = least_squares(residuals, [172.0, 0.0, 0.0], xtol=1e-14, ftol=1e-14, gtol=1e-14)
        assert row.value == pytest.approx(best.x[0], abs=1e-5)
        assert (row.chi2, row.ndf) == (pytest.approx(2 * best.cost, abs=1e-7), 1)
        ends = [
            least_squares(residuals, best.x, kwargs={"x": np.log2(r), "y": np.log2(f)}, xtol=1e-13).x[0] for r, f in SEVEN
        ]
        assert (row.up, row.down) == pytest.approx((max(ends) - ends[0], min(ends) - ends[0]), abs=1e-5)
        assert 0 < row.theory_error < row.error
    assert first.shift == 0
    assert second.shift == second.value - first.value
    data = theory_data(
        TheoryStudy(combination=given, orders=(first, second), variants=(), envelope=(), apart=(), interpolation={})
    )
    assert [row["order"] for row in data["orders"]] == ["NLO", "LO"]
    text = orders_table((first, second)).text.splitlines()
    assert [line.split()[0] for line in text[2:] if line.strip()][:2] == ["NLO", "LO"]


def test_orders_without_a_counterpart_are_not_compared():
    given, _ = two_orders()
    alone = dataclasses.replace(given, predictions=given.predictions[:1])
    assert bc.order_variants(alone) == ()
    running = dataclasses.replace(given.predictions[1], mass_scheme="running")
    assert bc.order_variants(dataclasses.replace(given, predictions=(given.predictions[0], running))) == ()


def test_order_that_does_not_describe_the_data_says_so():
    given, _ = two_orders("absolute")
    first, second = bc.order_variants(given)
    assert first.problem == ""
    assert (second.value, second.shift, second.up) == (None, None, None)
    assert "runs to the end of the predicted masses" in second.problem
    assert "no minimum" in orders_table((first, second)).text
