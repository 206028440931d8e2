"""The differential example of Convino typed by hand, through the command line: normalised values and errors.

Figures: J. Kieseler, EPJC 77 (2017) 792, example configurations of Convino 1.2 and what the program printed for them.
"""

import json

import numpy as np
import pytest

from bayescomb.cli.main import main

DIFFERENTIAL = """\
[global]
  isDifferential = true
  normalise = true
[end global]
[inputs]
  nFiles = 2
  file0 = fitted.txt
  file1 = table.txt
[end inputs]
[observables]
  bin0 = m1_bin0 + m2_bin0
  bin1 = m1_bin1 + m2_bin1
  bin2 = m1_bin2 + m2_bin2
  bin3 = m1_bin3 + m2_bin3
[end observables]
[correlations]
  sys_a1 = (0.1 & -0.9 : 0.9) sys_b2
[end correlations]
"""
HESSIAN = """\
[hessian]
  m1_bin0 14.761263800896232
  m1_bin1 -0.37968885446152578 13.004271448070741
  m1_bin2 -12.844841352450343 -4.93973648416838 28.140609708592514
  m1_bin3 0.39129861426567203 -2.0770394268529309 -14.275330045986173 29.943634732401268
[end hessian]
"""
# chi2, values and up errors before normalisation, normalised values
DIFFERENTIAL_FIGURES = {
    "pearson": (154.704, [33.8087, 62.0262, 22.7284, 11.5323], [0.821902, 0.577228, 0.556217, 0.334004],
                [0.259876, 0.476774, 0.174705, 0.0886449]),
    "neyman": (92.4691, [31.8338, 60.9506, 21.3027, 10.7285], [0.880907, 0.599133, 0.593523, 0.346455],
               [0.255047, 0.488325, 0.170673, 0.085955]),
}  # fmt: skip


def table(prefix, names, rows, *, stat):
    """[not fitted] and [estimates] of four bins."""
    stat = [str(s) for s in stat] if stat else [""] * 4
    lines = ["[not fitted]", f"  {names}" + (" stat" if stat[0] else "")]
    lines += [f"  {prefix}_bin{i} {row[1]} {s}" for i, (row, s) in enumerate(zip(rows, stat, strict=True))]
    lines += ["[end not fitted]", "[systematics]", "[end systematics]", "[estimates]", "  n_estimates = 4"]
    lines += [f"  name_{i} = {prefix}_bin{i}\n  value_{i} = {row[0]}" for i, row in enumerate(rows)]
    return "\n".join([*lines, "[end estimates]"]) + "\n"


@pytest.mark.parametrize("form", ["neyman", "pearson"])
def test_differential_example_has_the_published_figures(tmp_path, capsys, form):
    first = [(30, "0.5 0.6 0.2"), (60, "0.3 0.1 0.4"), (20, "0.2 0.4 0.2"), (10, "0.1 0.2 0.1")]
    second = [(60, "0.3 0.7 0.2"), (120, "0.2 0.11 0.2"), (40, "0.1 0.2 0.2"), (20, "0.0 0.1 0.2")]
    (tmp_path / "base.txt").write_text(DIFFERENTIAL, encoding="utf-8")
    fitted = HESSIAN + table("m1", "sys_a1 sys_b1 sys_c1", first, stat=())
    (tmp_path / "fitted.txt").write_text(fitted, encoding="utf-8")
    (tmp_path / "table.txt").write_text(table("m2", "sys_a2 sys_b2 sys_c2", second, stat=(6, 12, 4, 2)), encoding="utf-8")
    target = tmp_path / "out.json"
    assert main(["profile", str(tmp_path / "base.txt"), "--chi2", form, "--json", str(target)]) == 0
    data, said = json.loads(target.read_text(encoding="utf-8")), capsys.readouterr()
    assert said.err == ""
    assert f"chi2 {form}, normalised" in said.out
    bins = [f"bin{i}" for i in range(4)]
    chi2, values, up, shares = DIFFERENTIAL_FIGURES[form]
    assert (data["normalised"], data["chi2"]) == (True, pytest.approx(chi2, rel=1e-5))
    raw, shown = data["unnormalised"], data["parameters"]
    assert [raw[b]["value"] for b in bins] == pytest.approx(values, rel=1e-5)
    assert [raw[b]["up"] for b in bins] == pytest.approx(up, rel=1e-4)
    assert [shown[b]["value"] for b in bins] == pytest.approx(shares, rel=1e-5)
    assert sum(shown[b]["value"] for b in bins) == pytest.approx(1, abs=1e-14)
    # J V J^T, J = (1 - y 1^T) / S, takes differences of numbers of order V: rounding of V in the sixth digit is 0.06 % of it
    # (with the larger Delta chi2 = 1 errors as roots of the diagonal of V, which is the interval here)
    errors = np.array([shown[b]["up"] for b in bins])
    if form == "pearson":
        printed = [
            0.6755229,
            0.3331919,
            0.3093779,
            0.1115590,
            0.2755179,
            0.3964599,
            0.1920969,
            0.1951130,
            0.1006599,
            0.1511470,
        ]
        covariance = np.diag(printed[:4])
        covariance[np.triu_indices(4, 1)] = printed[4:]
        covariance = np.triu(covariance) + np.triu(covariance, 1).T
        jacobian = (np.eye(4) - np.outer(shares, np.ones(4))) / sum(values)
        golden = np.sqrt(np.diag(jacobian @ covariance @ jacobian.T))
        np.testing.assert_allclose(golden, [0.0029665, 0.0048109, 0.0019662, 0.0016291], rtol=5e-5)
        np.testing.assert_allclose(errors, golden, rtol=1e-3)
