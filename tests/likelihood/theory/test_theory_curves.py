"""Polynomials through the tables: how well they pass, the seven scale points, and the shifts of the members."""

import dataclasses

import numpy as np
import pytest
from refusals import refused
from scipy.special import ndtri
from theory_models import MASSES, SEVEN, extraction, prediction, shipped, truth

from bayescomb.base.errors import OptionError, UnknownNameError
from bayescomb.inputs.theory.predictions import Variant
from bayescomb.likelihood.theory import interpolation_quality, prediction_curves

TRUTH = truth(4, bins=3, members=4)
TABLE = prediction(TRUTH, "p")
ONE = {"p": "absolute"}


def evaluated(coefficients, curves, masses):
    """Polynomials at masses, the masses first."""
    u = (np.asarray(masses) - curves.centre) / curves.half_width
    return np.einsum("mp,p...->m...", u[:, None] ** np.arange(len(coefficients)), coefficients)


@pytest.mark.parametrize("degree", [3, 4, 6])
def test_polynomial_tables_are_met_everywhere(degree):
    curves = prediction_curves(TABLE, extraction(ONE, degree=degree))
    between = np.linspace(165, 180, 40)
    expected = [TRUTH.cross_sections(m) for m in between]
    np.testing.assert_allclose(evaluated(curves.base, curves, between), expected, rtol=1e-12)


def test_too_high_a_degree_is_refused():
    with refused(OptionError, "extraction 'mass'", "degree 7 found", "prediction 'p' has 7 masses", "at most 6"):
        prediction_curves(TABLE, extraction(ONE, degree=7))


@pytest.mark.parametrize("energy", ["8 TeV", "13 TeV"])
@pytest.mark.parametrize(("order", "choice"), [("LO", "ht2"), ("LO", "mt"), ("NLO", "ht2")])
def test_shipped_tables_are_described_to_their_numerical_errors(energy, order, choice):
    """Far better than to the errors, which all masses share (one set of random numbers), so that the curve is smooth."""
    table = shipped(energy, order)
    chosen = extraction({energy: "absolute"}, pdf={"set": "PDF4LHC21_40_pdfas"}, scales={"choice": choice})
    quality = interpolation_quality(table, chosen)
    assert set(quality.dims) == {"m_t", "observable"}
    assert (np.abs(quality.residual) < 0.05 * quality.mc_error).all()
    assert (np.abs(quality.left_out[1:-1]) < 0.2 * quality.mc_error[1:-1]).all()


def test_quality_is_that_of_the_polynomials():
    bent = dataclasses.replace(TABLE, cross_sections=TABLE.cross_sections * (1 + 0.01 * np.sin(MASSES))[:, None])
    chosen = extraction(ONE, degree=3)
    quality = interpolation_quality(bent, chosen)
    table = bent.curve(Variant("set", 0, "mt", 1.0, 1.0))
    curves = prediction_curves(bent, chosen)
    np.testing.assert_allclose(quality.residual, evaluated(curves.base, curves, MASSES) / table - 1, atol=1e-12)
    np.testing.assert_allclose(quality.mc_error * table, bent.mc_errors[0], rtol=1e-12)
    assert not quality.correlated_error.any()
    shared = dataclasses.replace(bent, correlated_errors=2 * bent.mc_errors)
    np.testing.assert_allclose(interpolation_quality(shared, chosen).correlated_error, 2 * quality.mc_error, rtol=1e-12)
    for i in range(7):
        others = np.arange(7) != i
        expected = [np.polyval(np.polyfit(MASSES[others] - 172.5, t[others], 3), MASSES[i] - 172.5) for t in table.T]
        np.testing.assert_allclose(quality.left_out[i], np.array(expected) / table[i] - 1, atol=1e-9)
    assert quality.m_t.attrs["unit"] == "GeV"
    assert np.isnan(interpolation_quality(bent, extraction(ONE, degree=6)).left_out).all()


