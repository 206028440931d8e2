"""A general extraction, and its fit with everything explicit: masses, scales, theory nuisances, levels and nuisances."""

import itertools
from functools import cached_property

import numpy as np
from explicit_chi2 import prior_correlation
from gaussian import coefficient
from scipy.optimize import brentq, least_squares
from test_theory import expected
from theory_models import combination, extraction, measured, prediction, truth

import bayescomb as bc

TRUTHS = {"a": truth(11, bins=3, members=2, spread=0.25), "b": truth(12, bins=4, members=2, size=50.0, spread=0.25)}
SCALES = {
    "fixed": {},
    "shared": {"numerical_errors": True},
    "uniform": {"treatment": "common"},
    "normal": {"treatment": "common", "scales": {"prior": "normal", "width": 0.5}},
    "correlated": {"treatment": "correlated", "scales": {"prior": "normal", "width": 0.6, "nominal": 0.4}},
}


def general(case="fixed", *, kinds=("absolute", "normalised"), **changes):
    """A table of a0 to a2 and z, and a fit of b0 to b3 with pulls and an external nuisance, correlated with each other."""
    rng = np.random.default_rng(21)
    shared = case == "shared"
    tables = [prediction(TRUTHS[name], name, per_bin_width=name == "a", shared=shared) for name in "ab"]
    a, b = (TRUTHS[t.name].cross_sections(172.0, 0.1, -0.1) / t.divisors for t in tables)
    a, b = (v * (1 + 0.01 * rng.normal(size=len(v))) for v in (a, b))
    size_a, size_b = np.append(0.01 * a, 1.0), 0.015 * b
    names_a = [*tables[0].observables, "z"]
    correlated = np.eye(4) + 0.3 * (np.ones((4, 4)) - np.eye(4))
    first = measured(
        "A", names_a, [*a, 5.0], correlated * np.outer(size_a, size_a),
        nuisances=["n0", "n1"], responses=size_a[:, None] * rng.normal(0, 0.8, (4, 2)),
    )  # fmt: skip
    design = rng.normal(size=(14, 6)) * 0.5
    design[:, :4] /= size_b
    information = design.T @ design + np.diag([0, 0, 0, 0, 1.0, 1.0])
    fit = bc.FittedInput(
        nuisances=(bc.Nuisance(name="f0"), bc.Nuisance(name="f1")), information=information, pulls=[0.4, -0.3]
    )
    external = (0.01 * b)[:, None] * rng.normal(size=(4, 1))
    second = measured("B", tables[1].observables, b, None, nuisances=["x0"], responses=external, fit=fit)
    coefficients = [coefficient("r", 0.5, ("n0", "f0")), coefficient("s", -0.4, ("n1", "x0"), ("n0", "f1"))]
    settings = {"errors": "symmetric_hessian"} | SCALES[case] | changes
    chosen = extraction(dict(zip("ab", kinds, strict=True)), **settings)
    return combination([first, second], tables, chosen, coefficients=coefficients, extra=["z"])


