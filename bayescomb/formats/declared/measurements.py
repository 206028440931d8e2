"""Keys of measurements that stand outside a budget, and of the tables of HEPData that they name."""

from __future__ import annotations

from typing import Final

from bayescomb.base.choices import RESPONSE_FORMS
from bayescomb.formats.declared.key import Key, Kind, Table

__all__ = ["MEASUREMENT_TABLES"]

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
