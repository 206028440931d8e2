"""One input in every format that states it, written here by hand: values, statistics, and shifts of the published values.

A shift is what +1 sigma of a source does to the published value; every format gets the same figures, with the same sign.
"""

from dataclasses import dataclass, field

import hepdata_tables as made
import numpy as np

import bayescomb as bc

EXTERNAL = ("convino", "labels", "breakdown", "responses")
FITTED = ("convino fit", "convino hessian", "HEPData fit", "toml correlation", "toml hessian")


@dataclass(frozen=True, kw_only=True)
class Input:
    """What is published; n estimates, m nuisances.

    With ``pulls`` the nuisances are those of a fit: ``covariance`` is that of (estimates, nuisances) after it.  Without,
    it is the statistical one of the estimates, and ``up`` and ``down`` are the shifts at +1 and -1 sigma.
    """

    name: str
    values: tuple
    maps: tuple
    covariance: np.ndarray
    nuisances: tuple = ()
    up: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    down: np.ndarray | None = None
    pulls: tuple | None = None
    forms: tuple = ()  # of each nuisance, all absolute by default
    free: tuple = ()  # names

    @property
    def estimates(self):
        return [f"{self.name}.e{i}" for i in range(len(self.values))]

    @property
    def shifts(self):
        up = np.reshape(self.up, (len(self.values), -1)).astype(float)
        return up, -up if self.down is None else np.reshape(self.down, up.shape).astype(float)

    @property
    def plain(self):
        """Absolute shifts of nuisances with a prior, the only ones that HEPData's tables state."""
        return not self.free and set(self.forms) <= {"absolute"}

    def form_of(self, i):
        return self.forms[i] if self.forms else "absolute"

    def formats(self):
        """The formats that can state it."""
        if self.pulls is not None:
            return [f for f in FITTED if self.plain or f != "HEPData fit"]
        budget = self.plain and self.down is None and len(self.values) == 1 and (self.shifts[0] >= 0).all()
        chosen = [f for f in EXTERNAL if self.plain or f in {"convino", "responses"}]
        return chosen + (["budget"] if budget and self.nuisances else [])

    def measurement(self):
        """In Python."""
        up, down = self.shifts
        n, nuisances = (
            len(self.values),
            tuple(bc.Nuisance(name=v, response=self.form_of(i), free=v in self.free) for i, v in enumerate(self.nuisances)),
        )
        fitted = self.pulls is not None
        information = np.linalg.inv(self.covariance) if fitted else np.zeros((0, 0))
        fit = (
            bc.FittedInput(nuisances=nuisances, information=(information + information.T) / 2, pulls=self.pulls)
            if fitted
            else None
        )
        return bc.Measurement(
            name=self.name,
            experiment=self.name,
            estimates=tuple(
                bc.Estimate(name=e, value=x, observables=m)
                for e, x, m in zip(self.estimates, self.values, self.maps, strict=True)
            ),
            statistical_covariance=None if fitted else self.covariance,
            nuisances=() if fitted else nuisances,
            responses=np.zeros((n, 0)) if fitted else up,
            down_responses=None if fitted else down,
            fit=fit,
        )


def nuisance_name(item, form, nuisance):
    """What a format calls a nuisance; a budget names it by its source, which is the first letter."""
    return f"{nuisance[0]}[{item.estimates[0]}]" if form == "budget" else nuisance


def write_model(folder, inputs, sets, *, observables, head=""):
    """A model of (input, format) pairs.

    Args:
        folder: where it goes.
        inputs: pairs.
        sets: name -> coefficients, each (name, pairs, keys as TOML text).
        observables: names.
        head: TOML text.
    """
    folder.mkdir(parents=True, exist_ok=True)
    by_budget = [item for item, form in inputs if form == "budget"]
    sources = sorted({v[0] for item in by_budget for v in item.nuisances})
    lines = ["format = 1", 'name = "formats"', head]
    lines.append(f"observables = [{', '.join(f'{{ name = {_text(o)} }}' for o in observables)}]")
    if by_budget:
        lines += [f"sources = [{', '.join(f'{{ name = {_text(s)} }}' for s in sources)}]", '[budget]\ntable = "budget.csv"']
        (folder / "budget.csv").write_text(_budget(by_budget, sources))
    lines += [_WRITERS[form](folder, item, form) for item, form in inputs if form != "budget"]
    for name, coefficients in sets.items():
        lines.append(f"[[assumption_sets]]\nname = {_text(name)}")
        for label, pairs, keys in coefficients:
            listed = ", ".join(f"[{_text(a)}, {_text(b)}]" for a, b in pairs)
            lines.append(f"[[assumption_sets.coefficients]]\nname = {_text(label)}\npairs = [{listed}]\n{keys}")
    (folder / "model.toml").write_text("\n".join(lines) + "\n")
    return folder


