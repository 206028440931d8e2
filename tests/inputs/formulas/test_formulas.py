"""Formulas: what is read and what is refused, values, derivatives and units."""

import numpy as np
import pytest
from refusals import refused
from scipy.differentiate import derivative

import bayescomb as bc
from bayescomb.base.errors import FormulaError, UnknownNameError
from bayescomb.inputs.formulas import affine, evaluate, formula_text, jet, parse
from bayescomb.inputs.formulas.units import formula_unit, read_unit

NAMES = ("a", "b", "c 1", "lambda")
TEXTS = (
    "1 / a",
    "a - (b - 2) - `c 1`",
    "-a**2 + (-a)**2",
    "a**b**2 / (a / b) * `lambda`",
    "2**-a",
    "exp(-a) * log(b) + log10(a * b)",
    "sqrt(a**2 + b**2) - sin(a) * cos(b) + tan(a / 4)",
    "arcsin(a / 4) + arccos(b / 5) + arctan(a * b)",
    "sinh(a) - cosh(b) / tanh(a)",
    "(a + 1) ** 3 - b ** -2.5 + 1.5e-3",
    "+a - +b",
    "pi * a",
)
VALUES = {"a": 1.3, "b": 2.1, "c 1": -0.7, "lambda": 0.4}


@pytest.mark.parametrize("text", TEXTS)
def test_a_formula_has_the_value_of_python_and_exact_derivatives(text):
    tree = parse(text, names=NAMES, where="here")
    names = {name: getattr(np, name) for name in ("exp", "log", "log10", "sqrt", "sin", "cos", "tan", "arcsin", "arccos",
             "arctan", "sinh", "cosh", "tanh", "pi")}  # fmt: skip
    python = text.replace("`c 1`", "c1").replace("`lambda`", "lam")
    plain = {"a": VALUES["a"], "b": VALUES["b"], "c1": VALUES["c 1"], "lam": VALUES["lambda"]}
    expected = eval(python, {"__builtins__": {}}, names | plain)
    assert float(evaluate(tree, VALUES)) == pytest.approx(expected, rel=1e-14)
    # what is written of a tree is read as the same tree
    assert parse(formula_text(tree), names=NAMES, where="here") == tree
    index = {name: i for i, name in enumerate(NAMES)}
    point = np.array([VALUES[name] for name in NAMES])
    found = jet(tree, point, index)
    assert found.value == pytest.approx(expected, rel=1e-14)
    for i, name in enumerate(NAMES):

        def at(x, name=name):
            return evaluate(tree, VALUES | {name: x}) + 0.0 * x

        slope = derivative(at, VALUES[name], initial_step=0.05)
        assert found.gradient[i] == pytest.approx(slope.df, rel=1e-8, abs=1e-8)

        def gradient(x, i=i):
            return np.vectorize(lambda v: jet(tree, np.where(np.arange(len(point)) == i, v, point), index).gradient.sum())(x)

        curvature = derivative(gradient, VALUES[name], initial_step=0.05)
        assert found.curvature[i].sum() == pytest.approx(curvature.df, rel=1e-8, abs=1e-8)
    np.testing.assert_allclose(found.curvature, found.curvature.T, rtol=1e-14)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 - a - b", (1.0, {"a": -1.0, "b": -1.0})),
        ("2 * (a - 3) / 4", (-1.5, {"a": 0.5})),
        ("a - b + a", (0.0, {"a": 2.0, "b": -1.0})),
        ("a**1", (0.0, {"a": 1.0})),
        ("a * b", None),
        ("1 / a", None),
        ("exp(a)", None),
        ("a**2", None),
    ],
)
def test_what_is_linear_is_found(text, expected):
    found = affine(parse(text, names=NAMES, where="here"))
    assert (found and (found.constant, dict(found.coefficients))) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("__import__('os').system('true')", ["character 1", "Call"]),
        ("a.real", ["Attribute"]),
        ("a[0]", ["Subscript"]),
        ("[a for a in b]", ["ListComp"]),
        ("(lambda: 1)()", ["Call"]),
        ("a if b else a", ["IfExp"]),
        ("a < b", ["Compare"]),
        ("'a'", ["Constant"]),
        ("True", ["True found"]),
        ("1j * a", ["character 1", "Constant"]),
        ("a ^ 2", ["character 1", "a power is written **"]),
        ("abs(a)", ["'abs'", "a fit needs derivatives"]),
        ("ln(a)", ["'ln'", "write log"]),
        ("erf(a)", ["'erf'", "sqrt"]),
        ("exp(a, b)", ["exp with 2 arguments"]),
        ("exp(*a)", ["found"]),
        ("a +", ["not a formula", "backquotes"]),
        ("", ["not a formula"]),
        ("a b", ["not a formula"]),
        ("a = b", ["not a formula"]),
        ("a * (1 / 0)", ["character 6", "without a value"]),
        ("a * log(-1)", ["without a value"]),
        ("10**400 * a", ["without a value"]),
        ("1e400 * a", ["not finite"]),
        ("(-8)**0.5 * a", ["real value"]),
        ("9**9**9**9 * a", ["without a value"]),
        ("-" * 300 + "a", ["brackets within each other"]),
        ("a + " * 3000 + "a", ["characters found"]),
    ],
)
def test_what_is_no_arithmetic_is_refused_with_its_place(text, said):
    with refused(FormulaError, "here", *said):
        parse(text, names=NAMES, where="here")


