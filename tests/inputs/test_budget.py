"""A combination from a DataFrame is that of the same tables in files."""

import numpy as np
import pandas as pd
import pytest

import bayescomb as bc
from bayescomb.inputs.serialise import difference

FRAME = pd.DataFrame(
    {
        "estimate": ["a", "b", "c"],
        "experiment": ["ATLAS", "ATLAS", "CMS"],
        "observable": ["x", "y", "x"],
        "value": [242.0, 88.0, 248.0],
        "stat": [3.0, 2.0, 2.5],
        "JES": [4.0, 3.0, 6.0],
        "lumi": [7.0, 2.3, 6.5],
    }
)
MODEL = """format = 1
name = "mine"
observables = [{ name = "x", unit = "pb" }, { name = "y" }]
sources = [{ name = "JES" }, { name = "lumi" }]
budget = { table = "budget.csv" }
within = { table = "within.csv" }
[[assumption_sets]]
name = "nominal"
[[assumption_sets.coefficients]]
name = "lumi"
source = "lumi"
between = ["ATLAS", "CMS"]
nominal = 0.3
low = 0.0
high = 0.5
"""
WITHIN = "source,estimate,a,b,c\nJES,a,1,0.5,\nJES,b,0.5,1,\nlumi,a,1,1,\nlumi,b,1,1,\n"


def frame_model(**changes):
    given = {"name": "mine", "units": {"x": "pb"}, "within": {"JES": 0.5, "lumi": 1.0}, "between": {"lumi": (0.3, 0.0, 0.5)}}
    return bc.Combination.from_dataframe(FRAME, **{**given, **changes})


def test_frame_and_files_are_the_same_combination(tmp_path):
    FRAME.to_csv(tmp_path / "budget.csv", index=False)
    (tmp_path / "within.csv").write_text(WITHIN)
    (tmp_path / "model.toml").write_text(MODEL)
    assert not difference(frame_model(), bc.load(tmp_path))


def test_matrix_and_number_are_the_same():
    names = ["b", "a"]
    matrix = pd.DataFrame([[1.0, 0.5], [0.5, 1.0]], index=names, columns=names)
    assert not difference(frame_model(within={"JES": matrix, "lumi": 1.0}), frame_model())


def test_nothing_in_common_is_said_on_purpose():
    fit = bc.profile(frame_model(within="uncorrelated", between={}))
    variance = np.array([3.0**2 + 4**2 + 7**2, 2.5**2 + 6**2 + 6.5**2])
    assert fit.errors.sel(parameter="x").item() == pytest.approx((1 / (1 / variance).sum()) ** 0.5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"within": {"JES": 0.5}}, "nothing says how the source 'lumi' of 'a' and 'b'"),
        ({"within": "none"}, 'allowed: "uncorrelated"'),
        ({"within": {"JeS": 0.5}}, "did you mean 'JES'"),
        ({"within": {"JES": 1.5, "lumi": 1}}, "a correlation lies in"),
        ({"between": {"lumi": (0.3, 0.5)}}, r"\(nominal, low, high\) is needed"),
        ({"between": {"lumi": 1.3}}, "a correlation lies in"),
        ({"units": {"z": "pb"}}, "unknown observable 'z'"),
        ({"treatment": "covarianc"}, "did you mean 'covariance'"),
        ({"units": "pb"}, "units: 'pb' found, a mapping from names"),
        ({"within": FRAME}, "within: .* a mapping from names"),
        ({"within": 1.0}, "within: 1.0 found, a mapping from names"),
        ({"between": 0.5}, "between: 0.5 found, a mapping from names"),
    ],
)
def test_mistakes(changes, said):
    with pytest.raises(bc.BayescombError, match=said):
        frame_model(**changes)


def test_mistakes_of_the_frame_name_row_and_column():
    with pytest.raises(bc.BayescombError, match=r"'budget\.csv' found, a pandas DataFrame is needed"):
        bc.Combination.from_dataframe("budget.csv")
    with pytest.raises(bc.BayescombError, match="'stat' missing"):
        bc.Combination.from_dataframe(FRAME.drop(columns="stat"))
    with pytest.raises(bc.BayescombError, match="row 1 of the frame, column 'JES'"):
        bc.Combination.from_dataframe(FRAME.assign(JES=[1.0, np.nan, 2.0]))
    with pytest.raises(bc.BayescombError, match="row 2 of the frame: estimate 'a' stands twice"):
        bc.Combination.from_dataframe(FRAME.assign(estimate=["a", "b", "a"]))
