"""A prediction checks itself, finds its variants and says which ones it has."""

import dataclasses

import numpy as np
import pytest
from refusals import refused
from theory_models import MASSES, SEVEN, prediction, shipped, truth

from bayescomb.base.errors import (
    DuplicateNameError,
    InvalidMatrixError,
    InvalidNumberError,
    OptionError,
    RangeError,
    UnknownNameError,
)
from bayescomb.inputs.theory.predictions import Variant

TRUTH = truth(2, bins=3, members=2)
TABLE = prediction(TRUTH, "p")


def changed(**changes):
    return dataclasses.replace(TABLE, **changes)


def with_entry(key, value):
    array = np.array(getattr(TABLE, key))
    array[0, 1, 2] = value
    return {key: array}


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"mass_scheme": "MSbar"}, OptionError, ["mass scheme of prediction 'p'", "'MSbar' found, allowed: pole, running"]),
        ({"order": ""}, UnknownNameError, ["order of prediction 'p'"]),
        ({"observables": ("a", "a", "b")}, DuplicateNameError, ["observables of prediction 'p'", "'a' stands twice"]),
        ({"observables": ()}, UnknownNameError, ["observables of prediction 'p'"]),
        ({"observables": ("a", "b")}, InvalidMatrixError, ["bins of prediction 'p'", "(3, 2) found, (2, 2) needed"]),
        ({"masses": MASSES[:-1]}, InvalidMatrixError, ["cross sections", "(9, 7, 3) found, (9, 6, 3) needed"]),
        ({"masses": MASSES[::-1]}, InvalidNumberError, ["at least two ascending"]),
        ({"masses": [170.0] * 7}, InvalidNumberError, ["at least two ascending"]),
        ({"masses": [170.0]}, InvalidNumberError, ["at least two ascending"]),
        ({"masses": [*MASSES[:-1], np.nan]}, InvalidNumberError, ["masses of prediction 'p'", "nan"]),
        ({"bins": [[0, 1], [1, 2], [2, np.inf]]}, InvalidNumberError, ["bins of prediction 'p'", "inf"]),
        (with_entry("cross_sections", 0.0), InvalidNumberError, ["not above 0"]),
        (with_entry("cross_sections", -1.0), InvalidNumberError, ["not above 0"]),
        (with_entry("cross_sections", np.nan), InvalidNumberError, ["cross sections of", "(0, 1, 2)"]),
        (with_entry("mc_errors", -1e-9), InvalidNumberError, ["numerical error below 0"]),
        (with_entry("mc_errors", np.inf), InvalidNumberError, ["numerical errors of"]),
        (
            {"variants": (*TABLE.variants[:-1], TABLE.variants[0])},
            DuplicateNameError,
            ["member 0, scale mt", "stands twice"],
        ),
        ({"correlated_errors": -TABLE.mc_errors}, InvalidNumberError, ["a correlated numerical error is below 0"]),
        (
            {"correlated_errors": TABLE.mc_errors[1:]},
            InvalidMatrixError,
            ["correlated", "(8, 7, 3) found, (9, 7, 3) needed"],
        ),
        ({"correlated_errors": np.nan * TABLE.mc_errors}, InvalidNumberError, ["correlated numerical errors of", "nan"]),
        ({"rate_errors": {"x": 0.0}}, RangeError, ["rate error 'x' = 0 found", "between 0 and 1"]),
        ({"rate_errors": {"x": np.inf}}, RangeError, ["rate error 'x' = inf found"]),
        ({"rate_errors": {"": 0.1}}, UnknownNameError, ["rate errors of prediction 'p'"]),
        ({"variants": TABLE.variants[:-1]}, InvalidMatrixError, ["(9, 7, 3) found, (8, 7, 3) needed"]),
    ],
)
def test_what_cannot_be_is_refused(changes, error, said):
    with refused(error, *said):
        changed(**changes)


def test_no_numerical_error_is_allowed():
    assert changed(mc_errors=np.zeros(TABLE.mc_errors.shape)).mc_errors.max() == 0


def test_correlated_errors_are_none_or_those_of_a_variant():
    variant = TABLE.variants[3]
    assert not TABLE.correlated_error(variant).any()
    assert TABLE.correlated_error(variant).shape == (7, 3)
    assert changed(correlated_errors=0 * TABLE.mc_errors).correlated_errors.size == 0
    found = changed(correlated_errors=2 * TABLE.mc_errors).correlated_error(variant)
    np.testing.assert_allclose(found, 2 * TABLE.mc_errors[3], rtol=1e-15)


def test_arrays_cannot_be_written_to():
    for key in ("bins", "masses", "cross_sections", "mc_errors"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(TABLE, key)[...] = 1.0


def test_plain_lists_become_variants():
    found = changed(variants=[list(v) for v in TABLE.variants])
    assert found.variants == TABLE.variants
    assert found.curve(TABLE.variants[3]).tolist() == TABLE.curve(TABLE.variants[3]).tolist()


@pytest.mark.parametrize(("order", "quotable"), [("LO", False), ("NLO", True), ("NLO+PS", True)])
def test_leading_order_is_not_for_quoting(order, quotable):
    assert changed(order=order).quotable is quotable


def test_divisors_are_widths_or_one():
    assert TABLE.divisors.tolist() == [1, 1, 1]
    assert changed(per_bin_width=True).divisors.tolist() == [0.5, 1.0, 1.5]


def test_curves_of_variants():
    for r, f in SEVEN:
        variant = Variant("set", 0, "mt", r, f)
        expected = [TRUTH.cross_sections(m, np.log2(r), np.log2(f)) for m in MASSES]
        np.testing.assert_allclose(TABLE.curve(variant), expected, rtol=1e-14)
        np.testing.assert_allclose(TABLE.numerical_error(variant), expected * TRUTH.numerical, rtol=1e-14)


@pytest.mark.parametrize(
    "change", [{"pdf_set": "other"}, {"member": 9}, {"scale_choice": "ht2"}, {"mu_r": 4.0}, {"mu_f": 3.0}]
)
def test_variant_that_is_not_there_is_named_with_those_that_are(change):
    variant = Variant("set", 0, "mt", 1.0, 1.0)._replace(**change)
    for method in (TABLE.curve, TABLE.numerical_error):
        with refused(UnknownNameError, "prediction 'p'", f"no variant '{variant}'", "set, member 0, scale mt, mu_R x 1"):
            method(variant)
    with refused(UnknownNameError, "(t.csv)"):
        changed(table="t.csv").curve(variant)


def test_members_are_those_at_factors_of_one():
    assert TABLE.members("set", "mt") == (0, 1, 2)
    assert TABLE.members("set", "ht2") == ()
    assert TABLE.members("other", "mt") == ()


@pytest.mark.parametrize(("energy", "bins"), [("8 TeV", 8), ("13 TeV", 4)])
def test_shipped_tables(energy, bins):
    table = shipped(energy)
    assert (table.energy_tev, len(table.bins), table.quotable) == (float(energy.split()[0]), bins, False)
    assert table.masses.tolist() == MASSES.tolist()
    assert table.members("PDF4LHC21_40_pdfas", "mt") == tuple(range(43))
    assert table.members("PDF4LHC21_40_pdfas", "ht2") == (0,)
    assert len({v.pdf_set for v in table.variants}) == 6
