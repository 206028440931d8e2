"""The profile-likelihood answer at fixed correlation coefficients."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayescomb.base.arrays import BoolArray, FloatArray
from bayescomb.base.checks import check_choice, expects, known_name
from bayescomb.base.choices import Parts
from bayescomb.base.deferred import deferred
from bayescomb.base.errors import FitError, InfeasibleCorrelationError, OptionError, UnderdeterminedError
from bayescomb.base.labelled import labelled, labelled_field, labels, numbers
from bayescomb.base.numerics import single_threaded
from bayescomb.base.rounding import at_bound_text, chi2_text, counted, plain, with_error
from bayescomb.base.shown import Shown
from bayescomb.fit.fit_result import ErrorScale, Fit, ResultRow
from bayescomb.fit.fitter import Fitter, normalised_fit, normalised_names
from bayescomb.fit.impacts import PARTS
from bayescomb.fit.parts import whole_parts
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.measurements import Measurement, unsplit_label
from bayescomb.likelihood.correlation import CorrelationFamily, Repair, indefinite_blocks

if TYPE_CHECKING:
    import xarray as xr

    from bayescomb.fit.size_result import SizeResult
else:
    xr = deferred("xarray")

__all__ = ["ProfileResult", "degrees_of_freedom", "goodness_of_fit", "own_chi2", "profile", "require_unscaled"]

# A chi2 below this is rounding.
ROUNDING = 1e-9
# Number of results that fit on one line.
FEW = 3


@dataclass(frozen=True, kw_only=True, repr=False)
class ProfileResult(Shown):
    """Maximum-likelihood answer of a combination.

    Attributes:
        combination: what was combined, with the assumption set, the treatment and the form of chi2 in force.
        values: fitted parameters, dim ``parameter``, in the units of the observables; divided by their sum if the
            combination asks for that.
        errors: inverse information, of the model linearised at the minimum where chi2 is not quadratic, dim ``parameter``;
            a response with a kink there has the mean of both slopes.
        up_errors, down_errors: signed Delta chi2 = 1 errors, dim ``parameter``; the same as ``errors`` where chi2 is
            quadratic and nothing is bounded; of normalised parameters see :mod:`bayescomb.fit.fitter`.  NaN where an
            uncertain size leaves no standard deviation and Bartlett's correction fails: the interval without it would be too
            short by far.
        covariance: dims ``parameter``, ``parameter_b``.
        weights: dims ``parameter``, ``estimate``: derivative of each parameter by each measured value, of the linearised
            model: relative sizes and Pearson's weights stay at the fitted values (an iterated linear combination).
        pulls: fitted nuisances in prior widths, dim ``nuisance``; free nuisances are parameters.
        constraints: post-fit over prior width, dim ``nuisance``, without those of indefinite sources, which have none.
        cross_covariance: of parameters and nuisances, dims ``parameter``, ``nuisance``.
        chi2: minimum of chi2 less the cost of the inputs' own pulls (``own_chi2``); NaN if that is NaN.
        ndf, p_value: goodness of fit; ``p_value`` is ``None`` if ``ndf`` is 0.
        own_chi2: minimum with an observable for each estimate; 0 without post-fit nuisance values, NaN where the inputs
            do not determine their estimates one by one.
        statistical_errors, systematic_errors, theory_errors: parts of each error, dim ``parameter``, by the statistical
            covariance, by all nuisances and by the theory nuisances of an extraction.  They add in quadrature to ``errors``,
            ``held`` ones to ``up_errors`` (of the linearised model for an extraction and with bounds).
        unsplit_errors: part by inputs of which only the total covariance is known, in no other part.
        parts: their definition, ``"propagated"`` or ``"held"``.
        repairs: source matrices that were repaired on request.
        on_kink: nuisances that sit on the kink of an asymmetric response.
        at_bound: observables that cannot be negative and are at 0, as the data prefer values below.  They have an interval;
            their errors, parts, covariances and weights are NaN, and those of the others are with these held at 0.
        unnormalised: the result before normalisation, ``None`` if nothing was normalised.
        sizes: of sources whose size is uncertain, ``None`` if all are certain.  Then ``chi2`` is -2 log L of the gamma
            variance model, ``p_value`` that of its corrected value, ``systematic_errors`` include the uncertainty
            of the sizes, and weights hold at the fitted sizes.
        other_minima: dims ``minimum``, ``parameter``, coordinate ``delta_chi2``: other minima up to 15 above the lowest,
            which responses with a kink and uncertain sizes can have, divided by their sum where the values are.
        scale: factors that all errors, their parts and covariances were multiplied by (:func:`bayescomb.scaled_profile`),
            ``None`` if by none.
    """

    combination: Combination
    values: xr.DataArray = labelled_field()
    errors: xr.DataArray = labelled_field()
    up_errors: xr.DataArray = labelled_field()
    down_errors: xr.DataArray = labelled_field()
    covariance: xr.DataArray = labelled_field()
    weights: xr.DataArray = labelled_field()
    pulls: xr.DataArray = labelled_field()
    constraints: xr.DataArray = labelled_field()
    cross_covariance: xr.DataArray = labelled_field()
    chi2: float
    ndf: int
    p_value: float | None
    own_chi2: float
    statistical_errors: xr.DataArray = labelled_field()
    systematic_errors: xr.DataArray = labelled_field()
    theory_errors: xr.DataArray = labelled_field()
    unsplit_errors: xr.DataArray = labelled_field()
    parts: Parts = "propagated"
    repairs: tuple[Repair, ...] = ()
    on_kink: tuple[str, ...] = ()
    at_bound: tuple[str, ...] = ()
    unnormalised: ProfileResult | None = None
    sizes: SizeResult | None = None
    other_minima: xr.DataArray | None = None
    scale: ErrorScale | None = None

    @property
    def names(self) -> list[str]:
        """Names of the parameters."""
        return labels(self, "values", "parameter")

    def row(self, name: str) -> ResultRow:
        """A result by the name of its parameter, as plain numbers.

        Examples:
            >>> import bayescomb as bc
            >>> row = bc.profile(bc.load("models/run1_mass")).row("m_t")
            >>> f"{row.value:.2f} +- {row.error:.2f} {row.unit}"
            '172.51 +- 0.33 GeV'
        """
        i = self._position(name)
        fields = {"value": "values", "error": "errors", "up": "up_errors", "down": "down_errors"}
        found = {key: float(numbers(self, field)[i]) for key, field in fields.items()}
        return ResultRow(**found, unit=labels(self, "values", "unit")[i])

    def weights_of(self, names: Sequence[str]) -> FloatArray:
        """Weights in some results, shape (len(names), number of estimates)."""
        return numbers(self, "weights")[[self._position(name) for name in names]]

    def _position(self, name: str) -> int:
        return self.names.index(
            known_name(name, self.names, kind="parameter", where=f"profile of {self.combination.name!r}")
        )

    def _line(self) -> str:
        shown = [o for o in self.combination.headline if o.name in self.names]
        results = counted(len(shown), "results")
        if len(shown) <= FEW:
            found = ((o, self.row(o.name), "" if self.combination.normalise else o.unit) for o in shown)
            results = ", ".join(
                f"{o.name} = {plain(self._shown(o.name, unit) or with_error(row.value, row.error, unit=unit))}"
                for o, row, unit in found
            )
        name = f"{self.combination.name}{self.combination.blinded}"
        return f"{name}: {results}, chi2 {plain(chi2_text(self.chi2))} for {self.ndf}"

    def _shown(self, name: str, unit: str) -> str:
        return at_bound_text(self.row(name).up, unit=unit) if name in self.at_bound else ""

    @property
    def ends_at_bound(self) -> tuple[str, ...]:
        """Parameters that are not at their bound, but whose interval ends there."""
        zero = [name for name, (low, _) in self.combination.bounds.items() if low == 0]
        near = ((n, self.row(n)) for n in zero if n in self.names and n not in self.at_bound)
        return tuple(name for name, row in near if row.value + row.down == 0)

    @property
    def chi2_form(self) -> str:
        """The chi2 that was minimised."""
        return self.combination.chi2

    def error_parts(self, parameter: str) -> dict[str, float]:
        """Parts of an error by name: ``stat``, ``syst``, ``theory`` of an extraction, and that of undivided totals.

        A result of total covariances alone has no statistical and no systematic part.

        Args:
            parameter: name of a result.
        """
        i = self._position(parameter)
        label = unsplit_label(self.combination.measurements)
        own = {"stat": "statistical_errors", "syst": "systematic_errors"}
        parts = {key: float(numbers(self, field)[i]) for key, field in own.items()}
        if label and not any(parts.values()):
            parts = {}
        if self.combination.extraction:
            parts["theory"] = float(numbers(self, "theory_errors")[i])
        return parts | ({label: float(numbers(self, "unsplit_errors")[i])} if label else {})


@expects(combination="combination")
@single_threaded
def profile(
    combination: Combination,
    *,
    coefficients: ArrayLike | Mapping[str, float] | None = None,
    parts: Parts = "propagated",
    observables: Callable[..., Mapping[str, Any]] | Mapping[str, str] | None = None,
    start: Mapping[str, float] | None = None,
) -> ProfileResult:
    r"""Maximise the likelihood over observables and nuisances at fixed correlation coefficients.

    Where chi2 is quadratic it is closed form: with V the covariance of the estimates, statistical and systematic, and B
    the map from observables to estimates, the values are :math:`(B^T V^{-1} B)^{-1} B^T V^{-1} x` with covariance
    :math:`(B^T V^{-1} B)^{-1}` (Valassi, NIM A 500 (2003) 391).  Otherwise the nuisances in which chi2 is quadratic are
    profiled exactly and the rest is minimised by Migrad with errors by MINOS.  The determinant of a covariance that
    follows the prediction is left out, as Convino does; a posterior includes it.  Observables that cannot be negative are
    minimised over 0 and above (:mod:`bayescomb.fit.minimise.bounds`), their intervals too; chi2 then follows the
    distribution of its degrees of freedom only approximately where one is at 0.

    Args:
        combination: what to combine.
        coefficients: shape (K,), in the order of the assumption set, or some of them by name; nominal by default.
        parts: definition of the statistical and systematic parts, see :data:`bayescomb.fit.impacts.PARTS`.
        observables: observables as functions of parameters, in addition to those of the combination: a Python function of
            the parameters by name that returns observable -> value, or a mapping observable -> formula.  The function is
            called once with symbols, so that derivatives are exact; it is of arithmetic and numpy functions.
        start: the parameters of ``observables``, each with its starting value.

    Raises:
        OptionError: the definition of the parts is unknown, or only one of ``observables`` and ``start`` is given.
        FormulaError: a function is not of arithmetic and numpy functions.
        InfeasibleCorrelationError: the coefficients leave the feasible set of the treatment in force.
        UnderdeterminedError: a free nuisance is not determined.
        FitError: a minimisation failed.

    Examples:
        >>> import bayescomb as bc
        >>> fit = bc.profile(bc.load("models/run1_mass"))
        >>> f"{fit.values.item():.2f} +- {fit.errors.item():.2f} GeV, chi2 {fit.chi2:.1f} for {fit.ndf}"
        '172.51 +- 0.33 GeV, chi2 7.6 for 14'
        >>> ratio = bc.profile(bc.load("models/run1_mass"), observables=lambda r: {"m_t": 172.5 * r}, start={"r": 1.0})
        >>> f"{ratio.values.sel(parameter='r').item():.5f}"
        '1.00008'
    """
    if (observables is None) != (start is None):
        msg = "profile(): 'observables' and 'start' go together, as the start names the parameters; give both"
        raise OptionError(msg)
    if observables is not None and start is not None:
        from bayescomb.inputs.traced import with_functions_of

        combination = with_functions_of(combination, observables, start)
    check_choice(parts, PARTS, where="parts of errors")
    fitter = Fitter(combination)
    correlation, repairs = fitter.correlation(coefficients)
    fit = fitter.fit(correlation)
    own = own_chi2(combination, correlation)
    result = _result(fitter, fit, own, repairs, parts=parts)
    if not combination.normalise:
        return result
    unnormalised = _result(Fitter(dataclasses.replace(combination, normalise=False)), fit, own, repairs, parts=parts)
    return dataclasses.replace(result, unnormalised=dataclasses.replace(unnormalised, combination=combination))


def own_chi2(combination: Combination, correlation: FloatArray) -> float:
    """Minimum of chi2 with an observable of its own for every estimate: the cost of the inputs' own pulls.

    NaN where the inputs with constraints above 1 do not determine their estimates one by one under this prior.
    """
    if not any(has_pulls(combination, m) for m in combination.measurements):
        return 0.0
    try:
        saturated = Fitter(combination.saturated())
        n = len(saturated.family.nuisances)  # without the theory nuisances of an extraction
        chi2 = saturated.fit(correlation[:n, :n], errors="hesse").chi2
    except (InfeasibleCorrelationError, UnderdeterminedError, FitError):
        return float("nan")
    return chi2 if abs(chi2) > ROUNDING else 0.0


def has_pulls(combination: Combination, measurement: Measurement) -> bool:
    """Whether post-fit values of its nuisances are part of the measurement's data."""
    fit = measurement.fit
    return fit is not None and combination.nuisance_values == "used" and bool(fit.pulls.any())


