"""Priors of the coefficients that are known as laws: those of which nothing cuts the range."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayescomb.inputs.combination import Combination
from bayescomb.likelihood.correlation import correlation_family
from bayescomb.likelihood.feasibility import wholly_feasible
from bayescomb.likelihood.feasible_ranges import block_family, total_family

__all__ = ["exact_priors"]


def exact_priors(combination: Combination) -> dict[str, Any]:
    """Coefficient -> its prior as a frozen scipy distribution, where every value of its range is feasible.

    Under the treatment ``covariance`` the total covariance has to be positive definite for all of the quoted box, under
    ``nuisance`` the block of the coefficient: priors of different blocks are independent.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.sampling.posterior.prior_laws import exact_priors
        >>> law = exact_priors(bc.load("models/run1_mass"))["LHCbJES"]
        >>> law.mean().item(), round(law.std().item(), 4)  # uniform from 0.5 to 1: sd 0.5 / sqrt(12)
        (0.75, 0.1443)
    """
    family = correlation_family(combination)
    coefficients = family.coefficients
    varied = np.array([i for i, c in enumerate(coefficients) if c.varied], dtype=np.intp)
    if combination.treatment == "covariance":
        whole = varied if wholly_feasible(total_family(combination, family, varied=varied), strict=True) else varied[:0]
    else:
        blocks = [block for block in family.blocks if np.isin(block.coefficients, varied).any()]
        feasible = [b.coefficients for b in blocks if wholly_feasible(block_family(family, b, varied=varied))]
        whole = np.intersect1d(varied, np.concatenate([varied[:0], *feasible]))
    return {coefficients[i].name: coefficients[i].distribution for i in whole}
