"""K = NLO / LO: ``python kfactors.py`` writes kfactor_8tev.csv and kfactor_13tev.csv, ``--check`` compares.

``published/nlo_cross_sections.csv`` has the cross sections of both orders and says how they were made.  model.toml builds
the predictions "8 TeV NLO" and "13 TeV NLO" from the tables written here with ``combine = "lo * kfactor"``:

    NLO(m, bin, mu, PDF) = LO(m, bin, mu, PDF) K(bin, mu),   K at 172.5 GeV, mass dependence and PDF members at LO.

``--tables FOLDER`` writes the same products as complete tables, for other programs.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

HERE = Path(__file__).parent
MASS = "172.5"
SCALE = "ht2"
# Scale choice at which the LO tables have the PDF members.
MEMBERS_AT = "mt"
FACTORS = "sqrt_s_tev,scale_choice,mu_r,mu_f,bin_low,bin_high,factor,factor_error"
TABLE = "sqrt_s_tev,pdf_set,member,scale_choice,mu_r,mu_f,m_t_gev,bin_low,bin_high,xsec_pb,mc_error_pb,correlated_error_pb"

Row = Mapping[str, str]


def table(name: str) -> list[dict[str, str]]:
    """Rows of a table beside this script."""
    with (HERE / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(line for line in stream if not line.startswith("#")))


def place(row: Row) -> tuple[float, ...]:
    """Scale factors and bin."""
    return tuple(float(row[key]) for key in ("mu_r", "mu_f", "bin_low", "bin_high"))


def factor_rows(energy: str) -> list[dict[str, str]]:
    """K at the mass at which NLO is known best.

    Raises:
        ValueError: the LO cross section is not that of the prediction.
    """
    lo = {place(row): row["xsec_pb"] for row in table(f"prediction_{energy}tev.csv") if central(row)}
    rows = []
    for row in table("published/nlo_cross_sections.csv"):
        if (row["sqrt_s_tev"], row["m_t_gev"]) != (energy, MASS):
            continue
        if float(row["lo_pb"]) != float(lo[place(row)]):
            msg = f"{energy} TeV, {place(row)}: LO {row['lo_pb']} pb found, {lo[place(row)]} pb in the prediction"
            raise ValueError(msg)
        factor = f"{float(row['nlo_pb']) / float(row['lo_pb']):.6f}"
        rows.append({**row, "scale_choice": SCALE, "factor": factor, "factor_error": row["k_error"]})
    return rows


def central(row: Row) -> bool:
    """Whether an LO cross section is one of those in K: central PDF member of the set, mass and scale of K."""
    return (row["pdf_set"], row["member"], row["scale_choice"], row["m_t_gev"]) == ("PDF4LHC21_40_pdfas", "0", SCALE, MASS)


def product_rows(energy: str) -> Iterable[dict[str, str]]:
    """LO times K; PDF members at the scale of K move as they do where the LO table has them."""
    lo = table(f"prediction_{energy}tev.csv")
    factors = {place(row): (float(row["factor"]), float(row["factor_error"])) for row in factor_rows(energy)}

    def key(row: Row, member: str, scale: str) -> tuple[str, ...]:
        return row["pdf_set"], member, scale, row["mu_r"], row["mu_f"], row["m_t_gev"], row["bin_low"]

    by_key = {key(row, row["member"], row["scale_choice"]): row for row in lo}
    for row in lo:
        moved = row["member"] != "0" and row["scale_choice"] == MEMBERS_AT
        if not moved and row["scale_choice"] != SCALE:
            continue
        base, ratio = row, 1.0
        if moved:
            base = by_key[key(row, "0", SCALE)]
            ratio = float(row["xsec_pb"]) / float(by_key[key(row, "0", MEMBERS_AT)]["xsec_pb"])
        factor, error = factors[place(row)]
        value = float(base["xsec_pb"]) * factor * ratio
        numbers = (value, float(base["mc_error_pb"]) * factor * ratio, value * error / factor)
        names = ("xsec_pb", "mc_error_pb", "correlated_error_pb")
        yield {**row, "scale_choice": SCALE} | {name: f"{x:.10g}" for name, x in zip(names, numbers, strict=True)}


def written(comment: str, header: str, rows: Iterable[Row]) -> str:
    """A table under its comment."""
    names = header.split(",")
    lines = [f"# {line}" for line in comment.splitlines()]
    return "\n".join([*lines, header, *(",".join(row[name] for name in names) for row in rows), ""])


def factor_text(energy: str) -> str:
    """The table of factors."""
    comment = (
        f"Kind: published with this project. K = NLO / LO of pp -> ttbar + jet at {energy} TeV per bin of rho, pole mass\n"
        "172.5 GeV, PDF4LHC21_40_pdfas, scale ht2; written by kfactors.py from published/nlo_cross_sections.csv, which\n"
        "says how both were made. factor_error: numerical, the same for the scale points of a bin; bins are independent."
    )
    return written(comment, FACTORS, factor_rows(energy))


def product_text(energy: str) -> str:
    """The complete prediction."""
    comment = (
        f"pp -> ttbar + jet at {energy} TeV per bin of rho: NLO at 172.5 GeV, mass dependence and PDF members at LO\n"
        f"(lo * kfactor); written by kfactors.py from prediction_{energy}tev.csv and kfactor_{energy}tev.csv.\n"
        "correlated_error_pb: the error of K, common to the masses, scales and PDF members of a bin."
    )
    return written(comment, TABLE, product_rows(energy))


def write(path: Path, text: str) -> None:
    """Write a file beside and put it in place."""
    beside = path.with_name(path.name + ".new")
    beside.write_text(text, encoding="utf-8", newline="\n")
    os.replace(beside, path)  # noqa: PTH105 - replaces on every platform
    print(f"{path.name}: written")


def main() -> int:
    """Write or compare the tables; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, exit with 1 if a file differs")
    parser.add_argument("--tables", type=Path, metavar="FOLDER", help="write the products LO * K there instead")
    options = parser.parse_args()
    differs = False
    for energy in ("8", "13"):
        if options.tables is not None:
            write(options.tables / f"prediction_nlo_{energy}tev.csv", product_text(energy))
            continue
        path = HERE / f"kfactor_{energy}tev.csv"
        if options.check:
            agrees = path.exists() and path.read_text(encoding="utf-8") == factor_text(energy)
            differs |= not agrees
            print(f"{path.name}: {'as written' if agrees else 'differs'}")
        else:
            write(path, factor_text(energy))
    return int(differs)


if __name__ == "__main__":
    sys.exit(main())
