"""Files of HFLAV's combination-code: its own tutorial and random ones, against its own covariance."""

import contextlib
import io
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from refusals import refused
from repetitions import repetitions

import bayescomb as bc
from bayescomb.base.errors import (
    DuplicateNameError,
    FileFormatError,
    InputWarning,
    InvalidMatrixError,
    InvalidNumberError,
    OptionError,
    UnknownNameError,
)
from bayescomb.formats.hflav.combination import STRATEGIES, read_averaging
from bayescomb.formats.toml.model_writer import write_model
from bayescomb.inputs.serialise import combination_to_json

TUTORIAL = Path(sys.prefix) / "share" / "combination_code" / "tutorial"
EXAMPLES = {
    "dms": (["inputs/Dms.json"], ["Example2/IntercorrelationMaps-Dms.json"]),
    "J/psi KK and J/psi pi pi": (
        ["inputs/ResultList-Example-JpsiKK.json", "inputs/ResultList-Example-JpsiPiPi.json"],
        ["inputs/IntercorrelationMaps-All.json"],
    ),
    "ATLAS and CMS": (["inputs/ATLAS_JpsiKK_a_Spring2021.json", "inputs/CMS_JpsiKK_Spring2021.json"], []),
    "LHCb": (["inputs/LHCb_JpsiKK_Spring2021.json", "inputs/LHCb_JpsieeKK_Spring2021.json"], []),
    "lifetime": (["inputs/ResultList-tau-CPeven-Spring2020.json"], []),
}


def combination_of(results, maps=()):
    found = read_averaging(results, intercorrelations=maps)
    return bc.Combination(
        name="average",
        measurements=found.measurements,
        observables=tuple(bc.Observable(name=name) for name in found.parameters),
        sources=tuple(bc.Source(name=name) for name in found.sources),
        assumption_sets={"nominal": bc.AssumptionSet(name="nominal", blocks=found.blocks)},
        assumptions="nominal",
        treatment="covariance",
    )


def of_combination_code(results, maps, tmp_path):
    """Values, parameters and covariance of all results, by the program itself."""
    with warnings.catch_warnings(action="ignore"):
        pytest.importorskip("combination_code", reason="combination-code is not installed (bayescomb[dev])")
    from combination_code.ResultSet import readResultListJSON

    # Its matrices and open files are its own affair.
    with warnings.catch_warnings(action="ignore"), contextlib.redirect_stdout(io.StringIO()):
        listed = readResultListJSON(
            [str(p) for p in results], [str(p) for p in maps], inputpath="", outputpath=f"{tmp_path}/outputs/"
        )
        return np.asarray(listed.getValues()), [str(p) for p in listed.getParameters()], np.asarray(listed.getCovMat())


def assert_same_average(fit, values, parameters, covariance):
    """Generalised least squares with that covariance, written out."""
    names = list(dict.fromkeys(parameters))
    design = np.array([[float(p == name) for name in names] for p in parameters])
    weighted = np.linalg.solve(covariance, design)
    expected = np.linalg.inv(design.T @ weighted)
    errors = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(fit.errors.sel(parameter=names), errors, rtol=1e-9)
    difference = fit.values.sel(parameter=names).to_numpy() - expected @ weighted.T @ values
    np.testing.assert_allclose(difference / errors, 0, atol=1e-9)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_of_the_program_agree_with_it(name, tmp_path):
    results, maps = ([TUTORIAL / file for file in files] for files in EXAMPLES[name])
    if not results[0].exists():
        pytest.skip("the tutorial of combination-code is not installed (bayescomb[dev])")
    assert_same_average(bc.profile(combination_of(results, maps)), *of_combination_code(results, maps, tmp_path))


PARAMETERS = ("phis", "DGs", "Gs", "lamb")
SOURCES = ("FitBias", "Tagging", "ProdAsym")


