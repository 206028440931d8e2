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
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bayescomb.base.errors import BayescombError, InputWarning
from bayescomb.base.shown import in_notebooks_with, show_with

if TYPE_CHECKING:
    from bayescomb.fit.averaging.inconsistency import scale_factors, scaled_profile
    from bayescomb.fit.averaging.information import information_weights, source_covariances
    from bayescomb.fit.averaging.relative import relative_reading
    from bayescomb.fit.averaging.some_inputs import group_results, without_each
    from bayescomb.fit.compatibility import compatibility
    from bayescomb.fit.impacts import impacts
    from bayescomb.fit.profile import profile
    from bayescomb.fit.scan import scan
    from bayescomb.formats import fits
    from bayescomb.formats.fits.relations import combine
    from bayescomb.formats.loading import convert, load
    from bayescomb.formats.shipped import copy_model, shipped_models
    from bayescomb.inputs.assumptions import AssumptionSet, CorrelationBlock, CorrelationCoefficient, CorrelationPair
    from bayescomb.inputs.blinding import blind, unblind
    from bayescomb.inputs.combination import Combination
    from bayescomb.inputs.formulas import Curve
    from bayescomb.inputs.measurements import Estimate, FittedInput, LikelihoodTable, Measurement, Nuisance
    from bayescomb.inputs.observables import ErrorOnError, Observable, Provenance, Source, variable_name
    from bayescomb.inputs.parameters import Parameter, ParameterPrior
    from bayescomb.inputs.relations import Relation
    from bayescomb.inputs.theory.extractions import Extraction, PdfChoice, ScaleChoice
    from bayescomb.inputs.theory.predictions import Prediction
    from bayescomb.likelihood.check import check
    from bayescomb.likelihood.simulation import simulate
    from bayescomb.output import figures
    from bayescomb.output.explorer.page import explore
    from bayescomb.output.export.export import export_hepdata
    from bayescomb.output.export.programs import FitResults, fit_results, hs3, mv_normal
    from bayescomb.output.report.report import report
    from bayescomb.output.text.extraction import relevance_text
    from bayescomb.output.text.posterior import summary_text
    from bayescomb.output.text_layout import table as text_table
    from bayescomb.sampling.model.build import build_model
    from bayescomb.sampling.model.likelihood import likelihood
    from bayescomb.sampling.posterior.convergence import verdict
    from bayescomb.sampling.posterior.storage import load_posterior, save_posterior
    from bayescomb.sampling.posterior.summary import summarise
    from bayescomb.sampling.sample import sample
    from bayescomb.studies.assumption_sets import compare_sets
    from bayescomb.studies.comparison import compare
    from bayescomb.studies.predictive import posterior_predictive
    from bayescomb.studies.sensitivity import prior_sensitivity
    from bayescomb.studies.simulated.calibration import coverage, study_summary
    from bayescomb.studies.theory.rate_and_shape import rate_and_shape
    from bayescomb.studies.theory.study import predicted_bins
    from bayescomb.studies.theory.variants import order_variants, prediction_variants, scale_envelope
    from bayescomb.studies.variance import coefficient_relevance, variance_shares

__version__ = "0.1.0"

__all__ = [
    "AssumptionSet",
    "BayescombError",
    "Combination",
    "CorrelationBlock",
    "CorrelationCoefficient",
    "CorrelationPair",
    "Curve",
    "ErrorOnError",
    "Estimate",
    "Extraction",
    "FitResults",
    "FittedInput",
    "InputWarning",
    "LikelihoodTable",
    "Measurement",
    "Nuisance",
    "Observable",
    "Parameter",
    "ParameterPrior",
    "PdfChoice",
    "Prediction",
    "Provenance",
    "Relation",
    "ScaleChoice",
    "Source",
    "blind",
    "build_model",
    "check",
    "coefficient_relevance",
    "combine",
    "compare",
    "compare_sets",
    "compatibility",
    "convert",
    "copy_model",
    "coverage",
    "explore",
    "export_hepdata",
    "figures",
    "fit_results",
    "fits",
    "group_results",
    "hs3",
    "impacts",
    "information_weights",
    "likelihood",
    "load",
    "load_posterior",
    "mv_normal",
    "order_variants",
    "posterior_predictive",
    "predicted_bins",
    "prediction_variants",
    "prior_sensitivity",
    "profile",
    "rate_and_shape",
    "relative_reading",
    "relevance_text",
    "report",
    "sample",
    "save_posterior",
    "scale_envelope",
    "scale_factors",
    "scaled_profile",
    "scan",
    "shipped_models",
    "simulate",
    "source_covariances",
    "study_summary",
    "summarise",
    "summary_text",
    "text_table",
    "unblind",
    "variable_name",
    "variance_shares",
    "verdict",
    "without_each",
]

