"""One number where one number is meant: short forms of a model file are the long ones that they stand for."""

import numpy as np
import pytest
from explicit_chi2 import prior_correlation
from refusals import refused
from scipy import optimize, stats

import bayescomb as bc
from bayescomb.base.errors import (
    DuplicateNameError,
    FileFormatError,
    InvalidMatrixError,
    InvalidNumberError,
    OptionError,
    UnknownNameError,
)
from bayescomb.formats.toml.model_writer import write_model
from bayescomb.inputs.serialise import combination_to_json

HEAD = """format = 1
name = "short"
observables = [{ name = "x", unit = "pb" }]
sources = [{ name = "lumi" }, { name = "JES" }, { name = "MC a" }, { name = "MC b" }]
"""
ROWS = """estimate,experiment,observable,value,stat,lumi,JES,MC a,MC b
a1,ATLAS,x,100,2,1.7,3,1,0
a2,ATLAS,x,110,2.2,1.7,2.5,1,0
c1,CMS,x,98,3,2.5,3,0,1
c2,CMS,x,101,3,2.5,3,0,2
d1,D0,x,99,4,2,0,0,1
"""
WITHIN = 'within = { lumi = 1.0, JES = { ATLAS = 0.8, CMS = 0.5 }, "MC *" = "uncorrelated" }\n'
SETS = '[[assumption_sets]]\nname = "nominal"\n'


