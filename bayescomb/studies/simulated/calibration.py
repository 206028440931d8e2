"""Calibration studies: many simulated data sets, each analysed once, and the summary of their records.

Data set i depends on the seed and i alone, not on the process or the order; its record is a line of ``toys.jsonl`` in the
folder of the study (:mod:`bayescomb.studies.study_folder`).
"""

from __future__ import annotations

import concurrent.futures
import functools
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr
from scipy import stats

from bayescomb.base.arrays import BoolArray, FloatArray
from bayescomb.base.checks import check_count, check_seed, expects
from bayescomb.base.choices import Correlations
from bayescomb.base.errors import OptionError
from bayescomb.inputs.combination import Combination
from bayescomb.sampling.posterior.moments import LEVELS
from bayescomb.studies.executors import executor_of
from bayescomb.studies.simulated.curved_toys import CurvedToys, require_curved
from bayescomb.studies.simulated.ranks import RANKS
from bayescomb.studies.simulated.response_toys import ResponseToys, require_responses
from bayescomb.studies.simulated.toys import Toys, require_simulated
from bayescomb.studies.study_folder import opened_study, restored, stored_settings, study_records

__all__ = ["coverage", "study_summary", "summary_of", "toys_of"]

TOYS: Final = "toys.jsonl"
KEY: Final = "toy"
SETTINGS: Final = ("seed", "correlations", "posterior", "draws", "tune", "chains", "nuisances")


@expects(combination="combination")
def coverage(
    combination: Combination,
    directory: str | Path,
    *,
    toys: int,
    seed: int,
    correlations: Correlations = "prior",
    posterior: bool = True,
    draws: int = 300,
    tune: int = 150,
    chains: int = 2,
    nuisances: int = 20,
    executor: concurrent.futures.Executor | None = None,
    workers: int = 2,
    progress: bool | None = None,
) -> xr.Dataset:
    """Simulate data sets, analyse each by profile and posterior, and summarise pulls, coverage and ranks.

    Args:
        combination: what is studied, see :class:`~bayescomb.studies.simulated.toys.Toys`; with curved responses or Pearson's
            weights :class:`~bayescomb.studies.simulated.response_toys.ResponseToys`; with formulas that are not linear, or
            ranges, :class:`~bayescomb.studies.simulated.curved_toys.CurvedToys`.
        directory: folder of the study; an unfinished study of the same settings in it is continued.
        toys: number of data sets, those of an earlier run included.
        seed: of everything random.
        correlations: ``"prior"`` draws the true coefficients from their priors and samples them (simulation-based
            calibration), ``"nominal"`` holds them (frequentist coverage at fixed truth).
        posterior: whether each data set is sampled too, or profiled alone.
        draws: kept steps per chain.
        tune: tuning steps per chain.
        chains: number of chains.
        nuisances: number of nuisances that are followed.
        executor: analyses the data sets; local processes by default, this process where nothing is sampled.
        workers: number of local processes.
        progress: show a progress bar; by default in a terminal and in a notebook.

    Returns:
        The summary, see :func:`study_summary`.

    Raises:
        OptionError: an option is out of range, the combination cannot be simulated, or the folder holds another study.
        OutputError: the folder cannot be written, or is used by another process.
        WorkerError: a local process died; what is finished is kept.

    Examples:
        >>> import tempfile
        >>> import bayescomb as bc
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     study = bc.coverage(bc.load("models/run1_mass"), folder, toys=400, seed=1, correlations="nominal",
        ...         posterior=False)
        >>> low, high = 0.68 - 3 * 0.0233, 0.68 + 3 * 0.0233
        >>> low < study["coverage"].sel(quantity="m_t", answer="profile", level="68").item() < high
        True
    """
    check_count(toys, least=1, where="toys")
    check_count(workers, least=0, where="workers")
    check_seed(seed)
    if combination.linear:
        require_simulated(combination)
    elif combination.curved_terms:
        require_responses(combination)
    else:
        require_curved(combination, posterior=posterior)
    settings = dict(zip(SETTINGS, (seed, correlations, posterior, draws, tune, chains, nuisances), strict=True))
    with opened_study(directory, combination, settings, file=TOYS, key=KEY, kind=int) as study:
        complete = len({record[KEY] for record in study.records()} & set(range(toys))) == toys
        local = 0 if executor is not None or not posterior or complete else workers
        with executor_of(workers=local) as pool:
            study.extend(_analyse, range(toys), executor=pool or executor, text="toys", progress=progress)
        return study_summary(directory)


