"""Published combinations, typed as their authors would: our figures are theirs to the last published digit."""

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


def test_tevatron_takes_a_sixth_of_the_lines():
    assert PUBLISHED["Tevatron m_t 2013"].lines < 60
