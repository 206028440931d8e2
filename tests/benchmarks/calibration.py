"""Calibration at full size: ``make calibration`` runs the studies that README quotes and draws its figures.

Studies continue where they were interrupted, so that the same command may be given again and again.  Every seed is 1 (2, 3,
... for further points of a curve) and nothing is asserted; the figures and numbers are for people.  From nothing it takes
about an hour on two cores:

    python tests/benchmarks/calibration.py [--studies build/calibration] [--figures notebooks] [--share 1.0] [--draw-only]
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import bayescomb as bc
from bayescomb.base.files.writing import write_json
from bayescomb.output.figures import draw_coverage, draw_ecdf_difference
from bayescomb.output.figures.style import COLOURS, figure_style, math_name
from bayescomb.studies.error_ratio import spread_over_quoted
from bayescomb.studies.simulated.calibration import study_summary

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / room) for room in ("helpers", "studies")]

from combinations import star  # noqa: E402
from pulled import alike  # noqa: E402

SEED = 1
NOMINAL_TOYS, PULL_TOYS, PILOT_TOYS = 10_000, 20_000, 2000
PRIOR_TOYS = {"run1_mass": 1000, "ttj_rho": 400, "star": 1000}
EXTRACTION = "nlo"  # of ttj_rho
LABELS = {
    "run1_mass": "run1_mass",
    "ttj_rho": f"ttj_rho, extraction {EXTRACTION!r}",
    # Two coefficients in -0.3 to 0.95, feasible inside the unit circle.
    "star": "a range that leaves\nthe feasible set",
}
KINDS = {"results": ("", "results"), "rho[": ("rho[", "coefficients"), "pull[": ("pull[", "nuisances")}
CONSTRAINTS = np.round(np.arange(0.1, 0.95, 0.1), 1)
SIZE, CHOSEN = 2.0, 0.4  # common systematic over statistics of either input, constraint that README quotes


def combination_of(name):
    """Of a shipped model, or the small one whose range leaves the feasible set."""
    if name == "star":
        return star(2, low=-0.3, high=0.95, nominal=0.3, separate_observables=False, nuisance_size=1.5)
    return bc.load(ROOT / "models" / name, extraction=EXTRACTION if name == "ttj_rho" else None)


def run_studies(folder, share):
    """All studies, finished or continued; shows how fast each goes."""
    for name, toys in PRIOR_TOYS.items():
        combination = combination_of(name)
        for kind, number, options in (
            ("nominal", NOMINAL_TOYS, {"correlations": "nominal", "posterior": False}),
            ("prior", toys, {}),
        ):
            target = folder / f"{name}_{kind}"
            before = study_summary(target).attrs["toys"] if (target / "study.json").is_file() else 0
            clock = time.perf_counter()
            study = bc.coverage(combination, target, toys=max(20, int(share * number)), seed=SEED, **options)
            seconds, made = time.perf_counter() - clock, study.attrs["toys"] - before
            print(f"{name}, {kind}: {made} data sets in {seconds:.0f} s", flush=True)


def run_pulls(folder, share):
    """Spread over quoted error against the constraint, and of many data sets at the one that README quotes."""
    path = folder / "pulls.json"
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    rows = []
    for i, constraint in enumerate(CONSTRAINTS):
        toys = int(share * (PULL_TOYS if constraint == CHOSEN else PILOT_TOYS))
        found = spread_over_quoted(alike(float(constraint), size=SIZE), toys=max(20, toys), seed=SEED + i)
        found = found.isel(parameter=0)
        row = {"constraint": float(constraint), "toys": found.attrs["toys"]}
        for choice in ("used", "ignored"):
            at = found.sel(nuisance_values=choice)
            row[choice] = [float(at[key]) for key in ("ratio", "ratio_error", "expected")]
        rows.append(row)
    write_json(rows, path)
    return rows


def kind_of(quantity):
    """Column of a quantity."""
    return next((title for prefix, title in KINDS.values() if prefix and quantity.startswith(prefix)), "results")


def by_kind(study):
    """Names of the quantities that have ranks, per column."""
    ranked = [str(name) for name in study["quantity"].to_numpy() if study["rank"].sel(quantity=name).notnull().any()]
    return {title: [name for name in ranked if kind_of(name) == title] for _, title in KINDS.values()}


def draw_rank_figure(studies, path):
    """One row per model, one column per kind of quantity; the band is that of a single curve."""
    with figure_style():
        figure = Figure(figsize=(10.5, 2.5 * len(studies)), layout="constrained")
        axes = figure.subplots(len(studies), 3, squeeze=False, sharex=True)
        for row, (name, study) in zip(axes, studies.items(), strict=True):
            for ax, (title, quantities) in zip(row, by_kind(study).items(), strict=True):
                ranks = {q: study["rank"].sel(quantity=q).dropna("toy").to_numpy() for q in quantities}
                draw_ecdf_difference(ranks, legend=False, ax=ax)
                for line in ax.lines[1:]:
                    line.set(color=COLOURS["posterior"], linestyle="-", linewidth=0.7, alpha=0.75)
                if title == "results":
                    # The mass, or the only observable, stands out.
                    ax.lines[1].set(color=COLOURS["profile"], linewidth=1.5, alpha=1.0, zorder=3)
                    others = f" and {len(quantities) - 1} cross sections" if len(quantities) > 1 else ""
                    ax.set_title(f"{math_name(quantities[0])}{others}", loc="left")
                else:
                    ax.set_title(f"{len(quantities)} {title}", loc="left")
                smallest = float(study["rank_p_value"].sel(quantity=quantities).min())
                half = max(abs(np.concatenate([ax.lines[0].get_ydata(), ax.patches[0].get_xy()[1] * np.ones(1)])))
                limit = 1.9 * half if half else 0.1
                ax.set_ylim(-limit, limit)
                ax.text(0.97, 0.05, f"smallest of {len(quantities)} p-values: {smallest:.2g}", transform=ax.transAxes,
                        ha="right", fontsize="small")  # fmt: skip
                ax.set(xlabel="", ylabel="")
            row[0].set_ylabel(f"{LABELS[name]}\n{study.attrs['toys']} data sets\n\nECDF - uniform", fontsize="small")
        for ax in axes[-1]:
            ax.set_xlabel("fractional rank of the true value")
        figure.savefig(path, dpi=130)


def coverage_rows(nominal, prior, level):
    """Rows of the coverage figure: results one by one with profile and posterior, the rest of a kind together."""

    def point(study, name, answer):
        at = study.sel(quantity=name, answer=answer, level=level)
        return float(at["coverage"]), float(at["coverage_error"])

    rows = {}
    for name, study in prior.items():
        for title, quantities in by_kind(study).items():
            if title != "results":
                label = f"{name}: {len(quantities)} {title}"
                rows[label] = {"posterior": [point(study, q, "posterior") for q in quantities]}
                continue
            for q in quantities:
                rows[f"{name}: {q}"] = {
                    "profile": [point(nominal[name], q, "profile")] if name in nominal else [],
                    "posterior": [point(study, q, "posterior")],
                }
    return rows


def draw_coverage_figure(nominal, prior, path):
    """68 and 95 % side by side."""
    with figure_style():
        panels = [(level, coverage_rows(nominal, prior, level)) for level in ("68", "95")]
        figure = Figure(figsize=(10.5, 0.8 + 0.3 * len(panels[0][1])), layout="constrained")
        axes = figure.subplots(1, 2, sharey=True)
        for ax, (level, rows) in zip(axes, panels, strict=True):
            draw_coverage(rows, level=int(level) / 100, ax=ax)
        axes[1].tick_params(labelleft=False)
        handles, labels = axes[0].get_legend_handles_labels()
        text = {"profile": "profile at nominal coefficients", "posterior": "posterior, coefficients from their prior"}
        figure.legend(handles, [text[label] for label in labels], loc="outside upper center", ncols=2)
        figure.savefig(path, dpi=130)


def draw_pull_figure(rows, path):
    """Points of the toys on the closed forms."""
    with figure_style():
        figure = Figure(figsize=(6.2, 3.6), layout="constrained")
        ax = figure.subplots()
        fine = np.linspace(0.05, 0.99, 60)
        closed = [
            float(spread_over_quoted(alike(c, size=SIZE), toys=2, seed=SEED)["expected"].sel(nuisance_values="ignored")[0])
            for c in fine
        ]
        ax.axhspan(0.97, 1.03, color=COLOURS["prior"], alpha=0.35, linewidth=0, label="1.00 $\\pm$ 0.03")
        ax.plot(fine, closed, color=COLOURS["profile"], linewidth=1.0, label="closed form")
        x = [row["constraint"] for row in rows]
        for choice, colour in (("ignored", "profile"), ("used", "posterior")):
            ratio, error, _ = np.array([row[choice] for row in rows]).T
            ax.errorbar(x, ratio, yerr=error, fmt="o", markersize=4, color=COLOURS[colour], label=f"pulls {choice}")
        ax.set(xlabel="constraint of the nuisance by the fitted input", ylabel="spread / quoted error", xlim=(0, 1))
        ax.legend()
        figure.savefig(path, dpi=130)


def covered(study, answer, quantities):
    """Coverage at 68 and 95 % of a quantity, or how many of several are off by more than two binomial errors."""
    at = study.sel(answer=answer, quantity=quantities)
    if len(quantities) == 1:
        return [f"{float(v):.3f} +- {float(e):.3f}" for v, e in zip(at["coverage"][0], at["coverage_error"][0], strict=True)]
    away = abs(at["coverage"] - np.array([0.68, 0.95])) / at["coverage_error"]
    return [f"{int((column > 2).sum())} of {len(quantities)}" for column in away.to_numpy().T]


def say(nominal, prior, pulls):
    """The tables that README quotes."""
    print("| model | answer | data sets | quantity | 68 % covers | 95 % covers | smallest p, corrected |")
    print("|---|---|---|---|---|---|---|")
    for name, study in nominal.items():
        results = [str(q) for q in study["quantity"].to_numpy() if kind_of(str(q)) == "results"]
        for label, quantities in ((results[0], results[:1]), (f"{len(results) - 1} cross sections", results[1:])):
            if quantities:
                cells = [
                    LABELS[name].replace("\n", " "),
                    "profile",
                    study.attrs["toys"],
                    label,
                    *covered(study, "profile", quantities),
                    "",
                ]
                print("|", " | ".join(map(str, cells)), "|")
    for name, study in prior.items():
        kinds = by_kind(study)
        first, *others = kinds["results"]
        rows = [(first, [first]), (f"{len(others)} cross sections", others)]
        rows += [(f"{len(kinds[kind])} {kind}", kinds[kind]) for kind in ("coefficients", "nuisances")]
        for label, quantities in rows:
            if quantities:
                smallest = float(study["rank_p_value_corrected"].sel(quantity=quantities).min())
                cells = [
                    LABELS[name].replace("\n", " "),
                    "posterior",
                    study.attrs["toys"],
                    label,
                    *covered(study, "posterior", quantities),
                ]
                print("|", " | ".join(map(str, [*cells, f"{smallest:.2g}"])), "|")
        print(f"({name}: {study.attrs})")
    print()
    for row in pulls:
        (used, used_error, _), (ignored, ignored_error, expected) = row["used"], row["ignored"]
        print(f"constraint {row['constraint']}, {row['toys']} data sets: used {used:.4f} +- {used_error:.4f}, "
              f"ignored {ignored:.4f} +- {ignored_error:.4f} (closed form {expected:.4f})")  # fmt: skip


def main():
    """Studies, figures, numbers."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--studies", type=Path, default=ROOT / "build" / "calibration")
    parser.add_argument("--figures", type=Path, default=ROOT / "notebooks")
    parser.add_argument("--share", type=float, default=1.0, help="of the data sets")
    parser.add_argument("--draw-only", action="store_true", help="of what is finished")
    options = parser.parse_args()
    options.studies.mkdir(parents=True, exist_ok=True)
    if not options.draw_only:
        run_studies(options.studies, options.share)
    pulls = run_pulls(options.studies, options.share)
    found: dict[str, dict[str, xr.Dataset]] = {}
    for kind in ("nominal", "prior"):
        folders = {name: options.studies / f"{name}_{kind}" for name in PRIOR_TOYS}
        found[kind] = {name: study_summary(f) for name, f in folders.items() if (f / "study.json").is_file()}
    draw_rank_figure(found["prior"], options.figures / "calibration_ranks.png")
    draw_coverage_figure(found["nominal"], found["prior"], options.figures / "calibration_coverage.png")
    draw_pull_figure(pulls, options.figures / "calibration_pulls.png")
    say(found["nominal"], found["prior"], pulls)


if __name__ == "__main__":
    main()
