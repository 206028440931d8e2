"""The fused density against the PyMC model of the same plan, whose flat parameters are integrated out exactly."""

import dataclasses
import time
from types import SimpleNamespace

import arviz as az
import numpy as np
import pytest
from bounded import two_results
from combinations import pairs_with_priors, star
from densities import Density
from gaussian import combine
from rank_models import in_per_cent
from repetitions import repetitions
from test_curved_posterior import small
from test_theory import made

import bayescomb as bc
from bayescomb.base.errors import OptionError
from bayescomb.inputs.assumptions.prior_shapes import SAMPLED_SHAPES
from bayescomb.inputs.observables import variable_name
from bayescomb.sampling.fused import compiled
from bayescomb.sampling.fused.coordinates import CORRELATED
from bayescomb.sampling.fused.density import segment
from bayescomb.sampling.fused.model import MIX, REST, SHIFT, STRETCH
from bayescomb.sampling.model.build import build_model
from bayescomb.sampling.nuts.run import _numba_ends_first, compile_model
from bayescomb.sampling.plan import sampling_plan
from bayescomb.sampling.sample import fused_of

RELATIVE = 1e-9
POINTS = repetitions(10)  # a hundred with --thorough


def sized(relative=0.4):
    """A star with sampled coefficients under the uncertain size of its source."""
    combination = star(2, separate_observables=False)
    measurements = [
        bc.Measurement(
            name=m.name, experiment=m.experiment, estimates=m.estimates, statistical_covariance=m.statistical_covariance,
            nuisances=(bc.Nuisance(name=m.nuisances[0].name, source="s"),), responses=m.responses,
        )
        for m in combination.measurements
    ]  # fmt: skip
    changed = bc.Combination(
        name="sized", measurements=tuple(measurements), observables=combination.observables,
        assumption_sets=combination.assumption_sets, assumptions="default",
    )  # fmt: skip
    return changed.with_errors_on_errors({"s": relative})


def in_ranges(chi2):
    """Shifts in per cent of two parameters, one with a range of two ends and one above 0."""
    combination = in_per_cent(chi2) if chi2 == "pearson" else straight_in_ranges()
    priors = (("x", {"shape": "uniform", "low": 85.0, "high": 106.0}), ("y", {"shape": "half_normal", "sd": 40.0}))
    stated = [bc.Parameter(name=name, prior=bc.ParameterPrior(**numbers)) for name, numbers in priors]
    inputs = [m for m in combination.measurements if not m.name.startswith("prior of")]
    return dataclasses.replace(combination, measurements=tuple(inputs), parameters=tuple(stated))


def straight_in_ranges():
    """The same with absolute shifts."""
    combination = in_per_cent()
    return dataclasses.replace(
        combination,
        measurements=tuple(
            dataclasses.replace(m, nuisances=tuple(bc.Nuisance(name=n.name) for n in m.nuisances), down_responses=None)
            for m in combination.measurements
        ),
    )


MODELS = {
    "radial": lambda: star(3, separate_observables=False),
    "separate observables": lambda: star(2),
    "shapes": lambda: pairs_with_priors(SAMPLED_SHAPES, low=-0.3, high=0.8, nominal=0.2),
    "above zero": lambda: two_results(nonnegative=("x",)),
    "errors on errors": sized,
    "no coefficients": lambda: star(2, low=None, high=None),
    "curved": lambda: small("neyman", ranged=True),
    "curved, Pearson": lambda: small("pearson", ranged=True),
    "curved, above zero": lambda: two_results(nonnegative=("x",), kinked=True),
    "ranges": lambda: in_ranges("neyman"),
    "curved, ranges": lambda: in_ranges("pearson"),
    "fixed scales": lambda: made("fixed", ("normalised", "absolute")),
    "box of scales": lambda: made("common"),
    "normal scales": lambda: made("normal"),
    "two masses": lambda: made("two masses", treatment="fixed"),
}


