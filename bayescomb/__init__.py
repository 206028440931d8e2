"""bayescomb: published measurements with correlated systematic uncertainties, combined as one hierarchical Bayesian model.

The workflow::

    import bayescomb as bc

    combination = bc.load("models/run1_mass")
    fit = bc.profile(combination)  # profile likelihood, closed form
    posterior = bc.sample(combination, seed=1)  # xarray DataTree, ready for ArviZ
    bc.compare(posterior, fit)
    bc.report(posterior, fit, "out")
"""

import importlib
import importlib.metadata
from typing import TYPE_CHECKING, Any

from bayescomb.assumptions import AssumptionSet, CorrelationBlock, CorrelationCoefficient, CorrelationPair
from bayescomb.check import check
from bayescomb.compatibility import compatibility
from bayescomb.conversion import convert
from bayescomb.errors import BayescombError, InputWarning
from bayescomb.extractions import Extraction, PdfChoice, ScaleChoice
from bayescomb.impacts import impacts
from bayescomb.inputs import Combination, ErrorOnError, Observable, Provenance, Source
from bayescomb.loading import load
from bayescomb.measurements import Estimate, FittedInput, Measurement, Nuisance
from bayescomb.predictions import Prediction
from bayescomb.profile import profile
from bayescomb.scan import scan
from bayescomb.shipped import copy_model, shipped_models
from bayescomb.simulation import simulate
from bayescomb.theory_variants import prediction_variants, scale_envelope
from bayescomb.variables import variable_name

if TYPE_CHECKING:
    from bayescomb.calibration import coverage, study_summary
    from bayescomb.comparison import compare
    from bayescomb.convergence import verdict
    from bayescomb.explorer import explore
    from bayescomb.hepdata_export import export_hepdata
    from bayescomb.model import build_model
    from bayescomb.posterior import sample
    from bayescomb.predictive import posterior_predictive
    from bayescomb.relevance import coefficient_relevance
    from bayescomb.reporting import report
    from bayescomb.sensitivity import prior_sensitivity
    from bayescomb.set_comparison import compare_sets
    from bayescomb.storage import load_posterior, save_posterior
    from bayescomb.variance import variance_shares

__version__ = importlib.metadata.version("bayescomb")

__all__ = [
    "AssumptionSet",
    "BayescombError",
    "Combination",
    "CorrelationBlock",
    "CorrelationCoefficient",
    "CorrelationPair",
    "ErrorOnError",
    "Estimate",
    "Extraction",
    "FittedInput",
    "InputWarning",
    "Measurement",
    "Nuisance",
    "Observable",
    "PdfChoice",
    "Prediction",
    "Provenance",
    "ScaleChoice",
    "Source",
    "build_model",
    "check",
    "coefficient_relevance",
    "compare",
    "compare_sets",
    "compatibility",
    "convert",
    "copy_model",
    "coverage",
    "explore",
    "export_hepdata",
    "impacts",
    "load",
    "load_posterior",
    "posterior_predictive",
    "prediction_variants",
    "prior_sensitivity",
    "profile",
    "report",
    "sample",
    "save_posterior",
    "scale_envelope",
    "scan",
    "shipped_models",
    "simulate",
    "study_summary",
    "variable_name",
    "variance_shares",
    "verdict",
]

# What needs PyMC, ArviZ or matplotlib is imported when it is first used: they take seconds, a profile takes none of them.
_LAZY = {
    "build_model": "bayescomb.model",
    "coefficient_relevance": "bayescomb.relevance",
    "compare": "bayescomb.comparison",
    "compare_sets": "bayescomb.set_comparison",
    "coverage": "bayescomb.calibration",
    "export_hepdata": "bayescomb.hepdata_export",
    "explore": "bayescomb.explorer",
    "load_posterior": "bayescomb.storage",
    "posterior_predictive": "bayescomb.predictive",
    "prior_sensitivity": "bayescomb.sensitivity",
    "report": "bayescomb.reporting",
    "sample": "bayescomb.posterior",
    "study_summary": "bayescomb.calibration",
    "save_posterior": "bayescomb.storage",
    "variance_shares": "bayescomb.variance",
    "verdict": "bayescomb.convergence",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    msg = f"module 'bayescomb' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return __all__