def test_an_unknown_name_is_refused():
    with refused(UnknownNameError, "here", "quantity 'taus'", "tau_s"):
        parse("1 / taus", names=["tau_s"], where="here")


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("1 / t", "1/ps"),
        ("t**2 / m", "ps^2/GeV"),
        ("sqrt(t * t)", "ps"),
        ("t - 3", "ps"),
        ("exp(t / t)", "1"),
        ("m * c / t", None),  # c may have any unit
        ("6.58 / t", None),  # so may a decimal number
        ("t + t / 2 - c", "ps"),
    ],
)
def test_units_follow_the_formula(text, unit):
    units = {"t": read_unit("ps"), "m": read_unit("GeV"), "c": None}
    found = formula_unit(parse(text, names=units, where="here"), units, where="here")
    assert found == (None if unit is None else read_unit(unit))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("t + m", ["a quantity in ps and one in GeV are added"]),
        ("exp(t)", ["exp() of a quantity in ps"]),
        ("t ** m", ["a power of GeV"]),
        ("t ** (m / m)", ["its power is no number"]),
    ],
)
def test_units_that_do_not_fit_are_refused(text, said):
    units = {"t": read_unit("ps"), "m": read_unit("GeV")}
    with refused(FormulaError, "here", *said):
        formula_unit(parse(text, names=units, where="here"), units, where="here")


def combine(*, parameters=("tau",), observables=(), derived=(), estimates=(("x", "tau"),), **settings):
    measurements = tuple(
        bc.Measurement(
            name=name,
            estimates=(bc.Estimate(name=name, value=1.0 + 0.1 * i, observables={observable: 1.0}),),
            statistical_covariance=[[0.01]],
        )
        for i, (name, observable) in enumerate(estimates)
    )
    return bc.Combination(
        name="c",
        measurements=measurements,
        parameters=tuple(p if isinstance(p, bc.Parameter) else bc.Parameter(name=p) for p in parameters),
        observables=tuple(bc.Observable(**o) for o in observables),
        derived=tuple(bc.Observable(**o) for o in derived),
        assumption_sets={"none": bc.AssumptionSet(name="none")},
        assumptions="none",
        **settings,
    )


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (
            {"observables": [{"name": "g", "formula": "1 / h"}, {"name": "h", "formula": "g + tau"}]},
            FormulaError,
            ["'g', 'h'", "circle"],
        ),
        ({"observables": [{"name": "g", "formula": "1 / g"}]}, FormulaError, ["'g'", "circle"]),
        ({"observables": [{"name": "g", "formula": "2 + 3"}]}, FormulaError, ["'g'", "constant"]),
        ({"derived": [{"name": "g"}]}, FormulaError, ["derived quantity 'g' has no formula"]),
        (
            {
                "parameters": [bc.Parameter(name="tau", unit="ps")],
                "derived": [{"name": "g", "formula": "1 / tau", "unit": "ps"}],
            },
            FormulaError,
            ["'g'", "ps^-1", "correct one"],
        ),
        ({"parameters": ["tau", "idle"]}, bc.BayescombError, ["'idle'", "parameters"]),
        ({"observables": [{"name": "tau"}]}, bc.BayescombError, ["'tau'"]),
        (
            {"derived": [{"name": "g", "formula": "1 / tau"}], "normalise": True},
            bc.BayescombError,
            ["'normalise' does not go with formulas"],
        ),
        (
            {"observables": [{"name": "g", "formula": "1 / tau"}], "nonnegative": ("g",)},
            bc.BayescombError,
            ["'g' has a formula"],
        ),
    ],
)
def test_quantities_that_do_not_go_together_are_refused(arguments, error, said):
    with pytest.raises(error) as caught:
        combine(**arguments)
    assert all(fragment in str(caught.value) for fragment in said), str(caught.value)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"shape": "normal", "mean": 1.0}, "sd absent"),
        ({"shape": "normal", "mean": 1.0, "sd": 0.0}, "above 0"),
        ({"shape": "uniform", "low": 2.0, "high": 1.0}, "below high"),
        ({"shape": "half_normal", "sd": 1.0, "mean": 1.0}, "mean 1.0 found"),
        ({"shape": "lognormal", "median": -1.0, "sigma": 0.1}, "median = -1"),
        ({"shape": "normal", "mean": float("nan"), "sd": 1.0}, "mean"),
        ({"shape": "gamma"}, "gamma"),
    ],
)
def test_priors_that_are_none_are_refused(numbers, said):
    with pytest.raises(bc.BayescombError, match=said):
        bc.ParameterPrior(**numbers)


def test_parts_of_a_combination_keep_what_their_formulas_need():
    whole = combine(
        parameters=["tau", bc.Parameter(name="k", prior=bc.ParameterPrior(shape="normal", mean=1.0, sd=0.1))],
        observables=[{"name": "g", "formula": "k / tau"}, {"name": "d"}, {"name": "gd", "formula": "g - d"}],
        derived=[{"name": "R", "formula": "g / d"}],
        estimates=[("x", "tau"), ("y", "g"), ("z", "d"), ("w", "gd")],
    )
    assert [m.name for m in whole.measurements] == ["x", "y", "z", "w", "prior of k"]
    rest = whole.without("z")
    assert [o.name for o in rest.results] == ["tau", "k", "g", "d", "gd", "R"]
    rest = rest.without("w")
    assert [o.name for o in rest.results] == ["tau", "k", "g"]
    assert [m.name for m in rest.measurements] == ["x", "y", "prior of k"]
    free = rest.without("prior of k")
    assert free.parameters[1].prior is None
    assert [m.name for m in free.measurements] == ["x", "y"]
    apart = whole.saturated("y")
    assert [o.name for o in apart.results] == ["tau", "k", "g", "d", "gd", "y"]
    assert [o.name for o in whole.saturated().results] == ["x", "y", "z", "w", "prior of k"]
