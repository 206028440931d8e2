"""Combinations whose chi2 is not quadratic: a few curved variables, all others linear and Gaussian.

Nuisances with relative, lognormal or asymmetric responses are *explicit*: chi2 is not quadratic in them.  Under Pearson's
chi2, whose weights follow the prediction, so are the total shifts of the estimates by all other nuisances.  Both are linear
functionals y = T lambda of the nuisances; they are written y = T m + R z with z of unit prior variance (R also serves a
singular prior), and tied to the nuisances by rows without noise, R^+ T lambda - z = 0.  Everything else then is a
:class:`~bayescomb.likelihood.linear_gaussian.LinearModel` whose "parameters" are q: the residuals X - x of the estimates
(Neyman), the free nuisances and z.  Its algebra integrates or profiles the nuisances at given q exactly, whatever their
number.

The estimates as a function of the variables are a :class:`Mapping`.
"""

from __future__ import annotations

from collections import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import block_diag

from bayescomb.base.arrays import BoolArray, FloatArray, IntArray
from bayescomb.base.numerics import unit_diagonal
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.formulas import Node, evaluate, jet
from bayescomb.inputs.measurements import LikelihoodTable
from bayescomb.likelihood.data_information import estimate_factor, nuisance_factor
from bayescomb.likelihood.linear_gaussian import LinearModel
from bayescomb.likelihood.responses import Responses, on_prediction, warped

__all__ = ["Curved", "Mapping", "NonlinearModel", "NonlinearParts", "mapping", "nonlinear_model", "nonlinear_parts"]

# Directions of the explicit functionals with a prior variance below this share of the largest are dropped.
RANK_TOLERANCE = 1e-10


@dataclass(frozen=True, kw_only=True)
class NonlinearParts:
    """Parts that do not depend on the prior of the nuisances; E estimates, N nuisances with and F without a prior.

    Attributes:
        observables, free, bound: names of the variables, the free nuisances, and the N others.
        pearson: whether the weights of the estimates follow the prediction.
        counted: estimates whose weights do, shape (E,): all but stated priors, which keep their widths.
        measured: x, shape (E,).
        map: from variables to estimates.
        hints: starting value of each variable, NaN where none is known, shape (V,).
        ranges: ends of the range of each variable, infinite where it has none, shape (V, 2).
        factor: L with L^T L the inverse statistical covariance, shape (E, E); if that is singular, L S L^T = J.
        signs: diagonal of J, 0 for directions without statistical variance, shape (E,).
        shifts: shift of each prediction by each of the N nuisances, 0 for explicit ones, shape (E, N).
        centre: values of the N nuisances at which their shifts are 0.
        explicit: positions of the explicit ones among the N nuisances, all that shift an estimate with a table included.
        constant: part of chi2 that nothing can change.
        responses: of the predictions to (explicit, free) nuisances.
        data_loading, data_design, data_offset, data_signs: rows of the fitted inputs' nuisances, over the N nuisances and
            the free ones.
    """

    observables: tuple[str, ...]
    free: tuple[str, ...]
    bound: tuple[str, ...]
    pearson: bool
    counted: BoolArray
    measured: FloatArray
    map: Mapping
    hints: FloatArray
    ranges: FloatArray
    factor: FloatArray
    signs: FloatArray
    shifts: FloatArray
    centre: FloatArray
    explicit: IntArray
    responses: Responses
    data_loading: FloatArray
    data_design: FloatArray
    data_offset: FloatArray
    data_signs: FloatArray
    constant: float = 0.0

    @property
    def functionals(self) -> FloatArray:
        """T, shape (number of explicit nuisances and, for Pearson, E; N)."""
        unit = np.eye(len(self.bound))[self.explicit]
        return np.vstack([unit, self.shifts]) if self.pearson else unit

    def stretch(self, prediction: Any, *, xp: Any = np) -> Any:
        """Statistical variance of each estimate over the stated one, |X / x| by Pearson's chi2."""
        ratio = xp.abs(prediction / np.where(self.counted, self.measured, 1.0))
        return ratio if self.counted.all() else xp.where(self.counted, ratio, 1.0)


