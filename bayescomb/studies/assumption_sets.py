"""The same measurements under every assumption set: with fixed coefficients, and with their priors."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr

from bayescomb.base.checks import check_seed, expects, known_name
from bayescomb.base.errors import InfeasibleCorrelationError
from bayescomb.base.numerics import single_threaded
from bayescomb.base.progress import finished_parts, tracked
from bayescomb.fit.impacts import ImpactResult, impacts
from bayescomb.fit.profile import ProfileResult, profile
from bayescomb.inputs.combination import Combination
from bayescomb.likelihood.feasible_ranges import Statement, feasibility_statements
from bayescomb.sampling.posterior.storage import run_of
from bayescomb.sampling.posterior.summary import result_summary
from bayescomb.sampling.sample import sample
from bayescomb.studies.study_folder import opened_study, restored, stored_settings

__all__ = ["SetComparison", "SetResult", "compare_sets"]

SETS: Final = "sets.jsonl"
KEY: Final = "assumptions"
# What is kept of each quantity of a posterior.
SUMMARISED: Final = ("mean", "sd", "mcse_mean")


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
            ``value`` and ``error`` of the profile at nominal coefficients, ``mean``, ``sd`` and ``mcse_mean`` of the
            posterior with priors on them, dims ``assumptions``, ``parameter`` (the masses of the extraction in force, then
            the combined observables); NaN where there is none.
        """
        names = [o.name for o in self.combination.headline] if self.combination.extraction else []
        names += [o.name for o in self.combination.observables]
        units = {o.name: o.unit for o in self.combination.results}
        columns: dict[str, list[list[float]]] = {key: [] for key in ("value", "error", *SUMMARISED)}
        for row in self.sets:
            fits = [fit for fit in (row.combined, row.extracted) if fit is not None]  # masses are in the second only
            for key, which in (("value", "values"), ("error", "errors")):
                found: dict[str, float] = {}
                for fit in reversed(fits):
                    series = getattr(fit, which)
                    found |= dict(zip(series["parameter"].to_numpy(), series.to_numpy(), strict=True))
                columns[key].append([float(found.get(name, np.nan)) for name in names])
            for key in SUMMARISED:
                known = {} if row.posterior is None or key not in row.posterior else row.posterior[key].to_series().to_dict()
                columns[key].append([float(known.get(name, np.nan)) for name in names])
        return xr.Dataset(
            {key: (("assumptions", "parameter"), np.array(values)) for key, values in columns.items()},
            coords={
                "assumptions": [row.name for row in self.sets],
                "parameter": names,
                "unit": ("parameter", [units.get(name, "") for name in names]),
            },
        )


@expects(combination="combination")
@single_threaded
def compare_sets(
    combination: Combination,
    *,
    names: Sequence[str] | None = None,
    draws: int = 0,
    tune: int = 500,
    chains: int = 4,
    seed: int | None = None,
    directory: str | Path | None = None,
    executor: concurrent.futures.Executor | None = None,
    progress: bool | None = None,
) -> SetComparison:
    """Profile, and if asked sample, under each assumption set.

    Args:
        combination: what to combine; an extraction in force is done besides the combination of the observables.
        names: assumption sets; all by default.
        draws: of the posterior with the priors of the coefficients, per chain; 0 samples nothing.
        tune: tuning steps per chain.
        chains: number of chains.
        seed: of the sampling; that of the study in the folder, or drawn, if it is ``None``.
        directory: folder in which what was sampled is kept set by set; an interrupted study of the same sets goes on there.
        executor: where the sets are sampled; in this process by default.
        progress: show a progress bar; by default in a terminal and in a notebook.  Ctrl-C keeps the sets that are finished.

    Raises:
        KeyboardInterrupt: interrupted before a set was finished.
        UnknownNameError: there is no such set.
        OptionError: the folder holds another study.
        OutputError: the folder cannot be written, or another process has it.

    Examples:
        >>> import bayescomb as bc
        >>> table = bc.compare_sets(bc.load("models/run1_mass")).table()
        >>> table["value"].sel(assumptions="nominal", parameter="m_t").round(2).item()
        172.51
    """
    names = list(combination.assumption_sets) if names is None else list(names)
    for name in names:
        known_name(name, combination.assumption_sets, kind="assumption set", where=f"{combination.name!r}")

    sampled: dict[str, xr.Dataset] = {}
    settings = {"draws": draws, "tune": tune, "chains": chains, "seed": _seed(seed, directory)}
    elsewhere = bool(draws) and (directory is not None or executor is not None)
    if elsewhere:
        sampled = _sampled_sets(combination, names, settings, directory, executor, progress)

    def summary(chosen: Combination) -> xr.Dataset | None:
        if not draws or elsewhere:
            return sampled.get(chosen.assumptions)
        return _dataset(_sampled(chosen, **settings))

    chosen = [combination.with_assumptions(name) for name in names]
    steps = tracked(chosen, "assumption sets", progress=progress and not elsewhere)
    sets, interrupted = finished_parts((_result(c, summary(c)) for c in steps), "assumption sets")
    return SetComparison(combination=combination, sets=sets, interrupted=interrupted)


