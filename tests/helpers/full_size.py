"""A combination of the real size: 8 + 4 bins, 122 externalised and 232 fitted nuisances, 40 uncertain coefficients."""

import numpy as np

import bayescomb as bc

N_EXTERNAL, N_FITTED, N_RANGES = 122, 232, 40


def full_size(seed=1, *, quadratic=True, shared=False, chi2="neyman"):
    """Simulated inputs of the true sizes.

    Args:
        seed: of the figures.
        quadratic: all responses absolute and symmetric; otherwise every 20th is relative and two are asymmetric.
        shared: both inputs measure the first four observables; otherwise they share nuisances only.
        chi2: form of chi2.
    """
    rng = np.random.default_rng(seed)
    first = [f"a{i}" for i in range(8)]
    second = first[:4] if shared else [f"c{i}" for i in range(4)]
    sizes = rng.uniform(1, 3, 8)
    responses = rng.normal(0, 0.4, size=(8, N_EXTERNAL))
    down = -responses
    if not quadratic:
        down[:, 5] *= 0.7
        down[:, 17] *= 1.3

    def form(i):
        return "absolute" if quadratic or i % 20 else "relative"

    external = bc.Measurement(
        name="external",
        experiment="A",
        estimates=tuple(bc.Estimate(name=f"ea{i}", value=50.0 + 10 * i, observables={o: 1.0}) for i, o in enumerate(first)),
        statistical_covariance=np.outer(sizes, sizes) * (0.3 + 0.7 * np.eye(8)),
        nuisances=tuple(bc.Nuisance(name=f"A{i}", response=form(i)) for i in range(N_EXTERNAL)),
        responses=responses,
        down_responses=down,
    )
    # Bins of a simulated fit: responses to the estimates, and to nuisances that it constrains from not at all to well.
    bins = rng.normal(size=(400, 4 + N_FITTED)) * np.concatenate([np.full(4, 0.05), rng.uniform(0, 0.12, N_FITTED)])
    information = bins.T @ bins + np.diag([0.0] * 4 + [1.0] * N_FITTED)
    # Published constraints are rounded, some above 1: that of the first nuisances becomes 1.02.
    for i in range(4, 8):
        information[i] *= 0.0
        information[:, i] *= 0.0
        information[i, i] = 1.02**-2
    values = 50.0 + 10 * np.arange(4) + rng.normal(0, 2, 4)
    fitted = bc.Measurement(
        name="fitted",
        experiment="B",
        estimates=tuple(
            bc.Estimate(name=f"ec{i}", value=v, observables={o: 1.0})
            for i, (v, o) in enumerate(zip(values, second, strict=True))
        ),
        fit=bc.FittedInput(
            nuisances=tuple(bc.Nuisance(name=f"B{i}", response=form(i + 7)) for i in range(N_FITTED)),
            information=information,
            pulls=rng.normal(0, 0.1, N_FITTED) * (np.arange(N_FITTED) > 3),
        ),
    )
    coefficients = [_pair(i, 0.5, low=0.0, high=0.9) for i in range(N_RANGES)]
    coefficients += [_pair(N_RANGES, 1.0), _pair(N_RANGES + 1, -1.0)]
    groups = {
        f"group {k}": (*(f"A{i}" for i in range(8 * k, 8 * k + 8)), *(f"B{i}" for i in range(15 * k, 15 * k + 15)))
        for k in range(15)
    }
    return bc.Combination(
        name="full_size",
        measurements=(external, fitted),
        observables=tuple(bc.Observable(name=o) for o in dict.fromkeys([*first, *second])),
        assumption_sets={"nominal": bc.AssumptionSet(name="nominal", coefficients=tuple(coefficients))},
        assumptions="nominal",
        chi2=chi2,
        impact_groups=groups | {"statistics": ("stat",)},
    )


def _pair(index, nominal, **span):
    pairs = (bc.CorrelationPair(first=f"A{index}", second=f"B{index}"),)
    return bc.CorrelationCoefficient(name=f"r{index}", pairs=pairs, nominal=nominal, **span)