def nonlinear_parts(combination: Combination, *, all_explicit: bool = False) -> NonlinearParts:
    """Parts of a combination.

    Args:
        combination: what to combine.
        all_explicit: treat every nuisance as explicit, for a model that samples them all.
    """
    nuisances = combination.nuisances
    names = [n.name for n in nuisances]
    is_free = np.array([n.free for n in nuisances], dtype=bool)
    measured = np.array([e.value for e in combination.estimates], dtype=float)
    up, down = np.zeros((2, len(measured), len(names)))
    centre = np.zeros(len(names))
    factors, estimate_signs, rows, offsets, signs = [], [], [], [], []
    column = 0
    for measurement, own in zip(combination.measurements, combination.estimate_slices, strict=True):
        columns = slice(column, column + len(measurement.all_nuisances))
        up[own, columns], down[own, columns] = measurement.all_responses
        own_rows, own_signs = estimate_factor(measurement)
        factors.append(own_rows)
        estimate_signs.append(own_signs)
        if measurement.fit is not None:
            fitted = slice(column, column + len(measurement.fit.nuisances))
            centre[fitted] = measurement.fit.centre(combination.nuisance_values)
            factor = nuisance_factor(measurement, nuisance_values=combination.nuisance_values)
            wide = np.zeros((len(factor.rows), len(names)))
            wide[:, fitted] = factor.rows
            rows.append(wide)
            offsets.append(factor.offset)
            signs.append(factor.signs)
        column = columns.stop
    data_rows = np.vstack([np.zeros((0, len(names))), *rows])
    kinked = (up != -down).any(axis=0)
    curved = np.array([n.multiplicative for n in nuisances], dtype=bool) & (up != 0).any(axis=0)
    tables = combination.tables
    warped = (up[list(tables)] != 0).any(axis=0)
    explicit = (kinked | curved | warped | all_explicit) & ~is_free
    bound, arguments = np.flatnonzero(~is_free), np.concatenate([np.flatnonzero(explicit), np.flatnonzero(is_free)])
    linear = np.where(explicit, 0.0, 1.0)[bound]
    return NonlinearParts(
        observables=tuple(o.name for o in combination.variables),
        free=tuple(names[i] for i in np.flatnonzero(is_free)),
        bound=tuple(names[i] for i in bound),
        pearson=combination.pearson,
        counted=np.repeat(
            [not m.is_prior for m in combination.measurements], [len(m.estimates) for m in combination.measurements]
        ),
        measured=measured,
        map=mapping(combination),
        hints=_hints(combination),
        ranges=np.array([combination.bounds.get(o.name, (-np.inf, np.inf)) for o in combination.variables]).reshape(-1, 2),
        factor=block_diag(*factors),
        signs=np.concatenate(estimate_signs),
        shifts=on_prediction(up[:, bound] * linear),
        centre=centre[bound],
        explicit=np.searchsorted(bound, np.flatnonzero(explicit)),
        responses=Responses.of(
            up[:, arguments],
            down[:, arguments],
            forms=[nuisances[i].response for i in arguments],
            measured=measured,
            centre=centre[arguments],
            tables=tables,
        ),
        data_loading=data_rows[:, bound],
        data_design=data_rows[:, is_free],
        data_offset=np.concatenate([np.zeros(0), *offsets]),
        data_signs=np.concatenate([np.zeros(0), *signs]),
        constant=-sum(table.offset for table in tables.values()),
    )


def _hints(combination: Combination) -> FloatArray:
    priors = {p.name: None if p.prior is None else p.prior.middle for p in combination.parameters}
    given = {p.name: p.start if p.start is not None else priors[p.name] for p in combination.parameters}
    values = [given.get(o.name) for o in combination.variables]
    return np.array([np.nan if value is None else value for value in values], dtype=float)


