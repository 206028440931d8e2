"""The measurement files atlas_8tev.txt and cms_13tev.txt: ``python reconstruct.py`` writes them, ``--check`` compares.

Published (the tables of ``published/``): measured values with their statistical uncertainties and correlations, names of the
nuisances, the impact of each CMS source on each cross section with totals, and the shift of the ATLAS mass by each source.
Not published, and reconstructed: how each nuisance moves each bin, and the constraints and post-fit correlations of the CMS
nuisances.  The reconstruction has the published figures; where these leave a choice it is ours, see ``reconstruct_cms.py``
and ``reconstruct_atlas.py``.  Nothing is random.  The experiments' own files can take the place of both.

Signs are those of Convino: a positive shift means that the true value lies above the measured one at +1 sigma.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from reconstruct_atlas import ATLAS_COMMENT, atlas_shifts
from reconstruct_cms import CMS_COMMENT, cms_fit

HERE = Path(__file__).parent


def table(name: str) -> list[dict[str, str]]:
    """Rows of a table beside this script."""
    with (HERE / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(line for line in stream if not line.startswith("#")))


def matrix_block(names: Sequence[str], sizes: NDArray[np.float64], correlation: NDArray[np.float64]) -> Iterable[str]:
    """Lower triangle; behind each name its total uncertainty or constraint."""
    yield "[correlation matrix]"
    for i, name in enumerate(names):
        row = " ".join([*(_number(x) for x in correlation[i, :i]), "1"])
        yield f"  {name} ({sizes[i]:.10g}) {row}"
    yield "[end correlation matrix]"


def external_block(shifts: Mapping[str, Sequence[float]], estimates: Sequence[str]) -> Iterable[str]:
    """Shifts of each estimate by nuisances outside of the matrix."""
    yield "[not fitted]"
    width = max(map(len, estimates))
    columns = {name: [name, *(f"{x:.8g}" for x in shift)] for name, shift in shifts.items()}
    for i, label in enumerate(["", *estimates]):
        cells = (cells[i].rjust(max(map(len, cells))) for cells in columns.values())
        yield f"  {label.ljust(width)} " + " ".join(cells)
    yield "[end not fitted]"


def measurement_file(comment: str, rows: Sequence[Mapping[str, str]], blocks: Iterable[str]) -> str:
    """The text of a measurement file."""
    lines = [*comment.strip().splitlines(), "", *blocks, "", "[systematics]", "  # all absolute", "[end systematics]"]
    lines += ["", "[estimates]", f"  n_estimates = {len(rows)}"]
    for i, row in enumerate(rows):
        lines += [f"  name_{i} = {row['estimate']}", f"  value_{i} = {row['value']}"]
    return "\n".join([*lines, "[end estimates]", ""])


def atlas_file(nuisances: Sequence[Mapping[str, str]]) -> str:
    """The ATLAS measurement."""
    rows = table("published/atlas_8tev_yields.csv")
    names = [row["estimate"] for row in rows]
    _, stat, correlation = _statistics(rows)
    shifts = atlas_shifts(nuisances, table("published/atlas_8tev_mass.csv"), rows, table("prediction_8tev.csv"))
    blocks = [*matrix_block(names, stat, correlation), "", *external_block(shifts, names)]
    return measurement_file(ATLAS_COMMENT, rows, blocks)


def cms_file(nuisances: Sequence[Mapping[str, str]]) -> str:
    """The CMS measurement."""
    rows = table("published/cms_13tev_cross_sections.csv")
    names = [row["estimate"] for row in rows]
    value, stat, correlation = _statistics(rows)
    impacts = table("published/cms_13tev_impacts.csv")
    fit = cms_fit(nuisances, impacts, names, 100 * stat / value, correlation)
    size = np.concatenate([fit.total * value / 100, fit.constraints])
    shifts = {name: percent * value / 100 for name, percent in fit.external.items()}
    blocks = [*matrix_block([*names, *fit.nuisances], size, fit.correlation), "", *external_block(shifts, names)]
    return measurement_file(CMS_COMMENT, rows, blocks)


def _statistics(rows: Sequence[Mapping[str, str]]) -> tuple[NDArray[np.float64], ...]:
    """Values, statistical uncertainties and their correlation."""
    value, stat = (np.array([float(row[key]) for row in rows]) for key in ("value", "stat"))
    return value, stat, np.array([[float(row[other["estimate"]]) for other in rows] for row in rows])


def _number(x: float) -> str:
    text = f"{x:.8f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def same(text: str, other: str) -> bool:
    """Whether two files agree, but for the last printed digit, which another linear algebra library may round otherwise."""
    words, others = text.split(), other.split()
    return len(words) == len(others) and all(a == b or _close(a, b) for a, b in zip(words, others, strict=True))


def _close(a: str, b: str) -> bool:
    try:
        return math.isclose(float(a.strip("()")), float(b.strip("()")), rel_tol=1e-7, abs_tol=1.5e-8)
    except ValueError:
        return False


def main() -> int:
    """Write or compare both files; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, exit with 1 if a file differs")
    check = parser.parse_args().check
    nuisances = table("published/nuisances.csv")
    differs = False
    for name, write, measurement in (
        ("atlas_8tev.txt", atlas_file, "ATLAS 8 TeV"),
        ("cms_13tev.txt", cms_file, "CMS 13 TeV"),
    ):
        text = write([row for row in nuisances if row["measurement"] == measurement])
        path = HERE / name
        if check:
            agrees = path.exists() and same(path.read_text(encoding="utf-8"), text)
            differs |= not agrees
            print(f"{name}: {'as reconstructed' if agrees else 'differs'}")
            continue
        beside = path.with_name(name + ".new")
        beside.write_text(text, encoding="utf-8", newline="\n")
        os.replace(beside, path)  # noqa: PTH105 - replaces on every platform
        print(f"{name}: written")
    return int(differs)


if __name__ == "__main__":
    sys.exit(main())
