"""Scans of several coefficients together, coefficients of exactly +1 and -1, and matrices that only a determinant misses."""

import dataclasses

import numpy as np
import pytest
from gaussian import combine, dense_solution, external_measurement
from refusals import refused
from worked import estimate, nuisances, pair

import bayescomb as bc
from bayescomb.base.errors import InfeasibleCorrelationError, OptionError

GROUP = {"scan_group": "together"}


def grouped():
    """Two coefficients that are scanned together in opposite directions, one alone, and one without a range."""
    rng = np.random.default_rng(6)
    inputs = [external_measurement(rng, n, observables=("x",), n_estimates=2, n_nuisances=2) for n in ("a", "b", "c")]
    coefficients = (
        pair("a.n0", "b.n0", 0.1, -0.5, 0.7, **GROUP),
        pair("a.n1", "c.n0", 0.3, 0.0, 0.2),
        pair("a.n0", "c.n1", 0.2, -0.3, 0.6, descending=True, **GROUP),
        pair("b.n1", "c.n0", -0.4),
    )
    return combine(*inputs, coefficients=coefficients)


def dense(combination, *values):
    """Precision of x and all nuisances, with the four coefficients at values."""
    names = [n.name for n in combination.nuisances]
    prior = np.eye(6)
    for value, c in zip(values, combination.assumption_set.coefficients, strict=True):
        i, j = (names.index(n) for n in (c.pairs[0].first, c.pairs[0].second))
        prior[i, j] = prior[j, i] = value
    return dense_solution(combination, np.linalg.cholesky(prior))


def test_points_are_fits_with_the_others_at_nominal():
    combination = grouped()
    together, alone = bc.scan(combination, points=4).rows
    assert (together.name, alone.name) == ("together", "a.n1 x c.n0")
    assert (together.low, together.nominal, together.high) == (-0.5, 0.1, 0.7)
    steps = np.linspace(0, 1, 4)
    expected = [dense(combination, -0.5 + 1.2 * s, 0.3, 0.6 - 0.9 * s, -0.4) for s in steps]
    for step, point, solution in zip(steps, together.points, expected, strict=True):
        assert list(point.coefficients) == ["a.n0 x b.n0", "a.n0 x c.n1"]
        assert list(point.coefficients.values()) == pytest.approx([-0.5 + 1.2 * step, 0.6 - 0.9 * step])
        assert point.values.item() == pytest.approx(solution.values.item(), rel=1e-10)
        assert point.errors.item() == pytest.approx(np.sqrt(solution.covariance.item()), rel=1e-10)
        assert point.chi2 == pytest.approx(solution.chi2, rel=1e-9)
    assert together.half_shift.item() == pytest.approx((expected[-1].values - expected[0].values).item() / 2, rel=1e-9)
    errors = [np.sqrt(s.covariance.item()) for s in (expected[0], expected[-1])]
    assert together.half_error_shift.item() == pytest.approx((errors[1] - errors[0]) / 2, rel=1e-9)
    ends = [dense(combination, 0.1, value, 0.2, -0.4).values.item() for value in (0.0, 0.2)]
    assert alone.half_shift.item() == pytest.approx((ends[1] - ends[0]) / 2, rel=1e-8)


def test_iterated_fits_of_a_scan_are_those_of_the_closed_form():
    """A relative nuisance without a response makes the chi2 go through the numerical fits without changing it."""
    combination = grouped()
    extra = bc.Measurement(
        name="d", estimates=(estimate("d.e", 5.0, "y"),), statistical_covariance=np.eye(1),
        nuisances=nuisances("d.n", relative=["d.n"]), responses=np.array([[0.5]]),
    )  # fmt: skip
    more = (*combination.observables, bc.Observable(name="y"))
    curved = dataclasses.replace(combination, measurements=(*combination.measurements, extra), observables=more)
    assert not curved.quadratic
    for plain, iterated in zip(bc.scan(combination).rows, bc.scan(curved).rows, strict=True):
        for one, other in zip(plain.points, iterated.points, strict=True):
            assert other.values.sel(parameter="x").item() == pytest.approx(one.values.item(), rel=1e-8)
            assert other.errors.sel(parameter="x").item() == pytest.approx(one.errors.item(), rel=1e-8)
            assert other.chi2 == pytest.approx(one.chi2, rel=1e-7)


@pytest.mark.parametrize("points", [0, 1])
def test_a_scan_needs_both_ends(points):
    with refused(OptionError, f"= {points} found", "at least 2"):
        bc.scan(grouped(), points=points)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("chi2", "response"), [("neyman", "absolute"), ("neyman", "relative"), ("pearson", "relative")])
