"""`[[predictions]]` and `[[extractions]]` of a model file: what is read, and what is refused with its place."""

import pytest
from refusals import file_editor, refused
from theory_models import SEVEN, prediction, truth, write_table, written_rows

import bayescomb as bc
from bayescomb.base.errors import (
    DuplicateNameError,
    FileFormatError,
    InvalidNumberError,
    OptionError,
    RangeError,
    UnknownNameError,
)
from bayescomb.formats.toml.prediction_tables import FACTOR_COLUMNS, read_prediction, read_scale_factors
from bayescomb.inputs.theory.predictions import scaled_prediction

MODEL = """
format = 1
name = "demo"
observables = [{ name = "a1" }, { name = "a2" }, { name = "b1" }, { name = "b2" }, { name = "z" }]

[[measurements]]
name = "A"
estimates = [{ name = "x1", value = 9.0, observable = "a1" }, { name = "x2", value = 12.0, observable = "a2" }]
statistical = [0.5, 0.5]

[[measurements]]
name = "B"
estimates = [{ name = "y1", value = 9.0, observable = "b1" }, { name = "y2", value = 12.0, observable = "b2" }]
statistical = [0.5, 0.5]

[[measurements]]
name = "Z"
estimates = [{ name = "w", value = 9.0, observable = "z" }]
statistical = [0.5]

[[predictions]]
name = "8 TeV"
table = "a.csv"
observables = ["a1", "a2"]
order = "NLO"

[[predictions]]
name = "13 TeV"
table = "b.csv"
observables = ["b1", "b2"]
order = "LO"
mass_scheme = "running"
per_bin_width = true

[[extractions]]
name = "plain"
distributions = { "8 TeV" = "absolute", "13 TeV" = "normalised" }
masses = { "13 TeV" = "m_13" }
pdf = { set = "set" }
scales = { choice = "mt" }

[[extractions]]
name = "more"
extends = "plain"
title = "with uncertainties"
distributions = { "8 TeV" = "absolute" }
pdf = { set = "set", errors = "replicas", alpha_s = [3, 4], shifts_at = "mt", confidence_level = 0.9 }
scales = { choice = "mt", treatment = "correlated", prior = "normal", width = 0.5, low = 0, nominal = 0.25, high = 0.75 }
numerical_errors = false
degree = 3
drop = ["a1"]

[[extractions]]
name = "most"
extends = "more"
degree = 2

[[assumption_sets]]
name = "none"
"""


@pytest.fixture
def model(tmp_path):
    """Writer of an edited copy of the model; edits add up."""
    for name, seed in (("a", 1), ("b", 2)):
        write_table(tmp_path / f"{name}.csv", written_rows(prediction(truth(seed, bins=2, members=4))))

    (tmp_path / "model.toml").write_text(MODEL, encoding="utf-8")
    return lambda old="", new="": file_editor(tmp_path)("model.toml", old, new)


def test_predictions_are_read(model):
    first, second = bc.load(model()).predictions
    assert (first.name, first.observables, first.order, first.mass_scheme) == ("8 TeV", ("a1", "a2"), "NLO", "pole")
    assert (first.per_bin_width, first.table) == (False, "a.csv")
    assert (second.order, second.mass_scheme, second.per_bin_width, second.table) == ("LO", "running", True, "b.csv")


def test_extractions_are_read(model):
    plain, more, most = bc.load(model()).extractions.values()
    assert dict(plain.distributions) == {"8 TeV": "absolute", "13 TeV": "normalised"}
    assert dict(plain.masses) == {"8 TeV": "m_t", "13 TeV": "m_13"}
    assert plain.pdf == bc.PdfChoice(set="set")
    assert plain.scales == bc.ScaleChoice(choice="mt")
    assert (plain.title, plain.numerical_errors, plain.degree, plain.drop) == ("", True, 4, ())
    assert (more.title, more.numerical_errors, more.degree, more.drop) == ("with uncertainties", False, 3, ("a1",))
    assert dict(more.masses) == {"8 TeV": "m_t"}
    assert more.pdf == bc.PdfChoice(set="set", errors="replicas", alpha_s=(3, 4), shifts_at="mt", confidence_level=0.9)
    assert more.scales == bc.ScaleChoice(
        choice="mt", treatment="correlated", prior="normal", width=0.5, low=0.0, nominal=0.25, high=0.75
    )
    assert (most.name, most.degree) == ("most", 2)
    assert (most.pdf, most.scales, most.drop, most.title) == (more.pdf, more.scales, more.drop, more.title)


