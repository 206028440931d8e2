"""The site: README, the guide, the notebooks with their stored outputs, the reference of model.toml, and the docstrings.

``make docs`` builds it; warnings are errors, links are checked by the tests.
"""

import re
import shutil
from pathlib import Path
from types import ModuleType

import bayescomb
from bayescomb.formats.declared.reference import reference_page

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent

project = "bayescomb"
author = "bayescomb maintainers"
release = bayescomb.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax", "sphinx.ext.viewcode"]
exclude_patterns = ["conf.py", "execute.py"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
nb_execution_mode = "off"  # what is stored is what the tests hold against the scripts
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
autodoc_typehints = "none"  # the signature has them
autodoc_default_options = {"members": True, "show-inheritance": False}
napoleon_use_ivar = True  # attributes are described once
html_theme = "alabaster"
html_theme_options = {"description": "published measurements as one hierarchical Bayesian model", "page_width": "1100px"}
suppress_warnings = [
    "myst.xref_missing",  # links to files of the repository, which tests/test_readme.py follows
    "misc.highlighting_failure",  # "..." in shown output
    "myst.header",  # README begins its sections below its title
]


def _pages():
    """Pages that are made of something else, so that there is no second truth."""
    made = FOLDER / "_made"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    # File names in the first line of a block are for readers of the source
    readme = re.sub(r"^```(\w+) \S+$", r"```\1", readme, flags=re.MULTILINE)
    readme = readme.replace("](notebooks/", "](../").replace("](CITATION.cff)", "](https://citation-file-format.github.io)")
    (made / "readme.md").write_text(readme, encoding="utf-8")
    (made / "reference.md").write_text(reference_page(), encoding="utf-8")
    names = "\n".join(f"## {name}\n\n```{{eval-rst}}\n{_directive(name)}\n```\n" for name in bayescomb.__all__)
    (made / "api.md").write_text(f"# What `import bayescomb as bc` offers\n\n{names}", encoding="utf-8")


def _directive(name):
    found = getattr(bayescomb, name)
    if isinstance(found, ModuleType):
        return f".. automodule:: {found.__name__}"
    kind = "autofunction"
    if isinstance(found, type):
        kind = "autoexception" if issubclass(found, Exception) else "autoclass"
    return f".. {kind}:: bayescomb.{name}"


_pages()