def random_correlation(rng, n):
    """Close to the unit matrix, so that sums over several sets stay positive definite; published ones are rounded."""
    matrix = np.eye(n)
    for i in range(n):
        matrix[i, :i] = matrix[:i, i] = rng.uniform(-0.3, 0.3, size=i).round(2)
    return matrix.tolist()


def random_files(rng, folder):
    """Two to four result sets over some of the parameters, and one map of every kind."""
    sets = []
    for k in range(rng.integers(2, 5)):
        chosen = [PARAMETERS[i] for i in sorted(rng.choice(4, size=rng.integers(1, 5), replace=False))]
        if rng.random() < 0.5 and "lamb" in chosen:
            chosen[chosen.index("lamb")] = "lambda"
        n = len(chosen)
        systematics = [
            {"Name": s, "Values": rng.uniform(0.1, 0.4, size=n).tolist()}
            | ({"SystematicCorrelationMatrix": random_correlation(rng, n)} if rng.random() < 0.7 else {})
            for s in SOURCES
            if rng.random() < 0.8
        ]
        entry = {
            "ResultSetLabel": f"set {k}",
            "Description": ["random"],
            "Parameter": [{"Name": p, "Value": rng.normal(), "Error": rng.uniform(0.5, 1)} for p in chosen],
            "SystematicErrors": systematics,
        }
        if rng.random() < 0.7:
            entry["StatisticalCorrelationMatrix"] = random_correlation(rng, n)
        sets.append(entry)
    maps = []
    for source in SOURCES:
        one = {"ictype": str(rng.choice(["DIAG", "FULL"])), "scale": rng.uniform(0, 1)}
        maps.append({source: one | ({"strategy": str(rng.choice(STRATEGIES))} if rng.random() < 0.7 else {})})
    labels = ["All", "All"] if rng.random() < 0.7 else ["set 0", "set 1"]
    document = {"ResultSetLabels": labels, "IntercorrelationMaps": maps, "ParameterEquivalenceLists": [["lamb", "lambda"]]}
    (folder / "results.json").write_text(json.dumps({"ResultSet": sets}), encoding="utf-8")
    (folder / "maps.json").write_text(json.dumps(document), encoding="utf-8")
    return [folder / "results.json"], [folder / "maps.json"]


def test_random_sets_and_maps_agree_with_the_program(tmp_path):
    compared = 0
    for seed in range(repetitions(40)):
        files = random_files(np.random.default_rng(seed), tmp_path)
        try:
            expected = of_combination_code(*files, tmp_path)
        except SystemExit:  # a strategy that the program cannot apply to a pair that no set knows
            continue
        if np.linalg.eigvalsh(expected[2]).min() > 0:
            assert_same_average(bc.profile(combination_of(*files)), *expected)
            compared += 1
    assert compared > repetitions(40) / 2


def average(name, value, error=0.1, **more):
    return {"ResultSetLabel": name, "Parameter": [{"Name": "dms", "Value": value, "Error": error}], **more}


@pytest.fixture
def written(tmp_path):
    """Factory of a file of result sets."""

    def write(*sets, name="results.json", text=None):
        path = tmp_path / name
        path.write_text(json.dumps({"ResultSet": list(sets)}) if text is None else text, encoding="utf-8")
        return path

    return write


def test_a_file_alone_is_a_combination(written, tmp_path):
    systematic = [{"Name": "scale", "Values": [0.05]}]
    path = written(average("A", 17.8, SystematicErrors=systematic), average("B", 17.6, SystematicErrors=systematic))
    combination = bc.load(path)
    weights = np.full(2, 1 / (0.1**2 + 0.05**2))
    fit = bc.profile(combination)
    assert fit.values.item() == pytest.approx(17.7, rel=1e-12)
    assert fit.errors.item() == pytest.approx(weights.sum() ** -0.5, rel=1e-12)
    again = bc.load(write_model(combination, tmp_path / "model"))
    assert combination_to_json(again) == combination_to_json(combination)


