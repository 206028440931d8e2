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

NAME: Final = "of what an output calls it; any printable text"

MODEL: Final = Table(
    "The file: settings first, as all that follows a [table] belongs to it.",
    (
        Key("format", Kind.WHOLE, "version of the format, 1", "format = 1", required=True),
        Key("name", Kind.TEXT, "short name of the model", 'name = "run1_mass"', required=True),
        Key("title", Kind.TEXT, "one line for people", 'title = "Run 1 combination of the top-quark mass"'),
        Key("assumptions", Kind.TEXT, "assumption set in force", 'assumptions = "nominal"', default="the first one"),
        Key("treatment", Kind.TEXT,
            "covariance: the covariances of the sources are summed as given, and only the total must be "
            "positive definite; nuisance: each source has a nuisance per estimate, and its matrix must be a correlation matrix",
            'treatment = "covariance"', default="nuisance", choices=TREATMENTS),
        Key("repair", Kind.TEXT, "what is done about a fixed source matrix that is no correlation matrix, under treatment "
            "nuisance; none is an error", 'repair = "nearest"', default="none", choices=REPAIRS),
        Key("chi2", Kind.TEXT, "neyman: statistical covariance as given; pearson: it grows with the prediction",
            'chi2 = "pearson"', default="neyman", choices=CHI2_FORMS),
        Key("nuisance_values", Kind.TEXT, "whether post-fit nuisance values of fitted inputs count, or 0 is put in their place",
            'nuisance_values = "ignored"', default="used", choices=NUISANCE_VALUES),
        Key("extraction", Kind.TEXT, "extraction in force; without it nothing is extracted", 'extraction = "normalised"'),
        Key("normalise", Kind.FLAG, "results are the observables divided by their sum", "normalise = true", default="false"),
        Key("nonnegative", (Kind.FLAG, Kind.TEXTS), "observables that cannot be negative: all, or those that are named",
            'nonnegative = ["sigma_t"]', default="false"),
        Key("shared_names", Kind.TEXT, "what a nuisance name in two measurements is: an error, or one and the same nuisance",
            'shared_names = "same"', default="error", choices=SHARED_NAMES),
        Key("relations", Kind.TEXT, "which nuisances of measurements are the same or correlated, CSV file beside the model",
            'relations = "relations.csv"'),
        Key("blind", Kind.TEXT, "a phrase that hides the central values: inputs and results are shifted by what follows from it",
            'blind = "correct horse battery"'),
        Key("parameters", Kind.TABLES, "what observables with a formula are functions of",
            'parameters = [{ name = "tau_s", unit = "ps" }]'),
        Key("observables", Kind.TABLES, "the combined quantities; needed unless there are parameters",
            'observables = [{ name = "m_t", unit = "GeV" }]'),
        Key("curves", Kind.TABLES, "functions through tabulated points, which formulas call by their names",
            'curves = [{ name = "sigma_th", table = "sigma.csv", x = "m_t", y = "sigma" }]'),
        Key("derived", Kind.TABLES, "quantities that follow, reported with their errors",
            'derived = [{ name = "R", formula = "sigma_t / sigma_tbar" }]'),
        Key("sources", Kind.TABLES, "sources of systematic uncertainty", 'sources = [{ name = "JES", title = "Jet energy scale" }]'),
        Key("budget", Kind.TABLE, "who measured what, as a CSV table", '[budget]\ntable = "budget.csv"'),
        Key("within", (Kind.TABLE, Kind.TEXT),
            'correlations inside an experiment, as numbers or a CSV table; "uncorrelated" on purpose', "[within]\nlumi = 1.0"),
        Key("hflav", Kind.TABLE, "files of HFLAV's combination-code", '[hflav]\nresults = ["CDF.json"]', foreign=True),
        Key("averagetools", Kind.TABLE, "a text table of S. Kluth's averagetools", '[averagetools]\ntable = "input.txt"',
            foreign=True),
        Key("measurements", Kind.TABLES, "inputs that a budget cannot hold: fits, covariances, Convino files, HEPData tables",
            '[[measurements]]\nname = "CMS 13 TeV"\nexperiment = "CMS"\nconvino = "cms_13tev.txt"'),
        Key("impact_groups", Kind.TABLES, "nuisances whose impact is stated together",
            '[[impact_groups]]\nname = "jets"\nnuisances = ["JES[a]", "JER[a]"]'),
        Key("blocks", Kind.TABLE, "fixed correlation matrices that all assumption sets share",
            'blocks = { table = "blocks.csv", names = ["JES"] }'),
        Key("assumption_sets", Kind.TABLES, "what is correlated between experiments, under a name",
            '[[assumption_sets]]\nname = "nominal"', required=True),
        Key("provenance", Kind.TABLES, "where the figures come from; outputs say it",
            '[[provenance]]\ntable = "budget"\nkind = "published"\norigin = "PRL 132 (2024) 261902"'),
        Key("predictions", Kind.TABLES, "theory predictions of the observables against a mass",
            '[[predictions]]\nname = "13 TeV"\ntable = "prediction.csv"\nobservables = ["bin1", "bin2"]\norder = "NLO"'),
        Key("extractions", Kind.TABLES, "how a mass is extracted from predictions",
            '[[extractions]]\nname = "normalised"\ndistributions = { "13 TeV" = "normalised" }\npdf = { set = "CT18NLO" }\n'
            'scales = { choice = "ht2" }'),
        Key("errors_on_errors", Kind.NAMED, "source -> how well its size is known, as a number or a table",
            "errors_on_errors = { JES = 0.3 }"),
    ),
)  # fmt: skip
OBSERVABLES: Final = Table(
    "A combined quantity.",
    (
        Key("name", Kind.TEXT, f"name {NAME}", 'name = "sigma_tt"', required=True),
        Key("unit", Kind.TEXT, "unit of values and errors, in every output", 'unit = "pb"'),
        Key("title", Kind.TEXT, "text for tables and figures", 'title = "ttbar cross section"'),
        Key("spectator", Kind.FLAG, "an estimate of this name that measures nothing else, kept for its correlations",
            "spectator = true", default="false"),
        Key("formula", Kind.TEXT, "function of parameters and other observables, which is then not fitted itself",
            'formula = "1 / tau_s"'),
    ),
)  # fmt: skip
SOURCES: Final = Table(
    "A source of systematic uncertainty.",
    (
        Key("name", Kind.TEXT, "column of the budget, and the source of coefficients", 'name = "JES"', required=True),
        Key("title", Kind.TEXT, "text for tables and figures", 'title = "Jet energy scale"'),
        Key("group", Kind.TEXT, "heading under which tables list it", 'group = "jets"'),
    ),
)
BUDGET: Final = Table(
    "Who measured what: columns estimate, experiment, observable, value, stat, one per source; perhaps title, measurement.",
    (
        Key("table", Kind.TEXT, "CSV file beside the model", 'table = "budget.csv"', required=True),
        Key("sources", Kind.TEXTS, "sources that have a column", 'sources = ["JES", "lumi"]', default="all"),
        Key("columns", Kind.NAMED_TEXTS, "our name of a column or source -> its name in the table",
            'columns = { value = "Result", stat = "Stat" }'),
        Key("rows", Kind.TEXT, "what a row is: an estimate, or a source (and a column an estimate)", 'rows = "sources"',
            default="estimates", choices=("estimates", "sources")),
        Key("experiments", Kind.NAMED_TEXTS, "patterns of estimates -> experiment, where no column says it",
            'experiments = { "CI*" = "CDF", "DI*" = "D0" }'),
        Key("observables", Kind.NAMED_TEXTS, "patterns of estimates -> observable, where no column says it",
            'observables = { "*F0" = "F_0", "*FL" = "F_L" }'),
        Key("ignore", Kind.TEXTS, "patterns of rows and columns that are no part of the budget", 'ignore = ["rho_*", "Total"]'),
        Key("percent", Kind.TEXTS, "sources whose numbers are percentages of the value", 'percent = ["lumi"]'),
        Key("responses", Kind.NAMED_TEXTS, "source -> form of its response: absolute, relative or lognormal",
            'responses = { lumi = "relative" }'),
        Key("statistical_correlation", Kind.TEXT, "CSV matrix of the estimates whose statistics are correlated",
            'statistical_correlation = "stat.csv"'),
    ),
)  # fmt: skip
WITHIN: Final = Table(
    "Correlations inside an experiment: a number per source, or a table with the columns source, estimate, one per estimate.",
    (
        Key("table", Kind.TEXT, "CSV file beside the model; between experiments its cells stay empty", 'table = "within.csv"'),
        Key("symmetrise", Kind.TABLES, "pairs that are published with two values, which are averaged on purpose",
            'symmetrise = [{ source = "ptmiss", pair = ["a", "b"] }]'),
    ),
    others="sources or patterns of them -> the correlation, or one per experiment: lumi = 1.0, JES = { ATLAS = 0.8 }",
)  # fmt: skip
HFLAV: Final = Table(
    "Result sets of HFLAV's combination-code, as they are.",
    (
        Key("results", Kind.TEXTS, "JSON files of result sets beside the model", 'results = ["CDF.json", "LHCb.json"]', required=True),
        Key("intercorrelations", Kind.TEXTS, "JSON files of intercorrelation maps", 'intercorrelations = ["maps.json"]'),
        Key("parameters", Kind.TEXTS, "parameters that are kept; each is the observable of its name", 'parameters = ["dms"]',
            default="all"),
        Key("result_sets", Kind.TEXTS, "labels that are kept", 'result_sets = ["CDF2"]', default="all"),
        Key("asymmetric", Kind.FLAG, "use the two-sided errors of sets of one parameter", "asymmetric = true", default="false"),
        Key("experiments", Kind.NAMED_TEXTS, "patterns of labels -> experiment; a set is its own otherwise",
            'experiments = { "LHCb*" = "LHCb" }'),
    ),
)  # fmt: skip
AVERAGETOOLS: Final = Table(
    "A text table of S. Kluth's averagetools, as it is.",
    (
        Key("table", Kind.TEXT, "file with the sections [Data], [Covariances] and [Globals]", 'table = "input.txt"', required=True),
        Key("observables", Kind.NAMED_TEXTS, "its groups -> observables; they have the names of the groups otherwise",
            'observables = { a = "m_t" }'),
        Key("experiments", Kind.NAMED_TEXTS, "its values -> experiments; each is its own otherwise",
            'experiments = { Val1 = "ATLAS" }'),
    ),
)  # fmt: skip
SYMMETRISE: Final = Table(
    "A pair that is published with two values.",
    (
        Key("source", Kind.TEXT, "its source", 'source = "ptmiss"', required=True),
        Key("pair", Kind.TEXTS, "two estimates", 'pair = ["a", "b"]', required=True),
    ),
)
IMPACT_GROUPS: Final = Table(
    "Nuisances whose impact is stated together; groups may overlap.",
    (
        Key("name", Kind.TEXT, f"name {NAME}", 'name = "jets"', required=True),
        Key("nuisances", Kind.TEXTS, 'its nuisances, or "stat" alone for the statistical part', 'nuisances = ["JES[a]", "JER[a]"]',
            required=True),
    ),
)  # fmt: skip
PROVENANCE: Final = Table(
    "Where figures come from.",
    (
        Key("table", Kind.TEXT, "which figures", 'table = "budget"', required=True),
        Key("kind", Kind.TEXT, "what they are", 'kind = "published"', required=True, choices=PROVENANCE_KINDS),
        Key("origin", Kind.TEXT, "publication, or how they were made", 'origin = "PRL 132 (2024) 261902"', required=True),
        Key("note", Kind.TEXT, "what a reader has to know besides", 'note = "one pair is averaged"'),
    ),
)
ERRORS_ON_ERRORS: Final = Table(
    "How well the size of a source is known, in place of a number.",
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
    "A named list of what is correlated; what no set and no table states is uncorrelated.",
    (
        Key("name", Kind.TEXT, "every output names it", 'name = "nominal"', required=True),
        Key("description", Kind.TEXT, "text for the report and the explorer", 'description = "as published"'),
        Key("extends", Kind.TEXT, "an earlier set, whose coefficients and blocks are replaced by name and added to",
            'extends = "nominal"'),
        Key("everywhere", Kind.NAMED, "source or pattern -> correlation of all its estimates, a number or with a range",
            "everywhere = { lumi = 1.0, JES = { nominal = 0.5, low = 0.0, high = 1.0 } }"),
        Key("across", Kind.NAMED, "the same of estimates of different experiments; [within] speaks of the others",
            "across = { JES = 0.5 }"),
        Key("coefficients", Kind.TABLES, "correlation coefficients",
            '[[assumption_sets.coefficients]]\nname = "JES"\nsource = "JES"\nbetween = ["ATLAS", "CMS"]\nnominal = 0.5\nlow = 0.0\n'
            "high = 1.0"),
        Key("blocks", Kind.TABLE, "fixed correlation matrices of this set", 'blocks = { table = "blocks.csv", names = ["JES"] }'),
    ),
)  # fmt: skip
COEFFICIENTS: Final = Table(
    "A correlation coefficient of one pair of nuisances, or of all pairs of a category: say which by between, blocks or pairs.",
    (
        Key("name", Kind.TEXT, "unique in its set", 'name = "LHCbJES"', required=True),
        Key("title", Kind.TEXT, "text for tables and figures", 'title = "LHC b-JES"'),
        Key("source", Kind.TEXT, "whose nuisances between and blocks speak of", 'source = "LHCbJES"'),
        Key("between", (Kind.TEXTS, Kind.TEXT), "experiments or estimates of which any two are correlated; experiments for all of "
            "them, all for every pair of estimates", 'between = ["ATLAS", "CMS"]'),
        Key("blocks", Kind.TABLES, "the same for chosen estimates: every left one with every right one",
            'blocks = [{ left = ["a", "b"], right = ["g"] }]'),
        Key("negative", Kind.TEXTS, "estimates whose sign is opposite; two of them are correlated positively",
            'negative = ["g"]'),
        Key("pairs", Kind.PAIRS, "pairs of nuisances by name or pattern, with -1 behind where the sign is opposite",
            'pairs = [["ATLAS_JES", "CMS_JES"], ["ATLAS_PU", "CMS_PU", -1]]'),
        Key("opposite_pairs", Kind.PAIRS, "pairs of opposite sign", 'opposite_pairs = [["ATLAS_PU", "CMS_PU"]]'),
        Key("each", Kind.FLAG, "each pair has a coefficient of its own, NAME[first, second]", "each = true", default="false"),
        Key("nominal", Kind.NUMBER, "value that the profile uses, within [-1, 1]", "nominal = 0.85", required=True),
        Key("low", Kind.NUMBER, "lower end of the scan and of the prior; a known coefficient has neither low nor high",
            "low = 0.5"),
        Key("high", Kind.NUMBER, "upper end of both", "high = 1.0"),
        Key("prior", Kind.TEXT, "uniform over the range; triangular or beta with the nominal value as mode; truncated_normal "
            "around it, a quarter of the range wide; fixed: scanned but not sampled", 'prior = "triangular"', default="uniform",
            choices=PRIOR_SHAPES),
        Key("nominal_outside_range", Kind.FLAG, "the profile is meant to use another value than the prior allows",
            "nominal_outside_range = true", default="false"),
        Key("scan_group", Kind.TEXT, "coefficients of one group are scanned together", 'scan_group = "background"'),
        Key("descending", Kind.FLAG, "the scan goes from high to low", "descending = true", default="false"),
        Key("published_half_shift", Kind.TEXT, "what a publication quotes for half of the shift over the scan, beside ours",
            'published_half_shift = "26 MeV"'),
        Key("published_half_error_shift", Kind.TEXT, "the same for the error", 'published_half_error_shift = "<1 MeV"'),
    ),
)  # fmt: skip
SHORT: Final = Table(
    "Correlation of a source in place of a number.",
    tuple(COEFFICIENTS.key(name) for name in ("nominal", "low", "high", "prior", "nominal_outside_range", "negative")),
)
COEFFICIENT_BLOCKS: Final = Table(
    "Every left estimate (or nuisance) with every right one.",
    (
        Key("left", Kind.TEXTS, "estimates that have the source", 'left = ["a", "b"]', required=True),
        Key("right", Kind.TEXTS, "estimates that have the source", 'right = ["g"]', required=True),
    ),
)
BLOCKS: Final = Table(
    "Fixed matrices: columns block, nuisance, 1, 2, ...; column i belongs to the i-th row of its block.",
    (
        Key("table", Kind.TEXT, "CSV file beside the model", 'table = "blocks.csv"', required=True),
        Key("names", Kind.TEXTS, "blocks of it; every block must be used somewhere", 'names = ["JES"]', required=True),
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
