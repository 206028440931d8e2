"""The inputs: measurements, assumptions about their correlations, predictions, and the combination of them.

Imports base only.  Start at combination, then measurements.
"""

from bayescomb.inputs.assumptions import AssumptionSet, CorrelationBlock, CorrelationCoefficient, CorrelationPair
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.formulas import Curve
from bayescomb.inputs.measurements import Estimate, FittedInput, LikelihoodTable, Measurement, Nuisance
from bayescomb.inputs.observables import ErrorOnError, Observable, Provenance, Source
from bayescomb.inputs.parameters import Parameter, ParameterPrior
from bayescomb.inputs.theory.extractions import Extraction, PdfChoice, ScaleChoice
from bayescomb.inputs.theory.predictions import Prediction

__all__ = [
    "AssumptionSet",
    "Combination",
    "CorrelationBlock",
    "CorrelationCoefficient",
    "CorrelationPair",
    "Curve",
    "ErrorOnError",
    "Estimate",
    "Extraction",
    "FittedInput",
    "LikelihoodTable",
    "Measurement",
    "Nuisance",
    "Observable",
    "Parameter",
    "ParameterPrior",
    "PdfChoice",
    "Prediction",
    "Provenance",
    "ScaleChoice",
    "Source",
]
