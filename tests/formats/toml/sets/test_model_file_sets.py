"""Assumption sets of a model file: what a coefficient may say, and how a wrong one is refused."""

import pytest
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import (
    DuplicateNameError,
    FileFormatError,
    InvalidNumberError,
    OptionError,
    RangeError,
    UnknownNameError,
)

# The first coefficient of the file, in the two parts that the tests replace.
SCOPE = 'source = "LHCJES2"\nbetween = ["ATLAS", "CMS"]\n'
VALUES = "nominal = 0.00\nlow = -0.25\nhigh = 0.25\n"
PLACE = "assumption_sets['nominal']: coefficients['LHCJES2']"


@pytest.fixture
def with_first(edited_model):
    """Factory of a model whose first coefficient has another scope or other values."""

    def edit(*, scope=SCOPE, values=VALUES):
        return edited_model("model.toml", replace=(SCOPE + VALUES, scope + values))

    return edit


@pytest.mark.parametrize(
    ("values", "error", "said"),
    [
        ("nominal = 1.5\n", RangeError, ["nominal = 1.5 found", "lies in [-1, 1]"]),
        ("nominal = 0\nlow = -1.25\nhigh = 0.25\n", RangeError, ["low = -1.25 found", "lies in [-1, 1]"]),
        ("nominal = 0\nlow = -0.25\nhigh = 1.25\n", RangeError, ["high = 1.25 found", "lies in [-1, 1]"]),
        ("nominal = 0.3\nlow = -0.25\nhigh = 0.25\n", RangeError, ["0.3 lies outside its range", "nominal_outside_range"]),
        ("nominal = 0\nlow = 0.25\nhigh = -0.25\n", RangeError, ["range 0.25 to -0.25 is empty", "low must lie below"]),
        ("nominal = 0\nlow = 0\nhigh = 0\n", RangeError, ["range 0.0 to 0.0 is empty", "low must lie below high"]),
        ("nominal = 0\nlow = -0.25\n", RangeError, ["low = -0.25, high = None", "give both ends"]),
        ("nominal = nan\n", InvalidNumberError, ["nominal: nan found", "a finite number is needed"]),
        ("nominal = inf\n", InvalidNumberError, ["nominal: inf found", "a finite number is needed"]),
        ("nominal = true\n", InvalidNumberError, ["nominal: True found", "a finite number is needed"]),
        ('nominal = "half"\n', InvalidNumberError, ["nominal: 'half' found", "a finite number is needed"]),
        ("nominal = [0.5]\n", InvalidNumberError, ["nominal: [0.5] found", "a finite number is needed"]),
        (f"nominal = {'9' * 400}\n", InvalidNumberError, ["nominal: 999", "a finite number is needed"]),
        ("low = -0.25\nhigh = 0.25\n", FileFormatError, ["missing key 'nominal'", "add it"]),
        ('nominal = 0\nprior = "flat"\n', OptionError, ["'flat' found", "uniform, triangular, beta"]),
        ("nominal = 0\nlow = 0\nhgih = 1\n", UnknownNameError, ["unknown key 'hgih'", "did you mean 'high'?"]),
    ],
)
def test_wrong_values_of_a_coefficient(with_first, values, error, said):
    with refused(error, "model.toml", PLACE, *said):
        bc.load(with_first(values=values))


@pytest.mark.parametrize(
    ("scope", "error", "said"),
    [
        (SCOPE.replace("LHCJES2", "LHCJES22"), UnknownNameError, ["unknown source 'LHCJES22'", "did you mean 'LHCJES2'"]),
        (SCOPE.replace("CMS", "CSM"), UnknownNameError, [".between", "experiment 'CSM'", "did you mean 'CMS'?"]),
        (SCOPE.replace(', "CMS"', ""), FileFormatError, [".between", "['ATLAS'] found", "two experiments"]),
        (SCOPE.replace("CMS", "ATLAS"), InvalidNumberError, ["'LHCJES2[a]'", "with itself", "two different nuisances"]),
        ('between = ["ATLAS", "CMS"]\n', FileFormatError, ["'between' and 'blocks'", "name the 'source'"]),
        ('source = "LHCJES2"\n', FileFormatError, ["nothing found", "'between', 'blocks' or 'pairs'"]),
        ('source = "LHCJES2"\nblocks = []\n', FileFormatError, ["it correlates nothing", "name at least one pair"]),
        (f"{SCOPE}pairs = []\n", FileFormatError, ["['between', 'pairs'] found", "by one of"]),
        (f'{SCOPE}opposite_pairs = [["x", "y"]]\n', FileFormatError, ["['between', 'pairs'] found", "by one of"]),
        (f'{SCOPE}negative = ["z"]\n', UnknownNameError, [".negative", "'z'", "known: 'a', 'b'"]),
        (f'{SCOPE}negative = ["a", "a"]\n', DuplicateNameError, [".negative", "'a' stands twice"]),
        (f'{SCOPE}negative = "a"\n', FileFormatError, ["negative = 'a' found", "a list of texts"]),
        ("pairs = 3\n", FileFormatError, [".pairs", "3 found", "a list of pairs"]),
        ('pairs = [["LHCJES2[a]"]]\n', FileFormatError, [".pairs", "['LHCJES2[a]'] found", "two nuisance names"]),
        ('pairs = [["LHCJES2[a]", "LHCJES2[a]"]]\n', InvalidNumberError, [".pairs", "with itself", "two different"]),
        (
            'pairs = [["LHCJES2[a]", "LHCJES2[g]"]]\nnegative = ["a"]\n',
            FileFormatError,
            ["'negative' found without 'between'", "by 'opposite_pairs'"],
        ),
        (
            'source = "LHCJES2"\nblocks = [{ left = ["a"], right = ["z"] }]\n',
            UnknownNameError,
            ["estimate 'z'", "known: 'a', 'b'"],
        ),
        (
            'source = "LHCJES2"\nblocks = [{ left = ["a"] }]\n',
            FileFormatError,
            ["blocks[0]", "missing key 'right'"],
        ),
        (
            'source = "LHCJES2"\nblocks = [{ left = ["a"], right = ["g"] }]\nnegative = ["h"]\n',
            UnknownNameError,
            [".negative", "unknown estimate of this coefficient 'h'", "known: 'a', 'g'"],
        ),
    ],
)
def test_wrong_scope_of_a_coefficient(with_first, scope, error, said):
    with refused(error, "model.toml", PLACE, *said):
        bc.load(with_first(scope=scope))


