"""Linear models that touch a curved one at a point, and what their solutions say of everything that is reported."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from bayescomb.derived import DerivedSolution
from bayescomb.linear_gaussian import LinearModel, Solution
from bayescomb.objective import Objective
from bayescomb.theory import Theory

__all__ = ["derived_solution", "nonlinear_tangent", "tangent_model"]

FloatArray = NDArray[np.float64]


def nonlinear_tangent(
    chi2: Objective, theta: FloatArray, *, nuisances: FloatArray, on_kink: Collection[int] = ()
) -> LinearModel:
    r"""The linear model of (observables, free nuisances) over the nuisances with a prior at a point.

    With X the predictions there and L the factor of the inverse statistical covariance (over :math:`\sqrt{|X / x|}` for
    Pearson's chi2) the rows of the estimates are L dX/d(observables, free nuisances), L dX/d(nuisances).  Relative sizes
    are those at the point: a measured value moves its own row only.  At a kink dX/d(nuisance) is the mean of both sides.

    Args:
        chi2: the objective.
        theta: the point, shape (size,).
        nuisances: values of the N nuisances there.
        on_kink: positions among the (explicit, free) nuisances of those that sit on their kink.
    """
    curved, parts = chi2.model.curved, chi2.model.curved.parts
    n_observables, n_free, _ = curved.sizes
    parameters = theta[: n_observables + n_free]
    sides = np.repeat([chi2.arguments(theta) >= 0], 2, axis=0)
    sides[:, list(on_kink)] = [[True], [False]]
    observables = parts.design @ theta[:n_observables]
    both = [parts.responses.derivatives(observables, chi2.arguments(theta), positive=side) for side in sides]
    by_nuisance = (both[0].by_nuisance + both[1].by_nuisance) / 2
    n_explicit = len(parts.explicit)
    prediction = curved.prediction(theta)
    loading = parts.shifts.copy()
    loading[:, parts.explicit] = by_nuisance[:, :n_explicit]
    factor = parts.factor
    if parts.pearson:
        factor = factor / np.sqrt(np.abs(prediction / parts.measured))
    else:
        prediction = prediction + parts.shifts @ (nuisances - parts.centre)
    into = factor @ np.hstack([both[0].by_t[:, None] * parts.design, by_nuisance[:, n_explicit:]])
    loading = factor @ loading
    no_observable = np.zeros((len(parts.data_signs), n_observables))
    return LinearModel(
        parameters=parts.observables + parts.free,
        nuisances=parts.bound,
        design=np.vstack([into, np.hstack([no_observable, parts.data_design])]),
        loading=np.vstack([loading, parts.data_loading]),
        estimate_loading=np.vstack([factor, np.zeros((len(parts.data_signs), len(factor)))]),
        offset=np.concatenate(
            [factor @ (parts.measured - prediction) + into @ parameters + loading @ nuisances, parts.data_offset]
        ),
        signs=np.concatenate([parts.signs, parts.data_signs]),
    )


def tangent_model(
    theory: Theory, model: LinearModel, *, theta: FloatArray, eta: FloatArray, held: Collection[int] = ()
) -> LinearModel:
    """The linear model of (theta without normal scales, zeta, free nuisances) over (nuisances, eta, normal scales).

    Args:
        theory: the prediction.
        model: linear model in the observables.
        theta: masses and scales at which the tangent touches.
        eta: theory nuisances there.
        held: positions in theta that are no parameters but stay where they are.
    """
    size, width = len(theory.scale_correlation), theory.extraction.scales.width
    n_observables, n_linear = len(theory.select), len(theory.parameters) - size
    central, shifts = theory.predict(theta)
    first, second = theory.derivatives(theta)
    # o = c + D eta + (c' + D' eta) (theta' - theta) + D (eta' - eta) + X zeta
    by_theta = theory.select @ (first + np.einsum("nkh,k->nh", second, eta))
    by_eta = theory.select @ shifts
    constant = theory.select @ central - by_theta @ theta
    into = model.design[:, :n_observables]
    full = LinearModel(
        parameters=theory.parameters[:n_linear] + theory.free_names + model.parameters[n_observables:],
        nuisances=model.nuisances + theory.nuisances + theory.scales[len(theory.scales) - size :],
        design=np.hstack([into @ by_theta[:, :n_linear], into @ theory.free, model.design[:, n_observables:]]),
        loading=np.hstack([model.loading, into @ by_eta, into @ by_theta[:, n_linear:] * width]),
        estimate_loading=model.estimate_loading,
        offset=model.offset - into @ constant,
        signs=model.signs,
        constant=model.constant,
    )

    index = sorted(held)
    return dataclasses.replace(
        full,
        parameters=tuple(p for i, p in enumerate(full.parameters) if i not in held),
        design=np.delete(full.design, index, axis=1),
        offset=full.offset - full.design[:, index] @ theta[index],
    )


def derived_solution(
    theory: Theory, inner: Solution, model: LinearModel, *, theta: FloatArray, eta: FloatArray
) -> DerivedSolution:
    """Masses, their differences, scales, observables and free nuisances from a solution of the tangent model.

    Args:
        theory: the prediction.
        inner: solution of ``tangent_model(theory, model, theta=theta, eta=eta, ...)``.
        model: linear model in the observables.
        theta: fitted masses and scales.
        eta: fitted theory nuisances.
    """
    size, width = len(theory.scale_correlation), theory.extraction.scales.width
    n_observables, n_nuisances = len(theory.select), len(model.nuisances)
    column = {name: i for i, name in enumerate(inner.parameters)}
    first, second = theory.derivatives(theta)
    by_theta = theory.select @ (first + np.einsum("nkh,k->nh", second, eta))
    central, shifts = theory.predict(theta)
    by_parameter = np.zeros((len(theory.parameters), len(inner.parameters)))
    by_nuisance = np.zeros((len(theory.parameters), len(inner.model.nuisances)))
    for i, name in enumerate(theory.parameters):
        if i >= len(theory.parameters) - size:
            by_nuisance[i, i - len(theory.parameters)] = width
        elif name in column:
            by_parameter[i, column[name]] = 1.0
    levels = [column[name] for name in theory.free_names]
    observables = by_theta @ by_parameter
    observables[:, levels] += theory.free
    into_observables = by_theta @ by_nuisance
    into_observables[:, n_nuisances : n_nuisances + len(theory.nuisances)] += theory.select @ shifts
    masses = {name: i for i, name in enumerate(theory.masses)}
    pairs = np.zeros((len(theory.extraction.differences), len(theory.parameters)))
    for row, (a, b) in zip(pairs, theory.extraction.differences, strict=True):
        row[[masses[a], masses[b]]] = 1.0, -1.0
    others = [column[name] for name in model.parameters[n_observables:]]
    m = len(masses)
    no_nuisance = np.zeros((len(others), by_nuisance.shape[1]))
    free_rows = np.eye(len(inner.parameters))[others].reshape(len(others), len(inner.parameters))
    value = theory.select @ (central + shifts @ eta) + theory.free @ inner.values[levels]
    return DerivedSolution(
        inner=inner,
        parameters=(
            *theory.masses,
            *(f"{a} - {b}" for a, b in theory.extraction.differences),
            *theory.scales,
            *model.parameters,
        ),
        values=np.concatenate([theta[:m], pairs @ theta, theta[m:], value, inner.values[others]]),
        by_parameter=np.vstack([by_parameter[:m], pairs @ by_parameter, by_parameter[m:], observables, free_rows]),
        by_nuisance=np.vstack([by_nuisance[:m], pairs @ by_nuisance, by_nuisance[m:], into_observables, no_nuisance]),
    )