def test_extraction_in_force_is_named_by_the_file_or_the_caller(model):
    assert bc.load(model()).extraction == ""
    folder = model('name = "demo"', 'name = "demo"\nextraction = "more"')
    cut = bc.load(folder)
    assert (cut.extraction, [m.name for m in cut.measurements]) == ("more", ["A"])
    assert len(bc.load(folder, extraction="").measurements) == 3
    assert [m.name for m in bc.load(folder, extraction="plain").measurements] == ["A", "B"]
    with refused(UnknownNameError, "unknown extraction 'plane'", "did you mean 'plain'"):
        bc.load(folder, extraction="plane")
    model('extraction = "more"', 'extraction = "mode"')
    with refused(UnknownNameError, "model.toml", "unknown extraction 'mode'", "did you mean 'more'"):
        bc.load(folder)


PLAIN = 'masses = { "13 TeV" = "m_13" }'
SCALES = 'scales = { choice = "mt" }'
PDF = 'pdf = { set = "set" }'


@pytest.mark.parametrize(
    ("old", "new", "error", "said"),
    [
        ('table = "a.csv"\n', "", FileFormatError, ["predictions['8 TeV']", "table"]),
        ('order = "NLO"\n', "", FileFormatError, ["predictions['8 TeV']", "order"]),
        ('order = "NLO"', 'ordre = "NLO"', UnknownNameError, ["predictions['8 TeV']", "unknown key 'ordre'", "'order'"]),
        ('order = "NLO"', "order = 2", FileFormatError, ["order = 2 found, a text is needed"]),
        ('mass_scheme = "running"', 'mass_scheme = "MSR"', OptionError, ["predictions['13 TeV']", "allowed: pole, running"]),
        ("per_bin_width = true", "per_bin_width = 1", FileFormatError, ["per_bin_width = 1 found, true or false"]),
        ('observables = ["a1", "a2"]', 'observables = "a1"', FileFormatError, ["a list of texts is needed"]),
        (
            'observables = ["a1", "a2"]',
            'observables = ["a1"]',
            FileFormatError,
            ["predictions['8 TeV']", "2 bins found for 1"],
        ),
        (
            'observables = ["a1", "a2"]',
            'observables = ["a1", "a3"]',
            UnknownNameError,
            ["unknown observable 'a3'", "'8 TeV'"],
        ),
        ('observables = ["a1", "a2"]', 'observables = ["a1", "a1"]', DuplicateNameError, ["'a1' stands twice"]),
        ('table = "a.csv"', 'table = "c.csv"', FileFormatError, ["predictions['8 TeV']", "c.csv", "no such file"]),
        ('name = "13 TeV"', 'name = "8 TeV"', DuplicateNameError, ["model.toml: predictions", "'8 TeV' stands twice"]),
        ('name = "most"', 'name = "plain"', DuplicateNameError, ["model.toml: extractions", "'plain' stands twice"]),
        (
            'extends = "more"',
            'extends = "mode"',
            UnknownNameError,
            ["extractions['most']", "unknown extraction before it 'mode'"],
        ),
        ('extends = "plain"', 'extends = "most"', UnknownNameError, ["extractions['more']", "unknown extraction before it"]),
        ('"8 TeV" = "absolute", "13', '"7 TeV" = "absolute", "13', UnknownNameError, ["unknown prediction '7 TeV'"]),
        (PLAIN, 'masses = { "7 TeV" = "m" }', UnknownNameError, ["extractions['plain']", "unknown prediction '7 TeV'"]),
        (PLAIN, 'masses = { "8 TeV" = 1 }', FileFormatError, ["extractions['plain'].masses", "a text is needed"]),
        (PLAIN, 'masses = "m_t"', FileFormatError, ["extractions['plain']", "a table is needed"]),
        (
            PLAIN,
            'masses = { "13 TeV" = "b1" }',
            DuplicateNameError,
            ["extraction 'plain'", "'b1' is the name of"],
        ),
        (PLAIN, 'drop = ["a3"]', UnknownNameError, ["extraction 'plain'", "unknown observable 'a3'"]),
        (PLAIN, 'drop = "a1"', FileFormatError, ["drop = 'a1' found, a list of texts is needed"]),
        (PLAIN, 'degree = "4"', OptionError, ["extractions['plain']", "degree = '4' found, a whole number"]),
        (PLAIN, "degree = true", OptionError, ["degree = True found"]),
        (PLAIN, "degree = 4.0", OptionError, ["degree = 4.0 found"]),
        (PLAIN, 'numerical_errors = "no"', FileFormatError, ["true or false is needed"]),
        (PLAIN, "title = 1", FileFormatError, ["title = 1 found, a text"]),
        (PLAIN, "colour = 1", UnknownNameError, ["extractions['plain']", "unknown key 'colour'"]),
        (PDF, 'pdf = "set"', FileFormatError, ["pdf = 'set' found, a table is needed"]),
        (PDF, "pdf = {}", FileFormatError, ["extractions['plain'].pdf", "set"]),
        (PDF, 'pdf = { set = "set", error = "none" }', UnknownNameError, [".pdf", "unknown key 'error'", "'errors'"]),
        (PDF, 'pdf = { set = "set", errors = "eigen" }', OptionError, ["extractions['plain']", "allowed: none, symmetric"]),
        (PDF, 'pdf = { set = "set", alpha_s = 3 }', FileFormatError, [".pdf", "alpha_s = 3 found, a list of two members"]),
        (PDF, 'pdf = { set = "set", alpha_s = [3, true] }', FileFormatError, ["a list of two members"]),
        (PDF, 'pdf = { set = "set", alpha_s = [3.0, 4.0] }', FileFormatError, ["a list of two members"]),
        (PDF, 'pdf = { set = "set", alpha_s = [3] }', OptionError, ["alpha_s members [3] found, two are needed"]),
        (PDF, 'pdf = { set = "set", confidence_level = 90 }', RangeError, ["confidence level 90 found"]),
        (PDF, 'pdf = { set = "set", confidence_level = "x" }', InvalidNumberError, [".pdf.confidence_level"]),
        (SCALES, "scales = {}", FileFormatError, ["extractions['plain'].scales", "choice"]),
        (SCALES, 'scales = "mt"', FileFormatError, ["scales = 'mt' found, a table is needed"]),
        (SCALES, 'scales = { choice = "mt", mu_r = true }', InvalidNumberError, [".scales.mu_r", "True found"]),
        (SCALES, 'scales = { choice = "mt", prior = 1 }', FileFormatError, [".scales", "prior = 1 found, a text"]),
        (SCALES, 'scales = { choice = "mt", width = 2 }', RangeError, ["extractions['plain']", "width 2 found"]),
        (SCALES, 'scales = { choice = "mt", treat = "fixed" }', UnknownNameError, ["unknown key 'treat'", "treatment"]),
    ],
)
def test_wrong_entries(model, old, new, error, said):
    folder = model(old, new)
    with refused(error, "model.toml", *said):
        bc.load(folder)


