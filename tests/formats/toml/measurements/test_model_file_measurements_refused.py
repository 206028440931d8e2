"""`[[measurements]]` of a model file: every wrong key and cell is refused with its place."""

import pytest
from general_model import editor, small_model
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import (
    DuplicateNameError,
    FileFormatError,
    InvalidMatrixError,
    InvalidNumberError,
    OptionError,
    UnderdeterminedError,
    UnknownNameError,
)


@pytest.fixture
def model(tmp_path):
    """Factory of edited copies of the general model."""
    return editor(tmp_path)


A1 = '{ name = "a1", value = 10.0, observable = "bin1", title = "first bin" }'
B12 = "observables = { bin1 = 1.0, bin2 = 1.0 }"
FITTED, CORRELATED, COUNTED, JOINT = (f"measurements['{n}']" for n in ("fitted", "correlated", "counted", "joint"))


@pytest.mark.parametrize(
    ("old", "new", "error", "said"),
    [
        ('name = "counted"\n', "", FileFormatError, ["measurements[2]", "missing key 'name'"]),
        ('name = "counted"\n', 'name = "joint"\n', DuplicateNameError, ["'joint' stands twice"]),
        ('name = "counted"\n', "name = 3\n", FileFormatError, ["measurements[3]", "name = 3 found", "a text"]),
        ('name = "counted"\n', 'name = "counted"\nunit = "pb"\n', UnknownNameError, [COUNTED, "unknown key 'unit'"]),
        ('experiment = "E1"', "experiment = 1", FileFormatError, [FITTED, "experiment = 1 found", "a text"]),
        (A1, '"a1"', FileFormatError, [FITTED, "estimates = ['a1'", "an array of tables"]),
        (A1, A1.replace("a1", "a2"), DuplicateNameError, [f"{FITTED}.estimates", "'a2' stands twice"]),
        (A1, A1.replace("a1", " a1"), UnknownNameError, [f"{FITTED}.estimates", "' a1' is no name"]),
        (A1, A1.replace("10.0", "nan"), InvalidNumberError, ["estimates['a1'].value", "nan found", "finite number"]),
        (A1, A1.replace("10.0", '"ten"'), InvalidNumberError, ["estimates['a1'].value", "'ten' found"]),
        (A1, A1.replace("value = 10.0, ", ""), FileFormatError, ["estimates['a1']", "missing key 'value'"]),
        (A1, A1.replace("title", "titel"), UnknownNameError, ["estimates['a1']", "did you mean 'title'?"]),
        (A1, A1.replace('"first bin"', "1"), FileFormatError, ["estimates['a1']", "title = 1 found"]),
        (A1, A1.replace("bin1", "bin"), UnknownNameError, ["estimates['a1']", "unknown observable 'bin'", "'bin1'"]),
        (A1, A1.replace('observable = "bin1", ', ""), FileFormatError, ["estimates['a1']", "give either observable"]),
        (A1, A1.replace("title", "observables = {}, title"), FileFormatError, ["estimates['a1']", "give either observable"]),
        (A1, A1.replace('= "bin1"', '= ["bin1"]'), FileFormatError, ["estimates['a1']", "['bin1'] found", "a text"]),
        (B12, 'observables = ["bin1"]', FileFormatError, ["estimates['b12']", "['bin1'] found", "a table of factors"]),
        (B12, "observables = { bin1 = true }", InvalidNumberError, ["estimates['b12'].observables.bin1", "True found"]),
        (B12, "observables = { bin1 = 1, bin3 = 1 }", UnknownNameError, ["estimates['b12']", "observable 'bin3'"]),
        (B12, "observables = { bin1 = 0 }", InvalidNumberError, ["estimates['b12']", "belongs to no observable"]),
        (B12, "observables = {}", InvalidNumberError, ["estimates['b12']", "belongs to no observable"]),
        ("statistical = [1.0, 2.0]\n", "", FileFormatError, [COUNTED, "nothing found", "exactly one of statistical, "]),
        ("statistical = [1.0, 2.0]\n", "statistical = [1.0]\n", FileFormatError, [f"{COUNTED}.statistical", "2 numbers"]),
        ("statistical = [1.0, 2.0]\n", "statistical = 1.0\n", FileFormatError, [f"{COUNTED}.statistical", "2 numbers"]),
        ("[1.0, 2.0]", '[1.0, "x"]', InvalidNumberError, [f"{COUNTED}.statistical[1]", "'x' found"]),
        ("[1.0, 2.0]", "[1.0, 0.0]", InvalidNumberError, [f"{COUNTED}.statistical", "0 found", "is above 0"]),
        ("[1.0, 2.0]", "[-1.0, 2.0]", InvalidNumberError, [f"{COUNTED}.statistical", "-1 found", "is above 0"]),
        (
            "statistical = [1.0, 2.0]",
            'statistical = [1.0, 2.0]\nhessian = "a_hessian.csv"',
            FileFormatError,
            [COUNTED, "statistical and hessian found", "exactly one"],
        ),
        ('"a_hessian.csv"', "1", FileFormatError, [FITTED, "hessian = 1 found", "a text"]),
        ('"a_hessian.csv"', '"absent.csv"', FileFormatError, ["absent.csv", "no such file"]),
        ('"a_responses.csv"', '["x"]', FileFormatError, [FITTED, "responses = ['x'] found"]),
        ('"b_nuisances.csv"', "3", FileFormatError, [CORRELATED, "nuisances = 3 found", "an array of tables"]),
        ('"jes_a", source', '"jes_aa", source', UnknownNameError, ["nuisances['jes_aa']", "did you mean 'jes_a'"]),
        ('"jes_a", source', '"norm_a", source', DuplicateNameError, ["nuisances['norm_a']", "stands twice", "keep one"]),
        ('source = "JES", pull', 'source = "JE", pull', UnknownNameError, ["nuisances['jes_a']", "unknown source 'JE'"]),
        ("pull = 0.25", "pull = inf", InvalidNumberError, ["nuisances['jes_a'].pull", "inf found"]),
        ("pull = 0.25", "pul = 0.25", UnknownNameError, ["nuisances['jes_a']", "did you mean 'pull'?"]),
        ('"relative"', '"relatve"', OptionError, ["nuisances['ext_a']", "'relatve' found", "absolute, relative"]),
        ('"relative"', '"relative", pull = 1', FileFormatError, ["nuisances['ext_a']", "has a pull but no fit"]),
        ("free = true", 'free = "yes"', FileFormatError, ["nuisances['norm_a']", "'yes' found", "true or false"]),
        ("value = 10.0", "value = 0.0", InvalidNumberError, [FITTED, "nuisance 'ext_a'", "make the nuisance absolute"]),
        ('"pearson"', '"pearsons"', OptionError, ["chi2 of combination 'demo'", "'pearsons'", "neyman, pearson"]),
        ('"ignored"', '"ignore"', OptionError, ["nuisance values", "'ignore'", "used, ignored"]),
        ('"clip"', '"clp"', OptionError, ["repair", "'clp'", "shift, clip, nearest"]),
        ("normalise = true", "normalise = 1", FileFormatError, ["normalise = 1 found", "true or false"]),
        ("spectator = true", "spectator = 1", FileFormatError, ["observables['d_z']", "spectator = 1 found"]),
        ('observable = "d_z"', 'observable = "bin2"', UnknownNameError, ["spectator 'd_z' belongs to []"]),
        ('name = "jets"\n', "", FileFormatError, ["impact_groups[0]", "missing key 'name'"]),
        ('name = "jets"\n', 'name = "statistics"\n', DuplicateNameError, ["impact_groups", "'statistics' stands twice"]),
        ('["jes_a", "jes_b"]', "[]", UnknownNameError, ["impact_groups['jets'].nuisances", "none given"]),
        ('["jes_a", "jes_b"]', '"jes_a"', FileFormatError, ["impact_groups['jets']", "a list of texts"]),
        ('["jes_a", "jes_b"]', '["jes_a", "stat"]', UnknownNameError, ["['jets'].nuisances", "unknown nuisance 'stat'"]),
        ('["jes_a", "jes_b"]', '["jes_a", "jes_a"]', DuplicateNameError, ["['jets'].nuisances", "stands twice"]),
        ("normalise = true", "normalize = true", UnknownNameError, ["key 'normalize'", "did you mean 'normalise'"]),
        ("[blocks]", "[block]", UnknownNameError, ["unknown key 'block'", "did you mean 'blocks'"]),
        ('[blocks]\ntable = "blocks.csv"\n', "[blocks]\n", FileFormatError, ["blocks", "missing key 'table'"]),
        ('names = ["JES"]', 'names = ["JE"]', UnknownNameError, ["blocks.names", "blocks.csv", "'JE'"]),
        ('names = ["JES"]', "names = []", UnknownNameError, ["blocks.names", "none given"]),
        ('names = ["JES"]', 'names = ["JES", "JES"]', DuplicateNameError, ["blocks.names", "'JES' stands twice"]),
        ('names = ["modelling"]', 'names = ["JES"]', DuplicateNameError, ["assumption_sets['more']", "'JES' stands twice"]),
        ('["modelling"] }', '["modelling"], x = 1 }', UnknownNameError, ["['more']: blocks", "unknown key 'x'"]),
        (
            '{ table = "blocks.csv", names = ["modelling"] }',
            '"x"',
            FileFormatError,
            ["['more']: blocks", "a table is needed"],
        ),
        (
            'blocks = { table = "blocks.csv", names = ["modelling"] }\n',
            "",
            UnknownNameError,
            ["blocks.csv:5", "block 'modelling' is used by no assumption set"],
        ),
    ],
)
def test_wrong_key(model, old, new, error, said):
    with refused(error, "model.toml" if "blocks.csv:5" not in said and "absent.csv" not in said else "", *said):
        bc.load(model(old=old, new=new))