# Every name is imported at its first use: PyMC, ArviZ and matplotlib take seconds, and --help needs not even numpy.
_NAMES = {
    "bayescomb.fit.averaging.inconsistency": ("scale_factors", "scaled_profile"),
    "bayescomb.fit.averaging.information": ("information_weights", "source_covariances"),
    "bayescomb.fit.averaging.relative": ("relative_reading",),
    "bayescomb.fit.averaging.some_inputs": ("group_results", "without_each"),
    "bayescomb.fit.compatibility": ("compatibility",),
    "bayescomb.fit.impacts": ("impacts",),
    "bayescomb.fit.profile": ("profile",),
    "bayescomb.fit.scan": ("scan",),
    "bayescomb.formats.fits.relations": ("combine",),
    "bayescomb.formats.loading": ("convert", "load"),
    "bayescomb.formats.shipped": ("copy_model", "shipped_models"),
    "bayescomb.inputs.assumptions": ("AssumptionSet", "CorrelationBlock", "CorrelationCoefficient", "CorrelationPair"),
    "bayescomb.inputs.blinding": ("blind", "unblind"),
    "bayescomb.inputs.combination": ("Combination",),
    "bayescomb.inputs.formulas": ("Curve",),
    "bayescomb.inputs.measurements": ("Estimate", "FittedInput", "LikelihoodTable", "Measurement", "Nuisance"),
    "bayescomb.inputs.observables": ("ErrorOnError", "Observable", "Provenance", "Source", "variable_name"),
    "bayescomb.inputs.parameters": ("Parameter", "ParameterPrior"),
    "bayescomb.inputs.relations": ("Relation",),
    "bayescomb.inputs.theory.extractions": ("Extraction", "PdfChoice", "ScaleChoice"),
    "bayescomb.inputs.theory.predictions": ("Prediction",),
    "bayescomb.likelihood.check": ("check",),
    "bayescomb.likelihood.simulation": ("simulate",),
    "bayescomb.output.explorer.page": ("explore",),
    "bayescomb.output.export.export": ("export_hepdata",),
    "bayescomb.output.export.programs": ("FitResults", "fit_results", "hs3", "mv_normal"),
    "bayescomb.output.report.report": ("report",),
    "bayescomb.output.text.extraction": ("relevance_text",),
    "bayescomb.output.text.posterior": ("summary_text",),
    "bayescomb.sampling.model.build": ("build_model",),
    "bayescomb.sampling.posterior.convergence": ("verdict",),
    "bayescomb.sampling.posterior.storage": ("load_posterior", "save_posterior"),
    "bayescomb.sampling.posterior.summary": ("summarise",),
    "bayescomb.sampling.sample": ("sample",),
    "bayescomb.studies.assumption_sets": ("compare_sets",),
    "bayescomb.studies.comparison": ("compare",),
    "bayescomb.studies.predictive": ("posterior_predictive",),
    "bayescomb.studies.sensitivity": ("prior_sensitivity",),
    "bayescomb.studies.simulated.calibration": ("coverage", "study_summary"),
    "bayescomb.studies.theory.rate_and_shape": ("rate_and_shape",),
    "bayescomb.studies.theory.study": ("predicted_bins",),
    "bayescomb.studies.theory.variants": ("order_variants", "prediction_variants", "scale_envelope"),
    "bayescomb.studies.variance": ("coefficient_relevance", "variance_shares"),
}
_LAZY = {name: module for module, names in _NAMES.items() for name in names}

_MODULES = {
    "figures": "bayescomb.output.figures",
    "fits": "bayescomb.formats.fits",
    "likelihood": "bayescomb.likelihood",  # the package has the name of the function and is called in its place
}

# Class of a result -> module and name of the function that writes its text, imported at its first use.
_TEXTS = {
    "bayescomb.fit.averaging.information.InformationWeights": ("bayescomb.output.tables.averages", "information_text"),
    "bayescomb.fit.averaging.some_inputs.GroupResults": ("bayescomb.output.tables.some_inputs", "group_text"),
    "bayescomb.fit.averaging.some_inputs.WithoutEach": ("bayescomb.output.tables.some_inputs", "without_text"),
    "bayescomb.fit.impacts.ImpactResult": ("bayescomb.output.text.fit", "impact_text"),
    "bayescomb.fit.profile.ProfileResult": ("bayescomb.output.text.fit", "profile_text"),
    "bayescomb.fit.scan.ScanResult": ("bayescomb.output.text.scan", "scan_text"),
    "bayescomb.inputs.combination.combination.Combination": ("bayescomb.output.text.check", "combination_text"),
    "bayescomb.likelihood.check.CheckResult": ("bayescomb.output.text.check", "check_text"),
    "bayescomb.sampling.posterior.summary.Sampled": ("bayescomb.output.text.posterior", "posterior_text"),
    "bayescomb.studies.comparison.Comparison": ("bayescomb.output.text.posterior", "comparison_text"),
}


def _text_by(module: str, function: str) -> Callable[[Any], str]:
    return lambda shown: getattr(importlib.import_module(module), function)(shown)


for _class, _function in _TEXTS.items():
    show_with(_class, _text_by(*_function))


def _page(text: Callable[[Any], str], shown: object) -> str:
    from bayescomb.output.text.html import html_text

    return html_text(text, shown)


in_notebooks_with(_page)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name == "text_table":
        return importlib.import_module("bayescomb.output.text_layout").table
    if name in _LAZY:
        found = globals()[name] = getattr(importlib.import_module(_LAZY[name]), name)
        return found
    msg = f"module 'bayescomb' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return __all__
