"""Models of every kind that is sampled, small enough for a study of ranks, and their data sets.

Ranks are uniform where truths are drawn from the priors.  Flat observables with absolute responses are held at one value,
which a shift takes to any other together with data and posterior; of relative responses they have normal priors, and masses
those of their tables.
"""

import dataclasses

import numpy as np
from combinations import star
from test_theory import made
from two_modes import disagreeing, kinked
from worked import pair

import bayescomb as bc
from bayescomb.studies.simulated.calibration import toys_of

SIZES = {"low": -0.5, "high": 0.8}
# Mean and sd of the priors.
PRIORS = {"x": (100.0, 15.0), "y": (40.0, 8.0)}


def in_per_cent(chi2="neyman"):
    """Relative, lognormal and asymmetric shifts of two parameters with normal priors, and a sampled coefficient."""
    measurements = tuple(
        bc.Measurement(
            name=name,
            estimates=tuple(
                bc.Estimate(name=f"{o} {name}", value=value, observables={o: 1.0}) for o, value in values.items()
            ),
            statistical_covariance=np.diag([error**2 for error in errors]),
            nuisances=tuple(bc.Nuisance(name=f"{kind} {name}", response=response) for kind, response in kinds.items()),
            responses=np.array(up),
            down_responses=np.array(down),
        )
        for name, values, errors, kinds, up, down in (
            (
                "a", {"x": 98.0, "y": 41.0}, (4.0, 2.0), {"rel": "relative", "log": "lognormal"},
                [[9.0, 15.0], [3.0, 2.0]], [[-9.0, -10.0], [-3.0, -2.5]],
            ),
            (
                "b", {"x": 107.0, "y": 38.0}, (5.0, 2.5), {"rel": "relative", "asy": "absolute"},
                [[7.0, 5.0], [-2.0, 3.0]], [[-7.0, -8.0], [2.0, -2.0]],
            ),
        )
    )  # fmt: skip
    parameters = tuple(
        bc.Parameter(name=name, prior=bc.ParameterPrior(shape="normal", mean=mean, sd=sd))
        for name, (mean, sd) in PRIORS.items()
    )
    return bc.Combination(
        name="in per cent",
        measurements=measurements,
        parameters=parameters,
        observables=(bc.Observable(name="both", formula="x + y"),),
        assumption_sets={"set": bc.AssumptionSet(name="set", coefficients=(pair("rel a", "rel b", 0.3, **SIZES),))},
        assumptions="set",
        chi2=chi2,
    )


def kinked_block():
    """Two kinked nuisances and a straight one of three inputs, all pairs with a sampled coefficient."""
    measurements = tuple(
        bc.Measurement(
            name=name,
            estimates=(bc.Estimate(name=f"e {name}", value=value, observables={"x": 1.0}),),
            statistical_covariance=[[1.0]],
            nuisances=(bc.Nuisance(name=f"n {name}"),),
            responses=[[up]],
            down_responses=[[down]],
        )
        for name, value, up, down in (("a", 10.0, 3.0, -1.0), ("b", 12.0, 1.0, -4.0), ("c", 11.0, 2.0, -2.0))
    )
    coefficients = tuple(
        pair(f"n {first}", f"n {second}", 0.3, -0.7, 0.95) for first, second in (("a", "b"), ("b", "c"), ("a", "c"))
    )
    return bc.Combination(
        name="kinked block",
        measurements=measurements,
        observables=(bc.Observable(name="x"),),
        assumption_sets={"set": bc.AssumptionSet(name="set", coefficients=coefficients)},
        assumptions="set",
    )


def uncertain_sizes():
    """Two sources of uncertain size of their own, whose inputs may disagree, and a common one with a coefficient."""
    combination = disagreeing(0.4, second=103.0)
    pairs = (bc.CorrelationPair(first="ja", second="jb"),)
    measurements = tuple(
        dataclasses.replace(
            m,
            nuisances=(*m.nuisances, bc.Nuisance(name=f"j{m.name}", source="j")),
            responses=np.column_stack([m.responses, [[0.5]]]),
        )
        for m in combination.measurements
    )
    coefficient = bc.CorrelationCoefficient(name="c", pairs=pairs, nominal=0.4, low=0.0, high=0.9)
    return dataclasses.replace(
        combination,
        measurements=measurements,
        sources=(*combination.sources, bc.Source(name="j")),
        assumption_sets={"s": bc.AssumptionSet(name="s", coefficients=(coefficient,))},
    )


# kind: (model, settings of its data sets)
KINDS = {
    "kinked, two modes": (kinked, {}),
    "kinked, block": (kinked_block, {}),
    "errors on errors": (uncertain_sizes, {}),
    "block of coefficients": (lambda: star(4, low=-0.4, high=0.9, separate_observables=False, nuisance_size=1.5), {}),
    "in per cent": (in_per_cent, {}),
    "in per cent, Pearson": (lambda: in_per_cent("pearson"), {}),
    "mass with scales": (lambda: made("correlated"), {"masses": "prior"}),
}


def data_sets(kind, *, seed=1):
    """Data sets of a kind, each with its posterior."""
    model, settings = KINDS[kind]
    return toys_of(model(), seed=seed, draws=250, tune=250, nuisances=6, **settings)
