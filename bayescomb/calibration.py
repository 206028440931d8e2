"""Calibration studies: many simulated data sets, each analysed once, on any executor, kept as they come.

A study is a folder: ``study.json`` says what is studied, ``toys.jsonl`` holds one line per data set in the order of
finishing.  A study that was interrupted continues where it was; data set i is the same whoever makes it and when.
"""

from __future__ import annotations

import concurrent.futures
import functools
import json
import multiprocessing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from bayescomb.errors import OptionError, OutputError
from bayescomb.inputs import Combination
from bayescomb.progress import tracked
from bayescomb.serialise import combination_from_json, combination_to_json
from bayescomb.storage import write_json
from bayescomb.toys import RANKS, Toys

__all__ = ["coverage", "study_summary"]

STUDY: Final = "study.json"
TOYS: Final = "toys.jsonl"
LEVELS: Final = {"68": 0.68, "95": 0.95}
SETTINGS: Final = ("seed", "correlations", "posterior", "draws", "tune", "chains", "nuisances")


def coverage(
    combination: Combination,
    directory: str | Path,
    *,
    toys: int,
    seed: int,
    correlations: str = "prior",
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
        combination: what is studied, see :class:`bayescomb.toys.Toys`.
        directory: folder of the study; one that is there is continued if it is of the same study.
        toys: number of data sets in the end.
        seed: of everything random.
        correlations: ``"prior"`` draws the true coefficients from their priors and samples them (simulation-based
            calibration), ``"nominal"`` holds them (frequentist coverage at fixed truth).
        posterior: sample each data set; without, the profile alone.
        draws: kept steps per chain.
        tune: tuning steps per chain.
        chains: number of chains.
        nuisances: how many nuisances are followed.
        executor: where the data sets are analysed; local processes by default, this one where nothing is sampled.
        workers: number of local processes.
        progress: show a progress bar; by default in a terminal and in a notebook.

    Returns:
        The summary, see :func:`study_summary`.

    Raises:
        OptionError: an option is out of range, or the folder holds another study.
        OutputError: the folder cannot be written.

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
    if toys < 1:
        msg = f"toys = {toys} found, at least 1 is needed"
        raise OptionError(msg)
    settings = dict(zip(SETTINGS, (seed, correlations, posterior, draws, tune, chains, nuisances), strict=True))
    folder = Path(directory)
    model = _opened(folder, combination, settings)
    missing = sorted(set(range(toys)) - {record["toy"] for record in _records(folder)})
    if executor is not None or not posterior:
        _run(folder, model, settings, missing, executor, progress)
    else:
        # Not forked: a process that has threads, as samplers and BLAS do, must not be.
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as pool:
            try:
                _run(folder, model, settings, missing, pool, progress)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    return study_summary(folder)


def _opened(folder: Path, combination: Combination, settings: dict[str, Any]) -> str:
    """The model of the study as text; the folder is made, or found to be of this study.

    Raises:
        OptionError: it is of another one.
        OutputError: it cannot be made.
    """
    text = combination_to_json(combination)
    path = folder / STUDY
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
        changed = [key for key in SETTINGS if found["settings"].get(key) != settings[key]]
        if changed or found["model"] != json.loads(text):
            what = ", ".join(f"{key} = {found['settings'].get(key)!r}" for key in changed) or "another model"
            msg = f"{folder}: holds another study ({what}); name another folder, or continue that study with its settings"
            raise OptionError(msg)
        return text
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{folder}: cannot be made ({error.strerror or error}); choose a writable place"
        raise OutputError(msg) from error
    write_json({"name": combination.name, "settings": settings, "model": json.loads(text)}, path)
    return text


def _records(folder: Path) -> list[dict[str, Any]]:
    """Finished data sets, each once; a line that was cut off by a fault is as if it were not there."""
    path = folder / TOYS
    found: dict[int, dict[str, Any]] = {}
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                record = json.loads(line)
            except json.JSONDecodeError:
                continue
            found.setdefault(int(record["toy"]), record)
    return [found[toy] for toy in sorted(found)]


@functools.lru_cache(maxsize=2)
def _prepared(model: str, settings: str) -> Toys:
    """One preparation and one compilation per process, whatever the number of data sets."""
    return Toys(combination_from_json(model), **json.loads(settings))


def _analyse(model: str, settings: str, toy: int) -> dict[str, Any]:
    return _prepared(model, settings).analyse(toy)


def _run(
    folder: Path,
    model: str,
    settings: dict[str, Any],
    toys: list[int],
    executor: concurrent.futures.Executor | None,
    progress: bool | None,
) -> None:
    """Analyse what is missing and append it line by line."""
    text = json.dumps(settings)
    try:
        with (folder / TOYS).open("a", encoding="utf-8") as stream:
            if stream.tell():
                stream.write("\n")  # ends a line that was cut off
            for record in tracked(_results(executor, model, text, toys), "toys", total=len(toys), progress=progress):
                stream.write(json.dumps(record) + "\n")
                stream.flush()
    except OSError as error:
        msg = f"{folder / TOYS}: cannot be written ({error.strerror or error}); what is there is kept, make room and go on"
        raise OutputError(msg) from error


def _results(
    executor: concurrent.futures.Executor | None, model: str, settings: str, toys: Iterable[int]
) -> Iterator[dict[str, Any]]:
    if executor is None:
        yield from (_analyse(model, settings, toy) for toy in toys)
        return
    futures = [executor.submit(_analyse, model, settings, toy) for toy in toys]
    for future in concurrent.futures.as_completed(futures):
        yield future.result()


def study_summary(directory: str | Path) -> xr.Dataset:
    """What the finished data sets of a study say.

    Args:
        directory: folder of the study.

    Returns:
        Dims ``quantity``, ``answer`` (``profile``, ``posterior``) and ``level`` (``68``, ``95``): ``coverage`` and
        ``coverage_error`` (binomial, at the level itself), of a posterior that of the interval between draws, which is exact
        for any number of them; of the pulls (estimate - truth) / error ``pull_mean`` and
        ``pull_width`` with ``pull_mean_error`` and ``pull_width_error``;
        ``rank_p_value`` of the posterior ranks (chi2 test of uniformity in 20 bins), and ``rank_p_value_corrected`` for
        having looked at all quantities (Holm); NaN where there is none.  Dims ``toy``, ``quantity``: ``rank``, as a
        fraction.  Attributes: ``toys``, ``problems`` (data sets that could not be analysed),
        ``divergences``.

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
    if not (folder / STUDY).is_file():
        msg = f"{folder}: holds no study; make one with bayescomb coverage MODEL --toys N --output {folder}"
        raise OptionError(msg)
    records = _records(folder)
    good = [record for record in records if "profile" in record]
    rows = {
        "profile": _stacked(good, "profile", lambda row: [row[0], row[1], row[2], row[3], np.nan]),
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
            if values is None:
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
            "problems": len(records) - len(good),
            "divergences": sum(record.get("divergences", 0) for record in good),
        },
    )


def _holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Holm's correction, which holds whatever the quantities have to do with each other; NaN stays NaN."""
    order = np.argsort(p_values)  # NaN last
    left = np.maximum(np.isfinite(p_values).sum() - np.arange(len(p_values)), 1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(left * p_values[order]), 1.0)
    return corrected


def _stacked(records: list[dict[str, Any]], answer: str, columns: Any) -> dict[str, NDArray[np.float64]]:
    names = list(records[0][answer]) if records else []
    return {name: np.array([columns(record[answer][name]) for record in records], dtype=float) for name in names}


def _profile_answer(values: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Whether Gaussian intervals from the errors hold the truth, shape (n, 2), and pulls, shape (n,)."""
    truth, value, up, down, _ = values.T
    pull = (value - truth) / np.where(truth > value, up, -down)
    return np.column_stack([abs(pull) < stats.norm.ppf(0.5 + level / 2) for level in LEVELS.values()]), pull


def _posterior_answer(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Whether intervals between draws hold the truth, shape (n, 2), and pulls, shape (n,).

    The ends are those of the 99 nearly independent draws of the rank, number 100 (1 - level) / 2 from below and from above;
    half way between two of them counts as half.  Quantiles of all draws would cover less than they state, by a share
    2 / (number of effective draws), which is the study's doing and not that of the posterior.
    """
    truth, mean, sd, rank = values.T[:4]
    from_end = np.minimum(rank, RANKS - rank)[:, None]  # draws between the truth and the nearer end
    first = np.round((RANKS + 1) * (1 - np.array(list(LEVELS.values()))) / 2, 9)
    return np.clip(from_end - first + 1, 0, 1), (mean - truth) / sd


def _moments(pull: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Mean and width of pulls, and their errors for Gaussian ones."""
    n, width = len(pull), float(pull.std(ddof=1)) if len(pull) > 1 else np.nan
    return float(pull.mean()), width, width / np.sqrt(n), width / np.sqrt(2 * max(n - 1, 1))