@pytest.fixture
def model(tmp_path):
    """Factory of a model of three experiments: what stands above the tables, in the budget, and in the assumption set."""

    def write(*, top=WITHIN, budget="", sets=SETS, rows=ROWS, **tables):
        (tmp_path / "budget.csv").write_text(rows, encoding="utf-8")
        for name, text in tables.items():
            (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
        text = HEAD + top + f'[budget]\ntable = "budget.csv"\n{budget}\n' + sets
        (tmp_path / "model.toml").write_text(text, encoding="utf-8")
        return tmp_path / "model.toml"

    return write


def correlations(combination, source):
    names, matrix = [n.name for n in combination.nuisances], prior_correlation(combination)
    at = [names.index(f"{source}[{e}]") for e in ("a1", "a2", "c1", "c2", "d1")]
    return matrix[np.ix_(at, at)]


def test_numbers_within_are_uniform_blocks(model):
    combination = bc.load(model())
    inside = np.kron(np.diag([1, 1, 0]), np.ones((2, 2)))[:5, :5]
    np.fill_diagonal(inside, 1)
    np.testing.assert_array_equal(correlations(combination, "lumi"), inside)
    jes = np.eye(5)
    jes[0, 1] = jes[1, 0] = 0.8
    jes[2, 3] = jes[3, 2] = 0.5
    np.testing.assert_array_equal(correlations(combination, "JES"), jes)
    np.testing.assert_array_equal(correlations(combination, "MC a"), np.eye(5))


def test_numbers_stand_beside_a_table_for_what_it_leaves_out(model):
    table = "source,estimate,a1,a2,c1,c2,d1\n" + "".join(
        f"JES,{e},{cells}\n" for e, cells in (("a1", "1,.8,,,"), ("a2", ".8,1,,,"), ("c1", ",,1,.5,"), ("c2", ",,.5,1,"))
    )
    mixed = 'within = { table = "within.csv", lumi = 1.0, "MC *" = 0 }\n'
    assert prior_correlation(bc.load(model(top=mixed, within=table))).tolist() == (
        prior_correlation(bc.load(model())).tolist()
    )
    twice = 'within = { table = "within.csv", lumi = 1.0, JES = 1.0, "MC *" = 0 }\n'
    with refused(DuplicateNameError, "source 'JES', ATLAS", "rows found", "a number for it already"):
        bc.load(model(top=twice, within=table))


def test_everywhere_is_between_all_estimates(model):
    short = bc.load(model(top="", sets=SETS + 'everywhere = { lumi = 1.0, "*" = 0.25 }\n'))
    np.testing.assert_array_equal(correlations(short, "lumi"), np.ones((5, 5)))
    np.testing.assert_array_equal(correlations(short, "JES"), 0.25 + 0.75 * np.eye(5))
    long = "".join(
        f'[[assumption_sets.coefficients]]\nname = "{s}"\nsource = "{s}"\nbetween = "all"\nnominal = {rho}\n'
        for s, rho in (("lumi", 1.0), ("JES", 0.25), ("MC a", 0.25), ("MC b", 0.25))
    )
    assert combination_to_json(bc.load(model(top="", sets=SETS + long))) == combination_to_json(short)


def test_everywhere_by_one_number_is_the_generalised_least_squares_of_that_covariance(model):
    rho = {"lumi": 1.0, "JES": 0.5, "MC a": 0.0, "MC b": 0.3}
    sets = SETS + f'everywhere = {{ lumi = 1.0, JES = 0.5, "MC a" = 0, "MC b" = {rho["MC b"]} }}\n'
    fit = bc.profile(bc.load(model(top="", sets=sets)))
    table = np.array([line.split(",")[3:] for line in ROWS.split("\n")[1:6]], dtype=float)
    values, covariance = table[:, 0], np.diag(table[:, 1] ** 2)
    for sizes, r in zip(table[:, 2:].T, rho.values(), strict=True):
        covariance += np.outer(sizes, sizes) * (r + (1 - r) * np.eye(5))
    inverse = np.linalg.inv(covariance)
    assert fit.values.item() == pytest.approx(inverse.sum(axis=0) @ values / inverse.sum(), rel=1e-12)
    assert fit.errors.item() == pytest.approx(inverse.sum() ** -0.5, rel=1e-12)


@pytest.mark.parametrize(
    ("between", "pairs"),
    [
        ('["ATLAS", "CMS", "D0"]', 2 * 2 + 2 * 1 + 2 * 1),
        ('"experiments"', 2 * 2 + 2 * 1 + 2 * 1),
        ('["a1", "c1", "d1"]', 3),
        ('["a1", "CMS"]', 2),
        ('["ATLAS", "d1"]', 2),
    ],
)
def test_between_takes_experiments_and_estimates(model, between, pairs):
    sets = SETS + f'coefficients = [{{ name = "r", source = "lumi", between = {between}, nominal = 0.5 }}]\n'
    found = bc.load(model(sets=sets)).assumption_set.coefficients[0].pairs
    assert len(found) == len({frozenset((p.first, p.second)) for p in found}) == pairs


def test_a_name_of_both_is_the_experiment(model):
    sets = SETS + 'coefficients = [{ name = "r", source = "lumi", between = ["ATLAS", "CMS"], nominal = 0.5 }]\n'
    rows = ROWS.replace("d1,D0", "CMS,D0")
    pairs = bc.load(model(rows=rows, sets=sets)).assumption_set.coefficients[0].pairs
    assert {p.second for p in pairs} == {"lumi[c1]", "lumi[c2]"}


def test_each_pair_has_a_coefficient_of_its_own(model):
    entry = 'name = "r", source = "lumi", between = ["ATLAS", "CMS"], nominal = 0.5, low = 0, high = 1, negative = ["c2"]'
    shared = bc.load(model(sets=SETS + f"coefficients = [{{ {entry} }}]\n")).assumption_set.coefficients[0]
    own = bc.load(model(sets=SETS + f"coefficients = [{{ {entry}, each = true }}]\n")).assumption_set.coefficients
    assert [c.pairs[0] for c in own] == list(shared.pairs)
    assert {(c.nominal, c.low, c.high) for c in own} == {(0.5, 0.0, 1.0)}
    assert own[1].name == "r[lumi[a1], lumi[c2]]"
    other = '[[assumption_sets]]\nname = "other"\nextends = "nominal"\n'
    other += 'coefficients = [{ name = "r", nominal = 0.1, each = true }]\n'
    combination = bc.load(model(sets=SETS + f"coefficients = [{{ {entry}, each = true }}]\n" + other))
    assert [c.nominal for c in combination.with_assumptions("other").assumption_set.coefficients] == [0.1] * 4


def test_pairs_take_patterns(model):
    sets = (
        SETS
        + 'coefficients = [{ name = "r", pairs = [["lumi[a?]", "lumi[c*]"], ["JES[a1]", "JES[c?]", -1]], nominal = 0.2 }]\n'
    )
    pairs = [(p.first, p.second, p.sign) for p in bc.load(model(sets=sets)).assumption_set.coefficients[0].pairs]
    assert pairs == [
        *((f"lumi[{a}]", f"lumi[{c}]", 1) for a in ("a1", "a2") for c in ("c1", "c2")),
        ("JES[a1]", "JES[c1]", -1),
        ("JES[a1]", "JES[c2]", -1),
    ]
    sets = SETS + 'coefficients = [{ name = "r", pairs = [["lumi[*]", "lumi[*]"]], nominal = 0.2 }]\n'
    top = WITHIN.replace("lumi = 1.0, ", "")
    assert len(bc.load(model(top=top, sets=sets)).assumption_set.coefficients[0].pairs) == 5 * 4 / 2


def test_percentages_and_two_sided_sizes_are_shifts_in_the_unit_of_the_value(model):
    rows = ROWS.replace("a2,ATLAS,x,110,2.2,1.7,2.5,1,0", "a2,ATLAS,x,110,2%,1.7,+3/-2,1%,+0.5%/+0.1%")
    combination = bc.load(model(rows=rows, budget='percent = ["lumi"]\nresponses = { "MC a" = "relative" }'))
    second = combination.measurements[1]
    np.testing.assert_allclose(second.statistical_covariance, [[2.2**2]], rtol=1e-15)
    up, down = second.all_responses
    np.testing.assert_allclose(up[0], [1.87, 3, 1.1, 0.55], rtol=1e-15)
    np.testing.assert_allclose(down[0], [-1.87, -2, -1.1, 0.11], rtol=1e-15)
    assert [n.response for n in second.nuisances] == ["absolute", "absolute", "relative", "absolute"]


def test_asymmetric_statistics_are_statistical_and_give_a_single_input_its_own_interval(model):
    single = "estimate,experiment,observable,value,stat,lumi,JES,MC a,MC b\na1,ATLAS,x,100,+20/-10,0,0,0,0\n"
    fit = bc.profile(bc.load(model(top="", rows=single)))
    assert fit.values.item() == pytest.approx(100, abs=1e-9)
    assert fit.up_errors.item() == pytest.approx(20, rel=1e-9)
    assert fit.down_errors.item() == pytest.approx(-10, rel=1e-9)
    assert fit.systematic_errors.item() == 0
    assert fit.statistical_errors.item() == pytest.approx(fit.errors.item(), rel=1e-12)


def test_profile_with_asymmetric_statistics_is_the_minimum_of_its_chi2(model):
    """Each input has (x - mu)^2 over its own upper or lower variance, plus a common source: minimised here over both."""
    rows = "estimate,experiment,observable,value,stat,lumi,JES,MC a,MC b\n"
    inputs = [(100.0, 20.0, 10.0, 2.0), (103.0, 5.0, 7.0, 1.5), (98.0, 4.0, 4.0, 2.5)]
    rows += "".join(f"e{i},E{i},x,{v},+{a}/-{b},{k},0,0,0\n" for i, (v, a, b, k) in enumerate(inputs))
    fit = bc.profile(bc.load(model(top="", sets=SETS + "everywhere = { lumi = 1.0 }\n", rows=rows)))

    def chi2(at):
        mu, common = at
        total = common**2
        for value, a, b, k in inputs:
            distance = mu - (value - k * common)  # above the published value a is the uncertainty
            total += (distance / (a if distance > 0 else b)) ** 2
        return total

    found = optimize.minimize(chi2, [100, 0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000})
    assert fit.values.item() == pytest.approx(found.x[0], abs=1e-5)
    assert fit.chi2 == pytest.approx(found.fun, abs=1e-8)


def test_asymmetric_statistics_are_written_and_read_again(model, tmp_path):
    combination = bc.load(model(rows=ROWS.replace("100,2,", "100,+2/-1,")))
    again = bc.load(write_model(combination, tmp_path / "written"))
    assert combination_to_json(again) == combination_to_json(combination)


LIMIT = "estimate,experiment,observable,value,stat,lumi,JES,MC a,MC b\na1,ATLAS,x,< 3.2 @ 90 %,,0,0,0,0\n"


def test_a_limit_is_a_gaussian_around_zero_whose_quantile_it_is(model):
    combination = bc.load(model(top='within = "uncorrelated"\nnonnegative = ["x"]\n', rows=LIMIT))
    estimate, measurement = combination.estimates[0], combination.measurements[0]
    width = float(np.sqrt(measurement.statistical_covariance.item()))
    assert estimate.value == 0
    assert stats.halfnorm(scale=width).cdf(3.2) == pytest.approx(0.9, rel=1e-12)
    assert bc.profile(combination).values.item() == pytest.approx(0, abs=1e-12)
    with refused(FileFormatError, "budget.csv:2", "an upper limit found on 'x'", 'nonnegative = ["x"]'):
        bc.load(model(top='within = "uncorrelated"\n', rows=LIMIT))
    for wrong, said in (
        ("< 3.2", "the form < 2.1 @ 95 %"),
        ("< -1 @ 90 %", "above 0"),
        ("< 3 @ 20 %", "between 50"),
    ):
        rows = LIMIT.replace("< 3.2 @ 90 %", wrong)
        with refused(InvalidNumberError, "budget.csv:2, column 'value'", said):
            bc.load(model(top='within = "uncorrelated"\nnonnegative = true\n', rows=rows))


def test_correlated_statistics_make_one_measurement(model):
    combination = bc.load(model(budget='statistical_correlation = "stat.csv"', stat="name,a1,a2\na1,1,\na2,-0.4,1\n"))
    first = combination.measurements[0]
    assert first.name == "a1 + a2"
    np.testing.assert_allclose(first.statistical_covariance, [[4, -0.4 * 2 * 2.2], [-0.4 * 2 * 2.2, 2.2**2]], rtol=1e-15)
    assert len(combination.measurements) == 4


@pytest.mark.parametrize("short", [{}, {"budget": 'percent = ["lumi"]\nresponses = { JES = "lognormal" }'}])
def test_short_forms_are_written_and_read_again(model, tmp_path, short):
    sets = SETS + 'coefficients = [{ name = "r", source = "lumi", between = "experiments", nominal = 0.5, each = true }]\n'
    combination = bc.load(model(sets=sets, **short))
    again = bc.load(write_model(combination, tmp_path / "written"))
    assert combination_to_json(again) == combination_to_json(combination)


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"top": "within = { lumi = 1.0 }\n"}, FileFormatError, ["source 'JES'", "give a number, within = { JES = 1.0 }"]),
        ({"top": "within = { lmi = 1.0 }\n"}, UnknownNameError, ["unknown source 'lmi'", "did you mean 'lumi'"]),
        ({"top": 'within = { "x*" = 1.0 }\n'}, UnknownNameError, ["within['x*']", "matches no source"]),
        ({"top": "within = { lumi = { ATLS = 1.0 } }\n"}, UnknownNameError, ["experiment 'ATLS'", "did you mean 'ATLAS'"]),
        ({"top": "within = { lumi = 1.5 }\n"}, InvalidMatrixError, ["within['lumi']", "1.5"]),
        ({"top": "within = 1.0\n"}, FileFormatError, ["within: 1.0 found", "within = { lumi = 1.0 }"]),
        ({"top": "within = { symmetrise = [] }\n"}, FileFormatError, ["'symmetrise' found without a 'table'"]),
        ({"sets": SETS + "everywhere = { lumi = 1.0 }\n"}, DuplicateNameError, ["'lumi'", "already stated", "keep one"]),
        ({"sets": SETS + "everywhere = { lumi = { rho = 1 } }\n"}, UnknownNameError, ["everywhere['lumi']", "'rho'"]),
        ({"sets": SETS + "everywhere = 1.0\n"}, FileFormatError, ["everywhere = 1.0 found", "{ lumi = 1.0 }"]),
        ({"budget": 'percent = ["lum"]'}, UnknownNameError, ["budget.percent", "did you mean 'lumi'"]),
        ({"budget": 'responses = { lumi = "relativ" }'}, OptionError, ["'relativ' found", "relative"]),
        ({"rows": ROWS.replace("100,2,1.7,3", "100,2,1.7,-3")}, InvalidNumberError, ["'JES'", "-0.5/+0.3"]),
        ({"rows": ROWS.replace("100,2,", "100,+2/+1,")}, InvalidNumberError, ["column 'stat'", "+0.5/-0.3"]),
        ({"rows": ROWS.replace("100,2,", "0,2,"), "budget": 'percent = ["lumi"]'}, InvalidNumberError, ["percentage", "0"]),
        (
            {"budget": 'statistical_correlation = "stat.csv"', "stat": "name,a1,c1\na1,1,\nc1,0.5,1\n"},
            FileFormatError,
            ["'a1' and 'c1' are correlated", "two experiments", "state what they have in common as a source"],
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(model, settings, error, said):
    with refused(error, *said):
        bc.load(model(**settings))


def test_a_word_that_between_does_not_know(model):
    sets = SETS + 'coefficients = [{ name = "r", source = "lumi", between = "everything", nominal = 0.5 }]\n'
    with refused(FileFormatError, ".between", "'everything' found", '"experiments"', '"all"'):
        bc.load(model(sets=sets))
    sets = SETS + 'coefficients = [{ name = "r", pairs = [["lumi[z*]", "lumi[c*]"]], nominal = 0.2 }]\n'
    with refused(UnknownNameError, "pattern 'lumi[z*]' matches no nuisance"):
        bc.load(model(sets=sets))
