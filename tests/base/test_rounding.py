"""Rounded numbers: two significant digits of the total error for the value, the error and every part of it."""

import pytest

from bayescomb.base.rounding import (
    chi2_text,
    counted,
    decimals,
    fixed,
    interval_text,
    p_value_text,
    percent_text,
    plain,
    rounded_like,
    significant,
    with_error,
)


@pytest.mark.parametrize(
    ("error", "expected"), [(0.329293, 2), (0.0956, 3), (0.0996, 2), (1.23, 1), (5.72, 1), (0.0123, 3), (360.0, -1)]
)
def test_two_digits_of_the_error_are_kept(error, expected):
    assert decimals(error) == expected


@pytest.mark.parametrize(
    ("value", "errors", "expected"),
    [
        (172.61, (0.839,), "172.61 +- 0.84"),
        (172.58, (0.871,), "172.58 +- 0.87"),
        (88.42, (5.72, 2.02, 5.35), "88.4 +- 5.7 +- 2.0 +- 5.3"),
        (172.51338, (0.329293,), "172.51 +- 0.33"),
        (12345.0, (678.0,), "12340 +- 680"),
    ],
)
def test_value_error_and_parts_have_the_digits_of_the_total_error(value, errors, expected):
    assert plain(with_error(value, *errors)) == expected


def test_a_number_without_an_error_that_sets_the_digits_is_still_written():
    assert with_error(172.51338, 0.0) == "172.513 ± 0"
    assert rounded_like(1.5, float("nan")) == "1.50000"


def test_a_small_p_value_keeps_two_digits():
    assert [plain(p_value_text(p)) for p in (0.5, 0.0123, 3.51e-4, 0.0, None)] == [
        "0.50", "0.012", "3.5e-4", "< 1e-300", "undefined",
    ]  # fmt: skip


def test_nothing_is_a_negative_zero():
    texts = [fixed(-0.0004, 3), fixed(-1e-9, 2, sign=True), chi2_text(-1e-12), significant(-0.0), percent_text(-1e-7)]
    assert not any(text.startswith(("-", "\N{MINUS SIGN}", "+")) for text in texts)


def test_the_error_of_a_share_sets_its_digits():
    assert percent_text(0.0002, 0.00003) == "0.0200 ± 0.0030"
    assert percent_text(0.02, 0.0) == "2.0"


def test_one_thing_is_in_the_singular():
    assert counted(1, "observables") == "1 observable"
    assert counted(1, "coefficients with a range") == "1 coefficient with a range"
    assert counted(3, "degrees of freedom") == "3 degrees of freedom"


def test_value_is_written_with_the_digits_of_its_error():
    assert "172.51" in with_error(172.51338, 0.329293, unit="GeV")
    assert "0.33" in with_error(172.51338, 0.329293, unit="GeV")
    assert with_error(172.51338, 0.329293, unit="GeV").endswith("GeV")


def test_missing_numbers_are_no_numbers():
    assert not any(character.isdigit() for character in fixed(None, 2))
    assert not any(character.isdigit() for character in significant(None))


def test_interval_has_the_digits_of_its_error():
    text = interval_text(172.186, 172.839, error=0.3295)
    assert "172.19" in text
    assert "172.84" in text
