"""Effective draws per second of this commit and of another one, side by side: ``python effective_draws.py [REVISION]``.

Every row is a process of its own, in the files of its commit and with caches of its own: the first row of a case compiles
with empty caches, the second, with another seed, finds what the first left.  ``--quick`` leaves out the large set-up.  Times
are wall-clock, as chains use the cores there are, but for CPU, that of the whole process with its imports, and that of the
sampler alone; the last two columns are effective draws by either.
Nothing is asserted; the figures are for people.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).parents[2]
CASES = {
    # case: backends, draws and tuning steps per chain
    "run1_mass": (("auto", "numba"), 1500, 500),
    "ttj_rho": (("auto", "numba"), 1500, 500),
    "bins": (("auto",), 1500, 500),
    "relative": (("auto",), 500, 500),
    "real shape": (("auto",), 400, 300),
}
SLOW = ("real shape",)
TRIPLES, CHAINS, PAIRS_OF_BLOCK = 12, 12, 22


def bins():
    """17 bins of two inputs that share nearly all of their error, one coefficient."""
    import numpy as np

    import bayescomb as bc

    rng, count = np.random.default_rng(3), 17
    covariance = 10 * np.ones((count, count)) + np.diag(rng.uniform(0.1, 0.2, count))
    measurements = tuple(
        bc.Measurement(
            name=name,
            estimates=tuple(
                bc.Estimate(name=f"{name}{i}", value=float(v), observables={f"x{i}": 1.0})
                for i, v in enumerate(rng.normal(50, 1, count))
            ),
            statistical_covariance=covariance,
            nuisances=(bc.Nuisance(name=f"n {name}"),),
            responses=np.full((count, 1), 0.5),
        )
        for name in "ab"
    )
    return _with_coefficient(bc, measurements, [f"x{i}" for i in range(count)], "n a", "n b")


def relative(count=38):
    """Two inputs of one result with relative nuisances, one coefficient."""
    import numpy as np

    import bayescomb as bc

    rng = np.random.default_rng(5)
    measurements = tuple(
        bc.Measurement(
            name=name,
            estimates=(bc.Estimate(name=f"e {name}", value=100.0, observables={"x": 1.0}),),
            statistical_covariance=np.array([[4.0]]),
            nuisances=tuple(bc.Nuisance(name=f"{name}{i}", response="relative") for i in range(count // 2)),
            responses=rng.uniform(0.5, 2.0, (1, count // 2)),
        )
        for name in "ab"
    )
    return _with_coefficient(bc, measurements, ["x"], "a0", "b0")


def _with_coefficient(bc, measurements, observables, first, second):
    pair = bc.CorrelationPair(first=first, second=second)
    coefficient = bc.CorrelationCoefficient(name="r", pairs=(pair,), nominal=0.3, low=0.0, high=0.9)
    return bc.Combination(
        name="benchmark",
        measurements=measurements,
        observables=tuple(bc.Observable(name=name) for name in observables),
        assumption_sets={"all": bc.AssumptionSet(name="all", coefficients=(coefficient,))},
        assumptions="all",
    )


def real_pairs():
    """82 ranges in 25 blocks, one of 22 pairs of 16 nuisances."""
    from real_shape import names

    first, second, third = (names(m)[1] for m in ("first", "second", "third"))
    pairs = []
    for i in range(TRIPLES):
        pairs += [(first[i], second[i], 0.3, (0.0, 0.6)), (second[i], third[i], 0.3, (0.0, 0.6))]
        pairs.append((first[i], third[i], 0.3, (0.0, 0.6)))
    for i in range(TRIPLES, TRIPLES + CHAINS):
        pairs += [(first[i], second[i], 0.5, (0.0, 1.0)), (second[i], third[i], 0.5, (0.25, 0.75))]
    at = TRIPLES + CHAINS
    members = first[at : at + 5], second[at : at + 5], third[at : at + 6]
    block = [(members[0][i % 5], members[1][(i + i // 5) % 5]) for i in range(10)]
    block += [(members[0][i % 5], members[2][i % 6]) for i in range(6)]
    block += [(members[1][(i + 2) % 5], members[2][i % 6]) for i in range(6)]
    return pairs + [(a, b, 0.1, (0.0, 0.3)) for a, b in block[:PAIRS_OF_BLOCK]]


def model(case):
    """The combination of a case, by the code of the commit that is measured."""
    import dataclasses

    import bayescomb as bc

    if case in {"bins", "relative"}:
        return bins() if case == "bins" else relative()
    if case != "real shape":
        return bc.load(ROOT / "models" / case)
    from real_shape import real_shape

    folder = Path(tempfile.mkdtemp())
    return bc.load(dataclasses.replace(real_shape(), pairs=real_pairs()).write(folder / "real"))


def run(case, backend, seed):
    """One row as JSON."""
    clock = time.perf_counter()
    warnings.simplefilter("ignore")
    import arviz as az

    import bayescomb as bc
    from bayescomb.sampling import sample

    _, draws, tune = CASES[case]
    run_nuts, spent = sample.run_nuts, []

    def timed(*arguments, **options):
        clock = time.process_time()
        found = run_nuts(*arguments, **options)
        spent.append(time.process_time() - clock)
        return found

    sample.run_nuts = timed
    posterior = bc.sample(model(case), seed=seed, backend=backend, draws=draws, tune=tune, progress=False)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    values = posterior["posterior"].to_dataset()
    scalars = {str(n): float(az.ess(values[n].to_numpy())) for n in values.data_vars if values[n].ndim == 2}
    arrays = {n: float(az.ess(values[[n]])[n].min()) for n in ("rho", "pull") if n in values}
    chosen = "m_t" if "m_t" in scalars else min(scalars, key=scalars.get)
    seconds = posterior.attrs["sampling_seconds"]
    row = {
        "backend": posterior.attrs["backend"],
        "total": time.perf_counter() - clock,
        "cpu": usage.ru_utime + usage.ru_stime,
        "compile": posterior.attrs["compile_seconds"],
        "sampling": seconds,
        "steps": float(posterior["sample_stats"]["n_steps"].mean()),
        "draws": 4 * draws,
        "ess": scalars[chosen],
        "least": min([*scalars.values(), *arrays.values()]),
        "draw": sum(spent),
        "rate": scalars[chosen] / seconds,
        "per CPU": scalars[chosen] / sum(spent),
    }
    print(json.dumps(row))


def main():
    """All rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("revision", nargs="?", default="HEAD~1", help="what this commit is compared to")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=CASES, action="append")
    options = parser.parse_args()
    times = " ".join(f"{name:>8s}" for name in ("total", "CPU", "compile", "sampling", "its CPU"))
    titles = ("steps", "draws", "ESS", "least", "ESS/s", "per CPU")
    figures = " ".join(f"{name:>7s}" for name in titles)
    print(f"{'case':11s} {'commit':9s} {'backend':7s} {'caches':6s} {times} {figures}")
    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder) / "other"
        subprocess.run(["git", "-C", ROOT, "worktree", "add", "-q", "--detach", other, options.revision], check=True)
        try:
            for case, (backends, *_) in CASES.items():
                if case in (options.only or [c for c in CASES if not (options.quick and c in SLOW)]):
                    for backend in backends:
                        for commit, source in (("other", other), ("this", ROOT)):
                            _rows(case, backend, commit, source, Path(folder) / f"{case} {backend} {commit}")
        finally:
            subprocess.run(["git", "-C", ROOT, "worktree", "remove", "--force", other], check=True)


def _rows(case, backend, commit, source, cache):
    environment = os.environ | {
        "NUMBA_CACHE_DIR": f"{cache}/numba",
        "PYTENSOR_FLAGS": f"base_compiledir={str(cache).replace(' ', '_')}",
        "PYTHONPATH": f"{source}:{ROOT / 'tests' / 'cli'}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    for caches, seed in (("empty", 1), ("warm", 2)):
        command = [sys.executable, __file__, "--row", case, backend, str(seed)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{case:11s} {commit:9s} {backend:7s} {caches:6s} {done.stderr.strip().splitlines()[-1]}", flush=True)
            continue
        row = json.loads(done.stdout.strip().splitlines()[-1])
        times = " ".join(f"{row[name]:7.1f}s" for name in ("total", "cpu", "compile", "sampling", "draw"))
        figures = f"{row['steps']:7.1f} " + " ".join(
            f"{row[name]:7.0f}" for name in ("draws", "ess", "least", "rate", "per CPU")
        )
        print(f"{case:11s} {commit:9s} {row['backend']:7s} {caches:6s} {times} {figures}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 5 and sys.argv[1] == "--row":
        run(*sys.argv[2:4], int(sys.argv[4]))
    else:
        main()