@pytest.mark.parametrize(
    ("name", "old", "new", "error", "said"),
    [
        ("a_hessian.csv", "a1,4,,,", "a1,,,,", InvalidNumberError, ["a_hessian.csv:2, column 'a1'", "'' found"]),
        ("a_hessian.csv", "a2,1,3", "a2,,3", InvalidNumberError, ["column 'a2'", "'' found"]),
        ("a_hessian.csv", "a2,1,3", "a2,x,3", InvalidNumberError, ["a_hessian.csv:3, column 'a1'", "'x' found"]),
        ("a_hessian.csv", "a1,4,,,", "a1,4,2,,", InvalidMatrixError, ["a_hessian.csv:2, column 'a2'", "2 found", "csv:3"]),
        ("a_hessian.csv", "a1,4,,,", "a1,4,,", FileFormatError, ["a_hessian.csv:2", "4 cells found, 5 needed"]),
        ("a_hessian.csv", "norm_a,0.1,0.3,0,1\n", "", FileFormatError, ["no row for 'norm_a'", "add it"]),
        (
            "a_hessian.csv",
            "\nnorm_a,",
            "\njes_a,",
            DuplicateNameError,
            ["a_hessian.csv:5", "row 'jes_a' stands twice", "csv:4"],
        ),
        ("a_hessian.csv", "\nnorm_a,", "\nnorm,", UnknownNameError, ["a_hessian.csv:5", "unknown row 'norm'", "'norm_a'"]),
        ("a_hessian.csv", "name,a1", "name,", UnknownNameError, ["a_hessian.csv: columns", "'' is no name"]),
        ("a_hessian.csv", "jes_a,norm_a", "jes_a,jes_a", DuplicateNameError, ["a_hessian.csv:1", "'jes_a' stands twice"]),
        ("a_hessian.csv", "2,\n", "-2,\n", InvalidMatrixError, ["a_hessian.csv", "not positive definite"]),
        ("a_hessian.csv", "jes_a,0.5,0.2", "jes_a,2.9,0.2", InvalidMatrixError, ["a_hessian.csv", "not positive definite"]),
        ("a_hessian.csv", "jes_a,norm_a", "ext_a,norm_a", UnknownNameError, ["a_hessian.csv:4", "'jes_a'"]),
        ("a_responses.csv", "a2,-1,0\n", "", FileFormatError, ["a_responses.csv", "no row for 'a2'"]),
        ("a_responses.csv", "\na2,", "\na1,", DuplicateNameError, ["a_responses.csv:4", "'a1' stands twice", "csv:3"]),
        ("a_responses.csv", "\na2,", "\na3,", UnknownNameError, ["a_responses.csv:4", "unknown estimate 'a3'"]),
        ("a_responses.csv", "mod_a", "ext_a", DuplicateNameError, ["a_responses.csv:2", "column 'ext_a' stands twice"]),
        ("a_responses.csv", "mod_a", "jes_a", DuplicateNameError, ["a_responses.csv", "'jes_a' is in", "a_hessian.csv"]),
        ("a_responses.csv", "mod_a", "", UnknownNameError, ["a_responses.csv: nuisances", "'' is no name"]),
        ("a_responses.csv", "+0.5/-0.25", "", InvalidNumberError, ["a_responses.csv:3, column 'mod_a'", "'' found"]),
        ("a_responses.csv", "+0.5/-0.25", "+0.5/", InvalidNumberError, ["csv:3, column 'mod_a'", "'' found"]),
        ("a_responses.csv", "+0.5/-0.25", "1/2/3", InvalidNumberError, ["column 'mod_a'", "'1/2/3' found", "+5/-3"]),
        ("a_responses.csv", "+0.5/-0.25", "+0.5 0.25", InvalidNumberError, ["column 'mod_a'", "'+0.5 0.25' found"]),
        (
            "b_correlation.csv",
            "uncertainty",
            "error",
            FileFormatError,
            ["b_correlation.csv:1", "missing column 'uncertainty'"],
        ),
        ("b_correlation.csv", "name,unc", "unc", FileFormatError, ["b_correlation.csv:2", "4 cells found, 3 needed"]),
        ("b_correlation.csv", "2.0,1", "0,1", InvalidNumberError, ["b_correlation.csv:2, column 'uncertainty'", "above 0"]),
        ("b_correlation.csv", "2.0,1", "-2,1", InvalidNumberError, ["csv:2, column 'uncertainty'", "-2 found"]),
        ("b_correlation.csv", "2.0,1", "2.0,1.1", InvalidMatrixError, ["b_correlation.csv", "('b12', 'b12') is 1.1"]),
        (
            "b_correlation.csv",
            "2.0,1,0.4",
            "2.0,1,0.5",
            InvalidMatrixError,
            ["b_correlation.csv:2, column 'jes_b'", "csv:3"],
        ),
        ("b_nuisances.csv", "source", "sources", UnknownNameError, ["b_nuisances.csv", "column 'sources'", "'source'"]),
        ("b_nuisances.csv", "name,", "nuisance,", FileFormatError, ["b_nuisances.csv:1", "missing column 'name'"]),
        ("b_nuisances.csv", "jes_b,", "jes_c,", UnknownNameError, ["b_nuisances.csv:2", "unknown nuisance 'jes_c'"]),
        ("b_nuisances.csv", "lognormal", "log", OptionError, ["b_nuisances.csv:2", "'log' found", "lognormal"]),
        ("b_nuisances.csv", "lognormal,,", "lognormal,J,", UnknownNameError, ["b_nuisances.csv:2", "unknown source 'J'"]),
        ("b_nuisances.csv", "false", "no", FileFormatError, ["b_nuisances.csv:2, column 'free'", "'no' found"]),
        ("b_nuisances.csv", "-0.5\n", "x\n", InvalidNumberError, ["b_nuisances.csv:2, column 'pull'", "'x' found"]),
        ("b_nuisances.csv", "-0.5\n", "-0.5\njes_b,,,,\n", DuplicateNameError, ["csv:3", "'jes_b' stands twice", "csv:2"]),
        ("d_covariance.csv", "name,d1", "name,dd", UnknownNameError, ["d_covariance.csv:2", "unknown row 'd1'"]),
        ("d_covariance.csv", "4.0", "0.01", InvalidMatrixError, ["d_covariance.csv", "statistical covariance", "definite"]),
        ("blocks.csv", "block,nuisance,1", "block,nuisance,0", FileFormatError, ["blocks.csv", "nuisance, 0, 2, 3 found"]),
        ("blocks.csv", "JES,ext_a,0.3,0.1,1\n", "", FileFormatError, ["csv:2, column '3'", "'0.3' found", "has 2 rows"]),
        ("blocks.csv", "JES,jes_a,1,0.2", "JES,jes_a,1,", InvalidNumberError, ["blocks.csv:2, column '2'", "'' found"]),
        ("blocks.csv", "JES,jes_a,1,0.2", "JES,jes_a,1,2", InvalidMatrixError, ["blocks.csv:2, column '2'", "in [-1, 1]"]),
        ("blocks.csv", "JES,jes_a,1,0.2", "JES,jes_a,1,0.1", InvalidMatrixError, ["rows from 2", "'JES'", "not symmetric"]),
        ("blocks.csv", "JES,jes_a,1,", "JES,jes_a,0.9,", InvalidMatrixError, ["rows from 2", "is 0.9", "has 1"]),
        ("blocks.csv", "JES,jes_b", "JES,jes_a", DuplicateNameError, ["rows from 2", "'jes_a' stands twice"]),
        ("blocks.csv", "JES,jes_b", "JES,jes_c", UnknownNameError, ["model.toml", "'JES'", "unknown nuisance 'jes_c'"]),
        ("blocks.csv", "JES,jes_b", "JES,norm_a", UnderdeterminedError, ["model.toml", "'norm_a' is free"]),
        ("blocks.csv", "modelling,jes_b,-0.5,1,", "JES,mod_a,0,0,1", FileFormatError, ["blocks.csv:2", "4 rows", "columns"]),
    ],
)
def test_wrong_cell(model, name, old, new, error, said):
    with refused(error, *said):
        bc.load(model(name, old, new))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,x\nx,2\n", ["no row and column for 'y'", "every estimate needs one"]),
        ("name,x,y,n\nx,2,,\ny,0,1,\nn,0,0,1\n", ["csv:4", "unknown estimate 'n'"]),
    ],
)
def test_statistical_covariance_is_of_the_estimates_and_no_others(tmp_path, text, said):
    (tmp_path / "v.csv").write_text(text)
    entry = (
        '[[measurements]]\nname = "m"\nestimates = [{ name = "x", value = 1, observable = "o" }, '
        '{ name = "y", value = 1, observable = "o" }]\nstatistical_covariance = "v.csv"'
    )
    with pytest.raises(bc.BayescombError) as caught:
        bc.load(small_model(tmp_path, entry, observables=("o",)))
    assert all(fragment in str(caught.value) for fragment in ["v.csv", *said])


