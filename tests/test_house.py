"""The limits of the house: nine rooms, short modules, few files in a folder, and tests in the same folders."""

import ast
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "bayescomb"
ROOMS = {"base", "cli", "fit", "formats", "inputs", "likelihood", "output", "sampling", "studies"}
MOST_LINES, MOST_FILES, MOST_TEST_FILES = 450, 12, 20
# Folders of tests that are no folder of the package: what several rooms share, and the results of papers.
OWN = {Path(place) for place in ("benchmarks", "data", "data/fits", "faults", "helpers", "fit/published")}


def folders(root):
    """Every folder below a root that holds a file, relative to it; what Python and the tools cache is none."""
    files = [path.relative_to(root) for path in root.rglob("*.*") if path.is_file() and path.suffix != ".pyc"]
    found = {folder for path in files for folder in path.parents if folder.name}
    return sorted(path for path in found if not any(part.startswith((".", "__")) for part in path.parts))


def files(folder):
    return [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]


PACKAGES = [folder for folder in folders(PACKAGE) if any((PACKAGE / folder).glob("*.py"))]


def test_the_package_is_nine_rooms():
    entries = {path.name for path in PACKAGE.iterdir() if path.suffix != ".pyc" and path.name != "__pycache__"}
    # the models that a wheel brings along are not in the source
    assert entries - {"shipped_models"} == ROOMS | {"__init__.py"}


def test_no_module_is_long():
    modules = [path for path in PACKAGE.rglob("*") if path.suffix in (".py", ".js")]
    lines = {str(path.relative_to(PACKAGE)): len(path.read_text(encoding="utf-8").splitlines()) for path in modules}
    assert {module: n for module, n in lines.items() if n > MOST_LINES} == {}


@pytest.mark.parametrize(("root", "most"), [(PACKAGE, MOST_FILES), (TESTS, MOST_TEST_FILES)], ids=["package", "tests"])
def test_no_folder_is_full(root, most):
    counted = {str(folder): len(files(root / folder)) for folder in folders(root)}
    assert {folder: n for folder, n in counted.items() if n > most} == {}


@pytest.mark.parametrize("folder", PACKAGES, ids=str)
def test_a_folder_says_what_lives_there_what_it_imports_and_where_to_start(folder):
    text = ast.get_docstring(ast.parse((PACKAGE / folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    where = f"bayescomb/{folder}/__init__.py"
    assert re.match(r"[A-Z].+\.\n\n", text), f"{where}: the first line says what lives there"
    assert re.search(r"\bimports?\b", text, flags=re.IGNORECASE), f"{where}: say what the folder may import"
    start = re.search(r"\bStart\s+at\s+([\w.]+\w)", text)
    assert start, f"{where}: say where a newcomer starts: 'Start at MODULE'"
    place = PACKAGE / folder / start[1].replace(".", "/")
    assert place.is_dir() or place.with_suffix(".py").is_file(), f"{where}: there is no {start[1]} to start at"


def test_tests_are_in_the_folders_of_the_package():
    assert {str(folder) for folder in folders(TESTS)} >= ROOMS
    astray = [str(folder) for folder in folders(TESTS) if folder not in OWN and not (PACKAGE / folder).is_dir()]
    assert astray == []


def test_no_folder_of_tests_hides_a_package():
    """pytest puts folders on the path, where a folder ``coverage`` is the package that numba tries to import."""
    taken = {*sys.stdlib_module_names, *metadata.packages_distributions(), "coverage"} - {"tests"}
    assert {part for folder in folders(TESTS) for part in folder.parts} & taken == set()


def test_folders_of_helpers_are_there():
    """What pytest puts on the path: without one of them a test runs with the whole suite and not alone."""
    text = (TESTS.parent / "pyproject.toml").read_text(encoding="utf-8")
    places = re.findall(r'"(tests/[^"]+)"', re.search(r"^pythonpath = (\[.*\])$", text, flags=re.MULTILINE)[1])
    assert places
    assert [place for place in places if not (TESTS.parent / place).is_dir()] == []
