"""Predictions and extractions are written and read again as the same ones, as JSON too; Convino files hold neither."""

import dataclasses
import json
import tomllib

import numpy as np
import pytest
from refusals import refused
from theory_models import combination, extraction, measured, prediction, published, simple, truth

import bayescomb as bc
from bayescomb.base.errors import InputWarning, OptionError, OutputError
from bayescomb.formats.convino.writer import write_convino
from bayescomb.formats.toml.model_writer import model_texts, write_model
from bayescomb.formats.toml.prediction_tables import COLUMNS, CORRELATED
from bayescomb.inputs.serialise import combination_from_json, combination_to_json, difference

ONE = extraction({"a": "absolute", "b": "normalised"}, name="one")


def changed(item, **changes):
    return dataclasses.replace(item, **changes)


EXTRACTIONS = [
    ONE,
    changed(ONE, name="two masses", title='with "quotes", and a comma', masses={"b": "m, b"}),
    changed(ONE, name="other order", distributions={"b": "normalised", "a": "absolute"}, masses={}),
    changed(ONE, name="b only", distributions={"b": "absolute"}, masses={}, drop=("b0", "b2"), degree=2),
    changed(
        ONE,
        name="everything",
        title="all that can be said",
        masses={"a": "m_a", "b": "m_b"},
        pdf=bc.PdfChoice(set="set", errors="replicas", alpha_s=(3, 4), shifts_at="mt", confidence_level=0.9),
        scales=bc.ScaleChoice(
            choice="mt", treatment="correlated", prior="normal", width=0.3, low=-0.1, nominal=0.1, high=1 / 3
        ),
        numerical_errors=True,
        degree=6,
        drop=("a1",),
    ),
    changed(ONE, name="shifted", scales=bc.ScaleChoice(choice="mt", mu_r=2.0, mu_f=0.5)),
]


def general(*, tables=("first.csv", "second.csv"), chosen=""):
    """Two predictions with all the extractions, and an input of an observable that nothing predicts."""
    made = [
        prediction(truth(i, bins=3), name, per_bin_width=name == "b", mass_scheme="running", table=table, order="LO")
        for i, (name, table) in enumerate(zip("ab", tables, strict=True))
    ]
    inputs = [measured(p.name, p.observables, p.cross_sections[0, 3] / p.divisors, np.eye(3)) for p in made]
    both = combination([*inputs, measured("z", ["z"], [1.0], np.eye(1))], made, extra=["z"])
    return changed(both, extractions={e.name: e for e in EXTRACTIONS}).with_extraction(chosen)


def assert_same(path, expected):
    found = bc.load(path)
    assert not difference(found, expected)
    assert found.extraction == expected.extraction
    assert combination_to_json(found) == combination_to_json(expected)


@pytest.mark.parametrize("chosen", ["", *(e.name for e in EXTRACTIONS)])
def test_written_and_read_again(tmp_path, chosen):
    """What an extraction in force has cut down is written as it is then."""
    given = general(chosen=chosen)
    path = write_model(given, tmp_path / "model")
    assert_same(path, given)
    assert [m.name for m in bc.load(path).measurements] == (
        ["b"] if chosen == "b only" else ["a", "b"] + ["z"] * (not chosen)
    )
    assert_same(write_model(bc.load(path), tmp_path / "again"), given)
    names = {p.name for p in path.parent.glob("*.csv")}
    assert {"second.csv"} | ({"first.csv"} if chosen != "b only" else set()) <= names


def with_correlated():
    """The general one with correlated numerical errors, an open rate and an origin, and extractions that use them or not."""
    given = general()
    first, second = given.predictions
    first = changed(
        first, correlated_errors=first.mc_errors / 3, rate_errors={"another, total": 0.1}, origin='NLO at "172.5" GeV'
    )
    chosen = [
        changed(ONE, numerical_errors=True),
        changed(ONE, name="without", rate_errors=False),
        changed(ONE, name="rate", distributions={"a": "rate"}, masses={}),
    ]
    return changed(given, predictions=(first, second), extractions={e.name: e for e in chosen})


def test_correlated_errors_rates_and_origins_survive(tmp_path):
    given = with_correlated()
    path = write_model(given, tmp_path / "model")
    assert_same(path, given)
    assert CORRELATED in (path.parent / "first.csv").read_text().splitlines()[1]
    assert CORRELATED not in (path.parent / "second.csv").read_text()
    again = combination_from_json(combination_to_json(given))
    assert (difference(again, given), again.predictions[1].correlated_errors.size) == ("", 0)
    without = changed(given, predictions=(changed(given.predictions[0], rate_errors={}), given.predictions[1]))
    assert difference(without, given) == "predictions[0].rate_errors"


@pytest.mark.parametrize("chosen", ["", "everything", "b only"])
def test_json_round_trip(chosen):
    given = general(chosen=chosen)
    again = combination_from_json(combination_to_json(given))
    assert (difference(again, given), again.extraction) == ("", chosen)
    assert again.predictions[0].variants == given.predictions[0].variants
    assert again.extractions == given.extractions


