"""The declaration of model.toml: every key has an example that its schema takes, and no other key is read."""

import json
import tomllib
from pathlib import Path

import pytest

import bayescomb as bc
from bayescomb.base.choices import MASS_SCHEMES
from bayescomb.cli.main import main
from bayescomb.formats.declared import TABLES, Kind
from bayescomb.formats.declared.reference import heading, json_schema, reference_page, reference_text

jsonschema = pytest.importorskip("jsonschema")
KEYS = [(path, key) for path, table in TABLES.items() for key in table.own]
ALL = pytest.mark.parametrize(("path", "key"), KEYS, ids=[f"{path}.{key.name}" for path, key in KEYS])
MODEL = """format = 1
name = "mine"
observables = [{ name = "x" }]
sources = [{ name = "JES" }]
budget = { table = "budget.csv" }
[[assumption_sets]]
name = "nominal"
[[assumption_sets.coefficients]]
"""
BUDGET = "estimate,experiment,observable,value,stat,JES\na,A,x,1,1,1\nb,B,x,2,1,1\n"


def example(path, key):
    """The value that an example gives to its key, wherever the example says that it stands."""
    document = tomllib.loads(key.example)
    for part in path.split("."):
        if part in document and key.name not in document:
            document = document[part][0] if isinstance(document[part], list) else document[part]
    return document[key.name]


def fits(value, kind):
    """Whether a value is of a kind; written apart from the schema."""
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    number = type(value) in (int, float)
    return {
        Kind.TEXT: isinstance(value, str),
        Kind.NUMBER: number,
        Kind.WHOLE: type(value) is int,
        Kind.FLAG: isinstance(value, bool),
        Kind.TEXTS: isinstance(value, list) and all(isinstance(v, str) for v in inner),
        Kind.NUMBERS: isinstance(value, list) and all(type(v) in (int, float) for v in inner),
        Kind.PAIRS: isinstance(value, list) and all(isinstance(v, list) for v in inner),
        Kind.TABLE: isinstance(value, dict),
        Kind.TABLES: isinstance(value, list) and all(isinstance(v, dict) for v in inner),
        Kind.NAMED_TEXTS: isinstance(value, dict) and all(isinstance(v, str) for v in inner),
        Kind.NAMED_NUMBERS: isinstance(value, dict) and all(type(v) in (int, float) for v in inner),
        Kind.NAMED: isinstance(value, dict),
    }[kind]


@ALL
def test_example_is_of_its_kind_and_fits_the_schema(path, key):
    value = example(path, key)
    assert any(fits(value, kind) for kind in key.kinds)
    schema = json_schema()
    table = schema["definitions"][path] if path else schema
    own = {**table["properties"][key.name], "definitions": schema["definitions"]}
    jsonschema.Draft7Validator(own).validate(value)
    assert not key.choices or value in key.choices
    assert not key.default or str(value).lower() != key.default, "the example is the default"


@pytest.mark.parametrize("name", ["run1_mass", "ttj_rho"])
def test_shipped_models_fit_the_schema(name):
    document = tomllib.loads((Path("models") / name / "model.toml").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator(json_schema()).validate(document)
    document["treatmnt"] = "nuisance"
    assert not jsonschema.Draft7Validator(json_schema()).is_valid(document)


def test_mass_schemes_are_those_that_a_prediction_takes():
    assert TABLES["predictions"].key("mass_scheme").choices == MASS_SCHEMES


def test_schema_is_a_schema():
    jsonschema.Draft7Validator.check_schema(json_schema())


def model(tmp_path, coefficient):
    (tmp_path / "model.toml").write_text(MODEL + coefficient)
    (tmp_path / "budget.csv").write_text(BUDGET)
    return bc.load(tmp_path)


COEFFICIENT = {"name": '"JES"', "source": '"JES"', "between": '["A", "B"]', "nominal": "0.5", "low": "0.0", "high": "1.0"}
# of keys that exclude those above
OTHERS = {
    "blocks": {"between": None, "blocks": '[{ left = ["a"], right = ["b"] }]'},
    "negative": {"negative": '["b"]'},
    "pairs": {"between": None, "pairs": '[["JES[a]", "JES[b]", -1]]'},
    "opposite_pairs": {"between": None, "opposite_pairs": '[["JES[a]", "JES[b]"]]'},
    "nominal_outside_range": {"nominal": "-0.5", "nominal_outside_range": "true"},
}


def coefficient_text(changes):
    lines = {**COEFFICIENT, **changes}
    return "\n".join(f"{key} = {value}" for key, value in lines.items() if value is not None) + "\n"


@pytest.mark.parametrize("key", TABLES["assumption_sets.coefficients"].own, ids=lambda key: key.name)
def test_every_key_of_a_coefficient_is_read_and_no_other_kind(tmp_path, key):
    changes = OTHERS.get(key.name, {} if key.name in COEFFICIENT else {key.name: key.example.partition("= ")[2]})
    assert model(tmp_path, coefficient_text(changes)).assumption_set.coefficients
    wrong = {Kind.TEXT: "1", Kind.FLAG: '"yes"', Kind.NUMBER: '["x"]'}.get(key.kinds[0], "1")
    with pytest.raises(bc.BayescombError):
        model(tmp_path, coefficient_text({**changes, key.name: wrong}))


def test_key_that_is_not_declared_is_not_read(tmp_path):
    with pytest.raises(bc.BayescombError, match="unknown key 'colour'"):
        model(tmp_path, coefficient_text({"colour": '"red"'}))


def test_reference_names_every_table_and_key(capsys):
    assert main(["reference"]) == 0
    said = capsys.readouterr().out
    page = reference_page()
    for path, table in TABLES.items():
        assert heading(path) in said
        assert f"## {heading(path)}" in page
        for key in table.own:
            assert f"### `{f'{path}.{key.name}'.lstrip('.')}`" in page
            assert key.example in page


def test_reference_of_a_table_a_key_and_the_end_of_a_path(capsys):
    assert main(["reference", "assumption_sets.coefficients"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("[[assumption_sets.coefficients]]")
    assert all(f"coefficients.{key.name}: " in said for key in TABLES["assumption_sets.coefficients"].own)
    assert reference_text("coefficients.prior") == reference_text("assumption_sets.coefficients.prior")
    assert "one of: uniform, triangular, beta, truncated_normal, fixed" in reference_text("coefficients.prior")
    assert reference_text("[[assumption_sets]]") == reference_text("assumption_sets")
    assert main(["reference", "priro"]) == 2
    assert "did you mean 'prior'" in capsys.readouterr().err


def test_schema_on_standard_output(capsys):
    assert main(["reference", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(json_schema()))
    assert main(["reference", "prior", "--schema"]) == 2
