"""Combinations with likelihood tables, and their chi2 written out in plain arithmetic."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

import bayescomb as bc

# n events seen where b are expected beside the signal s: -2 ln L less its value at s = n - b.
SEEN, EXPECTED = 9, 3.5
# Points of the table at s = 0.25 k; at this distance its curve is that of the function to 1e-4 where it has risen by less
# than 9, as the tests of a table against the function show.
STEP, LAST, INTERPOLATION = 0.25, 60, 1e-4


def counted(s, seen=SEEN, expected=EXPECTED):
    """-2 ln of the Poisson probability of what was seen, 0 at its minimum."""
    mean = s + expected
    return 2 * (mean - seen - seen * math.log(mean / seen))


def counting_table(seen=SEEN, expected=EXPECTED, step=STEP, last=LAST):
    points = tuple(step * k for k in range(last + 1))
    return bc.LikelihoodTable(points=points, rises=tuple(counted(s, seen, expected) for s in points))


def parabola(value, error, points=(-9.0, -3.0, 0.0, 2.0, 3.0, 7.0, 11.0)):
    return bc.LikelihoodTable(points=points, rises=tuple(((t - value) / error) ** 2 for t in points))


def measured(name, value, error, shift=0.0):
    estimate = bc.Estimate(name=name, value=value, observables={"s": 1.0})
    if not shift:
        return bc.Measurement(name=name, experiment=name, estimates=(estimate,), statistical_covariance=[[error**2]])
    return bc.Measurement(
        name=name,
        experiment=name,
        estimates=(estimate,),
        statistical_covariance=[[error**2]],
        nuisances=(bc.Nuisance(name=f"scale[{name}]", source="scale"),),
        responses=[[shift]],
    )


def tabulated(name, table, shift=0.0):
    own = {"nuisances": (bc.Nuisance(name=f"scale[{name}]", source="scale"),), "responses": [shift]} if shift else {}
    return bc.Measurement.from_likelihood(name, name, table=table, observable="s", **own)


def combined(*measurements, nominal=0.5, **settings):
    """All that have the source "scale" are correlated by one coefficient."""
    names = [n.name for m in measurements for n in m.nuisances]
    pairs = tuple(bc.CorrelationPair(first=a, second=b) for i, a in enumerate(names) for b in names[i + 1 :])
    coefficient = bc.CorrelationCoefficient(name="scale", pairs=pairs, nominal=nominal, low=0.0, high=0.9) if pairs else None
    return bc.Combination(
        name="tables",
        measurements=measurements,
        observables=(bc.Observable(name="s", unit="pb"),),
        sources=(bc.Source(name="scale"),) if pairs else (),
        assumption_sets={"set": bc.AssumptionSet(name="set", coefficients=(coefficient,) if coefficient else ())},
        assumptions="set",
        **settings,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class CountedAndMeasured:
    """A counting experiment and a Gaussian one, the same source moving both: as a combination, and as its chi2.

    Attributes:
        combination: with the table of the first.
        chi2: of (s, nuisance of the first, of the second).
    """

    combination: bc.Combination
    chi2: Callable[[float, float, float], float]


def counted_and_measured(value=7.0, error=1.5, shifts=(0.6, 0.8), rho=0.5):
    inverse = np.linalg.inv([[1.0, rho], [rho, 1.0]])

    def chi2(s, first, second):
        nuisances = np.array([first, second])
        away = (value - s + shifts[1] * second) / error
        return counted(s - shifts[0] * first) + away**2 + float(nuisances @ inverse @ nuisances)

    combination = combined(
        tabulated("counts", counting_table(), shifts[0]), measured("mass", value, error, shifts[1]), nominal=rho
    )
    return CountedAndMeasured(combination=combination, chi2=chi2)
