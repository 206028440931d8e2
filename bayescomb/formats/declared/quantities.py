"""Keys of measurements outside a budget, of predictions, extractions, parameters and derived quantities."""

from __future__ import annotations

from typing import Final

from bayescomb.base.choices import BEYOND_ENDS, CURVE_KINDS, PDF_ERRORS, RESPONSE_FORMS, SCALE_PRIORS, SCALE_TREATMENTS
from bayescomb.formats.declared.key import Key, Kind, Table
from bayescomb.inputs.parameters import PARAMETER_SHAPES

__all__ = ["MEASUREMENT_TABLES", "PREDICTION_TABLES", "QUANTITY_TABLES"]

PARAMETERS: Final = Table(
    "A quantity that observables with a formula are functions of.",
    (
        Key("name", Kind.TEXT, "name that formulas and outputs use", 'name = "tau_s"', required=True),
        Key("unit", Kind.TEXT, "unit, with which units of formulas are checked", 'unit = "ps"'),
        Key("title", Kind.TEXT, "text for tables and figures", 'title = "lifetime"'),
        Key("prior", Kind.TABLE, "what is known beforehand", 'prior = { shape = "normal", mean = 0.118, sd = 0.001 }',
            default="flat"),
        Key("start", Kind.NUMBER, "where a fit may begin, if the data do not tell", "start = 1.5"),
    ),
)  # fmt: skip
PRIOR: Final = Table(
    "Prior of a parameter: its shape and the numbers of that shape.",
    (
        Key("shape", Kind.TEXT, "uniform takes low and high; normal mean and sd; half_normal sd; lognormal median and sigma",
            'shape = "normal"', required=True, choices=PARAMETER_SHAPES),
        Key("low", Kind.NUMBER, "lower end of uniform", "low = 0.0"),
        Key("high", Kind.NUMBER, "upper end of uniform", "high = 5.0"),
        Key("mean", Kind.NUMBER, "mean of normal", "mean = 0.118"),
        Key("sd", Kind.NUMBER, "standard deviation of normal, or scale of half_normal", "sd = 0.001"),
        Key("median", Kind.NUMBER, "median of lognormal", "median = 1.0"),
        Key("sigma", Kind.NUMBER, "standard deviation of the logarithm, of lognormal", "sigma = 0.02"),
    ),
)  # fmt: skip
DERIVED: Final = Table(
    "A quantity that follows from parameters and observables, reported with its error.",
    (
        Key("name", Kind.TEXT, "name of it in every output", 'name = "R"', required=True),
        Key("unit", Kind.TEXT, "unit, which the formula must have", 'unit = "1"'),
        Key("title", Kind.TEXT, "text for tables and figures", 'title = "ratio"'),
        Key("formula", Kind.TEXT, "arithmetic of names, numbers and functions like sqrt", 'formula = "sigma_t / sigma_tbar"',
            required=True),
    ),
)  # fmt: skip
CURVES: Final = Table(
    "A function of one number through tabulated points; where it ends, the range of the parameter that it is of ends too.",
    (
        Key("name", Kind.TEXT, "name by which formulas call it, as in sigma_th(m_t)", 'name = "sigma_th"', required=True),
        Key("table", Kind.TEXT, "CSV file beside the model", 'table = "sigma.csv"'),
        Key("x", (Kind.TEXT, Kind.NUMBERS), "column of the argument, or without a table its numbers", 'x = "m_t_gev"',
            required=True),
        Key("y", (Kind.TEXT, Kind.NUMBERS), "column of the value, or without a table its numbers", 'y = "xsec_pb"',
            required=True),
        Key("rows", Kind.NAMED, "cells that the rows in use have, by column", 'rows = { pdf_set = "CT18NLO", member = 0 }',
            default="all"),
        Key("kind", Kind.TEXT, "spline through the points (natural: straight at its ends; monotone where they are), or polynomial",
            'kind = "monotone"', default="cubic", choices=CURVE_KINDS),
        Key("degree", Kind.WHOLE, "of a least-squares polynomial, which it makes the curve", "degree = 4"),
        Key("beyond", Kind.TEXT, "beyond the points: nothing, or straight lines", 'beyond = "straight"', default="nothing",
            choices=BEYOND_ENDS),
        Key("argument_unit", Kind.TEXT, "unit of the argument", 'argument_unit = "GeV"'),
        Key("unit", Kind.TEXT, "unit of the value", 'unit = "pb"'),
        Key("title", Kind.TEXT, "text for tables and figures", 'title = "NNLO cross section"'),
    ),
)  # fmt: skip

