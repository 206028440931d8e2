"""PyMC and ArviZ: mean and covariance of a posterior, with a test that the posterior is Gaussian."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import known_name
from bayescomb.base.errors import PosteriorError, warn_input
from bayescomb.base.numerics import unit_diagonal
from bayescomb.formats.fits.written import Results, WrittenFit
from bayescomb.inputs.measurements import Measurement

__all__ = ["Gaussianity", "from_posterior", "gaussianity"]

# A skewness s is a distance of about s/2 standard deviations between mean and mode.
SKEWNESS: Final = 0.2
KURTOSIS: Final = 0.5
# A moment beyond its limit counts if it also differs from 0 by this many standard errors.
SIGNIFICANT: Final = 3.0
# Smallest number of effective draws per parameter for a usable covariance.
LEAST: Final = 10


@dataclass(frozen=True, kw_only=True)
class Gaussianity:
    """How Gaussian the marginal posteriors of some parameters are.

    Attributes:
        parameters: P names.
        skewness: third standardised moment, shape (P,); 0 for a Gaussian.
        kurtosis: fourth standardised moment less 3, shape (P,); 0 for a Gaussian.
        draws: effective number of draws n, shape (P,); skewness and kurtosis have standard errors sqrt(6/n) and sqrt(24/n).
        distance: Kolmogorov distance of the squared Mahalanobis distances of the draws from chi2 with P degrees of freedom;
            it is also sensitive to non-linear correlations.

    Examples:
        >>> import numpy as np
        >>> import bayescomb as bc
        >>> zero = np.zeros(1)
        >>> bc.fits.Gaussianity(parameters=("mu",), skewness=zero, kurtosis=zero, draws=zero + 1000, distance=0.01).odd
        ()
    """

    parameters: tuple[str, ...]
    skewness: FloatArray
    kurtosis: FloatArray
    draws: FloatArray
    distance: float

    @property
    def odd(self) -> tuple[str, ...]:
        """Parameters that are not Gaussian: a moment is large and significant."""
        skew = np.abs(self.skewness) - SIGNIFICANT * np.sqrt(6 / self.draws)
        tails = np.abs(self.kurtosis) - SIGNIFICANT * np.sqrt(24 / self.draws)
        large = (np.minimum(np.abs(self.skewness) - SKEWNESS, skew) > 0) | (
            np.minimum(np.abs(self.kurtosis) - KURTOSIS, tails) > 0
        )
        return tuple(name for name, found in zip(self.parameters, large, strict=True) if found)

    @property
    def sentence(self) -> str:
        """The result of the test in one sentence."""
        numbers = dict(zip(self.parameters, zip(self.skewness, self.kurtosis, strict=True), strict=True))
        if not self.odd:
            return f"Gaussian: no skewness above {SKEWNESS:g} and no excess kurtosis above {KURTOSIS:g}"
        found = ", ".join(
            f"{name!r} (skewness {numbers[name][0]:.2f}, kurtosis {numbers[name][1]:.2f})" for name in self.odd
        )
        return f"not Gaussian: {found}"

    def __str__(self) -> str:
        rows = zip(self.parameters, self.skewness, self.kurtosis, self.draws, strict=True)
        width = max(len(name) for name in self.parameters)
        lines = [f"{name:{width}}  skewness {s:+.2f}, excess kurtosis {k:+.2f}, {n:.0f} draws" for name, s, k, n in rows]
        return "\n".join(
            [self.sentence, *lines, f"largest difference from chi2 of the squared distances: {self.distance:.3f}"]
        )


def gaussianity(draws: Any, parameters: Collection[str] = ()) -> Gaussianity:
    """Test whether a posterior is Gaussian, so that mean and covariance describe it.

    Args:
        draws: an ArviZ tree with the group ``posterior``, or that group as a dataset.
        parameters: parameters to test, by default all; ``name[label]`` is an element of a vector, ``name`` the whole vector.

    Raises:
        PosteriorError: there is no such group, or it has too few draws.
        UnknownNameError: the group has no such parameter.

    Examples:
        >>> import numpy as np
        >>> import xarray as xr
        >>> import bayescomb as bc
        >>> mu = np.random.default_rng(1).normal(size=(4, 500))
        >>> tree = xr.Dataset({"mu": (("chain", "draw"), mu), "rate": (("chain", "draw"), np.exp(mu))})
        >>> bc.fits.gaussianity(tree).odd
        ('rate',)
    """
    return _tested(*_flat(draws, parameters))


def from_posterior(
    name: str, experiment: str = "", *, draws: Any, results: Results, parameters: Collection[str] = (), **options: Any
) -> Measurement:
    """Mean and covariance of a posterior as an input, with a warning where the posterior is not Gaussian.

    The posterior must have been sampled with flat priors of the results and with the ``priors`` of the nuisances, N(0, 1) by
    default.

    Args:
        name: name of the measurement.
        experiment: collaboration.
        draws: an ArviZ tree with the group ``posterior``, or that group as a dataset.
        results: as :meth:`bayescomb.Measurement.from_fit` takes them.
        parameters: variables, or their elements ``name[label]``, to use beside the results; by default all.  Leave out
            quantities that follow from others.
        options: ``free``, ``left_out``, ``priors`` and ``pulls`` of ``from_fit``.

    Raises:
        PosteriorError: there is no posterior, or it has too few draws.
        Other bayescomb errors: as of ``from_fit``.

    Warns:
        InputWarning: a result or a nuisance is not Gaussian, with its skewness and kurtosis.

    Examples:
        >>> import numpy as np
        >>> import xarray as xr
        >>> import bayescomb as bc
        >>> z = np.random.default_rng(1).normal(size=(2, 4, 500))
        >>> tree = xr.Dataset({"mu": (("chain", "draw"), 1 + 0.1 * z[0] + 0.05 * z[1]), "jes": (("chain", "draw"), z[1])})
        >>> found = bc.fits.from_posterior("North", draws=tree, results=["mu"])
        >>> found.fit_responses.round(2).tolist()
        [[0.05]]
    """
    names, values, effective = _flat(draws, [*results, *parameters] if parameters else ())
    test = _tested(names, values, effective)
    if test.odd:
        warn_input(f"fit {name!r}: the posterior is {test.sentence}; its mean and covariance do not describe it fully")
    written = WrittenFit(
        parameters=names, values=values.mean(axis=0), covariance=np.cov(values, rowvar=False, ddof=1).reshape(len(names), -1)
    )
    return written.measurement(name, experiment, results=results, **options)


def _flat(posterior: Any, wanted: Collection[str]) -> tuple[list[str], FloatArray, FloatArray]:
    """Names, draws of shape (draws, P) and effective numbers of draws."""
    group = posterior
    if "chain" not in getattr(posterior, "dims", ()):
        group = getattr(posterior, "posterior", None)
    if group is None or "draw" not in group.dims or not len(group.data_vars):
        msg = "no group 'posterior' with the dims chain and draw found; give the tree of pm.sample, or that group of it"
        raise PosteriorError(msg)
    names, columns = list[str](), list[FloatArray]()
    for key, variable in group.data_vars.items():
        if variable.dtype.kind != "f":
            continue
        others = [dim for dim in variable.dims if dim not in ("chain", "draw")]
        array = variable.transpose("chain", "draw", *others)
        labels = [list(array[dim].to_numpy()) for dim in others]
        for index in np.ndindex(*array.shape[2:]):
            own = ",".join(str(labels[d][i]) for d, i in enumerate(index))
            names.append(f"{key}[{own}]" if index else str(key))
            columns.append(array.to_numpy()[(slice(None), slice(None), *index)])
    chosen = _chosen(wanted, names) if wanted else range(len(names))
    names = [names[i] for i in chosen]
    draws = np.array([columns[i] for i in chosen])
    if not np.isfinite(draws).all():
        msg = "the posterior holds draws that are not finite; leave out the variable, or sample again"
        raise PosteriorError(msg)
    effective = np.array([_effective(own) for own in draws])
    if effective.min() < LEAST * len(names):
        msg = (
            f"{effective.min():.0f} effective draws of {names[int(effective.argmin())]!r} found, the covariance of "
            f"{len(names)} parameters needs at least {LEAST} for each; sample more, or choose fewer 'parameters'"
        )
        raise PosteriorError(msg)
    return names, draws.reshape(len(names), -1).T, effective


def _chosen(wanted: Collection[str], names: Sequence[str]) -> list[int]:
    found = dict[int, None]()
    for wish in wanted:
        own = [i for i, name in enumerate(names) if name == wish or name.startswith(f"{wish}[")]
        if not own:
            known_name(wish, names, kind="parameter", where="posterior")
        found |= dict.fromkeys(own)
    return list(found)


def _effective(draws: FloatArray) -> float:
    """Effective number of draws of an array of shape (chains, draws); the size of a constant array."""
    import arviz as az

    found = float(az.ess(draws))
    return found if np.isfinite(found) else float(draws.size)


def _tested(names: Sequence[str], draws: FloatArray, effective: FloatArray) -> Gaussianity:
    from scipy.stats import chi2, kurtosis, skew

    moved = draws - draws.mean(axis=0)
    scaled, scale = unit_diagonal(np.atleast_2d(np.cov(moved, rowvar=False)))
    inverse = np.linalg.pinv(scaled)
    squared = np.sort(np.einsum("di,ij,dj->d", moved / scale, inverse, moved / scale))
    expected = chi2.cdf(squared, np.linalg.matrix_rank(inverse))
    steps = np.arange(len(squared) + 1) / len(squared)
    return Gaussianity(
        parameters=tuple(names),
        skewness=np.asarray(skew(draws, axis=0)),
        kurtosis=np.asarray(kurtosis(draws, axis=0)),
        draws=effective,
        distance=float(max(np.abs(expected - steps[1:]).max(), np.abs(expected - steps[:-1]).max())),
    )
