"""Factors on a prediction: the product is its definition, errors stay what they were, and what does not fit is refused."""

import dataclasses

import numpy as np
import pytest
from refusals import refused
from theory_models import MASSES, SEVEN, prediction, truth

from bayescomb.base.errors import (
    DuplicateNameError,
    InvalidMatrixError,
    InvalidNumberError,
    OptionError,
    UnknownNameError,
)
from bayescomb.inputs.theory.predictions import ScaleFactors, Variant, scaled_prediction

TRUTH = truth(6, bins=3, members=2)
LO = prediction(TRUTH, "p", order="LO")
RNG = np.random.default_rng(4)
K = ScaleFactors(
    energy_tev=13.0,
    bins=LO.bins,
    points=[("mt", r, f) for r, f in SEVEN],
    values=RNG.uniform(1.1, 1.7, (7, 3)),
    errors=RNG.uniform(0.005, 0.02, (7, 3)),
)


def with_members_elsewhere():
    """The seven points at ht2 too, without members, as in the shipped tables."""
    at = [v._replace(scale_choice="ht2") for v in LO.variants[:7]]
    tilt = 1.2 + 0.1 * np.arange(3)
    return dataclasses.replace(
        LO,
        variants=(*LO.variants, *at),
        cross_sections=np.concatenate([LO.cross_sections, tilt * LO.cross_sections[:7]]),
        mc_errors=np.concatenate([LO.mc_errors, 2 * tilt * LO.mc_errors[:7]]),
    )


AT_HT2 = dataclasses.replace(K, points=[("ht2", r, f) for r, f in SEVEN])


def test_product_is_its_definition():
    nlo = scaled_prediction(LO, K, order="NLO", origin="NLO at 172.5 GeV")
    assert (nlo.order, nlo.origin, nlo.quotable, set(nlo.variants)) == ("NLO", "NLO at 172.5 GeV", True, set(LO.variants))
    for point, factor, error in zip(K.points, K.values, K.errors, strict=True):
        for variant in (v for v in LO.variants if v[2:] == point):
            np.testing.assert_allclose(nlo.curve(variant), LO.curve(variant) * factor, rtol=1e-14)
            np.testing.assert_allclose(nlo.numerical_error(variant), LO.numerical_error(variant) * factor, rtol=1e-14)
            np.testing.assert_allclose(nlo.correlated_error(variant), LO.curve(variant) * error, rtol=1e-14)


def test_members_move_as_at_the_scale_choice_that_has_them():
    lo = with_members_elsewhere()
    nlo = scaled_prediction(lo, AT_HT2, order="NLO", members_at="mt")
    assert {v.scale_choice for v in nlo.variants} == {"ht2"}
    assert nlo.members("set", "ht2") == (0, 1, 2)
    central = Variant("set", 0, "ht2", 1.0, 1.0)
    for k in (1, 2):
        member = central._replace(member=k)
        ratio = np.array([1 + TRUTH.relative(m)[k - 1] for m in MASSES])
        np.testing.assert_allclose(nlo.curve(member), nlo.curve(central) * ratio, rtol=1e-13)
        for errors in (nlo.numerical_error, nlo.correlated_error):
            np.testing.assert_allclose(errors(member) / nlo.curve(member), errors(central) / nlo.curve(central), rtol=1e-12)


def test_scale_choices_without_factors_are_left_out():
    assert {v.scale_choice for v in scaled_prediction(with_members_elsewhere(), K, order="NLO").variants} == {"mt"}


def test_two_factors_have_one_correlated_error_in_quadrature():
    once = scaled_prediction(LO, K, order="NLO")
    twice = scaled_prediction(once, K, order="NNLO")
    for point, factor, error in zip(K.points, K.values, K.errors, strict=True):
        variant = Variant("set", 0, *point)
        expected = np.sqrt(2) * error / factor
        np.testing.assert_allclose(twice.correlated_error(variant) / twice.curve(variant), np.tile(expected, (7, 1)))


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"energy_tev": 8.0}, InvalidMatrixError, ["prediction 'p'", "13 TeV found, 8 TeV in its factors"]),
        ({"bins": LO.bins + 0.1}, InvalidMatrixError, ["prediction 'p'", "bins", "of the same bins"]),
        ({"points": [("mt", 4.0, 1.0), *K.points[1:]]}, UnknownNameError, ["no variant at 'scale mt, mu_R x 4, mu_F x 1'"]),
    ],
)
def test_factors_of_something_else_are_refused(changes, error, said):
    with refused(error, *said):
        scaled_prediction(LO, dataclasses.replace(K, **changes), order="NLO")


def test_fewer_bins_are_refused():
    fewer = dataclasses.replace(K, bins=K.bins[:2], values=K.values[:, :2], errors=K.errors[:, :2])
    with refused(InvalidMatrixError, "bins"):
        scaled_prediction(LO, fewer, order="NLO")


def test_members_that_are_not_where_they_are_said_to_be():
    with refused(UnknownNameError, "prediction 'p'", "no members at scale 'ht1'"):
        scaled_prediction(LO, K, order="NLO", members_at="ht1")
    with refused(OptionError, "prediction 'p'", "member 1 stands at scale 'mt' itself", "leave out members_at"):
        scaled_prediction(LO, K, order="NLO", members_at="mt")


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"points": [K.points[0], *K.points[:-1]]}, DuplicateNameError, ["'scale mt, mu_R x 1, mu_F x 1' stands twice"]),
        ({"values": -K.values}, InvalidNumberError, ["a factor is not above 0"]),
        ({"values": 0 * K.values}, InvalidNumberError, ["a factor is not above 0"]),
        ({"errors": -K.errors}, InvalidNumberError, ["an error below 0"]),
        ({"values": K.values[:-1]}, InvalidMatrixError, ["(6, 3) found, (7, 3) needed"]),
        ({"errors": K.errors[:, :-1]}, InvalidMatrixError, ["(7, 2) found, (7, 3) needed"]),
        ({"bins": K.bins[:, :1]}, InvalidMatrixError, ["bins of factors k.csv", "(3, 1) found, (3, 2) needed"]),
        ({"values": np.nan * K.values}, InvalidNumberError, ["nan"]),
    ],
)
def test_factors_that_cannot_be(changes, error, said):
    with refused(error, "factors k.csv", *said):
        dataclasses.replace(K, table="k.csv", **changes)
