"""Tables of predictions and of factors: what is read, and what is refused with its place."""

import numpy as np
import pytest
from refusals import refused
from theory_models import MASSES, prediction, truth, write_table, written_rows

from bayescomb.base.errors import DuplicateNameError, FileFormatError, InvalidNumberError
from bayescomb.formats.toml.prediction_tables import (
    COLUMNS,
    CORRELATED,
    FACTOR_COLUMNS,
    prediction_text,
    read_prediction,
    read_scale_factors,
)
from bayescomb.inputs.theory.predictions import Variant

NAMES = ["low", "middle", "high"]


@pytest.fixture
def made():
    return prediction(truth(1))


@pytest.fixture
def rows(made):
    return written_rows(made)


@pytest.fixture
def read(tmp_path):
    """Reader of rows that are written first."""

    def call(rows, **settings):
        path = write_table(tmp_path / "table.csv", rows)
        return read_prediction(path, **({"name": "p", "observables": NAMES, "order": "NLO"} | settings))

    return call


def line(i):
    """Line of row i: a comment and the header stand before the first."""
    return f"table.csv:{i + 3}"


def test_everything_is_read(made, rows, read):
    found = read(rows, mass_scheme="running", per_bin_width=True)
    assert (found.name, found.order, found.mass_scheme, found.per_bin_width) == ("p", "NLO", "running", True)
    assert (found.observables, found.energy_tev, found.table) == (tuple(NAMES), 13.0, "table.csv")
    assert found.variants == made.variants
    assert found.masses.tolist() == MASSES.tolist()
    assert found.bins.tolist() == made.bins.tolist()
    assert found.cross_sections.tolist() == made.cross_sections.tolist()
    assert found.mc_errors.tolist() == made.mc_errors.tolist()


def test_order_of_rows_does_not_matter(made, rows, read):
    np.random.default_rng(3).shuffle(rows)
    found = read(rows)
    assert found.bins.tolist() == made.bins.tolist()
    assert found.masses.tolist() == made.masses.tolist()
    assert set(found.variants) == set(made.variants)
    for variant in made.variants:
        assert found.curve(variant).tolist() == made.curve(variant).tolist()
        assert found.numerical_error(variant).tolist() == made.numerical_error(variant).tolist()


def test_order_of_columns_and_further_columns_do_not_matter(made, rows, tmp_path):
    rows = [row | {"note": "x"} for row in rows]
    path = write_table(tmp_path / "t.csv", rows, columns=("note", *reversed(COLUMNS)), head="# one\n\n  # two\n")
    found = read_prediction(path, name="p", observables=NAMES, order="NLO")
    assert found.cross_sections.tolist() == made.cross_sections.tolist()


def test_numbers_are_compared_as_numbers(rows, read):
    for i, row in enumerate(rows):
        if i % 2:
            row["mu_r"] = f"{float(row['mu_r']):.2e}"
    assert len(read(rows).variants) == 9


@pytest.mark.parametrize("column", COLUMNS)
def test_missing_column_is_named(rows, tmp_path, column):
    path = write_table(tmp_path / "table.csv", rows, columns=[c for c in COLUMNS if c != column])
    with refused(FileFormatError, "table.csv:2", f"missing column {column!r}"):
        read_prediction(path, name="p", observables=NAMES, order="NLO")


@pytest.mark.parametrize("column", [c for c in COLUMNS if c not in {"pdf_set", "scale_choice"}])
def test_cell_that_is_no_number_is_named_by_line_and_column(rows, read, column):
    rows[10][column] = "x"
    with refused(InvalidNumberError, line(10), f"column {column!r}", "'x' found"):
        read(rows)


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("member", "1.5", "member '1.5' found, a whole number from 0 is needed"),
        ("member", "-1", "member '-1' found"),
        ("mu_r", "0", "0 found, a number above 0 is needed"),
        ("mu_f", "-2", "-2 found, a number above 0 is needed"),
        ("xsec_pb", "0", "0 found, a number above 0 is needed"),
        ("xsec_pb", "-3.5", "-3.5 found, a number above 0 is needed"),
        ("xsec_pb", "nan", "'nan' found"),
    ],
)
def test_number_that_cannot_be(rows, read, column, cell, said):
    rows[4][column] = cell
    with refused(InvalidNumberError, line(4), said):
        read(rows)


