"""All that goes into a combination, checked when it is built.

Imports what inputs holds of measurements, assumptions, formulas and theory.  Start at contents, then combination.
"""

from bayescomb.inputs.combination.combination import Combination, how_to_extract
from bayescomb.inputs.combination.contents import STATISTICS_GROUP
from bayescomb.inputs.combination.parts import kept_fields, saturated_fields

__all__ = ["STATISTICS_GROUP", "Combination", "how_to_extract", "kept_fields", "saturated_fields"]
