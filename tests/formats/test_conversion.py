"""A model is converted to the form that the name of the target asks for."""

import pytest
from combinations import star
from general_model import editor
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import FileFormatError, OptionError, OutputError
from bayescomb.formats.loading import convert
from bayescomb.formats.toml.model_writer import write_model
from bayescomb.inputs.serialise import combination_to_json


@pytest.fixture
def source(tmp_path):
    """Folder of the general model."""
    (tmp_path / "source").mkdir()
    return editor(tmp_path / "source")()


def same(first, second):
    return combination_to_json(bc.load(first)) == combination_to_json(bc.load(second))


@pytest.mark.parametrize(
    ("target", "file"),
    [("new", "new/model.toml"), ("there", "there/model.toml"), ("new/a.toml", "new/a.toml"), ("v1.2", "v1.2/model.toml")],
)
def test_folder_and_toml_file(tmp_path, source, target, file):
    (tmp_path / "there").mkdir()
    (tmp_path / "v1.2").mkdir()
    assert convert(source, tmp_path / target) == tmp_path / file
    assert same(tmp_path / file, source)


def test_run1_mass_gives_the_same_profile(run1, run1_path, tmp_path):
    fit, expected = bc.profile(bc.load(convert(run1_path, str(tmp_path / "copy")))), bc.profile(run1)
    assert (fit.chi2, fit.values.values.tolist(), fit.errors.values.tolist()) == (
        expected.chi2,
        expected.values.values.tolist(),
        expected.errors.values.tolist(),
    )


def test_twice_converted_is_the_same_text(tmp_path, source):
    first, second = (convert(s, tmp_path / t).parent for s, t in ((source, "one"), (tmp_path / "one", "two")))
    assert {p.name: p.read_text() for p in first.iterdir()} == {p.name: p.read_text() for p in second.iterdir()}


@pytest.mark.parametrize("target", ["model.json", "v1.2", "model.TOML"])
def test_ending_that_names_no_form(tmp_path, source, target):
    with refused(OptionError, target, "names no form of a model", "NAME.toml", "NAME.txt"):
        convert(source, tmp_path / target)
    assert not (tmp_path / target).exists()


def test_source_that_is_no_model(tmp_path):
    with refused(FileFormatError, "absent"):
        convert(tmp_path / "absent", tmp_path / "new")


@pytest.mark.parametrize("target", ["source", "source/model.toml"])
def test_source_is_not_written_over_by_accident(tmp_path, source, target):
    before = {p.name: p.read_text() for p in source.iterdir()}
    with refused(OutputError, "model.toml", "there already"):
        convert(source, tmp_path / target)
    assert {p.name: p.read_text() for p in source.iterdir()} == before


def test_source_may_be_written_over_on_purpose(source):
    before = combination_to_json(bc.load(source))
    assert convert(source, source, overwrite=True) == source / "model.toml"
    assert combination_to_json(bc.load(source)) == before


@pytest.mark.parametrize("target", ["x" * 300, "nul\0", "absent/deeper/still"])
def test_place_that_cannot_be_written(tmp_path, source, target):
    with refused(OutputError, str(tmp_path)):
        convert(source, tmp_path / target)


def test_convino_files_are_not_written_over_by_accident(tmp_path):
    write_model(star(2), tmp_path / "model")
    base = convert(tmp_path / "model", tmp_path / "base.txt")
    assert base == tmp_path / "base.txt"
    for target in ("base.txt", "other.txt"):  # the measurement files are there too
        with refused(OutputError, "there already", "on purpose"):
            convert(tmp_path / "model", tmp_path / target)
    before = base.read_text()
    assert convert(tmp_path / "model", base, overwrite=True).read_text() == before