class Explicit:
    """Least squares in (theta, eta, levels, free observables, nuisances) from the definitions.

    It shares the classes of the inputs with the library, and the tables come from a known polynomial.
    """

    def __init__(self, combination):
        self.c, chosen = combination, combination.extraction_in_force
        self.chosen = chosen
        self.predicted = [name for p in combination.predictions for name in p.observables]
        self.normalised = [p for p in combination.predictions if chosen.distributions[p.name] == "normalised"]
        self.loose = [o.name for o in combination.observables if o.name not in self.predicted or o.name in chosen.drop]
        self.nuisances = [n.name for n in combination.nuisances]
        members = 2 if chosen.pdf.errors != "none" else 0
        own = len(self.predicted) if chosen.numerical_errors else 0
        shared = [p for p in combination.predictions if p.correlated_errors.size]
        rates = any(chosen.distributions[p.name] != "normalised" for p in shared)
        own += sum(len(p.observables) for p in shared) + rates
        sizes = [
            len(chosen.mass_parameters), len(chosen.scale_parameters),
            members + own, len(self.normalised), len(self.loose),
            len(self.nuisances),
        ]  # fmt: skip
        ends = np.cumsum([0, *sizes])
        self.parts = [slice(i, j) for i, j in itertools.pairwise(ends)]
        self.prior_root = np.linalg.inv(np.linalg.cholesky(prior_correlation(combination)))
        self.measured_at = {next(iter(e.observables)): e.value for e in combination.estimates}
        start = np.zeros(ends[-1])
        start[self.parts[0]] = 172.0
        start[self.parts[4]] = [self.measured_at[name] for name in self.loose]
        self.start = start

    def observables(self, p):
        mass, scale, eta, levels, loose = (p[part] for part in self.parts[:5])
        values = expected(self.c, np.concatenate([mass, scale]), eta, truths=TRUTHS)
        found = dict(zip(self.predicted, values, strict=True))
        for level, table in zip(levels, self.normalised, strict=True):
            found |= {name: found[name] + level * self.measured_at[name] for name in table.observables}
        return found | dict(zip(self.loose, loose, strict=True))

    def residuals(self, p):
        found, nuisance = self.observables(p), dict(zip(self.nuisances, p[self.parts[5]], strict=True))
        rows = [p[self.parts[2]], self.prior_root @ p[self.parts[5]], self.scale_rows(p[self.parts[1]])]
        for m in self.c.measurements:
            given = np.array([e.value for e in m.estimates])
            shifts = m.responses @ [nuisance[n.name] for n in m.nuisances]
            away = np.array([found[next(iter(e.observables))] for e in m.estimates]) - shifts
            if m.fit is None:
                rows.append(np.linalg.solve(np.linalg.cholesky(m.statistical_covariance), away - given))
            else:
                full = m.fit.information
                data = full - np.diag([0.0] * len(given) + [1.0] * len(m.fit.nuisances))
                at = np.linalg.solve(data, full @ np.concatenate([given, m.fit.pulls]))
                away = np.concatenate([away, [nuisance[n.name] for n in m.fit.nuisances]])
                rows.append(np.linalg.cholesky(data).T @ (away - at))
        return np.concatenate(rows)

    def scale_rows(self, scale):
        settings = self.chosen.scales
        if settings.prior == "uniform":
            return np.zeros(0)
        matrix = np.eye(len(scale))
        if settings.treatment == "correlated":  # two energies: mu_R of both, then mu_F of both
            matrix[[0, 1, 2, 3], [1, 0, 3, 2]] = settings.nominal
        return np.linalg.solve(np.linalg.cholesky(matrix), scale / settings.width)

    def minimum(self, held=None, start=None):
        """Fitted vector and chi2 with some entries held."""
        held = held or {}
        free = np.array([i for i in range(len(self.start)) if i not in held])
        base = (self.start if start is None else start).copy()
        base[list(held)] = list(held.values())
        bound = np.full(len(base), np.inf)
        if self.chosen.scales.prior == "uniform":
            bound[self.parts[1]] = self.chosen.scales.width

        def residuals(x):
            full = base.copy()
            full[free] = x
            return self.residuals(full)

        found = least_squares(
            residuals, base[free], jac="3-point", bounds=(-bound[free], bound[free]), x_scale="jac",
            xtol=1e-15, ftol=1e-15, gtol=1e-13,
        )  # fmt: skip
        base[free] = found.x
        return base, 2 * found.cost, free[np.abs(found.x) < bound[free] - 1e-4], found.jac

    @cached_property
    def best(self):
        return self.minimum()

    def covariance(self, held=()):
        """Inverse of the expected information at the minimum; what is held or at an end has none."""
        best, _, free, _ = self.best
        free = [i for i in free if i not in held]
        steps = 1e-5 * np.eye(len(best))[free]
        jacobian = np.array([(self.residuals(best + s) - self.residuals(best - s)) / 2e-5 for s in steps]).T
        found = np.zeros((len(best),) * 2)
        found[np.ix_(free, free)] = np.linalg.inv(jacobian.T @ jacobian)
        return found

    def crossing(self, index, error):
        """Where chi2 has grown by 1."""
        best, lowest, *_ = self.best
        ends = []
        for sign in (1, -1):

            def growth(distance, sign=sign):
                return self.minimum({index: best[index] + sign * distance}, best)[1] - lowest - 1

            ends.append(sign * brentq(growth, 0.3 * error, 3 * error, xtol=1e-6))
        return ends
