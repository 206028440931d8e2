"""Whether posteriors may be believed: ``python posteriors.py ranks|verdicts|mixed [--number N] [--only NAME]``.

``ranks``: simulation-based calibration of every kind of model (tests/helpers/rank_models.py), 400 data sets each.  Per
quantity: p-value of its ranks in 20 bins, that of Kolmogorov and Smirnov corrected for the number of quantities (Holm),
coverage of 68 % and 95 % intervals, mean and width of the pulls.
``verdicts``: how often a sound posterior of four models is refused, 20 seeds each, and whether one that begins in one of two
modes passes.
``mixed``: random models of mixed features against importance sampling (tests/sampling/mixed_models.py).
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pymc as pm

import bayescomb as bc

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / room) for room in ("helpers", "fit/minimise", "likelihood/theory", "sampling")]

from mixed_models import mass_model, mass_posterior  # noqa: E402
from rank_models import KINDS, data_sets, uncertain_sizes  # noqa: E402
from scipy import stats  # noqa: E402
from test_mixed_posteriors import compare, disagreements  # noqa: E402
from test_theory import made  # noqa: E402
from two_modes import disagreeing, kinked  # noqa: E402

from bayescomb.studies.simulated.calibration import _holm, summary_of  # noqa: E402


def ranks(number, only):
    """A row per kind."""
    number = number or 400
    for kind in only or KINDS:
        clock = time.process_time()
        toys = data_sets(kind)
        records = [toys.analyse(i) for i in range(number)]
        seconds = (time.process_time() - clock) / number
        study = summary_of(records)
        at = study.sel(answer="posterior")
        columns = study["rank"].to_numpy().T
        ks = _holm(np.array([stats.kstest(c[np.isfinite(c)], stats.uniform.cdf).pvalue for c in columns]))
        bins = study["rank_p_value_corrected"].to_numpy()
        problems, divergences = study.attrs["problems"], study.attrs["divergences"]
        print(f"{kind}: {number} data sets, {problems} not analysed, {divergences} divergences, smallest p (Holm) "
              f"{np.nanmin(bins):.3f} in bins, {np.nanmin(ks):.3f} KS, {seconds:.2f} s CPU each")  # fmt: skip
        for name, p, k in zip(study["quantity"].to_numpy(), study["rank_p_value"].to_numpy(), ks, strict=True):
            own = at.sel(quantity=name)
            print(f"    {name:28s} p {p:.3f}, KS (Holm) {k:.3f}; {float(own['coverage'].sel(level='68')):.3f} "
                  f"{float(own['coverage'].sel(level='95')):.3f}; pull {float(own['pull_mean']):+.3f} +- "
                  f"{float(own['pull_mean_error']):.3f}, width {float(own['pull_width']):.3f}", flush=True)  # fmt: skip


def extended():
    """The kinked model with a term of somebody's own, which changes nothing."""
    model = bc.build_model(kinked())
    with model:
        pm.Potential("own", 0.0 * model["x"])
    return model


SOUND = {
    "run1_mass": lambda: bc.load(ROOT / "models" / "run1_mass"),
    "ttj_rho": lambda: bc.load(ROOT / "models" / "ttj_rho"),
    "correlated scales": lambda: made("correlated"),
    "errors on errors": uncertain_sizes,
}
# kind: model, options, number of seeds
WRONG = {
    "kinked, full": (kinked, {"engine": "full"}, 5),
    "kinked, extended": (kinked, {"model": extended}, 5),
    "sizes disagree, full": (lambda: disagreeing(0.5), {"engine": "full"}, 5),
}


def verdicts(number, only):
    """Sound models and wrong modes."""
    number = number or 20
    alarms = total = 0
    for name, model in SOUND.items():
        if only and name not in only:
            continue
        combination, refused = model(), []
        clock = time.process_time()
        for seed in range(number):
            judged = bc.verdict(bc.sample(combination, seed=seed, progress=False))
            if not judged.passed:
                refused.append(f"seed {seed}: {judged.sentence}")
        alarms, total = alarms + len(refused), total + number
        seconds = (time.process_time() - clock) / number
        print(f"{name:22s} sound   {number:3d} seeds, {len(refused)} refused, {seconds:.1f} s CPU each", *refused,
              sep="\n    ", flush=True)  # fmt: skip
    print(f"false alarms: {alarms} of {total}")
    passed = total = 0
    for name, (model, options, seeds) in WRONG.items():
        if only and name not in only:
            continue
        chosen = {key: value() if callable(value) else value for key, value in options.items()}
        judged = [
            bc.verdict(bc.sample(model(), seed=seed, draws=500, tune=300, progress=False, **chosen)) for seed in range(seeds)
        ]
        good = sum(j.passed for j in judged)
        passed, total = passed + good, total + seeds
        print(f"{name:22s} one mode {seeds:2d} seeds, {good} passed; {judged[0].sentence}", flush=True)
    print(f"wrong modes that passed: {passed} of {total}")


def mixed(number, only):
    """A row per model."""
    for seed in map(int, only) if only else range(number or 40):
        clock = time.process_time()
        features, tree, effective, found = compare(seed)
        judged = bc.verdict(tree)
        print(f"{seed:3d} {tree.attrs['backend']:6s} {time.process_time() - clock:6.1f} s CPU  weights {effective:7.0f}  "
              f"{'passed' if judged.passed else judged.sentence[:90]:8s}  {', '.join(features)}", flush=True)  # fmt: skip
        for row in found:
            print("     DISAGREES", row, flush=True)
    for seed in range(5):
        combination, case = mass_model(seed)
        tree = bc.sample(combination, seed=seed, draws=1000, tune=500, progress=False)
        found = disagreements(tree, *mass_posterior(combination, case, draws=20_000, seed=seed))
        print(f"mass, scales {case}: {found or 'agrees'}", flush=True)


def main():
    """One table."""
    parser = argparse.ArgumentParser(description=__doc__)
    tables = {"ranks": ranks, "verdicts": verdicts, "mixed": mixed}
    parser.add_argument("table", choices=tables)
    parser.add_argument("--number", type=int, help="of data sets, seeds or models")
    parser.add_argument("--only", action="append")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    tables[options.table](options.number, options.only)


if __name__ == "__main__":
    main()
