"""Curves through tabulated points: values, derivatives, ends, and their place in formulas."""

import numpy as np
import pytest
from refusals import refused
from scipy import interpolate
from scipy.differentiate import derivative

from bayescomb.base.errors import FormulaError, InvalidMatrixError, InvalidNumberError, OptionError
from bayescomb.inputs.formulas import Curve, affine, curves_in, evaluate, formula_text, jet, names_in, parse, substituted
from bayescomb.inputs.formulas.units import formula_unit, read_unit

X = np.array([165.0, 167.5, 170.0, 172.5, 175.0, 180.0])
Y = np.array([310.0, 285.0, 263.0, 243.0, 224.0, 191.0])
# Just off the points, at them and between them; the last is the end.
AT = np.array([165.0, 166.1, 170.0, 170.0001, 171.9, 177.7, 180.0])
PEERS = {
    "cubic": lambda: interpolate.CubicSpline(X, Y),
    "natural": lambda: interpolate.CubicSpline(X, Y, bc_type="natural"),
    "monotone": lambda: interpolate.PchipInterpolator(X, Y),
    "polynomial": lambda: np.polynomial.Polynomial.fit(X, Y, 3),
}


def made(kind, **options):
    degree = 3 if kind == "polynomial" else None
    return Curve(name="sigma th", x=X, y=Y, kind=kind, degree=degree, argument_unit="GeV", unit="pb", **options)


@pytest.mark.parametrize("kind", list(PEERS))
def test_a_curve_is_that_of_scipy_with_its_derivatives(kind):
    curve, peer = made(kind), PEERS[kind]()
    np.testing.assert_allclose(curve.value(AT), peer(AT), rtol=1e-12)
    first = peer.deriv() if kind == "polynomial" else peer.derivative()
    second = peer.deriv(2) if kind == "polynomial" else peer.derivative(2)
    np.testing.assert_allclose(curve.derivatives(AT)[0], first(AT), rtol=1e-9)
    np.testing.assert_allclose(curve.derivatives(AT)[1], second(AT), rtol=1e-8, atol=1e-9)
    assert curve.ends == (165.0, 180.0)


@pytest.mark.parametrize("kind", list(PEERS))
def test_beyond_the_ends_it_goes_straight_on(kind):
    curve = made(kind, beyond="straight")
    assert curve.ends == (-np.inf, np.inf)
    for end, away in ((165.0, -7.0), (180.0, 3.0)):
        slope = curve.derivatives(end)[0]
        assert curve.value(end + away) == pytest.approx(curve.value(end) + away * slope, rel=1e-12)
        assert curve.derivatives(end + away) == (pytest.approx(slope, rel=1e-12), 0.0)


def test_points_may_stand_in_any_order():
    assert Curve(name="sigma th", x=X[::-1], y=Y[::-1]) == Curve(name="sigma th", x=X, y=Y)


