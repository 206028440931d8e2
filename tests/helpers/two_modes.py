"""Models whose chi2 has two minima, and their posteriors on a grid."""

import numpy as np

import bayescomb as bc

NOTHING = {"s": bc.AssumptionSet(name="s")}


def kinked(down=-5.0, *, first=10.0):
    """Observable x is measured as 10 and 18; a nuisance lowers the second by 4 at +1 and by ``-down`` at -1, and y by 3."""
    a = bc.Measurement(
        name="A", estimates=(bc.Estimate(name="a", value=first, observables={"x": 1.0}),), statistical_covariance=[[1.0]]
    )
    b = bc.Measurement(
        name="B",
        estimates=(
            bc.Estimate(name="b", value=18.0, observables={"x": 1.0}),
            bc.Estimate(name="c", value=50.0, observables={"y": 1.0}),
        ),
        statistical_covariance=np.eye(2),
        nuisances=(bc.Nuisance(name="l"),),
        responses=np.array([[-4.0], [-3.0]]),
        down_responses=np.array([[down], [3.0]]),
    )
    observables = (bc.Observable(name="x"), bc.Observable(name="y"))
    return bc.Combination(
        name="kinked", measurements=(a, b), observables=observables, assumption_sets=NOTHING, assumptions="s"
    )


def kinked_moments(down=-5.0):
    """Mean and sd of y, and the probability of a positive nuisance, on a grid of the nuisance; x is integrated by hand."""
    grid = np.linspace(-12, 12, 400_001)
    predicted = np.where(grid > 0, 4 * grid, down * grid)  # beyond x, so that 18 - predicted - 10 has variance 2
    weight = np.exp(-(grid**2 + (8 - predicted) ** 2 / 2) / 2)
    weight /= weight.sum()
    y = 50 - 3 * grid
    mean = (weight * y).sum()
    return mean, np.sqrt((weight * (y - mean) ** 2).sum() + 1), weight[grid > 0].sum()


def disagreeing(relative=0.5, *, second=112.0, kind="common"):
    """Two measurements of x, 100 and ``second``, that disagree, each with a source of uncertain size."""
    measurements = tuple(
        bc.Measurement(
            name=name,
            estimates=(bc.Estimate(name=name, value=value, observables={"x": 1.0}),),
            statistical_covariance=[[0.09]],
            nuisances=(bc.Nuisance(name=f"l{name}", source=f"s{name}"),),
            responses=[[size]],
        )
        for name, value, size in (("a", 100.0, 1.0), ("b", second, 1.2))
    )
    return bc.Combination(
        name="disagreeing",
        measurements=measurements,
        observables=(bc.Observable(name="x"),),
        sources=(bc.Source(name="sa"), bc.Source(name="sb")),
        assumption_sets=NOTHING,
        assumptions="s",
        errors_on_errors={s: bc.ErrorOnError(relative=relative, kind=kind) for s in ("sa", "sb")},
    )
