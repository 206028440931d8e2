"""Models whose names come from one small pool, and a sampler that compiles nothing, to run every command on them."""

import csv
import io
import itertools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from pymc.initial_point import make_initial_point_fn

from bayescomb.cli.main import main
from bayescomb.formats.toml.prediction_tables import COLUMNS
from bayescomb.sampling.model.build import build_model

POOL = [
    "rho", "pull", "nuisance", "coefficient", "white_nuisance", "white_explicit", "chain", "draw", "parameter", "estimate",
    "source", "group", "kind", "data", "stat", "syst", "total", "coupling", "statistics", "theory", "rho[x]", "pull[rho]",
    "rho_feasible__", "posterior", "prior", "observable", "experiment", "measurement", "value", "title", "m_t", "x", "X",
    "a/b", "sigma_a/sigma_b", "parameter rho", "parameter a/b", "none", "nominal", "True", "0", "-1", "1e5", "nan", "x y",
    "x - y", "a,b", "a;b", "a=b", "it's", '"quoted"', "<b>bold</b>", "<script>alert(1)</script>", "&amp;", "</script>",
    "$\\sigma_{t}$", "$", "\\frac{", "x_1^2", "50 %", "{0}", "%s", "#x", "[x]", ".", "..", "\u03c3(tt\u0304)", "質量",
    "e\u0301", "é", "l" * 300, "__class__", "level x", "log2_mu_R", "size of x", "index", "CON", "*", "x*", "?", "~",
    "name", "uncertainty", "free", "bin", "free x", "error", "chi2", "Ünïcödé", "\u05d0\u05d1", "x\\y", "'''", "$\\frac{$",
]  # fmt: skip
# Of a matrix with a column of uncertainties.
MATRIX_COLUMNS = {"uncertainty"}
BUDGET_COLUMNS = {"estimate", "experiment", "observable", "value", "stat", "title", "measurement", "source"}


@dataclass
class Named:
    """A model on disk and the names that were given, by kind."""

    path: Path
    names: dict[str, list[str]]
    extraction: bool


def write_named_model(folder, rng, *, plain=False):
    """A small model that is right in everything, its names drawn from :data:`POOL`; or the same with plain names.

    It states a budget, or externalised shifts, or the measurements' own fits, with a free nuisance in one of them.
    """
    style = str(rng.choice(["budget", "measurements", "fit"], p=[0.4, 0.35, 0.25]))
    extraction = style != "budget" and rng.random() < 0.3
    uncertain = style != "fit" and not extraction and rng.random() < 0.2

    used = itertools.count()

    def draw(n, *, without=()):
        allowed = [name for name in POOL if name not in without]
        chosen = [allowed[i] for i in rng.choice(len(allowed), n, replace=False)]
        return [f"plain_{next(used)}" for _ in chosen] if plain else chosen

    names = {
        "observable": draw(2),
        "estimate": draw(4, without={"budget": BUDGET_COLUMNS, "fit": MATRIX_COLUMNS}.get(style, ())),
        "measurement": draw(4),
        "experiment": draw(2),
        "source": draw(2, without=BUDGET_COLUMNS),
        "group": draw(2),
        "coefficient": draw(2),
        "set": draw(2),
        "impact group": draw(2, without={"stat"}),
        "prediction": draw(1),
        "mass": draw(1),
        "extraction": draw(1, without={"none"}),
    }
    # In the matrix of a fit the rows of estimates and nuisances are told apart by their names alone.
    names["nuisance"] = draw(5, without={*MATRIX_COLUMNS, *names["estimate"]} if style == "fit" else ())
    names["title"] = draw(3)
    lines = ["format = 1", f"name = {_text(draw(1)[0])}", f"title = {_text(names['title'][0])}"]
    units = '"pb"' if extraction else '"GeV"'
    observables = ", ".join(f"{{ name = {_text(o)}, unit = {units}, title = {_text(names['title'][1])} }}"
                            for o in names["observable"])  # fmt: skip
    lines.append(f"observables = [{observables}]")
    sources = zip(names["source"], names["group"], strict=True)
    lines.append(f"sources = [{', '.join(f'{{ name = {_text(s)}, group = {_text(g)} }}' for s, g in sources)}]")
    if extraction:
        lines.append(f"extraction = {_text(names['extraction'][0])}")
    values = [1.0, 2.0, 1.1, 2.1]
    if style == "budget":
        lines += _budget(folder, names, values, rng)
    else:
        lines += _measurements(folder, names, values, fitted=style == "fit")
        if extraction:
            lines += _extraction(folder, names)
    lines += _sets(names, style)
    if uncertain:
        lines += ["[errors_on_errors]", f"{_text(names['source'][0])} = 0.2"]
    path = folder / "model.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Named(path=path, names=names, extraction=extraction)


