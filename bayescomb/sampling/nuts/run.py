"""NUTS by nutpie, around the fused density of a plan or the log density and gradient of a ``pm.Model``.

Backend ``fused`` is a C function that is compiled once on a machine and then serves every model that nobody extended: the
first draw comes at once, and chains use all cores.  Of a ``pm.Model`` backend ``vm`` evaluates the graph in PyTensor's
virtual machine, node by node in C that is compiled once and cached on disk: the first draw comes after a second.  Backend
``numba`` compiles the whole graph for every model: tens of seconds first, then several times faster draws, which pays for
long runs.
Without a C++ compiler the virtual machine falls back to Python and is fifty times slower.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np
import nutpie
import xarray as xr
from nutpie.compile_pymc import CompiledPyMCModel
from nutpie.compiled_pyfunc import from_pyfunc

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import check_choice
from bayescomb.base.choices import BACKENDS, Backend
from bayescomb.base.errors import OptionError
from bayescomb.base.numerics import available_cores, single_threaded
from bayescomb.base.progress import chain_bars
from bayescomb.sampling.fused.model import FusedModel
from bayescomb.sampling.nuts.modes import ModeMixture, weighted_modes
from bayescomb.sampling.posterior.convergence import smallest_bfmi

if TYPE_CHECKING:
    import pymc as pm

__all__ = ["BACKENDS", "CompiledModel", "Mixture", "compile_model", "run_modes", "run_nuts"]

log = logging.getLogger(__name__)


# Factor on the usual spread of the starting points, so that chains of one minimum do not begin near another.
NEAR_MODE = 0.3
# To predict which backend ends first: gradients per step; seconds and gain of a compilation by numba.
GRADIENTS_PER_STEP = 15
NUMBA_SECONDS, NUMBA_SECONDS_PER_NODE, NUMBA_GAIN = 10.0, 0.25, 4.0
TRIALS = 20
# Milliseconds between two states of the bars.
RATE = 300


@dataclass(frozen=True, kw_only=True)
class CompiledModel:
    """A model ready to be sampled any number of times.

    Attributes:
        sampler: nutpie's compiled model.
        backend: ``fused``, ``vm`` or ``numba``.
        constrain: maps unconstrained draws to named variables; ``None`` where nutpie does it.
        dims: dimensions of each variable.
        coords: coordinates of the model.
        modes: starting points, shape (D,), and the same model with chains that begin near each; not with ``numba``.
        log_density: of one unconstrained point, shape (D,); ``None`` where nutpie has it.
    """

    sampler: Any
    backend: str
    constrain: Callable[[FloatArray], dict[str, FloatArray]] | None
    dims: dict[str, tuple[str, ...]]
    coords: dict[str, list[Any]]
    modes: tuple[tuple[FloatArray, Any], ...] = ()
    log_density: Callable[[FloatArray], float] | None = None


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """Scalar variables that are sampled as x = x_0 + B xi, x_0 being the initial point of the model.

    Attributes:
        names: P variables.
        root: B with B B^T about their covariance, in unconstrained units, shape (P, P).
    """

    names: tuple[str, ...]
    root: FloatArray


def compile_model(
    model: pm.Model | FusedModel,
    *,
    backend: Backend = "auto",
    spread: dict[str, float] | None = None,
    mixture: Mixture | None = None,
    starts: Sequence[dict[str, FloatArray]] = (),
    steps: int = 0,
) -> CompiledModel:
    """Compile a model once.

    Args:
        model: a fused model, to which nothing but ``starts`` applies, or any ``pm.Model`` of continuous variables.
        backend: ``vm``, ``numba``, or ``auto``: what is predicted to end first, compiling and drawing; the log says so.
        spread: half-width of the starting points around the model's initial point, per variable, in its unconstrained
            units; 1 where it is not given.
        mixture: variables that depend on each other too strongly for steps along each of them; ``vm`` only.
        starts: points that chains begin near, value variable -> value, where there are several minima; not with ``numba``.
        steps: number of kept and tuning steps of all chains that the prediction is made for.

    Raises:
        OptionError: the backend is unknown, or is ``fused`` for a ``pm.Model``.
    """
    if isinstance(model, FusedModel):
        return _compile_fused(model, starts)
    import pytensor

    check_choice(backend, BACKENDS, where="backend")
    if backend == "auto" and not pytensor.config.cxx:
        backend = "numba"
    names = [v.name for v in [*model.free_RVs, *model.deterministics]]
    dims = {name: tuple(model.named_vars_to_dims.get(name, ())) for name in names}
    coords = {name: list(values) for name, values in model.coords.items() if values is not None}
    match backend:
        case "numba":
            return CompiledModel(
                sampler=nutpie.compile_pymc_model(model), backend=backend, constrain=None, dims=dims, coords=coords
            )
        case "fused":
            msg = "backend 'fused' has no density of a pm.Model; use the backend 'auto'"
            raise OptionError(msg)
        case "vm" | "auto":
            pass
        case _:
            assert_never(backend)
    # The matrices that PyTensor itself multiplies are a few rows in size: it need not look, and warn, for a BLAS library.
    # The machine's own loop in C ("cvm") saves a quarter of a gradient, and needs the compiler.
    linker = "cvm" if pytensor.config.cxx else "vm"
    mode = pytensor.compile.mode.Mode(linker=linker, optimizer="fast_run").excluding("BlasOpt", "c_blas", "local_usmm")
    point = model.initial_point()
    density = model.logp_dlogp_function(ravel_inputs=True, mode=mode, initial_point=point)
    density.set_extra_values({})
    function = density._pytensor_function  # raw function: nutpie checks its own inputs
    start = np.concatenate([np.ravel(v) for v in point.values()])
    if backend == "auto":
        if not starts and _numba_ends_first(function, start, steps=steps, chains_at_once=available_cores()):
            return compile_model(model, backend="numba")
        backend = "vm"
    variable_of = {value.name: variable.name for variable, value in model.rvs_to_values.items()}
    width = np.concatenate([np.full(np.size(v), (spread or {}).get(variable_of[key], 1.0)) for key, v in point.items()])
    mix = np.eye(len(start))
    if mixture is not None:
        found = [variable_of[name] for name in point]
        sizes = [np.size(value) for value in point.values()]
        index = [sum(sizes[: found.index(name)]) for name in mixture.names]
        mix[np.ix_(index, index)] = mixture.root
        width[index] = 1.0
    outputs = [v for v in model.unobserved_value_vars if v.name in names]
    transform = model.compile_fn(outputs, inputs=model.value_vars, mode=mode, point_fn=False)
    shapes = {name: np.shape(value) for name, value in point.items()}

    def constrain(draws: FloatArray) -> dict[str, FloatArray]:
        flat = draws.reshape(-1, draws.shape[-1])
        values = [transform(*_split(row, shapes)) for row in flat]
        columns = zip(*values, strict=True) if values else [[] for _ in outputs]
        return {
            v.name: np.array(column).reshape(*draws.shape[:-1], *np.shape(column[0]))
            for v, column in zip(outputs, columns, strict=True)
        }

    def sampler_from(origin: FloatArray, shrink: float) -> Any:
        def make_density() -> Callable[..., tuple[Any, Any]]:
            # One copy per chain: a compiled function owns its buffers, and chains run in threads.
            own = function.copy()
            own.trust_input = True

            def evaluate(x: FloatArray, **_: Any) -> tuple[Any, Any]:
                if mixture is None:
                    return _guarded(own, x)
                value, gradient = _guarded(own, origin + mix @ x)
                return value, mix.T @ gradient

            return evaluate

        def make_expand(*_: Any) -> Callable[..., dict[str, FloatArray]]:
            return lambda x, **_: {"unconstrained": x.copy() if mixture is None else origin + mix @ x}

        def initial(seed: int) -> FloatArray:
            away = shrink * width * np.random.default_rng(seed).uniform(-1, 1, size=len(origin))
            return away if mixture is not None else origin + away

        return from_pyfunc(
            len(origin),
            make_density,
            make_expand,
            [np.dtype("float64")],
            [(len(origin),)],
            ["unconstrained"],
            make_initial_point_fn=initial,
        )

    def log_density(x: FloatArray) -> float:
        return float(_guarded(function, x)[0])

    origins = [np.concatenate([np.ravel(values.get(name, value)) for name, value in point.items()]) for values in starts]
    return CompiledModel(
        sampler=sampler_from(start, 1.0),
        backend=backend,
        constrain=constrain,
        dims=dims,
        coords=coords,
        modes=tuple((origin, sampler_from(origin, NEAR_MODE)) for origin in origins),
        log_density=log_density,
    )


def _numba_ends_first(function: Any, start: FloatArray, *, steps: int, chains_at_once: int) -> bool:
    """Whether compiling all of a graph pays for so many steps."""
    function.trust_input = True
    times = []
    for _ in range(TRIALS):
        clock = time.perf_counter()
        _guarded(function, start)
        times.append(time.perf_counter() - clock)
    nodes = len(function.maker.fgraph.apply_nodes)
    own = steps * GRADIENTS_PER_STEP * min(times)
    other = NUMBA_SECONDS + nodes * NUMBA_SECONDS_PER_NODE + own / (NUMBA_GAIN * chains_at_once)
    chosen = "numba" if other < own else "vm"
    log.info(f"backend {chosen}: about {own:.0f} s with vm, {other:.0f} s with numba, compiling included")
    return other < own


def _compile_fused(model: FusedModel, starts: Sequence[dict[str, FloatArray]]) -> CompiledModel:
    """The C function of a fused model; nothing is compiled but once on a machine."""
    density, expand = model.kind.functions
    size = len(model.start)

    def sampler_from(origin: FloatArray, shrink: float) -> Any:
        def initial(seed: int) -> FloatArray:
            return origin + shrink * model.spread * np.random.default_rng(seed).uniform(-1, 1, size=size)

        return CompiledPyMCModel(
            dims={},
            compiled_logp_func=density,
            compiled_expand_func=expand,
            initial_point_func=initial,
            shared_data={"constants": model.constants},
            shared_var_keys={},
            user_data=model.constants,
            n_expanded=size,
            shape_info=(["unconstrained"], [slice(0, size)], [(size,)]),
            logp_func=None,
            expand_func=None,
            _n_dim=size,
            _shapes={"unconstrained": (size,)},
            _coords={},
        )

    def constrain(draws: FloatArray) -> dict[str, FloatArray]:
        found = model.variables(draws.reshape(-1, size))
        return {name: values.reshape(*draws.shape[:-1], *values.shape[1:]) for name, values in found.items()}

    origins = [model.at(values) for values in starts]
    return CompiledModel(
        sampler=sampler_from(model.start, 1.0),
        backend="fused",
        constrain=constrain,
        dims={name: model.dims.get(name, ()) for name in model.variables(model.start[None])},
        coords=model.coords,
        modes=tuple((origin, sampler_from(origin, NEAR_MODE)) for origin in origins),
        log_density=lambda x: model.evaluate(x)[0],
    )


def _guarded(function: Callable[..., Any], x: FloatArray) -> tuple[Any, Any]:
    """Log density and gradient; minus infinity, which rejects the step, where they are no numbers.

    A trial step far out overflows what the density is made of, and an exception there would end the whole run.
    """
    try:
        value, gradient = function(x)
    except (np.linalg.LinAlgError, ArithmeticError, ValueError):
        return np.asarray(-np.inf), np.zeros(len(x))
    if not (np.isfinite(value) and np.isfinite(gradient).all()):
        return np.asarray(-np.inf), np.zeros(len(x))
    return value, gradient


def _split(row: FloatArray, shapes: dict[str, tuple[int, ...]]) -> list[FloatArray]:
    values, start = [], 0
    for shape in shapes.values():
        size = int(np.prod(shape))
        values.append(row[start : start + size].reshape(shape))
        start += size
    return values


@single_threaded
def run_nuts(
    compiled: CompiledModel,
    *,
    draws: int,
    tune: int,
    chains: int,
    seed: int,
    progress: bool = False,
    target_accept: float = 0.9,
    cores: int | None = None,
) -> tuple[xr.Dataset, xr.Dataset]:
    """Sample a compiled model; by default on all cores that may be used, but for ``vm``.

    Returns:
        Posterior variables and sampler statistics, each with dims ``chain``, ``draw`` first; after an interruption those of
        the chains that were finished, with the attribute ``interrupted`` of the statistics set.

    Raises:
        KeyboardInterrupt: interrupted before a chain was finished.
    """
    tree, statistics = _run(
        compiled, compiled.sampler, draws=draws, tune=tune, chains=chains, seed=seed, progress=progress,
        target_accept=target_accept, cores=cores,
    )  # fmt: skip
    chains = tree["posterior"].sizes["chain"]
    if compiled.constrain is None:
        posterior = tree["posterior"].to_dataset()[list(compiled.dims)].assign_coords(chain=np.arange(chains))
        return posterior, statistics
    return _constrained(compiled, tree["posterior"]["unconstrained"].to_numpy()), statistics


@single_threaded
def run_modes(
    compiled: CompiledModel,
    *,
    draws: int,
    chains: int,
    seed: int,
    **settings: Any,
) -> tuple[xr.Dataset, xr.Dataset, ModeMixture]:
    """Sample a compiled model from each of its starting points, and put the draws together by the weights of the modes.

    Args:
        compiled: with starting points.
        draws: this and all that follows as :func:`run_nuts` takes it.
        chains: likewise.
        seed: of the first mode, that of the others follows.
        settings: the rest.

    Returns:
        As :func:`run_nuts`, and the weights.

    Raises:
        KeyboardInterrupt: interrupted; the draws of single modes are no result.
    """
    assert compiled.log_density is not None  # modes are sampled with the virtual machine
    samples, found = [], []
    for number, (_, sampler) in enumerate(compiled.modes):
        tree, statistics = _run(compiled, sampler, draws=draws, chains=chains, seed=seed + number, **settings)
        if statistics.attrs["interrupted"]:
            raise KeyboardInterrupt
        samples.append(tree["posterior"]["unconstrained"].to_numpy())
        found.append(statistics)
    starts = [start for start, _ in compiled.modes]
    mixture = weighted_modes(samples, compiled.log_density, starts=starts, rng=np.random.default_rng([seed, 4]))
    mode, draw = mixture.chosen
    chain = np.arange(chains)[:, None]
    statistics = xr.Dataset(
        {
            name: (("chain", "draw"), np.array([s[name].to_numpy() for s in found])[mode, chain, draw])
            for name, values in found[0].data_vars.items()
            if values.dims == ("chain", "draw")
        },
        coords={"chain": np.arange(chains), "draw": np.arange(draws)},
        attrs={"interrupted": 0, "bfmi": min(smallest_bfmi(s["energy"].to_numpy()) for s in found)},
    ).assign(mode=(("chain", "draw"), mode))
    return _constrained(compiled, np.array(samples)[mode, chain, draw]), statistics, mixture


def _run(
    compiled: CompiledModel,
    model: Any,
    *,
    draws: int,
    tune: int,
    chains: int,
    seed: int,
    progress: bool = False,
    target_accept: float = 0.9,
    cores: int | None = None,
) -> tuple[xr.DataTree, xr.Dataset]:
    """The finished chains, and the statistics of the sampler."""
    # The virtual machine holds the interpreter lock, so a second thread only costs.
    cores = 1 if compiled.backend == "vm" else min(chains, cores or available_cores())
    interrupted = False
    with chain_bars(chains, shown=progress) as bars:
        sampler = nutpie.sample(
            model,
            draws=draws,
            tune=tune,
            chains=chains,
            cores=cores,
            seed=seed,
            save_warmup=False,
            progress_bar=False,
            target_accept=target_accept,
            blocking=False,
            progress_callback=bars,
            progress_rate=RATE,
        )
        try:
            tree = sampler.wait()
        except KeyboardInterrupt:
            # Only whole chains are kept: shortened ones would overweight their beginning.
            tree = sampler.abort()
            energy = tree["sample_stats"]["energy"].to_numpy()
            # The trace is as long as its longest chain, the rest of the others is NaN.
            finished = ~np.isnan(energy).any(axis=1) & (energy.shape[1] == draws)
            if not finished.any():
                raise
            interrupted = True
            tree = tree.isel(chain=np.flatnonzero(finished))
            chains = int(finished.sum())
        except BaseException:
            sampler.abort()
            raise
    statistics = tree["sample_stats"].to_dataset().assign_coords(chain=np.arange(chains))
    statistics.attrs["interrupted"] = int(interrupted)
    return tree, statistics


def _constrained(compiled: CompiledModel, unconstrained: FloatArray) -> xr.Dataset:
    """Named variables of draws, shape (chains, draws, D)."""
    assert compiled.constrain is not None
    chains, draws, _ = unconstrained.shape
    values = compiled.constrain(unconstrained)
    data = {name: (("chain", "draw", *compiled.dims[name]), array) for name, array in values.items() if compiled.dims[name]}
    data |= {
        name: (("chain", "draw"), values[name]) for name in values if not compiled.dims[name] and values[name].ndim == 2
    }
    coords: dict[str, Any] = {"chain": np.arange(chains), "draw": np.arange(draws)}
    coords |= {name: compiled.coords[name] for dims in compiled.dims.values() for name in dims}
    return xr.Dataset(data, coords=coords)
