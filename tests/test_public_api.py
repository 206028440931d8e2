"""What `import bayescomb` offers."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bayescomb as bc


def test_every_public_name_exists_and_is_documented():
    assert dir(bc) == sorted(bc.__all__)
    for name in bc.__all__:
        assert getattr(bc, name).__doc__, name


@pytest.mark.slow
def test_public_functions_are_not_hidden_by_their_modules():
    code = (
        "import bayescomb as bc, bayescomb.cli.main, bayescomb.output.text; assert "
        "all(callable(getattr(bc, n)) for n in bc.__all__)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_presentation_is_not_imported_by_inference():
    code = (
        "import bayescomb.sampling.sample, bayescomb.output.data, sys; print([m for m in "
        "sys.modules if m.startswith('bayescomb.')])"
    )
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {
        "bayescomb.output.report.report",
        "bayescomb.output.figures",
        "bayescomb.output.text",
        "bayescomb.cli.main",
    } & set(ast.literal_eval(result.stdout))


@pytest.mark.slow
def test_readme_example_prints_what_the_readme_says(capsys):
    blocks = re.findall(r"```(?:python)?\n(.*?)```", Path("README.md").read_text(), flags=re.DOTALL)
    exec(compile(blocks[0], "README.md", "exec"), {})
    assert capsys.readouterr().out == blocks[1]


def test_every_public_name_has_an_example():
    assert not [name for name in bc.__all__ if ">>>" not in (getattr(bc, name).__doc__ or "")]
