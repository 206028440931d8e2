"""Rounded numbers as publications write them."""

import pytest

from bayescomb.rounding import decimals, fixed, interval_text, significant, with_error


@pytest.mark.parametrize(("error", "expected"), [(0.329293, 2), (0.0956, 2), (1.23, 1), (0.0123, 3)])
def test_pdg_rule_gives_the_digits_of_the_error(error, expected):
    assert decimals(error) == expected


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
