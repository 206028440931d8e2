"""The small Convino configuration as a model file that names its measurement files, and edited copies of it."""

from convino_files import FILES
from refusals import file_editor

MODEL = """
format = 1
name = "base"
assumptions = "nominal"
observables = [{ name = "mass" }, { name = "width" }, { name = "l_rate", spectator = true }]
sources = [{ name = "scale", group = "detector" }, { name = "tagging", group = "detector" }, { name = "model" }]

[[measurements]]
name = "left"
convino = "left.txt"
observables = { l_mass = "mass" }

[[measurements]]
name = "right"
convino = "right.txt"
observables = { r_mass = "mass", r_width = { width = 1.0 } }

[[impact_groups]]
name = "scale"
nuisances = ["l_scale", "r_scale"]

[[impact_groups]]
name = "statistics"
nuisances = ["stat"]

[[assumption_sets]]
name = "nominal"
coefficients = [
  { name = "l_scale:r_scale", pairs = [["l_scale", "r_scale"]], nominal = 0.5, low = 0.0, high = 0.9 },
  { name = "l_model:r_model", pairs = [["l_model", "r_model"]], nominal = -0.3 },
]
"""


def editor(folder):
    """Writes the model and the base file that says the same into a folder and gives the factory of edited copies.

    ``edit("left.txt", old, new)`` replaces a text that occurs once, ``edit()`` nothing; edits add up.
    """
    texts = FILES | {"model.toml": MODEL}
    for line in (" + (0.2 & 0.4 : -0.4) r_tagging", "  #!FILE = more.txt\n"):
        texts["base.txt"] = texts["base.txt"].replace(line, "")
    for name, text in texts.items():
        (folder / name).write_text(text)
    return file_editor(folder)
