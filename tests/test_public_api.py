"""What `import bayescomb` offers."""

import ast
import html
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bayescomb as bc
from bayescomb.base.shown import Shown
from bayescomb.output.text.check import check_text
from bayescomb.output.text.fit import impact_text, profile_text
from bayescomb.output.text.scan import scan_text

ROOT = Path(__file__).parent.parent


def test_every_public_name_exists_and_is_documented():
    assert dir(bc) == sorted(bc.__all__)
    for name in bc.__all__:
        assert getattr(bc, name).__doc__, name


@pytest.mark.slow
def test_public_functions_are_not_hidden_by_their_modules():
    code = (
        "import bayescomb as bc, bayescomb.cli.main, bayescomb.output.text.fit; assert "
        "all(callable(getattr(bc, n)) for n in bc.__all__ if n not in {'figures', 'fits'})"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_presentation_is_not_imported_by_inference():
    code = (
        "import bayescomb.sampling.sample, bayescomb.output.data.results, sys; print([m for m in "
        "sys.modules if m.startswith('bayescomb.')])"
    )
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {
        "bayescomb.output.report.report",
        "bayescomb.output.figures",
        "bayescomb.output.text.fit",
        "bayescomb.cli.main",
    } & set(ast.literal_eval(result.stdout))


def test_every_public_name_has_an_example():
    assert not [name for name in bc.__all__ if ">>>" not in (getattr(bc, name).__doc__ or "")]


@pytest.fixture(scope="module")
def small():
    measurements = tuple(
        bc.Measurement(
            name=name,
            experiment=name,
            estimates=(bc.Estimate(name=name, value=value, observables={"x": 1.0}),),
            statistical_covariance=[[4.0]],
            nuisances=(bc.Nuisance(name=f"jets[{name}]", source="jets"),),
            responses=[[1.5]],
        )
        for name, value in (("first", 9.0), ("second", 11.0))
    )
    pair = bc.CorrelationPair(first="jets[first]", second="jets[second]")
    coefficient = bc.CorrelationCoefficient(name="r", pairs=(pair,), nominal=0.5, low=0.0, high=0.9)
    return bc.Combination(
        name="a<b",
        measurements=measurements,
        observables=(bc.Observable(name="x", unit="pb"),),
        assumption_sets={"nominal": bc.AssumptionSet(name="nominal", coefficients=(coefficient,))},
        assumptions="nominal",
        sources=(bc.Source(name="jets", title="Jets"),),
    )


def test_results_show_the_text_of_the_command_line(small):
    for found, text in (
        (bc.check(small), check_text),
        (bc.impacts(small), impact_text),
        (bc.profile(small), profile_text),
        (bc.scan(small), scan_text),
    ):
        assert str(found) == text(found)
        assert f"{found}".startswith("a<b: assumption set 'nominal'")


def test_a_combination_shows_its_settings_and_sizes(small):
    first, sizes = str(small).split("\n")
    assert first == str(bc.profile(small)).split("\n")[0]
    assert sizes == "2 measurements, 2 estimates, 1 observable, 1 source, 2 nuisances"


def test_a_notebook_shows_the_text_escaped(small):
    block = small._repr_html_()
    assert block.startswith("<pre>a&lt;b: assumption set 'nominal'")
    assert block.endswith("2 nuisances</pre>")


def test_tables_of_a_notebook_hold_the_cells_of_the_text(small):
    for found in (bc.profile(small), bc.impacts(small), bc.scan(small), bc.check(small)):
        text, page = str(found), found._repr_html_()
        cells = [html.unescape(cell) for cell in re.findall(r"<t[hd] [^>]*>(.*?)</t[hd]>", page)]
        assert cells
        assert page.count("<table>") == len(re.findall(r"^-+$", text, flags=re.MULTILINE))
        assert all(cell in text for cell in cells)
        outside = html.unescape(re.sub(r"<table>.*?</table>|</?pre>", "\n", page))
        # what is no table is the text, in its order
        lines = [line for line in text.splitlines() if line.strip()]
        left = [line for line in outside.splitlines() if line.strip()]
        assert left == [line for line in lines if line in left]
        assert "\0" not in page


def test_repr_is_one_line(small):
    # Equal errors: the mean has the variance (4 + 2.25 (1 + 0.5)) / 2 = 3.6875 = 1.920^2, and the difference 2 has the
    # variance 2 (4 + 2.25 (1 - 0.5)) = 10.25, so that chi2 is 4 / 10.25 = 0.390.
    assert repr(small) == "<Combination a<b: 2 estimates of 1 observable, 1 source, assumption set 'nominal'>"
    assert repr(bc.profile(small)) == "<ProfileResult a<b: x = 10.0 +- 1.9 pb, chi2 0.390 for 1>"
    assert repr(bc.scan(small)) == "<ScanResult a<b: 1 scan>"
    assert repr(bc.check(small)) == "<CheckResult a<b: 2 estimates, 1 source, 1 coefficient, 0 indefinite>"
    assert repr(bc.impacts(small)).startswith("<ImpactResult a<b: propagated parts of 1 source, ")


@pytest.mark.slow
def test_a_posterior_summary_shows_the_text_of_the_command_line(run1_posterior):
    sampled = bc.summarise(run1_posterior)
    assert str(sampled) == bc.summary_text(run1_posterior)
    assert str(sampled).startswith(bc.verdict(run1_posterior).sentence)
    assert repr(sampled) == "<Sampled run1_mass: posterior of 1 result, converged>"
    assert sampled._repr_html_().count("m_t = 172.5") == 1


def test_the_figures_are_public():
    assert "figures" in bc.__all__
    assert bc.figures.__all__
    assert all(name.startswith("draw_") and callable(getattr(bc.figures, name)) for name in bc.figures.__all__)


@pytest.mark.slow
def test_every_class_that_shows_itself_has_a_text():
    import bayescomb.studies.comparison  # noqa: F401  # loads PyMC

    classes = {f"{c.__module__}.{c.__name__}" for c in Shown.__subclasses__() if c.__module__.startswith("bayescomb.")}
    assert {name for name in classes if not name.startswith("bayescomb.base.")} == set(bc._TEXTS)
    for name, (module, function) in bc._TEXTS.items():
        assert callable(getattr(importlib.import_module(module), function)), name


@pytest.mark.parametrize(
    "path",
    [*(p for p in ROOT.glob("notebooks/*.py") if p.stem != "conf"), *ROOT.glob("models/*/sample.py")],
    ids=lambda p: f"{p.parent.name}/{p.stem}",
)
def test_notebooks_and_model_scripts_import_no_internals(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not [a.name for a in node.names if a.name.startswith("bayescomb.")]
        if isinstance(node, ast.ImportFrom):
            assert not (node.module or "").startswith("bayescomb")
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "bc":
            assert node.attr in bc.__all__


def test_the_readme_imports_no_internals():
    assert not re.findall(
        r"^(?:from|import) bayescomb\..*$", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
