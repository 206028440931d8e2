# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From HEPData
#
# **Question.** Two measurements are on HEPData, as tables. How do they become a combination?
#
# **Answer.** A few lines of `model.toml` say which table is what; values, errors, bins and units come along. Where there are
# none, `bayescomb` proposes them. The tables here are made up, in the form in which the site serves them.

# %%
import json
import tempfile
from pathlib import Path

import bayescomb as bc


def table(values, stat, jes):
    """A table of the site: two bins, a statistical error and a source."""
    bins = [{"low": "0", "high": "50"}, {"low": "50", "high": "100"}]
    cells = [
        {"value": str(v), "errors": [{"label": "stat", "symerror": str(s)}, {"label": "sys,JES", "symerror": str(j)}]}
        for v, s, j in zip(values, stat, jes, strict=True)
    ]
    return "\n".join(
        [
            "independent_variables:",
            f"- {{header: {{name: PT, units: GEV}}, values: {json.dumps(bins)}}}",
            "dependent_variables:",
            f"- {{header: {{name: SIG, units: PB}}, values: {json.dumps(cells)}}}",
            "",
        ]
    )


folder = tempfile.TemporaryDirectory()
place = Path(folder.name)
for name, values in (("ATLAS", [10.0, 4.0]), ("CMS", [10.6, 4.4])):
    (place / name).mkdir()
    (place / name / "submission.yaml").write_text(
        'comment: "made up"\n---\nname: "Table 1"\ndescription: "cross section"\nkeywords: []\ndata_file: t1.yaml\n'
    )
    (place / name / "t1.yaml").write_text(table(values, [0.3, 0.2], [0.5, 0.3]))

# %% [markdown]
# Without a model the message is a proposal.

# %%
try:
    bc.load(place / "ATLAS")
except bc.BayescombError as error:
    print(str(error).replace(folder.name, "..."))

# %% [markdown]
# The model, whose only assumption is how the jet energy scale is shared.

# %%
(place / "model.toml").write_text("""format = 1
name = "two_tables"
observables = [{ name = "bin1", unit = "pb" }, { name = "bin2", unit = "pb" }]
sources = [{ name = "jet energy scale" }]

[[measurements]]
name = "ATLAS"
experiment = "ATLAS"
hepdata = "ATLAS"
observables = ["bin1", "bin2"]
sources = { "A:sys,JES*" = "jet energy scale" }
tables = { values = "Table 1", statistical = "stat", labels = "sys,*", prefix = "A:" }

[[measurements]]
name = "CMS"
experiment = "CMS"
hepdata = "CMS"
observables = ["bin1", "bin2"]
sources = { "C:sys,JES*" = "jet energy scale" }
tables = { values = "Table 1", statistical = "stat", labels = "sys,*", prefix = "C:" }

[[assumption_sets]]
name = "nominal"
coefficients = [
  { name = "JES", source = "jet energy scale", between = ["ATLAS", "CMS"], nominal = 0.3, low = 0.0, high = 0.6 },
]
""")
combination = bc.load(place)
print(bc.profile(combination))

# %%
print(bc.scan(combination))
folder.cleanup()

# %% [markdown]
# The way back, a submission of the results, is `bayescomb export` (see the guide).