@pytest.mark.parametrize(
    ("head", "measurements", "said"),
    [
        ("", "", ["no measurements", "[budget], [[measurements]] or both"]),
        ("measurements = []", "", ["no measurements"]),
        ("measurements = 3", "", ["measurements = 3 found", "an array of tables"]),
        (
            "",
            (
                '[[measurements]]\nname = "m"\nestimates = [{ name = "e", value = 1, observable = "x" }]\n'
                'statistical = [1]\n[within]\ntable = "x.csv"'
            ),
            ["[within] found without a [budget]"],
        ),
    ],
)
def test_model_without_measurements_or_with_correlations_of_no_budget(tmp_path, head, measurements, said):
    with refused(FileFormatError, "model.toml", *said):
        bc.load(small_model(tmp_path, measurements, head=head))


def test_first_column_holds_the_names(tmp_path):
    (tmp_path / "c.csv").write_text("uncertainty,e,n\n1,1,0\n1,0,1\n")
    entry = '[[measurements]]\nname = "m"\nestimates = [{ name = "e", value = 1, observable = "x" }]\ncorrelation = "c.csv"'
    with refused(FileFormatError, "c.csv", "the first column is 'uncertainty'", "put them first"):
        bc.load(small_model(tmp_path, entry))


def test_nearly_singular_correlations_ask_for_digits(tmp_path):
    (tmp_path / "c.csv").write_text("name,uncertainty,e,n\ne,1,1,0.9999999999999999\nn,1,0.9999999999999999,1\n")
    entry = '[[measurements]]\nname = "m"\nestimates = [{ name = "e", value = 1, observable = "x" }]\ncorrelation = "c.csv"'
    with refused(InvalidMatrixError, "c.csv", "singular", "more digits"):
        bc.load(small_model(tmp_path, entry))


@pytest.mark.parametrize(
    ("key", "pair"),
    [
        ("pairs", '["mod_a", "jes_b", 2]'),
        ("pairs", '["mod_a", "jes_b", true]'),
        ("pairs", '["mod_a", "jes_b", -1.0]'),
        ("pairs", '["mod_a", "jes_b", 1, 1]'),
        ("opposite_pairs", '["mod_a", "jes_b", -1]'),
    ],
)
def test_wrong_sign_behind_a_pair(model, key, pair):
    coefficient = f'coefficients = [{{ name = "c", nominal = 0, {key} = [{pair}] }}]'
    with refused(FileFormatError, f"coefficients['c'].{key}", "found, a list of two nuisance names is needed"):
        bc.load(model(old='name = "plain"\n', new=f'name = "plain"\n{coefficient}\n'))
