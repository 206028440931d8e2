"""The compiled density of an extraction against numpy, and its gradients against finite differences."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from test_theory import CASES, KINDS, made, points

from bayescomb.likelihood.linear_gaussian import LinearModel
from bayescomb.likelihood.theory import theory
from bayescomb.sampling.fused.likelihood import extraction_kernel, packed, theory_constants
from bayescomb.sampling.model.kernels import extraction_log_density

N_FREE = 1  # a free nuisance besides the free directions of the observables


class Problem:
    """Random data information over a compiled prediction: R rows of which the last has the sign given."""

    def __init__(self, compiled, *, sign=1.0, n_patterns=2, seed=7):
        rng = np.random.default_rng(seed)
        self.theory, n = compiled, len(compiled.select)
        rows = n + 3
        design = rng.normal(size=(rows, n + N_FREE)) * 0.3
        design[:n, :n] += np.eye(n)
        design[-1] *= 0.01  # a row of negative sign is known less well than its prior and carries little
        self.model = LinearModel(
            parameters=tuple(f"q{i}" for i in range(n + N_FREE)),
            nuisances=(),
            design=design,
            loading=np.zeros((rows, 0)),
            estimate_loading=np.zeros((rows, 0)),
            offset=design[:, :n] @ np.full(n, 10.0) + rng.normal(size=rows),
            signs=np.array([1.0] * (rows - 1) + [sign]),
        )
        spread = rng.normal(size=(rows, rows)) * 0.2
        spread[-1] *= 0.1
        self.base = np.diag(self.model.signs) + spread @ spread.T
        patterns = rng.normal(size=(n_patterns, rows, rows)) * 0.05
        self.patterns = patterns + patterns.swapaxes(1, 2)

    def constants(self):
        t, n, m = self.theory, len(self.theory.select), self.model
        return (
            packed(self.base), packed(self.patterns), m.design[:, :n] @ t.select,
            np.hstack([m.design[:, :n] @ t.free, m.design[:, n:]]), m.offset, m.signs, *theory_constants(t),
        )  # fmt: skip

    def compiled(self, r, theta, levels):
        constants = [np.ascontiguousarray(c, dtype=float) for c in self.constants()]
        return extraction_kernel(r, theta, levels, *constants)

    def explicit(self, r, theta, levels):
        t, n, m = self.theory, len(self.theory.select), self.model
        central, shifts = t.predict(theta)
        into = m.design[:, :n]
        loading = into @ t.select @ shifts
        covariance = self.base + np.einsum("c,cij->ij", r, self.patterns) + loading @ loading.T
        z = len(t.free_names)
        observables = t.select @ central + t.free @ levels[:z]
        w = into @ observables + m.design[:, n:] @ levels[z:] - m.offset
        return -0.5 * (w @ np.linalg.solve(covariance, w) + np.log(np.abs(np.linalg.det(covariance))))

    def at(self, seed):
        rng = np.random.default_rng(seed)
        theta = points(self.theory, 1, seed)[0][0]
        return rng.uniform(-0.5, 0.5, len(self.patterns)), theta, rng.normal(size=len(self.theory.free_names) + N_FREE)


def assert_kernel(problem):
    for seed in (1, 2):
        vectors = problem.at(seed)
        density, *gradients = problem.compiled(*vectors)
        assert density == pytest.approx(problem.explicit(*vectors), rel=1e-11)
        for which, gradient in enumerate(gradients):
            assert gradient.shape == vectors[which].shape
            for i in range(len(gradient)):
                step = (1e-4 if which else 1e-5) * np.eye(len(gradient))[i]
                ends = []
                for s in (step, -step):
                    moved = list(vectors)
                    moved[which] = vectors[which] + s
                    ends.append(problem.explicit(*moved))
                difference = (ends[0] - ends[1]) / (2 * step[i])
                assert gradient[i] == pytest.approx(difference, rel=2e-6, abs=1e-5), (which, i)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_value_and_gradients(case, kinds, sign):
    assert_kernel(Problem(theory(made(case, kinds)), sign=sign))


@pytest.mark.parametrize("changes", [{"numerical_errors": True}, {"drop": ("a0", "b1")}, {"degree": 1}])
def test_value_and_gradients_of_other_choices(changes):
    assert_kernel(Problem(theory(made("independent", ("normalised", "normalised"), **changes))))


def test_no_coefficients_and_no_members():
    assert_kernel(Problem(theory(made("no members")), n_patterns=0))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_density_is_zero_where_the_precision_is_not_definite(sign):
    problem = Problem(theory(made("common")), sign=sign)
    r, theta, levels = problem.at(1)
    problem.base[0, 0] = -100.0
    density, *gradients = problem.compiled(r, theta, levels)
    assert density == -np.inf
    assert [g.tolist() for g in gradients] == [[0.0] * len(v) for v in (r, theta, levels)]


def test_node_of_the_graph_gives_value_and_gradients():
    problem = Problem(theory(made("correlated")))
    symbols = pt.dvectors("r", "theta", "levels")
    density = extraction_log_density(
        *symbols, theory=problem.theory, model=problem.model, base=problem.base, patterns=problem.patterns
    )
    function = pytensor.function(symbols, [density, *pytensor.grad(density, symbols)], mode="FAST_COMPILE")
    vectors = problem.at(3)
    found, expected = function(*vectors), problem.compiled(*vectors)
    assert found[0] == pytest.approx(problem.explicit(*vectors), rel=1e-11)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)
