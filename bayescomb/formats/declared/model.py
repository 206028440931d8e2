"""Keys of the model as a whole and of its assumption sets."""

from __future__ import annotations

from typing import Final

from bayescomb.base.choices import (
    CHI2_FORMS,
    NUISANCE_VALUES,
    PROVENANCE_KINDS,
    REPAIRS,
    SHARED_NAMES,
    SIZE_KINDS,
    TREATMENTS,
)
from bayescomb.formats.declared.key import Key, Kind, Table
from bayescomb.inputs.assumptions.prior_shapes import PRIOR_SHAPES

__all__ = ["MODEL_TABLES", "SET_TABLES"]

NAME: Final = "name in every output, any printable text"

MODEL: Final = Table(
    "The whole file: settings first, because every line below a [table] belongs to that table.",
    (
        Key("format", Kind.WHOLE, "version of the format, 1", "format = 1", required=True),
        Key("name", Kind.TEXT, "short name of the model", 'name = "run1_mass"', required=True),
        Key("title", Kind.TEXT, "title for reports and figures, one line", 'title = "Run 1 combination of the top-quark mass"'),
        Key("assumptions", Kind.TEXT, "assumption set that is used", 'assumptions = "nominal"', default="the first one"),
        Key("treatment", Kind.TEXT,
            "covariance: the covariances of the sources are summed as given, and only the total must be "
            "positive definite; nuisance: each source has a nuisance per estimate, and its matrix must be a correlation matrix",
            'treatment = "covariance"', default="nuisance", choices=TREATMENTS),
        Key("repair", Kind.TEXT, "repair of a fixed source matrix that is not a correlation matrix, under treatment "
            "nuisance; with none such a matrix is an error", 'repair = "nearest"', default="none", choices=REPAIRS),
        Key("chi2", Kind.TEXT, "neyman: statistical covariance as given; pearson: it grows with the prediction",
            'chi2 = "pearson"', default="neyman", choices=CHI2_FORMS),
        Key("nuisance_values", Kind.TEXT, "used: post-fit nuisance values of fitted inputs as given; ignored: 0 in their place",
            'nuisance_values = "ignored"', default="used", choices=NUISANCE_VALUES),
        Key("extraction", Kind.TEXT, "extraction that is used; without it nothing is extracted", 'extraction = "normalised"'),
        Key("normalise", Kind.FLAG, "results are the observables divided by their sum", "normalise = true", default="false"),
        Key("nonnegative", (Kind.FLAG, Kind.TEXTS), "observables that cannot be negative: true for all, or a list of names",
            'nonnegative = ["sigma_t"]', default="false"),
        Key("shared_names", Kind.TEXT, "nuisances of two measurements with the same name: an error, or the same nuisance",
            'shared_names = "same"', default="error", choices=SHARED_NAMES),
        Key("relations", Kind.TEXT, "CSV file beside the model: which nuisances of measurements are the same or correlated",
            'relations = "relations.csv"'),
        Key("blind", Kind.TEXT, "phrase that hides the central values: inputs and results are shifted by amounts computed from it",
            'blind = "correct horse battery"'),
        Key("parameters", Kind.TABLES, "quantities on which the formulas of observables depend",
            'parameters = [{ name = "tau_s", unit = "ps" }]'),
        Key("observables", Kind.TABLES, "combined quantities; required unless there are parameters",
            'observables = [{ name = "m_t", unit = "GeV" }]'),
        Key("curves", Kind.TABLES, "functions through tabulated points, called by name in formulas",
            'curves = [{ name = "sigma_th", table = "sigma.csv", x = "m_t", y = "sigma" }]'),
        Key("derived", Kind.TABLES, "functions of parameters and observables, reported with their errors",
            'derived = [{ name = "R", formula = "sigma_t / sigma_tbar" }]'),
        Key("sources", Kind.TABLES, "sources of systematic uncertainty", 'sources = [{ name = "JES", title = "Jet energy scale" }]'),
        Key("budget", Kind.TABLE, "estimates with the sizes of their uncertainties, as a CSV table", '[budget]\ntable = "budget.csv"'),
        Key("within", (Kind.TABLE, Kind.TEXT),
            'correlations inside an experiment, as numbers or a CSV table; or "uncorrelated" for all of them', "[within]\nlumi = 1.0"),
        Key("hflav", Kind.TABLE, "files of HFLAV's combination-code", '[hflav]\nresults = ["CDF.json"]', foreign=True),
        Key("averagetools", Kind.TABLE, "a text table of S. Kluth's averagetools", '[averagetools]\ntable = "input.txt"',
            foreign=True),
        Key("measurements", Kind.TABLES, "inputs that a budget cannot hold: fits, covariances, Convino files, HEPData tables",
            '[[measurements]]\nname = "CMS 13 TeV"\nexperiment = "CMS"\nconvino = "cms_13tev.txt"'),
        Key("impact_groups", Kind.TABLES, "nuisances whose common impact is reported",
            '[[impact_groups]]\nname = "jets"\nnuisances = ["JES[a]", "JER[a]"]'),
        Key("blocks", Kind.TABLE, "fixed correlation matrices that all assumption sets share",
            'blocks = { table = "blocks.csv", names = ["JES"] }'),
        Key("assumption_sets", Kind.TABLES, "named lists of correlations, most often between experiments",
            '[[assumption_sets]]\nname = "nominal"', required=True),
        Key("provenance", Kind.TABLES, "where the input numbers come from, shown in every output",
            '[[provenance]]\ntable = "budget"\nkind = "published"\norigin = "PRL 132 (2024) 261902"'),
        Key("predictions", Kind.TABLES, "theory predictions of the observables against a mass",
            '[[predictions]]\nname = "13 TeV"\ntable = "prediction.csv"\nobservables = ["bin1", "bin2"]\norder = "NLO"'),
        Key("extractions", Kind.TABLES, "how a mass is extracted from predictions",
            '[[extractions]]\nname = "normalised"\ndistributions = { "13 TeV" = "normalised" }\npdf = { set = "CT18NLO" }\n'
            'scales = { choice = "ht2" }'),
        Key("errors_on_errors", Kind.NAMED, "source -> relative uncertainty of its size, as a number or a table",
            "errors_on_errors = { JES = 0.3 }"),
    ),
)  # fmt: skip
OBSERVABLES: Final = Table(
    "A combined quantity.",
    (
        Key("name", Kind.TEXT, NAME, 'name = "sigma_tt"', required=True),
        Key("unit", Kind.TEXT, "unit of values and errors, in every output", 'unit = "pb"'),
        Key("title", Kind.TEXT, "text for tables and figures", 'title = "ttbar cross section"'),
        Key("spectator", Kind.FLAG, "no result: it has one estimate, of the same name, which is kept for its correlations",
            "spectator = true", default="false"),
        Key("formula", Kind.TEXT, "function of parameters and other observables, in place of a fitted value",
            'formula = "1 / tau_s"'),
    ),
)  # fmt: skip
SOURCES: Final = Table(
    "A source of systematic uncertainty.",
    (
        Key(
            "name", Kind.TEXT, "name of its column in the budget, to which coefficients refer", 'name = "JES"', required=True
        ),
        Key("title", Kind.TEXT, "text for tables and figures", 'title = "Jet energy scale"'),
        Key("group", Kind.TEXT, "heading under which tables list it", 'group = "jets"'),
    ),
)
BUDGET: Final = Table(
    "The estimates as rows of a CSV table: columns estimate, experiment, observable, value, stat, one per source; "
    "title and measurement are optional.",
    (
        Key("table", Kind.TEXT, "CSV file beside the model", 'table = "budget.csv"', required=True),
        Key("sources", Kind.TEXTS, "sources that have a column", 'sources = ["JES", "lumi"]', default="all"),
        Key("columns", Kind.NAMED_TEXTS, "column or source -> its name in the table, where that differs",
            'columns = { value = "Result", stat = "Stat" }'),
        Key("rows", Kind.TEXT, "what each row is: an estimate, or a source (then each column is an estimate)", 'rows = "sources"',
            default="estimates", choices=("estimates", "sources")),
        Key("experiments", Kind.NAMED_TEXTS, "patterns of estimates -> experiment, if the table has no column experiment",
            'experiments = { "CI*" = "CDF", "DI*" = "D0" }'),
        Key("observables", Kind.NAMED_TEXTS, "patterns of estimates -> observable, if the table has no column observable",
            'observables = { "*F0" = "F_0", "*FL" = "F_L" }'),
        Key("ignore", Kind.TEXTS, "patterns of rows and columns that do not belong to the budget", 'ignore = ["rho_*", "Total"]'),
        Key("percent", Kind.TEXTS, "sources whose numbers are percentages of the value", 'percent = ["lumi"]'),
        Key("responses", Kind.NAMED_TEXTS, "source -> form of its response: absolute, relative or lognormal",
            'responses = { lumi = "relative" }'),
        Key("statistical_correlation", Kind.TEXT, "CSV file with the correlation matrix of the estimates whose statistics are correlated",
            'statistical_correlation = "stat.csv"'),
    ),
)  # fmt: skip
WITHIN: Final = Table(
    "Correlations inside an experiment: a number per source, or a CSV table with columns source, estimate, one per estimate.",
    (
        Key("table", Kind.TEXT, "CSV file beside the model; cells between experiments stay empty", 'table = "within.csv"'),
        Key("symmetrise", Kind.TABLES, "pairs published with two different values, whose mean is used",
            'symmetrise = [{ source = "ptmiss", pair = ["a", "b"] }]'),
    ),
    others="source or pattern -> correlation, or one per experiment: lumi = 1.0, JES = { ATLAS = 0.8 }",
)  # fmt: skip
HFLAV: Final = Table(
    "Result sets of HFLAV's combination-code, read unchanged.",
    (
        Key("results", Kind.TEXTS, "JSON files of result sets beside the model", 'results = ["CDF.json", "LHCb.json"]', required=True),
        Key("intercorrelations", Kind.TEXTS, "JSON files of intercorrelation maps", 'intercorrelations = ["maps.json"]'),
        Key("parameters", Kind.TEXTS, "parameters that are read, each as the observable of its name", 'parameters = ["dms"]',
            default="all"),
        Key("result_sets", Kind.TEXTS, "labels of the result sets that are read", 'result_sets = ["CDF2"]', default="all"),
        Key("asymmetric", Kind.FLAG, "use the two-sided errors of result sets with one parameter", "asymmetric = true", default="false"),
        Key("experiments", Kind.NAMED_TEXTS, "patterns of labels -> experiment; any other result set is an experiment of its own",
            'experiments = { "LHCb*" = "LHCb" }'),
    ),
)  # fmt: skip
AVERAGETOOLS: Final = Table(
    "A text table of S. Kluth's averagetools, read unchanged.",
    (
        Key("table", Kind.TEXT, "file with the sections [Data], [Covariances] and [Globals]", 'table = "input.txt"', required=True),
        Key("observables", Kind.NAMED_TEXTS, "group -> observable; any other group is the observable of its name",
            'observables = { a = "m_t" }'),
        Key("experiments", Kind.NAMED_TEXTS, "value -> experiment; any other value is an experiment of its own",
            'experiments = { Val1 = "ATLAS" }'),
    ),
)  # fmt: skip
SYMMETRISE: Final = Table(
    "A pair published with two different values, whose mean is used.",
    (
        Key("source", Kind.TEXT, "source of the correlation", 'source = "ptmiss"', required=True),
        Key("pair", Kind.TEXTS, "the two estimates", 'pair = ["a", "b"]', required=True),
    ),
)
IMPACT_GROUPS: Final = Table(
    "Nuisances whose common impact is reported; groups may overlap.",
    (
        Key("name", Kind.TEXT, NAME, 'name = "jets"', required=True),
        Key("nuisances", Kind.TEXTS, 'its nuisances, or "stat" alone for the statistical part', 'nuisances = ["JES[a]", "JER[a]"]',
            required=True),
    ),
)  # fmt: skip
PROVENANCE: Final = Table(
    "Where input numbers come from.",
    (
        Key("table", Kind.TEXT, "numbers in question: a table, or a part of it", 'table = "budget"', required=True),
        Key("kind", Kind.TEXT, "how they were obtained", 'kind = "published"', required=True, choices=PROVENANCE_KINDS),
        Key(
            "origin",
            Kind.TEXT,
            "publication, or how the numbers were made",
            'origin = "PRL 132 (2024) 261902"',
            required=True,
        ),
        Key("note", Kind.TEXT, "further remark for the reader", 'note = "one pair is averaged"'),
    ),
)
ERRORS_ON_ERRORS: Final = Table(
    "Relative uncertainty of the size of a source, with its kind.",
    (
        Key("relative", Kind.NUMBER, "relative uncertainty of the quoted size, above 0 and up to 1", "relative = 0.5", required=True),
        Key("kind", Kind.TEXT, "common: one factor for all measurements; independent: one for each", 'kind = "independent"',
            default="common", choices=SIZE_KINDS),
    ),
)  # fmt: skip

