"""TOML text that is written is read back, and laid out in lines that a person can read."""

import tomllib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from repetitions import repetitions

from bayescomb.formats.toml.text import WIDTH, assignments

REPRODUCIBLE = settings(derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow])

values = st.recursive(
    st.text() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=30,
)


@pytest.mark.slow
@settings(REPRODUCIBLE, max_examples=repetitions(100))
@given(table=st.dictionaries(st.text(), values, max_size=6))
def test_toml_text_is_read_back(table):
    assert tomllib.loads("\n".join(assignments(table))) == table


def test_toml_text_has_no_word_for_nothing():
    assert assignments({"a": None, "b": {"c": None}}) == ["b = {}"]
    with pytest.raises(TypeError, match="cannot be written as TOML"):
        assignments({"a": object()})


def test_long_lists_are_wrapped_and_tables_stand_one_per_line():
    assert assignments({"short": ["a", "b"]}) == ['short = ["a", "b"]']
    (names,) = assignments({"names": [f"nuisance {i}" for i in range(40)]})
    assert 3 < len(names.splitlines()) < 10
    assert max(map(len, names.splitlines())) <= WIDTH
    (tables,) = assignments({"rows": [{"a": 1}, {"a": 2, "b": None}]})
    assert tables.splitlines() == ["rows = [", "  { a = 1 },", "  { a = 2 },", "]"]