@pytest.mark.parametrize(("line", "key"), [(PDF, "pdf"), (SCALES, "scales")])
def test_missing_parts_of_an_extraction(model, line, key):
    with refused(FileFormatError, "extractions['plain']", key):
        bc.load(model(f"{line}\n", ""))


def test_entry_that_extends_nothing_and_states_everything(model):
    assert bc.load(model('extends = "plain"\n', "")).extractions["more"].degree == 3


def test_table_of_a_prediction_names_file_and_line(model, tmp_path):
    path = tmp_path / "a.csv"
    lines = model() and path.read_text().splitlines()
    lines[8] = lines[8].replace(",13.0,", ",").replace("13.0", "x", 1)
    path.write_text("\n".join(lines))
    with refused(InvalidNumberError, "predictions['8 TeV']", "a.csv:9, column 'sqrt_s_tev'", "'x' found"):
        bc.load(tmp_path)


def test_pole_and_running_table_of_the_same_observables(model):
    again = '[[predictions]]\nname = "8 TeV running"\ntable = "a.csv"\nobservables = ["a1", "a2"]\norder = "NLO"\n'
    running = '[[extractions]]\nname = "running"\nextends = "plain"\ndistributions = { "8 TeV running" = "absolute" }\n\n'
    folder = model("[[assumption_sets]]", f'{again}mass_scheme = "running"\n\n{running}[[assumption_sets]]')
    assert bc.load(folder, extraction="running").headline[0].title == "top-quark running mass"
    assert bc.load(folder, extraction="more").headline[0].title == "top-quark pole mass"
    model('{ "8 TeV running" = "absolute" }', '{ "8 TeV running" = "absolute", "8 TeV" = "absolute" }')
    with refused(DuplicateNameError, "extraction 'running'", "'a1' stands twice"):
        bc.load(folder)


PRODUCT = """tables = { lo = "a.csv", kfactor = "k.csv" }
combine = "lo * kfactor"
origin = "NLO at 172.5 GeV"
rate_errors = { "another total" = 0.1 }
"""


