"""Execute the notebooks and keep their outputs: ``python notebooks/execute.py [NAME ...]`` writes NAME.ipynb beside NAME.py.

The scripts are what is edited; the ``.ipynb`` files are for reading, and a test holds their cells against the scripts.
"""

import re
import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent
OWN = {Path(__file__).name, "conf.py"}
# Shown outputs that differ from run to run, or name the machine.
VOLATILE = re.compile(r"(compiled in )[^,]+(, sampled in ).*")


def execute(path):
    """The notebook of a script, with outputs and without anything that differs from run to run."""
    notebook = jupytext.read(path)
    NotebookClient(notebook, timeout=1800, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}).execute()
    for i, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{i}"
        cell.metadata = {}
        for output in cell.get("outputs", []):
            for kind, text in (output.get("data") or {}).items():
                if kind.startswith("text/"):
                    output["data"][kind] = _plain(text)
            if "text" in output:
                output["text"] = _plain(output["text"])
    notebook.metadata = {key: notebook.metadata[key] for key in ("kernelspec", "jupytext")}
    return notebook


def _plain(text):
    return VOLATILE.sub(r"\1some\2some seconds", text)


def main(names):
    """Execute those that are named, all by default."""
    for path in sorted(FOLDER.glob("*.py")):
        if path.name not in OWN and (not names or path.stem in names):
            nbformat.write(execute(path), path.with_suffix(".ipynb"))
            print(path.with_suffix(".ipynb"))


if __name__ == "__main__":
    main(sys.argv[1:])
