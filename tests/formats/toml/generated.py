"""Combinations with a bit of everything the data model holds, drawn at random; names and titles are as odd as is allowed."""

import numpy as np
from gaussian import random_covariance

import bayescomb as bc
from bayescomb.inputs.assumptions.prior_shapes import PRIOR_SHAPES

NAME_LETTERS = list("abcXYZ019 _-.,;:=#'\"[]{}()/+~\\éπ")
TEXT_LETTERS = [*NAME_LETTERS, "\n", "\t", "\x7f", "\x00", "\u2028", "\U0001f4d0"]


class Names:
    """Unique names of letters that a CSV or TOML file may stumble over."""

    def __init__(self, rng):
        self.rng, self.count = rng, 0

    def __call__(self):
        self.count += 1
        return f"{''.join(self.rng.choice(NAME_LETTERS, self.rng.integers(0, 5))).strip()}~{self.count}"


def random_text(rng):
    return "".join(rng.choice(TEXT_LETTERS, rng.integers(0, 8)))


def random_combination(rng):
    """A combination of 1 to 4 measurements; chance decides on everything."""
    names = Names(rng)
    observables = [names() for _ in range(rng.integers(1, 4))]
    sources = [names() for _ in range(rng.integers(0, 3))]
    experiments = ["", names(), names()]
    measurements = [budget_measurement(rng, names, observables, sources) for _ in range(rng.integers(0, 3))]
    measurements += [
        random_measurement(rng, names, observables, sources, experiments, complete=not measurements and i == 0)
        for i in range(rng.integers(not measurements, 3))
    ]
    spectators = []
    if rng.random() < 0.3:
        spectator = random_measurement(rng, names, [], sources, experiments, complete=False)
        measurements.append(spectator)
        spectators = [e.name for e in spectator.estimates]
    nuisances = [n for m in measurements for n in m.all_nuisances]
    curved = any(n.response != "absolute" for n in nuisances) or any(m.down_responses is not None for m in measurements)
    treatment = "nuisance" if curved else str(rng.choice(["nuisance", "covariance"]))
    bound = [n.name for n in nuisances if not n.free]
    sets = random_sets(rng, names, bound, nuisances, sources)
    groups = {names(): ("stat",)} if rng.random() < 0.5 else {}
    if nuisances and rng.random() < 0.5:
        groups[names()] = tuple(rng.permutation([n.name for n in nuisances])[:3].tolist())
    return bc.Combination(
        name=random_text(rng),
        title=random_text(rng),
        measurements=tuple(measurements),
        observables=tuple(
            bc.Observable(name=o, unit=random_text(rng), title=random_text(rng), spectator=o in spectators)
            for o in [*observables, *spectators]
        ),
        assumption_sets={s.name: s for s in sets},
        assumptions=str(rng.choice([s.name for s in sets])),
        treatment=treatment,
        repair=str(rng.choice(["none", "shift", "clip", "nearest"])),
        sources=tuple(bc.Source(name=s, title=random_text(rng), group=random_text(rng)) for s in sources),
        provenance=tuple(
            bc.Provenance(table=random_text(rng), kind=kind, origin=random_text(rng), note=random_text(rng))
            for kind in rng.permutation(["published", "reconstructed", "assumed"])[: rng.integers(0, 4)].tolist()
        ),
        chi2="neyman" if treatment == "covariance" else str(rng.choice(["neyman", "pearson"])),
        nuisance_values=str(rng.choice(["used", "ignored"])),
        normalise=bool(rng.integers(2)),
        impact_groups=groups,
    )


def random_estimates(rng, names, observables, *, complete):
    """With ``complete`` one estimate of each observable; without observables every estimate is a spectator."""
    if not observables:
        own = [names() for _ in range(rng.integers(1, 3))]
        return tuple(bc.Estimate(name=n, value=float(rng.normal(100, 5)), observables={n: 1.0}) for n in own)
    maps = [{o: 1.0} for o in observables] if complete else []
    for _ in range(rng.integers(not complete, 3)):
        chosen = rng.permutation(observables)[: rng.integers(1, len(observables) + 1)].tolist()
        maps.append({o: float(f) for o, f in zip(chosen, rng.choice([1.0, -2.5, 1 / 3], len(chosen)), strict=True)})
    return tuple(
        bc.Estimate(name=names(), value=float(rng.normal(100, 5)), observables=m, title=random_text(rng)) for m in maps
    )


def random_nuisances(rng, names, sources, n):
    return tuple(
        bc.Nuisance(
            name=names(),
            source=str(rng.choice(["", *sources])),
            free=bool(rng.random() < 0.2),
            response=str(rng.choice(["absolute", "absolute", "relative", "lognormal"])),
        )
        for _ in range(n)
    )


