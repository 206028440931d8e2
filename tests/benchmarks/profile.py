"""Profile, impacts and scans at the size of the real combination, first and warm, and the memory they take."""

import resource
import sys
import time
from pathlib import Path

clock = time.perf_counter()
import bayescomb as bc  # noqa: E402  # the import is part of what is measured

IMPORT = time.perf_counter() - clock
sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from full_size import full_size  # noqa: E402  # lives beside the tests

CASES = {
    "quadratic": {},
    "quadratic, shared bins": {"shared": True},
    "relative and asymmetric": {"shared": True, "quadratic": False},
    "pearson": {"shared": True, "chi2": "pearson"},
}


def main():
    print(f"import {IMPORT:.2f} s")
    print(f"{'case':26s} {'run':5s} {'profile':>8s} {'impacts':>8s} {'scans':>8s} {'total':>8s} {'peak':>8s}")
    for name, options in CASES.items():
        combination = full_size(**options)
        for run in ("first", "warm"):
            times = []
            for step in (bc.profile, lambda c: bc.impacts(c, parts="held"), bc.scan):
                start = time.perf_counter()
                step(combination)
                times.append(time.perf_counter() - start)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            cells = " ".join(f"{t:7.2f}s" for t in [*times, sum(times)])
            print(f"{name:26s} {run:5s} {cells} {peak:5d} MB", flush=True)


if __name__ == "__main__":
    main()
