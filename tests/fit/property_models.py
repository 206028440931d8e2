"""Random combinations for the property tests, what can be done to them without changing what they say."""

import dataclasses

import numpy as np
from gaussian import coefficient, estimates_of, external_measurement, fit_of_data, random_map
from hypothesis import settings
from hypothesis import strategies as st
from repetitions import repetitions

import bayescomb as bc

OBSERVABLES = ("x", "y")
FEW = settings(max_examples=repetitions(15), derandomize=True, database=None, deadline=None)
seeds = st.integers(0, 2**32 - 1).map(np.random.default_rng)
HALF = np.sqrt(0.5)


def fitted_measurement(rng, name, *, n_estimates, n_nuisances, external=0):
    """What a fit of random bins publishes, its nuisances pulled, with externalised nuisances on top."""
    data = rng.normal(size=12) * 2
    design = rng.normal(size=(12, n_estimates + n_nuisances)) * np.array([1.0] * n_estimates + [0.5] * n_nuisances)
    responses = rng.normal(size=(n_estimates, external))
    maps = [random_map(rng, OBSERVABLES) for _ in range(n_estimates)]
    return fit_of_data(name, design=design, data=data, maps=maps, external=responses)


@st.composite
def combinations(draw, *, treatment=None, sampled=True):
    """Three measurements, the second one a fit with pulls; a.n0 correlated with b.n0 and with c.n0, a.n1 with b.x0.

    The first two coefficients have ranges that leave the disc in which they are feasible.
    """
    rng = draw(seeds)
    first = external_measurement(rng, "a", observables=OBSERVABLES, n_estimates=draw(st.integers(2, 4)), n_nuisances=2)
    second = fitted_measurement(
        rng, "b", n_estimates=draw(st.integers(1, 3)), n_nuisances=draw(st.integers(1, 3)), external=1
    )
    third = external_measurement(rng, "c", observables=OBSERVABLES, n_estimates=draw(st.integers(1, 3)), n_nuisances=1)
    r, s = draw(st.floats(-0.6, 0.6)), draw(st.floats(-0.6, 0.6))
    ends = {"low": -0.9, "high": 0.9} if sampled else {}
    coefficients = (
        coefficient("ab", r, ("a.n0", "b.n0"), **ends),
        coefficient("ac", s, ("a.n0", "c.n0"), **ends),
        coefficient("fixed", draw(st.floats(-0.9, 0.9)), ("a.n1", "b.x0")),
    )
    return bc.Combination(
        name="random",
        measurements=(first, second, third),
        observables=tuple(bc.Observable(name=name) for name in OBSERVABLES),
        assumption_sets={"set": bc.AssumptionSet(name="set", coefficients=coefficients)},
        assumptions="set",
        treatment=treatment or draw(st.sampled_from(["nuisance", "covariance"])),
    )


def with_coefficients(combination, coefficients):
    changed = dataclasses.replace(combination.assumption_set, coefficients=tuple(coefficients))
    return dataclasses.replace(combination, assumption_sets={"set": changed})


def with_measurements(combination, measurements):
    return dataclasses.replace(combination, measurements=tuple(measurements))


def moved(c, *, pairs=None, factor=1.0):
    """A coefficient with other pairs, or with nominal value and range multiplied."""
    ends = {key: None if getattr(c, key) is None else factor * getattr(c, key) for key in ("low", "high")}
    return dataclasses.replace(c, pairs=c.pairs if pairs is None else tuple(pairs), nominal=factor * c.nominal, **ends)


def shuffled(combination, rng):
    """Everything that has an order in another one."""

    def some_order(things):
        return tuple(things[i] for i in rng.permutation(len(things)))

    measurements = []
    for m in some_order(combination.measurements):
        rows, columns = rng.permutation(len(m.estimates)), rng.permutation(len(m.nuisances))
        changes = {
            "estimates": tuple(m.estimates[i] for i in rows),
            "nuisances": tuple(m.nuisances[i] for i in columns),
            "responses": m.responses[np.ix_(rows, columns)],
        }
        if m.fit is None:
            changes["statistical_covariance"] = m.statistical_covariance[np.ix_(rows, rows)]
        else:
            own = rng.permutation(len(m.fit.nuisances))
            all_rows = np.concatenate([rows, len(rows) + own])
            changes["fit"] = bc.FittedInput(
                nuisances=tuple(m.fit.nuisances[i] for i in own),
                information=m.fit.information[np.ix_(all_rows, all_rows)],
                pulls=m.fit.pulls[own],
            )
        measurements.append(dataclasses.replace(m, **changes))
    coefficients = [
        moved(c, pairs=[dataclasses.replace(p, first=p.second, second=p.first) for p in some_order(c.pairs)])
        for c in some_order(combination.assumption_set.coefficients)
    ]
    changed = with_coefficients(with_measurements(combination, measurements), coefficients)
    return dataclasses.replace(changed, observables=some_order(combination.observables))


def scaled(combination, scale):
    """All measured numbers in another unit."""
    measurements = []
    for m in combination.measurements:
        changes = {
            "estimates": tuple(dataclasses.replace(e, value=scale * e.value) for e in m.estimates),
            "responses": scale * m.responses,
        }
        if m.fit is None:
            changes["statistical_covariance"] = scale**2 * m.statistical_covariance
        else:
            unit = np.array([scale] * len(m.estimates) + [1.0] * len(m.fit.nuisances))
            changes["fit"] = dataclasses.replace(m.fit, information=m.fit.information / np.outer(unit, unit))
        measurements.append(dataclasses.replace(m, **changes))
    return with_measurements(combination, measurements)


