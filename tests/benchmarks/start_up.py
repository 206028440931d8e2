"""CPU time of short commands, in units of importing numpy and scipy.linalg: ``python tests/benchmarks/start_up.py``."""

import resource
import subprocess
import sys

UNIT = "import numpy, scipy.linalg"
MAIN = "from bayescomb.cli.main import main; main({words!r})"
COMMANDS = (
    ("--help",),
    ("--version",),
    ("profil",),
    ("profile", "--help"),
    ("check", "models/run1_mass"),
    ("profile", "models/run1_mass"),
    ("impacts", "models/run1_mass"),
)
REPETITIONS = 7


def seconds(code):
    """The least CPU time of some runs, of user and system."""
    times = []
    for _ in range(REPETITIONS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


if __name__ == "__main__":
    unit = seconds(UNIT)
    print(f"python -c '{UNIT}': {unit:.3f} s")
    for words in COMMANDS:
        found = seconds(MAIN.format(words=list(words)))
        print(f"bayescomb {' '.join(words)}: {found:.3f} s, {found / unit:.2f}")