def random_measurement(rng, names, observables, sources, experiments, *, complete):
    estimates = random_estimates(rng, names, observables, complete=complete)
    n, m = len(estimates), int(rng.choice([0, 1, 3, 12]))
    responses = rng.choice([0.0, -0.0, 1.0, 0.1], (n, m)) * rng.normal(size=(n, m))
    down = np.where(rng.random((n, m)) < 0.5, -responses, rng.normal(size=(n, m))) if rng.random() < 0.5 else None
    kind = rng.choice(["diagonal", "covariance", "fit"])
    covariance, fit = random_covariance(rng, n), None
    if kind == "diagonal":
        covariance = np.diag(rng.uniform(1, 3, n) ** 2)
    elif kind == "fit":
        fitted = random_nuisances(rng, names, sources, int(rng.integers(0, 5)))
        fit = bc.FittedInput(
            nuisances=fitted,
            information=random_covariance(rng, n + len(fitted)) * 1e-3 + np.eye(n + len(fitted)),
            pulls=rng.choice([0.0, -0.0, 1.0], len(fitted)) * rng.normal(size=len(fitted)),
        )
        covariance = None
    return bc.Measurement(
        name=names(),
        experiment=str(rng.choice(experiments)),
        estimates=estimates,
        statistical_covariance=covariance,
        nuisances=random_nuisances(rng, names, sources, m),
        responses=responses,
        down_responses=down,
        fit=fit,
    )


def budget_measurement(rng, names, observables, sources):
    """A measurement of every observable in the form of a budget."""
    estimates = tuple(
        bc.Estimate(name=names(), value=float(rng.normal(100, 5)), observables={o: 1.0}, title=str(rng.choice(["", "a, b"])))
        for o in observables
    )
    sizes = np.kron(np.eye(len(estimates)), np.ones(len(sources)))
    return bc.Measurement(
        name=names(),
        experiment="E, 1",
        estimates=estimates,
        statistical_covariance=np.diag(rng.uniform(1, 3, len(estimates)) ** 2),
        nuisances=tuple(bc.Nuisance(name=f"{s}[{e.name}]", source=s) for e in estimates for s in sources),
        responses=sizes * rng.uniform(0, 1, sizes.shape),
    )


def random_sets(rng, names, bound, nuisances, sources):
    """Up to three sets, of which later ones repeat part of the first."""
    order = rng.permutation(bound).tolist()
    blocks = random_blocks(rng, names, order[: len(order) // 2])
    pairs = [(a, b) for i, a in enumerate(order[len(order) // 2 :]) for b in order[len(order) // 2 + i + 1 :]]
    coefficients = random_coefficients(rng, names, pairs[:20], sources)
    stated = pairs[:20] + [(a, b) for block in blocks for a in block.nuisances for b in block.nuisances]
    coefficients += category(rng, names, bound, nuisances, sources, taken=stated)
    first = bc.AssumptionSet(name=names(), coefficients=coefficients, blocks=blocks, description=random_text(rng))
    sets = [first]
    for _ in range(rng.integers(0, 3)):
        changed = [
            bc.CorrelationCoefficient(name=c.name, pairs=c.pairs, nominal=0.125) if rng.random() < 0.3 else c
            for c in coefficients[: int(rng.integers(0, len(coefficients) + 1)) or None]
        ]
        kept = blocks[: int(rng.integers(0, len(blocks) + 1))]
        sets.append(bc.AssumptionSet(name=names(), coefficients=changed, blocks=kept, description=random_text(rng)))
    return sets


def random_blocks(rng, names, members):
    blocks = []
    while members:
        n = int(rng.integers(1, 4))
        own, members = members[:n], members[n:]
        roots = rng.normal(size=(len(own), len(own) + 1))
        roots /= np.linalg.norm(roots, axis=1, keepdims=True)
        correlation = roots @ roots.T
        np.fill_diagonal(correlation, 1.0)
        blocks.append(bc.CorrelationBlock(name=names(), nuisances=tuple(own), correlation=correlation))
    return blocks


def random_coefficients(rng, names, pairs, sources):
    coefficients = []
    while pairs:
        n = int(rng.integers(1, 5))
        own, pairs = pairs[:n], pairs[n:]
        signs = rng.choice([-1, 1], len(own)).tolist()
        low = float(rng.uniform(-1, 0.4))
        ranges = {"low": low, "high": low + 0.5} if rng.random() < 0.6 else {}
        inside = bool(ranges) and rng.random() < 0.5
        coefficients.append(
            bc.CorrelationCoefficient(
                name=names(),
                pairs=tuple(bc.CorrelationPair(first=a, second=b, sign=s) for (a, b), s in zip(own, signs, strict=True)),
                nominal=low + 0.1 if inside else float(rng.uniform(-1, 1)),
                prior=str(rng.choice(PRIOR_SHAPES)) if inside else "uniform",
                title=random_text(rng),
                source=str(rng.choice(["", *sources])),
                scan_group=random_text(rng),
                descending=bool(rng.integers(2)),
                published_half_shift=random_text(rng),
                published_half_error_shift=random_text(rng),
                **ranges,
            )
        )
    return coefficients


def category(rng, names, bound, nuisances, sources, *, taken):
    """A coefficient of all nuisances of a source with all of another, signs and all, if chance left room for one."""
    stated = {frozenset(pair) for pair in taken}
    for source in sources:
        own = [n.name for n in nuisances if n.source == source and n.name in bound][:6]
        pairs = [(a, b) for a in own[:2] for b in own[2:]]
        if len(pairs) < 4 or any(frozenset(p) in stated for p in pairs):
            continue
        signs = dict(zip(own, rng.choice([-1, 1], len(own)).tolist(), strict=True))
        made = tuple(bc.CorrelationPair(first=a, second=b, sign=signs[a] * signs[b]) for a, b in pairs)
        return [bc.CorrelationCoefficient(name=names(), pairs=made, nominal=0.0, source=source)]
    return []