def _correlation(covariance):
    """Sizes and correlation, whose diagonal is 1 to the last digit."""
    size = np.sqrt(np.diag(covariance))
    matrix = covariance / np.outer(size, size)
    np.fill_diagonal(matrix, 1.0)
    return size, matrix


def _text(text):
    return f'"{text}"'


def _number(value):
    return repr(float(value))


def _table(mapping):
    return "{ " + ", ".join(f"{_text(o)} = {_number(f)}" for o, f in mapping.items()) + " }"


def _budget(items, sources):
    rows = [",".join(["estimate", "experiment", "observable", "value", "stat", *sources])]
    for item in items:
        sizes = {v[0]: item.shifts[0][0, i] for i, v in enumerate(item.nuisances)}
        ((observable, _),) = item.maps[0].items()
        numbers = [item.values[0], np.sqrt(item.covariance[0, 0]), *(sizes.get(s, 0.0) for s in sources)]
        rows.append(",".join([item.estimates[0], item.name, observable, *map(_number, numbers)]))
    return "\n".join(rows) + "\n"


def convino_text(item, form):
    """A measurement file of Convino."""
    blocks, up_down = [], item.shifts
    names = list(item.estimates) + (list(item.nuisances) if item.pulls is not None else [])
    diagonal = item.pulls is None and not np.any(item.covariance - np.diag(np.diag(item.covariance)))
    if form == "convino fit":
        size, rho = _correlation(item.covariance)
        rows = [
            f"{v} ({_number(s)}) {' '.join(map(_number, rho[i, : i + 1]))}"
            for i, (v, s) in enumerate(zip(names, size, strict=True))
        ]
        blocks.append(("correlation matrix", rows))
    elif not diagonal:
        inverse = np.linalg.inv(item.covariance)
        blocks.append(("hessian", [f"{v} {' '.join(map(_number, inverse[i, : i + 1]))}" for i, v in enumerate(names)]))
    if item.pulls is None and (item.nuisances or diagonal):
        rows = [" ".join([*item.nuisances, *(["stat"] if diagonal else [])])]
        for i, estimate in enumerate(item.estimates):
            cells = [
                _number(u) if d == -u else f"({u:+.17f}{d:+.17f})" for u, d in zip(up_down[0][i], up_down[1][i], strict=True)
            ]
            rows.append(" ".join([estimate, *cells, *([_number(np.sqrt(item.covariance[i, i]))] if diagonal else [])]))
        blocks.append(("not fitted", rows))
    types = [
        f"{v} = {item.form_of(i)}{' free' if v in item.free else ''}"
        for i, v in enumerate(item.nuisances)
        if item.form_of(i) != "absolute" or v in item.free
    ]
    blocks.append(("systematics", types))
    own = [f"n_estimates = {len(item.values)}"]
    for i, (e, x) in enumerate(zip(item.estimates, item.values, strict=True)):
        own += [f"name_{i} = {e}", f"value_{i} = {_number(x)}"]
    blocks.append(("estimates", own))
    if item.pulls is not None and any(item.pulls):
        blocks.append(("nuisance values", [f"{v} = {_number(p)}" for v, p in zip(item.nuisances, item.pulls, strict=True)]))
    return "\n".join("\n".join([f"[{name}]", *rows, f"[end {name}]"]) for name, rows in blocks) + "\n"


def _convino(folder, item, form):
    (folder / f"{item.name}.txt").write_text(convino_text(item, form))
    maps = ", ".join(f"{_text(e)} = {_table(m)}" for e, m in zip(item.estimates, item.maps, strict=True))
    head = f"name = {_text(item.name)}\nexperiment = {_text(item.name)}"
    return f'[[measurements]]\n{head}\nconvino = "{item.name}.txt"\nobservables = {{ {maps} }}'


def _matrix_csv(names, matrix, extra=None):
    rows = [",".join(["name", *(["uncertainty"] if extra is not None else []), *names])]
    for i, name in enumerate(names):
        rows.append(",".join([name, *([_number(extra[i])] if extra is not None else []), *map(_number, matrix[i])]))
    return "\n".join(rows) + "\n"