@pytest.fixture
def product(model, tmp_path):
    """The model with the product of two tables in place of the first."""
    rows = [
        dict(zip(FACTOR_COLUMNS, map(str, (13.0, "mt", r, f, low, high, 1.4, 0.01)), strict=True))
        for r, f in SEVEN
        for low, high in ((0.0, 0.5), (0.5, 1.5))
    ]
    write_table(tmp_path / "k.csv", rows, columns=FACTOR_COLUMNS)
    model('table = "a.csv"\n', PRODUCT)
    return model


def test_product_of_two_tables(product, tmp_path):
    first, _ = bc.load(product()).predictions
    lo = read_prediction(tmp_path / "a.csv", name="8 TeV", observables=["a1", "a2"], order="LO")
    expected = scaled_prediction(lo, read_scale_factors(tmp_path / "k.csv"), order="NLO")
    assert (first.table, first.origin) == ("a_x_k.csv", "NLO at 172.5 GeV (lo * kfactor)")
    assert dict(first.rate_errors) == {"another total": 0.1}
    assert first.cross_sections.tolist() == expected.cross_sections.tolist()
    assert first.correlated_errors.tolist() == expected.correlated_errors.tolist()
    assert first.cross_sections[0, 0, 0] == pytest.approx(1.4 * lo.cross_sections[0, 0, 0], rel=1e-12)


@pytest.mark.parametrize(
    ("old", "new", "error", "said"),
    [
        ('combine = "lo * kfactor"\n', "", FileFormatError, ["predictions['8 TeV']", "combine"]),
        ('origin = "NLO at 172.5 GeV"\n', "", FileFormatError, ["predictions['8 TeV']", "origin"]),
        ('origin = "NLO at 172.5 GeV"', 'origin = ""', FileFormatError, ["origin = '' found"]),
        ('"lo * kfactor"', '"lo + kfactor"', FileFormatError, ["combine = 'lo + kfactor'", 'is "prediction * factors"']),
        ('"lo * kfactor"', '"lo * k"', FileFormatError, ["combine = 'lo * k'", "tables 'lo', 'kfactor'"]),
        ('"lo * kfactor"', '"lo * lo"', FileFormatError, ["combine = 'lo * lo'"]),
        ('"lo * kfactor"', '"kfactor * lo"', FileFormatError, ["predictions['8 TeV']", "k.csv", "missing column"]),
        ('combine = "lo', 'table = "a.csv"\ncombine = "lo', FileFormatError, ["table, tables, combine found"]),
        ('combine = "lo', 'members_at = "ht1"\ncombine = "lo', UnknownNameError, ["no members at scale 'ht1'"]),
        ('kfactor = "k.csv"', 'kfactor = "none.csv"', FileFormatError, ["none.csv", "no such file"]),
        ("tables = {", "tables = 1 # {", FileFormatError, ["tables = 1 found, a table is needed"]),
        ('"another total" = 0.1', '"another total" = 1.5', RangeError, ["rate error 'another total' = 1.5 found"]),
        ('"another total" = 0.1', '"another total" = "x"', InvalidNumberError, [".rate_errors: another total", "'x' found"]),
        ("rate_errors = {", "rate_errors = 0.1 # {", FileFormatError, ["rate_errors = 0.1 found, a table is needed"]),
        (PLAIN, 'rate_errors = "no"', FileFormatError, ["extractions['plain']", "true or false is needed"]),
    ],
)
def test_wrong_products(product, old, new, error, said):
    folder = product(old, new)
    with refused(error, "model.toml", *said):
        bc.load(folder)


@pytest.mark.parametrize("wrong", ["pearson", "relative"])
def test_extraction_in_force_needs_a_quadratic_chi2(model, tmp_path, wrong):
    folder = model('name = "demo"', 'name = "demo"\nextraction = "plain"')
    if wrong == "pearson":
        model('name = "demo"', 'name = "demo"\nchi2 = "pearson"')
    else:
        (tmp_path / "r.csv").write_text("estimate,n\nx1,1\nx2,1\n")
        detail = 'nuisances = [{ name = "n", response = "relative" }]'
        model('[[measurements]]\nname = "B"', f'responses = "r.csv"\n{detail}\n\n[[measurements]]\nname = "B"')
    with refused(OptionError, "model.toml", "extraction 'plain' needs a chi2 that is quadratic"):
        bc.load(folder)
    assert bc.load(folder, extraction="").extraction == ""
