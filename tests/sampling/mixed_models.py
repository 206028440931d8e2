"""Random combinations of mixed features, with their posterior by importance sampling of a density written out here.

What is not linear is drawn from its prior: kinked, relative and lognormal nuisances, coefficients, scales of uncertain
sizes, parameters with a range or a formula; of an extraction its masses and scales.  Given that everything else is linear
and Gaussian, with closed forms for its integral, which is the weight of a draw, and for its own draws.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from test_theory import expected, made

import bayescomb as bc

CHUNK = 20_000
# Draws that are redone at most because their coefficients are infeasible.
ROUNDS = 200
CURVES: tuple[tuple[str, Callable], ...] = (
    ("a / b", lambda a, b: a / b),
    ("a * b", lambda a, b: a * b),
    ("exp(-a / 4) * b", lambda a, b: np.exp(-a / 4) * b),
)
FEATURES = (
    "asymmetric", "relative", "lognormal", "limits", "errors on errors", "block", "free", "ranges", "derived", "formula",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shift:
    """What a nuisance does to E estimates; ``form`` as in a nuisance, ``free`` without a prior."""

    name: str
    form: str
    up: np.ndarray
    down: np.ndarray
    free: bool = False
    source: str = ""

    @property
    def straight(self):
        return self.form == "absolute" and np.array_equal(self.up, -self.down)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mixed:
    """One random model.

    Attributes:
        features: of :data:`FEATURES`.
        combination: for the program.
        measured, statistical: values, shape (E,), and their covariance.
        design: of the variables in the estimates, shape (E, V).
        curve: function of the first two variables, and its part of each estimate, shape (E,); ``None`` without a formula.
        priors: of variables that are not flat: name -> shape and numbers.
        nonnegative: variables that cannot be negative.
        shifts: all nuisances.
        coefficients: pairs of nuisances, low, high, nominal, shape of the prior.
        sizes: source -> relative error of its size.
    """

    features: tuple[str, ...]
    combination: bc.Combination
    measured: np.ndarray
    statistical: np.ndarray
    design: np.ndarray
    curve: tuple[Callable, np.ndarray] | None
    variables: tuple[str, ...]
    priors: dict[str, tuple]
    nonnegative: tuple[str, ...]
    shifts: tuple[Shift, ...]
    coefficients: tuple[tuple, ...]
    sizes: dict[str, float]


def mixed_model(seed, *, without=()):
    """Of a seed; features in ``without`` are left out."""
    rng = np.random.default_rng([18, seed])
    features = {f for f in FEATURES if rng.random() < 0.4} - set(without)
    if "formula" in features:
        features -= {"limits", "free"}
    curved = features & {"asymmetric", "relative", "lognormal", "limits", "ranges", "formula"}
    if curved and "errors on errors" in features:
        features -= {"errors on errors"} if rng.random() < 0.4 else curved
    count, inputs = int(rng.integers(1, 3)), int(rng.integers(2, 4))
    variables = ("a", "b")[: 2 if "formula" in features else count]
    truth = np.array([8.0, 3.0])[: len(variables)]
    near = "limits" in features
    if near:
        truth[-1] = rng.uniform(-0.3, 0.4)
    # Every input measures every variable; with a formula the first one measures that instead of the second.
    where, rows, parts = [], [], []
    chosen = CURVES[rng.integers(len(CURVES))]
    for k in range(inputs):
        for v in range(len(variables)):
            formula = "formula" in features and k == 0 and v == 1
            where.append(k)
            rows.append(np.zeros(len(variables)) if formula else np.eye(len(variables))[v])
            parts.append(1.0 if formula else 0.0)
    design, part, where = np.array(rows), np.array(parts), np.array(where)
    exact = design @ truth + (part * chosen[1](*truth) if part.any() else 0.0)
    unit = 0.05 * np.maximum(np.abs(exact), 2.0)
    root = np.zeros((len(exact), len(exact)))
    for k in range(inputs):
        own = np.flatnonzero(where == k)
        root[np.ix_(own, own)] = np.diag(unit[own]) @ (0.4 * rng.normal(size=(len(own), len(own))) + np.eye(len(own)))
    statistical = root @ root.T
    shifts, sizes = _shifts(rng, features, where, unit, abs(exact) > 1)
    measured = exact + root @ rng.normal(size=len(exact))
    for shift in shifts:
        measured = measured + shift.up * rng.normal() * (0.0 if shift.free else 1.0)
    coefficients = _coefficients(rng, features, shifts)
    priors = {}
    if "ranges" in features or "formula" in features:
        shapes = ("uniform", "normal", "half_normal", "lognormal")
        for i, name in enumerate(variables):
            if near and i == len(variables) - 1:
                continue
            shape = shapes[rng.integers(4)] if "ranges" in features else "normal"
            t, w = truth[i], 0.15 * truth[i]
            numbers = {
                "uniform": {"low": t - rng.uniform(0.3, 3) * w, "high": t + rng.uniform(0.3, 3) * w},
                "normal": {"mean": t + w * rng.normal(), "sd": w},
                "half_normal": {"sd": 1.2 * t},
                "lognormal": {"median": t * np.exp(0.15 * rng.normal()), "sigma": 0.2},
            }[shape]
            priors[name] = (shape, {key: float(value) for key, value in numbers.items()})
    nonnegative = (variables[-1],) if near else ()
    built = _combination(
        features, variables, measured, statistical, where, design, part, chosen[0], priors, nonnegative, shifts,
        coefficients, sizes,
    )  # fmt: skip
    return Mixed(
        features=tuple(sorted(features)),
        combination=built,
        measured=measured,
        statistical=statistical,
        design=design,
        curve=(chosen[1], part) if part.any() else None,
        variables=variables,
        priors=priors,
        nonnegative=nonnegative,
        shifts=shifts,
        coefficients=coefficients,
        sizes=sizes,
    )


def _shifts(rng, features, where, unit, large):
    """Shifts in per cent only of what is not near 0."""
    forms = ["absolute", *sorted(features & {"relative", "lognormal"})]
    found = []
    for k in range(where.max() + 1):
        own = (where == k).astype(float)
        for i in range(2):
            form = forms[rng.integers(len(forms))] if (own * large).any() else "absolute"
            up = own * unit * rng.uniform(0.4, 1.6) * rng.choice([-1, 1], size=len(own)) * rng.uniform(0.7, 1.3, len(own))
            up = up if form == "absolute" else up * large
            down = -up
            if "asymmetric" in features and rng.random() < 0.5:
                down = -up * rng.uniform(-0.5, 2.0)
            found.append(Shift(name=f"n{k}{i}", form=form, up=up, down=down))
    if "free" in features:
        up = (where == 0) * unit * rng.uniform(0.5, 2.0, len(unit))
        found.append(Shift(name="open", form="absolute", up=up, down=-up, free=True))
    sizes = {}
    if "errors on errors" in features:
        found = [dataclasses.replace(s, source="" if s.free else f"s{s.name[-1]}") for s in found]
        sizes = {"s0": float(rng.uniform(0.2, 0.45))}
    return tuple(found), sizes


def _coefficients(rng, features, shifts):
    """Between the first nuisances of the inputs: all pairs of three if a block is wanted, else one."""
    first = [s.name for s in shifts if s.name.endswith("0") and not s.free]
    pairs = [(a, b) for i, a in enumerate(first) for b in first[i + 1 :]]
    found = []
    for a, b in pairs if "block" in features else pairs[:1]:
        low = float(rng.uniform(-0.9, 0.2))
        high = float(rng.uniform(0.4, 0.95))
        shape = str(rng.choice(["uniform", "triangular"]))
        found.append((a, b, low, high, float(rng.uniform(max(low, 0.0), 0.35)), shape))
    return tuple(found)


def _combination(
    features, variables, measured, statistical, where, design, part, formula, priors, nonnegative, shifts, coefficients,
    sizes,
):  # fmt: skip
    measurements = []
    for k in range(where.max() + 1):
        own = np.flatnonzero(where == k)
        mine = [s for s in shifts if s.up[own].any() or s.down[own].any()]
        estimates = tuple(
            bc.Estimate(
                name=f"e{i}",
                value=float(measured[i]),
                observables={"f": 1.0} if part[i] else {variables[j]: float(c) for j, c in enumerate(design[i]) if c},
            )
            for i in own
        )
        straight = all(np.array_equal(s.up, -s.down) for s in mine)
        measurements.append(
            bc.Measurement(
                name=f"m{k}",
                estimates=estimates,
                statistical_covariance=statistical[np.ix_(own, own)],
                nuisances=tuple(bc.Nuisance(name=s.name, response=s.form, free=s.free, source=s.source) for s in mine),
                responses=np.column_stack([s.up[own] for s in mine]),
                down_responses=None if straight else np.column_stack([s.down[own] for s in mine]),
            )
        )
    sampled = tuple(
        bc.CorrelationCoefficient(
            name=f"{a} {b}", pairs=(bc.CorrelationPair(first=a, second=b),), nominal=nominal, low=low, high=high, prior=shape
        )
        for a, b, low, high, nominal, shape in coefficients
    )
    parameters = tuple(
        bc.Parameter(name=v, prior=bc.ParameterPrior(shape=priors[v][0], **priors[v][1])) for v in variables if v in priors
    )
    observables = tuple(bc.Observable(name=v) for v in variables if v not in priors)
    if part.any():
        observables += (bc.Observable(name="f", formula=formula),)
    elif not observables:
        observables = (bc.Observable(name="twice", formula=f"2 * {variables[0]}"),)
    derived = ()
    if "derived" in features:
        derived = (bc.Observable(name="square", formula=f"{variables[0]}**2 / 10"),)
    return bc.Combination(
        name="mixed",
        measurements=tuple(measurements),
        parameters=parameters,
        observables=observables,
        derived=derived,
        assumption_sets={"set": bc.AssumptionSet(name="set", coefficients=sampled)},
        assumptions="set",
        nonnegative=nonnegative,
        errors_on_errors={s: bc.ErrorOnError(relative=e) for s, e in sizes.items()},
    )


def mixed_posterior(model, *, draws, seed=1):
    """Weights and draws of every quantity: name -> values, shape (n,)."""
    rng = np.random.default_rng([seed, 7])
    pieces = [_piece(model, CHUNK, rng) for _ in range(-(-draws // CHUNK))]
    logs = np.concatenate([log for log, _ in pieces])
    values = {name: np.concatenate([found[name] for _, found in pieces]) for name in pieces[0][1]}
    weights = np.exp(logs - logs.max())
    return weights / weights.sum(), values


def _piece(model, n, rng):
    bound = [s for s in model.shifts if not s.free]
    names = [s.name for s in bound]
    correlation, rho = _correlations(model, names, n, rng)
    log = np.zeros(n)
    found = {f"rho[{a} {b}]": rho[:, i] for i, (a, b, *_) in enumerate(model.coefficients)}
    for source, relative in model.sizes.items():
        shape = 1 / (4 * relative**2)
        scale = shape / rng.gamma(shape, size=n)
        grown = np.where([s.source == source for s in bound], np.sqrt(scale)[:, None], 1.0)
        correlation = correlation * grown[:, :, None] * grown[:, None, :]
        found[f"scale[{source}]"] = scale
    curved = np.array([not s.straight for s in bound], dtype=bool)
    inner = np.zeros((n, len(bound)))
    block = correlation[:, curved][:, :, curved]
    root = np.linalg.cholesky(block)
    inner[:, curved] = np.einsum("nij,nj->ni", root, rng.normal(size=(n, curved.sum())))
    cross = correlation[:, ~curved][:, :, curved]
    gain = np.swapaxes(np.linalg.solve(block, np.swapaxes(cross, 1, 2)), 1, 2)
    mean = np.einsum("nij,nj->ni", gain, inner[:, curved])
    rest = correlation[:, ~curved][:, :, ~curved] - gain @ np.swapaxes(cross, 1, 2)
    factor, moved = np.ones((n, len(model.measured))), np.zeros((n, len(model.measured)))
    for i in np.flatnonzero(curved):
        shift, x = bound[i], inner[:, [i]]
        k = np.where(x >= 0, shift.up * x, -shift.down * x)
        if shift.form == "absolute":
            moved += k
        elif shift.form == "relative":
            factor *= 1 - k / model.measured
        else:
            up, down = np.log1p(shift.up / model.measured), np.log1p(shift.down / model.measured)
            down = -up if np.array_equal(shift.up, -shift.down) else down
            factor *= np.exp(np.where(x >= 0, -up * x, down * x))
    # Variables that are not linear or have a range are drawn, the others are solved for.
    outer = [v for v in model.variables if v in model.nonnegative or model.priors.get(v, ("normal",))[0] != "normal"]
    outer = list(model.variables) if model.curve is not None else outer
    drawn = {}
    for v in outer:
        drawn[v], extra = _outer(model, v, n, rng)
        log += extra
    given = sum((np.outer(drawn[v], model.design[:, model.variables.index(v)]) for v in outer), np.zeros_like(moved))
    if model.curve is not None:
        given = given + np.outer(model.curve[0](drawn["a"], drawn["b"]), model.curve[1])
    linear = [v for v in model.variables if v not in outer]
    free = [s for s in model.shifts if s.free]
    loading = np.column_stack(
        [np.zeros((len(model.measured), 0)), *(-s.up for s, c in zip(bound, curved, strict=True) if not c)]
    )
    columns = [factor * model.design[:, model.variables.index(v)] for v in linear]
    columns += [np.broadcast_to(-s.up, factor.shape) for s in free]
    design = np.stack(columns, axis=2) if columns else np.zeros((*factor.shape, 0))
    # x = factor (given + B v) - moved - K lambda + noise
    residual = model.measured - (factor * given - moved) - mean @ loading.T
    covariance = model.statistical + loading @ rest @ loading.T
    stated = [(i, *model.priors[v][1].values()) for i, v in enumerate(linear) if v in model.priors]
    for i, centre, sd in stated:
        design = np.concatenate([design, np.broadcast_to(np.eye(design.shape[2])[i], (n, 1, design.shape[2]))], axis=1)
        residual = np.concatenate([residual, np.full((n, 1), centre)], axis=1)
        size = covariance.shape[1]
        wide = np.zeros((n, size + 1, size + 1))
        wide[:, :size, :size], wide[:, size, size] = covariance, sd**2
        covariance = wide
    values, extra = _solved(design, residual, covariance, rng)
    log += extra
    found |= drawn | dict(zip([*linear, *(s.name for s in free)], values.T, strict=True))
    # Straight nuisances given everything else: prior N(mean, rest), data residual - design values.
    count = len(model.measured)
    left = residual[:, :count] - np.einsum("nij,nj->ni", design[:, :count], values)
    own = covariance[:, :count, :count]
    pull = rest @ loading.T @ np.linalg.inv(own)
    centre = mean + np.einsum("nij,nj->ni", pull, left)
    spread = rest - pull @ loading @ rest
    root = np.linalg.cholesky(spread + 1e-12 * np.eye(spread.shape[1]))
    inner[:, ~curved] = centre + np.einsum("nij,nj->ni", root, rng.normal(size=centre.shape))
    found |= {f"pull[{name}]": inner[:, i] for i, name in enumerate(names)}
    if "derived" in model.features:
        found["square"] = found[model.variables[0]] ** 2 / 10
    if model.curve is not None:
        found["f"] = model.curve[0](found["a"], found["b"])
    return log, found


def _solved(design, residual, covariance, rng):
    """Flat variables v of residual = design v + N(0, covariance): draws, and log of the integral over them."""
    inverse = np.linalg.inv(covariance)
    log = -np.linalg.slogdet(covariance)[1] / 2
    if not design.shape[2]:
        return np.zeros((len(design), 0)), log - np.einsum("ni,nij,nj->n", residual, inverse, residual) / 2
    weighted = np.swapaxes(design, 1, 2) @ inverse
    information = weighted @ design
    best = np.linalg.solve(information, np.einsum("nij,nj->ni", weighted, residual)[..., None])[..., 0]
    left = residual - np.einsum("nij,nj->ni", design, best)
    log += -np.linalg.slogdet(information)[1] / 2 - np.einsum("ni,nij,nj->n", left, inverse, left) / 2
    root = np.linalg.cholesky(np.linalg.inv(information))
    return best + np.einsum("nij,nj->ni", root, rng.normal(size=best.shape)), log


def _outer(model, name, n, rng):
    """Draws of a variable from its prior and 0; of a flat one from about where the data are, and minus the log of that."""
    if name in model.priors:
        shape, p = model.priors[name]
        match shape:
            case "uniform":
                return rng.uniform(p["low"], p["high"], n), np.zeros(n)
            case "normal":
                return rng.normal(p["mean"], p["sd"], n), np.zeros(n)
            case "half_normal":
                return abs(rng.normal(0, p["sd"], n)), np.zeros(n)
            case "lognormal":
                return np.exp(rng.normal(np.log(p["median"]), p["sigma"], n)), np.zeros(n)
    own = np.flatnonzero(model.design[:, model.variables.index(name)])
    width = 3 * np.max([abs(s.up[own]).max() for s in model.shifts] + list(np.sqrt(np.diag(model.statistical))[own]))
    top = max(model.measured[own].max(), 0.0) + 4 * width
    if name in model.nonnegative:
        return rng.uniform(0.0, top, n), np.zeros(n)
    return rng.uniform(model.measured[own].min() - 4 * width, top, n), np.zeros(n)


def _correlations(model, names, n, rng):
    """C of the nuisances and the coefficients, drawn from their priors where it is positive definite."""
    matrix, rho = np.empty((n, len(names), len(names))), np.empty((n, len(model.coefficients)))
    todo = np.arange(n)
    for _ in range(ROUNDS):
        drawn = np.array([_coefficient(c, len(todo), rng) for c in model.coefficients]).reshape(-1, len(todo)).T
        trial = np.broadcast_to(np.eye(len(names)), (len(todo), len(names), len(names))).copy()
        for i, (a, b, *_) in enumerate(model.coefficients):
            p, q = names.index(a), names.index(b)
            trial[:, p, q] = trial[:, q, p] = drawn[:, i]
        good = np.linalg.eigvalsh(trial)[:, 0] > 1e-9
        matrix[todo[good]], rho[todo[good]] = trial[good], drawn[good]
        todo = todo[~good]
        if not len(todo):
            return matrix, rho
    msg = "hardly any coefficients are feasible"
    raise ArithmeticError(msg)


def _coefficient(coefficient, n, rng):
    _, _, low, high, nominal, shape = coefficient
    return rng.triangular(low, nominal, high, n) if shape == "triangular" else rng.uniform(low, high, n)


def mass_model(seed):
    """An extraction of two masses or one from two generated tables with scales, and a nuisance of the input."""
    rng = np.random.default_rng([19, seed])
    case = ("fixed", "common", "independent", "normal")[rng.integers(4)]
    return made(case, ("absolute", "absolute")), case


def mass_posterior(combination, case, *, draws, seed=1):
    """The same by importance sampling, with the predictions of the definition."""
    rng = np.random.default_rng([seed, 8])
    count = {"fixed": 0, "common": 2, "normal": 2, "independent": 4}[case]
    (measurement,) = combination.measurements
    measured = np.array([e.value for e in measurement.estimates])[:5]
    statistical = np.asarray(measurement.statistical_covariance)[:5, :5]
    logs, masses = np.empty(draws), rng.uniform(165.0, 180.0, draws)
    scales = 0.5 * rng.normal(size=(draws, 2)) if case == "normal" else rng.uniform(-1, 1, (draws, count))
    for i in range(draws):
        theta = np.append(masses[i], scales[i])
        central = expected(combination, theta, np.zeros(2))
        loading = np.array([expected(combination, theta, unit) - central for unit in np.eye(2)]).T
        covariance, residual = statistical + loading @ loading.T, measured - central
        logs[i] = -(np.linalg.slogdet(covariance)[1] + residual @ np.linalg.solve(covariance, residual)) / 2
    weights = np.exp(logs - logs.max())
    found = {"m_t": masses}
    if count:
        found |= dict(zip(combination.extraction_in_force.scale_parameters, scales.T, strict=True))
    return weights / weights.sum(), found
