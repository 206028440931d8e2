"""Keys of predictions and extractions."""

from __future__ import annotations

from typing import Final

from bayescomb.base.choices import PDF_ERRORS, SCALE_PRIORS, SCALE_TREATMENTS
from bayescomb.formats.declared.key import Key, Kind, Table

__all__ = ["PREDICTION_TABLES"]

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
