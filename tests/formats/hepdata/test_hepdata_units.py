"""Units and percent in the spellings of real tables: the same number from each, and never another one without a word."""

import hepdata_tables as made
import numpy as np
import pytest
from hepdata_model import ENTRY, OBSERVABLES, load, model
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import InputWarning, InvalidNumberError, UnknownNameError
from bayescomb.formats.hepdata.record.layouts import json_table, yaml_table
from bayescomb.formats.hepdata.record.submission import read_submission
from bayescomb.formats.hepdata.record.units import conversion, headed, is_percent, same_unit, squared_unit

NO_SOURCES = ENTRY.replace('sources = { "sys,J*" = "JES" }', "")
VALUES = [200.0, 100.0, -50.0]
STAT = {"stat": [1.0, 1.0, 1.0]}
# 3 % of the sizes of the values.
SHIFTS = [6.0, 3.0, 1.5]
SPELLINGS = [
    "%",
    r"$\%$",
    r"\%",
    "in %",
    "in [%]",
    "[%]",
    "(%)",
    "percent",
    "Per cent",
    "pct",
    "Percentage",
    r"$\mathrm{\%}$",
]
HEADERS = ["JES [%]", "JES (%)", "JES(%)", "JES %", "JES in %", "JES, in percent", "JES (in [%])", r"JES [\%]",
           r"JES $[\%]$", r"JES ($\%$)", "JES [in %]", "JES [rel. %]", "JES (percent)"]  # fmt: skip


def with_breakdown(header, unit="", cells=(3.0, 3.0, 3.0)):
    column = made.column(list(cells), name=header, units=unit)
    return {
        "Table 1": made.table([made.axis(made.EDGES)], [made.column(VALUES, STAT)]),
        "Break": made.table([made.axis(made.EDGES)], [column]),
    }


MAPPING = 'values = "Table 1"\nstatistical = "stat"\nbreakdown = "Break"\n'


@pytest.mark.parametrize("unit", SPELLINGS)
def test_a_unit_of_percent_in_every_spelling(tmp_path, unit):
    assert is_percent(unit)
    measurement = load(tmp_path, with_breakdown("JES", unit), MAPPING, NO_SOURCES)
    np.testing.assert_allclose(measurement.responses[:, 0], SHIFTS, rtol=1e-15)


@pytest.mark.parametrize("header", HEADERS)
def test_percent_in_a_header_is_the_same_in_yaml_and_json(tmp_path, header):
    content = with_breakdown(header)
    measurement = load(tmp_path, content, MAPPING, NO_SOURCES)
    np.testing.assert_allclose(measurement.responses[:, 0], SHIFTS, rtol=1e-15)
    assert [n.name for n in measurement.nuisances] == ["Break"]
    names = [made.write_served(tmp_path / f"{i}.json", *item).name for i, item in enumerate(content.items())]
    served = load(tmp_path, content, MAPPING, NO_SOURCES.replace('"hep"', str(names)))
    assert served.responses.tolist() == measurement.responses.tolist()
    for table in (yaml_table(content["Break"], name="B", description="", where="b.yaml"),
                  json_table(made.served("B", content["Break"]), where="b.json")):  # fmt: skip
        assert (table.columns[0].name, table.columns[0].unit) == ("JES", "%")


@pytest.mark.parametrize(
    "header", ["limit at 95% CL", "68 % interval", "limit (95% CL)", "y (reco)", "ratio [1]", "d(p)", "R(b)", "F2 (c)"]
)
def test_what_is_no_unit_stays_in_the_header(header):
    assert headed(header) == (header, "")


def test_errors_of_a_label_are_percent_where_the_mapping_says_so(tmp_path):
    errors = {"stat": [1, 1, 2], "sys,JES": [3, 3, 3], "sys,lumi": ["2%", "2%", "2%"]}
    content = {"Table 1": made.table([made.axis(made.EDGES)], [made.column(VALUES, errors)])}
    mapping = 'values = "Table 1"\nstatistical = "stat"\nlabels = "sys,*"\npercent = ["stat", "sys,*"]'
    measurement = load(tmp_path, content, mapping, NO_SOURCES)
    np.testing.assert_allclose(measurement.responses, np.column_stack([SHIFTS, [4.0, 2.0, 1.0]]), rtol=1e-15)
    np.testing.assert_allclose(np.sqrt(np.diag(measurement.statistical_covariance)), [2.0, 1.0, 1.0], rtol=1e-15)
    with refused(UnknownNameError, "percent: 'JES' matches no error or source", "'stat', 'sys,JES'"):
        load(tmp_path, content, mapping.replace('"sys,*"]', '"sys,*", "JES"]'), NO_SOURCES)


def test_columns_are_percent_where_the_mapping_says_so(tmp_path):
    measurement = load(tmp_path, with_breakdown("JES"), MAPPING + 'percent = "Break"', NO_SOURCES)
    np.testing.assert_allclose(measurement.responses[:, 0], SHIFTS, rtol=1e-15)


def test_errors_that_exceed_the_values_in_most_rows_are_a_warning(tmp_path):
    small = [made.column([2.0, 1.0, 4.0], {"stat": [0.1, 0.1, 0.1], "sys": [3.0, 3.0, 3.0]})]
    content = {"Table 1": made.table([made.axis(made.EDGES)], small)}
    mapping = 'values = "Table 1"\nstatistical = "stat"\nlabels = "sys"\n'
    with pytest.warns(
        InputWarning, match=r"errors of 'sys' exceed the values in most rows \(3 for 2 in the first\), .*percent"
    ):
        load(tmp_path, content, mapping, NO_SOURCES)
    load(tmp_path, content, mapping + 'percent = "sys"', NO_SOURCES)  # warnings are errors here


