r"""The constants of the fused density of a plan, and its draws as named variables.

Parameters with a flat prior in which chi2 is quadratic are integrated out too: given the other variables they are Gaussian,
and are drawn exactly afterwards.  With K their design, V = J + F C F^T and N a basis of the complement of K,

.. math::  \log |\det V| + \log \det K^T V^{-1} K = \log |\det N^T V N| + \mathrm{const}, \qquad
           \min_p (K p - w)^T V^{-1} (K p - w) = (N^T w)^T (N^T V N)^{-1} N^T w,

so that the integration only makes the model smaller.  Where J has rows of sign -1, the parameters instead become further
rows of sign -1 without variance, (K^T, 0) below (V, K).  This is equivalent, and keeps the signs of all pivots known.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import block_diag, qr
from scipy.special import polygamma

from bayescomb.base.arrays import FloatArray
from bayescomb.fit.minimise.bounds import positions
from bayescomb.inputs.assumptions.prior_shapes import shape_law
from bayescomb.inputs.observables import variable_name
from bayescomb.inputs.theory.extractions import SCALE_COEFFICIENT
from bayescomb.likelihood.least_squares import near, unit_columns
from bayescomb.likelihood.uncertain_sizes import SCALE
from bayescomb.sampling.fused.coordinates import (
    at_ranges,
    coordinates_of,
    feasible_point,
    kept_coordinates,
    range_constants,
    theta_coordinates,
    theta_kinds,
    theta_point,
)
from bayescomb.sampling.fused.curved import curved_constants
from bayescomb.sampling.fused.density import COMBINATION, CURVED, EXTRACTION, DensityKind, bounded_point, pack, segment
from bayescomb.sampling.fused.likelihood import packed, pivot_order, pivot_signs, theory_constants
from bayescomb.sampling.linear_posterior import CHUNK, linear_posterior
from bayescomb.sampling.plan import CurvedPlan, SamplingPlan

__all__ = ["FusedModel", "fused_model"]

# Positions among the constants.
SHIFT, STRETCH, OFFSET, MIX, REST = 0, 1, 17, 18, 19
# Name of the coordinates of explicit nuisances, as in the PyMC model.
WHITE = "white_explicit"
# Ends of the names of coordinates of parameters above 0 and of those in a range, as in the PyMC model.
ABOVE_ZERO, INTERVAL = "_above_zero__", "_interval__"
# Step of the numerical second derivatives by the coordinates of masses and scales, and their least value: that of a prior.
STEP = 1e-4
LEAST_CURVATURE = 0.25
# Half-widths of the starting points, of coefficients and of all other variables of the sampler.
SPREAD = (1.0, 2.0)


@dataclass(frozen=True, kw_only=True)
class FusedModel:
    """The fused density of a plan; D variables x, R rows of the reduced model, I parameters integrated out.

    Attributes:
        plan: the sampling plan.
        constants: packed, see :func:`bayescomb.sampling.fused.density.pack`.
        integrated: design of the parameters that are integrated out, shape (R, I).
        origin: their values at which the offset is taken, shape (I,).
        reduce: map from w_0 of the reduced model to the offset among the constants, shape (R', R).
        sampled: names of the sampled parameters: those with a range, or all where nothing else is sampled.
        names: names of the parameters that are integrated out.
        start: x where chains begin, shape (D,).
        spread: half-widths of the starting points around ``start``, shape (D,).
    """

    plan: SamplingPlan
    constants: FloatArray
    integrated: FloatArray
    origin: FloatArray
    reduce: FloatArray
    sampled: tuple[str, ...]
    names: tuple[str, ...]
    start: FloatArray
    spread: FloatArray

    def set_offset(self, offset: FloatArray) -> None:
        """Replace the data: w_0 of the reduced model, shape (R,)."""
        segment(self.constants, OFFSET)[:] = self.reduce @ (offset - self.integrated @ self.origin)

    def evaluate(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Log density and gradient at x, shape (D,)."""
        gradient = np.zeros(len(x))
        return float(self.kind.density(np.ascontiguousarray(x, dtype=np.float64), gradient, self.constants)), gradient

    def coordinates(self, draws: FloatArray) -> FloatArray:
        """Coordinates u of draws of x, shape (n, D)."""
        u = segment(self.constants, SHIFT) + segment(self.constants, STRETCH) * draws
        u[:, self._cut :] += draws[:, self._cut :] @ self._mix.T
        return np.asarray(u)

    @property
    def kind(self) -> DensityKind:
        """The kind of its density."""
        if self.plan.curved is not None:
            return CURVED
        return COMBINATION if self.plan.theory is None else EXTRACTION

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """Dimensions of the variables that are vectors."""
        return {"rho": ("coefficient",), SCALE: ("uncertain_size",), WHITE: ("white",)}

    @property
    def coords(self) -> dict[str, list[Any]]:
        """Coordinates of these dimensions."""
        return {
            "coefficient": [c.name for c in self.plan.coefficients],
            "uncertain_size": [size.name for size in self.plan.sizes],
            "white": list(range(len(self.plan.curved.offset) if self.plan.curved is not None else 0)),
        }

    def at(self, values: Mapping[str, FloatArray]) -> FloatArray:
        """X at the starting point with some values replaced, shape (D,).

        Args:
            values: value variables of the PyMC model: parameters, or coordinates of those with a range,
                ``white_explicit``, and logarithms ``variance_scale_log__`` of scales of sizes.
        """
        point, cut = self.start.copy(), self._cut
        sizes = slice(len(self.plan.sampled), cut)
        logs = values.get(f"{SCALE}_log__")
        if logs is not None:
            point[sizes] = logs / segment(self.constants, STRETCH)[sizes]
        if self.plan.theory is None:
            u = self.coordinates(point[None])[0, cut:]
            for i, (name, (width, _, high)) in enumerate(zip(self.sampled, self._ranges, strict=False)):
                end = "" if width == 0 else ABOVE_ZERO if np.isinf(high) else INTERVAL
                u[i] = float(values.get(variable_name(name) + end, u[i]))
            u[len(self.sampled) :] = values.get(WHITE, u[len(self.sampled) :])
            point[cut:] = np.linalg.solve(self._mix, u - segment(self.constants, SHIFT)[cut:])
        return point

    @property
    def _ranges(self) -> FloatArray:
        return segment(self.constants, REST).reshape(-1, 3)

    @property
    def _mix(self) -> FloatArray:
        count = len(self.spread) - self._cut
        return segment(self.constants, MIX).reshape(count, count)

    @property
    def _cut(self) -> int:
        """Number of coefficients and scales of sizes, which come first in x."""
        return len(self.plan.sampled) + len(self.plan.sizes)

    def variables(self, draws: FloatArray) -> dict[str, FloatArray]:
        """Named values of draws of x, shape (n, D), without the parameters that are integrated out.

        Returns:
            Variable -> values, shape (n,), or (n, K) for ``rho``, (n, m) for the scales of uncertain sizes and (n, Z) for
            ``white_explicit``.
        """
        u, plan = self.coordinates(draws), self.plan
        count, cut = len(plan.sampled), self._cut
        found: dict[str, FloatArray] = {}
        if count:
            ranges = range_constants(plan.low, plan.high, plan.radial)
            found["rho"] = np.array([feasible_point(np.ascontiguousarray(row[:count]), *ranges)[0] for row in u])
        if plan.sizes:
            found[SCALE] = np.exp(u[:, count:cut])
        if plan.theory is not None:
            kinds = segment(self.constants, REST)
            theta = np.array([theta_point(np.ascontiguousarray(row[cut:]), kinds)[0] for row in u])
            names = [variable_name(name) for name in plan.theory.parameters]
            names += [SCALE_COEFFICIENT] if len(kinds) > len(names) else []
            return found | dict(zip(names, theta.T, strict=True))
        ends = self._ranges
        values = np.array([bounded_point(np.ascontiguousarray(row[cut:]), ends)[0] for row in u]).reshape(len(u), -1)
        own = len(self.sampled)
        if values.shape[1] > own:
            found[WHITE] = values[:, own:]
        values = values[:, :own]
        return found | {variable_name(n): column for n, column in zip(self.sampled, values.T, strict=True)}

    def integrated_draws(
        self, values: Mapping[str, FloatArray], weights: FloatArray, rng: np.random.Generator
    ) -> dict[str, FloatArray]:
        """Exact draws of the parameters that are integrated out, given each draw of the other variables.

        Args:
            values: :meth:`variables` of n draws.
            weights: y of the same draws, shape (n, K + m).
            rng: source of randomness.

        Returns:
            Variable -> values, shape (n,).
        """
        if not self.names:
            return {}
        pieces = [
            self._drawn({name: column[i : i + CHUNK] for name, column in values.items()}, weights[i : i + CHUNK], rng)
            for i in range(0, len(weights), CHUNK)
        ]
        drawn = np.concatenate(pieces)
        return {variable_name(name): column for name, column in zip(self.names, drawn.T, strict=True)}

    def _drawn(self, values: Mapping[str, FloatArray], weights: FloatArray, rng: np.random.Generator) -> FloatArray:
        reduced, theory = self.plan.reduced, self.plan.theory
        covariance = self.plan.base + np.tensordot(weights, self.plan.patterns, axes=1)
        if theory is None:
            kept = [self.plan.parameters.index(name) for name in self.sampled]
            other = np.array([values[variable_name(name)] for name in self.sampled]).reshape(len(kept), len(weights))
            residual = reduced.offset - (reduced.design[:, kept] @ other).T
        else:
            theta = np.array([values[variable_name(name)] for name in theory.parameters]).T
            central, shifts = theory.predict(theta)
            into = reduced.design[:, : len(theory.select)] @ theory.select
            loading = into @ shifts
            covariance = covariance + loading @ np.swapaxes(loading, 1, 2)
            residual = reduced.offset - central @ into.T
        residual = np.broadcast_to(residual - self.integrated @ self.origin, (len(weights), len(reduced.offset)))
        found = linear_posterior(self.integrated, covariance, residual, reduced.signs)
        white = rng.standard_normal(found.mean.shape)
        return self.origin + found.mean + np.einsum("npq,nq->np", found.root, white)


def fused_model(
    plan: SamplingPlan,
    *,
    theta: FloatArray | None = None,
    values: FloatArray | None = None,
    ranges: FloatArray | None = None,
) -> FusedModel:
    """The fused density of a plan.

    Args:
        plan: the sampling plan.
        theta: masses and scales of an extraction where chains begin, shape (H,).
        values: of all P parameters of a combination where chains begin, shape (P,).
        ranges: width, low and high end of all P parameters, with width 0 for those without a range, shape (P, 3).
    """
    if plan.curved is not None:
        assert values is not None
        assert ranges is not None
        return _curved_model(plan, plan.curved, values, ranges)
    reduced, theory = plan.reduced, plan.theory
    kept = positions(plan.parameters, tuple(plan.combination.bounds)) if theory is None else np.zeros(0, dtype=np.intp)
    if theory is None:
        if not len(plan.sampled) + len(plan.sizes) + len(kept):
            kept = np.arange(len(plan.parameters))  # a sampler needs something to move
        free = np.setdiff1d(np.arange(len(plan.parameters)), kept)
        integrated, names = reduced.design[:, free], tuple(plan.parameters[i] for i in free)
    else:
        n = len(theory.select)
        integrated = np.hstack([reduced.design[:, :n] @ theory.free, reduced.design[:, n:]])
        names = theory.free_names + reduced.parameters[n:]
    reduce, base, patterns, signs = _without(integrated, plan)
    origin = near(integrated, reduced.offset)
    if theory is None:
        assert values is not None
        assert ranges is not None
        rest = len(kept)
        shift, mix = kept_coordinates(plan, kept, values, ranges)
        specific = [ranges[kept], reduce @ reduced.design[:, kept]]
    else:
        assert theta is not None
        kinds = theta_kinds(theory)
        rest = len(kinds)
        shift, mix = theta_coordinates(theory, kinds, theta), np.eye(rest)
        predicted = reduce @ reduced.design[:, : len(theory.select)] @ theory.select
        specific = [kinds, predicted, *theory_constants(theory)]
    start, spread = _starts(plan, rest)
    constants = [
        *_first_constants(plan, shift),
        packed(base),
        packed(patterns),
        signs,
        reduce @ (reduced.offset - integrated @ origin),
        mix,
        *specific,
    ]
    model = FusedModel(
        plan=plan,
        constants=pack(constants),
        integrated=integrated,
        origin=origin,
        reduce=reduce,
        sampled=tuple(plan.parameters[i] for i in kept),
        names=names,
        start=start,
        spread=spread,
    )
    if theory is None:
        return model
    constants[MIX] = _whitened(model)
    return dataclasses.replace(model, constants=pack(constants))


def _starts(plan: SamplingPlan, rest: int) -> tuple[FloatArray, FloatArray]:
    """X where chains begin, and half-widths around it; the last ``rest`` variables and the scales of sizes begin at 0."""
    start = coordinates_of(plan.initial, plan.low, plan.high, plan.radial)
    count = len(plan.sizes) + rest
    return np.append(start, np.zeros(count)), np.repeat(SPREAD, [len(start), count])


def _first_constants(plan: SamplingPlan, shift: FloatArray) -> list[FloatArray]:
    """The constants that all kinds have first: shift and stretch, and those of coefficients and scales of sizes."""
    shapes = np.array([size.shape for size in plan.sizes])
    return [
        np.append(np.zeros(len(plan.sampled) + len(shapes)), shift),
        np.concatenate([np.ones(len(plan.sampled)), np.sqrt(polygamma(1, shapes)), np.zeros(len(shift))]),
        *range_constants(plan.low, plan.high, plan.radial),
        _laws(plan),
        shapes,
        np.asarray(plan.size_of, dtype=float),
    ]


def _curved_model(plan: SamplingPlan, curved: CurvedPlan, values: FloatArray, ranges: FloatArray) -> FusedModel:
    """The fused density where chi2 is not quadratic: all parameters and the explicit nuisances are sampled."""
    size, count = len(curved.offset), len(plan.parameters)
    shift, root = at_ranges(values, ranges, np.linalg.cholesky(curved.covariance))
    base, patterns, design, offset, signs, *rest = curved_constants(plan, curved)
    start, spread = _starts(plan, count + size)
    constants = [
        *_first_constants(plan, np.append(shift, np.zeros(size))),
        base,
        patterns,
        signs,
        offset,
        block_diag(root, np.eye(size)),
        np.vstack([ranges, np.zeros((size, 3))]),
        design,
        *rest,
    ]
    rows = len(plan.reduced.offset)
    return FusedModel(
        plan=plan,
        constants=pack(constants),
        integrated=np.zeros((rows, 0)),
        origin=np.zeros(0),
        reduce=np.eye(rows),
        sampled=plan.parameters,
        names=(),
        start=start,
        spread=spread,
    )


def _without(integrated: FloatArray, plan: SamplingPlan) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """The reduced model with parameters integrated out: map of its rows, base, patterns, and signs of the pivots."""
    reduced, base, patterns = plan.reduced, plan.base, plan.patterns
    rows, count = integrated.shape
    scaled = integrated / unit_columns(integrated)
    if (reduced.signs >= 0).all():
        left = qr(scaled)[0][:, count:].T if count else np.eye(rows)
        return left, left @ base @ left.T, left @ patterns @ left.T, np.ones(len(left))
    order = pivot_order(reduced.signs)
    turned = np.eye(rows)[order]
    wide = np.zeros((len(patterns), rows + count, rows + count))
    wide[:, :rows, :rows] = turned @ patterns @ turned.T
    edge = turned @ scaled
    bordered = np.block([[turned @ base @ turned.T, edge], [edge.T, np.zeros((count, count))]])
    signs = np.concatenate([pivot_signs(reduced.signs[order]), -np.ones(count)])
    return np.vstack([turned, np.zeros((count, rows))]), bordered, wide, signs


def _laws(plan: SamplingPlan) -> FloatArray:
    """The argument ``laws`` of :func:`.coordinates.prior_laws`, shape (K, 10)."""
    rows = [(*c.range, c.nominal, *shape_law(c.sampled_shape).terms(*c.range, c.nominal)) for c in plan.coefficients]
    return np.array(rows, dtype=float).reshape(len(rows), 10)


def _whitened(model: FusedModel) -> FloatArray:
    """Root of the inverse second derivatives by the coordinates of masses and scales, where chains begin."""
    size, cut = len(model.start), model._cut
    rows = []
    for i in range(cut, size):
        step = np.zeros(size)
        step[i] = STEP
        rows.append((model.evaluate(model.start - step)[1] - model.evaluate(model.start + step)[1])[cut:] / (2 * STEP))
    curvature = np.array(rows)
    eigenvalues, vectors = np.linalg.eigh((curvature + curvature.T) / 2)
    return np.asarray(vectors / np.sqrt(np.maximum(eigenvalues, LEAST_CURVATURE)))