def value_variables(fused, u):
    """The same point in the value variables of the PyMC model."""
    plan, cut = fused.plan, len(fused.plan.sampled) + len(fused.plan.sizes)
    point = {}
    if len(plan.sampled):
        point["rho_feasible__"] = u[: len(plan.sampled)]
    if plan.sizes:
        point["variance_scale_log__"] = u[len(plan.sampled) : cut]
    if plan.theory is None:
        own, ranges = u[cut:], segment(fused.constants, REST).reshape(-1, 3)
        ends = ["" if not w else "_above_zero__" if np.isinf(high) else "_interval__" for w, _, high in ranges]
        names = [variable_name(n) + end for n, end in zip(fused.sampled, ends, strict=False)]
        point |= dict(zip(names, own, strict=False))
        return point | ({"white_explicit": own[len(names) :]} if len(own) > len(names) else {})
    kinds = segment(fused.constants, REST)
    for name, value, row in zip(plan.theory.parameters, u[cut:], kinds, strict=True):
        own = variable_name(name)
        point |= {own: row[3] * value} if row[3] else {f"{own}_interval__": value}
    return point


@pytest.mark.parametrize("kind", MODELS)
def test_density_and_gradient_are_those_of_the_model(kind):
    plan = sampling_plan(MODELS[kind]())
    fused, model = fused_of(plan), Density(build_model(plan.combination, plan=plan))
    inner = [name for name in model.names if name in set(map(variable_name, fused.names))]
    rng = np.random.default_rng(1)
    size, count = len(fused.start), len(plan.sampled) + len(plan.sizes)
    stretch, mix = segment(fused.constants, STRETCH), segment(fused.constants, MIX)
    by_u = np.diag(stretch)
    by_u[count:, count:] = mix.reshape(size - count, size - count)
    values, slopes = [], []
    for _ in range(POINTS):
        x = fused.start + 0.5 * rng.normal(size=size)
        u = fused.coordinates(x[None])[0]
        np.testing.assert_allclose(u, segment(fused.constants, SHIFT) + by_u @ x, rtol=1e-14)
        point = {**model.initial, **{name: np.asarray(v) for name, v in value_variables(fused, u).items()}}
        theirs, gradient = model.integrated(point, inner) if inner else model(point)
        # Of a normal scale the model moves the scale itself.
        units = {variable_name(n): row[3] or 1.0 for n, row in _normal_rows(fused)}
        outer = np.concatenate([units.get(name, 1.0) * np.ravel(gradient[name]) for name in value_variables(fused, u)])
        ours, slope = fused.evaluate(x)
        values.append((ours, theirs))
        slopes.append((slope, by_u.T @ outer))
    ours, theirs = np.transpose(values)
    np.testing.assert_allclose(ours - ours[0], theirs - theirs[0], rtol=0, atol=RELATIVE * max(1.0, np.ptp(ours)))
    ours, theirs = np.swapaxes(slopes, 0, 1)
    np.testing.assert_array_less(np.abs(ours - theirs) / np.maximum(np.abs(ours).max(axis=0), 1e-3), 1e2 * RELATIVE)


def _normal_rows(fused):
    theory = fused.plan.theory
    return zip(theory.parameters, segment(fused.constants, REST), strict=True) if theory is not None else ()


def test_gradient_with_correlated_scales_is_its_differences():
    """Their root is another than that of the model, so that values differ; the draws of the scales have the same law."""
    plan = sampling_plan(made("correlated"))
    fused = fused_of(plan)
    assert (segment(fused.constants, REST)[:, 0] == CORRELATED).any()
    rng = np.random.default_rng(2)
    x = fused.start + 0.5 * rng.normal(size=len(fused.start))
    _, slope = fused.evaluate(x)
    steps = 1e-5 * np.eye(len(x))
    numeric = [(fused.evaluate(x + h)[0] - fused.evaluate(x - h)[0]) / 2e-5 for h in steps]
    np.testing.assert_allclose(slope, numeric, rtol=1e-6, atol=1e-7)
    # Coordinates are standard normal, so scales of one kind must have the covariance width^2 (c + (1 - c) 1).
    u = np.tile(fused.coordinates(x[None])[0], (4000, 1))
    first = int(np.flatnonzero(segment(fused.constants, REST)[:, 0] == CORRELATED)[0]) + len(plan.sampled)
    half = len(plan.theory.scales) // 2
    u[:, first : first + half] = rng.standard_normal((len(u), half))
    moved = np.linalg.solve(_mixing(fused), (u - segment(fused.constants, SHIFT)).T).T
    found = fused.variables(moved)
    width, c = plan.theory.extraction.scales.width, found["scale_correlation"][0]
    scales = np.array([found[variable_name(name)] for name in plan.theory.scales[:half]])
    expected = width**2 * (c + (1 - c) * np.eye(half))
    # A variance of n normal draws is known to sqrt(2 / n).
    np.testing.assert_allclose(np.cov(scales), expected, atol=5 * width**2 * np.sqrt(2 / len(u)))