def _stated(folder, item, form):
    estimates = ", ".join(
        f"{{ name = {_text(e)}, value = {_number(x)}, observables = {_table(m)} }}"
        for e, x, m in zip(item.estimates, item.values, item.maps, strict=True)
    )
    lines = [f"[[measurements]]\nname = {_text(item.name)}\nexperiment = {_text(item.name)}\nestimates = [{estimates}]"]
    names = [*item.estimates, *(item.nuisances if item.pulls is not None else ())]
    if form == "toml correlation":
        size, rho = _correlation(item.covariance)
        (folder / f"{item.name}_fit.csv").write_text(_matrix_csv(names, rho, size))
        lines.append(f'correlation = "{item.name}_fit.csv"')
    elif form == "toml hessian":
        inverse = np.linalg.inv(item.covariance)
        (folder / f"{item.name}_fit.csv").write_text(_matrix_csv(names, (inverse + inverse.T) / 2))
        lines.append(f'hessian = "{item.name}_fit.csv"')
    else:
        (folder / f"{item.name}_stat.csv").write_text(_matrix_csv(names, item.covariance))
        lines.append(f'statistical_covariance = "{item.name}_stat.csv"')
        up, down = item.shifts
        rows = [",".join(["estimate", *item.nuisances])]
        for i, estimate in enumerate(item.estimates):
            cells = [
                _number(u) if d == -u else f"{u:+}/{d:+}" for u, d in zip(up[i].tolist(), down[i].tolist(), strict=True)
            ]
            rows.append(",".join([estimate, *cells]))
        (folder / f"{item.name}_shifts.csv").write_text("\n".join(rows) + "\n")
        lines += [f'responses = "{item.name}_shifts.csv"'] if item.nuisances else []
    details = []
    for i, v in enumerate(item.nuisances):
        keys = [f'response = "{item.form_of(i)}"'] if item.form_of(i) != "absolute" else []
        keys += ["free = true"] if v in item.free else []
        keys += [f"pull = {_number(item.pulls[i])}"] if item.pulls is not None else []
        details += [f"{{ name = {_text(v)}, {', '.join(keys)} }}"] if keys else []
    return "\n".join([*lines, *([f"nuisances = [{', '.join(details)}]"] if details else [])])


def _hepdata(folder, item, form):
    rows, n = [f"bin {i}" for i in range(len(item.values))], len(item.values)
    axes, units = [made.axis(rows, "BIN", "")], {"units": "PB"}
    up, down = item.shifts
    pairs = {
        v: [u if d == -u else (u, d) for u, d in zip(up[:, i].tolist(), down[:, i].tolist(), strict=True)]
        for i, v in enumerate(item.nuisances[: up.shape[1]])
    }
    mapping = ['values = "Values"']
    if form == "HEPData fit":
        size, rho = _correlation(item.covariance)
        pulls = made.column(list(item.pulls), {"": size[n:].tolist()}, name="PULL", units="")
        impacts = [
            made.column((item.covariance[:n, n + i] / size[n + i]).tolist(), name=v, **units)
            for i, v in enumerate(item.nuisances)
        ]
        content = {
            "Values": made.table(axes, [made.column(list(item.values), **units)]),
            "Total": made.matrix(item.covariance[:n, :n], rows, "BIN", ""),
            "Pulls": made.table([made.axis(list(item.nuisances), "NP", "")], [pulls]),
            "Rho": made.matrix(rho[n:, n:], list(item.nuisances), "NP", "", "RHO", ""),
            "Impacts": made.table(axes, impacts),
        }
        mapping += ['total_covariance = "Total"', 'pulls = "Pulls"', 'nuisance_correlation = "Rho"']
        mapping += [
            f'breakdown = {{ table = "Impacts", name = {_text(item.nuisances[0])} }}'
            if len(impacts) == 1
            else 'breakdown = "Impacts"'
        ]
    else:
        errors = {"stat": np.sqrt(np.diag(item.covariance)).tolist()}
        content = {"Stat": made.matrix(item.covariance, rows, "BIN", "")}
        mapping += ['statistical = "stat"', 'statistical_covariance = "Stat"']
        if form == "labels":
            errors |= pairs
            mapping += [f"labels = [{', '.join(map(_text, item.nuisances))}]"] if item.nuisances else []
        else:
            listed = []
            for i, v in enumerate(item.nuisances):
                columns = [
                    made.column(up[:, i].tolist(), name="UP", **units),
                    made.column(down[:, i].tolist(), name="DOWN", **units),
                ]
                content[f"Shift {i}"] = made.table(axes, columns)
                listed.append(f'{{ table = "Shift {i}", up = "UP", down = "DOWN", name = {_text(v)} }}')
            mapping += [f"breakdown = [{', '.join(listed)}]"] if listed else []
        content |= {"Values": made.table(axes, [made.column(list(item.values), errors, **units)])}
    made.write(folder / item.name, content)
    maps = ", ".join(f"{_text(r)} = {_table(m)}" for r, m in zip(rows, item.maps, strict=True)) if n > 1 else None
    observables = f"{{ {maps} }}" if maps else f"[{_table(item.maps[0])}]"
    head = f"name = {_text(item.name)}\nexperiment = {_text(item.name)}\nhepdata = {_text(item.name)}"
    names = ", ".join(map(_text, item.estimates))
    body = "\n".join(mapping)
    return f"[[measurements]]\n{head}\nestimates = [{names}]\nobservables = {observables}\n[measurements.tables]\n{body}"


_WRITERS = {
    "convino": _convino, "convino fit": _convino, "convino hessian": _convino,
    "labels": _hepdata, "breakdown": _hepdata, "HEPData fit": _hepdata,
    "responses": _stated, "toml correlation": _stated, "toml hessian": _stated,
}  # fmt: skip
