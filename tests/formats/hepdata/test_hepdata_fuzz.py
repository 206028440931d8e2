"""Damaged submissions: whatever stands in place of an entry, there is a number or a sentence, never a traceback."""

import copy
import warnings

import hepdata_tables as made
import numpy as np
import pytest
import yaml
from hepdata_model import MAPPING, model, tables
from repetitions import repetitions

import bayescomb as bc
from bayescomb.formats.hepdata.record.layouts import json_table

JUNK = [
    None,
    "",
    "-",
    "x",
    "1e999",
    "nan",
    "5%",
    "%",
    0,
    -1,
    1e-300,
    10**400,
    True,
    [],
    {},
    [[1]],
    {"a": 1},
    "\x1b[2J",
    "a\nb",
]


def places(content, at=()):
    """Paths of all entries."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield (*at, key)
        yield from places(value, (*at, key))


def damaged(content, generator):
    """A copy in which an entry is other, absent, or twice there."""
    found = copy.deepcopy(content)
    paths = list(places(found))
    path = paths[generator.integers(len(paths))]
    at = found
    for key in path[:-1]:
        at = at[key]
    how = generator.integers(4)
    if how == 0:
        del at[path[-1]]
    elif how == 1 and isinstance(at, list):
        at.append(copy.deepcopy(at[path[-1]]))
    else:
        at[path[-1]] = JUNK[generator.integers(len(JUNK))]
    return found


def ends_well(action):
    """Whether it is refused in a sentence, or gives finite numbers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bc.InputWarning)
        try:
            return action()
        except bc.BayescombError as error:
            assert str(error).strip()  # noqa: PT017 - either outcome is right
            return None


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_damaged_tables_end_in_a_sentence_or_in_finite_numbers(tmp_path, seed):
    generator = np.random.default_rng(seed)
    folder = model(tmp_path)
    for _ in range(repetitions(30)):
        content = tables()
        name = list(content)[generator.integers(len(content))]
        made.write(folder / "hep", content | {name: damaged(content[name], generator)})
        combination = ends_well(lambda: bc.load(folder))
        if combination is not None:
            measurement = combination.measurements[0]
            assert np.isfinite([e.value for e in measurement.estimates]).all()
            assert np.isfinite(measurement.responses).all()
            assert np.linalg.eigvalsh(measurement.statistical_covariance).min() > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_damaged_json_and_submission_files_end_in_a_sentence(tmp_path, seed):
    generator = np.random.default_rng(100 + seed)
    served = made.served("Table 1", tables()["Table 1"])
    for _ in range(repetitions(100)):
        ends_well(lambda: json_table(damaged(served, generator), where="t.json"))
    folder = model(tmp_path)
    head = list(yaml.safe_load_all((folder / "hep" / "submission.yaml").read_text()))
    for _ in range(repetitions(20)):
        text = yaml.safe_dump_all(damaged(head, generator), explicit_start=True)
        (folder / "hep" / "submission.yaml").write_text(text)
        ends_well(lambda: bc.load(folder))
        ends_well(lambda: bc.load(folder / "hep"))


@pytest.mark.parametrize("seed", range(2))
def test_damaged_mappings_end_in_a_sentence(tmp_path, seed):
    generator = np.random.default_rng(200 + seed)
    values = ["1", "true", '""', "[]", "{}", '["x"]', '"Table 1"', '"Total"', '"*"', '{ table = "Total" }', "[1]", "inf"]
    keys = [line.split(" = ")[0] for line in MAPPING.splitlines()] + [
        "breakdown", "pulls", "ignore", "leave_out", "prefix", "total", "symmetrise", "nuisance_correlation", "normalised",
    ]  # fmt: skip
    for _ in range(repetitions(30)):
        lines = dict(line.split(" = ") for line in MAPPING.splitlines())
        for _ in range(generator.integers(1, 3)):
            lines[keys[generator.integers(len(keys))]] = values[generator.integers(len(values))]
        ends_well(lambda: bc.load(model(tmp_path, mapping="\n".join(f"{k} = {v}" for k, v in lines.items()))))  # noqa: B023
