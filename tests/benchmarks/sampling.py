"""Time and memory of sampling run1_mass: ``make bench`` prints the table that README quotes.

Every row runs in a process of its own, twice: the first compiles with empty caches, the second with what the first left on
disk. Nothing is asserted; the figures are for people.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

from caches import cold_and_warm

ROOT = Path(__file__).parents[2]


def densities():
    """Name -> function that makes a model: our one-node density, and the same written out with PyMC's MvNormal."""
    import pymc as pm
    import pytensor.tensor as pt

    import bayescomb as bc
    from bayescomb.sampling.plan import sampling_plan

    combination = bc.load(ROOT / "models" / "run1_mass")
    plan = sampling_plan(combination)

    def one_node():
        return bc.build_model(combination, plan=plan)

    def written_out():
        with pm.Model(coords={"coefficient": [c.name for c in plan.coefficients]}) as model:
            rho = pm.Uniform("rho", plan.low, plan.high, dims="coefficient")
            m_t = pm.Flat("m_t", initval=172.5)
            covariance = plan.base + pt.tensordot(rho, plan.patterns, axes=1)
            pm.MvNormal("data", plan.reduced.design[:, 0] * m_t, covariance, observed=plan.reduced.offset)
        return model

    return {"one node": one_node, "written out": written_out}


def run(density, backend):
    """One row: compile, sample, effective draws of m_t."""
    import arviz as az

    from bayescomb.sampling.nuts.run import compile_model, run_nuts

    start = time.perf_counter()
    model = densities()[density]()
    clock = time.perf_counter()
    compiled = compile_model(model, backend=backend, spread={"m_t": 0.3})
    # The first evaluation compiles the kernel where the backend itself does not.
    run_nuts(compiled, draws=1, tune=1, chains=1, seed=0)
    ready = time.perf_counter()
    posterior, statistics = run_nuts(compiled, draws=1500, tune=500, chains=4, seed=1)
    sampled = time.perf_counter() - ready
    ess = float(az.ess(posterior["m_t"].to_numpy()))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{density:12s} {backend:6s} build {clock - start:5.1f} s  compile {ready - clock:6.1f} s  "
        f"sample {sampled:5.1f} s  "
        f"ESS(m_t)/s {ess / sampled:6.0f}  divergences {int(statistics['diverging'].sum())}  memory {memory:5.0f} MB",
        flush=True,
    )


def main():
    """All rows, each cold and warm."""
    for density, backend in (("one node", "vm"), ("one node", "numba"), ("written out", "numba"), ("written out", "vm")):
        with tempfile.TemporaryDirectory() as cache:
            cold_and_warm(cache, __file__, density, backend)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        run(*sys.argv[1:])
    else:
        main()