MODEL_TABLES: Final = {
    "": MODEL,
    "observables": OBSERVABLES,
    "sources": SOURCES,
    "budget": BUDGET,
    "within": WITHIN,
    "within.symmetrise": SYMMETRISE,
    "hflav": HFLAV,
    "averagetools": AVERAGETOOLS,
    "impact_groups": IMPACT_GROUPS,
    "provenance": PROVENANCE,
    "errors_on_errors": ERRORS_ON_ERRORS,
}


ASSUMPTION_SETS: Final = Table(
    "A named list of correlations; nuisances are uncorrelated if neither the set nor a table correlates them.",
    (
        Key("name", Kind.TEXT, "name of the set, shown in every output", 'name = "nominal"', required=True),
        Key("description", Kind.TEXT, "text for the report and the explorer", 'description = "as published"'),
        Key("extends", Kind.TEXT, "earlier set to start from: coefficients and blocks of the same name are replaced, others added",
            'extends = "nominal"'),
        Key("everywhere", Kind.NAMED, "source or pattern -> correlation between all its estimates: a number, or a table with a range",
            "everywhere = { lumi = 1.0, JES = { nominal = 0.5, low = 0.0, high = 1.0 } }"),
        Key("across", Kind.NAMED, "the same between estimates of different experiments; [within] states the others",
            "across = { JES = 0.5 }"),
        Key("coefficients", Kind.TABLES, "correlation coefficients",
            '[[assumption_sets.coefficients]]\nname = "JES"\nsource = "JES"\nbetween = ["ATLAS", "CMS"]\nnominal = 0.5\nlow = 0.0\n'
            "high = 1.0"),
        Key("blocks", Kind.TABLE, "fixed correlation matrices of this set", 'blocks = { table = "blocks.csv", names = ["JES"] }'),
    ),
)  # fmt: skip
COEFFICIENTS: Final = Table(
    "A correlation coefficient of one pair of nuisances or of several: the pairs are given by between, blocks or pairs.",
    (
        Key("name", Kind.TEXT, "name, unique in the set", 'name = "LHCbJES"', required=True),
        Key("title", Kind.TEXT, "text for tables and figures", 'title = "LHC b-JES"'),
        Key("source", Kind.TEXT, "source whose nuisances between and blocks correlate", 'source = "LHCbJES"'),
        Key("between", (Kind.TEXTS, Kind.TEXT), 'list of experiments or estimates, any two of which are correlated; or "experiments" for '
            'all of these, "all" for every pair of estimates', 'between = ["ATLAS", "CMS"]'),
        Key("blocks", Kind.TABLES, "lists of estimates: every left one is correlated with every right one",
            'blocks = [{ left = ["a", "b"], right = ["g"] }]'),
        Key("negative", Kind.TEXTS, "estimates with the opposite sign; any two of them have the sign of the coefficient",
            'negative = ["g"]'),
        Key("pairs", Kind.PAIRS, "pairs of nuisances by name or pattern; -1 as third entry for the opposite sign",
            'pairs = [["ATLAS_JES", "CMS_JES"], ["ATLAS_PU", "CMS_PU", -1]]'),
        Key("opposite_pairs", Kind.PAIRS, "pairs with the opposite sign", 'opposite_pairs = [["ATLAS_PU", "CMS_PU"]]'),
        Key("each", Kind.FLAG, "each pair has its own coefficient, NAME[first, second]", "each = true", default="false"),
        Key("nominal", Kind.NUMBER, "value that the profile uses, within [-1, 1]", "nominal = 0.85", required=True),
        Key("low", Kind.NUMBER, "lower end of the scan and of the prior; a known coefficient has neither low nor high",
            "low = 0.5"),
        Key("high", Kind.NUMBER, "upper end of the scan and of the prior", "high = 1.0"),
        Key("prior", Kind.TEXT, "uniform over the range; triangular or beta with the nominal value as mode; truncated_normal "
            "around it with a quarter of the range as sd; fixed: scanned but not sampled", 'prior = "triangular"', default="uniform",
            choices=PRIOR_SHAPES),
        Key("nominal_outside_range", Kind.FLAG, "the nominal value lies outside low to high on purpose",
            "nominal_outside_range = true", default="false"),
        Key("scan_group", Kind.TEXT, "coefficients of one group are scanned together", 'scan_group = "background"'),
        Key("descending", Kind.FLAG, "the scan runs from high to low", "descending = true", default="false"),
        Key("published_half_shift", Kind.TEXT, "published half shift of the result over the scan, shown beside the computed one",
            'published_half_shift = "26 MeV"'),
        Key("published_half_error_shift", Kind.TEXT, "published half shift of the error over the scan", 'published_half_error_shift = "<1 MeV"'),
    ),
)  # fmt: skip
SHORT: Final = Table(
    "Correlation of a source with a range, a prior or signs, where a number is not enough.",
    tuple(COEFFICIENTS.key(name) for name in ("nominal", "low", "high", "prior", "nominal_outside_range", "negative")),
)
COEFFICIENT_BLOCKS: Final = Table(
    "Lists of estimates (or nuisances): every left one is correlated with every right one.",
    (
        Key("left", Kind.TEXTS, "estimates that have the source", 'left = ["a", "b"]', required=True),
        Key("right", Kind.TEXTS, "estimates that have the source", 'right = ["g"]', required=True),
    ),
)
BLOCKS: Final = Table(
    "Fixed correlation matrices as CSV table: columns block, nuisance, 1, 2, ...; column i belongs to row i of its block.",
    (
        Key("table", Kind.TEXT, "CSV file beside the model", 'table = "blocks.csv"', required=True),
        Key(
            "names",
            Kind.TEXTS,
            "blocks that are used; every block of the table must be used somewhere",
            'names = ["JES"]',
            required=True,
        ),
    ),
)

SET_TABLES: Final = {
    "assumption_sets": ASSUMPTION_SETS,
    "assumption_sets.everywhere": SHORT,
    "assumption_sets.across": SHORT,
    "assumption_sets.coefficients": COEFFICIENTS,
    "assumption_sets.coefficients.blocks": COEFFICIENT_BLOCKS,
    "assumption_sets.blocks": BLOCKS,
    "blocks": BLOCKS,
}