@functools.lru_cache(maxsize=2)
def _prepared(model: bytes, settings: str) -> Toys | ResponseToys | CurvedToys:
    """The data sets, prepared (and, of a linear model, compiled) once per process, whatever their number."""
    return toys_of(restored(model), **json.loads(settings))


def toys_of(combination: Combination, **settings: Any) -> Toys | ResponseToys | CurvedToys:
    """Data sets of a combination: linear, with a curved chi2, or with curved formulas or ranges.

    Args:
        combination: what is studied.
        settings: see :class:`bayescomb.studies.simulated.toys.Toys`.

    Raises:
        OptionError: no data sets can be simulated for the combination.
    """
    if combination.linear:
        return Toys(combination, **settings)
    return (ResponseToys if combination.curved_terms else CurvedToys)(combination, **settings)


def _analyse(model: bytes, settings: str, toy: int) -> dict[str, Any]:
    return _prepared(model, settings).analyse(toy)


def study_summary(directory: str | Path) -> xr.Dataset:
    """Pulls, coverage and ranks of the finished data sets of a study.

    Args:
        directory: folder of the study.

    Returns:
        Dims ``quantity``, ``answer`` (``profile``, ``posterior``):

        - ``coverage`` and ``coverage_error`` (binomial, at the level itself) with the third dim ``level`` (``68``, ``95``);
          for a posterior of the interval between draws, whose coverage is exact for any number of draws.
        - ``pull_mean`` and ``pull_width`` of the pulls (estimate - truth) / error, with ``pull_mean_error`` and
          ``pull_width_error``.  A profile with a scale at an end of its range has no error of it and is left out there.

        Dim ``quantity``: ``rank_p_value`` of the posterior ranks (chi2 test of uniformity in 20 bins), and
        ``rank_p_value_corrected`` for the number of quantities (Holm); NaN without a posterior.

        Dims ``toy``, ``quantity``: ``rank``, as a fraction.

        Attributes: ``toys``, ``problems`` (data sets that could not be analysed or fitted), ``divergences``.

    Raises:
        OptionError: the folder holds no study.

    Examples:
        >>> import tempfile
        >>> import bayescomb as bc
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     combination = bc.load("models/run1_mass")
        ...     study = bc.coverage(combination, folder, toys=50, seed=1, correlations="nominal", posterior=False)
        ...     bc.study_summary(folder).identical(study)
        True
    """
    folder = Path(directory)
    if not stored_settings(folder):
        msg = f"{folder}: holds no study; make one with bayescomb coverage MODEL --toys N --output {folder}"
        raise OptionError(msg)
    return summary_of(sorted(study_records(folder, TOYS, KEY, int), key=lambda record: record[KEY]))