@dataclass(frozen=True, kw_only=True)
class Curved:
    """Predictions as a function of theta = (observables, free nuisances, z).

    Attributes:
        parts: the parts that do not depend on the prior.
        mean: T m, values of the functionals at z = 0, shape (Y,).
        basis: R, shape (Y, Z).
    """

    parts: NonlinearParts
    mean: FloatArray
    basis: FloatArray

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Numbers of observables, free nuisances and z."""
        return len(self.parts.observables), len(self.parts.free), self.basis.shape[1]

    def split(self, theta: Any) -> tuple[Any, Any, Any]:
        """Observables, free nuisances and z."""
        n_observables, n_free, _ = self.sizes
        return theta[:n_observables], theta[n_observables : n_observables + n_free], theta[n_observables + n_free :]

    def arguments(self, theta: Any, *, xp: Any = np) -> tuple[Any, Any]:
        """Values of the (explicit, free) nuisances, and shifts of the estimates by the others (0 but for Pearson)."""
        _, free, z = self.split(theta)
        y = self.mean + _apply(self.basis, z, xp)
        n = len(self.parts.explicit)
        shifts = y[n:] - self.parts.shifts @ self.parts.centre if self.parts.pearson else np.zeros(len(self.parts.measured))
        return xp.concatenate([y[:n], free]), shifts

    def prediction(self, theta: Any, *, positive: Any = None, xp: Any = np) -> Any:
        """X of the estimates, without the shifts of nuisances that are integrated; for symbols with ``pytensor.tensor``."""
        nuisances, shifts = self.arguments(theta, xp=xp)
        t = self.parts.map.value(self.split(theta)[0], xp=xp)
        side = nuisances >= 0 if positive is None else positive
        return self.parts.responses.predict(t, nuisances, positive=side, xp=xp) + shifts

    def pseudo_parameters(self, theta: Any, prediction: Any, *, xp: Any = np) -> Any:
        """The q of the linear model: (X - x unless Pearson, free nuisances, z)."""
        tail = theta[self.sizes[0] :]
        return tail if self.parts.pearson else xp.concatenate([prediction - self.parts.measured, tail])

    def pearson_terms(self, prediction: Any, *, xp: Any = np) -> tuple[Any, Any]:
        """Pearson's part of chi2, and -log det of its weights relative to Neyman's."""
        ratio = self.parts.stretch(prediction, xp=xp)
        white = _apply(self.parts.factor, (self.parts.measured - prediction) / xp.sqrt(ratio), xp)
        return xp.sum(white**2), xp.sum(xp.log(ratio))


@dataclass(frozen=True, kw_only=True)
class NonlinearModel:
    """Curved predictions over a linear model in q.

    Attributes:
        curved: theta -> predictions and q.
        linear: rows over q and the N nuisances, whose prior mean is 0 here (it is moved to the offset).
        white_sizes: number of z of each group, in the order of the last rows.
    """

    curved: Curved
    linear: LinearModel
    white_sizes: tuple[int, ...]


def nonlinear_model(
    parts: NonlinearParts,
    *,
    correlation: FloatArray,
    mean: FloatArray | None = None,
    groups: Sequence[IntArray] | None = None,
) -> NonlinearModel:
    """The model at a prior N(m, C) of the nuisances.

    Args:
        parts: N nuisances.
        correlation: C, shape (N, N); singular is fine.
        mean: m, shape (N,); 0 by default.
        groups: positions of nuisances that no prior correlation joins; each gets z of its own, the last one's rows come
            last, so that its nuisances can be kept where the others are integrated.  One group of all by default.
    """
    mean = np.zeros(len(parts.bound)) if mean is None else mean
    functionals = parts.functionals
    bases, white_loading = [], [np.zeros((0, len(parts.bound)))]
    for group in [np.arange(len(parts.bound))] if groups is None else groups:
        inside = np.zeros_like(functionals)
        inside[:, group] = functionals[:, group]
        basis, inverse = _range_basis(inside @ correlation @ inside.T)
        bases.append(basis)
        white_loading.append(inverse @ inside)
    basis, white = np.hstack(bases), np.vstack(white_loading)
    n_estimates = 0 if parts.pearson else len(parts.measured)
    n_free, n_white = len(parts.free), basis.shape[1]
    n_data = len(parts.data_signs)
    design = np.zeros((n_estimates + n_data + n_white, n_estimates + n_free + n_white))
    design[:n_estimates, :n_estimates] = parts.factor[:n_estimates, :n_estimates]
    design[n_estimates : n_estimates + n_data, n_estimates : n_estimates + n_free] = parts.data_design
    design[n_estimates + n_data :, n_estimates + n_free :] = -np.eye(n_white)
    shifts = (parts.factor @ parts.shifts)[:n_estimates]
    loading = np.vstack([shifts, parts.data_loading, white])
    offset = np.concatenate(
        [shifts @ (parts.centre - mean), parts.data_offset - parts.data_loading @ mean, np.zeros(n_white)]
    )
    names = [f"residual {i}" for i in range(n_estimates)] + list(parts.free) + [f"z {i}" for i in range(n_white)]
    linear = LinearModel(
        parameters=tuple(names),
        nuisances=parts.bound,
        design=design,
        loading=loading,
        estimate_loading=np.zeros((len(offset), len(parts.measured))),
        offset=offset,
        signs=np.concatenate([parts.signs[:n_estimates], parts.data_signs, np.zeros(n_white)]),
        constant=parts.constant,
    )
    return NonlinearModel(
        curved=Curved(parts=parts, mean=functionals @ mean, basis=basis),
        linear=linear,
        white_sizes=tuple(b.shape[1] for b in bases),
    )


def _apply(matrix: FloatArray, vector: Any, xp: Any) -> Any:
    """Matrix times vector; for symbols as a sum, because PyTensor's dot asks for a BLAS library that few machines have."""
    return matrix @ vector if xp is np else xp.sum(matrix * vector, axis=1)


