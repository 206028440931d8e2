r"""Factors on the errors of results whose inputs scatter more than their errors allow.

``birge``: the Birge ratio :math:`\sqrt{\chi^2 / \nu}` (Birge, Phys. Rev. 40 (1932) 207), where it is above 1.

``pdg``: the scale factor S of the Particle Data Group (Review of Particle Physics, Introduction, "Unconstrained averaging"):
the same of the inputs that are precise enough to tell, with an error up to :math:`3 \sqrt{N} \delta`, N inputs of the
observable and :math:`\delta` the unscaled error of their average; S is above 1 or not applied.  The average is that of all.

``codata``: the expansion factor of CODATA (Tiesinga et al., RMP 93 (2021) 025010): all input errors times the least factor
for which no input is further from the adjusted value than twice its error, :math:`\max_i |x_i - \hat x_i| / (2 \sigma_i)`,
where it is above 1.

Each multiplies the covariance of all inputs of a result by its square, so that values stay and errors grow.  They do not say
which input is wrong; uncertain sizes of sources (``errors_on_errors``) let the inputs that disagree pull less.
Observables that no estimate links have factors of their own.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayescomb.base.checks import check_choice, expects
from bayescomb.base.choices import SCALE_RULES, ScaleRule
from bayescomb.base.deferred import deferred
from bayescomb.base.errors import OptionError, UnderdeterminedError
from bayescomb.base.numerics import single_threaded
from bayescomb.fit.averaging.information import information_weights
from bayescomb.fit.fit_result import ErrorScale
from bayescomb.fit.profile import ProfileResult, degrees_of_freedom, goodness_of_fit, profile
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.formulas import names_in
from bayescomb.inputs.some_estimates import with_estimates
from bayescomb.likelihood.nonlinear.model import mapping

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = deferred("xarray")

__all__ = ["ScaleFactors", "scale_factors", "scaled_profile"]

# Ceiling of errors in PDG's S, in units of the error of the average times the root of the number of inputs.
CEILING = 3.0
# Number of errors within which CODATA wants every residual.
RESIDUAL = 2.0


@dataclass(frozen=True, kw_only=True)
class ScaleFactors:
    """Factors of results that share inputs.

    Attributes:
        results: names.
        chi2, ndf, p_value: of all their inputs.
        birge: the Birge ratio, below 1 too.
        pdg: S, 1 at least.
        pdg_chi2, pdg_ndf: of the inputs that enter S.
        left_out: estimates that do not, as their errors are above the ceiling.
        codata: the expansion factor, 1 at least.
        furthest: estimate that is furthest from its fitted value, in units of its error.
        residual: how far it is, with its sign.
    """

    results: tuple[str, ...]
    chi2: float
    ndf: int
    p_value: float | None
    birge: float
    pdg: float
    pdg_chi2: float
    pdg_ndf: int
    left_out: tuple[str, ...]
    codata: float
    furthest: str
    residual: float

    def applied(self, rule: ScaleRule) -> float:
        """The factor that a rule puts on the errors, 1 at least."""
        return {"pdg": self.pdg, "birge": max(self.birge, 1.0), "codata": self.codata}[rule]


@expects(combination="combination")
@single_threaded
def scale_factors(combination: Combination) -> tuple[ScaleFactors, ...]:
    """Factors of all results that have a degree of freedom, at nominal coefficients; sizes of sources as quoted.

    Args:
        combination: what to combine.

    Examples:
        The mass of the charged kaon, whose two best measurements disagree (Review of Particle Physics: 493.677 +- 0.013,
        S = 2.4):

        >>> import bayescomb as bc
        >>> given = {"Denisov 91": (493.696, 0.007), "Gall 88": (493.636, 0.011), "Lum 81": (493.640, 0.054),
        ...     "Barkov 79": (493.670, 0.029), "Cheng 75": (493.657, 0.020), "Backenstoss 73": (493.691, 0.040)}
        >>> kaon = bc.Combination(name="K mass", observables=(bc.Observable(name="m_K", unit="MeV"),), measurements=tuple(
        ...     bc.Measurement(name=name, estimates=(bc.Estimate(name=name, value=value, observables={"m_K": 1.0}),),
        ...         statistical_covariance=[[error**2]]) for name, (value, error) in given.items()),
        ...     assumption_sets={"none": bc.AssumptionSet(name="none")}, assumptions="none")
        >>> (found,) = bc.scale_factors(kaon)
        >>> round(found.pdg, 1), round(found.birge, 1), found.left_out
        (2.4, 2.1, ('Lum 81',))
    """
    plain = combination.with_errors_on_errors({}) if combination.errors_on_errors else combination
    return tuple(_factors(results, part) for results, part in _linked(plain) if degrees_of_freedom(part) > 0)


def _linked(combination: Combination) -> Iterator[tuple[tuple[str, ...], Combination]]:
    """Results that share estimates, or parameters of their formulas, and the combination of these estimates."""
    if combination.extraction or combination.normalise:
        yield tuple(o.name for o in combination.results), combination
        return
    nodes = combination.quantities.nodes
    variables = {name: set(names_in(node)) for name, node in nodes.items()}
    groups: list[set[str]] = []
    for estimate in combination.estimates:
        linked = set().union(*(variables[name] for name, factor in estimate.observables.items() if factor))
        joined = [g for g in groups if g & linked]
        groups = [g for g in groups if not g & linked] + [linked.union(*joined)]
    for group in groups:
        results = tuple(o.name for o in combination.observables if variables[o.name] <= group)
        names = [e.name for e in combination.estimates if any(f and variables[o] <= group for o, f in e.observables.items())]
        yield results, with_estimates(combination, names)


def _factors(results: tuple[str, ...], combination: Combination) -> ScaleFactors:
    fit = profile(combination)
    errors = information_weights(combination).table["error"].to_numpy()
    predict = mapping(combination)
    raw = fit if fit.unnormalised is None else fit.unnormalised
    predicted = predict.compared(raw.values.sel(parameter=list(predict.variables)).to_numpy())
    residuals = (np.array([e.value for e in combination.estimates]) - predicted) / errors
    furthest = int(np.argmax(np.abs(residuals)))
    left_out = _imprecise(combination, fit, errors)
    chi2, ndf = fit.chi2, fit.ndf
    if left_out:
        try:
            precise = profile(with_estimates(combination, [e.name for e in combination.estimates if e.name not in left_out]))
            chi2, ndf = precise.chi2, precise.ndf
        except UnderdeterminedError:
            left_out = ()
    return ScaleFactors(
        results=results,
        chi2=fit.chi2,
        ndf=fit.ndf,
        p_value=goodness_of_fit(fit.chi2, fit.ndf),
        birge=_root(fit.chi2, fit.ndf),
        pdg=max(_root(chi2, ndf), 1.0),
        pdg_chi2=chi2,
        pdg_ndf=ndf,
        left_out=left_out,
        codata=max(abs(float(residuals[furthest])) / RESIDUAL, 1.0),
        furthest=combination.estimates[furthest].name,
        residual=float(residuals[furthest]),
    )


def _root(chi2: float, ndf: int) -> float:
    return math.sqrt(max(chi2, 0.0) / ndf) if ndf else 0.0


def _imprecise(combination: Combination, fit: ProfileResult, errors: np.ndarray) -> tuple[str, ...]:
    """Estimates with an error above PDG's ceiling, among those that measure one observable directly."""
    if combination.extraction or combination.normalise:
        return ()
    design = combination.observable_map
    single = (design != 0).sum(axis=1) == 1
    found: list[int] = []
    for i, observable in enumerate(combination.observables):
        own = np.flatnonzero(single & (design[:, i] != 0))
        ceiling = CEILING * math.sqrt(len(own)) * float(fit.errors.sel(parameter=observable.name))
        found += [int(k) for k in own if errors[k] / abs(design[k, i]) > ceiling]
    return tuple(combination.estimates[k].name for k in sorted(found))