def halved(combination, name):
    """A nuisance as (first + second) / sqrt(2) of two, both with its response over sqrt(2), and every correlation too.

    The difference of the two is a nuisance that nothing sees: of a fit it has its prior as post-fit information.
    """
    two = (bc.Nuisance(name=f"{name} 1"), bc.Nuisance(name=f"{name} 2"))
    measurements = []
    for m in combination.measurements:
        names = [n.name for n in m.nuisances]
        if name in names:
            i = names.index(name)
            column = HALF * m.responses[:, [i]]
            m = dataclasses.replace(
                m,
                nuisances=(*m.nuisances[:i], *m.nuisances[i + 1 :], *two),
                responses=np.hstack([np.delete(m.responses, i, axis=1), column, column]),
            )
        elif m.fit is not None and name in (fitted := [n.name for n in m.fit.nuisances]):
            i = len(m.estimates) + fitted.index(name)
            size = len(m.fit.information)
            back = np.eye(size + 1)  # (..., whole, ..., difference) from (..., first, ..., second)
            back[i, [i, size]] = HALF, HALF
            back[size, [i, size]] = HALF, -HALF
            information = np.zeros((size + 1, size + 1))
            information[:size, :size], information[size, size] = m.fit.information, 1.0
            pulls = np.append(m.fit.pulls, 0.0)
            pulls[[i - len(m.estimates), -1]] = HALF * m.fit.pulls[i - len(m.estimates)]
            nuisances = list(m.fit.nuisances)
            nuisances[i - len(m.estimates)] = two[0]
            fit = bc.FittedInput(nuisances=(*nuisances, two[1]), information=back.T @ information @ back, pulls=pulls)
            m = dataclasses.replace(m, fit=fit)
        measurements.append(m)
    coefficients = []
    for c in combination.assumption_set.coefficients:
        if not any(name in (p.first, p.second) for p in c.pairs):
            coefficients.append(c)
            continue
        (pair,) = c.pairs
        other = pair.second if pair.first == name else pair.first
        pairs = [dataclasses.replace(pair, first=part.name, second=other) for part in two]
        coefficients.append(moved(c, pairs=pairs, factor=HALF))
    changed = dataclasses.replace(combination.assumption_set, coefficients=tuple(coefficients))
    return dataclasses.replace(combination, measurements=tuple(measurements), assumption_sets={"set": changed})


def with_idle(combination, where):
    """A nuisance more that no estimate feels, outside or inside the fit of a measurement."""
    measurements = list(combination.measurements)
    m = measurements[where]
    if m.fit is None:
        m = dataclasses.replace(
            m,
            nuisances=(bc.Nuisance(name="idle"), *m.nuisances),
            responses=np.hstack([np.zeros((len(m.estimates), 1)), m.responses]),
        )
    else:
        size = len(m.fit.information)
        information = np.eye(size + 1)
        information[:size, :size] = m.fit.information
        nuisances = (*m.fit.nuisances, bc.Nuisance(name="idle"))
        m = dataclasses.replace(
            m, fit=bc.FittedInput(nuisances=nuisances, information=information, pulls=np.append(m.fit.pulls, 0.0))
        )
    measurements[where] = m
    return with_measurements(combination, measurements)


def split(combination, count):
    """The first measurement in two: its first ``count`` estimates, and the rest with nuisances fully correlated to its own.

    Its statistical covariance must not connect the two.  Whatever a nuisance is correlated with, its double is too.
    """
    m, *others = combination.measurements
    doubles = {n.name: f"{n.name}'" for n in m.nuisances}

    def part(name, rows, nuisances):
        return dataclasses.replace(
            m,
            name=name,
            estimates=m.estimates[rows],
            statistical_covariance=m.statistical_covariance[rows, rows],
            nuisances=nuisances,
            responses=m.responses[rows],
        )

    two = (
        part("a first", slice(count), m.nuisances),
        part("a second", slice(count, None), tuple(dataclasses.replace(n, name=doubles[n.name]) for n in m.nuisances)),
    )
    coefficients = []
    for c in combination.assumption_set.coefficients:
        pairs = [
            dataclasses.replace(p, first=doubles.get(p.first, p.first), second=doubles.get(p.second, p.second))
            for p in c.pairs
            if p.first in doubles or p.second in doubles
        ]
        coefficients.append(moved(c, pairs=[*c.pairs, *pairs]))
    same = [coefficient(f"same {name}", 1.0, (name, double)) for name, double in doubles.items()]
    return with_coefficients(with_measurements(combination, (*two, *others)), coefficients + same)


def unconnected(combination, count):
    """Statistical covariance of the first measurement without what connects its first ``count`` estimates to the rest."""
    m, *others = combination.measurements
    covariance = m.statistical_covariance.copy()
    covariance[:count, count:] = covariance[count:, :count] = 0.0
    return with_measurements(combination, (dataclasses.replace(m, statistical_covariance=covariance), *others))


def doubled(combination):
    """Every estimate of the first measurement twice with twice the statistical covariance: the same information."""
    m, *others = combination.measurements
    values = [e.value for e in m.estimates]
    again = dataclasses.replace(
        m,
        estimates=m.estimates + estimates_of("again", values, [e.observables for e in m.estimates]),
        statistical_covariance=np.kron(np.eye(2), 2 * m.statistical_covariance),
        responses=np.vstack([m.responses, m.responses]),
    )
    return with_measurements(combination, (again, *others))


def names_of(combination):
    return [n.name for n in combination.nuisances]