def test_coefficient_of_one_is_a_shared_nuisance(sign, chi2, response):
    """Two inputs with a nuisance each, correlated by +1 or -1, and one input of both estimates with a single nuisance."""

    def measurement(name, values, responses):
        return bc.Measurement(
            name=name,
            estimates=tuple(estimate(f"{name}.e{i}", v, "x") for i, v in enumerate(values)),
            statistical_covariance=np.eye(len(values)),
            nuisances=(bc.Nuisance(name=f"{name}.n", response=response), bc.Nuisance(name=f"{name}.own")),
            responses=np.array(responses),
        )

    first, second = measurement("a", [10.0], [[1.5, 0.5]]), measurement("b", [12.0], [[0.8, 0]])
    split = dataclasses.replace(combine(first, second, coefficients=(pair("a.n", "b.n", float(sign)),)), chi2=chi2)
    together = measurement("ab", [10.0, 12.0], [[1.5, 0.5], [sign * 0.8, 0]])
    shared = dataclasses.replace(combine(together), chi2=chi2)
    one, other = bc.profile(split), bc.profile(shared)
    for key in ("values", "errors", "up_errors", "down_errors"):
        assert getattr(one, key).item() == pytest.approx(getattr(other, key).item(), rel=1e-6), key
    assert one.chi2 == pytest.approx(other.chi2, rel=1e-8)
    pull = other.pulls.sel(nuisance="ab.n").item()
    assert one.pulls.sel(nuisance=["a.n", "b.n"]).values == pytest.approx([pull, sign * pull], rel=1e-6)
    constraint = other.constraints.sel(nuisance="ab.n").item()
    assert one.constraints.sel(nuisance=["a.n", "b.n"]).values == pytest.approx([constraint] * 2, rel=1e-6)
    both = [dataclasses.replace(c, impact_groups=g) for c, g in ((split, {"g": ("a.n",)}), (shared, {"g": ("ab.n",)}))]
    # holding one of two that are the same holds both
    assert bc.impacts(both[0], parts="held").groups.item() == pytest.approx(
        bc.impacts(both[1], parts="held").groups.item(), rel=1e-5
    )


def linked(coefficients, n, *, response="absolute"):
    inputs = [
        bc.Measurement(
            name=f"m{i}", estimates=(estimate(f"e{i}", 10.0 + i, "x"),), statistical_covariance=np.eye(1),
            nuisances=nuisances(f"n{i}", relative=[f"n{i}"] if response == "relative" else []),
            responses=np.array([[1.0]]),
        )
        for i in range(n)
    ]  # fmt: skip
    return combine(*inputs, coefficients=coefficients)


def square(r, *limits):
    """Off-diagonal block r [[1, 1], [1, -1]]: eigenvalues 1 -+ sqrt(2) r, each twice, so the determinant stays positive."""
    return [
        pair(a, b, s * r, *(sorted(s * limit for limit in limits)), **GROUP, descending=bool(limits) and s < 0)
        for a, b, s in (("n0", "n2", 1), ("n0", "n3", 1), ("n1", "n2", 1), ("n1", "n3", -1))
    ]


def cycles():
    """Two infeasible cycles of three, joined by a coefficient of 0 that has no range."""
    signs = {(0, 1): 0.9, (1, 2): 0.9, (0, 2): -0.9, (3, 4): 0.9, (4, 5): 0.9, (3, 5): -0.9, (2, 3): 0.0}
    return [pair(f"n{i}", f"n{j}", r) for (i, j), r in signs.items()]


@pytest.mark.parametrize("response", ["absolute", "relative"])
@pytest.mark.parametrize(("coefficients", "n"), [(square(0.9), 4), (cycles(), 6)], ids=["square", "cycles"])
def test_even_number_of_negative_eigenvalues_is_an_error_that_names_the_block(coefficients, n, response):
    combination = linked(coefficients, n, response=response)
    names = [f"n{i}" for i in range(n)]
    prior = np.eye(n)
    for c in coefficients:
        i, j = (names.index(name) for name in (c.pairs[0].first, c.pairs[0].second))
        prior[i, j] = prior[j, i] = c.nominal
    assert np.linalg.det(prior) > 0
    assert (np.linalg.eigvalsh(prior) < 0).sum() == 2
    for call in (bc.profile, bc.impacts, lambda c: bc.sample(c, seed=1), lambda c: bc.sample(c, seed=1, engine="full")):
        with refused(InfeasibleCorrelationError, f"n0 ... n{n - 1} (smallest eigenvalue -", "shift, clip or nearest"):
            call(combination)


@pytest.mark.parametrize("response", ["absolute", "relative"])
def test_scan_point_with_an_even_number_of_negative_eigenvalues_has_no_number(response):
    (row,) = bc.scan(linked(square(0.3, 0.0, 0.9), 4, response=response)).rows
    feasible = [abs(p.coefficients["n0 x n2"]) <= np.sqrt(0.5) for p in row.points]
    assert feasible == [True, True, True, True, False, False]
    for point, allowed in zip(row.points, feasible, strict=True):
        assert (point.values is not None) == allowed
        assert ("n0 ... n3 (smallest eigenvalue -" in point.problem) != allowed
    # The eigenvalues allow |r| <= 1 / sqrt(2): all coefficients stop there together.
    np.testing.assert_allclose(np.abs(list(row.ends[1].coefficients.values())), np.sqrt(0.5), atol=1e-8)
    assert row.half_shift is not None