@pytest.mark.parametrize(
    ("which", "order"), [("8 TeV", "LO"), ("13 TeV", "LO"), ("8 TeV", "NLO"), ("13 TeV", "NLO"), ("p", "")]
)
def test_scale_interpolation_passes_through_all_seven_points(which, order):
    table = TABLE if which == "p" else shipped(which, order)
    pdf_set, choice = ("set", "mt") if which == "p" else ("PDF4LHC21_40_pdfas", "ht2")
    chosen = extraction({which: "absolute"}, treatment="common", pdf={"set": pdf_set}, scales={"choice": choice}, degree=6)
    curves = prediction_curves(table, chosen)
    base, response = evaluated(curves.base, curves, MASSES), evaluated(curves.scale_response.swapaxes(0, 1), curves, MASSES)
    for r, f in SEVEN:
        x, y = np.log2(r), np.log2(f)
        shapes = np.array([x, x**2, y, y**2, x * y, x * y * (x + y) / 2])
        found = base * np.exp(np.einsum("k,mkb->mb", shapes, response))
        np.testing.assert_allclose(found, table.curve(Variant(pdf_set, 0, choice, r, f)), rtol=1e-10)


def test_scales_between_the_points_are_those_of_the_truth():
    curves = prediction_curves(TABLE, extraction(ONE, treatment="common"))
    expected = np.zeros((6, 5, 3))
    expected[:, :2] = TRUTH.scales.swapaxes(0, 1)
    np.testing.assert_allclose(curves.scale_response, expected, atol=1e-12)
    assert prediction_curves(TABLE, extraction(ONE)).scale_response.shape == (0, 5, 3)


def shifts(table=TABLE, degree=6, **pdf):
    """Names, and shifts per unit of each nuisance at the masses of the table, shape (M, K, B)."""
    curves = prediction_curves(table, extraction(ONE, pdf=pdf, degree=degree))
    return curves.nuisances, evaluated(curves.shifts, curves, MASSES)


RELATIVE = np.array([TRUTH.relative(m) for m in MASSES])  # (M, K, B)


def test_symmetric_hessian_has_a_nuisance_per_member():
    names, found = shifts(errors="symmetric_hessian")
    assert names == ("set 1", "set 2", "set 3", "set 4")
    np.testing.assert_allclose(found, RELATIVE, atol=1e-12)


def test_hessian_pairs_have_half_their_difference():
    names, found = shifts(errors="hessian")
    assert names == ("set 1/2", "set 3/4")
    np.testing.assert_allclose(found, (RELATIVE[:, [0, 2]] - RELATIVE[:, [1, 3]]) / 2, atol=1e-12)
    with refused(OptionError, "prediction 'p'", "3 members of 'set' found", "pairs"):
        shifts(prediction(truth(4, members=3), "p"), errors="hessian")


def test_replicas_have_their_covariance():
    names, found = shifts(errors="replicas")
    assert len(names) == 4
    for by_nuisance, replicas in zip(found, RELATIVE, strict=True):
        np.testing.assert_allclose(by_nuisance.T @ by_nuisance, np.cov(replicas.T), atol=1e-14)
    with refused(OptionError, "prediction 'p'", "one member of 'set' found"):
        shifts(prediction(truth(4, members=1), "p"), errors="replicas")


def test_alpha_s_is_half_of_the_difference_of_its_members():
    table = prediction(TRUTH, "p", alpha_s=True)  # members 1 to 3, and 4 and 5 with -+ the last shift
    names, found = shifts(table, errors="symmetric_hessian", alpha_s=(4, 5))
    assert names == ("set 1", "set 2", "set 3", "alpha_s")
    np.testing.assert_allclose(found, RELATIVE, atol=1e-12)
    names, found = shifts(table, alpha_s=(5, 4))
    assert names == ("alpha_s",)
    np.testing.assert_allclose(found[:, 0], -RELATIVE[:, 3], atol=1e-12)


