"""The site builds without a warning, and its links lead to pages and sections that are there."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

pytest.importorskip("myst_nb")
ROOT = Path(__file__).parents[1]
LINK = re.compile(r'<(?:a|img)[^>]* (?:href|src)="([^"]+)"')
# Files of the repository that README and the guide point to; tests/test_readme.py follows them in their place.
REPOSITORY = (".py", ".toml", ".csv", ".txt", ".cff", ".md", "run1_mass", "ttj_rho")


@pytest.mark.slow
def test_site_builds_and_its_links_lead_somewhere(tmp_path):
    words = [
        sys.executable,
        "-m",
        "sphinx",
        "--fail-on-warning",
        "--keep-going",
        "-q",
        "-b",
        "html",
        "-d",
        str(tmp_path / "d"),
    ]
    run = subprocess.run(
        [*words, str(ROOT / "notebooks"), str(tmp_path / "site")], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    pages = {path.resolve(): path.read_text(encoding="utf-8") for path in (tmp_path / "site").rglob("*.html")}
    assert len(pages) > 20
    for path, text in pages.items():
        for link in LINK.findall(text):
            place, _, anchor = unquote(link).partition("#")
            if "://" in place or place.startswith(("mailto:", "data:")) or place.endswith(REPOSITORY):
                continue
            target = (path.parent / place).resolve() if place else path
            assert target.exists(), f"{path.name}: {link}"
            if anchor and target in pages:
                assert f'id="{anchor}"' in pages[target], f"{path.name}: {link}"
