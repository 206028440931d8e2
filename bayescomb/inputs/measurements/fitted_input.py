"""Nuisances, and fits as inputs: values and covariance of fitted results and nuisances, in units of the priors.

A fit of parameters (x, theta) gives their values and their covariance H^-1.  Its nuisances had constraint terms
N(theta; c, w), which are priors N(0, 1) in units lambda = (theta - c) / w.  A combination states each prior once, with its
own correlations, so the likelihood removes the priors of the input (:mod:`bayescomb.likelihood.data_information`).  Here a
fit is checked, converted to these units and inverted.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final, assert_never

import numpy as np
from numpy.typing import ArrayLike

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import (
    SINGULAR,
    check_array,
    check_choice,
    check_covariance,
    check_distinct,
    check_finite,
    check_names,
    known_name,
    some_names,
)
from bayescomb.base.choices import RESPONSE_FORMS, NuisanceValues, ResponseForm
from bayescomb.base.errors import InvalidMatrixError, InvalidNumberError, UnderdeterminedError, UnknownNameError, warn_input
from bayescomb.base.numerics import correlation_of, information_of

__all__ = ["FitTable", "FittedInput", "Nuisance", "fitted_values", "named"]

# Post-fit values and constraints that a nuisance with a prior of width 1 hardly exceeds: beyond, the prior was another one.
LARGE_PULL: Final = 5.0
LARGE_CONSTRAINT: Final = 2.0
# Parameters that a warning names.
NAMED: Final = 5


@dataclass(frozen=True, kw_only=True)
class Nuisance:
    """A nuisance parameter with a N(0, 1) prior.

    Attributes:
        name: unique name.
        source: source it belongs to, empty if none is named.
        free: whether it has no prior.
        response: effect of the nuisance lambda on the prediction of an estimate with measured value x and shift k:
            ``"absolute"`` subtracts k lambda; ``"relative"`` multiplies by 1 - k lambda / x; ``"lognormal"`` divides by
            (1 + k / x)^lambda (for lambda < 0 the same law with the shift at -1 sigma, if that is stated).
        statistical: whether it is the asymmetric part of a statistical uncertainty
            (:func:`bayescomb.inputs.measurements.asymmetric_statistics`): its part of an error is statistical, it belongs to
            no source and is uncorrelated with all others.

    Examples:
        >>> import bayescomb as bc
        >>> bc.Nuisance(name="lumi", source="luminosity", response="lognormal").free
        False
    """

    name: str
    source: str = ""
    free: bool = False
    response: ResponseForm = "absolute"
    statistical: bool = False

    def __post_init__(self) -> None:
        check_choice(self.response, RESPONSE_FORMS, where=f"response of nuisance {self.name!r}")
        if self.statistical and (self.source or self.free):
            msg = f"nuisance {self.name!r}: statistical, so it has a prior and no source; leave 'source' and 'free' out"
            raise InvalidNumberError(msg)

    @property
    def multiplicative(self) -> bool:
        """Whether its shift grows with the predicted value."""
        match self.response:
            case "absolute":
                return False
            case "relative" | "lognormal":
                return True
        assert_never(self.response)


@dataclass(frozen=True, kw_only=True)
class FittedInput:
    """Result of the fit of an input to its estimates and nuisances, with the nuisance priors included.

    Attributes:
        nuisances: the fitted nuisances, in the order of the rows after the estimates.
        information: inverse of the post-fit covariance, shape (n_estimates + n_nuisances,) * 2, estimates first.
        pulls: post-fit nuisance values in units of the prior width, shape (n_nuisances,).

    Examples:
        >>> import numpy as np
        >>> import bayescomb as bc
        >>> covariance = np.array([[1.0, 0.3], [0.3, 0.9]])  # of the estimate and one nuisance, after the fit
        >>> fit = bc.FittedInput(nuisances=(bc.Nuisance(name="JES"),), information=np.linalg.inv(covariance), pulls=[0.2])
        >>> fit.information.shape
        (2, 2)
    """

    nuisances: tuple[Nuisance, ...]
    information: FloatArray
    pulls: FloatArray

    def __post_init__(self) -> None:
        where = "fitted input"
        object.__setattr__(self, "nuisances", tuple(self.nuisances))
        information = check_covariance(self.information, where=f"information of the {where}", definite=True)
        object.__setattr__(self, "information", information)
        pulls = check_array(self.pulls, (len(self.nuisances),), where=f"pulls of the {where}")
        object.__setattr__(self, "pulls", pulls)

    def centre(self, nuisance_values: NuisanceValues) -> FloatArray:
        """Nuisance values at which the information is centred, in prior widths, shape (n_nuisances,)."""
        match nuisance_values:
            case "used":
                return self.pulls
            case "ignored":
                return np.zeros(len(self.pulls))
        assert_never(nuisance_values)


@dataclass(frozen=True, kw_only=True)
class FitTable:
    """Result of a fit: a value for each of its parameters, and their covariance.

    Attributes:
        where: name of the fit, for messages.
        parameters: P names, in the order of the rows.
        values: fitted values, shape (P,), in the units of the fit.
        covariance: shape (P, P), with the constraint terms of the nuisances included.
        results: the n parameters that are measured numbers.
        free: other parameters without a constraint term: names, or patterns with ``*`` and ``?``.
        left_out: parameters that are integrated out, names or patterns: the covariance of the others contains their effect,
            which is exact unless a nuisance of another input is correlated with one of them.
        priors: nuisance -> centre and width of its constraint term, where these are not 0 and 1.

    Raises:
        UnknownNameError, DuplicateNameError: a name is not that of a parameter, or of two kinds.
        InvalidNumberError: a value is not finite, or a width not above 0.
        InvalidMatrixError: the covariance is not symmetric and positive definite; the message names the parameters.

    Examples:
        >>> table = FitTable(where="fit", parameters=("mu", "lumi"), values=[1.1, 1.001],
        ...     covariance=[[0.04, 0.002], [0.002, 0.0004]], results=("mu",), priors={"lumi": (1.0, 0.02)})
        >>> fit = table.fitted_input()
        >>> fit.pulls.round(6).tolist(), fit.nuisances[0].name
        ([0.05], 'lumi')
    """

    where: str
    parameters: tuple[str, ...]
    values: FloatArray
    covariance: FloatArray
    results: tuple[str, ...]
    free: Collection[str] = ()
    left_out: Collection[str] = ()
    priors: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        where = self.where
        for key in ("parameters", "results"):
            object.__setattr__(self, key, tuple(getattr(self, key)))
        check_names(self.parameters, where=f"parameters of {where}")
        check_names(self.results, where=f"results of {where}")
        for name in self.results:
            known_name(name, self.parameters, kind="parameter", where=f"results of {where}")
        size = len(self.parameters)
        values = check_array(self.values, (size,), where=f"values of {where}")
        place = f"covariance of {where}"
        covariance = check_array(self.covariance, (size, size), where=place)
        covariance = check_covariance(covariance, where=place, definite=False)
        for key, value in (("values", values), ("covariance", covariance)):
            object.__setattr__(self, key, value)
        free = named(self.free, self.parameters, where=f"free of {where}")
        left_out = named(self.left_out, self.parameters, where=f"left_out of {where}")
        for kind, names in (("free parameter", free), ("left out parameter", left_out)):
            check_distinct(self.results, names, kinds=("result", kind), where=where)
        object.__setattr__(self, "free", tuple(n for n in free if n not in left_out))
        object.__setattr__(self, "left_out", left_out)
        for name, prior in self.priors.items():
            known_name(name, self.parameters, kind="parameter", where=f"priors of {where}")
            check_distinct([*self.results, *self.free], [name], kinds=("result or free parameter", "prior"), where=where)
            check_array(prior, (2,), where=f"prior of {name!r} of {where}")
            if prior[1] <= 0:
                msg = (
                    f"{where}: prior of {name!r} has the width {prior[1]:g}; give the width of its constraint term, above 0"
                )
                raise InvalidNumberError(msg)
        self._check_definite()

    def _check_definite(self) -> None:
        """Require a covariance of the kept parameters that can be inverted; one that the fit held fixed has variance 0."""
        names = [*self.results, *self.nuisances]
        covariance = self._rows(names)
        still = [name for name, variance in zip(names, np.diag(covariance), strict=True) if variance <= 0]
        if still:
            msg = (
                f"covariance of {self.where}: the variance of {some_names(still)} is not above 0, as of a parameter "
                "that the fit held fixed; leave such parameters out (left_out), or correct the covariance"
            )
            raise InvalidMatrixError(msg)
        eigenvalues, vectors = np.linalg.eigh(correlation_of(covariance))
        if eigenvalues[0] <= SINGULAR * len(names):
            weights = np.abs(vectors[:, 0])
            worst = [names[i] for i in np.argsort(-weights) if weights[i] > 0.1 * weights.max()]
            msg = (
                f"covariance of {self.where}: not positive definite (smallest eigenvalue of the correlations "
                f"{eigenvalues[0]:.2g}), along {some_names(worst)}; a fit has one of full rank, so give more digits, "
                "leave out a parameter that follows from others (left_out), or check that the fit converged"
            )
            raise InvalidMatrixError(msg)

    def _rows(self, names: Sequence[str]) -> FloatArray:
        """Covariance of some parameters, in their order."""
        order = [self.parameters.index(name) for name in names]
        return self.covariance[np.ix_(order, order)]

    @property
    def nuisances(self) -> tuple[str, ...]:
        """Parameters that are neither results nor left out, in the order of the fit."""
        return tuple(name for name in self.parameters if name not in self.results and name not in self.left_out)

    @property
    def result_values(self) -> list[float]:
        """Values of the results, in their order."""
        return [float(self.values[self.parameters.index(name)]) for name in self.results]

    def fitted_input(self, pulls: Mapping[str, float] | ArrayLike | None = None) -> FittedInput:
        """The fit in units of the priors.

        Args:
            pulls: post-fit values of the nuisances in widths of their priors, by name or in the order of ``nuisances``; by
                default computed from ``values``.

        Raises:
            UnknownNameError: a nuisance has no pull, or a pull no nuisance.

        Warns:
            InputWarning: a constraint term of width 1 hardly gives this pull or constraint, so that the nuisance may be
                free.
        """
        names = self.nuisances
        centres, widths = np.array([self.priors.get(name, (0.0, 1.0)) for name in names]).reshape(-1, 2).T
        stated = (self.values[[self.parameters.index(name) for name in names]] - centres) / widths
        if pulls is not None:
            stated = _pulls(pulls, names, where=f"pulls of {self.where}")
        covariance = self._rows([*self.results, *names])
        scale = np.sqrt(np.diag(covariance))
        sizes = scale / np.concatenate([np.ones(len(self.results)), widths])
        constraints = sizes[len(self.results) :]
        odd = [
            f"{name!r} ({pull:.3g} +- {size:.3g})"
            for name, pull, size in zip(names, stated, constraints, strict=True)
            if name not in self.free and (abs(pull) > LARGE_PULL or size > LARGE_CONSTRAINT)
        ]
        if odd:
            more = f" and {len(odd) - NAMED} more" if len(odd) > NAMED else ""
            warn_input(
                f"{self.where}: {', '.join(odd[:NAMED])}{more} in units of the prior, of which a constraint term of width 1 "
                "leaves about 0 +- 1 or less; name it in 'free' if the fit has none, in 'priors' if it has another one"
            )
        return FittedInput(
            nuisances=tuple(Nuisance(name=name, free=name in self.free) for name in names),
            information=information_of(correlation_of(covariance), sizes),
            pulls=stated,
        )


def fitted_values(
    values: Mapping[str, float] | ArrayLike, parameters: Sequence[str], results: Sequence[str], *, pulled: bool, where: str
) -> FloatArray:
    """A value for each parameter, shape (P,).

    Args:
        values: by name, or in the order of the parameters; with pulls also of the results alone, in their order.
        parameters: P names.
        results: names of the results.
        pulled: whether pulls of the nuisances are given, so that 0 may replace their values.
        where: name of the fit, for messages.

    Raises:
        UnderdeterminedError: some have no value.
        UnknownNameError: a name is not that of a parameter.

    Examples:
        >>> fitted_values([1.1], ["mu", "jes"], ["mu"], pulled=True, where="fit").tolist()
        [1.1, 0.0]
    """
    for key, names in (("parameters", parameters), ("results", results)):
        if isinstance(names, str):
            msg = f"{key} of {where}: {names!r} found, a list of names is needed"
            raise UnknownNameError(msg)
        check_names(names, where=f"{key} of {where}")
    where = f"values of {where}"
    if not isinstance(values, Mapping):
        array = np.atleast_1d(check_finite(values, where=where))
        values = dict(zip(results if pulled and len(array) == len(results) else parameters, array.tolist(), strict=False))
        if len(array) != len(values):
            msg = f"{where}: {len(array)} found for {len(parameters)} parameters; give one for each"
            raise UnderdeterminedError(msg)
    for name in values:
        known_name(name, parameters, kind="parameter", where=where)
    missing = [name for name in parameters if name not in values and (name in results or not pulled)]
    if missing:
        msg = (
            f"{where}: none for {some_names(missing)}; give one for each parameter, or those of the results and 'pulls', "
            "0 where the data pulled nothing"
        )
        raise UnderdeterminedError(msg)
    return check_finite([values.get(name, 0.0) for name in parameters], where=where)


def _pulls(pulls: Mapping[str, float] | ArrayLike, names: Sequence[str], *, where: str) -> FloatArray:
    """One value for each nuisance, in their order."""
    if not isinstance(pulls, Mapping):
        return check_array(pulls, (len(names),), where=where)
    for name in pulls:
        known_name(name, names, kind="nuisance", where=where)
    missing = [name for name in names if name not in pulls]
    if missing:
        msg = f"{where}: none for {some_names(missing)}; give one for each nuisance, 0 where the data pulled nothing"
        raise UnknownNameError(msg)
    return check_finite([pulls[name] for name in names], where=where)


def named(wanted: Collection[str], known: Sequence[str], *, where: str) -> tuple[str, ...]:
    """The known names that are wanted, by name or by a pattern with ``*`` and ``?``, in the order of ``known``.

    Raises:
        UnknownNameError: a name is not known, or a pattern matches no name.

    Examples:
        >>> named(["gamma*"], ["mu", "gamma[0]", "gamma[1]"], where="here")
        ('gamma[0]', 'gamma[1]')
    """
    found = set()
    for wish in [wanted] if isinstance(wanted, str) else wanted:
        matched = [wish] if wish in known else [name for name in known if fnmatchcase(name, str(wish))]
        if not matched:
            known_name(wish, known, kind="parameter", where=where)
        found |= set(matched)
    return tuple(name for name in known if name in found)