QUANTITY_TABLES: Final = {"parameters": PARAMETERS, "parameters.prior": PRIOR, "derived": DERIVED, "curves": CURVES}


FILE: Final = "CSV file beside the model"
CHOSEN: Final = (Kind.TEXT, Kind.TABLE)
PATTERNS: Final = (Kind.TEXT, Kind.TEXTS)

MEASUREMENTS: Final = Table(
    "An input: estimates and what is known of their errors; or a Convino file; or tables of HEPData; or the file of a fit.",
    (
        Key("name", Kind.TEXT, "unique", 'name = "CMS 13 TeV"', required=True),
        Key("experiment", Kind.TEXT, "whose it is; coefficients speak of experiments", 'experiment = "CMS"'),
        Key("estimates", (Kind.TABLES, Kind.TEXTS), "measured numbers; beside hepdata their names, in the order of the rows",
            'estimates = [{ name = "x", value = 172.5, observable = "m_t" }]'),
        Key("statistical", Kind.NUMBERS, "uncorrelated statistical uncertainties; texts \"+0.5/-0.3\" where they are asymmetric",
            "statistical = [0.4]"),
        Key("statistical_covariance", Kind.TEXT, f"their covariance, {FILE}", 'statistical_covariance = "stat.csv"'),
        Key("total_covariance", Kind.TEXT, f"covariance of all uncertainties, {FILE}; what the parts leave of it is the rest",
            'total_covariance = "total.csv"'),
        Key("hessian", Kind.TEXT, f"information matrix of a fit, estimates and nuisances, {FILE}", 'hessian = "hessian.csv"'),
        Key("correlation", Kind.TEXT, f"post-fit correlation matrix with a column uncertainty, {FILE}",
            'correlation = "correlation.csv"'),
        Key("responses", Kind.TEXT, f"shifts of the values at +1 sigma of nuisances outside the fit, {FILE}",
            'responses = "responses.csv"'),
        Key("nuisances", (Kind.TABLES, Kind.TEXT), f"what is to be said of single nuisances, here or in a {FILE}",
            'nuisances = [{ name = "JES", source = "JES", pull = 0.3 }]'),
        Key("sources", Kind.NAMED_TEXTS, "patterns of nuisances -> their source; the first that matches decides",
            'sources = { "CMS_scale_j_*" = "JES" }'),
        Key("convino", Kind.TEXT, "Convino measurement file beside the model", 'convino = "cms_13tev.txt"', foreign=True),
        Key("hepdata", (Kind.TEXT, Kind.TEXTS), "submission as downloaded: archive, folder, YAML, or JSON of single tables",
            'hepdata = "HEPData-ins1234567-v1-yaml.tar.gz"', foreign=True),
        Key("fit", Kind.TEXT, "file of a fit: NAME.root:OBJECT (RooFitResult), .txt (TRExFitter), .csv (covariance), .nc (posterior)",
            'fit = "fitDiagnostics.root:fit_s"', foreign=True),
        Key("results", (Kind.TEXTS, Kind.NAMED), "parameters of the fit that are measured, and their observables", 'results = ["r"]'),
        Key("free", PATTERNS, "parameters of the fit without a constraint term, names or patterns", 'free = ["norm_*"]'),
        Key("left_out", PATTERNS, "parameters of the fit that are not kept, names or patterns", 'left_out = ["prop_bin*"]'),
        Key("priors", Kind.NAMED, "parameter of the fit -> centre and width of its constraint term, where not 0 and 1",
            "priors = { lumi = [1.0, 0.02] }"),
        Key("observables", (Kind.TEXTS, Kind.NAMED), "of the estimates of a file: in the order of the rows, or by their names",
            'observables = ["bin1", "bin2"]'),
        Key("tables", Kind.TABLE, "what the tables of HEPData are",
            '[measurements.tables]\nvalues = "Table 1"\nstatistical = "stat"\nlabels = "sys,*"'),
    ),
)  # fmt: skip
ESTIMATES: Final = Table(
    "A measured number.",
    (
        Key("name", Kind.TEXT, "unique in the model", 'name = "l+jets"', required=True),
        Key("value", Kind.NUMBER, "measured value, in the unit of its observable", "value = 172.5"),
        Key("likelihood", Kind.TEXT, f"or -2 ln L at points of it, in place of value and errors: {FILE}",
            'likelihood = "curve.csv"'),
        Key("observable", Kind.TEXT, "what it measures", 'observable = "m_t"'),
        Key("observables", Kind.NAMED_NUMBERS, "or factors: a sum, merged bins", "observables = { bin2 = 1.0, bin3 = 1.0 }"),
        Key("title", Kind.TEXT, "text for tables and figures", 'title = "lepton+jets"'),
    ),
)  # fmt: skip
NUISANCES: Final = Table(
    "What is to be said of a nuisance of a measurement.",
    (
        Key("name", Kind.TEXT, "in the responses or the fit", 'name = "CMS_JES"', required=True),
        Key("source", Kind.TEXT, "source it belongs to", 'source = "JES"'),
        Key("response", Kind.TEXT, "absolute: the shift as given; relative: it scales with the prediction; lognormal: a factor",
            'response = "relative"', default="absolute", choices=RESPONSE_FORMS),
        Key("free", Kind.FLAG, "it has no prior", "free = true", default="false"),
        Key("pull", Kind.NUMBER, "post-fit value of a nuisance of a fit, in prior widths", "pull = 0.3", default="0"),
        Key("statistical", Kind.FLAG, "it is the asymmetric part of a statistical uncertainty", "statistical = true",
            default="false"),
    ),
)  # fmt: skip
HEPDATA_TABLES: Final = Table(
    'What is where in a submission; a table is a name, or { table = "Table 1", column = "SIG" }.',
    (
        Key("values", CHOSEN, "the measured values and their labelled errors", 'values = "Table 1"', required=True),
        Key("statistical", (Kind.TEXT, Kind.TABLE, Kind.TEXTS, Kind.TABLES), "label or column of the statistical errors",
            'statistical = "stat"'),
        Key("total", CHOSEN, "label or column of the total errors, which are compared only", 'total = "total"'),
        Key("labels", PATTERNS, "labels that are sources, each a nuisance of its name", 'labels = "sys,*"'),
        Key("ignore", PATTERNS, "labels that are left aside", 'ignore = ["sys"]'),
        Key("percent", PATTERNS, "errors in percent of the values, of which no unit says so", 'percent = ["stat"]'),
        Key("uncorrelated", PATTERNS, "sources that are independent in each row", 'uncorrelated = "sys,unc*"'),
        Key("symmetrise", (Kind.FLAG, Kind.TEXT, Kind.TEXTS), "make one size of two sides: everywhere, or of these",
            "symmetrise = true"),
        Key("statistical_covariance", CHOSEN, "between the rows", 'statistical_covariance = "Table 2"'),
        Key("statistical_correlation", CHOSEN, "between the rows", 'statistical_correlation = "Table 2"'),
        Key("total_covariance", CHOSEN, "compared with the parts, or what they leave is statistical", 'total_covariance = "Table 3"'),
        Key("total_correlation", CHOSEN, "the same as correlations", 'total_correlation = "Table 3"'),
        Key("nuisance_correlation", CHOSEN, "of the nuisances after the fit", 'nuisance_correlation = "Table 6"'),
        Key("covariances", Kind.NAMED, "source -> table of its covariance between the rows", 'covariances = { eff = "Table 9" }'),
        Key("correlations", Kind.NAMED, "source -> table of its correlation between the rows", 'correlations = { eff = "Table 9" }'),
        Key("breakdown", (Kind.TEXTS, Kind.TABLES), "tables of shifts: a column, row or table per source",
            'breakdown = ["Table 4"]'),
        Key("pulls", CHOSEN, "post-fit values of the nuisances, the constraints as their errors", 'pulls = "Table 5"'),
        Key("nuisance_covariance", (Kind.TEXT, Kind.TABLE, Kind.TEXTS, Kind.TABLES), "of values and nuisances, in place of impacts",
            'nuisance_covariance = "Table 7"'),
        Key("approximate", Kind.FLAG, "unpublished correlations of the nuisances are taken for 0; outputs say so",
            "approximate = true", default="false"),
        Key("rows", (Kind.NUMBERS, Kind.TABLE), "rows that are kept, by number from 1 or by range", "rows = [1, 2]", default="all"),
        Key("leave_out", (Kind.TEXTS, Kind.NUMBERS), "rows that are left aside", 'leave_out = ["100 - 200"]'),
        Key("normalised", Kind.FLAG, "the distribution is normalised; one row of it is left out", "normalised = true", default="false"),
        Key("absent_is_zero", Kind.FLAG, "an error that a row does not state is 0 there", "absent_is_zero = true", default="false"),
        Key("prefix", Kind.TEXT, "stands before the names of the nuisances", 'prefix = "ATLAS_"'),
    ),
)  # fmt: skip

