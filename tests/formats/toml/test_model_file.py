"""Wrong model files end in one sentence that says where, what was found and what to do; never in a number."""

import pytest
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import (
    DuplicateNameError,
    FileFormatError,
    InfeasibleCorrelationError,
    InvalidMatrixError,
    InvalidNumberError,
    OptionError,
    UnderdeterminedError,
    UnknownNameError,
)

FINITE = "a finite number is needed"
AVERAGED = 'symmetrise = [{ source = "ptmiss", pair = ["e", "f"] }]'
OBSERVABLES = 'observables = [{ name = "m_t", unit = "GeV", title = "top-quark mass" }]'
UNIT = 'unit = "GeV"'
JER = '{ name = "JER", title = "JER", group = "detector" }'

# The blocks of run1_mass that are no correlation matrices at nominal coefficients.
INDEFINITE = ("LHCJES2", "btag", "ptmiss", "LHCrad", "PDF", "bkgMC", "other")


def test_run1_mass_is_read_with_its_names_and_order(run1):
    assert [e.name for e in run1.estimates] == list("abcdefghijklmno")
    assert (len(run1.sources), len(run1.nuisances), len(run1.assumption_set.blocks)) == (25, 15 * 25, 50)
    assert (run1.assumptions, run1.treatment, run1.repair) == ("nominal", "covariance", "none")
    assert list(run1.assumption_sets) == ["nominal", "filled_pileup", "uncorrelated"]


def test_file_and_folder_give_the_same_model(run1, run1_path):
    assert bc.profile(bc.load(run1_path / "model.toml")).chi2 == bc.profile(run1).chi2


def test_tables_of_a_linked_model_file_are_beside_the_link(run1, run1_path, tmp_path):
    link = tmp_path / "model.toml"
    link.symlink_to(run1_path / "model.toml")
    for given in (link, tmp_path):
        with refused(FileFormatError, "budget.csv: no such file", f"in {tmp_path}, not beside", f"in {run1_path.resolve()}"):
            bc.load(given)
    for table in run1_path.glob("*.csv"):
        (tmp_path / table.name).symlink_to(table)
    assert bc.load(link).estimates == run1.estimates
    (tmp_path / "budget.csv").unlink()
    (tmp_path / "budget.csv").write_text("a,b\n1\n")
    with refused(FileFormatError, "budget.csv"):
        bc.load(link)


def test_a_dangling_link_is_no_model(tmp_path):
    (tmp_path / "model.toml").symlink_to(tmp_path / "nowhere.toml")
    with refused(FileFormatError, "model.toml: no such file") as error:
        bc.load(tmp_path)
    assert "beside" not in str(error)


@pytest.mark.parametrize("column", ["value", "stat", "LHCJES2"])
@pytest.mark.parametrize(
    "cell", ["nan", "inf", "-inf", "1e400", "abc", "", "0.4 GeV", "172,99", "172_99", "\uff11\uff17\uff12"]
)
def test_cell_of_the_budget_that_is_no_finite_number(edited_model, column, cell):
    model = edited_model("budget.csv", row="d", column=column, cell=cell)
    with refused(InvalidNumberError, f"budget.csv:7, column '{column}'", repr(cell), FINITE):
        bc.load(model)


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("stat", "0", "a statistical uncertainty is above 0"),
        ("stat", "-0.41", "a statistical uncertainty is above 0"),
        ("LHCJES2", "-0.41", "give its size here and its sign in the correlations"),
        ("stat", "1e-300", "use other units"),
        ("value", "1e300", "use other units"),
    ],
)
def test_number_of_the_budget_with_a_wrong_sign_or_size(edited_model, column, cell, said):
    model = edited_model("budget.csv", row="d", column=column, cell=cell)
    with refused(InvalidNumberError, f"budget.csv:7, column '{column}'", cell, said):
        bc.load(model)


@pytest.mark.parametrize(
    ("column", "cell", "error", "said"),
    [
        ("estimate", "a", DuplicateNameError, ["estimate 'a' stands twice", "needs its own name"]),
        ("estimate", "", UnknownNameError, ["'' is no name", "use printable text"]),
        ("experiment", "", FileFormatError, ["column 'experiment'", "empty", "name the experiment"]),
        ("observable", "mt", UnknownNameError, ["unknown observable 'mt'", "did you mean 'm_t'?"]),
    ],
)
def test_name_in_the_budget(edited_model, column, cell, error, said):
    model = edited_model("budget.csv", row="d", column=column, cell=cell)
    with refused(error, "budget.csv:7", *said):
        bc.load(model)