def degrees_of_freedom(combination: Combination) -> int:
    """Number of estimates less the rank of their derivatives by observables (or masses, scales) and free nuisances."""
    free = np.concatenate([np.zeros((len(combination.estimates), 0)), *_free_responses(combination)], axis=1)
    prediction = Fitter(combination).theory
    design = _slopes(combination) if prediction is None else combination.design @ prediction.design
    return len(combination.estimates) - int(np.linalg.matrix_rank(np.hstack([design, free])))


def _slopes(combination: Combination) -> FloatArray:
    """Derivative of the estimates by the variables, of curved formulas at the best starting point."""
    if not combination.curved_maps:
        return combination.design
    from bayescomb.fit.minimise.first_guess import starting_points
    from bayescomb.likelihood.nonlinear.model import nonlinear_parts

    parts = nonlinear_parts(combination)
    return parts.map.jacobian(starting_points(parts)[0])


def _free_responses(combination: Combination) -> list[FloatArray]:
    columns = []
    for m, own in zip(combination.measurements, combination.estimate_slices, strict=True):
        free = [i for i, n in enumerate(m.nuisances) if n.free]
        wide = np.zeros((len(combination.estimates), len(free)))
        wide[own] = m.responses[:, free]
        columns.append(wide)
    return columns


def goodness_of_fit(chi2: float, ndf: int) -> float | None:
    """p-value of a chi2; ``None`` without a degree of freedom, and of a chi2 that is negative or NaN."""
    return chi2_survival(max(chi2, 0.0), ndf) if ndf > 0 and chi2 > -ROUNDING else None


