"""Keys of parameters, their priors, derived quantities and curves."""

from __future__ import annotations

from typing import Final

from bayescomb.base.choices import BEYOND_ENDS, CURVE_KINDS
from bayescomb.formats.declared.key import Key, Kind, Table
from bayescomb.inputs.parameters import PARAMETER_SHAPES

__all__ = ["QUANTITY_TABLES"]

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