@pytest.mark.parametrize(
    ("replace", "error", "said"),
    [
        ((",method,other\n", ",method,othr\n"), FileFormatError, ["budget.csv:3", "missing column 'other'", "othr"]),
        ((",method,other\n", ",method,method\n"), DuplicateNameError, ["budget.csv:3", "column 'method' stands twice"]),
        (("172.99,0.41", "172.99"), FileFormatError, ["budget.csv:7", "30 cells found, 31 needed", "complete the row"]),
        (("172.99,0.41", "172.99,0.41,"), FileFormatError, ["budget.csv:7", "32 cells found, 31 needed"]),
        (("ATLAS dilepton 8 TeV", '"ATLAS dilepton'), FileFormatError, ["budget.csv:7", "not a row of a CSV table"]),
        (
            ("estimate,title,", "estimate,titel,"),
            UnknownNameError,
            ["budget.csv", "column 'titel'", "did you mean 'title'"],
        ),
    ],
)
def test_malformed_budget(edited_model, replace, error, said):
    with refused(error, *said):
        bc.load(edited_model("budget.csv", replace=replace))


@pytest.mark.parametrize(
    ("column", "cell", "error", "said"),
    [
        ("f", "1.2", InvalidMatrixError, ["column 'f'", "1.2 found", "lies in [-1, 1]"]),
        ("f", "-1.01", InvalidMatrixError, ["column 'f'", "-1.01 found", "lies in [-1, 1]"]),
        ("f", "nan", InvalidNumberError, ["column 'f'", "'nan'", FINITE]),
        ("d", "", InvalidNumberError, ["column 'd'", "''", FINITE]),  # off the diagonal the mirrored cell says it
        ("g", "0.5", FileFormatError, ["column 'g'", "'0.5' found between experiments", "in an assumption set"]),
        ("source", "LHCJES0", UnknownNameError, ["unknown source 'LHCJES0'", "did you mean 'LHC"]),
        ("estimate", "z", UnknownNameError, ["unknown estimate 'z'", "known: 'a', 'b'"]),
        ("estimate", "e", DuplicateNameError, ["source 'LHCJES1', estimate 'e' stands twice", "keep one row"]),
    ],
)
def test_cell_of_the_correlations(edited_model, column, cell, error, said):
    model = edited_model("correlations.csv", row="LHCJES1,d", column=column, cell=cell)
    line = 9 if error is DuplicateNameError else 8  # the second of two equal rows is the one too many
    with refused(error, f"correlations.csv:{line}", *said):
        bc.load(model)


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("f", "0.79", ["not symmetric", "('LHCJES1[d]', 'LHCJES1[f]') is 0.79", "is 0.97", "symmetrise on purpose"]),
        ("d", "0.97", ["diagonal entry ('LHCJES1[d]', 'LHCJES1[d]') is 0.97", "a correlation matrix has 1"]),
    ],
)
def test_block_that_is_no_symmetric_matrix_of_unit_diagonal(edited_model, column, cell, said):
    model = edited_model("correlations.csv", row="LHCJES1,d", column=column, cell=cell)
    with refused(InvalidMatrixError, "correlations.csv", "'LHCJES1, ATLAS'", *said):
        bc.load(model)


def test_missing_row_of_the_correlations(edited_model):
    model = edited_model("correlations.csv", replace=("LHCJES1,d,0.54,0.04,0.63,1,-0.23,0.97,,,,,,,,,\n", ""))
    with refused(FileFormatError, "correlations.csv", "source 'LHCJES1' has no row for estimate 'd'", "add it"):
        bc.load(model)


def test_correlations_cut_off_between_two_blocks_do_not_read_as_uncorrelated(edited_model):
    model = edited_model()
    table = model / "correlations.csv"
    table.write_text(table.read_text().partition("other,a,")[0])
    with refused(FileFormatError, "correlations.csv", "source 'other', ATLAS", "no row", "a, b, c, d, e, f", "add the rows"):
        bc.load(model)


def test_asymmetric_matrix_is_an_error_unless_symmetrised_on_purpose(edited_model, run1):
    model = edited_model("model.toml", replace=(AVERAGED, "symmetrise = []"))
    with refused(
        InvalidMatrixError, "correlations.csv", "('ptmiss[e]', 'ptmiss[f]') is 0.36", "is 0.86", "symmetrise on purpose"
    ):
        bc.load(model)
    block = next(b for b in run1.assumption_set.blocks if b.name == "ptmiss, ATLAS")
    assert block.correlation[4, 5] == block.correlation[5, 4] == pytest.approx(0.61)


