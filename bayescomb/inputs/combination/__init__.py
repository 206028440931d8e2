"""All that goes into a combination, checked when it is built.

Imports what inputs holds of measurements, assumptions, formulas and theory.  Start at combination.
"""

from bayescomb.inputs.combination.combination import (
    STATISTICS_GROUP,
    Combination,
    check_blinding,
    check_errors_on_errors,
    check_nonnegative,
    check_predictions,
    check_settings,
    check_spectators,
    how_to_extract,
    kept_fields,
    saturated_fields,
)

__all__ = [
    "STATISTICS_GROUP",
    "Combination",
    "check_blinding",
    "check_errors_on_errors",
    "check_nonnegative",
    "check_predictions",
    "check_settings",
    "check_spectators",
    "how_to_extract",
    "kept_fields",
    "saturated_fields",
]
