"""Writing Convino files: what they look like, what they cannot hold, and that they are whole."""

import dataclasses

import numpy as np
import pytest
from convino_files import Files
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import OptionError, OutputError
from bayescomb.formats.convino.writer import write_convino


@pytest.fixture
def combination(tmp_path):
    return Files(tmp_path / "read").load()


def changed(combination, **changes):
    return dataclasses.replace(combination, **changes)


def with_coefficients(combination, *coefficients):
    sets = {"nominal": bc.AssumptionSet(name="nominal", coefficients=coefficients)}
    return changed(combination, assumption_sets=sets)


def ranged(name, first, second, **settings):
    pair = bc.CorrelationPair(first=first, second=second)
    return bc.CorrelationCoefficient(
        **({"name": name, "pairs": (pair,), "nominal": 0.2, "low": 0.0, "high": 0.5} | settings)
    )


def with_estimate(combination, **changes):
    first, *others = combination.measurements
    estimate, *more = first.estimates
    first = changed(first, estimates=(changed(estimate, **changes), *more))
    return changed(combination, measurements=(first, *others))


def test_files_are_what_people_would_write(tmp_path, combination):
    path = write_convino(combination, tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "base.txt"
    assert sorted(p.name for p in path.parent.iterdir()) == ["base.txt", "left.txt", "right.txt"]
    assert (
        path.read_text()
        == """\
Base file of a combination for Convino and bayescomb.

[global]
  normalise = false
[end global]

[inputs]
  nFiles = 2
  file0 = left.txt
  file1 = right.txt
[end inputs]

[observables]
  mass = l_mass + r_mass
  width = r_width
[end observables]

[correlations]
  l_scale = (0.5 & 0.0 : 0.9) r_scale + (0.2 & 0.4 : -0.4) r_tagging
  l_model = (-0.3) r_model
  l_scale = (0.1) r_model
[end correlations]

[uncertainty impacts]
  scale = l_scale + r_scale
  statistics = stat
[end uncertainty impacts]
"""
    )
    assert (
        (path.parent / "right.txt").read_text()
        == """\
Measurement file for Convino and bayescomb.

[hessian]
  r_width 0.5
  r_mass 0.05 0.25
  r_scale -0.3 0.4 4.0
  r_tagging 0.0 0.02 0.1 1.5
[end hessian]

[not fitted]
  r_model
  r_width -0.2
  r_mass 0.7
[end not fitted]

[systematics]
[end systematics]

[estimates]
  n_estimates = 2
  name_0 = r_width
  value_0 = 1.4
  name_1 = r_mass
  value_1 = 173.0
[end estimates]

[nuisance values]
  r_scale = 0.0
  r_tagging = -0.4
[end nuisance values]
"""
    )
    assert "l_mass 1.5 (+2.0-1.0) 3.0" in (path.parent / "left.txt").read_text()


def test_small_shifts_have_no_exponents_in_brackets(tmp_path, combination):
    first, second = combination.measurements
    first = changed(first, responses=[[-1e-7, 1e22], [0, 0]], down_responses=[[3e-7, 1.5], [-0.0, 1e-5]])
    write_convino(changed(combination, measurements=(first, second)), tmp_path)
    lines = (tmp_path / "left.txt").read_text().splitlines()
    assert lines[4] == "  l_mass (-0.0000001+0.0000003) (+10000000000000000000000+1.5) 3.0"
    assert lines[5] == "  l_rate 0.0 (+0.0+0.00001) 0.2"


def test_base_file_can_have_another_name(tmp_path, combination):
    assert write_convino(combination, tmp_path, name="other").name == "other.txt"
    with refused(OptionError, "'left'", "already taken"):
        write_convino(combination, tmp_path, name="Left")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.with_chi2("pearson"), ["chi2 'pearson'", "only 'neyman'"]),
        (lambda c: c.with_nuisance_values("ignored"), ["nuisance_values 'ignored'", "only 'used'"]),
        (lambda c: c.with_treatment("nuisance", repair="shift"), ["repair 'shift'", "only 'none'"]),
        (lambda c: with_estimate(c, observables={"mass": 0.5}), ["'l_mass'", "{'mass': 0.5}", "factor 1"]),
        (lambda c: with_estimate(c, observables={"mass": 1.0, "width": 1.0}), ["'l_mass'", "one observable"]),
        (lambda c: with_estimate(c, name="l mass"), ["'l mass'", "an estimate", "' '"]),
        (lambda c: with_estimate(c, name="l_mass[e]"), ["'l_mass[e]'", "'['"]),
        (lambda c: with_estimate(c, name="172.5"), ["'172.5'", "a number"]),
        (lambda c: with_estimate(c, name="Stat"), ["'Stat'", "reserved"]),
        (lambda c: with_estimate(c, value=1e-70), ["'l_mass'", "1e-70", "other units"]),
        (lambda c: changed(c, name="a/b"), ["'a/b'", "the combination", "file"]),
        (lambda c: changed(c, name=".hidden"), ["'.hidden'"]),
        (lambda c: changed(c, name="left"), ["'left'", "already taken"]),
        (lambda c: changed(c, impact_groups={"a=b": ("stat",)}), ["impact group 'a=b'"]),
        (lambda c: changed(c, impact_groups={"a  b": ("stat",)}), ["impact group 'a  b'", "two blanks"]),
        (lambda c: changed(c, measurements=[changed(m, name=m.name + " 1") for m in c.measurements]), ["'left 1'", "' '"]),
    ],
)  # fmt: skip
def test_what_the_files_cannot_hold_is_refused_by_name(tmp_path, combination, change, said):
    with refused(OptionError, *said):
        write_convino(change(combination), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_covariance_treatment_and_published_models_are_refused(tmp_path, run1):
    with refused(OptionError, "treatment 'covariance'", "only 'nuisance'"):
        write_convino(run1, tmp_path)


@pytest.mark.parametrize(
    ("coefficients", "said"),
    [
        ([ranged("c", "l_scale", "r_scale", prior="triangular")], ["'c'", "triangular"]),
        ([ranged("c", "l_scale", "r_scale", prior="fixed")], ["'c'", "fixed"]),
        (
            [ranged("c", "l_scale", "r_scale", pairs=(
                bc.CorrelationPair(first="l_scale", second="r_scale"), bc.CorrelationPair(first="l_model", second="r_model"),
            ))],
            ["'c'", "2 pairs"],
        ),
        (
            [ranged("c", "l_scale", "r_scale", scan_group="g"), ranged("d", "l_model", "r_model", scan_group="g")],
            ["'g'", "'c', 'd'", "no nuisance in common"],
        ),
    ],
)  # fmt: skip
def test_coefficients_that_no_line_can_hold_are_refused(tmp_path, combination, coefficients, said):
    with refused(OptionError, *said):
        write_convino(with_coefficients(combination, *coefficients), tmp_path)


def test_scan_group_stands_on_one_line_behind_the_nuisance_it_shares(tmp_path, combination):
    coefficients = (
        ranged("a", "r_scale", "l_scale", scan_group="g"),
        ranged("b", "l_model", "r_model"),
        ranged("c", "l_scale", "r_tagging", scan_group="g", descending=True),
        ranged("d", "l_model", "r_scale", low=None, high=None, scan_group="g"),
    )
    path = write_convino(with_coefficients(combination, *coefficients), tmp_path)
    text = path.read_text()
    assert text[text.index("[corr") : text.index("[end corr")].splitlines()[1:] == [
        "  l_scale = (0.2 & 0.0 : 0.5) r_scale + (0.2 & 0.5 : 0.0) r_tagging",
        "  l_model = (0.2 & 0.0 : 0.5) r_model",
        "  l_model = (0.2) r_scale",
    ]


def test_existing_files_are_replaced_all_or_none(tmp_path, combination, monkeypatch):
    path = write_convino(combination, tmp_path)
    before = {p.name: p.read_text() for p in tmp_path.glob("*.txt")}
    new = with_estimate(combination, value=100.0)
    with monkeypatch.context() as patch:
        original = type(path).rename
        calls = []

        def rename(self, target):
            calls.append(self)
            if len(calls) == 3:
                raise OSError(28, "No space left on device")
            return original(self, target)

        patch.setattr(type(path), "rename", rename)
        with refused(OutputError, "cannot be written", "No space left"):
            write_convino(new, tmp_path)
    assert {p.name: p.read_text() for p in tmp_path.glob("*") if p.is_file()} == before
    write_convino(new, tmp_path)
    assert "value_0 = 100.0" in (tmp_path / "left.txt").read_text()
    assert np.isfinite(bc.profile(new).values).all()


def test_place_that_cannot_be_written_is_named(tmp_path, combination):
    (tmp_path / "file").write_text("")
    with refused(OutputError, str(tmp_path / "file"), "cannot be made"):
        write_convino(combination, tmp_path / "file")
    (tmp_path / "out" / "right.txt").mkdir(parents=True)
    with refused(OutputError, "right.txt", "stands in the way"):
        write_convino(combination, tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["right.txt"]
