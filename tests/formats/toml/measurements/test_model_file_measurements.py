"""`[[measurements]]` of a model file: everything the data model holds, and what it means."""

import numpy as np
import pytest
from general_model import FILES, editor, small_model
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import FileFormatError, UnknownNameError
from bayescomb.inputs.serialise import combination_to_json


@pytest.fixture
def model(tmp_path):
    """Factory of edited copies of the general model."""
    return editor(tmp_path)


def test_settings_groups_and_maps_are_read(model):
    combination = bc.load(model())
    settings = (combination.chi2, combination.nuisance_values, combination.repair, combination.normalise)
    assert settings == ("pearson", "ignored", "clip", True)
    assert dict(combination.impact_groups) == {"jets": ("jes_a", "jes_b"), "statistics": ("stat",)}
    assert [o.name for o in combination.observables if o.spectator] == ["d_z"]
    assert combination.design.tolist() == [
        [1, 0, 0], [0, 1, 0], [1, 1, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1],
    ]  # fmt: skip
    assert combination.estimates[0].title == "first bin"


def test_fit_responses_and_details_are_read(model):
    fitted, correlated, counted, joint = bc.load(model()).measurements
    assert fitted.fit.information.tolist() == [[4, 1, 0.5, 0.1], [1, 3, 0.2, 0.3], [0.5, 0.2, 2, 0], [0.1, 0.3, 0, 1]]
    assert fitted.fit.pulls.tolist() == [0.25, 0.0]
    assert [(n.name, n.source, n.free, n.response) for n in fitted.all_nuisances] == [
        ("jes_a", "JES", False, "absolute"),
        ("norm_a", "", True, "absolute"),
        ("ext_a", "JES", False, "relative"),
        ("mod_a", "", False, "absolute"),
    ]
    assert fitted.responses.tolist() == [[0.5, 0.5], [-1, 0]]
    assert fitted.down_responses.tolist() == [[-0.5, -0.25], [1, 0]]
    covariance = np.array([[4.0, 0.4], [0.4, 0.25]])
    np.testing.assert_allclose(correlated.fit.information, np.linalg.inv(covariance), rtol=1e-14)
    assert correlated.fit.pulls.tolist() == [-0.5]
    assert correlated.fit.nuisances[0].response == "lognormal"
    assert counted.statistical_covariance.tolist() == [[1, 0], [0, 4]]
    assert joint.statistical_covariance.tolist() == [[1, 0.25], [0.25, 4]]


def test_blocks_of_the_model_and_of_a_set(model):
    plain, more = bc.load(model()).assumption_sets.values()
    assert [b.name for b in plain.blocks] == ["JES"]
    assert [b.name for b in more.blocks] == ["JES", "modelling"]
    assert more.blocks[0].nuisances == ("jes_a", "jes_b", "ext_a")
    assert more.blocks[0].correlation.tolist() == [[1, 0.2, 0.3], [0.2, 1, 0.1], [0.3, 0.1, 1]]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "a_hessian.csv",
            "name,a1,a2,jes_a,norm_a\na1,4,1,0.5,0.1\na2,1,3,0.2,0.3\njes_a,0.5,0.2,2,0\nnorm_a,0.1,0.3,0,1\n",
        ),
        ("a_hessian.csv", "row,jes_a,a2,norm_a,a1\nnorm_a,0,,1,\na1,0.5,1,0.1,4\na2,.2,3,0.3,\njes_a,2,,,\n"),
        ("a_responses.csv", "estimate,ext_a,mod_a\na2,-1,0/0\na1,0.5/-0.5, 0.5 / -0.25 \n"),
        ("b_correlation.csv", "name,b12,jes_b,uncertainty\njes_b,,1,0.5\nb12,1,0.4,2\n"),
        ("d_covariance.csv", "name,d_z,d1\nd1,,1\nd_z,4,0.25\n"),
    ],
)
def test_order_of_rows_and_columns_and_the_other_triangle_change_nothing(model, tmp_path, name, text):
    before = bc.load(model())
    (tmp_path / name).write_text(text)
    assert combination_to_json(bc.load(tmp_path)) == combination_to_json(before)


