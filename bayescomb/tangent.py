"""The tangent of an extraction at a point: a linear model, and what its solution says of everything that is reported."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from bayescomb.derived import DerivedSolution
from bayescomb.linear_gaussian import LinearModel, Solution
from bayescomb.theory import Theory

__all__ = ["derived_solution", "tangent_model"]

FloatArray = NDArray[np.float64]


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
