"""Published combinations, typed as their authors would: our figures are theirs to the last published digit."""

import dataclasses

import numpy as np
import pytest
from published_combinations import PUBLISHED

import bayescomb as bc


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_value_error_and_chi2(name, tmp_path):
    """Within a unit of the last digit: inputs and results are both rounded to it."""
    published = PUBLISHED[name]
    fit = bc.profile(published.load(tmp_path))
    for result, value in published.values.items():
        found = float(fit.values.sel(parameter=result)), float(fit.errors.sel(parameter=result))
        np.testing.assert_allclose(found, (value, published.errors[result]), atol=published.last[result], rtol=0)
    if published.chi2 is not None:
        chi2, ndf, last = published.chi2
        assert (fit.ndf, fit.chi2) == (ndf, pytest.approx(chi2, abs=last))


@pytest.mark.parametrize("year", [2013, 2014])
def test_tevatron_takes_a_fifth_of_the_lines(year):
    """Of the 249 lines that the one of 2016, with as many inputs and sources, took without the short forms."""
    assert PUBLISHED[f"Tevatron m_t {year}"].lines < 60


def test_w_helicity_is_that_of_tomneep_blue(tmp_path):
    """Its notebook on the same inputs, JHEP_08_2020_51.ipynb, prints these; F_R is published as -0.008 +- 0.007."""
    right = bc.Observable(name="F_R", formula="1 - F_0 - F_L")
    fit = bc.profile(dataclasses.replace(PUBLISHED["W helicity"].load(tmp_path), derived=(right,)))
    assert float(fit.errors.sel(parameter="F_R")) == pytest.approx(0.007, abs=0.001)
    found = [float(fit.values.sel(parameter=name)) for name in ("F_0", "F_L", "F_R")]
    assert found == pytest.approx([0.6939463140242952, 0.3142451582925914, -0.00819147231688655], abs=1e-10)
    covariance = fit.covariance.sel(parameter=["F_0", "F_L"], parameter_b=["F_0", "F_L"]).to_numpy()
    assert covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]) == pytest.approx(-0.85, abs=0.005)
