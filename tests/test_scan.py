"""Scans of the coefficients: the table of the Run 1 mass combination, and ends that leave the feasible set."""

import csv
from pathlib import Path

import numpy as np
import pytest
from combinations import star
from refusals import refused

import bayescomb as bc
from bayescomb.errors import InfeasibleCorrelationError
from bayescomb.scan import scan_curve

TABLE = Path(__file__).parent / "data" / "run1_scan_table.csv"
MEV = 1e-3
# The recomputed columns have two decimals.
TOLERANCE = 0.01


def table_rows():
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


@pytest.fixture(scope="module")
def rows(run1):
    return {row.name: row for row in bc.scan(run1).rows}


def in_mev(row):
    return abs(row.half_shift.item()) / MEV, abs(row.half_error_shift.item()) / MEV


def test_scan_has_a_row_per_varied_coefficient_in_their_order(run1, rows):
    assert list(rows) == [c.name for c in run1.assumption_set.coefficients if c.varied]
    assert sorted(rows) == sorted(row["coefficient"] for row in table_rows())


@pytest.mark.parametrize("expected", table_rows(), ids=lambda row: row["coefficient"])
def test_ranges_and_published_figures_are_those_of_the_publication(rows, expected):
    row = rows[expected["coefficient"]]
    assert (row.low, row.nominal, row.high) == tuple(float(expected[key]) for key in ("low", "nominal", "high"))
    assert row.published_half_shift == f"{expected['published_half_shift']} MeV"
    assert row.published_half_error_shift == f"{expected['published_half_error_shift']} MeV"


@pytest.mark.parametrize(
    "expected", [row for row in table_rows() if row["coefficient"] != "pileup"], ids=lambda row: row["coefficient"]
)
def test_row_agrees_with_the_recomputation(rows, expected):
    shift, error_shift = in_mev(rows[expected["coefficient"]])
    assert shift == pytest.approx(float(expected["recomputed_half_shift"]), abs=TOLERANCE)
    assert error_shift == pytest.approx(float(expected["recomputed_half_error_shift"]), abs=TOLERANCE)


def test_pileup_keeps_the_published_zeros_between_7_and_8_tev(rows):
    assert in_mev(rows["pileup"]) == pytest.approx((1.97, 0.33), abs=TOLERANCE)
    # published: 2 and "<1"
    assert round(in_mev(rows["pileup"])[0]) == 2
    assert in_mev(rows["pileup"])[1] < 1


def test_pileup_that_fills_the_whole_block_reproduces_the_recomputation(run1):
    filled = run1.with_assumptions("filled_pileup")
    row = next(row for row in bc.scan(filled).rows if row.name == "pileup")
    expected = next(row for row in table_rows() if row["coefficient"] == "pileup")
    assert in_mev(row) == pytest.approx(
        (float(expected["recomputed_half_shift"]), float(expected["recomputed_half_error_shift"])), abs=TOLERANCE
    )
    # the filled block is another model, also at its nominal coefficient
    assert bc.profile(filled).values.item() == pytest.approx(172.5106, abs=1e-4)


def test_half_shift_is_half_of_the_difference_of_two_profiles(run1, rows):
    names = [c.name for c in run1.assumption_set.coefficients]
    ends = []
    for value in rows["LHCbJES"].low, rows["LHCbJES"].high:
        coefficients = np.array([c.nominal for c in run1.assumption_set.coefficients])
        coefficients[names.index("LHCbJES")] = value
        ends.append(bc.profile(run1, coefficients=coefficients))
    assert rows["LHCbJES"].half_shift.item() == pytest.approx((ends[1].values - ends[0].values).item() / 2, abs=1e-12)
    assert rows["LHCbJES"].half_error_shift.item() == pytest.approx((ends[1].errors - ends[0].errors).item() / 2, abs=1e-12)


def test_curve_goes_through_the_nominal_profile(run1):
    values, errors = scan_curve(run1, index=0, points=np.array([-0.25, 0.0, 0.25]))
    fit = bc.profile(run1)
    assert values.dims == errors.dims == ("parameter", "point")
    assert values.sel(parameter="m_t", point=0.0).item() == pytest.approx(fit.values.item(), abs=1e-12)
    assert errors.sel(parameter="m_t", point=0.0).item() == pytest.approx(fit.errors.item(), abs=1e-12)


def test_end_that_leaves_the_feasible_set_gives_a_reason_instead_of_a_number():
    combination = star(3, shared=True, low=0.25, nominal=0.5, high=0.75)  # feasible up to 1 / sqrt(3)
    (row,) = bc.scan(combination).rows
    assert row.half_shift is None
    assert row.half_error_shift is None
    assert "not a correlation matrix" in row.problem
    with refused(InfeasibleCorrelationError, "'star'", "smallest eigenvalue", "shift, clip or nearest"):
        scan_curve(combination, index=0, points=np.array([0.5, 0.75]))


def test_nuisance_treatment_of_run1_has_no_scan_without_a_repair(run1):
    assert all(row.half_shift is None and "LHCrad" in row.problem for row in bc.scan(run1.with_treatment("nuisance")).rows)


def test_coefficients_without_a_range_are_not_scanned(run1):
    assert bc.scan(run1.with_assumptions("uncorrelated")).rows == ()