SUM = """
[[measurements]]
name = "fine"
estimates = [{ name = "f1", value = 10.0, observable = "bin1" }, { name = "f2", value = 14.0, observable = "bin2" }]
statistical = [1.0, 1.5]
responses = "fine.csv"

[[measurements]]
name = "coarse"
estimates = [
  { name = "merged", value = 26.0, observables = { bin1 = 1.0, bin2 = 1.0 } },
  { name = "mean", value = 12.5, observables = { bin1 = 0.5, bin2 = 0.5 } },
]
statistical_covariance = "coarse_stat.csv"
responses = "coarse.csv"
"""


def test_sum_and_mean_of_bins_against_generalised_least_squares(tmp_path):
    (tmp_path / "fine.csv").write_text("estimate,jes\nf1,0.6\nf2,-0.4\n")
    (tmp_path / "coarse_stat.csv").write_text("name,merged,mean\nmerged,0.8,0.1\nmean,0.1,0.5\n")
    (tmp_path / "coarse.csv").write_text("estimate,jes2\nmerged,0.9\nmean,0.3\n")
    sets = (
        '[[assumption_sets]]\nname = "half"\ncoefficients = [{ name = "r", pairs = [["jes", "jes2", -1]], nominal = 0.5 }]\n'
    )
    fit = bc.profile(bc.load(small_model(tmp_path, SUM, observables=("bin1", "bin2"), rest=sets)))
    design = np.array([[1, 0], [0, 1], [1, 1], [0.5, 0.5]])
    responses = np.array([[0.6, 0], [-0.4, 0], [0, 0.9], [0, 0.3]])
    total = np.zeros((4, 4))
    total[:2, :2], total[2:, 2:] = np.diag([1.0, 2.25]), [[0.8, 0.1], [0.1, 0.5]]
    total += responses @ np.array([[1, -0.5], [-0.5, 1]]) @ responses.T
    weight = np.linalg.inv(total)
    covariance = np.linalg.inv(design.T @ weight @ design)
    values = covariance @ design.T @ weight @ [10.0, 14.0, 26.0, 12.5]
    np.testing.assert_allclose(fit.values, values, rtol=1e-12)
    np.testing.assert_allclose(fit.errors, np.sqrt(np.diag(covariance)), rtol=1e-12)


def test_merged_bin_is_the_sum_of_the_fine_ones(tmp_path):
    """One input measures the bins, the other only their sum: the sum is the mean of the two, their difference stays."""
    fine, merged = (
        SUM.partition('\n[[measurements]]\nname = "coarse"')[0].replace('responses = "fine.csv"\n', ""),
        (
            '[[measurements]]\nname = "coarse"\nestimates = [{ name = "m", value = 26.0, '
            "observables = { bin1 = 1.0, bin2 = 1.0 } }]\nstatistical = [1.4142135623730951]\n"
        ),
    )
    fine = fine.replace("[1.0, 1.5]", "[1.0, 1.0]")
    fit = bc.profile(bc.load(small_model(tmp_path, fine + merged, observables=("bin1", "bin2"))))
    assert fit.values.values.tolist() == pytest.approx([10.5, 14.5])  # the sum 24 +- sqrt(2) meets 26 +- sqrt(2)