def test_unknown_nuisance_of_a_pair(with_first):
    model = with_first(scope='pairs = [["LHCJES2[a]", "LHCJES2[gg]"]]\n')
    with refused(UnknownNameError, "model.toml", "'nominal'", "nuisance 'LHCJES2[gg]'", "did you mean 'LHCJES2[g]'"):
        bc.load(model)


def test_correlation_stated_by_a_block_and_a_coefficient(with_first):
    model = with_first(scope='pairs = [["LHCJES2[a]", "LHCJES2[b]"]]\n')
    with refused(DuplicateNameError, "model.toml", "block 'LHCJES2, ATLAS'", "coefficient 'LHCJES2'", "keep one"):
        bc.load(model)


def test_correlation_stated_by_two_coefficients(with_first):
    model = with_first(scope='pairs = [["LHCJES3[a]", "LHCJES3[g]"]]\n')
    said = ("coefficient 'LHCJES3'", "already stated by coefficient 'LHCJES2'", "'LHCJES3[a]'", "keep one")
    with refused(DuplicateNameError, "model.toml", *said):
        bc.load(model)


@pytest.mark.parametrize(
    ("replace", "error", "said"),
    [
        (
            ('name = "LHCJES3"\ntitle = "LHC JES 3"\ns', 'name = "LHCJES2"\ns'),
            DuplicateNameError,
            [PLACE, "stands twice in this set", "keep one"],
        ),
        (
            ('name = "uncorrelated"', 'name = "nominal"'),
            DuplicateNameError,
            ["assumption set 'nominal' stands twice", "its own name"],
        ),
        (
            ('extends = "nominal"', 'extends = "nominla"'),
            UnknownNameError,
            ["assumption_sets['filled_pileup']", "set 'nominla'", "did you mean 'nominal'?"],
        ),
        (
            ('extends = "nominal"', 'extends = "filled_pileup"'),
            UnknownNameError,
            ["assumption_sets['filled_pileup']", "unknown assumption set 'filled_pileup'"],
        ),
    ],
)
def test_wrong_names_of_sets_and_coefficients(edited_model, replace, error, said):
    with refused(error, "model.toml", *said):
        bc.load(edited_model("model.toml", replace=replace))


def test_category_gives_every_pair_the_product_of_the_signs(run1):
    coefficient = next(c for c in run1.assumption_set.coefficients if c.name == "btag")
    signs = {(p.first, p.second): p.sign for p in coefficient.pairs}
    assert len(signs) == 6 * 9
    assert {pair for pair, sign in signs.items() if sign < 0} == {(f"btag[{a}]", "btag[j]") for a in "abcdef"}


def test_pairs_and_opposite_pairs_carry_their_signs(with_first):
    scope = 'pairs = [["LHCJES2[a]", "LHCJES2[g]"]]\nopposite_pairs = [["LHCJES2[b]", "LHCJES2[g]"]]\n'
    (coefficient, *_) = bc.load(with_first(scope=scope)).assumption_set.coefficients
    assert [(p.first, p.sign) for p in coefficient.pairs] == [("LHCJES2[a]", 1), ("LHCJES2[b]", -1)]


def test_opposite_pairs_alone_are_not_ignored(with_first):
    (coefficient, *_) = bc.load(
        with_first(scope='opposite_pairs = [["LHCJES2[b]", "LHCJES2[g]"]]\n')
    ).assumption_set.coefficients
    assert [(p.first, p.sign) for p in coefficient.pairs] == [("LHCJES2[b]", -1)]


def test_set_that_extends_another_replaces_by_name_and_keeps_the_rest(run1):
    nominal, filled = (run1.assumption_sets[name].coefficients for name in ("nominal", "filled_pileup"))
    assert [c.name for c in filled] == [c.name for c in nominal]
    assert [a.name for a, b in zip(nominal, filled, strict=True) if a != b] == ["pileup"]


def test_inherited_coefficient_keeps_its_pairs_and_title_under_new_values(edited_model):
    text = 'name = "uncorrelated"\n'
    new = f'{text}extends = "nominal"\ncoefficients = [{{ name = "JER", nominal = 0.1, low = 0.0, high = 0.2 }}]\n'
    sets = bc.load(edited_model("model.toml", replace=(text, new))).assumption_sets
    old, new = ({c.name: c for c in sets[name].coefficients}["JER"] for name in ("nominal", "uncorrelated"))
    assert (new.pairs, new.title, new.source) == (old.pairs, old.title, old.source)
    assert (new.nominal, new.range) == (0.1, (0.0, 0.2))
