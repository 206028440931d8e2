"""Measurements, their estimates and nuisances, and fits of other programs as measurements.

Imports base only.  Start at measurements.
"""

from bayescomb.inputs.measurements.measurements import (
    CovarianceKind,
    Estimate,
    FittedInput,
    Measurement,
    Nuisance,
    asymmetric_statistics,
    divided_variance,
    systematic_shifts,
    unnamed_nuisances,
    unsplit_label,
)

__all__ = [
    "CovarianceKind",
    "Estimate",
    "FittedInput",
    "Measurement",
    "Nuisance",
    "asymmetric_statistics",
    "divided_variance",
    "systematic_shifts",
    "unnamed_nuisances",
    "unsplit_label",
]
