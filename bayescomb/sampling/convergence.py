"""The gate: whether a posterior may be used at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import arviz as az
import numpy as np
import xarray as xr

from bayescomb.base.checks import expects
from bayescomb.base.rounding import R_HAT_PLACES, counted, fixed

__all__ = ["MAX_R_HAT", "MIN_ESS", "Verdict", "verdict"]

MAX_R_HAT: Final = 1.01
MIN_ESS: Final = 400


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Convergence of a posterior.

    Attributes:
        passed: R-hat below 1.01 and bulk and tail ESS above 400 for every quantity, and no divergence.
        reasons: what failed, empty if nothing.
        divergences: number of divergent transitions.
        max_r_hat: largest R-hat.
        min_ess: smallest of all bulk and tail effective sample sizes.
        table: dim ``quantity``: ``r_hat``, ``ess_bulk``, ``ess_tail``, ``mcse_mean``.
    """

    passed: bool
    reasons: tuple[str, ...]
    divergences: int
    max_r_hat: float
    min_ess: float
    table: xr.Dataset

    @property
    def sentence(self) -> str:
        """One line for the top of an output."""
        figures = (
            f"R-hat <= {fixed(self.max_r_hat, R_HAT_PLACES)}, ESS >= {fixed(self.min_ess, 0)}, "
            f"{counted(self.divergences, 'divergences')}"
        )
        if self.passed:
            return f"converged: {figures}"
        return f"This result must not be used: {'; '.join(self.reasons)}"


@expects(posterior="posterior")
def verdict(posterior: xr.DataTree) -> Verdict:
    """Judge every quantity of the group ``posterior`` with ArviZ's rank-normalised diagnostics.

    Args:
        posterior: a tree of :func:`bayescomb.sample`.

    Examples:
        With ``posterior = bc.sample(bc.load("models/run1_mass"), seed=1)``:

        >>> import bayescomb as bc
        >>> bc.verdict(posterior).passed, bc.verdict(posterior.isel(draw=slice(20))).passed
        (True, False)
    """
    draws = posterior["posterior"].to_dataset()
    table = _diagnostics(draws)
    divergences = int(posterior["sample_stats"]["diverging"].sum()) if "sample_stats" in posterior.children else 0
    r_hat, ess = table["r_hat"].to_numpy(), np.minimum(table["ess_bulk"].to_numpy(), table["ess_tail"].to_numpy())
    reasons = []
    if draws.sizes["chain"] < 2:
        reasons.append("R-hat needs at least 2 chains")
    else:
        reasons += _failures(table, ~(r_hat < MAX_R_HAT), "r_hat", f"R-hat is not below {MAX_R_HAT}", ".3f")
    reasons += _failures(table, ~(ess > MIN_ESS), "ess_bulk", f"ESS is not above {MIN_ESS}", ".0f")
    if divergences:
        reasons.append(counted(divergences, "divergent transitions"))
    return Verdict(
        passed=not reasons,
        reasons=tuple(reasons),
        divergences=divergences,
        max_r_hat=float(np.max(r_hat)),
        min_ess=float(np.min(ess)),
        table=table,
    )


def _diagnostics(draws: xr.Dataset) -> xr.Dataset:
    """Diagnostics of every scalar quantity, named ``variable`` or ``variable[coordinate]``."""
    # A quantity that never moves has R-hat 0/0: the gate fails it as NaN, the division need not be heard of.
    with np.errstate(invalid="ignore", divide="ignore"):
        measures = {
            "r_hat": az.rhat(draws),
            "ess_bulk": az.ess(draws, method="bulk"),
            "ess_tail": az.ess(draws, method="tail"),
            "mcse_mean": az.mcse(draws, method="mean"),
        }
    names, columns = [], {key: [] for key in measures}  # type: ignore[var-annotated]  # filled below
    for variable, values in draws.data_vars.items():
        inner = [d for d in values.dims if d not in ("chain", "draw")]
        labels = [str(x) for x in values[inner[0]].to_numpy()] if inner else [""]
        names += [f"{variable}[{label}]" if label else str(variable) for label in labels]
        for key, measure in measures.items():
            columns[key] += list(np.ravel(measure[variable].to_numpy()))
    return xr.Dataset({key: ("quantity", np.array(v, dtype=float)) for key, v in columns.items()}, {"quantity": names})


def _failures(table: xr.Dataset, failed: np.ndarray, key: str, text: str, form: str) -> list[str]:
    """One sentence that names the first few quantities."""
    index = np.flatnonzero(failed)
    if not index.size:
        return []
    shown = ", ".join(f"{table['quantity'].to_numpy()[i]} ({table[key].to_numpy()[i]:{form}})" for i in index[:4])
    return [f"{text} for {index.size} of {len(failed)} quantities: {shown}{', ...' if index.size > 4 else ''}"]
