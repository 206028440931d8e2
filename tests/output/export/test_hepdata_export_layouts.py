"""What real layouts of HEPData give is exported, accepted by hepdata-validator and read again without a difference."""

import hepdata_tables as made
import numpy as np
import pytest
from exported import accepted

import bayescomb as bc
from bayescomb.base.errors import InputWarning
from bayescomb.cli.main import main
from bayescomb.inputs.serialise import difference

pytestmark = pytest.mark.slow

VALUES, STAT = [10.0, 20.0, -4.0], [1.0, 2.0, 0.5]
RHO = np.array([[1.0, 0.5, 0.25], [0.5, 1.0, 0.0], [0.25, 0.0, 1.0]])
BINS = 'observables = ["b1", "b2", "b3"]'
MODEL = f"""format = 1
name = "layouts"
observables = [{{ name = "m", unit = "GeV" }}, {{ name = "b1" }}, {{ name = "b2" }}, {{ name = "b3" }}]
[[measurements]]
name = "columns"
hepdata = "mass"
observables = ["m"]
[measurements.tables]
values = {{ table = "POI", column = 1 }}
rows = [1]
statistical = {{ column = "Stat." }}
breakdown = {{ table = "Impacts", column = "Shift", names = {{ column = "Source" }} }}
[[measurements]]
name = "fit"
hepdata = "mass"
observables = ["m"]
[measurements.tables]
values = {{ table = "POI", column = 1 }}
rows = [1]
total = {{ column = 2 }}
total_covariance = "Total"
approximate = true
prefix = "fit "
pulls = {{ table = "Pulls", column = 1, constraint = 2 }}
breakdown = "Small"
[[measurements]]
name = "percent"
hepdata = "bins"
{BINS}
[measurements.tables]
values = "T"
statistical = "stat"
uncorrelated = "unc"
labels = "JES"
percent = "JES"
prefix = "percent "
[[measurements]]
name = "matrices"
hepdata = "bins"
{BINS}
[measurements.tables]
values = "T"
statistical = ["stat", "unc"]
ignore = "JES"
correlations = {{ eff = {{ table = "Rho", match = "order" }} }}
breakdown = {{ table = "Eff", match = "order", name = "eff" }}
[[assumption_sets]]
name = "none"
"""


def mass():
    nuisances = made.axis(["FSR", "JES"], "Source", "")
    poi = [made.column([172.5, 0.9], name="Value", units="GeV"), made.column([0.5, 0.1], name="Total", units="GeV"),
           made.column([0.3, 0.02], name="Stat. [GeV]", units="")]  # fmt: skip
    shifts = [
        made.column(["FSR", "JES"], name="Source", units=""),
        made.column([-240.0, 260.0], name="Shift [MeV]", units=""),
    ]
    pulls = [made.column([0.3, -0.1], name="Pull", units=""), made.column([0.9, 0.8], name="Constraint", units="")]
    ones = [made.axis([1], "i", ""), made.axis([1], "j", "")]
    return {
        "POI": made.table([made.axis(["m_t", "mu"], "Parameter", "")], poi),
        "Impacts": made.table([made.axis(["a", "b"], "Category", "")], shifts),
        "Small": made.table([nuisances], [made.column([0.1, -0.2], name="Impact", units="GeV")]),
        "Pulls": made.table([nuisances], pulls),
        "Total": made.table(ones, [made.column([0.25], units="GeV^2")]),
    }


def bins():
    errors = {"stat": STAT, "unc": [0.5, 0.5, 0.25], "JES": [3.0, (2.0, -1.0), 3.0]}
    return {
        "T": made.table([made.axis(made.EDGES)], [made.column(VALUES, errors)]),
        "Rho": made.matrix(RHO, ["low", "mid", "high"], "bin", "", "RHO", ""),
        "Eff": made.table(
            [made.axis(["low", "mid", "high"], "bin", "")], [made.column([1, 2, 3], name="eff [%]", units="")]
        ),
    }


def test_real_layouts_are_exported_and_read_again_without_a_difference(tmp_path):
    made.write(tmp_path / "mass", mass())
    made.write(tmp_path / "bins", bins())
    (tmp_path / "model.toml").write_text(MODEL)
    with pytest.warns(InputWarning, match="multiplied by 0.001|approximate input"):
        combination = bc.load(tmp_path)
    assert main(["convert", str(tmp_path), str(tmp_path / "copy")]) == 0
    assert difference(bc.load(tmp_path / "copy"), combination) == ""
    fit = bc.profile(combination)
    target = bc.export_hepdata(fit, tmp_path / "export")
    assert accepted(directory=target) == []
    again = bc.load(target)
    assert difference(again, combination) == ""
    np.testing.assert_array_equal(bc.profile(again).covariance, fit.covariance)
    assert "fit (approximate)" in (target / "origin_of_the_inputs.yaml").read_text()