def test_confidence_level_scales_eigenvectors_but_not_alpha_s():
    table = prediction(TRUTH, "p", alpha_s=True)
    _, at_one = shifts(table, errors="symmetric_hessian", alpha_s=(4, 5))
    _, at_ninety = shifts(table, errors="symmetric_hessian", alpha_s=(4, 5), confidence_level=0.9)
    factor = ndtri(0.84) / ndtri(0.95)
    assert factor == pytest.approx(1 / 1.645, rel=6e-3)
    np.testing.assert_allclose(at_ninety[:, :3], at_one[:, :3] * factor, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(at_ninety[:, 3], at_one[:, 3], rtol=1e-12)


def test_numerical_errors_are_a_nuisance_per_bin():
    curves = prediction_curves(TABLE, extraction(ONE, numerical_errors=True, degree=6))
    assert curves.nuisances == ("numerical p0", "numerical p1", "numerical p2")
    for found in evaluated(curves.shifts, curves, MASSES):
        np.testing.assert_allclose(found, np.diag(TRUTH.numerical), atol=1e-14)


def test_shifts_are_taken_where_the_members_are():
    """At another definition of the scale, or at other factors on it, the table has the central member alone."""
    other = [v._replace(scale_choice="ht2") for v in TABLE.variants[:7]]
    more = dataclasses.replace(
        TABLE,
        variants=(*TABLE.variants, *other),
        cross_sections=np.concatenate([TABLE.cross_sections, 1.3 * TABLE.cross_sections[:7]]),
        mc_errors=np.concatenate([TABLE.mc_errors, TABLE.mc_errors[:7]]),
    )
    for scales in ({"choice": "ht2"}, {"choice": "ht2", "mu_r": 2.0}, {"choice": "mt", "mu_f": 0.5}):
        pdf = {"errors": "symmetric_hessian", "shifts_at": "mt"}
        curves = prediction_curves(more, extraction(ONE, pdf=pdf, scales=scales, degree=6))
        np.testing.assert_allclose(evaluated(curves.shifts, curves, MASSES), RELATIVE, atol=1e-12)
        variant = Variant("set", 0, scales["choice"], scales.get("mu_r", 1.0), scales.get("mu_f", 1.0))
        np.testing.assert_allclose(evaluated(curves.base, curves, MASSES), more.curve(variant), rtol=1e-12)
    with refused(UnknownNameError, "prediction 'p'", "no members of 'set' at scale 'ht2'", "pdf.shifts_at"):
        prediction_curves(more, extraction(ONE, errors="replicas", scales={"choice": "ht2"}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pdf": {"set": "other"}}, "no variant 'other, member 0"),
        ({"scales": {"choice": "ht2"}}, "scale ht2, mu_R x 1"),
        ({"scales": {"choice": "mt", "mu_r": 4.0}}, "mu_R x 4"),
        ({"pdf": {"alpha_s": (7, 8)}}, "member 7"),
        ({"pdf": {"errors": "replicas", "shifts_at": "ht2"}}, "scale ht2"),
    ],
)
def test_variant_that_the_table_lacks_is_named(changes, said):
    with refused(UnknownNameError, "prediction 'p'", said, "central variants are: set, member 0, scale mt"):
        prediction_curves(TABLE, extraction(ONE, **changes))


def test_scale_points_that_the_table_lacks_are_named():
    keep = [i for i, v in enumerate(TABLE.variants) if v.mu_f != 0.5]
    less = dataclasses.replace(
        TABLE,
        variants=tuple(TABLE.variants[i] for i in keep),
        cross_sections=TABLE.cross_sections[keep],
        mc_errors=TABLE.mc_errors[keep],
    )
    with refused(UnknownNameError, "mu_R x 1, mu_F x 0.5"):
        prediction_curves(less, extraction(ONE, treatment="common"))
