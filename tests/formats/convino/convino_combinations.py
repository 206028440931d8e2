"""Random combinations that Convino files can hold, and equality of what they say."""

import json

import numpy as np
from hypothesis import strategies as st

import bayescomb as bc
from bayescomb.inputs.serialise import combination_to_json


def content(combination):
    """Plain data of a combination without what Convino files have no place for."""
    return json.loads(combination_to_json(combination))


def meaning(combination):
    """Plain data without labels, and with everything that has several spellings in one of them.

    Blocks and coefficients of several pairs are spelled pair by pair, and a prior without a range is none.
    """
    data = content(combination)
    assumptions = combination.assumption_set
    pairs = {}
    for c in assumptions.coefficients:
        for pair in c.pairs:
            ends = None
            if c.low is not None:
                ends = [pair.sign * end for end in ((c.high, c.low) if c.descending else (c.low, c.high))]
            pairs[frozenset((pair.first, pair.second))] = (pair.sign * c.nominal, ends)
    for block in assumptions.blocks:
        for i, j in zip(*np.tril_indices(len(block.nuisances), -1), strict=True):
            if block.correlation[i, j]:
                pairs[frozenset((block.nuisances[i], block.nuisances[j]))] = (block.correlation[i, j], None)
    groups = {}
    for c in assumptions.coefficients:
        if c.varied and c.scan_group:
            groups.setdefault(c.scan_group, set()).add(frozenset((c.pairs[0].first, c.pairs[0].second)))
    scanned_together = {frozenset(members) for members in groups.values() if len(members) > 1}
    for measurement in data["measurements"]:
        measurement.pop("experiment")
    settings = {key: data[key] for key in ("treatment", "repair", "chi2", "nuisance_values", "normalise", "impact_groups")}
    return {
        "measurements": data["measurements"],
        "observables": [(o["name"], o["spectator"]) for o in data["observables"]],
        "pairs": pairs,
        "scanned_together": scanned_together,
        **settings,
    }


NUMBERS = st.floats(-1e6, 1e6).map(lambda x: 0.0 if abs(x) < 1e-6 else x)
SIZES = st.floats(0.01, 1e4)
RHO = st.floats(-1, 1).map(lambda x: 0.0 if abs(x) < 1e-6 else x)


@st.composite
def measurements(draw, name, observables):
    """A measurement with a fit or with uncorrelated statistics."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, n_fitted, n_external = draw(st.integers(1, 3)), draw(st.integers(0, 3)), draw(st.integers(0, 3))
    responses = np.array(draw(st.lists(NUMBERS, min_size=n * n_external, max_size=n * n_external))).reshape(n, n_external)
    values = draw(st.lists(SIZES, min_size=n, max_size=n))
    estimates = []
    for i, value in enumerate(values):
        observable = draw(st.sampled_from([*observables, f"{name}_e{i}"]))
        estimates.append(bc.Estimate(name=f"{name}_e{i}", value=value, observables={observable: 1.0}))

    def nuisances(kind, count):
        # A lognormal factor must stay above 0, which random responses do not see to.
        forms = st.sampled_from(["absolute", "relative"])
        return tuple(
            bc.Nuisance(name=f"{name}_{kind}{i}", free=draw(st.booleans()), response=draw(forms)) for i in range(count)
        )

    down = None
    if draw(st.booleans()):
        down = np.where(rng.random(responses.shape) < 0.5, -responses, rng.normal(size=responses.shape))
    common = {
        "name": name, "estimates": tuple(estimates), "nuisances": nuisances("x", n_external), "responses": responses,
        "down_responses": down,
    }  # fmt: skip
    if draw(st.booleans()):
        root = rng.normal(size=(n + n_fitted,) * 2) + 3 * np.eye(n + n_fitted)
        pulls = rng.normal(size=n_fitted) * draw(st.booleans())
        fit = bc.FittedInput(nuisances=nuisances("f", n_fitted), information=root @ root.T, pulls=pulls)
        return bc.Measurement(**common, fit=fit)
    statistical = np.array(draw(st.lists(SIZES, min_size=n, max_size=n)))
    return bc.Measurement(**common, statistical_covariance=np.diag(statistical**2))


@st.composite
def combinations(draw):
    """A combination of one to three measurements, with coefficients, groups and settings that the files can hold."""
    inputs = [draw(measurements(f"m{i}", ["x", "y"])) for i in range(draw(st.integers(1, 3)))]
    estimates = [e for m in inputs for e in m.estimates]
    used = {o for e in estimates for o in e.observables}
    observables = [bc.Observable(name=o, unit="GeV", title="a title") for o in ("x", "y") if o in used]
    observables += [bc.Observable(name=e.name, spectator=True) for e in estimates if e.name in e.observables]
    nuisances = [n for m in inputs for n in m.all_nuisances]
    bound = [n.name for n in nuisances if not n.free]
    groups = {}
    if nuisances and draw(st.booleans()):
        members = draw(st.lists(st.sampled_from([n.name for n in nuisances]), min_size=1, unique=True))
        groups = {"some of them": tuple(members), "data": ("stat",)}
    return bc.Combination(
        name=draw(st.sampled_from(["base", "top-mass_1.5"])),
        title="a title",
        measurements=inputs,
        observables=observables,
        assumption_sets={"mine": bc.AssumptionSet(name="mine", coefficients=draw(coefficients(bound)))},
        assumptions="mine",
        normalise=draw(st.booleans()),
        impact_groups=groups,
    )


@st.composite
def coefficients(draw, names):
    """Coefficients of some pairs; those of a scan group share the first of their nuisances."""
    found = []
    for i, first in enumerate(names):
        others = names[:i]
        group = draw(st.sampled_from(["", f"scan {i}"]))
        while others and draw(st.booleans()):
            seconds = tuple(others[-1 - draw(st.integers(0, 1)) :]) or (others[-1],)
            others = others[: -len(seconds)]
            low, high = sorted((draw(RHO), draw(RHO)))
            sign = st.sampled_from([1, -1])
            flip = draw(st.booleans())
            pairs = tuple(
                bc.CorrelationPair(first=b if flip else first, second=first if flip else b, sign=draw(sign)) for b in seconds
            )
            ranged = len(pairs) == 1 and low < high
            found.append(
                bc.CorrelationCoefficient(
                    name=f"r{len(found)}",
                    pairs=pairs,
                    nominal=min(max(draw(RHO), low), high) if ranged else draw(RHO),
                    low=low if ranged else None,
                    high=high if ranged else None,
                    scan_group=group if ranged else "",
                    descending=ranged and draw(st.booleans()),
                )
            )
    return tuple(found)
