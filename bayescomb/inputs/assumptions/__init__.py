"""Correlation assumptions: coefficients with ranges and priors, fixed blocks, and the sets that hold them.

Imports base only.  Start at assumptions; prior_shapes has one object for each shape of a prior.
"""

from bayescomb.inputs.assumptions.assumptions import (
    AssumptionSet,
    CorrelationBlock,
    CorrelationCoefficient,
    CorrelationPair,
    check_assumptions,
)

__all__ = [
    "AssumptionSet",
    "CorrelationBlock",
    "CorrelationCoefficient",
    "CorrelationPair",
    "check_assumptions",
]
