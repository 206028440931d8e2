"""An export read again: as the combination that it was made from, and its tables as one measurement."""

import numpy as np
import pytest
from worked import worked_example

import bayescomb as bc
from bayescomb.cli.main import main
from bayescomb.formats.hepdata.matrices import read_table_matrix
from bayescomb.formats.hepdata.record.submission import read_submission
from bayescomb.inputs.serialise import SETTINGS, difference

pytestmark = pytest.mark.slow

MODELS = {
    "run1_mass": lambda: bc.load("models/run1_mass"),
    "run1_mass repaired": lambda: bc.load("models/run1_mass").with_treatment("nuisance", repair="nearest"),
    "ttj_rho": lambda: bc.load("models/ttj_rho"),
    "ttj_rho two masses": lambda: bc.load("models/ttj_rho", extraction="two_masses").with_assumptions("jes"),
    "ttj_rho combined": lambda: bc.load("models/ttj_rho", extraction=""),
    "convino neyman": lambda: worked_example("neyman"),
    "convino pearson": lambda: worked_example("pearson"),
}


@pytest.fixture(scope="module", params=MODELS)
def case(request, tmp_path_factory):
    """A combination, its profile and its export."""
    combination = MODELS[request.param]()
    fit = bc.profile(combination)
    return combination, fit, bc.export_hepdata(fit, tmp_path_factory.mktemp("export") / "export.tar.gz")


def test_combination_is_the_original_with_its_settings_and_gives_the_same_numbers(case):
    combination, fit, archive = case
    again = bc.load(archive)
    assert difference(again, combination) == ""
    assert all(getattr(again, key) == getattr(combination, key) for key in SETTINGS)
    found = bc.profile(again)
    for key in ("values", "errors", "up_errors", "down_errors", "covariance", "pulls", "constraints", "weights"):
        np.testing.assert_array_equal(getattr(found, key).values, getattr(fit, key).values, err_msg=key)
    assert (found.chi2, found.ndf, found.p_value) == (fit.chi2, fit.ndf, fit.p_value)
    np.testing.assert_array_equal(bc.impacts(again).sources.values, bc.impacts(combination).sources.values)


def column(table, name):
    return next(c for c in table.columns if c.name == name)


def as_one_measurement(submission, names, beginnings, correlations):
    """What anybody makes of the result tables: values and errors by name, and the correlation of all, as a measurement."""
    values, errors = {}, {}
    for entry in submission.entries:
        if not entry.name.startswith(beginnings):
            continue
        table = entry.table
        labels = table.rows
        if any(c.name == "observable" for c in table.columns):  # the rows are bins
            labels = [cell.text for cell in column(table, "observable").cells]
        for label, cell, total in zip(labels, column(table, "value").cells, column(table, "total error").cells, strict=True):
            values[label], errors[label] = cell.number(), total.number()
            assert np.sqrt(sum(e.up**2 for e in cell.errors)) == pytest.approx(errors[label], rel=1e-9)
        own = [errors[label] ** 2 for label in labels]
        covariance = submission.table(f"Covariance of {entry.name[0].lower()}{entry.name[1:]}", where="test")
        matrix = read_table_matrix(covariance, covariance.columns)
        np.testing.assert_allclose(np.diag(matrix.ordered(table.rows, whose=entry.name).values), own, rtol=1e-12)
    size = np.array([errors[name] for name in names])
    correlation = np.eye(len(names))
    if len(names) > 1:
        table = submission.table(correlations, where="test")
        correlation = read_table_matrix(table, table.columns).ordered(names, whose="results").values
    return bc.Combination(
        name="read again",
        measurements=(
            bc.Measurement(
                name="export",
                estimates=tuple(bc.Estimate(name=f"e {n}", value=values[n], observables={n: 1.0}) for n in names),
                statistical_covariance=correlation * np.outer(size, size),
            ),
        ),
        observables=tuple(bc.Observable(name=name) for name in names),
        assumption_sets={"none": bc.AssumptionSet(name="none")},
        assumptions="none",
    )


def assert_read_again(submission, fit, *, beginnings, correlations):
    # The difference of two masses follows from them.
    names = [o.name for o in fit.combination.results if " - " not in o.name]
    found = bc.profile(as_one_measurement(submission, names, beginnings, correlations))
    at, square = {"parameter": names}, {"parameter": names, "parameter_b": names}
    np.testing.assert_allclose(found.values.sel(at), fit.values.sel(at), rtol=1e-9)
    scale = np.outer(fit.errors.sel(at), fit.errors.sel(at))
    np.testing.assert_allclose(found.covariance.sel(square) / scale, fit.covariance.sel(square) / scale, rtol=0, atol=1e-9)


def test_result_tables_are_a_measurement_with_the_same_values_and_covariance(case):
    combination, fit, archive = case
    submission = read_submission(archive)
    if combination.extraction:
        assert_read_again(submission, fit, beginnings=("Extracted ", "Fitted "), correlations="Correlation of results")
        fit = bc.profile(combination.with_extraction(""))
    assert_read_again(submission, fit, beginnings="Combined ", correlations="Correlation of combined results")


def test_exported_folder_is_a_model_for_every_command(tmp_path, capsys):
    target = bc.export_hepdata(bc.profile(bc.load("models/ttj_rho")), tmp_path / "export")
    assert main(["profile", str(target), "--extraction", "two_masses"]) == 0
    assert "m_t_ATLAS" in capsys.readouterr().out
    assert main(["convert", str(target), str(tmp_path / "model")]) == 0
    assert difference(bc.load(tmp_path / "model"), bc.load("models/ttj_rho")) == ""
