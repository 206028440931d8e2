"""The report by its command, under the other treatment."""

import re

import matplotlib as mpl
import pytest
from report_pages import unrendered

from bayescomb.cli.main import main


@pytest.mark.slow
def test_report_command_tells_repairs_rounds_by_the_errors_and_leaves_matplotlib_alone(tmp_path, capsys):
    before = dict(mpl.rcParams)
    words = [
        "report",
        "models/run1_mass",
        "--treatment",
        "nuisance",
        "--repair",
        "nearest",
        "--output",
        str(tmp_path / "out"),
    ]
    with unrendered():
        assert main(words) == 0
    assert capsys.readouterr().out.strip().splitlines()[-1] == str(tmp_path / "out" / "report.html")
    text = re.sub(r"<[^>]+>", " ", re.sub(r'src="data:[^"]*"', "", (tmp_path / "out" / "report.html").read_text()))
    assert "repair nearest" in text
    assert "0.692" in text  # largest change of a PDF correlation
    # estimates 173.79 and 175.06 with total errors of 1.41 and 1.82: two digits of these
    assert "173.8" in text
    assert "175.1" in text
    assert {k: v for k, v in mpl.rcParams.items() if k != "backend"} == {k: v for k, v in before.items() if k != "backend"}
