"""The extraction "nlo" of ttj_rho at true size: both engines, and the cost of a gradient against the number of nuisances.

Every engine runs in a process of its own, twice: the first compiles with empty caches, the second with what the first left
on disk.  The whole `bayescomb sample` is timed besides, imports and recovery of all nuisances included.
"""

import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from caches import cold_and_warm

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "ttj_rho"
SIZES = (350, 1000, 3000)
ASSUMPTIONS = "jes_modelling"
EXTRACTION = "nlo"


def run_engine(engine, backend):
    """One row: compile, sample, effective draws of m_t."""
    import arviz as az

    import bayescomb as bc
    from bayescomb.sampling.nuts.run import compile_model, run_nuts
    from bayescomb.sampling.plan import sampling_plan

    start = time.perf_counter()
    combination = bc.load(MODEL, extraction=EXTRACTION).with_assumptions(ASSUMPTIONS)
    plan = sampling_plan(combination)
    model = bc.build_model(combination, plan=plan, engine=engine)
    clock = time.perf_counter()
    compiled = compile_model(model, backend=backend)
    # The first evaluation compiles the kernel where the backend itself does not.
    run_nuts(compiled, draws=1, tune=1, chains=1, seed=0, target_accept=0.8)
    ready = time.perf_counter()
    draws, statistics = run_nuts(compiled, draws=500, tune=400, chains=4, seed=1, target_accept=0.8)
    sampled = time.perf_counter() - ready
    ess = float(az.ess(draws["m_t"].to_numpy()))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{engine:8s} {backend:5s} load and plan {clock - start:5.1f} s  compile {ready - clock:6.1f} s  sample "
        f"{sampled:6.1f} s  ESS(m_t) {ess:5.0f}, per second {ess / sampled:6.1f}  "
        f"divergences {int(statistics['diverging'].sum())}  memory {memory:5.0f} MB",
        flush=True,
    )


def gradient_cost():
    """Microseconds per log density and gradient without sampled coefficients, for more and more nuisances."""
    import pytensor

    import bayescomb as bc
    from bayescomb.sampling.plan import sampling_plan

    published = bc.load(MODEL, extraction=EXTRACTION).with_assumptions("none")
    for size in SIZES:
        combination = enlarged(published, size)
        clock = time.perf_counter()
        plan = sampling_plan(combination)
        planned = time.perf_counter() - clock
        for engine in ("marginal", "full"):
            model = bc.build_model(combination, plan=plan, engine=engine)
            mode = pytensor.compile.mode.Mode(linker="vm", optimizer="fast_run").excluding("BlasOpt", "c_blas", "local_usmm")
            point = model.initial_point()
            density = model.logp_dlogp_function(ravel_inputs=True, mode=mode, initial_point=point)
            density.set_extra_values({})
            function = density._pytensor_function
            x = np.concatenate([np.ravel(v) for v in point.values()])
            function(x)
            repeat = 2000 if engine == "marginal" else 50
            clock = time.perf_counter()
            for _ in range(repeat):
                function(x)
            cost = (time.perf_counter() - clock) / repeat
            print(f"{size:5d} nuisances  {engine:8s} {1e6 * cost:8.0f} us per gradient (plan {planned:.1f} s)", flush=True)


def enlarged(combination, size):
    """The combination with its externalised nuisances split until there are as many as asked for, the same in sum."""
    import dataclasses

    external = combination.measurements[0]
    copies = int(np.ceil((size - len(combination.nuisances)) / len(external.nuisances))) + 1
    nuisances = [dataclasses.replace(n, name=f"{n.name}#{k}") for k in range(copies) for n in external.nuisances]
    split = dataclasses.replace(
        external, nuisances=tuple(nuisances), responses=np.tile(external.responses, copies) / np.sqrt(copies)
    )
    sets = {"none": dataclasses.replace(combination.assumption_sets["none"])}
    return dataclasses.replace(
        combination, measurements=(split, *combination.measurements[1:]), assumption_sets=sets, impact_groups={}
    )


def main():
    """All rows."""
    print(f"{MODEL.name}, extraction {EXTRACTION!r}, assumption set {ASSUMPTIONS!r}", flush=True)
    for engine, backend in (("marginal", "vm"), ("marginal", "numba"), ("full", "numba")):
        with tempfile.TemporaryDirectory() as cache:
            environment = cold_and_warm(cache, __file__, engine, backend)
            if backend == "vm":
                clock = time.perf_counter()
                command = ["bayescomb.cli.main", "sample", str(MODEL), "--draws", "500", "--tune", "400", "--seed", "1"]
                command += ["--assumptions", ASSUMPTIONS, "--extraction", EXTRACTION, "--output", f"{cache}/posterior.nc"]
                script = "import sys; from bayescomb.cli.main import main; sys.exit(main(sys.argv[2:]))"
                subprocess.run([sys.executable, "-c", script, *command], check=False, env=environment)
                print(f"warm: whole command {time.perf_counter() - clock:.1f} s", flush=True)
    gradient_cost()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if len(sys.argv) == 3:
        run_engine(*sys.argv[1:])
    else:
        main()
