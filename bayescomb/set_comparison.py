"""The same measurements under every assumption set: with fixed coefficients, and with their priors."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from bayescomb.checks import known_name
from bayescomb.errors import InfeasibleCorrelationError
from bayescomb.impacts import ImpactResult, impacts
from bayescomb.inputs import Combination
from bayescomb.posterior import sample
from bayescomb.profile import ProfileResult, profile
from bayescomb.progress import finished_parts, tracked
from bayescomb.statements import Statement, feasibility_statements
from bayescomb.threads import single_threaded

__all__ = ["SetComparison", "SetResult", "compare_sets"]


@dataclass(frozen=True, kw_only=True)
class SetResult:
    """One assumption set.

    Attributes:
        name, description: of the set.
        combined: profile of the observables, nothing extracted; ``None`` if nominal is infeasible.
        extracted: profile of the extraction in force; ``None`` without one.
        impacts: on the observables, by nuisance and, held together at their fitted values, by group of sources.  With this
            definition the sources of one experiment have an impact on the bins of another through their correlations,
            although the bins of the other determine nothing else.
        statements: feasibility of its blocks.
        posterior: mean and standard deviation of every result with the coefficients sampled (``mean``, ``sd``, dim
            ``parameter``); ``None`` if nothing was sampled.
        problem: why there is no profile, empty if there is one.
    """

    name: str
    description: str
    combined: ProfileResult | None
    extracted: ProfileResult | None
    impacts: ImpactResult | None
    statements: tuple[Statement, ...]
    posterior: xr.Dataset | None = None
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class SetComparison:
    """All sets of one combination, in the order of the model; the first of them if it was interrupted."""

    combination: Combination
    sets: tuple[SetResult, ...]
    interrupted: bool = False

    def table(self) -> xr.Dataset:
        """Results of all sets side by side.

        Returns:
            ``value`` and ``error`` of the profile at nominal coefficients, ``mean`` and ``sd`` of the posterior with priors
            on them, dims ``assumptions``, ``parameter`` (the masses of the extraction in force, then the combined
            observables); NaN where there is none.
        """
        names = [o.name for o in self.combination.headline] if self.combination.extraction else []
        names += [o.name for o in self.combination.observables]
        units = {o.name: o.unit for o in self.combination.results}
        columns: dict[str, list[list[float]]] = {key: [] for key in ("value", "error", "mean", "sd")}
        for row in self.sets:
            fits = [fit for fit in (row.combined, row.extracted) if fit is not None]  # masses are in the second only
            for key, which in (("value", "values"), ("error", "errors")):
                found: dict[str, float] = {}
                for fit in reversed(fits):
                    series = getattr(fit, which)
                    found |= dict(zip(series["parameter"].to_numpy(), series.to_numpy(), strict=True))
                columns[key].append([float(found.get(name, np.nan)) for name in names])
            for key in ("mean", "sd"):
                known = {} if row.posterior is None else row.posterior[key].to_series().to_dict()
                columns[key].append([float(known.get(name, np.nan)) for name in names])
        return xr.Dataset(
            {key: (("assumptions", "parameter"), np.array(values)) for key, values in columns.items()},
            coords={
                "assumptions": [row.name for row in self.sets],
                "parameter": names,
                "unit": ("parameter", [units.get(name, "") for name in names]),
            },
        )


@single_threaded
def compare_sets(
    combination: Combination,
    *,
    names: Sequence[str] | None = None,
    draws: int = 0,
    tune: int = 500,
    chains: int = 4,
    seed: int | None = None,
    progress: bool | None = None,
) -> SetComparison:
    """Profile, and if asked sample, under each assumption set.

    Args:
        combination: what to combine; an extraction in force is done besides the combination of the observables.
        names: assumption sets; all by default.
        draws: of the posterior with the priors of the coefficients, per chain; 0 samples nothing.
        tune: tuning steps per chain.
        chains: number of chains.
        seed: of the sampling.
        progress: show a progress bar; by default in a terminal and in a notebook.  Ctrl-C keeps the sets that are finished.

    Raises:
        KeyboardInterrupt: interrupted before a set was finished.
        UnknownNameError: there is no such set.

    Examples:
        >>> import bayescomb as bc
        >>> table = bc.compare_sets(bc.load("models/run1_mass")).table()
        >>> table["value"].sel(assumptions="nominal", parameter="m_t").round(2).item()
        172.51
    """
    names = list(combination.assumption_sets) if names is None else list(names)
    for name in names:
        known_name(name, combination.assumption_sets, kind="assumption set", where=f"{combination.name!r}")

    def summary(chosen: Combination) -> xr.Dataset | None:
        if not draws:
            return None
        kinds = [chosen, chosen.with_extraction("")] if chosen.extraction else [chosen]
        trees = []
        for kind in kinds:
            trees.append(sample(kind, seed=seed, draws=draws, tune=tune, chains=chains, progress=False))
            if trees[-1].attrs["interrupted"]:
                raise KeyboardInterrupt  # a set with fewer chains than the others is not finished
        return _summary(trees)

    chosen = [combination.with_assumptions(name) for name in names]
    steps = tracked(chosen, "assumption sets", progress=progress)
    sets, interrupted = finished_parts((_result(c, summary(c)) for c in steps), "assumption sets")
    return SetComparison(combination=combination, sets=sets, interrupted=interrupted)


def grouped(combination: Combination) -> Combination:
    """The combination with the groups of its sources as impact groups, where it states none of its own."""
    if combination.impact_groups:
        return combination
    group_of = {s.name: s.group for s in combination.sources}
    groups: dict[str, list[str]] = {}
    for nuisance in combination.nuisances:
        group = group_of.get(nuisance.source, "")
        if group:
            groups.setdefault(group, []).append(nuisance.name)
    return dataclasses.replace(combination, impact_groups={key: tuple(names) for key, names in groups.items()})


def _result(combination: Combination, posterior: xr.Dataset | None) -> SetResult:
    chosen = combination.assumption_set
    observables = combination.with_extraction("")
    statements = tuple(feasibility_statements(combination))
    try:
        combined = profile(observables)
        extracted = profile(combination) if combination.extraction else None
    except InfeasibleCorrelationError as error:
        return SetResult(
            name=chosen.name,
            description=chosen.description,
            combined=None,
            extracted=None,
            impacts=None,
            statements=statements,
            posterior=posterior,
            problem=str(error),
        )
    return SetResult(
        name=chosen.name,
        description=chosen.description,
        combined=combined,
        extracted=extracted,
        impacts=impacts(grouped(observables), definition="postfit"),
        statements=statements,
        posterior=posterior,
    )


def _summary(trees: Sequence[xr.DataTree]) -> xr.Dataset:
    """Mean and standard deviation of every scalar; of two that share a name the last one's."""
    mean: dict[str, float] = {}
    sd: dict[str, float] = {}
    for tree in trees:
        for name, values in tree["posterior"].to_dataset().data_vars.items():
            if values.dims == ("chain", "draw"):
                mean[str(name)], sd[str(name)] = float(values.mean()), float(values.std(ddof=1))
    coords = {"parameter": list(mean)}
    return xr.Dataset({"mean": ("parameter", list(mean.values())), "sd": ("parameter", list(sd.values()))}, coords)
