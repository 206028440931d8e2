"""Combinations in which large and small meet: a tight constraint, and a statistical covariance that is singular."""

import dataclasses

import numpy as np
from gaussian import coefficient, combine, estimates_of

import bayescomb as bc

NAMES = ("F0", "FL")
# Errors of two fractions that the statistics move against each other, as those of one distribution.
STATISTICS = np.array([[0.012**2, -0.012 * 0.008], [-0.012 * 0.008, 0.008**2]])
VALUES = {"A": (0.709, 0.299), "B": (0.685, 0.328)}
RESPONSES = {"A": [[0.009, 0.005, 0.0], [-0.006, 0.003, 0.002]], "B": [[0.002, 0.005, 0.004], [0.001, -0.003, 0.003]]}
RHO = 0.5


def helicity(name, *, statistics=STATISTICS, responses=None):
    responses = np.array(RESPONSES[name] if responses is None else responses)
    return bc.Measurement(
        name=name,
        experiment=name,
        estimates=estimates_of(name, VALUES[name], [{n: 1.0} for n in NAMES]),
        statistical_covariance=statistics,
        nuisances=tuple(bc.Nuisance(name=f"{name}.n{i}", source=f"s{i}") for i in range(responses.shape[1])),
        responses=responses,
    )


def fractions(treatment):
    shared = coefficient("r", RHO, ("A.n1", "B.n1"))
    second = helicity("B", statistics=np.diag([0.016**2, 0.01**2]))
    combination = combine(helicity("A"), second, observables=NAMES, coefficients=(shared,), treatment=treatment)
    return dataclasses.replace(combination, sources=tuple(bc.Source(name=f"s{i}") for i in range(3)))


def measurement(name, values, maps, *, statistical, responses=None):
    """Estimates with statistical errors and one nuisance per column of the responses."""
    responses = np.zeros((len(values), 0)) if responses is None else np.asarray(responses)
    estimates = tuple(
        bc.Estimate(name=f"{name}{i}", value=float(v), observables=m)
        for i, (v, m) in enumerate(zip(values, maps, strict=True))
    )
    return bc.Measurement(
        name=name,
        experiment=name,
        estimates=estimates,
        statistical_covariance=np.diag(np.square(statistical)),
        nuisances=tuple(bc.Nuisance(name=f"{name}.n{j}") for j in range(responses.shape[1])),
        responses=responses,
    )


def unitarity(size):
    """X and Y measured, and X + Y = 1 to a size: chi2 = 0.04^2 / (0.0037 + size^2)."""
    return combine(
        measurement("A", [0.16, 0.88], [{"X": 1.0}, {"Y": 1.0}], statistical=[0.01, 0.04], responses=[[0.02, 0], [0, 0.04]]),
        measurement("sum", [1.0], [{"X": 1.0, "Y": 1.0}], statistical=[size]),
        observables=("X", "Y"),
    )
