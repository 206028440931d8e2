"""Formulas of observables: grammar, derivatives, units, and the order in which quantities follow from each other.

Imports measurements, observables and parameters.  Start at formulas, then quantities.
"""

from bayescomb.inputs.curves import Curve
from bayescomb.inputs.formulas.derivatives import Affine, Jet, affine, jet
from bayescomb.inputs.formulas.formulas import (
    FUNCTIONS,
    Function,
    Node,
    Number,
    Operation,
    Tabulated,
    Variable,
    curves_in,
    evaluate,
    formula_text,
    names_in,
    parse,
    substituted,
)

__all__ = [
    "FUNCTIONS",
    "Affine",
    "Curve",
    "Function",
    "Jet",
    "Node",
    "Number",
    "Operation",
    "Tabulated",
    "Variable",
    "affine",
    "curves_in",
    "evaluate",
    "formula_text",
    "jet",
    "names_in",
    "parse",
    "substituted",
]
