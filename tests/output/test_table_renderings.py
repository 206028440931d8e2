"""A table is made once: terminal, page, LaTeX, CSV, JSON and export say the same of every row."""

import csv
import dataclasses
import json

import numpy as np
import pytest
import xarray as xr
from combinations import star

import bayescomb as bc
from bayescomb.base.rounding import plain, rounded_like
from bayescomb.output.analysis import analyse
from bayescomb.output.data.extraction import shares_data
from bayescomb.output.data.groups import export_groups
from bayescomb.output.data.results import impact_data, scan_data
from bayescomb.output.tables import impacts as impact_module
from bayescomb.output.tables import variance
from bayescomb.output.tables.impacts import ImpactQuantity, impact_table
from bayescomb.output.tables.result import compatibility_table, correlation_table, summary_table, weights_table
from bayescomb.output.tables.scan import largest_moves, moves_table, scan_table
from bayescomb.output.tables.table import Column, by_result, latex_table, latex_text, text_column, write_table
from bayescomb.output.text.fit import impact_text


@pytest.fixture(scope="module")
def combination():
    """Two estimates of x with a common nuisance each."""
    return star(1, low=0.0, high=0.8, nominal=0.3, separate_observables=False, nuisance_size=2.0)


@pytest.fixture(scope="module")
def held(combination):
    return bc.impacts(combination, parts="held")


def read_csv(path):
    return list(csv.DictReader(line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")))


def test_every_rendering_of_the_impacts_says_the_same(combination, held, tmp_path):
    table, data, text = impact_table(held), impact_data(held), impact_text(held)
    tex = latex_table(table, combination)
    write_table(table, tmp_path, combination)
    of_json = json.loads((tmp_path / "impacts.json").read_text(encoding="utf-8"))["rows"]
    total = held.total.sel(parameter="x").item()
    sections = {"nuisance": "nuisances", "group": "groups", "sum": "whole", "source": "sources", "size": "sources"}
    for row, own, of_csv in zip(table.rows, of_json, read_csv(tmp_path / "impacts.csv"), strict=True):
        value, shown = row["impact[x]"], plain(rounded_like(row["impact[x]"], total))
        assert value == data[sections[row["kind"]]][row["name"]]["x"] == own["impact[x]"] == float(of_csv["impact[x]"])
        assert f"{latex_text(row['title'])} & {row['kind']} & ${shown}$" in tex
        label = f"group {row['title']}" if row["kind"] == "group" else row["title"]
        start = [*label.split(), shown]
        assert any(line.split()[: len(start)] == start for line in text.splitlines())
    exported = export_groups(analyse(bc.profile(combination, parts="held"), impacts_of=held))
    assert data["shifts"]
    for name, shift in data["shifts"].items():
        assert shift["x"] == next(row["shift[x]"] for row in table.rows if row["name"] == name)
        assert shift["x"] == exported["impacts"]["shift"].sel(source=name, parameter="x").item()


def test_a_quantity_beside_the_impacts_is_in_every_output_once_it_is_listed(combination, held, monkeypatch):
    ratio = ImpactQuantity(
        key="ratio",
        json="ratios",
        title="part of the error of {}",
        name="Ratios by {}s",
        sentence="Impact of every {} over the error",
        values=lambda given: {"source": given.sources / given.total, "group": given.groups / given.total},
        show=lambda value, _: f"{value:.3f}",
        in_unit=False,
    )
    for module in ("tables.impacts", "data.results", "data.groups", "export.hepdata_tables"):
        monkeypatch.setattr(f"bayescomb.output.{module}.QUANTITIES", (*impact_module.QUANTITIES[:2], ratio))
    name = str(held.sources["source"].to_numpy()[0])
    expected = (held.sources / held.total).sel(source=name, parameter="x").item()
    assert next(row for row in impact_table(held).rows if row["name"] == name)["ratio[x]"] == expected
    assert impact_data(held)["ratios"]["nuisances"][name]["x"] == expected
    text = impact_text(held)
    assert "part of the error of x" in text
    assert f"{expected:.3f}" in text
    exported = export_groups(analyse(bc.profile(combination, parts="held"), impacts_of=held))
    assert exported["impacts"]["ratio"].sel(source=name, parameter="x").item() == expected


def test_terminal_and_page_show_the_same_numbers(combination):
    fit, scanned = bc.profile(combination), bc.scan(combination, points=2)
    tables = [
        weights_table(fit, ["x"]),
        compatibility_table(bc.compatibility(combination)),
        summary_table(combination.results, fit=fit, comparison=None),
        scan_table(scanned, combination.results),
        moves_table(scanned, largest_moves(scanned)),
    ]
    for table in tables:
        both = [column for column in table.columns if not column.only and not column.text]
        assert both, table.name
        for row, cells in zip(table.rows, table.terminal[1:], strict=True):
            assert {plain(column.show(row)) for column in both} <= set(cells)


def test_columns_of_words_stay_as_users_wrote_them():
    words, numbers = text_column("name", "name"), Column(title="χ²", show=lambda row: row["value"])
    table = impact_module.Table(
        name="t", title="t", rows=[{"name": "a\u2013b²", "value": "\u22121"}], columns=[words, numbers]
    )
    assert table.terminal == [["name", "chi2"], ["a\u2013b²", "-1"]]


def test_a_result_without_a_variance_has_no_correlation():
    """Such as one at a bound: 0 would say that it is independent of the others."""
    rows = correlation_table(["a", "b"], np.array([[0.0, 0.0], [0.0, 4.0]])).rows
    assert [by_result(row, "correlation") for row in rows] == [{"a": None, "b": None}, {"a": None, "b": 1.0}]


def test_a_half_shift_that_is_not_a_number_is_none_in_json(combination):
    scanned = bc.scan(combination, points=2)
    row = scanned.rows[0]
    lost = dataclasses.replace(row, half_shift=row.half_shift * np.nan, half_error_shift=row.half_error_shift * np.nan)
    entry = scan_data(dataclasses.replace(scanned, rows=(lost,)))["scan"][0]
    assert entry["parameters"]["x"] == {"half_shift": None, "half_error_shift": None}
    json.dumps(entry, allow_nan=False)


def test_files_of_a_table_have_percent_where_json_has_the_fraction():
    shares = xr.Dataset(
        {"variance": (("part", "parameter"), [[3.0], [1.0]]), "share": (("part", "parameter"), [[0.75], [0.25]])},
        {"part": ["statistics", "JES"], "kind": ("part", ["statistics", "group"]), "parameter": ["x"]},
    )
    assert [row["share"] for row in variance.shares_table(shares, {}).file_rows] == [75.0, 25.0, 100.0]
    assert shares_data(shares)["x"]["JES"] == {"kind": "group", "variance": 1.0, "share": 0.25}