def _range_basis(covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """R with R R^T the covariance, and its pseudo-inverse; functionals of different units are scaled first."""
    scaled, scale = unit_diagonal(covariance)
    eigenvalues, vectors = np.linalg.eigh(scaled)
    keep = eigenvalues > RANK_TOLERANCE * max(1.0, eigenvalues.max(initial=0.0))
    vectors, root = vectors[:, keep], np.sqrt(eigenvalues[keep])
    return scale[:, None] * vectors * root, (vectors / root).T / scale


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """t = B v + c + W f(v) of E estimates, V variables and M curved quantities f.

    Attributes:
        variables: V names.
        design: B, shape (E, V).
        constant: c, shape (E,).
        nodes: M trees.
        weights: W, shape (E, M).
        tables: position of an estimate -> its likelihood table.
    """

    variables: tuple[str, ...]
    design: FloatArray
    constant: FloatArray
    nodes: tuple[Node, ...]
    weights: FloatArray
    tables: abc.Mapping[int, LikelihoodTable]

    @property
    def linear(self) -> bool:
        """Whether no quantity is curved."""
        return not self.nodes

    def value(self, variables: Any, *, xp: Any = np) -> Any:
        """T, shape (E,), of variables, shape (V,); of symbols with ``pytensor.tensor``."""
        t = self.design @ variables if xp is np else xp.sum(self.design * variables, axis=1)
        if self.constant.any():
            t = t + self.constant
        if not self.nodes:
            return t
        values = {name: variables[i] for i, name in enumerate(self.variables)}
        curved = [evaluate(node, values, xp=xp) for node in self.nodes]
        if xp is np:
            return t + self.weights @ np.array(curved)
        return t + xp.sum(self.weights * xp.stack(curved), axis=1)

    def compared(self, variables: Any) -> FloatArray:
        """The predictions as compared with the values of the estimates, shape (E,): t, warped where there is a table."""
        return np.asarray(warped(self.value(variables), self.tables))

    def jacobian(self, variables: FloatArray) -> FloatArray:
        """dt/dv, shape (E, V)."""
        if not self.nodes:
            return self.design
        return self.design + self.weights @ np.array([j.gradient for j in self._jets(variables)])

    def curvature(self, variables: FloatArray, by_t: FloatArray) -> FloatArray:
        """Sum over the estimates of by_t, shape (E,), times the second derivatives of t, shape (V, V)."""
        total = np.zeros((len(variables), len(variables)))
        for weight, found in zip(by_t @ self.weights, self._jets(variables), strict=True):
            total += weight * found.curvature
        return total

    def _jets(self, variables: FloatArray) -> list[Any]:
        index = {name: i for i, name in enumerate(self.variables)}
        return [jet(node, variables, index) for node in self.nodes]


def mapping(combination: Combination) -> Mapping:
    """The map of a combination.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.likelihood.nonlinear.model import mapping
        >>> mapping(bc.load("models/run1_mass")).linear
        True
    """
    nodes, weights = combination.quantities.curved([e.observables for e in combination.estimates])
    return Mapping(
        variables=tuple(o.name for o in combination.variables),
        design=combination.design,
        constant=combination.constant,
        nodes=nodes,
        weights=weights,
        tables=combination.tables,
    )
