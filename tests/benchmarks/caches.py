"""What is compiled lies on disk afterwards: a script as a process of its own, without that and with it."""

import os
import subprocess
import sys


def cold_and_warm(cache, script, *words):
    """Runs a script with a folder of caches that is empty, and again; gives the environment that names the folder."""
    environment = os.environ | {
        "NUMBA_CACHE_DIR": f"{cache}/numba",
        "PYTENSOR_FLAGS": f"base_compiledir={cache}/pytensor",
    }
    for state in ("cold", "warm"):
        print(f"{state}: ", end="", flush=True)
        subprocess.run([sys.executable, script, *words], check=True, env=environment)
    return environment
