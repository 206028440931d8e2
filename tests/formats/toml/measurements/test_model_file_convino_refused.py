"""`[[measurements]]` that name a Convino file: every wrong key and line is refused with its place."""

import pytest
from convino_model import editor
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import DuplicateNameError, FileFormatError, InvalidNumberError, OptionError, UnknownNameError

LEFT, RIGHT = "measurements['left']", "measurements['right']"


@pytest.fixture
def model(tmp_path):
    """Factory of edited copies of the model."""
    return editor(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "error", "said"),
    [
        ('"left.txt"', "3", FileFormatError, [LEFT, "convino = 3 found", "a text"]),
        ('"left.txt"', '"lef.txt"', FileFormatError, [f"{LEFT}.convino", "lef.txt", "no such file"]),
        ('"left.txt"', '""', FileFormatError, [f"{LEFT}.convino", "a folder found"]),
        ('"left.txt"', '"base.txt"', FileFormatError, [f"{LEFT}.convino", "base.txt:2", "belongs in a base file"]),
        ('"left.txt"', '"right.txt"', UnknownNameError, [f"{LEFT}.observables", "estimate of", "right.txt", "'l_mass'"]),
        ('name = "left"\n', "", FileFormatError, ["measurements[0]", "missing key 'name'"]),
        ('name = "left"\n', "name = 3\n", FileFormatError, ["measurements[3]", "name = 3 found"]),
        ('"left.txt"', '"left.txt"\nexperiment = 1', FileFormatError, [LEFT, "experiment = 1 found"]),
        ("convino =", "convno =", UnknownNameError, []),
        ('convino = "left.txt"\n', "", FileFormatError, [LEFT, "missing key 'estimates'"]),
        (
            'convino = "left.txt"\n',
            'estimates = [{ name = "x", value = 1, observable = "mass" }]\nstatistical = [1]\n',
            FileFormatError,
            [LEFT, "'observables' found without 'convino'"],
        ),
        *(
            (
                '"left.txt"',
                f'"left.txt"\n{key} = {value}',
                FileFormatError,
                [LEFT, f"'{key}' found", "'left.txt'", "keep one"],
            )
            for key, value in {
                "estimates": '[{ name = "l_mass", value = 172.5, observable = "mass" }]',
                "statistical": "[3.0, 0.2]",
                "statistical_covariance": '"x.csv"',
                "hessian": '"x.csv"',
                "correlation": '"x.csv"',
                "responses": '"x.csv"',
                "nuisances": "[]",
            }.items()
        ),
        ("{ l_mass =", "{ l_mas =", UnknownNameError, [f"{LEFT}.observables", "left.txt", "did you mean 'l_mass'"]),
        ("{ l_mass =", "{ l_scale =", UnknownNameError, [f"{LEFT}.observables", "unknown estimate", "'l_scale'"]),
        (
            'l_mass = "mass"',
            'l_mass = "mas"',
            UnknownNameError,
            [f"{LEFT}.observables.l_mass", "observable 'mas'", "'mass'"],
        ),
        ('l_mass = "mass"', "l_mass = 1.0", FileFormatError, [f"{LEFT}.observables.l_mass", "1.0 found", "bin2 = 1.0"]),
        ('l_mass = "mass"', 'l_mass = ["mass"]', FileFormatError, [f"{LEFT}.observables.l_mass", "['mass'] found"]),
        ('{ l_mass = "mass" }', '"mass"', FileFormatError, [LEFT, "observables = 'mass' found", "a table is needed"]),
        ("{ width = 1.0 }", "{ widt = 1.0 }", UnknownNameError, [f"{RIGHT}.observables.r_width", "'widt'", "'width'"]),
        ("{ width = 1.0 }", "{ width = nan }", InvalidNumberError, [f"{RIGHT}.observables.r_width.width", "nan found"]),
        ("{ width = 1.0 }", "{ width = 0 }", InvalidNumberError, [RIGHT, "'r_width'", "belongs to no observable"]),
        ("{ width = 1.0 }", "{}", InvalidNumberError, [RIGHT, "'r_width'", "belongs to no observable"]),
        (
            '{ l_mass = "mass" }',
            "{}",
            UnknownNameError,
            [f"{LEFT}.observables", "estimate 'l_mass'", "left.txt:13", "add l_mass ="],
        ),
        ('observables = { l_mass = "mass" }\n', "", UnknownNameError, [f"{LEFT}.observables", "estimate 'l_mass'"]),
        (
            ', { name = "l_rate", spectator = true }',
            "",
            UnknownNameError,
            [f"{LEFT}.observables", "estimate 'l_rate'", "left.txt:15", "declare a spectator 'l_rate'"],
        ),
        ('name = "right"', 'name = "left"', DuplicateNameError, ["measurements of combination", "'left' stands twice"]),
        (
            '"right.txt"\n',
            '"right.txt"\nsources = "scale"\n',
            FileFormatError,
            [RIGHT, "sources = 'scale' found", "a table"],
        ),
        (
            '"right.txt"\n',
            '"right.txt"\nsources = { r_scale = 1 }\n',
            FileFormatError,
            [f"{RIGHT}.sources", "r_scale = 1 found"],
        ),
        (
            '"right.txt"\n',
            '"right.txt"\nsources = { "r_*" = "scal" }\n',
            UnknownNameError,
            [f"{RIGHT}.sources['r_*']", "unknown source 'scal'", "'scale'"],
        ),
        (
            '"right.txt"\n',
            '"right.txt"\nsources = { "R_*" = "scale" }\n',
            UnknownNameError,
            [f"{RIGHT}.sources", "'R_*' matches no nuisance", "('r_scale', 'r_tagging', 'r_model')"],
        ),
        (
            '"right.txt"\n',
            '"right.txt"\nsources = { "r_*" = "scale", "r_model" = "model" }\n',
            FileFormatError,
            [f"{RIGHT}.sources", "'r_model' matches only", "earlier pattern", "('r_model')", "put it before"],
        ),
    ],
)
def test_wrong_key(model, old, new, error, said):
    folder = model()
    text = (folder / "model.toml").read_text()
    assert old in text
    (folder / "model.toml").write_text(text.replace(old, new, 1))
    with refused(error, "model.toml", *said):
        bc.load(folder)


