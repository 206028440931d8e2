"""Scans of the coefficients: the table of the Run 1 mass combination, and ends that leave the feasible set."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from combinations import star
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import InfeasibleCorrelationError
from bayescomb.fit.scan import scan_curve
from bayescomb.output.data.results import scan_data
from bayescomb.output.tables.scan import largest_moves
from bayescomb.output.text.scan import scan_text

TABLE = Path(__file__).parents[1] / "data" / "run1_scan_table.csv"
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


# The star of three has one nuisance that is correlated with three others by r: eigenvalues 1 and 1 +- sqrt(3) r.
END = 1 / np.sqrt(3)


def test_scan_goes_to_the_end_of_the_feasible_set_and_marks_the_cut():
    combination = star(3, shared=True, low=0.25, nominal=0.5, high=0.75)
    (row,) = bc.scan(combination, points=5).rows
    assert row.cut
    assert row.reached == (0.25, pytest.approx(END, abs=1e-8))
    assert row.problem == ""
    assert row.blocks == ("n0 ... n3",)
    # The points stay those of the quoted range, and those beyond the end say why they have no number.
    assert [point.coefficients["r0"] for point in row.points] == [0.25, 0.375, 0.5, 0.625, 0.75]
    assert ["not a correlation matrix" in point.problem for point in row.points] == [False, False, False, True, True]
    low, high = (bc.profile(combination, coefficients=np.array([r])) for r in (0.25, END))
    np.testing.assert_allclose(row.half_shift, (high.values - low.values) / 2, atol=1e-8)
    np.testing.assert_allclose(row.half_error_shift, (high.errors - low.errors) / 2, atol=1e-8)
    np.testing.assert_allclose(row.half_covariance_shift, (high.covariance - low.covariance) / 2, atol=1e-7)


def test_both_ends_can_be_cut():
    (row,) = bc.scan(star(3, shared=True, low=-0.75, nominal=0.0, high=0.75), points=2).rows
    assert row.reached == (pytest.approx(-END, abs=1e-8), pytest.approx(END, abs=1e-8))
    assert row.half_shift is not None


def test_end_depends_on_the_rest_of_its_block_and_not_on_an_infeasible_nominal_value():
    combination = star(3, shared=True, low=0.25, nominal=0.5, high=0.75).with_treatment("nuisance")
    block = bc.CorrelationBlock(name="fixed", nuisances=("n1", "n2"), correlation=[[1.0, -0.5], [-0.5, 1.0]])
    given = combination.assumption_set
    beyond = dataclasses.replace(given, coefficients=(dataclasses.replace(given.coefficients[0], nominal=0.7),))
    row = bc.scan(dataclasses.replace(combination, assumption_sets={given.name: beyond}), points=3).rows[0]
    assert row.reached == (0.25, pytest.approx(END, abs=1e-8))
    tight = dataclasses.replace(given, blocks=(block,))  # r^2 (1/(1 - 0.5) * 2 + 1) <= 1 allows 1 / sqrt(5) at most
    row = bc.scan(dataclasses.replace(combination, assumption_sets={given.name: tight}), points=2).rows[0]
    assert row.reached == (0.25, pytest.approx(1 / np.sqrt(5), abs=1e-8))


def test_points_carry_the_covariance_of_the_results():
    combination = star(3, shared=True, low=0.0, nominal=0.25, high=0.5)
    (row,) = bc.scan(combination, points=3).rows
    assert not row.cut
    fit = bc.profile(combination)
    np.testing.assert_allclose(row.points[1].covariance, fit.covariance, rtol=1e-12)
    assert row.points[1].covariance.dims == fit.covariance.dims
    ends = [point.correlation.to_numpy() for point in (row.points[0], row.points[-1])]
    np.testing.assert_allclose(np.diag(ends[0]), 1.0)
    np.testing.assert_allclose(row.half_correlation_shift, (ends[1] - ends[0]) / 2, atol=1e-14)
    (entry,) = scan_data(bc.scan(combination, points=3))["scan"]
    assert entry["points"][1]["covariance"]["names"] == ["x0", "x1", "x2", "x3"]
    np.testing.assert_allclose(entry["points"][1]["covariance"]["matrix"], fit.covariance, rtol=1e-12)
    np.testing.assert_allclose(entry["half_correlation_shift"]["matrix"], row.half_correlation_shift)
    assert entry["reached"] == {"low": 0.0, "high": 0.5}


def test_text_marks_a_cut_and_says_its_block_once():
    result = bc.scan(star(3, shared=True, low=0.25, nominal=0.5, high=0.75), points=2)
    text = scan_text(result)
    assert "+0.25 to +0.577*" in text
    assert text.count("n0 ... n3") == 1
    assert "quoted 0.25 to 0.75" in text
    assert "published" not in text


def test_text_of_many_results_shows_what_moves_most():
    combination = star(3, shared=True, low=0.0, nominal=0.25, high=0.5)
    result = bc.scan(combination, points=2)
    (move,) = largest_moves(result)
    shift = np.abs(result.rows[0].half_correlation_shift.to_numpy()).max()
    assert abs(move.correlation[0]) == pytest.approx(shift)
    assert "," in move.correlation[1]
    assert "of a correlation between results of different experiments" in scan_text(result)


def test_curve_beyond_the_feasible_set_is_refused():
    combination = star(3, shared=True, low=0.25, nominal=0.5, high=0.75)
    with refused(InfeasibleCorrelationError, "'star'", "smallest eigenvalue", "shift, clip or nearest"):
        scan_curve(combination, index=0, points=np.array([0.5, 0.75]))


def test_nuisance_treatment_of_run1_has_no_scan_without_a_repair(run1):
    assert all(row.half_shift is None and "LHCrad" in row.problem for row in bc.scan(run1.with_treatment("nuisance")).rows)


def test_coefficients_without_a_range_are_not_scanned(run1):
    assert bc.scan(run1.with_assumptions("uncorrelated")).rows == ()
