"""Convergence of a posterior: whether its numbers may be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import arviz as az
import numpy as np
import xarray as xr

from bayescomb.base.arrays import BoolArray, FloatArray
from bayescomb.base.checks import expects
from bayescomb.base.rounding import R_HAT_PLACES, counted, fixed
from bayescomb.likelihood.uncertain_sizes import SCALE
from bayescomb.sampling.posterior.moments import quantiles_only
from bayescomb.sampling.posterior.storage import modes_of

__all__ = ["MAX_R_HAT", "MIN_ESS", "Verdict", "smallest_bfmi", "verdict"]

MAX_R_HAT: Final = 1.01
MIN_ESS: Final = 400
# Largest Monte Carlo errors of mean and sd over the sd: that of a mean of 400 independent draws, and twice as much for the
# sd, whose error grows with long tails.
MAX_MCSE_MEAN: Final = 0.05
MAX_MCSE_SD: Final = 0.1
# Bayesian fraction of missing information (E-BFMI) below which momenta do not reach all energies (arXiv:1604.00695).
MIN_BFMI: Final = 0.2
# Share of divergent transitions above which the sampler is unreliable, wherever they are.
MAX_DIVERGENT: Final = 0.01
# The unseen region behind a divergence may hold up to this many times the draws that diverged; they must not move a mean or
# an sd by more than the share of an sd below.
UNSEEN: Final = 10.0
MAX_MOVED: Final = 0.05


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Convergence of a posterior.

    Attributes:
        passed: every quantity has R-hat below 1.01, bulk and tail ESS above 400 and Monte Carlo errors of mean and sd below
            0.05 and 0.1 sd; E-BFMI is above 0.2 in every chain; at most 1 % of the transitions diverge, and they can move no
            mean or sd by 0.05 sd; and all separated modes are included with known weights.
        reasons: the failed criteria, empty if all passed.
        divergences: number of divergent transitions.
        max_r_hat: largest R-hat.
        min_ess: smallest of all bulk and tail effective sample sizes.
        table: dim ``quantity``: ``r_hat``, ``ess_bulk``, ``ess_tail``, ``mcse_mean``, ``mcse_sd``, ``sd``; ``moved``, by
            how many sd the divergences can move mean or sd; and ``weight_error``, the error of the mean from the weights of
            separated modes over the sd.
        min_bfmi: smallest E-BFMI of the chains; NaN where the sampler did not record energies.
    """

    passed: bool
    reasons: tuple[str, ...]
    divergences: int
    max_r_hat: float
    min_ess: float
    table: xr.Dataset
    min_bfmi: float = float("nan")

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
    """Judge the convergence of every quantity of the group ``posterior`` with ArviZ's rank-normalised diagnostics.

    The Monte Carlo errors of mean and sd are not judged where only quantiles are given.

    Args:
        posterior: a tree of :func:`bayescomb.sample`.

    Examples:
        With ``posterior = bc.sample(bc.load("models/run1_mass"), seed=1)``:

        >>> import bayescomb as bc
        >>> bc.verdict(posterior).passed, bc.verdict(posterior.isel(draw=slice(20))).passed
        (True, False)
    """
    draws = posterior["posterior"].to_dataset()
    statistics = posterior["sample_stats"].to_dataset() if "sample_stats" in posterior.children else xr.Dataset()
    diverging = statistics["diverging"].to_numpy().astype(bool) if "diverging" in statistics else np.zeros(0, dtype=bool)
    modes = modes_of(posterior)
    table = _diagnostics(draws, diverging, statistics.get("mode"), modes)
    divergences = int(diverging.sum())
    r_hat, ess = table["r_hat"].to_numpy(), np.minimum(table["ess_bulk"].to_numpy(), table["ess_tail"].to_numpy())
    reasons = []
    if modes.get("reason"):
        reasons.append(f"chi2 has {len(modes['minima'])} separated minima: {modes['reason']}")
    if draws.sizes["chain"] < 2:
        reasons.append("R-hat needs at least 2 chains")
    else:
        reasons += _failures(table, ~(r_hat < MAX_R_HAT), "r_hat", f"R-hat is not below {MAX_R_HAT}", ".3f")
    reasons += _failures(table, ~(ess > MIN_ESS), "ess_bulk", f"ESS is not above {MIN_ESS}", ".0f")
    for key, name, limit in (("mcse_mean", "mean", MAX_MCSE_MEAN), ("mcse_sd", "sd", MAX_MCSE_SD)):
        share = (table[key] / table["sd"]).to_numpy()
        text = f"the Monte Carlo error of the {name} is not below {limit} sd"
        reasons += _failures(table.assign(share=("quantity", share)), share >= limit, "share", text, ".3f")
    min_bfmi = _bfmi(statistics, modes)
    if min_bfmi <= MIN_BFMI:
        reasons.append(f"E-BFMI {min_bfmi:.2f} of a chain is not above {MIN_BFMI}: energies are not explored")
    if diverging.size and divergences > MAX_DIVERGENT * diverging.size:
        reasons.append(f"{counted(divergences, 'divergent transitions')}, above {100 * MAX_DIVERGENT:g} % of the draws")
    text = f"where {counted(divergences, 'transitions')} diverged, unseen draws can move mean or sd by {MAX_MOVED} sd"
    reasons += _failures(table, table["moved"].to_numpy() >= MAX_MOVED, "moved", text, ".2f")
    text = f"the weights of the separated minima are not known well enough for the mean: error not below {MAX_MCSE_MEAN} sd"
    reasons += _failures(table, table["weight_error"].to_numpy() >= MAX_MCSE_MEAN, "weight_error", text, ".3f")
    return Verdict(
        passed=not reasons,
        reasons=tuple(reasons),
        divergences=divergences,
        max_r_hat=float(np.max(r_hat)),
        min_ess=float(np.min(ess)),
        table=table,
        min_bfmi=min_bfmi,
    )