@pytest.mark.parametrize(
    ("name", "old", "new", "error", "said"),
    [
        ("left.txt", "172.5", "x", InvalidNumberError, [f"{LEFT}.convino", "left.txt:14", "'x' found"]),
        ("left.txt", "[end estimates]\n", "", FileFormatError, [f"{LEFT}.convino", "left.txt:11", "is not ended"]),
        ("left.txt", "relative", "relatve", OptionError, [f"{LEFT}.convino", "left.txt:8", "relatve"]),
        ("left.txt", "172.5", "0", InvalidNumberError, [LEFT, "left.txt:7", "'l_mass'", "make the nuisance absolute"]),
        ("left.txt", "l_rate\n", "r_mass\n", UnknownNameError, [f"{LEFT}.convino", "left.txt"]),
        (
            "right.txt",
            "r_tagging = -0.4",
            "r_model = 1",
            UnknownNameError,
            [f"{RIGHT}.convino", "right.txt:26", "'r_model'"],
        ),
    ],
)
def test_wrong_line_of_the_file(model, name, old, new, error, said):
    with refused(error, "model.toml", *said):
        bc.load(model(name, old, new))


def test_file_that_is_named_twice_is_refused(model):
    twice = '[[measurements]]\nname = "twice"\nconvino = "left.txt"\nobservables = { l_mass = "mass" }\n\n'
    with refused(
        DuplicateNameError, "model.toml", "'left' and 'twice' have a nuisance 'l_scale' each", 'shared_names = "same"'
    ):
        bc.load(model(old='[[impact_groups]]\nname = "scale"', new=twice + '[[impact_groups]]\nname = "scale"'))
