"""The Run 1 mass combination once more, in plain numpy from the text of its files, without the package.

The best linear unbiased estimate of one observable: weights V^-1 1 / (1^T V^-1 1) with V the summed covariance.
"""

import csv
import tomllib
from pathlib import Path
from typing import NamedTuple

import numpy as np

RUN1 = Path(__file__).parents[2] / "models" / "run1_mass"


class Inputs(NamedTuple):
    """Published figures in the order of the estimates; matrices are per source."""

    labels: list[str]
    experiments: list[str]
    values: np.ndarray
    statistical: np.ndarray
    systematic: dict[str, np.ndarray]


class Blue(NamedTuple):
    """Best linear unbiased estimate."""

    value: float
    error: float
    weights: np.ndarray
    chi2: float


def read_rows(name):
    lines = (RUN1 / name).read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def run1_inputs():
    """Values and the covariance of every source at nominal coefficients."""
    budget = read_rows("budget.csv")
    labels = [row["estimate"] for row in budget]
    experiments = [row["experiment"] for row in budget]
    document = tomllib.loads((RUN1 / "model.toml").read_text(encoding="utf-8"))
    correlations = {source["name"]: np.zeros((15, 15)) for source in document["sources"]}
    for row in read_rows("correlations.csv"):
        for label in labels:
            if row[label]:
                correlations[row["source"]][labels.index(row["estimate"]), labels.index(label)] = float(row[label])
    for entry in document["assumption_sets"][0]["coefficients"]:
        signs = np.array([-1.0 if label in entry.get("negative", []) else 1.0 for label in labels])
        if "blocks" in entry:
            sides = [(block["left"], block["right"]) for block in entry["blocks"]]
        else:
            sides = [tuple([a for a, e in zip(labels, experiments, strict=True) if e == end] for end in entry["between"])]
        for left, right in sides:
            i, j = ([labels.index(label) for label in side] for side in (left, right))
            block = entry["nominal"] * np.outer(signs[i], signs[j])
            correlations[entry["source"]][np.ix_(i, j)] = block
            correlations[entry["source"]][np.ix_(j, i)] = block.T
    sizes = {source: np.array([float(row[source]) for row in budget]) for source in correlations}
    # ptmiss is the one source that is published with an asymmetric pair
    return Inputs(
        labels=labels,
        experiments=experiments,
        values=np.array([float(row["value"]) for row in budget]),
        statistical=np.diag([float(row["stat"]) ** 2 for row in budget]),
        systematic={s: np.outer(sizes[s], sizes[s]) * (c + c.T) / 2 for s, c in correlations.items()},
    )


def blue(values, covariance):
    """Combine estimates of one observable."""
    inverse = np.linalg.inv(covariance)
    variance = 1 / inverse.sum()
    weights = variance * inverse.sum(axis=0)
    value = weights @ values
    residual = values - value
    return Blue(value=value, error=np.sqrt(variance), weights=weights, chi2=residual @ inverse @ residual)