def test_model_file_takes_result_sets_and_maps(written, tmp_path):
    systematic = [{"Name": "scale", "Values": [0.05]}]
    other = {"ResultSetLabel": "C", "Parameter": [{"Name": "Gs", "Value": 0.66, "Error": 0.01}]}
    written(average("A", 17.8, SystematicErrors=systematic), average("B", 17.6, 0.2, SystematicErrors=systematic), other)
    maps = {"ResultSetLabels": ["All", "All"], "IntercorrelationMaps": [{"scale": {"ictype": "DIAG", "scale": 0.8}}]}
    (tmp_path / "maps.json").write_text(json.dumps(maps | {"ParameterEquivalenceLists": [""]}), encoding="utf-8")
    text = """
format = 1
name = "mixing"
treatment = "covariance"
observables = [{ name = "dms", unit = "1/ps" }]
[hflav]
results = ["results.json"]
intercorrelations = ["maps.json"]
parameters = ["dms"]
experiments = { "?" = "LHCb" }
[[assumption_sets]]
name = "nominal"
"""
    (tmp_path / "model.toml").write_text(text, encoding="utf-8")
    combination = bc.load(tmp_path)
    assert [m.experiment for m in combination.measurements] == ["LHCb", "LHCb"]
    covariance = np.diag([0.1**2, 0.2**2]) + 0.05**2 * np.array([[1, 0.8], [0.8, 1]])
    inverse = np.linalg.inv(covariance)
    fit = bc.profile(combination)
    assert fit.values.item() == pytest.approx(inverse.sum(axis=0) @ [17.8, 17.6] / inverse.sum(), rel=1e-12)
    assert fit.errors.item() == pytest.approx(inverse.sum() ** -0.5, rel=1e-12)
    (tmp_path / "model.toml").write_text(text.replace('parameters = ["dms"]\n', ""), encoding="utf-8")
    with refused(UnknownNameError, "hflav", "observable 'Gs'"):
        bc.load(tmp_path)


def test_total_correlations_are_a_total_covariance(written):
    two = {
        "ResultSetLabel": "T",
        "Parameter": [{"Name": "a", "Value": 1.0, "Error": 0.3}, {"Name": "b", "Value": 2.0, "Error": 0.4}],
        "SystematicErrors": [{"Name": "scale", "Values": [0.4, 0.3]}],
        "TotalCorrelationMatrix": [[1, 0.5], [0.5, 1]],
    }
    covariance = bc.load(written(two)).measurements[0].statistical_covariance
    np.testing.assert_allclose(covariance, [[0.25, 0.125], [0.125, 0.25]], rtol=1e-12)


def test_asymmetric_errors_are_said(written):
    path = written(
        {"ResultSetLabel": "A", "Parameter": [{"Name": "x", "Value": 1, "Error": 2, "ErrorUp": 3, "ErrorDown": 1}]}
    )
    with pytest.warns(InputWarning, match="asymmetric errors found"):
        assert bc.profile(bc.load(path)).errors.item() == pytest.approx(2)


def test_asymmetric_errors_are_those_of_all_inputs_where_they_are_asked_for(written, tmp_path):
    """Two sets of one parameter: the same as +a/-b in a budget, and one alone has its own interval."""
    sets = [
        {
            "ResultSetLabel": label,
            "Parameter": [{"Name": "x", "Value": value, "Error": 0.5, "ErrorUp": 0.6, "ErrorDown": 0.4}],
            "SystematicErrors": [{"Name": "jes", "Values": [0.2], "ValuesUp": [0.3], "ValuesDown": [0.1]}],
        }
        for label, value in (("A", 1.0), ("B", 2.5))
    ]
    name = written(*sets).name
    head = 'format = 1\nname = "m"\nobservables = [{ name = "x" }]\n'
    end = '[[assumption_sets]]\nname = "set"\n'
    (tmp_path / "model.toml").write_text(
        f'{head}hflav = {{ results = ["{name}"], asymmetric = true }}\n{end}', encoding="utf-8"
    )
    fit = bc.profile(bc.load(tmp_path))
    folder = tmp_path / "budget"
    folder.mkdir()
    (folder / "budget.csv").write_text(
        "estimate,experiment,observable,value,stat,jes\nA,A,x,1.0,+0.6/-0.4,+0.3/-0.1\nB,B,x,2.5,+0.6/-0.4,+0.3/-0.1\n",
        encoding="utf-8",
    )
    text = f'{head}sources = [{{ name = "jes" }}]\nwithin = "uncorrelated"\nbudget = {{ table = "budget.csv" }}\n{end}'
    (folder / "model.toml").write_text(text, encoding="utf-8")
    same = bc.profile(bc.load(folder))
    for key in ("values", "errors", "up_errors", "down_errors"):
        assert getattr(fit, key).item() == pytest.approx(getattr(same, key).item(), rel=1e-9)
    alone = bc.profile(bc.load(tmp_path).only("A"))
    assert alone.up_errors.item() == pytest.approx(np.hypot(0.6, 0.3), rel=1e-4)
    assert alone.down_errors.item() == pytest.approx(-np.hypot(0.4, 0.1), rel=1e-4)


