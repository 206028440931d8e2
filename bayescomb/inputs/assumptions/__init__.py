"""What may be correlated: coefficients with ranges and priors, blocks, and the sets that hold them.

Imports base only.  Start at assumptions; the shape of a prior is one object in prior_shapes.
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
