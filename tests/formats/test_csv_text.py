"""CSV text that is written is read back, whatever letters the names hold."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from repetitions import repetitions

from bayescomb.formats.csv import csv_text, read_table, triangle_text
from bayescomb.formats.matrices import read_matrix

REPRODUCIBLE = settings(derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow])

cells = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=5)


@settings(REPRODUCIBLE, max_examples=repetitions(200))
@given(rows=st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=5))
def test_csv_text_is_read_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_text(csv_text("what it is", ["a", "b,", "#c"], rows), encoding="utf-8")
    header, found = read_table(path, required=())
    assert header == ["a", "b,", "#c"]
    assert [list(row.cells.values()) for row in found] == rows


def test_matrix_survives_to_the_last_bit_even_if_a_row_is_called_name(tmp_path):
    matrix = np.array([[2.0, 0.1 + 0.2, -0.0], [0.1 + 0.2, 1 / 3, 1e-30], [-0.0, 1e-30, 5e50]])
    path = tmp_path / "m.csv"
    path.write_text(triangle_text("figures", ["name", "b", "c, d"], matrix))
    found = read_matrix(path)
    assert (found.names, found.values.tobytes()) == (("name", "b", "c, d"), matrix.tobytes())