UNITS = ["pb", "PB/GEV", "pb GeV^-1", r"$\mathrm{pb}$", r"pb GeV$^{-1}$", r"\frac{pb}{GeV}", "1/GeV", "events", "10^-3", "%",
         r"$\mathrm{10^{-3}}$", "fb/(GeV rad)", "GEV/C", "odd £", r"$\mu$b", "", "dimensionless", "prior width"]  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
def test_the_square_of_a_unit_is_read_as_its_square(unit):
    assert same_unit(unit, squared_unit(unit), power=2) is not False
    if unit not in {"", "dimensionless"}:
        assert conversion(squared_unit(unit), unit, power=2) == 1.0
    assert squared_unit("PB/GEV") == "(PB/GEV)^2"
    assert same_unit("PB/GEV", "PB/GEV^2", power=2) is False


@pytest.mark.slow  # exports
@pytest.mark.parametrize("unit", ["PB/GEV", r"$\frac{pb}{GeV}$", "odd £ / GeV"])
def test_our_export_is_read_in_its_unit(tmp_path, unit):
    observables = OBSERVABLES.replace(' unit = "pb"', "").replace(",  }", " }").replace(", }", " }")
    values = made.column(VALUES, STAT, units=unit)
    content = {"Table 1": made.table([made.axis(made.EDGES)], [values])}
    combination = bc.load(model(tmp_path, content, 'values = "Table 1"\nstatistical = "stat"', NO_SOURCES, observables))
    bc.export_hepdata(bc.profile(combination), tmp_path / "x.tar.gz")
    table = read_submission(tmp_path / "x.tar.gz").table("Covariance of combined results", where="test")
    assert same_unit(unit, table.columns[0].unit, power=2) is True
    entry = NO_SOURCES.replace('"hep"', '"x.tar.gz"')
    mapping = 'values = { table = "Combined results", column = "value" }\nignore = "*"\n'
    mapping += 'total_covariance = "Covariance of combined results"'
    again = load(tmp_path, content, mapping, entry, observables)
    assert [e.value for e in again.estimates] == VALUES
    assert again.statistical_covariance.tolist() == np.eye(3).tolist()


@pytest.mark.parametrize(
    ("unit", "target", "power", "factor"),
    [
        ("MeV", "GEV", 1, 1e-3),
        ("fb", "PB", 1, 1e-3),
        ("nb/MeV", "pb/GeV", 1, 1e6),
        ("fb^2", "pb", 2, 1e-6),
        (r"$\mu$b", "nb", 1, 1e3),
        ("10^-3/GeV", "1/GeV", 1, 1e-3),
        ("GEV/C", "GeV", 1, 1.0),
        ("GeV", "pb", 1, None),
        ("", "pb", 1, None),
    ],
)
def test_powers_of_ten_are_exact(unit, target, power, factor):
    assert conversion(unit, target, power=power) == factor


def test_values_are_converted_to_the_unit_of_their_observables_and_this_is_said(tmp_path):
    observables = OBSERVABLES.replace('"pb"', '"fb"')
    content = with_breakdown("JES", "fb", cells=[1000.0, 500.0, 250.0])
    with pytest.warns(InputWarning) as caught:
        measurement = load(tmp_path, content, MAPPING, NO_SOURCES, observables)
    said = [str(w.message) for w in caught]
    assert any("'SIG' in 'PB', the observables are in 'fb'; values and errors are multiplied by 1000" in s for s in said)
    assert any("table 'Break': in 'fb', the values in 'PB'; its numbers are multiplied by 0.001" in s for s in said)
    # The third observable has no unit and keeps that of the table.
    assert [e.value for e in measurement.estimates] == [200000.0, 100000.0, -50.0]
    np.testing.assert_allclose(measurement.responses[:, 0], [1000.0, 500.0, 0.25], rtol=1e-15)
    np.testing.assert_allclose(np.diag(measurement.statistical_covariance), [1e6, 1e6, 1.0], rtol=1e-15)
    with refused(InvalidNumberError, "'SIG' in 'PB'", "observable 'bin1' is in 'GeV'"):
        load(tmp_path, with_breakdown("JES", "%"), MAPPING, NO_SOURCES, OBSERVABLES.replace('"pb"', '"GeV"'))


def test_covariances_in_another_unit_and_correlations_in_percent_are_converted(tmp_path):
    rho = np.array([[1.0, 0.5, 0.0], [0.5, 1.0, 0.25], [0.0, 0.25, 1.0]])
    content = {
        "Table 1": made.table([made.axis(made.EDGES)], [made.column(VALUES, STAT)]),
        "Cov": made.matrix(1e6 * rho, matrix_units="FB**2"),
        "Rel": made.matrix(1e4 * rho / np.outer(VALUES, VALUES) * np.sign(np.outer(VALUES, VALUES)), matrix_units="%^2"),
        "Rho": made.matrix(100 * rho, matrix_units="%"),
    }
    mapping = 'values = "Table 1"\nstatistical = "stat"\n'
    for key, table, said in (("covariance", "Cov", "multiplied by 1e-06"), ("covariance", "Rel", "percent squared"),
                             ("correlation", "Rho", "its diagonal is 100")):  # fmt: skip
        with pytest.warns(InputWarning, match=said):
            measurement = load(tmp_path, content, f'{mapping}statistical_{key} = "{table}"', NO_SOURCES)
        np.testing.assert_allclose(measurement.statistical_covariance, rho, rtol=1e-14)
