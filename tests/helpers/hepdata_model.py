"""Models whose measurement is a submission of HEPData."""

import hepdata_tables as made
import numpy as np

import bayescomb as bc

STAT = np.array([1.0, 2.0, 0.5])
JES = np.array([0.5, -0.25, 0.125])
LUMI = np.array([0.1, 0.2, 0.04])
VALUES = [10.0, 20.0, 4.0]
CORRELATION = np.array([[1.0, -0.25, 0.125], [-0.25, 1.0, 0.0], [0.125, 0.0, 1.0]])
COVARIANCE = CORRELATION * np.outer(STAT, STAT)
TOTAL = COVARIANCE + np.outer(JES, JES) + np.outer(LUMI, LUMI)
ERRORS = {"stat": STAT.tolist(), "sys,JES": JES.tolist(), "sys,lumi": ["1%", "1%", "1%"]}

OBSERVABLES = """observables = [{ name = "bin1", unit = "pb" }, { name = "bin2", unit = "pb" }, { name = "bin3" }]"""
ENTRY = """name = "ATLAS"
experiment = "ATLAS"
hepdata = "hep"
observables = ["bin1", "bin2", "bin3"]
sources = { "sys,J*" = "JES" }"""
MAPPING = """values = "Table 1"
statistical = "stat"
labels = "sys,*"
statistical_covariance = "Statistical"
total_covariance = "Total"
"""


def tables(errors=None, **changed):
    """A table of values and two matrices; ``None`` takes one away."""
    found = {
        "Table 1": made.table([made.axis(made.EDGES)], [made.column(VALUES, ERRORS if errors is None else errors)]),
        "Statistical": made.matrix(COVARIANCE),
        "Total": made.matrix(TOTAL),
    } | changed
    return {name: content for name, content in found.items() if content is not None}


def model(folder, content=None, mapping=MAPPING, entry=ENTRY, observables=OBSERVABLES):
    """The folder of a model with its submission in ``hep``."""
    made.write(folder / "hep", tables() if content is None else content)
    text = f"""format = 1
name = "small"
{observables}
sources = [{{ name = "JES" }}]
[[measurements]]
{entry}
[measurements.tables]
{mapping}
[[assumption_sets]]
name = "none"
"""
    (folder / "model.toml").write_text(text)
    return folder


def load(folder, *arguments, **named):
    """The measurement of such a model."""
    return bc.load(model(folder, *arguments, **named)).measurements[0]