@pytest.mark.parametrize(
    ("sets", "error", "said"),
    [
        ([{"Parameter": []}], FileFormatError, ["result set 1", "missing key 'ResultSetLabel'"]),
        ([{"ResultSetLabel": "A", "Parameter": []}], FileFormatError, ["'A'", "Parameter = []"]),
        ([{"ResultSetLabel": "A", "Parameter": [{"Name": "x", "Value": 1}]}], FileFormatError, ["Name, Value, Error"]),
        ([average("A", "x")], InvalidNumberError, ["'A', dms", "'x' found"]),
        ([average("A", 1, 0)], InvalidNumberError, ["Error of dms", "above 0"]),
        ([average("A", 1), average("A", 1)], DuplicateNameError, ["label 'A' stands twice"]),
        ([average("A", 1, StatisticalCorrelationMatrix=[[1, 0]])], InvalidMatrixError, ["1 rows of 1 numbers"]),
        (
            [average("A", 1, StatisticalCorrelationMatrix=[[0.9]])],
            InvalidMatrixError,
            ["'A'", "StatisticalCorrelationMatrix"],
        ),
        (
            [average("A", 1, SystematicErrors=[{"Name": "s", "Values": [1, 2]}])],
            FileFormatError,
            ["'s'", "a list of 1 sizes"],
        ),
    ],
)
def test_wrong_result_sets_are_refused(written, sets, error, said):
    with refused(error, "results.json", *said):
        bc.load(written(*sets))


@pytest.mark.parametrize(
    ("document", "error", "said"),
    [
        ({}, FileFormatError, ["missing key 'ResultSetLabels'"]),
        ({"ResultSetLabels": ["A"]}, FileFormatError, ["two labels or more"]),
        ({"ResultSetLabels": ["A", "C"]}, UnknownNameError, ["result set 'C'"]),
        ({"IntercorrelationMaps": [{"s": 1}]}, FileFormatError, ["'s'", '{"ictype": "DIAG"']),
        ({"IntercorrelationMaps": [{"s": {"ictype": "HALF"}}]}, OptionError, ["'HALF' found", "DIAG, FULL"]),
        ({"IntercorrelationMaps": [{"s": {"ictype": "DIAG", "scale": 2}}]}, InvalidMatrixError, ["scale", "[-1, 1]"]),
        ({"IntercorrelationMaps": [{"s": {"ictype": "FULL", "strategy": "X"}}]}, OptionError, ["'X' found", "SQRT, AVG"]),
    ],
)
def test_wrong_maps_are_refused(written, tmp_path, document, error, said):
    path = written(average("A", 1), average("B", 2))
    whole = {"ResultSetLabels": ["All", "All"], "IntercorrelationMaps": [], "ParameterEquivalenceLists": []}
    (tmp_path / "maps.json").write_text(json.dumps(whole | document if document else {}), encoding="utf-8")
    with refused(error, "maps.json", *said):
        read_averaging([path], intercorrelations=[tmp_path / "maps.json"])
