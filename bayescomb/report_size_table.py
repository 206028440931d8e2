"""Table of the sources of uncertain size: what was quoted, what the fit and the posterior say of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import invgamma

from bayescomb.report_results import Results
from bayescomb.report_tables import Column, Table, fixed_column, number_column, text_column
from bayescomb.rounding import significant, with_error
from bayescomb.summary import CENTRAL, size_quantiles

__all__ = ["size_table"]


def size_table(results: Results) -> Table:
    """One row per uncertain size; empty if all are certain."""
    rows: list[dict[str, Any]] = []
    posterior = size_quantiles(results.draws) if results.draws is not None else {}
    found = results.fit.sizes
    for name in [] if found is None else [str(n) for n in found.sizes["uncertain_size"].to_numpy()]:
        assert found is not None
        row = found.sizes.sel(uncertain_size=name)
        relative = float(row["relative"])
        shape = 1 / (4 * relative**2)
        prior_low, prior_high = (float(np.sqrt(invgamma.ppf(q, shape, scale=shape))) for q in CENTRAL)
        low, median, high = posterior.get(name, (None, None, None))
        rows.append(
            {
                "name": name,
                "source": str(row["source"].item()),
                "relative": relative,
                "rank": int(row["rank"]),
                "fitted": float(row["size"]),
                "fitted_error": float(row["size_error"]),
                "prior_low": prior_low,
                "prior_high": prior_high,
                "posterior_low": low,
                "posterior_median": median,
                "posterior_high": high,
            }
        )
    columns = [
        text_column("size of", "name"),
        number_column("quoted to", "relative", significant),
        fixed_column("independent nuisances", "rank", 0),
        Column(title="fitted / quoted", show=lambda row: with_error(row["fitted"], row["fitted_error"])),
        number_column("prior 16 %", "prior_low", significant),
        number_column("prior 84 %", "prior_high", significant),
    ]
    if posterior:
        columns += [
            number_column(f"posterior {label}", f"posterior_{key}", significant)
            for label, key in (("16 %", "low"), ("median", "median"), ("84 %", "high"))
        ]
    title = (
        "Sources whose quoted size is uncertain (gamma variance model): true over quoted standard deviation. The profile "
        "fits it below 1 where the nuisances are pulled less than their number allows; intervals of the result are those of "
        "-2 log L, with Bartlett's correction beside them in the JSON of the profile."
    )
    return Table(name="uncertain_sizes", title=title, rows=rows, columns=columns)
