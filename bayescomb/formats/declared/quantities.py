"""Keys of measurements outside a budget, of predictions, extractions, parameters and derived quantities."""

from __future__ import annotations

from typing import Final

from bayescomb.base.choices import (
    BEYOND_ENDS,
    CURVE_KINDS,
    MASS_SCHEMES,
    PDF_ERRORS,
    RESPONSE_FORMS,
    SCALE_PRIORS,
    SCALE_TREATMENTS,
)
from bayescomb.formats.declared.key import Key, Kind, Table
from bayescomb.inputs.parameters import PARAMETER_SHAPES

__all__ = ["MEASUREMENT_TABLES", "PREDICTION_TABLES", "QUANTITY_TABLES"]

PARAMETERS: Final = Table(
    "A quantity on which the formulas of observables depend.",
    (
        Key("name", Kind.TEXT, "name in formulas and in every output", 'name = "tau_s"', required=True),
        Key("unit", Kind.TEXT, "unit; the units of formulas are checked with it", 'unit = "ps"'),
        Key("title", Kind.TEXT, "text for tables and figures", 'title = "lifetime"'),
        Key("prior", Kind.TABLE, "prior of the parameter", 'prior = { shape = "normal", mean = 0.118, sd = 0.001 }',
            default="flat"),
        Key("start", Kind.NUMBER, "starting value of a fit, if the data do not give one", "start = 1.5"),
    ),
)  # fmt: skip
PRIOR: Final = Table(
    "Prior of a parameter: its shape and the numbers of that shape.",
    (
        Key("shape", Kind.TEXT, "uniform has low and high; normal has mean and sd; half_normal has sd; lognormal has median and sigma",
            'shape = "normal"', required=True, choices=PARAMETER_SHAPES),
        Key("low", Kind.NUMBER, "lower end of uniform", "low = 0.0"),
        Key("high", Kind.NUMBER, "upper end of uniform", "high = 5.0"),
        Key("mean", Kind.NUMBER, "mean of normal", "mean = 0.118"),
        Key("sd", Kind.NUMBER, "standard deviation of normal, or scale of half_normal", "sd = 0.001"),
        Key("median", Kind.NUMBER, "median of lognormal", "median = 1.0"),
        Key("sigma", Kind.NUMBER, "standard deviation of the logarithm for lognormal", "sigma = 0.02"),
    ),
)  # fmt: skip
DERIVED: Final = Table(
    "A function of parameters and observables, reported with its error.",
    (
        Key("name", Kind.TEXT, "name in every output", 'name = "R"', required=True),
        Key("unit", Kind.TEXT, "unit that the formula must have", 'unit = "1"'),
        Key("title", Kind.TEXT, "text for tables and figures", 'title = "ratio"'),
        Key("formula", Kind.TEXT, "arithmetic of names, numbers and functions such as sqrt", 'formula = "sigma_t / sigma_tbar"',
            required=True),
    ),
)  # fmt: skip
CURVES: Final = Table(
    "A function of one number through tabulated points; a parameter as its argument is limited to its range.",
    (
        Key("name", Kind.TEXT, "name by which formulas call it, as in sigma_th(m_t)", 'name = "sigma_th"', required=True),
        Key("table", Kind.TEXT, "CSV file beside the model", 'table = "sigma.csv"'),
        Key("x", (Kind.TEXT, Kind.NUMBERS), "column of the argument; without a table, a list of its values", 'x = "m_t_gev"',
            required=True),
        Key("y", (Kind.TEXT, Kind.NUMBERS), "column of the value; without a table, a list of the values", 'y = "xsec_pb"',
            required=True),
        Key("rows", Kind.NAMED, "column -> cell of the rows that are used", 'rows = { pdf_set = "CT18NLO", member = 0 }',
            default="all"),
        Key("kind", Kind.TEXT, "spline through the points (natural: straight at its ends; monotone: where the points are), or polynomial",
            'kind = "monotone"', default="cubic", choices=CURVE_KINDS),
        Key("degree", Kind.WHOLE, "degree of a polynomial fitted to the points by least squares, in place of a spline", "degree = 4"),
        Key("beyond", Kind.TEXT, "continuation outside the points: nothing, or straight lines", 'beyond = "straight"', default="nothing",
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
    "An input: estimates with their uncertainties, a Convino file, tables of HEPData, or the file of a fit.",
    (
        Key("name", Kind.TEXT, "name, unique in the model", 'name = "CMS 13 TeV"', required=True),
        Key("experiment", Kind.TEXT, "experiment, to which coefficients can refer", 'experiment = "CMS"'),
        Key("estimates", (Kind.TABLES, Kind.TEXTS), "measured values; beside hepdata their names, in the order of the rows",
            'estimates = [{ name = "x", value = 172.5, observable = "m_t" }]'),
        Key("statistical", Kind.NUMBERS, "uncorrelated statistical uncertainties; texts \"+0.5/-0.3\" where they are asymmetric",
            "statistical = [0.4]"),
        Key("statistical_covariance", Kind.TEXT, f"statistical covariance of the estimates, {FILE}", 'statistical_covariance = "stat.csv"'),
        Key("total_covariance", Kind.TEXT, f"covariance of all uncertainties, {FILE}; parts that are stated are subtracted",
            'total_covariance = "total.csv"'),
        Key("hessian", Kind.TEXT, f"information matrix of a fit, estimates and nuisances, {FILE}", 'hessian = "hessian.csv"'),
        Key("correlation", Kind.TEXT, f"post-fit correlation matrix with a column uncertainty, {FILE}",
            'correlation = "correlation.csv"'),
        Key("responses", Kind.TEXT, f"shifts of the values at +1 sigma of nuisances outside the fit, {FILE}",
            'responses = "responses.csv"'),
        Key("nuisances", (Kind.TABLES, Kind.TEXT), f"source, response, pull and the like of single nuisances, as a list or a {FILE}",
            'nuisances = [{ name = "JES", source = "JES", pull = 0.3 }]'),
        Key("sources", Kind.NAMED_TEXTS, "patterns of nuisances -> source; the first pattern that matches applies",
            'sources = { "CMS_scale_j_*" = "JES" }'),
        Key("convino", Kind.TEXT, "Convino measurement file beside the model", 'convino = "cms_13tev.txt"', foreign=True),
        Key("hepdata", (Kind.TEXT, Kind.TEXTS), "submission as downloaded: archive, folder, YAML, or JSON of single tables",
            'hepdata = "HEPData-ins1234567-v1-yaml.tar.gz"', foreign=True),
        Key("fit", Kind.TEXT, "file of a fit: NAME.root:OBJECT (RooFitResult), .txt (TRExFitter), .csv (covariance), .nc (posterior)",
            'fit = "fitDiagnostics.root:fit_s"', foreign=True),
        Key("results", (Kind.TEXTS, Kind.NAMED), "measured parameters of the fit: a list, or a table parameter -> observable", 'results = ["r"]'),
        Key("free", PATTERNS, "parameters of the fit without a constraint term: names or patterns", 'free = ["norm_*"]'),
        Key("left_out", PATTERNS, "parameters of the fit that are left out: names or patterns", 'left_out = ["prop_bin*"]'),
        Key("priors", Kind.NAMED, "parameter of the fit -> centre and width of its constraint term, if not 0 and 1",
            "priors = { lumi = [1.0, 0.02] }"),
        Key("observables", (Kind.TEXTS, Kind.NAMED), "observables of the estimates of a file: a list in the order of the rows, or estimate -> observable",
            'observables = ["bin1", "bin2"]'),
        Key("tables", Kind.TABLE, "which table of HEPData holds what",
            '[measurements.tables]\nvalues = "Table 1"\nstatistical = "stat"\nlabels = "sys,*"'),
    ),
)  # fmt: skip
ESTIMATES: Final = Table(
    "A measured value.",
    (
        Key("name", Kind.TEXT, "name, unique in the model", 'name = "l+jets"', required=True),
        Key("value", Kind.NUMBER, "measured value, in the unit of its observable", "value = 172.5"),
        Key("likelihood", Kind.TEXT, f"-2 ln L at points, in place of value and errors: {FILE}",
            'likelihood = "curve.csv"'),
        Key("observable", Kind.TEXT, "observable that it measures", 'observable = "m_t"'),
        Key("observables", Kind.NAMED_NUMBERS, "observable -> coefficient, for a sum such as merged bins", "observables = { bin2 = 1.0, bin3 = 1.0 }"),
        Key("title", Kind.TEXT, "text for tables and figures", 'title = "lepton+jets"'),
    ),
)  # fmt: skip
NUISANCES: Final = Table(
    "A nuisance of a measurement: what the tables of the measurement do not say.",
    (
        Key("name", Kind.TEXT, "its name in the responses or the fit", 'name = "CMS_JES"', required=True),
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
    'Which table of a submission holds what; a table is given by its name, or as { table = "Table 1", column = "SIG" }.',
    (
        Key("values", CHOSEN, "measured values and their labelled errors", 'values = "Table 1"', required=True),
        Key("statistical", (Kind.TEXT, Kind.TABLE, Kind.TEXTS, Kind.TABLES), "label or column of the statistical errors",
            'statistical = "stat"'),
        Key("total", CHOSEN, "label or column of the total errors, for a check only", 'total = "total"'),
        Key("labels", PATTERNS, "labels that are sources, each a nuisance of its name", 'labels = "sys,*"'),
        Key("ignore", PATTERNS, "labels that are not used", 'ignore = ["sys"]'),
        Key("percent", PATTERNS, "errors in percent of the values that no unit marks as such", 'percent = ["stat"]'),
        Key("uncorrelated", PATTERNS, "sources that are independent from row to row", 'uncorrelated = "sys,unc*"'),
        Key("symmetrise", (Kind.FLAG, Kind.TEXT, Kind.TEXTS), "replace two-sided errors by half their distance: all, or those that are named",
            "symmetrise = true"),
        Key("statistical_covariance", CHOSEN, "statistical covariance of the rows", 'statistical_covariance = "Table 2"'),
        Key("statistical_correlation", CHOSEN, "statistical correlation of the rows", 'statistical_correlation = "Table 2"'),
        Key("total_covariance", CHOSEN, "total covariance of the rows: a check, or the statistical part by subtraction", 'total_covariance = "Table 3"'),
        Key("total_correlation", CHOSEN, "the same as a correlation matrix", 'total_correlation = "Table 3"'),
        Key("nuisance_correlation", CHOSEN, "post-fit correlation of the nuisances", 'nuisance_correlation = "Table 6"'),
        Key("covariances", Kind.NAMED, "source -> table of its covariance of the rows", 'covariances = { eff = "Table 9" }'),
        Key("correlations", Kind.NAMED, "source -> table of its correlation of the rows", 'correlations = { eff = "Table 9" }'),
        Key("breakdown", (Kind.TEXTS, Kind.TABLES), "tables of shifts: a column, row or table per source",
            'breakdown = ["Table 4"]'),
        Key("pulls", CHOSEN, "post-fit values of the nuisances, with the constraints as errors", 'pulls = "Table 5"'),
        Key("nuisance_covariance", (Kind.TEXT, Kind.TABLE, Kind.TEXTS, Kind.TABLES), "post-fit covariance of values and nuisances, in place of impacts",
            'nuisance_covariance = "Table 7"'),
        Key("approximate", Kind.FLAG, "unpublished correlations of the nuisances are set to 0, as outputs state",
            "approximate = true", default="false"),
        Key("rows", (Kind.NUMBERS, Kind.TABLE), "rows that are used, by number from 1 or by range", "rows = [1, 2]", default="all"),
        Key("leave_out", (Kind.TEXTS, Kind.NUMBERS), "rows that are left out", 'leave_out = ["100 - 200"]'),
        Key("normalised", Kind.FLAG, "the distribution is normalised; one of its rows is left out", "normalised = true", default="false"),
        Key("absent_is_zero", Kind.FLAG, "an error that a row does not state is 0", "absent_is_zero = true", default="false"),
        Key("prefix", Kind.TEXT, "text before the names of the nuisances", 'prefix = "ATLAS_"'),
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
        Key("name", Kind.TEXT, "name, unique in the model", 'name = "13 TeV"', required=True),
        Key("table", Kind.TEXT, "CSV file: energy, PDF set and member, scale choice, mu_R, mu_F, mass, bin, cross section, error",
            'table = "prediction_13tev.csv"'),
        Key("tables", Kind.NAMED_TEXTS, "two CSV files by the names that combine uses",
            'tables = { lo = "prediction_13tev.csv", kfactor = "kfactor_13tev.csv" }'),
        Key("combine", Kind.TEXT, "product of the two tables, by these names", 'combine = "lo * kfactor"'),
        Key("members_at", Kind.TEXT, "scale choice at which the first table has its PDF members", 'members_at = "mt"'),
        Key("observables", Kind.TEXTS, "observable of each bin, in the order of the bins", 'observables = ["bin1", "bin2"]', required=True),
        Key("order", Kind.TEXT, "perturbative order; a result at LO should not be quoted", 'order = "NLO"', required=True),
        Key("mass_scheme", Kind.TEXT, "scheme of the mass in the table", 'mass_scheme = "running"', default="pole",
            choices=MASS_SCHEMES),
        Key("per_bin_width", Kind.FLAG, "the observables are per bin width, so the table is divided by the widths", "per_bin_width = true", default="false"),
        Key("variable", Kind.TEXT, "variable of the bins, for figures", 'variable = "rho"'),
        Key("rate_errors", Kind.NAMED_NUMBERS, "name -> relative uncertainty of the rate, without effect on shapes",
            "rate_errors = { electroweak = 0.02 }"),
        Key("origin", Kind.TEXT, "what the numbers are, shown in every output", 'origin = "NLO at 172.5 GeV"'),
    ),
)  # fmt: skip
EXTRACTIONS: Final = Table(
    "One way to extract a mass.",
    (
        Key("name", Kind.TEXT, "name of the extraction, shown in every output", 'name = "normalised"', required=True),
        Key("title", Kind.TEXT, "title for reports, one line", 'title = "both shapes, one mass"'),
        Key("extends", Kind.TEXT, "earlier extraction, whose keys apply where this one states none", 'extends = "normalised"'),
        Key("distributions", Kind.NAMED_TEXTS, "prediction -> absolute, normalised (shape) or rate (sum of the bins)",
            'distributions = { "13 TeV" = "normalised" }'),
        Key("masses", Kind.NAMED_TEXTS, "prediction -> name of its mass; two names give two masses and their difference",
            'masses = { "8 TeV" = "m_t (ATLAS)", "13 TeV" = "m_t (CMS)" }', default="m_t"),
        Key("pdf", Kind.TABLE, "PDF set and its uncertainty", 'pdf = { set = "CT18NLO" }'),
        Key("scales", Kind.TABLE, "scales and their uncertainty", 'scales = { choice = "ht2" }'),
        Key("numerical_errors", Kind.FLAG, "the numerical errors of the prediction are nuisances", "numerical_errors = false", default="true"),
        Key("rate_errors", Kind.FLAG, "the rate errors of the prediction are nuisances", "rate_errors = false", default="true"),
        Key("degree", Kind.WHOLE, "degree of the polynomial in the mass", "degree = 3", default="4"),
        Key("drop", Kind.TEXTS, "observables that are left out of the comparison", 'drop = ["bin2"]'),
    ),
)  # fmt: skip
PDF: Final = Table(
    "A PDF set; its members are the same nuisances at every energy.",
    (
        Key("set", Kind.TEXT, "name of the set in the tables", 'set = "PDF4LHC21_40_pdfas"', required=True),
        Key("errors", Kind.TEXT, "kind of its members", 'errors = "symmetric_hessian"', default="none", choices=PDF_ERRORS),
        Key("alpha_s", Kind.NUMBERS, "members with the lower and the higher alpha_s", "alpha_s = [41, 42]"),
        Key("shifts_at", Kind.TEXT, "scale choice whose relative shifts of the members are used", 'shifts_at = "mt"'),
        Key("confidence_level", Kind.NUMBER, "confidence level of the members", "confidence_level = 0.90", default="0.68"),
    ),
)
SCALES: Final = Table(
    "Renormalisation and factorisation scales.",
    (
        Key("choice", Kind.TEXT, "definition of the scale in the tables", 'choice = "ht2"', required=True),
        Key("treatment", Kind.TEXT, "fixed, or log2 of the factors sampled: common to all energies, independent, or with a sampled correlation",
            'treatment = "common"', default="fixed", choices=SCALE_TREATMENTS),
        Key("prior", Kind.TEXT, "prior of log2 of a factor", 'prior = "normal"', default="uniform", choices=SCALE_PRIORS),
        Key("mu_r", Kind.NUMBER, "factor on the renormalisation scale", "mu_r = 0.5", default="1"),
        Key("mu_f", Kind.NUMBER, "factor on the factorisation scale", "mu_f = 2.0", default="1"),
        Key("width", Kind.NUMBER, "width of the prior", "width = 0.5", default="1"),
        Key("low", Kind.NUMBER, "lower end of the correlation between energies", "low = 0.0", default="0"),
        Key("nominal", Kind.NUMBER, "nominal correlation between energies", "nominal = 0.3", default="0.5"),
        Key("high", Kind.NUMBER, "upper end of the correlation between energies", "high = 0.9", default="1"),
    ),
)  # fmt: skip

PREDICTION_TABLES: Final = {
    "predictions": PREDICTIONS,
    "extractions": EXTRACTIONS,
    "extractions.pdf": PDF,
    "extractions.scales": SCALES,
}