def _seed(seed: int | None, directory: str | Path | None) -> int:
    if seed is None and directory is not None:
        seed = stored_settings(directory).get("seed")
    return check_seed(seed)


def _sampled_sets(
    combination: Combination,
    names: Sequence[str],
    settings: dict[str, Any],
    directory: str | Path | None,
    executor: concurrent.futures.Executor | None,
    progress: bool | None,
) -> dict[str, xr.Dataset]:
    """Posterior of every set, on an executor, kept in a folder, or both."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory()) if directory is None else directory
        study = stack.enter_context(opened_study(folder, combination, settings, file=SETS, key=KEY, kind=str))
        study.extend(_sampled_piece, names, executor=executor, text="assumption sets", progress=progress)
        return {record[KEY]: _dataset(record) for record in study.records()}


def _sampled_piece(model: bytes, settings: str, name: str) -> dict[str, Any]:
    return {KEY: name} | _sampled(restored(model).with_assumptions(name), **json.loads(settings))


def _sampled(combination: Combination, *, draws: int, tune: int, chains: int, seed: int) -> dict[str, Any]:
    """Summary of every result of the posterior under the set in force, extracted and combined.

    Raises:
        KeyboardInterrupt: a set with fewer chains than the others is not finished.
    """
    kinds = [combination, combination.with_extraction("")] if combination.extraction else [combination]
    found: dict[str, dict[str, float]] = {key: {} for key in SUMMARISED}
    for kind in kinds:
        tree = sample(kind, seed=seed, draws=draws, tune=tune, chains=chains, progress=False)
        if run_of(tree).interrupted:
            raise KeyboardInterrupt
        for result in kind.results:  # of two that share a name the last one counts
            own = result_summary(tree, result.name)
            for key in SUMMARISED:
                found[key][result.name] = own.numbers[key]
    return found


def _dataset(found: Mapping[str, Any]) -> xr.Dataset:
    coords = {"parameter": list(found["mean"])}
    # A study that was begun before the Monte Carlo error was kept has none.
    return xr.Dataset({key: ("parameter", list(found[key].values())) for key in SUMMARISED if key in found}, coords)


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
    observables = combination.with_extraction("")
    unfitted = SetResult(
        name=combination.assumption_set.name,
        description=combination.assumption_set.description,
        combined=None,
        extracted=None,
        impacts=None,
        statements=tuple(feasibility_statements(combination)),
        posterior=posterior,
    )
    try:
        combined = profile(observables)
        extracted = profile(combination) if combination.extraction else None
    except InfeasibleCorrelationError as error:
        return dataclasses.replace(unfitted, problem=str(error))
    of_sources = impacts(grouped(observables), parts="held")
    return dataclasses.replace(unfitted, combined=combined, extracted=extracted, impacts=of_sources)
