"""What tests and doctests share: repetition, a compile folder per worker, one thread, posteriors that are sampled once."""

import os
import re
from pathlib import Path

import pytest
import repetitions
import scipy.linalg  # noqa: F401  # its BLAS is limited only if it is loaded
from filelock import FileLock
from threadpoolctl import threadpool_limits

# Programs that wrote the data of the tests, which need what is not installed here.
collect_ignore_glob = ["tests/data/*"]
MODELS = Path(__file__).parent / "models"
NEEDS = re.compile(r"\bposterior\b")


def _folders_of_the_worker():
    """PyTensor locks its folder between processes and numba rewrites its index: each worker keeps its own of both.

    They stay from run to run, below ``base_compiledir`` of PYTENSOR_FLAGS and below NUMBA_CACHE_DIR where these are set.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        return
    flags = dict(flag.partition("=")[::2] for flag in os.environ.get("PYTENSOR_FLAGS", "").split(",") if flag)
    base = Path(flags.get("base_compiledir", Path.home() / ".pytensor")).expanduser() / worker
    flags["base_compiledir"] = str(base)
    os.environ["PYTENSOR_FLAGS"] = ",".join(f"{name}={value}" for name, value in flags.items())
    numba = os.environ.get("NUMBA_CACHE_DIR")
    os.environ["NUMBA_CACHE_DIR"] = str(base / "numba" if numba is None else Path(numba) / worker)


_folders_of_the_worker()  # before anything imports PyTensor or numba
os.environ["MPLBACKEND"] = "Agg"  # no display, in the processes of the tests neither


def pytest_addoption(parser):
    parser.addoption(
        "--thorough",
        action="store_true",
        help=f"random checks {repetitions.THOROUGH} times as often, and the studies that are marked thorough",
    )


def pytest_configure(config):
    repetitions.factor = repetitions.THOROUGH if config.getoption("--thorough") else 1


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(config, items):
    for item in items:
        if _needs_posterior(item):
            item.add_marker(pytest.mark.slow)
    if not config.getoption("--thorough"):
        for item in items:
            if item.get_closest_marker("thorough"):
                item.add_marker(pytest.mark.skip(reason="a study of full size: pytest --thorough"))


def _needs_posterior(item):
    """Whoever comes first waits until the posterior of a whole model is sampled."""
    if isinstance(item, pytest.DoctestItem):
        return any(NEEDS.search(example.source) for example in item.dtest.examples)
    return not {"run1_posterior", "ttj_posterior"}.isdisjoint(item.fixturenames)


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """On a shared machine the threads of BLAS wait for each other, which makes small matrices fifty times slower."""
    with threadpool_limits(limits=1, user_api="blas"):
        yield


@pytest.fixture(scope="session")
def sampled_once(tmp_path_factory):
    """Posterior by name: whichever worker asks first samples and stores it, the others read the file.

    ``sampled_once("name", sample)`` calls ``sample()`` at most once per run of pytest.
    """
    import bayescomb as bc

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # that of the run, which the workers share
    kept = {}

    def posterior(name, sample):
        if name not in kept:
            path = folder / f"{name}.nc"
            with FileLock(folder / f"{name}.lock"):
                if not path.exists():
                    bc.save_posterior(sample(), path)
            kept[name] = bc.load_posterior(path)
        return kept[name]

    return posterior


@pytest.fixture(scope="session")
def run1_posterior(sampled_once):
    """The Run 1 mass combination with all 19 coefficients sampled, as by default."""
    import bayescomb as bc

    return sampled_once("run1_mass", lambda: bc.sample(bc.load(MODELS / "run1_mass"), seed=1))


@pytest.fixture(scope="session")
def ttj_posterior(sampled_once):
    """The ttbar+jet model with its extraction in force."""
    import bayescomb as bc

    return sampled_once("ttj_rho", lambda: bc.sample(bc.load(MODELS / "ttj_rho"), seed=3, draws=700, tune=500))


@pytest.fixture(autouse=True)
def _names_of_doctests(request):
    """``posterior`` of the Run 1 mass combination in the doctests that need it."""
    if isinstance(request.node, pytest.DoctestItem) and _needs_posterior(request.node):
        request.getfixturevalue("doctest_namespace")["posterior"] = request.getfixturevalue("run1_posterior")