@expects(fit="profile")
def scaled_profile(fit: ProfileResult, rule: ScaleRule = "pdg") -> ProfileResult:
    """The profile with the errors of every result, their parts and covariances multiplied by its factor.

    Values, weights, pulls and chi2 stay.  Every output of it names the rule and the factors.

    Args:
        fit: of :func:`bayescomb.profile`, not scaled yet.
        rule: ``"pdg"``, ``"birge"`` or ``"codata"``, see :mod:`bayescomb.fit.averaging.inconsistency`.

    Raises:
        OptionError: the rule is none of these, the errors are scaled already, or sizes of sources are uncertain, which
            allows for the scatter already.

    Examples:
        Inputs that agree keep their errors:

        >>> import bayescomb as bc
        >>> fit = bc.scaled_profile(bc.profile(bc.load("models/run1_mass")), "pdg")
        >>> fit.scale.factors, round(fit.errors.item(), 4)
        (FrozenMapping({'m_t': 1.0}), 0.3293)
    """
    check_choice(rule, SCALE_RULES, where="rule of the scale factor")
    combination = fit.combination
    where = f"scale factor of {combination.name!r}"
    if fit.scale is not None:
        msg = f"{where}: the errors are scaled by {fit.scale.rule!r} already; scale those of profile()"
        raise OptionError(msg)
    if combination.errors_on_errors:
        msg = f"{where}: errors on errors allow for the scatter of the inputs already; keep one of the two"
        raise OptionError(msg)
    factors = dict.fromkeys(fit.values["parameter"].to_numpy(), 1.0)
    for found in scale_factors(combination):
        factors |= dict.fromkeys(found.results, found.applied(rule))
    shown = [o.name for o in combination.results]
    return _scaled(fit, factors, ErrorScale(rule=rule, factors={name: factors[name] for name in shown}))


def _scaled(fit: ProfileResult, factors: dict[str, float], scale: ErrorScale) -> ProfileResult:
    names = [str(p) for p in fit.values["parameter"].to_numpy()]
    by = xr.DataArray([factors[name] for name in names], dims="parameter", coords={"parameter": names})
    single = (
        "errors", "up_errors", "down_errors", "statistical_errors", "systematic_errors", "theory_errors", "unsplit_errors",
        "cross_covariance",
    )  # fmt: skip
    changed = {
        key: getattr(fit, key).copy(data=(getattr(fit, key) * by).transpose(*getattr(fit, key).dims)) for key in single
    }
    other = by.rename(parameter="parameter_b")
    return dataclasses.replace(
        fit,
        **changed,
        covariance=fit.covariance.copy(data=(fit.covariance * by * other).transpose(*fit.covariance.dims)),
        unnormalised=None if fit.unnormalised is None else _scaled(fit.unnormalised, factors, scale),
        scale=scale,
    )