MEASUREMENT_TABLES: Final = {
    "measurements": MEASUREMENTS,
    "measurements.estimates": ESTIMATES,
    "measurements.nuisances": NUISANCES,
    "measurements.tables": HEPDATA_TABLES,
}


PREDICTIONS: Final = Table(
    "A prediction: a table of cross sections, or the product of such a table and one of factors.",
    (
        Key("name", Kind.TEXT, "unique", 'name = "13 TeV"', required=True),
        Key("table", Kind.TEXT, "CSV file: energy, PDF set and member, scale choice, mu_R, mu_F, mass, bin, cross section, error",
            'table = "prediction_13tev.csv"'),
        Key("tables", Kind.NAMED_TEXTS, "two CSV files by the names that combine uses",
            'tables = { lo = "prediction_13tev.csv", kfactor = "kfactor_13tev.csv" }'),
        Key("combine", Kind.TEXT, "their product", 'combine = "lo * kfactor"'),
        Key("members_at", Kind.TEXT, "scale choice at which the first table has its PDF members", 'members_at = "mt"'),
        Key("observables", Kind.TEXTS, "in the order of the bins", 'observables = ["bin1", "bin2"]', required=True),
        Key("order", Kind.TEXT, "in perturbation theory; LO is not for quoting", 'order = "NLO"', required=True),
        Key("mass_scheme", Kind.TEXT, "what the mass of the table is", 'mass_scheme = "MSbar"', default="pole"),
        Key("per_bin_width", Kind.FLAG, "the table is divided by the widths of the bins", "per_bin_width = true", default="false"),
        Key("variable", Kind.TEXT, "what is binned", 'variable = "rho"'),
        Key("rate_errors", Kind.NAMED_NUMBERS, "name -> relative uncertainty of the rate, where it counts",
            "rate_errors = { electroweak = 0.02 }"),
        Key("origin", Kind.TEXT, "what the figures are; every output says it", 'origin = "NLO at 172.5 GeV"'),
    ),
)  # fmt: skip
EXTRACTIONS: Final = Table(
    "One way to extract a mass.",
    (
        Key("name", Kind.TEXT, "every output names it", 'name = "normalised"', required=True),
        Key("title", Kind.TEXT, "one line for people", 'title = "both shapes, one mass"'),
        Key("extends", Kind.TEXT, "an earlier extraction, whose keys hold where this one states none", 'extends = "normalised"'),
        Key("distributions", Kind.NAMED_TEXTS, "prediction -> absolute, normalised (shape) or rate (sum of the bins)",
            'distributions = { "13 TeV" = "normalised" }'),
        Key("masses", Kind.NAMED_TEXTS, "prediction -> name of its mass; two names give two masses and their difference",
            'masses = { "8 TeV" = "m_t (ATLAS)", "13 TeV" = "m_t (CMS)" }', default="m_t"),
        Key("pdf", Kind.TABLE, "PDF set and its uncertainty", 'pdf = { set = "CT18NLO" }'),
        Key("scales", Kind.TABLE, "scales and their uncertainty", 'scales = { choice = "ht2" }'),
        Key("numerical_errors", Kind.FLAG, "those of the prediction are nuisances", "numerical_errors = false", default="true"),
        Key("rate_errors", Kind.FLAG, "those of the prediction are nuisances", "rate_errors = false", default="true"),
        Key("degree", Kind.WHOLE, "of the polynomial in the mass", "degree = 3", default="4"),
        Key("drop", Kind.TEXTS, "observables that are not compared", 'drop = ["bin2"]'),
    ),
)  # fmt: skip
PDF: Final = Table(
    "A PDF set; its members are the same nuisances at every energy.",
    (
        Key("set", Kind.TEXT, "name of the set in the tables", 'set = "PDF4LHC21_40_pdfas"', required=True),
        Key("errors", Kind.TEXT, "what its members are", 'errors = "symmetric_hessian"', default="none", choices=PDF_ERRORS),
        Key("alpha_s", Kind.NUMBERS, "members with alpha_s below and above", "alpha_s = [41, 42]"),
        Key("shifts_at", Kind.TEXT, "scale choice whose relative shifts are taken", 'shifts_at = "mt"'),
        Key("confidence_level", Kind.NUMBER, "of the members", "confidence_level = 0.90", default="0.68"),
    ),
)
SCALES: Final = Table(
    "Renormalisation and factorisation scale.",
    (
        Key("choice", Kind.TEXT, "definition of the scale in the tables", 'choice = "ht2"', required=True),
        Key("treatment", Kind.TEXT, "fixed; log2 of the factors common to all energies, independent, or with a sampled correlation",
            'treatment = "common"', default="fixed", choices=SCALE_TREATMENTS),
        Key("prior", Kind.TEXT, "of log2 of a factor", 'prior = "normal"', default="uniform", choices=SCALE_PRIORS),
        Key("mu_r", Kind.NUMBER, "factor on the renormalisation scale", "mu_r = 0.5", default="1"),
        Key("mu_f", Kind.NUMBER, "factor on the factorisation scale", "mu_f = 2.0", default="1"),
        Key("width", Kind.NUMBER, "of the prior", "width = 0.5", default="1"),
        Key("low", Kind.NUMBER, "lower end of the correlation between energies", "low = 0.0", default="0"),
        Key("nominal", Kind.NUMBER, "nominal value of it", "nominal = 0.3", default="0.5"),
        Key("high", Kind.NUMBER, "upper end of it", "high = 0.9", default="1"),
    ),
)  # fmt: skip

PREDICTION_TABLES: Final = {
    "predictions": PREDICTIONS,
    "extractions": EXTRACTIONS,
    "extractions.pdf": PDF,
    "extractions.scales": SCALES,
}