@pytest.mark.slow
def test_published_values_survive(tmp_path):
    given = published("8 TeV", "13 TeV")
    path = write_model(given, tmp_path / "model")
    assert_same(path, given)
    found, expected = bc.profile(bc.load(path)), bc.profile(given)
    assert (found.chi2, found.values.values.tolist()) == (expected.chi2, expected.values.values.tolist())
    assert sorted(p.name for p in path.parent.glob("prediction*")) == ["prediction_13tev.csv", "prediction_8tev.csv"]


def test_file_is_what_a_person_would_write():
    texts = model_texts(general())
    lines = texts["first.csv"].splitlines()
    assert lines[0] == "# Predicted cross sections per bin at 13 TeV, by PDF set and member, scale and mass."
    assert lines[1] == ",".join(COLUMNS)
    assert lines[2].startswith("13.0,set,0,mt,1.0,1.0,165.0,0.0,0.5,")
    assert len(lines) == 2 + 9 * 7 * 3
    document = tomllib.loads(texts["model.toml"])
    first, second = document["predictions"]
    names = ["a0", "a1", "a2"]
    assert first == {"name": "a", "table": "first.csv", "observables": names, "order": "LO", "mass_scheme": "running"}
    assert second["per_bin_width"] is True
    one, masses, _, only, everything, _ = document["extractions"]
    assert one == {
        "name": "one",
        "distributions": {"a": "absolute", "b": "normalised"},
        "pdf": {"set": "set"},
        "scales": {"choice": "mt"},
        "numerical_errors": False,
    }
    assert (masses["extends"], set(masses)) == ("one", {"name", "extends", "title", "masses"})
    assert (only["extends"], only["drop"], only["degree"]) == ("one", ["b0", "b2"], 2)
    assert "extends" not in everything  # nothing but the name would be left
    assert (everything["degree"], everything["pdf"]["alpha_s"]) == (6, [3, 4])


def test_what_a_base_says_is_taken_back():
    """An extraction at the defaults may extend one that is not."""
    base = changed(EXTRACTIONS[4], numerical_errors=False)
    back = changed(base, name="back", title="", masses={}, drop=(), numerical_errors=True)
    given = changed(general(), extractions={e.name: e for e in (base, back)})
    entry = tomllib.loads(model_texts(given)["model.toml"])["extractions"][1]
    assert "extends" not in entry
    back = changed(base, name="back", title="", drop=())
    given = changed(general(), extractions={e.name: e for e in (base, back)})
    entry = tomllib.loads(model_texts(given)["model.toml"])["extractions"][1]
    assert entry == {"name": "back", "extends": "everything", "title": "", "drop": []}


def same_but_for_tables(one, other):
    given, read = (json.loads(combination_to_json(c)) for c in (one, other))
    for p in (*given["predictions"], *read["predictions"]):
        p["table"] = ""
    return given == read


@pytest.mark.parametrize(
    "tables",
    [("", ""), ("same.csv", "same.csv"), ("Same.csv", "same.CSV"), ("model.toml", "a_statistical.csv"), ("x/y.csv", "..")],
)
def test_names_of_tables_that_cannot_be_kept(tmp_path, tables):
    given = general(tables=tables)
    path = write_model(given, tmp_path / "model")
    found = bc.load(path)
    assert same_but_for_tables(found, given)
    names = [p.table for p in found.predictions]
    assert len(set(names)) == 2
    assert all((path.parent / name).is_file() for name in names)
    assert_same(write_model(found, tmp_path / "again"), found)


def test_one_table_may_serve_two_predictions(tmp_path):
    first = general().predictions[0]
    given = changed(general(), predictions=(first, changed(first, name="again", per_bin_width=True)), extractions={})
    path = write_model(given, tmp_path / "model")
    assert [p.name for p in path.parent.glob("*.csv")] == ["first.csv"]
    assert_same(path, given)


def test_prediction_that_no_table_can_hold_is_refused(tmp_path):
    plain = simple(truth(1), extraction({"p": "absolute"}))
    table = plain.predictions[0]
    upside_down = changed(plain, predictions=(changed(table, bins=table.bins[::-1]),))
    with refused(OutputError, "the format cannot express this combination", "predictions"):
        write_model(upside_down, tmp_path / "model")
    blank = tuple(v._replace(pdf_set=f" {v.pdf_set}") for v in table.variants)
    with refused(OutputError, "the format cannot express this combination"):
        write_model(
            changed(plain, extraction="", extractions={}, predictions=(changed(table, variants=blank),)), tmp_path / "m"
        )
    assert not list(tmp_path.iterdir())


def test_convino_files_leave_predictions_out_with_a_warning(tmp_path):
    given = general()
    named = [changed(m, name=f"m{i}", estimates=[changed(e, name=e.name.replace(".", "_")) for e in m.estimates])
             for i, m in enumerate(given.measurements)]  # fmt: skip
    given = changed(given, measurements=tuple(named))
    with pytest.warns(InputWarning, match=r"theory\.txt: Convino files hold no predictions, left out: 'a', 'b'"):
        path = write_convino(given, tmp_path)
    again = bc.load(path)
    assert again.predictions == ()
    np.testing.assert_allclose(bc.profile(again).values, bc.profile(given).values, rtol=1e-12)


def test_convino_files_refuse_an_extraction_in_force(tmp_path):
    with refused(OptionError, "extraction 'one' cannot be written to Convino files", "with_extraction('')"):
        write_convino(general(chosen="one"), tmp_path / "new")
    assert not (tmp_path / "new").exists()