def _text(name):
    return json.dumps(name, ensure_ascii=False)


def _table(path, rows):
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    path.write_text(written.getvalue(), encoding="utf-8")


def _budget(folder, names, values, rng):
    header = ["estimate", "measurement", "experiment", "observable", "value", "stat", *names["source"]]
    rows = [
        [e, m, names["experiment"][i // 2], names["observable"][i % 2], v, 0.1, 0.1, round(float(rng.uniform(0.1, 0.2)), 3)]
        for i, (e, m, v) in enumerate(zip(names["estimate"], names["measurement"], values, strict=True))
    ]
    _table(folder / "budget.csv", [header, *rows])
    return ['within = "uncorrelated"', "[budget]", 'table = "budget.csv"']


def _measurements(folder, names, values, *, fitted):
    lines = []
    for i in range(2):
        own = slice(2 * i, 2 * i + 2)
        estimates, nuisances = names["estimate"][own], names["nuisance"][own]
        listed = ", ".join(
            f"{{ name = {_text(e)}, value = {v}, observable = {_text(o)} }}"
            for e, v, o in zip(estimates, values[own], names["observable"], strict=True)
        )
        details = [f"{{ name = {_text(n)}, source = {_text(s)} }}" for n, s in zip(nuisances, names["source"], strict=True)]
        lines += [
            "[[measurements]]", f"name = {_text(names['measurement'][i])}", f"experiment = {_text(names['experiment'][i])}",
            f"estimates = [{listed}]",
        ]  # fmt: skip
        if not fitted:
            _table(folder / f"responses{i}.csv", [["name", *nuisances], [estimates[0], 0.1, 0.05], [estimates[1], 0.1, 0.2]])
            lines += ["statistical = [0.1, 0.2]", f'responses = "responses{i}.csv"']
        elif i == 0:
            _table(folder / "hessian.csv", _rows([*estimates, *nuisances], _information([])))
            lines.append('hessian = "hessian.csv"')
        else:
            free = names["nuisance"][4]
            covariance = np.linalg.inv(_information([0.03]))
            widths = np.sqrt(np.diag(covariance))
            matrix = _rows([*estimates, *nuisances, free], covariance / np.outer(widths, widths))
            sizes = ["uncertainty", *widths.tolist()]
            _table(folder / "correlation.csv", [[*row, size] for row, size in zip(matrix, sizes, strict=True)])
            lines.append('correlation = "correlation.csv"')
            details.append(f"{{ name = {_text(free)}, free = true }}")
        lines.append(f"nuisances = [{', '.join(details)}]")
    for name, member in zip(names["impact group"], names["nuisance"], strict=False):
        lines += ["[[impact_groups]]", f"name = {_text(name)}", f"nuisances = [{_text(member)}]"]
    return lines


def _information(free):
    """Hessian of a fit of two estimates, two constrained nuisances, and free ones that shift the first estimate."""
    shifts = np.array([[0.1, 0.05, *free], [0.1, 0.2, *np.zeros(len(free))]])
    design = np.hstack([np.eye(2), -shifts])
    return design.T @ np.diag([100.0, 25.0]) @ design + np.diag([0, 0, 1.5, 1.5, *np.full(len(free), 2.0)])


def _rows(names, matrix):
    return [["name", *names], *([name, *row] for name, row in zip(names, matrix.tolist(), strict=True))]


def _extraction(folder, names):
    rows = [
        [13, "pdf", 0, "ht", 1, 1, m, b, b + 1, round((1.05 + b) * (1 - 0.01 * (m - 170)), 6), 0.001]
        for m in (140, 170, 200)
        for b in (0, 1)
    ]
    _table(folder / "prediction.csv", [list(COLUMNS), *rows])
    listed = ", ".join(map(_text, names["observable"]))
    prediction, mass = names["prediction"][0], names["mass"][0]
    return [
        "[[predictions]]", f"name = {_text(prediction)}", 'table = "prediction.csv"', f"observables = [{listed}]",
        'order = "LO"', "[[extractions]]", f"name = {_text(names['extraction'][0])}",
        f'distributions = {{ {_text(prediction)} = "absolute" }}', f"masses = {{ {_text(prediction)} = {_text(mass)} }}",
        "degree = 2", 'pdf = { set = "pdf" }', 'scales = { choice = "ht", treatment = "fixed" }',
    ]  # fmt: skip


def _sets(names, style):
    first, second = names["set"]
    lines = ["[[assumption_sets]]", f"name = {_text(first)}"]
    for i, name in enumerate(names["coefficient"]):
        lines += ["[[assumption_sets.coefficients]]", f"name = {_text(name)}", "nominal = 0.3", "low = 0.1", "high = 0.5"]
        if style == "budget":
            ends = ", ".join(map(_text, names["experiment"]))
            lines += [f"source = {_text(names['source'][i])}", f"between = [{ends}]"]
        else:
            pair = f"[{_text(names['nuisance'][i])}, {_text(names['nuisance'][2 + i])}]"
            lines.append(f"pairs = [{pair}]")
    return [*lines, "[[assumption_sets]]", f"name = {_text(second)}"]


class _QuickModel:
    """In place of a compiled model: the variables with their initial values."""

    def __init__(self, model, **_):
        if hasattr(model, "plan"):  # a fused model, of which the same variables are taken
            model = build_model(model.plan.combination, plan=model.plan)
        self.backend = "none"
        self.start = {}
        initial = make_initial_point_fn(model=model, return_transformed=False)(0)
        for name, value in initial.items():
            self.start[name] = (tuple(model.named_vars_to_dims.get(name, ())), np.asarray(value, dtype=float))
        self.coords = {name: list(values) for name, values in model.coords.items() if values is not None}


def _quick_draws(compiled, *, draws, chains, seed, **_):
    """Draws near the initial point, which is what commands need that only show them."""
    rng = np.random.default_rng(seed)
    shape, data, coords = (chains, draws), {}, {"chain": np.arange(chains), "draw": np.arange(draws)}
    for name, (dims, start) in compiled.start.items():
        noise = 1e-3 * rng.standard_normal((*shape, *start.shape)) * np.maximum(np.abs(start), 1e-3)
        data[name] = (("chain", "draw", *dims), start + noise)
        coords |= {dim: compiled.coords[dim] for dim in dims}
    statistics = xr.Dataset(
        {"diverging": (("chain", "draw"), np.zeros(shape, dtype=bool))}, coords={"chain": coords["chain"]}
    )
    statistics.attrs["interrupted"] = 0
    return xr.Dataset(data, coords=coords), statistics


def sample_quickly(patch):
    """Nothing is compiled or sampled while this patch holds: ten seconds less than a real posterior."""
    patch.setattr("bayescomb.sampling.sample.compile_model", lambda model, **_: _QuickModel(model))
    patch.setattr("bayescomb.sampling.sample.run_nuts", _quick_draws)


def write_quick_posterior(model, path, *options):
    """What ``bayescomb sample`` writes, of such draws."""
    with pytest.MonkeyPatch.context() as patch:
        sample_quickly(patch)
        words = ["sample", model, "--output", path, "--chains", 2, "--draws", 2000, "--tune", 1, "--seed", 1, *options]
        assert main([str(word) for word in words]) == 0
