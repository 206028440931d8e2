"""Random combinations whose observables are formulas, with chi2 and predictions written out here in plain arithmetic."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

import bayescomb as bc

# Formula of two parameters, and the same as a function of numbers or symbols, of which xp has exp, log and the like.
CURVES: tuple[tuple[str, Callable], ...] = (
    ("1 / a", lambda a, _b, _xp: 1 / a),
    ("a / b", lambda a, b, _xp: a / b),
    ("a**2 * b", lambda a, b, _xp: a * a * b),
    ("sqrt(a**2 + b**2)", lambda a, b, _xp: (a * a + b * b) ** 0.5),
    ("exp(-a / 2) + b", lambda a, b, xp: xp.exp(-a / 2) + b),
    ("log(a + b)", lambda a, b, xp: xp.log(a + b)),
    ("a**b", lambda a, b, xp: xp.exp(b * xp.log(a))),
    ("a * (1 - tanh(b - 2))", lambda a, b, xp: a * (1 - xp.tanh(b - 2))),
    ("a - b / (1 + a)", lambda a, b, _xp: a - b / (1 + a)),
)
DERIVED = ("a / (a + b)", lambda a, b: a / (a + b))


@dataclasses.dataclass(frozen=True, kw_only=True)
class FormulaModel:
    """One random model.

    Attributes:
        combination: with parameters a and b, an estimate of each of some formulas, and of a.
        curves: their functions of (a, b, xp).
        measured: x.
        statistical: standard deviations.
        shifts: of the estimates by two nuisances.
        coefficient: their correlation, and its range.
    """

    combination: bc.Combination
    curves: tuple[Callable, ...]
    measured: np.ndarray
    statistical: np.ndarray
    shifts: np.ndarray
    coefficient: float

    def covariance(self, r):
        inner = np.array([[1.0, r], [r, 1.0]])
        return np.diag(self.statistical**2) + self.shifts @ inner @ self.shifts.T

    def predicted(self, a, b, xp=np):
        return [curve(a, b, xp) for curve in self.curves]

    def chi2(self, a, b):
        away = self.measured - np.array(self.predicted(a, b, math))
        return float(away @ np.linalg.solve(self.covariance(self.coefficient), away))


def formula_model(seed):
    rng = np.random.default_rng([21, seed])
    chosen = rng.choice(len(CURVES), size=3, replace=False)
    curves = (*(CURVES[i][1] for i in chosen), lambda a, _b, _xp: a, lambda _a, b, _xp: b)
    texts = [CURVES[i][0] for i in chosen]
    truth = rng.uniform(1.2, 3.0, size=2)
    exact = np.array([curve(*truth, math) for curve in curves])
    statistical = rng.uniform(0.02, 0.06, size=5) * np.maximum(np.abs(exact), 0.5)
    statistical[3:] *= 3
    shifts = rng.normal(size=(5, 2)) * 0.03
    measured = exact + statistical * rng.normal(size=5)
    names = ["f0", "f1", "f2", "a", "b"]
    measurements = tuple(
        bc.Measurement(
            name=f"m{k}",
            estimates=tuple(bc.Estimate(name=f"e{i}", value=float(measured[i]), observables={names[i]: 1.0}) for i in own),
            statistical_covariance=np.diag(statistical[own] ** 2),
            nuisances=(bc.Nuisance(name=f"n{k}", source="s"),),
            responses=shifts[own][:, [k]],
        )
        for k, own in enumerate(([0, 1, 4], [2, 3]))
    )
    shifts = np.column_stack([shifts[:, 0] * np.isin(np.arange(5), [0, 1, 4]), shifts[:, 1] * np.isin(np.arange(5), [2, 3])])
    coefficient = float(rng.uniform(0.1, 0.8))
    correlated = bc.CorrelationCoefficient(
        name="s", pairs=(bc.CorrelationPair(first="n0", second="n1"),), nominal=coefficient, low=0.0, high=0.9
    )
    combination = bc.Combination(
        name="formulas",
        measurements=measurements,
        parameters=(bc.Parameter(name="a"), bc.Parameter(name="b")),
        observables=tuple(bc.Observable(name=f"f{i}", formula=text) for i, text in enumerate(texts)),
        derived=(bc.Observable(name="share", formula=DERIVED[0]),),
        sources=(bc.Source(name="s"),),
        assumption_sets={"set": bc.AssumptionSet(name="set", coefficients=(correlated,))},
        assumptions="set",
    )
    # Estimates in the order of the combination: e0, e1, e4, then e2, e3.
    order = [0, 1, 4, 2, 3]
    return FormulaModel(
        combination=combination,
        curves=tuple(curves[i] for i in order),
        measured=measured[order],
        statistical=statistical[order],
        shifts=shifts[order],
        coefficient=coefficient,
    )
