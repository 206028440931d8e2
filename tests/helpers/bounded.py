"""Two results of two experiments, one of which the data would have below 0."""

import dataclasses

import numpy as np
from gaussian import combine

import bayescomb as bc

STATISTICS = np.array([[1.0, 0.6], [0.6, 1.2]])
SHIFTS = np.array([[0.5], [0.4]])
VALUES = {"a": (-1.5, 3.0), "b": (-0.9, 2.2)}
NOMINAL, LOW, HIGH = 0.5, 0.0, 0.9
KINK = 1e-9


def two_results(*, values=VALUES, nonnegative=(), kinked=False, unit=1.0):
    """Observables x and y, each measured by both experiments, whose nuisances have one uncertain coefficient.

    ``kinked`` states shifts down that are larger by rounding alone: no longer a quadratic chi2 for the program.
    """
    measurements = tuple(
        bc.Measurement(
            name=name,
            experiment=name,
            estimates=tuple(
                bc.Estimate(name=f"{o}_{name}", value=unit * value, observables={o: 1.0})
                for o, value in zip("xy", own, strict=True)
            ),
            statistical_covariance=unit**2 * STATISTICS,
            nuisances=(bc.Nuisance(name=f"jes_{name}"),),
            responses=unit * SHIFTS,
            down_responses=-(1 + KINK) * unit * SHIFTS if kinked else None,
        )
        for name, own in values.items()
    )
    pair = bc.CorrelationPair(first="jes_a", second="jes_b")
    coefficient = bc.CorrelationCoefficient(name="r", pairs=(pair,), nominal=NOMINAL, low=LOW, high=HIGH)
    return bc.Combination(
        name="two_results",
        measurements=measurements,
        observables=(bc.Observable(name="x", unit="pb"), bc.Observable(name="y", unit="pb")),
        assumption_sets={"all": bc.AssumptionSet(name="all", coefficients=(coefficient,))},
        assumptions="all",
        nonnegative=nonnegative,
    )


def explicit(r, values=VALUES):
    """Values (x, y) of the unbounded fit, their covariance, the covariance of the estimates and their values, by hand."""
    design = np.vstack([np.eye(2), np.eye(2)])
    shifts = np.zeros((4, 2))
    shifts[:2, :1], shifts[2:, 1:] = SHIFTS, SHIFTS
    total = np.kron(np.eye(2), STATISTICS) + shifts @ np.array([[1.0, r], [r, 1.0]]) @ shifts.T
    measured = np.concatenate(list(values.values()))
    information = design.T @ np.linalg.solve(total, design)
    covariance = np.linalg.inv(information)
    return covariance @ design.T @ np.linalg.solve(total, measured), covariance, total, measured


def one_result(value, *, nonnegative=("x",), error=1.0):
    """One estimate of one observable."""
    estimate = bc.Estimate(name="estimate", value=value, observables={"x": 1.0})
    measurement = bc.Measurement(name="only", estimates=(estimate,), statistical_covariance=[[error**2]])
    return combine(measurement, name="one result", nonnegative=nonnegative)


def many_results(rng, count):
    """Observables with one estimate each, of random values near 0 and a random covariance; half of them bounded."""
    factor = rng.normal(size=(count, count)) + np.eye(count)
    names = [f"x{i}" for i in range(count)]
    measurement = bc.Measurement(
        name="all",
        estimates=tuple(
            bc.Estimate(name=f"e{i}", value=float(value), observables={name: 1.0})
            for i, (name, value) in enumerate(zip(names, rng.normal(size=count) - 0.3, strict=True))
        ),
        statistical_covariance=factor @ factor.T,
    )
    combination = dataclasses.replace(
        one_result(1.0, nonnegative=()),
        measurements=(measurement,),
        observables=tuple(bc.Observable(name=name) for name in names),
    )
    return combination.with_nonnegative(names[: (count + 1) // 2])