@pytest.mark.parametrize(
    ("replace", "error", "said"),
    [
        (("format = 1\n", ""), FileFormatError, ["missing key 'format'", "add it"]),
        (("format = 1\n", "format = 2\n"), FileFormatError, ["format = 2 found", "this version reads format 1"]),
        (("format = 1\n", "format = true\n"), FileFormatError, ["format = True found", "reads format 1"]),
        (('name = "run1_mass"\n', ""), FileFormatError, ["missing key 'name'", "add it"]),
        (("sources = [", "sources = "), FileFormatError, ["broken TOML", "line 12"]),
        (('treatment = "covariance"', "treatment = 1"), FileFormatError, ["treatment = 1 found", "a text is needed"]),
        (('treatment = "c', 'treatement = "c'), UnknownNameError, ["key 'treatement'", "did you mean 'treatment'?"]),
        (('treatment = "covar', 'treatment = "kovar'), OptionError, ["'kovariance' found", "covariance, nuisance"]),
        (('tions = "nominal"', 'tions = "nominl"'), UnknownNameError, ["'nominl'", "did you mean 'nominal'?"]),
        (
            ('[budget]\ntable = "budget.csv"', 'budget = "x"'),
            FileFormatError,
            ["budget", "a table is needed, as in { table = "],
        ),
        ((AVERAGED, AVERAGED.replace("ptmiss", "ptmis")), UnknownNameError, ["symmetrise[0]", "did you mean 'ptmiss'?"]),
        ((AVERAGED, 'symmetrise = "ptmiss"'), FileFormatError, ["symmetrise = 'ptmiss' found", "an array of tables"]),
        ((AVERAGED, AVERAGED.replace('"e", ', "")), FileFormatError, ["['f'] found", "two estimates are needed"]),
        (('"budget.csv"', '"budget.csv"\nsymmetrise = []'), UnknownNameError, ["budget", "unknown key 'symmetrise'"]),
        ((JER, JER.replace('"JER"', '"stat"', 1)), DuplicateNameError, ["source 'stat'", "rename the source"]),
        ((JER, f"{JER}, {JER}"), DuplicateNameError, ["sources", "'JER' stands twice", "must be unique"]),
        ((OBSERVABLES, "observables = []"), UnknownNameError, ["observables", "none given", "at least one is needed"]),
        ((OBSERVABLES, 'observables = ["m_t"]'), FileFormatError, ["observables = ['m_t']", "an array of tables"]),
        (('name = "m_t", unit', 'name = "m_t", unt'), UnknownNameError, ["observables['m_t']", "did you mean 'unit'?"]),
        (
            ('title = "top-quark mass"', 'title = "x" }, { name = "y"'),
            UnderdeterminedError,
            ["no estimate for ['y']", "drop an observable"],
        ),
        (
            ('title = "top-quark mass"', 'title = "x" }, { name = "m_t"'),
            DuplicateNameError,
            ["'m_t' stands twice", "must be unique"],
        ),
        (('kind = "assumed"', 'kind = "guess"'), OptionError, ["provenance[3]", "'guess' found", "assumed"]),
    ],
)
def test_wrong_key_of_the_model_file(edited_model, replace, error, said):
    with refused(error, "model.toml", *said):
        bc.load(edited_model("model.toml", replace=replace))


def test_missing_table_is_named(edited_model):
    model = edited_model("model.toml", replace=('"budget.csv"', '"budgte.csv"'))
    with refused(FileFormatError, "budgte.csv", "no such file", "correct the path"):
        bc.load(model)


@pytest.mark.parametrize("name", ["absent", "absent.toml", "x" * 300 + ".toml", "x" * 300, "nul\0.toml"])
def test_path_that_is_no_model(tmp_path, name):
    with refused(FileFormatError, name):
        bc.load(tmp_path / name)


def test_bytes_that_are_no_text(edited_model):
    model = edited_model()
    (model / "budget.csv").write_bytes(b"estimate\xff")
    with refused(FileFormatError, "budget.csv", "cannot be read as UTF-8 text"):
        bc.load(model)


@pytest.mark.parametrize("digits", [400, 5000])
def test_integer_that_no_double_can_hold(edited_model, digits):
    model = edited_model("model.toml", replace=("format = 1", f"format = {'9' * digits}"))
    with refused(FileFormatError, "model.toml"):
        bc.load(model)


def test_deeply_nested_values(edited_model):
    model = edited_model("model.toml", replace=("format = 1", f"format = {'[' * 5000}{']' * 5000}"))
    with refused(FileFormatError, "model.toml", "broken TOML"):
        bc.load(model)


def test_unknown_repair_and_treatment_of_a_loaded_model(run1):
    with refused(OptionError, "'run1_mass'", "'both'", "covariance, nuisance"):
        run1.with_treatment("both")
    with refused(OptionError, "repair of combination 'run1_mass'", "'near'", "none, shift, clip, nearest"):
        run1.with_treatment("nuisance", repair="near")


def test_unknown_set_and_experiment_of_a_loaded_model(run1):
    with refused(UnknownNameError, "'nominla'", "did you mean 'nominal'?"):
        run1.with_assumptions("nominla")
    with refused(UnknownNameError, "experiment 'ALTAS'", "did you mean 'ATLAS'?"):
        run1.only(["ALTAS"])


def test_infeasible_fixed_set_under_nuisance_names_every_block_and_the_remedies(run1):
    with refused(
        InfeasibleCorrelationError, "'run1_mass'", "'nominal'", "'nuisance'", "'covariance'", "shift, clip or nearest"
    ) as caught:
        bc.profile(run1.with_treatment("nuisance"))
    named = [part.split(" ")[0] for part in str(caught.value).partition("not a correlation matrix: ")[2].split("; ")]
    assert tuple(named) == INDEFINITE
