"""A model file with `[[measurements]]` of every kind, for the tests: its files, edited copies, and smaller models."""

from refusals import file_editor

MODEL = """
format = 1
name = "demo"
chi2 = "pearson"
nuisance_values = "ignored"
repair = "clip"
normalise = true
observables = [{ name = "bin1", unit = "pb" }, { name = "bin2", unit = "pb" }, { name = "d_z", spectator = true }]
sources = [{ name = "JES" }]

[[measurements]]
name = "fitted"
experiment = "E1"
estimates = [
  { name = "a1", value = 10.0, observable = "bin1", title = "first bin" },
  { name = "a2", value = 20, observable = "bin2" },
]
hessian = "a_hessian.csv"
responses = "a_responses.csv"
nuisances = [
  { name = "jes_a", source = "JES", pull = 0.25 },
  { name = "norm_a", free = true },
  { name = "ext_a", response = "relative", source = "JES" },
]

[[measurements]]
name = "correlated"
experiment = "E2"
estimates = [{ name = "b12", value = 31.0, observables = { bin1 = 1.0, bin2 = 1.0 } }]
correlation = "b_correlation.csv"
nuisances = "b_nuisances.csv"

[[measurements]]
name = "counted"
estimates = [
  { name = "c1", value = 9.5, observable = "bin1" },
  { name = "c2", value = 21.0, observables = { bin2 = 1.0 } },
]
statistical = [1.0, 2.0]

[[measurements]]
name = "joint"
estimates = [{ name = "d1", value = 10.5, observable = "bin1" }, { name = "d_z", value = 91.0, observable = "d_z" }]
statistical_covariance = "d_covariance.csv"

[[impact_groups]]
name = "jets"
nuisances = ["jes_a", "jes_b"]

[[impact_groups]]
name = "statistics"
nuisances = ["stat"]

[blocks]
table = "blocks.csv"
names = ["JES"]

[[assumption_sets]]
name = "plain"

[[assumption_sets]]
name = "more"
extends = "plain"
blocks = { table = "blocks.csv", names = ["modelling"] }
"""
FILES = {
    "model.toml": MODEL,
    "a_hessian.csv": "name,a1,a2,jes_a,norm_a\na1,4,,,\na2,1,3,,\njes_a,0.5,0.2,2,\nnorm_a,0.1,0.3,0,1\n",
    "a_responses.csv": "# pb\nestimate,ext_a,mod_a\na1,0.5,+0.5/-0.25\na2,-1,0\n",
    "b_correlation.csv": "name,uncertainty,b12,jes_b\nb12,2.0,1,0.4\njes_b,0.5,0.4,1\n",
    "b_nuisances.csv": "name,response,source,free,pull\njes_b,lognormal,,false,-0.5\n",
    "d_covariance.csv": "name,d1,d_z\nd1,1.0,0.25\nd_z,0.25,4.0\n",
    "blocks.csv": "block,nuisance,1,2,3\nJES,jes_a,1,0.2,0.3\nJES,jes_b,0.2,1,0.1\nJES,ext_a,0.3,0.1,1\n"
    "modelling,mod_a,1,-0.5,\nmodelling,jes_b,-0.5,1,\n",
}


def editor(folder):
    """Writes the model into a folder and gives the factory of edited copies.

    ``edit("a_hessian.csv", old, new)`` replaces a text that occurs once, ``edit()`` nothing; edits add up.
    """
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")

    return file_editor(folder)


def small_model(folder, measurements, *, observables=("x",), rest='[[assumption_sets]]\nname = "none"\n', head=""):
    """A model of some measurements, from TOML text."""
    listed = ", ".join(f'{{ name = "{o}" }}' for o in observables)
    text = f'format = 1\nname = "small"\nobservables = [{listed}]\n{head}\n{measurements}\n{rest}'
    (folder / "model.toml").write_text(text, encoding="utf-8")
    return folder
