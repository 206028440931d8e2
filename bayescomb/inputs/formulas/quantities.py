"""Variables and functions of a combination: parameters, observables, their formulas and derived quantities.

*Variables* are fitted: the parameters and the observables without a formula.  *Functions* are computed from them: the
observables with a formula and the derived quantities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import check_names
from bayescomb.base.errors import FormulaError, RangeError
from bayescomb.inputs.curves import Curve
from bayescomb.inputs.formulas.derivatives import Affine, affine
from bayescomb.inputs.formulas.formulas import (
    FUNCTIONS,
    Function,
    Node,
    Variable,
    curves_in,
    formula_text,
    names_in,
    parse,
    substituted,
)
from bayescomb.inputs.formulas.units import formula_unit, read_unit, unit_text
from bayescomb.inputs.measurements import CovarianceKind, Estimate, Measurement
from bayescomb.inputs.observables import Observable
from bayescomb.inputs.parameters import Parameter

__all__ = ["Quantities", "auxiliary_measurements", "quantities"]

LOG_OF: Final = "log({})"


@dataclass(frozen=True, kw_only=True)
class Quantities:
    """Quantities of a combination.

    Attributes:
        variables: the V fitted quantities, parameters before observables.
        functions: the quantities with a formula.
        nodes: name of a quantity, or of a logarithm with a prior -> its formula in terms of the variables.
        written: name of a function -> its formula as written, of variables and other functions.
    """

    variables: tuple[Observable, ...]
    functions: tuple[Observable, ...]
    nodes: Mapping[str, Node]
    written: Mapping[str, Node]

    @cached_property
    def index(self) -> dict[str, int]:
        """Position of each variable."""
        return {o.name: i for i, o in enumerate(self.variables)}

    @cached_property
    def affine(self) -> dict[str, Affine | None]:
        """Each quantity as a sum of constants times variables, ``None`` if it is not linear."""
        return {name: affine(node) for name, node in self.nodes.items()}

    @property
    def linear(self) -> bool:
        """Whether every function is a sum of constants times variables."""
        return all(self.affine[o.name] is not None for o in self.functions)

    @cached_property
    def curve_ends(self) -> dict[str, tuple[float, float]]:
        """Variable -> the range in which all curves of it are defined.

        Raises:
            FormulaError: the argument of a curve with ends is not linear in one variable.
            RangeError: the curves of a variable have no range in common.
        """
        found: dict[str, tuple[float, float]] = {}
        for o in self.functions:
            for call in curves_in(self.nodes[o.name]):
                if not np.isfinite(call.curve.ends).all():
                    continue
                part = affine(call.argument)
                slopes = {} if part is None else {name: c for name, c in part.coefficients.items() if c}
                if part is None or len(slopes) != 1:
                    msg = (
                        f"{o.name!r}: curve {call.curve.name!r} ends, and its argument {formula_text(call.argument)} "
                        'is not linear in one parameter; make it linear in one, or give the curve beyond = "straight"'
                    )
                    raise FormulaError(msg)
                ((name, slope),) = slopes.items()
                low, high = sorted((end - part.constant) / slope for end in call.curve.ends)
                before = found.get(name, (-np.inf, np.inf))
                found[name] = max(low, before[0]), min(high, before[1])
                if found[name][0] >= found[name][1]:
                    msg = (
                        f"{o.name!r}: curve {call.curve.name!r} has values for {name} from {low:g} to {high:g}, another "
                        f'from {before[0]:g} to {before[1]:g}; give points in a common range, or beyond = "straight"'
                    )
                    raise RangeError(msg)
        return found

    def rows(self, maps: Sequence[Mapping[str, float]]) -> tuple[FloatArray, FloatArray]:
        """Affine part of n sums of quantities: coefficients of the variables, shape (n, V), and constants, shape (n,).

        Args:
            maps: for each sum: name of a quantity -> coefficient.
        """
        design, constant = np.zeros((len(maps), len(self.variables))), np.zeros(len(maps))
        for i, coefficients in enumerate(maps):
            for name, weight in coefficients.items():
                part = self.affine[name]
                if part is None:
                    continue
                constant[i] += weight * part.constant
                for variable, factor in part.coefficients.items():
                    design[i, self.index[variable]] += weight * factor
        return design, constant

    def curved(self, maps: Sequence[Mapping[str, float]]) -> tuple[tuple[Node, ...], FloatArray]:
        """The other part of n such sums: M quantities that are not affine, and their coefficients, shape (n, M)."""
        used = [name for coefficients in maps for name, weight in coefficients.items() if weight]
        names = list(dict.fromkeys(name for name in used if self.affine[name] is None))
        weights = np.array([[float(coefficients.get(name, 0.0)) for name in names] for coefficients in maps])
        return tuple(self.nodes[name] for name in names), weights.reshape(len(maps), len(names))


def quantities(
    parameters: Sequence[Parameter],
    observables: Sequence[Observable],
    derived: Sequence[Observable],
    *,
    where: str,
    curves: Sequence[Curve] = (),
) -> Quantities:
    """Read the formulas, express them in the variables and check their units.

    Raises:
        DuplicateNameError: two quantities or curves have one name, or a curve has that of a function.
        FormulaError: a formula cannot be read, refers to itself, is a constant, or has another unit than stated; a derived
            quantity has no formula; or the argument of a curve with ends is not linear in one variable.
        RangeError: the range of a parameter's prior is wider than that of a curve of it.
        UnknownNameError: a formula uses a name that does not exist.
    """
    given: list[Parameter | Observable] = [*parameters, *observables, *derived]
    check_names([q.name for q in given], where=f"parameters, observables and derived quantities of {where}")
    check_names([*FUNCTIONS, *(c.name for c in curves)], where=f"functions and curves of {where}")
    called = {c.name: c for c in curves}
    texts = {o.name: o.formula for o in (*observables, *derived) if o.formula}
    for o in derived:
        if not o.formula:
            msg = f"{where}: derived quantity {o.name!r} has no formula; give one"
            raise FormulaError(msg)
    variables = [Observable(name=p.name, unit=p.unit, title=p.title) for p in parameters]
    variables += [o for o in observables if not o.formula]
    names = [q.name for q in given]
    read = {name: parse(text, names=names, where=f"{where}: {name!r}", curves=called) for name, text in texts.items()}
    nodes: dict[str, Node] = {o.name: Variable(o.name) for o in variables}
    units = {q.name: read_unit(q.unit) if q.unit else None for q in given}
    for name in _order(read, where):
        at = f"{where}: {name!r}: formula {texts[name]!r}"
        found = formula_unit(read[name], units, where=at)
        stated = units[name]
        if found is not None and stated is not None and found != stated:
            msg = f"{at} is in {unit_text(found) or 'no unit'}, and the unit stated is {unit_text(stated)}; correct one"
            raise FormulaError(msg)
        units[name] = found if stated is None else stated
        nodes[name] = substituted(read[name], nodes)
        if not names_in(nodes[name]):
            msg = f"{at} is a constant; a formula names at least one other quantity"
            raise FormulaError(msg)
    for p in parameters:
        if p.prior is not None and p.prior.logarithmic:
            nodes[LOG_OF.format(p.name)] = Function("log", Variable(p.name))
    functions = [o for o in (*observables, *derived) if o.formula]
    result = Quantities(variables=tuple(variables), functions=tuple(functions), nodes=nodes, written=read)
    for p in parameters:
        low, high = result.curve_ends.get(p.name, (-np.inf, np.inf))
        if p.prior is not None and p.prior.shape == "uniform" and (p.prior.bounds[0] < low or p.prior.bounds[1] > high):
            msg = (
                f"{where}: parameter {p.name!r} is uniform from {p.prior.low:g} to {p.prior.high:g} and argument of a curve "
                f'with values from {low:g} to {high:g}; narrow the prior, or give the curve beyond = "straight"'
            )
            raise RangeError(msg)
    return result


def _order(formulas: Mapping[str, Node], where: str) -> list[str]:
    """Names of the formulas, each after those that it uses.

    Raises:
        FormulaError: formulas refer to each other in a circle.
    """
    done: list[str] = []
    left = dict(formulas)
    while left:
        ready = [name for name, node in left.items() if not any(other in left for other in names_in(node))]
        if not ready:
            names = ", ".join(map(repr, left))
            msg = f"{where}: the formulas of {names} refer to each other in a circle; make one a parameter"
            raise FormulaError(msg)
        done += ready
        for name in ready:
            del left[name]
    return done


def auxiliary_measurements(parameters: Sequence[Parameter]) -> tuple[Measurement, ...]:
    """The priors of parameters as measurements: a Gaussian one of the parameter, a lognormal one of its logarithm."""
    found = []
    for p in parameters:
        constraint = None if p.prior is None else p.prior.constraint
        if p.prior is None or constraint is None:
            continue
        value, sd = constraint
        name = LOG_OF.format(p.name) if p.prior.logarithmic else p.name
        estimate = Estimate(name=p.prior_name, value=value, observables={name: 1.0})
        found.append(
            Measurement(
                name=p.prior_name,
                estimates=(estimate,),
                statistical_covariance=np.array([[sd**2]]),
                covariance_kind=CovarianceKind.PRIOR,
            )
        )
    return tuple(found)