def test_budget_and_measurements_together(edited_model):
    model = edited_model()
    (model / "new.csv").write_text("estimate,new_JER,new_JES\nz,0.2,0.3\n")
    new = (
        '[[measurements]]\nname = "new"\nexperiment = "NEW"\n'
        'estimates = [{ name = "z", value = 172.0, observable = "m_t" }]\nstatistical = [0.4]\nresponses = "new.csv"\n'
        'nuisances = [{ name = "new_JER", source = "JER" }]\n\n[budget]'
    )
    edited_model("model.toml", replace=("[budget]", new))
    jer = 'name = "JER"\ntitle = "JER"\nsource = "JER"\nbetween = ["ATLAS", "CMS"]\n'
    category = 'name = "JER"\nsource = "JER"\nbetween = ["CMS", "NEW"]\nnegative = ["g", "new_JER"]\n'
    edited_model("model.toml", replace=(jer, category))
    combination = bc.load(model)
    assert [m.name for m in combination.measurements] == [*"abcdefghijklmno", "new"]
    coefficient = next(c for c in combination.assumption_set.coefficients if c.name == "JER")
    assert {p.second for p in coefficient.pairs} == {"new_JER"}
    assert {p.first: p.sign for p in coefficient.pairs} == {f"JER[{e}]": 1 if e == "g" else -1 for e in "ghijklmno"}


def test_sources_of_the_budget_may_be_named(edited_model):
    model = edited_model("model.toml", replace=('{ name = "JER", title', '{ name = "later" }, { name = "JER", title'))
    with refused(FileFormatError, "budget.csv:3", "missing column 'later'"):
        bc.load(model)
    names = [s.name for s in bc.load(edited_model("model.toml", replace=('{ name = "later" }, ', ""))).sources]
    edited_model("model.toml", replace=('{ name = "JER", title', '{ name = "later" }, { name = "JER", title'))
    edited_model("model.toml", replace=('"budget.csv"', f'"budget.csv"\nsources = {names!r}'))
    assert len(bc.load(model).sources) == 26
    edited_model("model.toml", replace=("sources = ['LHCJES1'", "sources = ['LHCJES0'"))
    with refused(UnknownNameError, "budget.sources", "unknown source 'LHCJES0'"):
        bc.load(model)


def test_category_of_nuisances_of_measurements(model):
    new = 'name = "plain"\ncoefficients = [{ name = "c", source = "JES", nominal = 0.5, '
    end = " }]\n"
    folder = model(old='name = "plain"\n', new=new + 'between = ["E1", "E2"]' + end)
    with refused(FileFormatError, "coefficients['c']", "it correlates nothing"):
        bc.load(folder)
    model(old='[blocks]\ntable = "blocks.csv"\nnames = ["JES"]\n')
    model("blocks.csv", old=FILES["blocks.csv"].partition("modelling")[0], new="block,nuisance,1,2,3\n")
    model("b_nuisances.csv", old="lognormal,,", new="lognormal,JES,")
    pairs = bc.load(folder).assumption_set.coefficients[0].pairs
    assert [(p.first, p.second, p.sign) for p in pairs] == [("jes_a", "jes_b", 1), ("ext_a", "jes_b", 1)]
    model(old='between = ["E1", "E2"]', new='blocks = [{ left = ["ext_a"], right = ["jes_b"] }], negative = ["jes_b"]')
    pairs = bc.load(folder).assumption_set.coefficients[0].pairs
    assert [(p.first, p.second, p.sign) for p in pairs] == [("ext_a", "jes_b", -1)]
    model(old='left = ["ext_a"]', new='left = ["mod_a"]')
    with refused(UnknownNameError, "coefficients['c']", "unknown estimate or nuisance 'mod_a'", "'jes_a', 'ext_a'"):
        bc.load(folder)


@pytest.mark.parametrize(
    ("pair", "sign"), [('["mod_a", "jes_b", -1]', -1), ('["mod_a", "jes_b", 1]', 1), ('["mod_a", "jes_b"]', 1)]
)
def test_sign_behind_a_pair(model, pair, sign):
    folder = model(
        old='name = "plain"\n', new=f'name = "plain"\ncoefficients = [{{ name = "c", nominal = 0, pairs = [{pair}] }}]\n'
    )
    model(old='extends = "plain"\n')
    model(old='blocks = { table = "blocks.csv", names = ["modelling"] }')
    model("blocks.csv", old=FILES["blocks.csv"][FILES["blocks.csv"].index("modelling") :])
    (found,) = bc.load(folder).assumption_set.coefficients[0].pairs
    assert found.sign == sign
