"""Log densities of the sampled models at given points, and both engines compared by them and by their draws."""

import arviz as az
import numpy as np
from pytensor.compile.mode import Mode

from bayescomb.sampling.model.build import build_model
from bayescomb.sampling.plan import sampling_plan

POINTS = 20
RELATIVE = 1e-9
SIGMAS = 5.0
INTERPRETED = Mode(linker="py", optimizer=None)  # a few hundred calls: compiling would take longer


class Density:
    """Log density and gradient of a model over its unconstrained variables, by name."""

    def __init__(self, model):
        self.initial = {name: np.asarray(value, dtype=float) for name, value in model.initial_point().items()}
        self.names = list(self.initial)
        self.function = model.logp_dlogp_function(ravel_inputs=True, mode=INTERPRETED, initial_point=self.initial)
        self.function.set_extra_values({})

    def __call__(self, point):
        value, gradient = self.function(np.concatenate([np.ravel(point[name]) for name in self.names]))
        ends = np.cumsum([np.size(point[name]) for name in self.names])
        return float(value), dict(zip(self.names, np.split(np.array(gradient), ends[:-1]), strict=True))

    def random_point(self, rng, *, width=0.5):
        """Near the initial point, in unconstrained units."""
        return {name: value + width * rng.normal(size=value.shape) for name, value in self.initial.items()}

    def integrated(self, point, inner):
        """Integral over variables in which the log density is quadratic, and the gradient by the others; exact.

        With f(z) = f(m) - (z - m)^T P (z - m) / 2 the integral is exp f(m) sqrt((2 pi)^n / det P).  Its logarithm has the
        derivatives of f in the mean over z ~ N(m, P^-1); they are quadratic in z too, and of these the 2 n points
        m +- sqrt(n) L_i, L L^T = P^-1, have the same mean.
        """
        shapes = {name: self.initial[name].shape for name in inner}
        n = sum(self.initial[name].size for name in inner)

        def at(z):
            ends = np.cumsum([self.initial[name].size for name in inner])
            pieces = np.split(z, ends[:-1])
            value, gradient = self({**point, **{k: p.reshape(shapes[k]) for k, p in zip(inner, pieces, strict=True)}})
            return value, np.concatenate([gradient[name] for name in inner]), gradient

        slope = at(np.zeros(n))[1]
        precision = np.array([slope - at(unit)[1] for unit in np.eye(n)])
        precision = (precision + precision.T) / 2
        mean = np.linalg.solve(precision, slope)
        value, rest, _ = at(mean)
        np.testing.assert_allclose(rest, 0, atol=1e-8 * (1 + np.abs(slope).max()))  # quadratic indeed
        root = np.sqrt(n) * np.linalg.cholesky(np.linalg.inv(precision))
        around = [at(mean + sign * column)[2] for column in root.T for sign in (1, -1)]
        outer = [name for name in self.names if name not in inner]
        gradient = {name: np.mean([g[name] for g in around], axis=0) for name in outer}
        return value + n / 2 * np.log(2 * np.pi) - np.linalg.slogdet(precision)[1] / 2, gradient


def assert_engines_agree(combination, *, seed=1, correlations="prior", width=0.5):
    """The full engine's density, its nuisances integrated, is the marginal one up to a constant, and so is its slope."""
    plan = sampling_plan(combination, correlations=correlations)
    marginal, full = (
        Density(build_model(combination, engine=e, correlations=correlations, plan=plan)) for e in ("marginal", "full")
    )
    inner = [name for name in full.names if name not in marginal.names]
    assert inner
    assert set(marginal.names) <= set(full.names)
    rng = np.random.default_rng(seed)
    values, slopes = [], []
    for _ in range(POINTS):
        point = marginal.random_point(rng, width=width)
        (ours, ours_by), (theirs, theirs_by) = marginal(point), full.integrated(point, inner)
        values.append((ours, theirs))
        slopes.append([np.concatenate([by[name] for name in marginal.names]) for by in (ours_by, theirs_by)])
    ours, theirs = np.transpose(values)
    np.testing.assert_allclose(ours - ours[0], theirs - theirs[0], rtol=0, atol=RELATIVE * np.ptp(ours))
    ours, theirs = np.swapaxes(slopes, 0, 1)
    np.testing.assert_array_less(np.abs(ours - theirs) / np.abs(ours).max(axis=0), RELATIVE)


def assert_same_law(first, second):
    """Two independent samples have the same mean and width within their Monte Carlo errors."""
    for measure, kind in ((np.mean, "mean"), (np.std, "sd")):
        difference = measure(first.to_numpy()) - measure(second.to_numpy())
        error = np.hypot(*(float(az.mcse(x.to_numpy(), method=kind)) for x in (first, second)))
        assert abs(difference) < SIGMAS * error, (first.name, first.coords, kind, difference, error)
