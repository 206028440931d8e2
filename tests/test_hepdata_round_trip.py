"""An export read again: as the combination that it was made from, and its tables as one measurement."""

import tarfile

import numpy as np
import pytest
from exported import Submission
from worked import worked_example

import bayescomb as bc
from bayescomb.cli import main
from bayescomb.serialise import SETTINGS, difference

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


def as_one_measurement(submission, names, beginnings, correlations):
    """What anybody makes of the result tables: values and errors by name, and the correlation of all, as a measurement."""
    values, errors = {}, {}
    for table in submission.tables:
        if not table.startswith(beginnings):
            continue
        labels = submission.rows(table)
        if "observable" in submission.columns(table):  # the rows are bins
            labels = submission.values(table, "observable")
        values |= dict(zip(labels, submission.values(table, "value"), strict=True))
        errors |= dict(zip(labels, submission.values(table, "total error"), strict=True))
        parts = [submission.errors(table, "value", label) for label in ("stat", "syst", "theory")]
        squares = np.sum(np.array([[e or 0.0 for e in part] for part in parts]) ** 2, axis=0)
        np.testing.assert_allclose(np.sqrt(squares), submission.values(table, "total error"), rtol=1e-9)
    size = np.array([errors[name] for name in names])
    correlation = np.eye(len(names))
    if len(names) > 1:
        correlation = np.reshape(submission.values(correlations, "correlation"), (len(names),) * 2)
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


def test_result_tables_are_a_measurement_with_the_same_values_and_covariance(case, tmp_path):
    combination, fit, archive = case
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    submission = Submission(tmp_path)
    combined = {"beginnings": "Combined ", "correlations": "Correlation of combined results"}
    if combination.extraction:
        fitted = {"beginnings": ("Extracted ", "Fitted "), "correlations": "Correlation of results"}
        assert_read_again(submission, fit, **fitted)
        fit = bc.profile(combination.with_extraction(""))
    assert_read_again(submission, fit, **combined)


def test_exported_folder_is_a_model_for_every_command(tmp_path, capsys):
    target = bc.export_hepdata(bc.profile(bc.load("models/ttj_rho")), tmp_path / "export")
    assert main(["profile", str(target), "--extraction", "two_masses"]) == 0
    assert "m_t_ATLAS" in capsys.readouterr().out
    assert main(["convert", str(target), str(tmp_path / "model")]) == 0
    assert difference(bc.load(tmp_path / "model"), bc.load("models/ttj_rho")) == ""
