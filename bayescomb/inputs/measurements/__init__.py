"""Measurements, their estimates and nuisances; fits of other programs and tables of likelihoods as measurements.

Imports base and curves.  Start at measurements.
"""

from bayescomb.inputs.measurements.error_parts import (
    asymmetric_statistics,
    divided_variance,
    systematic_shifts,
    unnamed_nuisances,
    unsplit_label,
)
from bayescomb.inputs.measurements.likelihood_tables import LikelihoodTable
from bayescomb.inputs.measurements.measurements import (
    CovarianceKind,
    Estimate,
    FittedInput,
    Measurement,
    Nuisance,
    estimate_slices,
)

__all__ = [
    "CovarianceKind",
    "Estimate",
    "FittedInput",
    "LikelihoodTable",
    "Measurement",
    "Nuisance",
    "asymmetric_statistics",
    "divided_variance",
    "estimate_slices",
    "systematic_shifts",
    "unnamed_nuisances",
    "unsplit_label",
]
