"""The combination: all of its inputs in one object, checked when it is built.

Imports measurements, assumptions, formulas and theory of inputs.  Start at contents, then combination.
"""

from bayescomb.inputs.combination.combination import Combination, how_to_extract
from bayescomb.inputs.combination.contents import STATISTICS_GROUP
from bayescomb.inputs.combination.parts import kept_fields, saturated_fields

__all__ = ["STATISTICS_GROUP", "Combination", "how_to_extract", "kept_fields", "saturated_fields"]