def _mixing(fused):
    """D by D."""
    size = len(fused.start)
    matrix = np.diag(segment(fused.constants, STRETCH))
    mix = segment(fused.constants, MIX)
    count = int(np.sqrt(mix.size))
    matrix[size - count :, size - count :] = mix.reshape(count, count)
    return matrix


@pytest.mark.slow
def test_strongly_correlated_bins_are_drawn_independently():
    """17 bins of which 16 are known through their differences alone: the sampler itself has one coefficient to move."""
    bins = 17
    rng = np.random.default_rng(3)
    common = 10 * np.ones((bins, bins)) + np.diag(rng.uniform(0.1, 0.2, bins))
    measurements = tuple(
        bc.Measurement(
            name=name,
            estimates=tuple(
                bc.Estimate(name=f"{name} {i}", value=float(v), observables={f"x{i}": 1.0})
                for i, v in enumerate(rng.normal(50, 1, bins))
            ),
            statistical_covariance=common,
            nuisances=(bc.Nuisance(name=f"n {name}"),),
            responses=np.full((bins, 1), 0.5),
        )
        for name in "ab"
    )
    pair = bc.CorrelationPair(first="n a", second="n b")
    coefficient = bc.CorrelationCoefficient(name="r", pairs=(pair,), nominal=0.3, low=0.0, high=0.9)
    combination = combine(*measurements, name="bins", coefficients=(coefficient,))
    posterior = bc.sample(combination, seed=1, draws=1000, tune=300)["posterior"]
    for i in range(bins):
        assert float(az.ess(posterior[f"x{i}"].to_numpy())) > 0.9 * 4000


def test_change_of_any_file_of_the_room_makes_the_cache_new():
    kernel = compiled.compiled()(lambda x: x)
    assert kernel._cache._cache_file._source_stamp == compiled.STAMP
    assert compiled._stamp() == compiled.STAMP
    assert len(compiled.STAMP) == 64


def test_fused_is_refused_where_it_cannot_be():
    combination = star(2, separate_observables=False)
    with pytest.raises(OptionError, match="'fused'"):
        bc.sample(combination, seed=1, engine="full", backend="fused")
    with pytest.raises(OptionError, match="'fused'"):
        compile_model(build_model(combination), backend="fused")


class _Function:
    """A compiled function of so many nodes that takes its time."""

    def __init__(self, nodes):
        self.maker = SimpleNamespace(fgraph=SimpleNamespace(apply_nodes=range(nodes)))

    def __call__(self, x):
        end = time.perf_counter() + 1e-4
        while time.perf_counter() < end:
            pass
        return 0.0, np.zeros(len(x))


@pytest.mark.parametrize(
    ("nodes", "steps", "expected"), [(10, 1000, False), (10, 1_000_000, True), (10_000, 100_000, False)]
)
def test_backend_that_ends_first_is_predicted_and_named(nodes, steps, expected, caplog):
    """A step takes 1.5 ms with vm: 1.5 s, 25 minutes and 2.5 minutes; numba compiles for 12 s, or 42 minutes."""
    with caplog.at_level("INFO"):
        assert _numba_ends_first(_Function(nodes), np.zeros(2), steps=steps, chains_at_once=2) is expected
    assert ("backend numba" if expected else "backend vm") in caplog.text