def summary_of(records: list[dict[str, Any]]) -> xr.Dataset:
    """The dataset of :func:`study_summary`, from the records of data sets.

    Args:
        records: see :meth:`bayescomb.studies.simulated.toys.Toys.analyse`.
    """
    good = [record for record in records if "profile" in record or "posterior" in record]
    fitted = [record for record in good if "profile" in record]
    rows = {
        "profile": _stacked(fitted, "profile", lambda row: [row[0], row[1], row[2], row[3], np.nan]),
        "posterior": _stacked(
            [r for r in good if "posterior" in r], "posterior", lambda row: [row[0], row[2], row[3], row[1], *row[4:]]
        ),
    }
    names = list(dict.fromkeys([*rows["profile"], *rows["posterior"]]))
    answers = [answer for answer, found in rows.items() if found]
    shape = (len(names), len(answers))
    pulls = {key: np.full(shape, np.nan) for key in ("pull_mean", "pull_width", "pull_mean_error", "pull_width_error")}
    covered, error, p_values = np.full((*shape, 2), np.nan), np.full((*shape, 2), np.nan), np.full(len(names), np.nan)
    ranks = np.full((len(good), len(names)), np.nan)
    for i, name in enumerate(names):
        for j, answer in enumerate(answers):
            values = rows[answer].get(name)
            if values is not None and answer == "profile":
                values = values[(values[:, 2] > 0) & (values[:, 3] < 0)]
            if values is None or not len(values):
                continue
            inside, pull = _profile_answer(values) if answer == "profile" else _posterior_answer(values)
            covered[i, j] = inside.mean(axis=0)
            error[i, j] = [np.sqrt(level * (1 - level) / len(values)) for level in LEVELS.values()]
            for key, value in zip(pulls, _moments(pull), strict=True):
                pulls[key][i, j] = value
            if answer == "posterior":
                ranks[: len(values), i] = (values[:, 3] + 0.5) / (RANKS + 1)
                counts = np.bincount(np.minimum((values[:, 3] * 20 // (RANKS + 1)).astype(int), 19), minlength=20)
                p_values[i] = stats.chisquare(counts).pvalue
    dims = ("quantity", "answer")
    return xr.Dataset(
        {key: (dims, value) for key, value in pulls.items()}
        | {
            "coverage": ((*dims, "level"), covered),
            "coverage_error": ((*dims, "level"), error),
            "rank_p_value": ("quantity", p_values),
            "rank_p_value_corrected": ("quantity", _holm(p_values)),
            "rank": (("toy", "quantity"), ranks),
        },
        {"quantity": names, "answer": answers, "level": list(LEVELS)},
        {
            "toys": len(records),
            "problems": len(records) - len(good) + sum("no_profile" in record for record in good),
            "divergences": sum(record.get("divergences", 0) for record in good),
        },
    )


def _holm(p_values: FloatArray) -> FloatArray:
    """Holm's correction, which is valid for any dependence of the quantities on each other; NaN stays NaN."""
    order = np.argsort(p_values)  # NaN last
    left = np.maximum(np.isfinite(p_values).sum() - np.arange(len(p_values)), 1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(left * p_values[order]), 1.0)
    return corrected


def _stacked(records: list[dict[str, Any]], answer: str, columns: Any) -> dict[str, FloatArray]:
    names = list(records[0][answer]) if records else []
    return {name: np.array([columns(record[answer][name]) for record in records], dtype=float) for name in names}


def _profile_answer(values: FloatArray) -> tuple[BoolArray, FloatArray]:
    """Whether Gaussian intervals from the errors, which are not 0, hold the truth, shape (n, 2); and pulls, shape (n,)."""
    truth, value, up, down, _ = values.T
    pull = (value - truth) / np.where(truth > value, up, -down)
    return np.column_stack([abs(pull) < stats.norm.ppf(0.5 + level / 2) for level in LEVELS.values()]), pull


def _posterior_answer(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Whether intervals between draws hold the truth, shape (n, 2), and pulls, shape (n,).

    The ends are two of the 99 nearly independent draws of the rank: number 100 (1 - level) / 2 from below and from above.
    Where that number is not an integer, a truth between the two neighbouring draws counts in proportion.  Intervals between
    quantiles of all draws would cover less than their level, by a share of 2 / (number of effective draws), although the
    posterior is right.
    """
    truth, mean, sd, rank = values.T[:4]
    from_end = np.minimum(rank, RANKS - rank)[:, None]  # draws between the truth and the nearer end
    first = (RANKS + 1) * (1 - np.array(list(LEVELS.values()))) / 2
    return np.clip(from_end - first + 1, 0, 1), (mean - truth) / sd


def _moments(pull: FloatArray) -> tuple[float, float, float, float]:
    """Mean and width of pulls, and their errors for Gaussian ones."""
    n, width = len(pull), float(pull.std(ddof=1)) if len(pull) > 1 else np.nan
    return float(pull.mean()), width, width / np.sqrt(n), width / np.sqrt(2 * max(n - 1, 1))
