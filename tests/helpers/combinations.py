"""Small combinations for the tests, built in code."""

import numpy as np

from bayescomb import (
    AssumptionSet,
    Combination,
    CorrelationCoefficient,
    CorrelationPair,
    Estimate,
    Measurement,
    Nuisance,
    Observable,
)


def star(n, *, low=0.0, high=0.9, nominal=0.3, prior="uniform", shared=False, separate_observables=True, nuisance_size=1.0):
    """One measurement whose nuisance is correlated with one nuisance of each of n others.

    With ``shared`` one coefficient serves all pairs: feasible up to 1 / sqrt(n).  Otherwise each pair has its own: the
    feasible set is the unit ball.
    """
    names = [f"m{i}" for i in range(n + 1)]
    observables = [f"x{i}" for i in range(n + 1)] if separate_observables else ["x"] * (n + 1)
    measurements = [
        Measurement(
            name=name,
            experiment=name,
            estimates=(Estimate(name=f"e{i}", value=10.0 + i, observables={observables[i]: 1.0}),),
            statistical_covariance=np.array([[0.5**2]]),
            nuisances=(Nuisance(name=f"n{i}"),),
            responses=np.array([[nuisance_size]]),
        )
        for i, name in enumerate(names)
    ]
    pairs = [CorrelationPair(first="n0", second=f"n{i}") for i in range(1, n + 1)]
    groups = [pairs] if shared else [[pair] for pair in pairs]
    coefficients = tuple(
        CorrelationCoefficient(name=f"r{i}", pairs=tuple(group), nominal=nominal, low=low, high=high, prior=prior)
        for i, group in enumerate(groups)
    )
    return Combination(
        name="star",
        measurements=tuple(measurements),
        observables=tuple(Observable(name=name, unit="pb") for name in dict.fromkeys(observables)),
        assumption_sets={"default": AssumptionSet(name="default", coefficients=coefficients)},
        assumptions="default",
    )


def pairs_with_priors(priors, *, low, high, nominal):
    """For each prior two measurements of observables of their own, whose nuisances have a coefficient with that prior."""
    names = [f"{prior} {side}" for prior in priors for side in "ab"]
    measurements = tuple(
        Measurement(
            name=name,
            estimates=(Estimate(name=f"e {name}", value=10.0, observables={f"x {name}": 1.0}),),
            statistical_covariance=np.array([[0.5**2]]),
            nuisances=(Nuisance(name=f"n {name}"),),
            responses=np.array([[1.0]]),
        )
        for name in names
    )
    coefficients = tuple(
        CorrelationCoefficient(
            name=prior, pairs=(CorrelationPair(first=f"n {prior} a", second=f"n {prior} b"),), nominal=nominal, low=low,
            high=high, prior=prior,
        )
        for prior in priors
    )  # fmt: skip
    return Combination(
        name="pairs",
        measurements=measurements,
        observables=tuple(Observable(name=f"x {name}") for name in names),
        assumption_sets={"default": AssumptionSet(name="default", coefficients=coefficients)},
        assumptions="default",
    )
