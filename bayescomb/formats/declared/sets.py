"""Keys of assumption sets, their coefficients and blocks."""

from __future__ import annotations

from typing import Final

from bayescomb.formats.declared.key import Key, Kind, Table
from bayescomb.inputs.assumptions.prior_shapes import PRIOR_SHAPES

__all__ = ["SET_TABLES"]

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
