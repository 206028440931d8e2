"""Random inputs of every kind, each in a format drawn at random among those that can state it."""

import dataclasses

import numpy as np
from input_formats import Input, nuisance_name

import bayescomb as bc

KINDS = (
    "linear",
    "budget",
    "asymmetric",
    "one-sided",
    "relative",
    "lognormal",
    "free",
    "fit",
    "wide fit",
    "factors in a fit",
)
OBSERVABLES = ("x", "y")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """What is combined.

    Attributes:
        inputs: (input, format) pairs.
        pairs: (position, nuisance) of two inputs, and their coefficient.
        chi2: form.
        normalise: whether x and y are divided by their sum.
    """

    inputs: tuple
    pairs: tuple
    chi2: str
    normalise: bool

    def coefficients(self):
        """Those of the model's file, with the names that the formats give to nuisances."""
        return [
            (f"r{i}", [tuple(nuisance_name(*self.inputs[at], name) for at, name in ends)], f"nominal = {rho!r}")
            for i, (*ends, rho) in enumerate(self.pairs)
        ]

    def combination(self):
        """In Python, with the names of the inputs."""
        made = tuple(
            bc.CorrelationCoefficient(
                name=f"r{i}", pairs=(bc.CorrelationPair(first=ends[0][1], second=ends[1][1]),), nominal=rho
            )
            for i, (*ends, rho) in enumerate(self.pairs)
        )
        return bc.Combination(
            name="random",
            measurements=tuple(item.measurement() for item, _ in self.inputs),
            observables=tuple(bc.Observable(name=o) for o in OBSERVABLES),
            assumption_sets={"set": bc.AssumptionSet(name="set", coefficients=made)},
            assumptions="set",
            chi2=self.chi2,
        )


def random_case(seed):
    """Two or three inputs of x and y."""
    rng = np.random.default_rng([15, seed])
    kinds = rng.choice(KINDS, size=rng.integers(2, 4))
    items = [_input(rng, "abc"[i], str(kind), whole=i == 0) for i, kind in enumerate(kinds)]
    pairs = []
    for i, source in zip(range(1, len(items)), "st", strict=False):
        one, two = (i - 1, f"{source}{items[i - 1].name}"), (i, f"{source}{items[i].name}")
        held = all(name in items[at].nuisances and name not in items[at].free for at, name in (one, two))
        wide = any(kind == "wide fit" for kind in kinds[i - 1 : i + 1])
        if held:
            pairs.append((one, two, float(rng.uniform(-1, 1) * (0.3 if wide else 0.95))))
    return Case(
        inputs=tuple((item, str(rng.choice(item.formats()))) for item in items),
        pairs=tuple(pairs),
        chi2="pearson" if rng.random() < 0.25 else "neyman",
        normalise=bool(rng.random() < 0.15),
    )


def _input(rng, name, kind, *, whole):
    """An input of both observables, or of one of them; a budget has one estimate, so that two stand for it."""
    chosen = OBSERVABLES if whole or (kind != "budget" and rng.random() < 0.6) else (str(rng.choice(OBSERVABLES)),)
    if kind == "budget" and whole:
        kind = "linear"
    n = len(chosen)
    keys = {
        "name": name,
        "values": tuple(float(rng.normal(50 if o == "x" else 30, 2)) for o in chosen),
        "maps": tuple({o: 1.0} for o in chosen),
        "nuisances": (f"s{name}", f"t{name}"),
    }
    up = rng.normal(0, 1.5, size=(n, 2))
    if kind in {"fit", "wide fit", "factors in a fit"}:
        own = np.diag([1.25, 0.9]) if kind == "wide fit" else np.diag(rng.uniform(0.2, 0.9, 2))
        own[0, 1] = own[1, 0] = 0.1 * rng.uniform(-1, 1)
        root = rng.normal(size=(n, n)) + 2 * np.eye(n)
        whole_covariance = np.block([[root @ root.T / 2 + up @ own @ up.T, up @ own], [own @ up.T, own]])
        forms = ("relative", "lognormal") if kind == "factors in a fit" else ()
        return Input(**keys, covariance=whole_covariance, pulls=tuple(rng.normal(0, 0.4, 2).tolist()), forms=forms)
    root = rng.normal(size=(n, n)) + 2 * np.eye(n)
    covariance = np.diag(rng.uniform(0.8, 1.5, n) ** 2) if rng.random() < 0.5 else root @ root.T / 2
    down, forms, free = None, (), ()
    if kind == "budget":
        up = np.abs(up)
    elif kind == "asymmetric":
        down = -up
        down[:, 0] *= rng.uniform(0.3, 1.7, n)
    elif kind == "one-sided":
        down = -up
        down[:, 0] = rng.choice([0.0, 1.0], n) * up[:, 0] * rng.uniform(0.2, 1, n)
    elif kind in {"relative", "lognormal"}:
        forms = (kind, "absolute")
        if rng.random() < 0.4:
            down = -up
            down[:, 0] *= rng.uniform(0.3, 1.7, n)
    elif kind == "free" and n == 2:
        free = (f"t{name}",)
    return Input(**keys, covariance=covariance, up=up, down=down, forms=forms, free=free)
