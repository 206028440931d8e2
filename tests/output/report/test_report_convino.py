"""Reports of models that are not linear: nothing that rests on linearity is shown, and what replaces it is."""

import pytest
from full_size import full_size
from report_pages import unrendered
from worked import worked_example

import bayescomb as bc


@pytest.mark.slow
def test_profile_alone(tmp_path):
    fit = bc.profile(worked_example("pearson"))
    with unrendered():
        text = bc.report(None, fit, tmp_path / "report").read_text(encoding="utf-8")
    assert "χ²: <b>pearson</b>" in text
    assert "for Δχ² = 1) " in text  # asymmetric errors beside the symmetric one
    assert "left out of the profile, as in Convino" in text
    assert "Compatibility of each input with the rest" in text
    assert "<i>a</i><sub>unc</sub>" in text
    assert "not a correlation matrix" in text  # the ends of the scans


@pytest.mark.slow
def test_posterior(tmp_path):
    combination = worked_example("neyman")
    posterior = bc.sample(combination, seed=1, draws=500, correlations="nominal")
    with unrendered():
        text = bc.report(posterior, bc.profile(combination), tmp_path / "report").read_text(encoding="utf-8")
    assert "histogram of the draws" in text
    assert "exact conditional" not in text
    assert "posterior at nominal coefficients" not in text


@pytest.mark.thorough
def test_true_size(tmp_path):
    fit = bc.profile(full_size(shared=True))
    text = bc.report(None, fit, tmp_path / "report").read_text(encoding="utf-8")
    assert "more rows in the files" in text
