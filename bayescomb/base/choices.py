"""Words that settings can take, and the defaults that the command line shows before it imports anything else.

Each set of words is a literal type, so that code which forgets a word is a type error; its tuple is for checks and options.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

__all__ = [
    "BACKENDS",
    "BEYOND_ENDS",
    "BLINDINGS",
    "CHI2_FORMS",
    "CORRELATIONS",
    "CURVE_KINDS",
    "DISTRIBUTIONS",
    "DRAWS_BEHIND",
    "DRAWS_PER_TOY",
    "ENGINES",
    "INPUT_KINDS",
    "MASS_SCHEMES",
    "NUISANCE_VALUES",
    "PARTS_WORDS",
    "PDF_ERRORS",
    "PROVENANCE_KINDS",
    "RANGE_ENDS",
    "REPAIRS",
    "RESPONSE_FORMS",
    "SCALE_PRIORS",
    "SCALE_RULES",
    "SCALE_TREATMENTS",
    "SCAN_POINTS",
    "SHARED_NAMES",
    "SHELLS",
    "SIZE_KINDS",
    "TABLES",
    "TABLE_FORMATS",
    "TREATMENTS",
    "WORKERS",
    "Backend",
    "BeyondEnds",
    "BlindingKind",
    "Chi2Form",
    "Correlations",
    "CurveKind",
    "Distribution",
    "Engine",
    "Feasible",
    "FitErrors",
    "InputKind",
    "MassScheme",
    "NuisanceValues",
    "Parts",
    "PdfErrors",
    "ProvenanceKind",
    "RangeEnd",
    "RepairKind",
    "ResponseForm",
    "ScalePrior",
    "ScaleRule",
    "ScaleTreatment",
    "SharedNameRule",
    "Shell",
    "SizeKind",
    "TableFormat",
    "TableName",
    "Treatment",
]

# Settings of a combination; a nuisance name in two inputs is an error, or the same nuisance.
Treatment = Literal["covariance", "nuisance"]
RepairKind = Literal["none", "shift", "clip", "nearest"]
Chi2Form = Literal["neyman", "pearson"]
NuisanceValues = Literal["used", "ignored"]
SharedNameRule = Literal["error", "same"]
# End of the range of a coefficient.
RangeEnd = Literal["low", "high"]
# How a nuisance shifts an estimate, and how the sizes of a source are uncertain.
ResponseForm = Literal["absolute", "relative", "lognormal"]
SizeKind = Literal["common", "independent"]
# How a curve passes between points and continues beyond them, see bayescomb.inputs.curves.
CurveKind = Literal["cubic", "natural", "monotone", "polynomial"]
BeyondEnds = Literal["nothing", "straight"]
# Settings of predictions and extractions.
MassScheme = Literal["pole", "running"]
Distribution = Literal["absolute", "normalised", "rate"]
PdfErrors = Literal["none", "symmetric_hessian", "hessian", "replicas"]
ScaleTreatment = Literal["fixed", "common", "independent", "correlated"]
ScalePrior = Literal["uniform", "normal"]
# Definition of the parts of an error, see bayescomb.fit.impacts.
Parts = Literal["propagated", "held"]
# Errors of a fit: Delta chi2 = 1 by MINOS, Delta chi2 = 1 by a search from the linearised model, or that model alone.
FitErrors = Literal["minos", "crossing", "hesse"]
# Feasible part of a box of coefficients: all, a part with volume, a part without volume, nothing.
Feasible = Literal["box", "partial", "point", "empty"]
# Scale factor for inputs that scatter too much, see bayescomb.fit.averaging.inconsistency.
ScaleRule = Literal["pdg", "birge", "codata"]
# Tables of averages, and their formats.
TableName = Literal[
    "breakdown", "weights", "correlation", "sources", "compatibility", "without", "groups", "scale", "relative", "all"
]
TableFormat = Literal["text", "latex", "csv", "html"]
# Inputs that are left out, or tested against the rest.
InputKind = Literal["measurement", "estimate", "experiment"]
# How central values are hidden, see bayescomb.inputs.blinding.
BlindingKind = Literal["shift", "factor"]
# Settings of sampling; coefficients are drawn from their priors, or held at nominal.
Correlations = Literal["prior", "nominal"]
Engine = Literal["marginal", "full"]
Backend = Literal["auto", "fused", "vm", "numba"]
# Origin of published figures, and the shells with word completion.
ProvenanceKind = Literal["published", "reconstructed", "assumed"]
Shell = Literal["bash", "zsh", "fish"]

TREATMENTS: Final[tuple[Treatment, ...]] = get_args(Treatment)
REPAIRS: Final[tuple[RepairKind, ...]] = get_args(RepairKind)
CHI2_FORMS: Final[tuple[Chi2Form, ...]] = get_args(Chi2Form)
NUISANCE_VALUES: Final[tuple[NuisanceValues, ...]] = get_args(NuisanceValues)
SHARED_NAMES: Final[tuple[SharedNameRule, ...]] = get_args(SharedNameRule)
RANGE_ENDS: Final[tuple[RangeEnd, ...]] = get_args(RangeEnd)
RESPONSE_FORMS: Final[tuple[ResponseForm, ...]] = get_args(ResponseForm)
SIZE_KINDS: Final[tuple[SizeKind, ...]] = get_args(SizeKind)
CURVE_KINDS: Final[tuple[CurveKind, ...]] = get_args(CurveKind)
BEYOND_ENDS: Final[tuple[BeyondEnds, ...]] = get_args(BeyondEnds)
MASS_SCHEMES: Final[tuple[MassScheme, ...]] = get_args(MassScheme)
DISTRIBUTIONS: Final[tuple[Distribution, ...]] = get_args(Distribution)
PDF_ERRORS: Final[tuple[PdfErrors, ...]] = get_args(PdfErrors)
SCALE_TREATMENTS: Final[tuple[ScaleTreatment, ...]] = get_args(ScaleTreatment)
SCALE_PRIORS: Final[tuple[ScalePrior, ...]] = get_args(ScalePrior)
PARTS_WORDS: Final[tuple[Parts, ...]] = get_args(Parts)
SCALE_RULES: Final[tuple[ScaleRule, ...]] = get_args(ScaleRule)
TABLES: Final[tuple[TableName, ...]] = get_args(TableName)
TABLE_FORMATS: Final[tuple[TableFormat, ...]] = get_args(TableFormat)
INPUT_KINDS: Final[tuple[InputKind, ...]] = get_args(InputKind)
CORRELATIONS: Final[tuple[Correlations, ...]] = get_args(Correlations)
ENGINES: Final[tuple[Engine, ...]] = get_args(Engine)
BACKENDS: Final[tuple[Backend, ...]] = get_args(Backend)
BLINDINGS: Final[tuple[BlindingKind, ...]] = get_args(BlindingKind)
PROVENANCE_KINDS: Final[tuple[ProvenanceKind, ...]] = get_args(ProvenanceKind)
SHELLS: Final[tuple[Shell, ...]] = get_args(Shell)

# Default number of points of each scan.
SCAN_POINTS: Final = 6
# Default draws per chain of the explorer and of each data set of a study, and the processes of a study.
DRAWS_BEHIND: Final = 1000
DRAWS_PER_TOY: Final = 300
WORKERS: Final = 2