def test_negative_numerical_error(rows, read):
    rows[4]["mc_error_pb"] = "-1e-3"
    with refused(InvalidNumberError, "table.csv", "a numerical error below 0"):
        read(rows)


def test_missing_row_is_named(rows, read):
    gone = rows.pop(25)
    assert (gone["m_t_gev"], gone["bin_low"], gone["mu_r"]) == ("167.5", "0.5", "2.0")
    with refused(FileFormatError, "table.csv", "mu_R x 2, mu_F x 1", "m_t 167.5 GeV, bin 0.5 to 1.5", "add it"):
        read(rows)


def test_variant_at_fewer_masses_is_refused(rows, read):
    with refused(FileFormatError, "member 2", "m_t 180 GeV", "add it"):
        read(rows[:-3])


def test_row_that_stands_twice(rows, read):
    with refused(DuplicateNameError, line(len(rows)), line(7), "the same variant, mass and bin"):
        read([*rows, rows[7] | {"xsec_pb": "1.0"}])


def test_several_energies(rows, read):
    rows[3]["sqrt_s_tev"] = "8"
    with refused(FileFormatError, "table.csv", "energies [8.0, 13.0] TeV found", "split the file"):
        read(rows)


def test_number_of_bins_is_that_of_the_observables(rows, read):
    with refused(FileFormatError, "3 bins found for 2 observables"):
        read(rows, observables=NAMES[:2])


def edges(rows, old, new):
    for row in rows:
        if (row["bin_low"], row["bin_high"]) == old:
            row["bin_low"], row["bin_high"] = new


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (("0.5", "1.5"), ("0.4", "1.5"), "a bin that begins at 0.4 overlaps one that ends at 0.5"),
        (("0.0", "0.5"), ("0.0", "3.5"), "a bin that begins at 0.5 overlaps one that ends at 3.5"),
        (("0.5", "1.5"), ("0.5", "0.5"), "bin 0.5 to 0.5 is empty"),
        (("0.5", "1.5"), ("1.5", "0.5"), "bin 1.5 to 0.5 is empty"),
    ],
)
def test_bins_that_cannot_be(rows, read, old, new, said):
    edges(rows, old, new)
    with refused(InvalidNumberError, "table.csv", said):
        read(rows)


def test_bins_may_leave_a_gap(rows, read):
    edges(rows, ("0.5", "1.5"), ("0.75", "1.25"))
    assert read(rows).bins.tolist() == [[0, 0.5], [0.75, 1.25], [1.5, 3.0]]


def test_one_mass_is_not_enough(rows, read):
    with refused(InvalidNumberError, "table.csv", "masses [170.0] found, at least two"):
        read([row for row in rows if row["m_t_gev"] == "170.0"])


def test_file_that_is_not_there_or_empty(tmp_path):
    with refused(FileFormatError, "none.csv", "no such file"):
        read_prediction(tmp_path / "none.csv", name="p", observables=NAMES, order="NLO")
    with refused(FileFormatError, "table.csv: no rows"):
        read_prediction(write_table(tmp_path / "table.csv", []), name="p", observables=NAMES, order="NLO")


def test_names_of_a_prediction(rows, read):
    with refused(DuplicateNameError, "table.csv", "'low' stands twice"):
        read(rows, observables=["low", "low", "high"])
    assert read(rows).index[Variant("set", 2, "mt", 1.0, 1.0)] == 8