def test_a_formula_calls_a_curve_like_a_function_with_exact_derivatives():
    curve = made("cubic")
    curves = {curve.name: curve, "log_k": Curve(name="log_k", x=(0.0, 1.0, 2.0, 4.0), y=(0.0, 0.5, 0.7, 1.3))}
    names = ("m_t", "k")
    tree = parse("exp(log_k(k)) * `sigma th`(m_t - k / 2) / k", names=names, where="here", curves=curves)
    assert formula_text(tree) == "exp(log_k(k)) * `sigma th`(m_t - k / 2) / k"
    assert parse(formula_text(tree), names=names, where="here", curves=curves) == tree
    assert names_in(tree) == ("k", "m_t")
    assert [call.curve.name for call in curves_in(tree)] == ["log_k", "sigma th"]
    assert affine(tree) is None
    point = np.array([171.3, 1.4])
    peers = interpolate.CubicSpline(X, Y), interpolate.CubicSpline([0.0, 1.0, 2.0, 4.0], [0.0, 0.5, 0.7, 1.3])
    found = jet(tree, point, {"m_t": 0, "k": 1})
    assert found.value == pytest.approx(np.exp(peers[1](1.4)) * peers[0](171.3 - 0.7) / 1.4, rel=1e-13)
    by_k = derivative(lambda k: evaluate(tree, {"m_t": 171.3 + 0 * k, "k": k}), 1.4, initial_step=0.05)
    by_m = derivative(lambda m: evaluate(tree, {"m_t": m, "k": 1.4 + 0 * m}), 171.3, initial_step=0.5)
    np.testing.assert_allclose(found.gradient, [by_m.df, by_k.df], rtol=1e-7)
    for i, step in ((0, 0.5), (1, 0.05)):

        def slopes(x, i=i):
            rows = np.broadcast_to(point, (np.size(x), 2)).copy()
            rows[:, i] = np.ravel(x)
            return np.array([jet(tree, row, {"m_t": 0, "k": 1}).gradient for row in rows]).T

        for j in (0, 1):
            bend = derivative(lambda x, j=j, slopes=slopes: slopes(x)[j].reshape(np.shape(x)), point[i], initial_step=step)
            assert found.curvature[j, i] == pytest.approx(bend.df, rel=1e-6, abs=1e-8)
    assert parse("log_k(2)", names=names, where="here", curves=curves).value == pytest.approx(0.7, rel=1e-13)
    moved = substituted(tree, {"k": parse("2 * q", names=["q"], where="here")})
    assert formula_text(moved) == "exp(log_k(2 * q)) * `sigma th`(m_t - 2 * q / 2) / (2 * q)"


def test_a_curve_has_the_same_value_and_slope_as_symbols():
    import pytensor
    import pytensor.tensor as pt

    tree = parse("`sigma th`(m_t) ** 2", names=["m_t"], where="here", curves={"sigma th": made("cubic")})
    m_t = pt.dscalar()
    value = evaluate(tree, {"m_t": m_t}, xp=pt)
    both = pytensor.function([m_t], [value, pytensor.grad(value, m_t)], mode="FAST_COMPILE")
    for x in AT:
        found = jet(tree, np.array([x]), {"m_t": 0})
        assert both(x) == [pytest.approx(found.value, rel=1e-13), pytest.approx(found.gradient[0], rel=1e-13)]
    assert np.isnan(both(181.0)[0])


def test_units_go_through_a_curve():
    units = {"m_t": read_unit("GeV"), "tau": read_unit("ps")}
    curves = {"sigma th": made("cubic")}
    tree = parse("2 * `sigma th`(m_t)", names=units, where="here", curves=curves)
    assert formula_unit(tree, units, where="here") == {"pb": 1}
    with refused(FormulaError, "curve 'sigma th' of a quantity in ps found, its argument is in GeV"):
        formula_unit(parse("`sigma th`(tau)", names=units, where="here", curves=curves), units, where="here")


def test_what_is_no_curve_is_refused():
    four = {"name": "a", "x": (0.0, 1.0, 2.0, 3.0), "y": (1.0, 2.0, 3.0, 0.0)}
    with refused(InvalidNumberError, "the point 1 stands twice"):
        Curve(**four | {"x": (0.0, 1.0, 1.0, 2.0)})
    with refused(OptionError, "3 points found, a spline needs 4"):
        Curve(name="a", x=(0.0, 1.0, 2.0), y=(1.0, 2.0, 3.0))
    with refused(OptionError, "degree 4 of a polynomial through 4 points found; give 1 to 3"):
        Curve(**four, kind="polynomial", degree=4)
    with refused(OptionError, "degree 2 and kind 'cubic' found"):
        Curve(**four, degree=2)
    with refused(InvalidMatrixError, "shape (3,) found, (4,) needed"):
        Curve(**four | {"y": (1.0, 2.0, 3.0)})
    with refused(FormulaError, "181 found, outside the range of curve 'sigma th', 165 to 180"):
        parse("f(181)", names=["a"], where="here", curves={"f": made("cubic")})
    with refused(FormulaError, "function 'g' found; allowed: exp"):
        parse("g(a)", names=["a"], where="here", curves={"f": made("cubic")})