def chi2_survival(chi2: float, ndf: int) -> float:
    r"""Probability of a larger chi2 with a whole number of degrees of freedom, as a finite sum.

    With y = chi2 / 2 it is :math:`e^{-y} \sum_{k < n/2} y^k / k!` for even n, and :math:`\mathrm{erfc} \sqrt y + e^{-y}
    \sum_{k < (n-1)/2} y^{k+1/2} / \Gamma(k + 3/2)` for odd n (Abramowitz and Stegun, 26.4.4 and 26.4.5).  Every term is
    positive, so that nothing cancels.  The library of special functions, which offers it too, takes longer to load than a
    profile.

    Examples:
        >>> from bayescomb.fit.profile import chi2_survival
        >>> f"{chi2_survival(1.0, 1):.4f} {chi2_survival(2.0, 2):.4f}"
        '0.3173 0.3679'
    """
    y, odd = chi2 / 2, ndf % 2
    if not 0 < y < math.inf:  # NaN stays what it is
        return 1.0 if y == 0 else 0.0 if y == math.inf else y
    found = math.erfc(math.sqrt(y)) if odd else 0.0
    shift = 0.5 if odd else 0.0
    terms = (math.exp((k + shift) * math.log(y) - y - math.lgamma(k + shift + 1)) for k in range((ndf - odd) // 2))
    return min(math.fsum([found, *terms]), 1.0)


def _result(fitter: Fitter, fit: Fit, own: float, repairs: tuple[Repair, ...], *, parts: Parts) -> ProfileResult:
    """Labelled result of a fit, normalised if the combination asks for that."""
    combination, correlation = fitter.combination, fit.correlation
    units = {o.name: o.unit for o in combination.results if o.spectator or not combination.normalise}
    shown, jacobian = normalised_fit(combination, fit)
    parameters, nuisances = list(fit.parameters), np.array(fit.nuisances, dtype=object)
    has_posterior = _has_posterior(fitter.family, correlation)
    by_parameter_coords = {"parameter": parameters, "unit": ("parameter", [units.get(p, "") for p in parameters])}

    def by_parameter(values: FloatArray, name: str) -> Any:
        return labelled(values, ("parameter",), by_parameter_coords, name=name)

    def by_nuisance(values: FloatArray, names: NDArray[np.object_], name: str) -> Any:
        return labelled(values, ("nuisance",), {"nuisance": list(names)}, name=name)

    def table(values: FloatArray, dim: str, names: list[str], name: str) -> Any:
        return labelled(values, ("parameter", dim), {"parameter": parameters, dim: names}, name=name)

    known = fit.nan_at_bound
    whole = whole_parts(fitter, fit, parts=parts, jacobian=jacobian)
    chi2, ndf = fit.chi2 - own, degrees_of_freedom(combination)
    sizes, untold = None, np.zeros(len(parameters), dtype=bool)
    if fit.sizes is not None:
        from bayescomb.fit.size_result import size_result

        sizes = size_result(dataclasses.replace(fit, chi2=chi2), fit.sizes, ndf=ndf)
        corrected = np.isfinite(sizes.intervals["up"].sel(parameter=parameters).to_numpy())
        untold = np.isin(parameters, sizes.without_sd) & ~corrected
    return ProfileResult(
        combination=combination,
        values=by_parameter(shown.values, "value"),
        errors=by_parameter(known + shown.errors, "error"),
        up_errors=by_parameter(np.where(untold, np.nan, shown.up), "up error"),
        down_errors=by_parameter(np.where(untold, np.nan, shown.down), "down error"),
        covariance=table(known + known[:, None] + shown.covariance, "parameter_b", parameters, "covariance"),
        weights=table(
            known[:, None] + jacobian @ fit.solution.weights, "estimate", [e.name for e in combination.estimates], "weight"
        ),
        pulls=by_nuisance(fit.pulls, nuisances, "pull"),
        constraints=by_nuisance(
            np.sqrt(np.maximum(fit.nuisance_variance[has_posterior], 0.0)), nuisances[has_posterior], "constraint"
        ),
        cross_covariance=table(known[:, None] + shown.cross_covariance, "nuisance", list(nuisances), "covariance"),
        chi2=chi2,
        ndf=ndf,
        p_value=goodness_of_fit(chi2 if sizes is None else sizes.chi2, ndf),
        own_chi2=own,
        statistical_errors=by_parameter(known + whole.statistics, "statistical error"),
        systematic_errors=by_parameter(known + whole.systematics, "systematic error"),
        theory_errors=by_parameter(known + whole.theory, "theory error"),
        unsplit_errors=by_parameter(known + whole.unsplit, "error from total covariances"),
        parts=parts,
        repairs=repairs,
        on_kink=fit.on_kink,
        at_bound=fit.at_bound,
        sizes=sizes,
        other_minima=_other_minima(combination, fit, parameters),
    )


def require_unscaled(fit: ProfileResult, *, where: str) -> None:
    """Raise if the errors have scale factors, for an output with other numbers that have none.

    Args:
        fit: a profile.
        where: the output, for the message.

    Raises:
        OptionError: the errors have scale factors.
    """
    if fit.scale is not None:
        msg = (
            f"{where}: errors multiplied by a scale factor ({fit.scale.rule}) found; give the unscaled profile, S is shown "
            "beside it"
        )
        raise OptionError(msg)


def _other_minima(combination: Combination, fit: Fit, parameters: list[str]) -> xr.DataArray | None:
    if not fit.others:
        return None
    values = np.array([other.values for other in fit.others])
    if combination.normalise:
        index = [parameters.index(name) for name in normalised_names(combination)]
        values[:, index] /= values[:, index].sum(axis=1, keepdims=True)
    delta = ("minimum", [other.delta_chi2 for other in fit.others])
    return xr.DataArray(values, dims=("minimum", "parameter"), coords={"parameter": parameters, "delta_chi2": delta})


def _has_posterior(family: CorrelationFamily, correlation: FloatArray) -> BoolArray:
    """Which nuisances have a proper marginal: all except those of blocks that are indefinite under ``covariance``."""
    proper = np.ones(len(correlation), dtype=bool)
    for block, _ in indefinite_blocks(family.blocks, correlation):
        proper[block.nuisances] = False
    return proper