def test_column_of_correlated_errors(made, rows, tmp_path):
    for i, row in enumerate(rows):
        row[CORRELATED] = str(0.001 * i)
    path = write_table(tmp_path / "table.csv", rows, columns=(*COLUMNS, CORRELATED))
    found = read_prediction(path, name="p", observables=NAMES, order="NLO", rate_errors={"x": 0.1}, origin="NLO, partly")
    np.testing.assert_allclose(found.correlated_errors.ravel(), 0.001 * np.arange(len(rows)), rtol=1e-12)
    assert (dict(found.rate_errors), found.origin) == ({"x": 0.1}, "NLO, partly")
    again = tmp_path / "again.csv"
    again.write_text(prediction_text(found), encoding="utf-8")
    read = read_prediction(again, name="p", observables=NAMES, order="NLO")
    assert read.correlated_errors.tolist() == found.correlated_errors.tolist()
    assert CORRELATED not in prediction_text(made)


def test_correlated_error_that_cannot_be(rows, tmp_path):
    for cell, said in (("x", "'x' found"), ("-1", "a correlated numerical error is below 0")):
        changed = [row | {CORRELATED: "0"} for row in rows]
        changed[4][CORRELATED] = cell
        path = write_table(tmp_path / "table.csv", changed, columns=(*COLUMNS, CORRELATED))
        with refused(InvalidNumberError, "table.csv", said):
            read_prediction(path, name="p", observables=NAMES, order="NLO")


@pytest.fixture
def factors():
    """Rows of two scale points in three bins."""
    return [
        dict(zip(FACTOR_COLUMNS, map(str, (13, "mt", r, 1.0, low, high, 1.1 + 0.1 * i * r, 0.01 * (i + r))), strict=True))
        for r in (1.0, 2.0)
        for i, (low, high) in enumerate(((0.0, 0.5), (0.5, 1.5), (1.5, 3.0)))
    ]


@pytest.fixture
def read_factors(tmp_path):
    def call(rows, columns=FACTOR_COLUMNS):
        return read_scale_factors(write_table(tmp_path / "k.csv", rows, columns=columns))

    return call


def test_factors_are_read_in_any_order(factors, read_factors):
    found = read_factors(factors[::-1])
    assert (found.energy_tev, found.table, found.bins.tolist()) == (13.0, "k.csv", [[0, 0.5], [0.5, 1.5], [1.5, 3]])
    assert [tuple(point) for point in found.points] == [("mt", 2.0, 1.0), ("mt", 1.0, 1.0)]
    np.testing.assert_allclose(found.values, [[1.1, 1.3, 1.5], [1.1, 1.2, 1.3]], rtol=1e-12)
    np.testing.assert_allclose(found.errors, [[0.02, 0.03, 0.04], [0.01, 0.02, 0.03]], rtol=1e-12)


@pytest.mark.parametrize("column", FACTOR_COLUMNS)
def test_missing_column_of_factors_is_named(factors, read_factors, column):
    with refused(FileFormatError, "k.csv:2", f"missing column {column!r}"):
        read_factors(factors, [c for c in FACTOR_COLUMNS if c != column])


def test_rows_of_factors_that_are_missing_or_stand_twice(factors, read_factors):
    with refused(FileFormatError, "k.csv", "no row for 'scale mt, mu_R x 2, mu_F x 1', bin 1.5 to 3", "add it"):
        read_factors(factors[:-1])
    with refused(DuplicateNameError, "k.csv:9", "the same scale point and bin as", "k.csv:3"):
        read_factors([*factors, factors[0]])
    with refused(FileFormatError, "k.csv: no rows"):
        read_factors([])


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("factor", "0", "0 found, a number above 0"),
        ("factor", "x", "'x' found"),
        ("factor_error", "-0.1", "an error below 0"),
        ("mu_r", "-1", "-1 found, a number above 0"),
        ("bin_high", "0.7", "overlaps"),
    ],
)
def test_factor_that_cannot_be(factors, read_factors, column, cell, said):
    factors[0][column] = cell
    with refused(InvalidNumberError, "k.csv", said):
        read_factors(factors)


def test_factors_of_several_energies(factors, read_factors):
    factors[1]["sqrt_s_tev"] = "8"
    with refused(FileFormatError, "k.csv", "energies [8.0, 13.0] TeV found"):
        read_factors(factors)
