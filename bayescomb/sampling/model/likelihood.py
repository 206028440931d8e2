"""The likelihood of a combination in a user's own PyMC model.

The measured quantities may be any PyTensor expressions there: an effective theory, a surrogate, a hierarchical model over
years.  Nuisances are integrated out and coefficients are sampled as in :func:`bayescomb.build_model`.  Stated priors of
parameters are left out, as the user's model has its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pymc as pm
import pytensor.tensor as pt

from bayescomb.base.checks import check_mapping, expects, known_name
from bayescomb.base.choices import Correlations
from bayescomb.base.errors import OptionError, UnderdeterminedError, UnknownNameError
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.formulas import evaluate, names_in
from bayescomb.inputs.measurements import Measurement
from bayescomb.inputs.observables import Observable, variable_name
from bayescomb.sampling.model.build import coefficient_variable, pattern_weights
from bayescomb.sampling.model.jax_form import offer_jax
from bayescomb.sampling.model.observed import observe
from bayescomb.sampling.plan import SamplingPlan, sampling_plan
from bayescomb.sampling.variables import FlatFrom

__all__ = ["Likelihood", "likelihood"]


@dataclass(frozen=True, kw_only=True)
class Likelihood:
    """The likelihood that was added to a model.

    Attributes:
        plan: the sampling plan; its variables are the measured quantities, or one per estimate.
        rho: the sampled coefficients, symbolic, shape (K,).
        quantities: measured quantity -> its expression.
    """

    plan: SamplingPlan
    rho: Any
    quantities: dict[str, Any]


@expects(combination="combination")
def likelihood(
    combination: Combination, observables: Mapping[str, Any], *, correlations: Correlations = "prior", name: str = ""
) -> Likelihood:
    """Add the data of a combination to the open PyMC model, with expressions in place of its observables.

    Args:
        combination: the data; an extraction in force is left out, as the model has its own prediction.
        observables: name of a parameter or observable (with or without a formula) -> a scalar expression or number in its
            unit.  Every measured quantity must follow from them.
        correlations: ``"prior"`` samples every coefficient with a range, ``"nominal"`` holds them.
        name: beginning of the names of all added variables and dimensions, so that a model can hold several combinations.

    Raises:
        UnknownNameError: a name is unknown, or a measured quantity does not follow from the expressions.
        OptionError: no model is open, ``correlations`` is unknown, or a free nuisance is not determined.
        InfeasibleCorrelationError: no coefficients are feasible under the treatment.

    Examples:
        >>> import pymc as pm
        >>> import bayescomb as bc
        >>> with pm.Model() as model:
        ...     m_t = pm.Normal("m_t", 172.0, 5.0)
        ...     added = bc.likelihood(bc.load("models/run1_mass"), {"m_t": m_t})
        >>> [variable.name for variable in model.free_RVs], [variable.name for variable in model.observed_RVs]
        (['m_t', 'rho'], ['estimate_value'])
    """
    try:
        model = pm.modelcontext(None)
    except TypeError as error:
        msg = "likelihood(): no PyMC model is open; call it inside 'with pm.Model():'"
        raise OptionError(msg) from error
    offer_jax()
    measured = _measured(combination, observables)
    prefix = f"{name} " if name else ""
    try:
        target = _of_quantities(combination, list(measured))
        values = list(measured.values())
    except UnderdeterminedError:  # the estimates do not determine all quantities, which may be functions of few variables
        target = _of_estimates(combination)
        estimates = [e for m in _data(combination) for e in m.estimates]
        values = [sum(w * measured[o] for o, w in e.observables.items() if w) for e in estimates]
    plan = sampling_plan(target, correlations=correlations)
    rho: Any = pt.zeros(0)
    if len(plan.sampled):
        model.add_coord(f"{prefix}coefficient", [c.name for c in plan.coefficients])
        rho = coefficient_variable(plan, prefix=prefix)
    weights, _ = pattern_weights(model, plan, rho, prefix=prefix)
    free = plan.parameters[len(plan.combination.observables) :]
    parameters = [pt.as_tensor(value, dtype="float64") for value in values]
    parameters += [FlatFrom(f"{prefix}{variable_name(p)}", 0.0) for p in free]
    observe(model, plan, weights, pt.stack(parameters), prefix=prefix)
    return Likelihood(plan=plan, rho=rho, quantities=measured)


def _measured(combination: Combination, observables: Mapping[str, Any]) -> dict[str, Any]:
    """Measured quantity -> its expression, from formulas where none is given."""
    where = f"likelihood() of {combination.name!r}"
    check_mapping(observables, where=where, example='{"m_t": m_t}')
    quantities = combination.quantities
    known = [*quantities.index, *(o.name for o in quantities.functions)]
    for given in observables:
        known_name(given, known, kind="observable or parameter", where=where)
    found: dict[str, Any] = dict(observables)

    def expression(quantity: str) -> Any:
        if quantity not in found:
            if quantity not in quantities.written:
                msg = (
                    f"{where}: {quantity!r} is measured, or in the formula of a measured quantity, and has no expression; "
                    f"found {', '.join(map(repr, observables)) or 'none'}; give one for it too"
                )
                raise UnknownNameError(msg)
            tree = quantities.written[quantity]
            found[quantity] = evaluate(tree, {other: expression(other) for other in names_in(tree)}, xp=pt)
        return found[quantity]

    needed = [o for m in _data(combination) for e in m.estimates for o, w in e.observables.items() if w]
    return {quantity: expression(quantity) for quantity in dict.fromkeys(needed)}


def _of_quantities(combination: Combination, names: list[str]) -> Combination:
    """The combination whose observables are the measured quantities, without formulas, priors and extractions.

    Raises:
        UnderdeterminedError: the estimates do not determine all quantities.
    """
    units = {o.name: o.unit for o in combination.results}
    return dataclasses.replace(
        combination,
        measurements=_data(combination),
        observables=tuple(Observable(name=name, unit=units.get(name, "")) for name in names),
        parameters=(),
        derived=(),
        predictions=(),
        extractions={},
        extraction="",
        nonnegative=(),
        normalise=False,
    )


def _of_estimates(combination: Combination) -> Combination:
    """The combination with one observable per estimate, without priors.

    Raises:
        OptionError: a nuisance of an input without a fit is free, and would not be determined.
    """
    free = [n.name for m in combination.measurements for n in m.nuisances if n.free]
    if free:
        msg = (
            f"likelihood() of {combination.name!r}: the estimates do not determine all measured quantities, and therefore "
            f"not the free nuisances {', '.join(map(repr, free))}; give these a prior"
        )
        raise OptionError(msg)
    whole, data = combination.saturated(), {e.name for m in _data(combination) for e in m.estimates}
    kept = {m.name for m in _data(combination)}
    return dataclasses.replace(
        whole,
        measurements=tuple(m for m in whole.measurements if m.name in kept),
        observables=tuple(o for o in whole.observables if o.name in data),
    )


def _data(combination: Combination) -> tuple[Measurement, ...]:
    """The measurements without the priors of parameters."""
    priors = {p.prior_name for p in combination.parameters}
    return tuple(m for m in combination.measurements if m.name not in priors)
