"""The same measurements under every assumption set, with fixed coefficients and with their priors."""

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
# Numbers that are kept of each result of a posterior.
SUMMARISED: Final = ("mean", "sd", "mcse_mean")


@dataclass(frozen=True, kw_only=True)
class SetResult:
    """One assumption set.

    Attributes:
        name, description: of the set.
        combined: profile of the observables, without an extraction; ``None`` if nominal is infeasible.
        extracted: profile of the extraction in force; ``None`` without one.
        impacts: on the observables, with parts ``held``, by nuisance and by group of sources.  With this definition the
            sources of one experiment have an impact on the bins of another experiment through their correlations.
        statements: feasibility of its blocks.
        posterior: ``mean``, ``sd`` and ``mcse_mean`` of every result with the coefficients sampled, dim ``parameter``, in
            the unit of the result; ``None`` if nothing was sampled.
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
    """All sets of one combination, in the order of the model; after an interruption those that were finished."""

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
            # Masses are in the extracted fit only; of observables the combined fit counts.
            fits = [fit for fit in (row.extracted, row.combined) if fit is not None]
            for key, which in (("value", "values"), ("error", "errors")):
                found: dict[str, float] = {}
                for fit in fits:
                    found |= getattr(fit, which).to_series().to_dict()
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
        combination: what to combine; the observables, and with an extraction in force also the masses.
        names: assumption sets; all by default.
        draws: of the posterior with the priors of the coefficients, per chain; 0 samples nothing.
        tune: tuning steps per chain.
        chains: number of chains.
        seed: of the sampling; if it is ``None`` that of the study in the folder, else drawn.
        directory: folder in which the posteriors are kept set by set; an interrupted study of the same sets continues there.
        executor: samples the sets; this process by default.
        progress: show a progress bar; by default in a terminal and in a notebook.  Ctrl-C keeps the sets that are finished.

    Raises:
        KeyboardInterrupt: interrupted before a set was finished.
        UnknownNameError: there is no such set.
        OptionError: the folder holds another study.
        OutputError: the folder cannot be written, or is used by another process.

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
    """Summary of the posterior of every set, sampled on an executor, kept in a folder, or both."""
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
        KeyboardInterrupt: sampling was interrupted; a set with fewer chains than the others does not count as finished.
    """
    kinds = [combination, combination.with_extraction("")] if combination.extraction else [combination]
    found: dict[str, dict[str, float]] = {key: {} for key in SUMMARISED}
    for kind in kinds:
        tree = sample(kind, seed=seed, draws=draws, tune=tune, chains=chains, progress=False)
        if run_of(tree).interrupted:
            raise KeyboardInterrupt
        for result in kind.results:  # of two results with the same name the last one counts
            own = result_summary(tree, result.name)
            for key in SUMMARISED:
                found[key][result.name] = own.numbers[key]
    return found


def _dataset(found: Mapping[str, Any]) -> xr.Dataset:
    coords = {"parameter": list(found["mean"])}
    # Folders of earlier versions have no Monte Carlo error.
    return xr.Dataset({key: ("parameter", list(found[key].values())) for key in SUMMARISED if key in found}, coords)


def grouped(combination: Combination) -> Combination:
    """The combination with the groups of its sources as impact groups, unless it states impact groups itself."""
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
