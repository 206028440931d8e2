"""A Convino set-up with the shape and the quirks of a real combination of three measurements, and its exact joint fit.

19 bins, each measured once under its own name, 143 + 123 externalised and 232 fitted nuisances, 122 correlated pairs in an
included file (82 with a range), 34 impact groups.  The joint fit is worked out here from the simulated figures, with the
nuisances as a factor of their correlation matrix times independent normal variables, so that pairs of exactly 1.00 are no
special case.
"""

from dataclasses import dataclass

import numpy as np

BINS = {"first": 7, "second": 6, "third": 6}
NUISANCES = {"first": 143, "second": 123, "third": 232}
CHAINS, RANGED, TRIANGLES, EXACT, HALF, GROUPS = 20, 42, 5, 10, 15, 34
DATA_BINS = 60


def names(measurement):
    """Bins and nuisances of a measurement."""
    prefix = measurement[0]
    return (
        [f"{prefix}_bin{i}" for i in range(BINS[measurement])],
        [f"{prefix}_s{i}" for i in range(NUISANCES[measurement])],
    )


@dataclass(frozen=True, kw_only=True)
class RealShape:
    """Figures of the set-up.

    Attributes:
        values: of the bins, measurement -> shape (bins,).
        shifts: of the true values by +1 sigma, of the two externalised measurements, shape (bins, nuisances).
        statistical: of these, shape (bins,).
        covariance: post-fit covariance of bins and nuisances of the third.
        pulls: its post-fit nuisance values.
        pairs: (first, second, nominal, range or None).
    """

    values: dict
    shifts: dict
    statistical: dict
    covariance: np.ndarray
    pulls: np.ndarray
    pairs: list

    def write(self, folder):
        """The files; returns the base file."""
        folder.mkdir(parents=True, exist_ok=True)
        for measurement in ("first", "second"):
            (folder / f"{measurement}.txt").write_text(self._table(measurement))
        (folder / "third.txt").write_text(self._fit())
        (folder / "pairs.txt").write_text(self._included())
        base = folder / "base.txt"
        base.write_text(self._base())
        return base

    def joint(self):
        """Values and covariance of the 19 bins, and pulls and constraints of the 498 nuisances."""
        bins = [b for m in BINS for b in names(m)[0]]
        nuisances = [n for m in BINS for n in names(m)[1]]
        n, at = len(bins), {name: i for i, name in enumerate(bins + nuisances)}
        information, gradient = np.zeros((len(at), len(at))), np.zeros(len(at))
        for measurement in ("first", "second"):
            own = [at[name] for part in names(measurement) for name in part]
            # The true value x = measured + shift * nuisance: the file states what +1 sigma does to it.
            row = np.hstack([np.eye(BINS[measurement]), -self.shifts[measurement]]) / self.statistical[measurement][:, None]
            information[np.ix_(own, own)] += row.T @ row
            gradient[own] += row.T @ (self.values[measurement] / self.statistical[measurement])
        own = [at[name] for part in names("third") for name in part]
        post = np.linalg.inv(self.covariance)
        information[np.ix_(own, own)] += post - np.diag([0.0] * BINS["third"] + [1.0] * NUISANCES["third"])
        gradient[own] += post @ np.concatenate([self.values["third"], self.pulls])
        correlation = np.eye(len(nuisances))
        for first, second, nominal, _ in self.pairs:
            i, j = at[first] - n, at[second] - n
            correlation[i, j] = correlation[j, i] = nominal
        sizes, vectors = np.linalg.eigh(correlation)
        assert sizes.min() > -1e-12
        factor = np.zeros((len(at), len(at)))
        factor[:n, :n] = np.eye(n)
        factor[n:, n:] = vectors * np.sqrt(np.maximum(sizes, 0))
        prior = np.diag([0.0] * n + [1.0] * len(nuisances))
        inner = np.linalg.inv(factor.T @ information @ factor + prior)
        best, covariance = factor @ inner @ factor.T @ gradient, factor @ inner @ factor.T
        return best[:n], covariance[:n, :n], best[n:], np.sqrt(np.diag(covariance)[n:])

    def _table(self, measurement):
        bins, nuisances = names(measurement)
        rows = [" ".join(["", *nuisances, "stat"])]
        for name, shifts, statistical in zip(bins, self.shifts[measurement], self.statistical[measurement], strict=True):
            rows.append("\t".join([name, *(f"{float(x)!r}" for x in shifts), f"{float(statistical)!r}"]))
        systematics = "[systematics]\n[end systematics]\n" if measurement == "first" else ""
        stray = "\n[end systematics]\n" if measurement == "first" else ""
        table = "\n".join(rows)
        return f"{systematics}{self._estimates(measurement)}[not fitted]\n{table}\n[end not fitted]\n{stray}"

    def _fit(self):
        order = [name for part in names("third") for name in part]
        sizes = np.sqrt(np.diag(self.covariance))
        correlation = self.covariance / np.outer(sizes, sizes)
        rows = [
            f"{name} ({float(sizes[i])!r}) {' '.join(repr(float(x)) for x in correlation[i, :i])} 1.0"
            for i, name in enumerate(order)
        ]
        matrix = "\n".join(rows)
        text = f"[hessian]\n[end hessian]\n\n[correlation matrix]\n{matrix}\n[end correlation matrix]\n"
        pulls = "\n".join(f"{n} = {float(p)!r}" for n, p in zip(names("third")[1], self.pulls, strict=True) if p)
        pulled = f"[nuisance values]\n{pulls}\n[end nuisance values]\n" if pulls else ""
        return f"{text}{self._estimates('third')}[systematics]\n[end systematics]\n{pulled}"

    def _estimates(self, measurement):
        lines = [f"  n_estimates = {BINS[measurement]}"]
        for i, (name, value) in enumerate(zip(names(measurement)[0], self.values[measurement], strict=True)):
            lines += [f"  name_{i} = {name}", f"  value_{i} = {float(value)!r}\t# unfolded"]
        return "\n".join(["[estimates]", *lines, "[end estimates]", ""])

    def _included(self):
        lines = ["\tjet energy scale, as agreed by both groups"]
        for k, (first, second, nominal, ends) in enumerate(self.pairs):
            span = f" & {ends[0]:.2f} : {ends[1]:.2f}" if ends else ""
            lines.append(f"  {first} = ({nominal:.2f}{span}) {second}")
            if k == 60:
                lines += ["", "the rest is modelling, see the note"]
        return "\n".join(lines) + "\n"

    def _base(self):
        inputs = "\n".join(f"  file{i} = {m}.txt" for i, m in enumerate(BINS))
        observables = "\n".join(f"  {b} = {b}" for m in BINS for b in names(m)[0])
        groups = []
        for k in range(GROUPS):
            members = [names(m)[1][i] for m in BINS for i in range(k, NUISANCES[m], GROUPS)]
            # Named like a nuisance of it, with what people leave at the end of a line.
            groups.append(f"  {members[0]} = {' + '.join(members)} + = absolute")
        text = "\n".join(groups)
        return (
            f"[global]\n  isDifferential = true\n[end global]\n[inputs]\n  nFiles = 3\n{inputs}\n[end inputs]\n"
            f"[observables]\n{observables}\n[end observables]\n[correlations]\n  #!FILE = pairs.txt\n[end correlations]\n"
            f"[uncertainty impacts]\n{text}\n  statistics = stat\n[end uncertainty impacts]\n"
        )


