"""What is printed beside the published combinations: invariants that hold whatever the inputs, on all of them."""

import numpy as np
import pytest
from published_combinations import PUBLISHED

import bayescomb as bc
from bayescomb.output.averages import averages
from bayescomb.output.tables.averages import average_tables


@pytest.mark.parametrize("name", PUBLISHED)
def test_averages_of_published_combinations(name, tmp_path):
    combination = PUBLISHED[name].load(tmp_path)
    fit = bc.profile(combination)
    found = averages(fit)
    shown = found.information.table.sel(parameter=[o.name for o in combination.headline])
    # Marginal information in algebra, and by really leaving inputs out where each is one estimate.
    if all(len(m.estimates) == 1 for m in combination.measurements):
        for row, m in zip(found.without.rows, combination.measurements, strict=True):
            at = shown["marginal"].sel(estimate=m.estimates[0].name).to_numpy()
            lost = 1 - (found.without.whole.errors / row.errors).to_numpy() ** 2
            np.testing.assert_allclose(at, np.where(np.isnan(lost), 1.0, lost), atol=1e-8)
    parts = found.covariances
    names = [str(p) for p in parts["parameter"].to_numpy()]
    total = parts.sel(part="total").to_numpy()
    np.testing.assert_allclose(total, fit.covariance.sel(parameter=names, parameter_b=names), rtol=1e-7)
    rest = parts.sel(part=[p for p in parts["part"].to_numpy() if p != "total"]).sum("part")
    np.testing.assert_allclose(rest, total, rtol=1e-7, atol=1e-9 * np.abs(total).max())
    assert all(table.text for table in average_tables(found).values() if table.rows)
    hidden = bc.profile(bc.blind(combination, "a phrase"))
    assert hidden.chi2 == pytest.approx(fit.chi2, abs=1e-4)
    assert (abs(hidden.values - fit.values) > fit.errors).any()
    np.testing.assert_allclose(hidden.weights, fit.weights, atol=1e-4)