def smallest_bfmi(energy: FloatArray) -> float:
    """Smallest E-BFMI of chains: mean square of the steps of the energy over its variance.

    Args:
        energy: shape (chains, draws).
    """
    variance = energy.var(axis=1)
    steps = (np.diff(energy, axis=1) ** 2).mean(axis=1)
    return float(np.min(np.divide(steps, variance, out=np.full_like(steps, np.inf), where=variance > 0)))


def _bfmi(statistics: xr.Dataset, modes: Mapping[str, Any]) -> float:
    """Smallest E-BFMI of the chains as they were run, before the draws of separated modes were mixed."""
    if "bfmi" in modes:
        return float(modes["bfmi"])
    if "energy" not in statistics or statistics.sizes["draw"] < 2:
        return float("nan")
    return smallest_bfmi(statistics["energy"].transpose("chain", "draw").to_numpy())


def _diagnostics(draws: xr.Dataset, diverging: BoolArray, mode: xr.DataArray | None, modes: Mapping[str, Any]) -> xr.Dataset:
    """Diagnostics of every scalar quantity, named ``variable`` or ``variable[coordinate]``."""
    # A quantity that never moves has R-hat 0/0 = NaN, which fails the criterion; numpy need not warn.
    with np.errstate(invalid="ignore", divide="ignore"):
        measures = {
            "r_hat": az.rhat(draws),
            "ess_bulk": az.ess(draws, method="bulk"),
            "ess_tail": az.ess(draws, method="tail"),
            "mcse_mean": az.mcse(draws, method="mean"),
            "mcse_sd": az.mcse(draws, method="sd"),
        }
    errors = np.array([entry.get("weight_error", 0.0) for entry in modes.get("minima", [])])
    names: list[str] = []
    columns: dict[str, list[float]] = {key: [] for key in (*measures, "sd", "moved", "weight_error")}
    for variable, values in draws.data_vars.items():
        inner = [d for d in values.dims if d not in ("chain", "draw")]
        flat = values.transpose(*inner, "chain", "draw")
        labels = [str(x) for x in values[inner[0]].to_numpy()] if inner else [""]
        names += [f"{variable}[{label}]" if label else str(variable) for label in labels]
        own = flat.to_numpy().reshape(-1, values.sizes["chain"], values.sizes["draw"])
        sd = own.std(axis=(1, 2))
        # Scales of uncertain sizes are summarised by quantiles only.
        told = [variable != SCALE and not quantiles_only(flat[i] if inner else flat) for i in range(len(own))]
        for key, measure in measures.items():
            found = np.ravel(measure[variable].to_numpy()).astype(float)
            moment = key.startswith("mcse")
            columns[key] += [float(v) if t or not moment else float("nan") for v, t in zip(found, told, strict=True)]
        columns["sd"] += list(sd)
        columns["moved"] += [_moved(x, s, diverging) if t else 0.0 for x, s, t in zip(own, sd, told, strict=True)]
        columns["weight_error"] += [_from_weights(x, s, mode, errors) for x, s in zip(own, sd, strict=True)]
    return xr.Dataset({key: ("quantity", np.array(v, dtype=float)) for key, v in columns.items()}, {"quantity": names})


def _moved(values: FloatArray, sd: float, diverging: BoolArray) -> float:
    """By how many sd mean or sd can be wrong if each divergent draw stands for ten unseen ones."""
    if not diverging.any() or diverging.all() or not sd > 0:
        return 0.0
    rest = values[~diverging]
    shift = abs(float(rest.mean()) - float(values.mean())) / sd
    spread = abs(float(rest.std()) / sd - 1)
    return UNSEEN * max(shift, spread)


def _from_weights(values: FloatArray, sd: float, mode: xr.DataArray | None, errors: FloatArray) -> float:
    """Error of a mean due to the errors of the weights of separated modes, over the sd."""
    if mode is None or not errors.any() or not sd > 0:
        return 0.0
    labels, centre = mode.transpose("chain", "draw").to_numpy(), float(values.mean())
    away = np.array([values[labels == m].mean() - centre if (labels == m).any() else 0.0 for m in range(len(errors))])
    return float(np.sqrt(((errors * away) ** 2).sum())) / sd


def _failures(table: xr.Dataset, failed: np.ndarray, key: str, text: str, form: str) -> list[str]:
    """A sentence that names the first few failed quantities; empty if none failed."""
    index = np.flatnonzero(failed)
    if not index.size:
        return []
    shown = ", ".join(f"{table['quantity'].to_numpy()[i]} ({table[key].to_numpy()[i]:{form}})" for i in index[:4])
    return [f"{text} for {index.size} of {len(failed)} quantities: {shown}{', ...' if index.size > 4 else ''}"]