def real_shape(seed=1, *, pulled=False):
    """Simulated figures; the third fit can have moved its nuisances, as Convino cannot be told."""
    rng = np.random.default_rng(seed)
    values = {m: 100.0 * np.exp(-0.5 * np.arange(n)) + rng.normal(0, 0.1, n) for m, n in BINS.items()}
    shifts = {
        m: values[m][:, None] * rng.normal(0, 0.008, size=(BINS[m], NUISANCES[m])) for m in ("first", "second")
    }  # fmt: skip
    statistical = {m: 0.02 * values[m] for m in shifts}
    # Bins of the third fit: their responses to its results and to its nuisances, which they constrain more or less.
    design = np.hstack(
        [
            rng.normal(size=(DATA_BINS, BINS["third"])) / (0.1 * values["third"]),
            rng.normal(size=(DATA_BINS, NUISANCES["third"])) * rng.uniform(0, 0.15, NUISANCES["third"]),
        ]
    )
    prior = np.diag([0.0] * BINS["third"] + [1.0] * NUISANCES["third"])
    covariance = np.linalg.inv(design.T @ design + prior)
    pulls = rng.normal(0, 0.2, NUISANCES["third"]) if pulled else np.zeros(NUISANCES["third"])
    return RealShape(
        values=values, shifts=shifts, statistical=statistical, covariance=(covariance + covariance.T) / 2, pulls=pulls,
        pairs=_pairs(),
    )  # fmt: skip


def _pairs():
    """Chains of three, single pairs, triangles with an exact 1.00 and pairs of it."""
    first, second, third = (names(m)[1] for m in BINS)
    pairs = []
    for i in range(CHAINS):
        pairs += [(first[i], second[i], 0.5, (0.0, 1.0)), (second[i], third[i], 0.5, (0.25, 0.75))]
    pairs += [(first[i], third[i], 0.25, (0.0, 0.5)) for i in range(CHAINS, CHAINS + RANGED)]
    for i in range(CHAINS + RANGED, CHAINS + RANGED + TRIANGLES):
        pairs += [(first[i], second[i], 1.0, None), (first[i], third[i], 0.5, None), (second[i], third[i], 0.5, None)]
    start = CHAINS + RANGED + TRIANGLES
    pairs += [(second[i], third[i], 1.0, None) for i in range(start, start + EXACT)]
    pairs += [(first[i], third[i], 0.5, None) for i in range(start + EXACT, start + EXACT + HALF)]
    return pairs
