"""Two analyses of one cross section as pyhf workspaces that share two nuisances, apart and together.

Counts are large and the effects small, so that likelihoods are Gaussian; the data pull the jet energy scale in opposite
directions, so that the pulls matter.
"""

import pyhf

OPTIONS = {"return_uncertainties": True, "return_correlations": True}


def workspace(name, *, signal, background, data, jes_signal, jes_background, own):
    """A channel: a free signal strength, luminosity (2 %), jet energy scale, a background norm, template statistics."""

    def shifted(counts, sizes, sign):
        return [count * (1 + sign * size) for count, size in zip(counts, sizes, strict=True)]

    def jes(counts, sizes):
        data = {"hi_data": shifted(counts, sizes, 1), "lo_data": shifted(counts, sizes, -1)}
        return {"name": "jes", "type": "histosys", "data": data}

    signals = [
        {"name": "mu", "type": "normfactor", "data": None},
        {"name": "lumi", "type": "normsys", "data": {"hi": 1.02, "lo": 1 / 1.02}},
        jes(signal, jes_signal),
    ]
    backgrounds = [
        {"name": f"bkg_{name}", "type": "normsys", "data": {"hi": 1 + own, "lo": 1 / (1 + own)}},
        jes(background, jes_background),
        {"name": f"staterror_{name}", "type": "staterror", "data": [0.003 * count for count in background]},
    ]
    samples = [
        {"name": "signal", "data": signal, "modifiers": signals},
        {"name": "background", "data": background, "modifiers": backgrounds},
    ]
    return pyhf.Workspace(
        {
            "channels": [{"name": name, "samples": samples}],
            "observations": [{"name": name, "data": data}],
            "measurements": [{"name": "fit", "config": {"poi": "mu", "parameters": []}}],
            "version": "1.0.0",
        }
    )


CHANNELS = {
    "north": {
        "signal": [8000.0, 30000.0, 12000.0],
        "background": [60000.0, 20000.0, 20000.0],
        "data": [70900.0, 51050.0, 32000.0],
        "jes_signal": [0.03, 0.0, -0.03],
        "jes_background": [0.04, 0.01, -0.02],
        "own": 0.05,
    },
    "south": {
        "signal": [10000.0, 40000.0],
        "background": [50000.0, 24000.0],
        "data": [60000.0, 64700.0],
        "jes_signal": [0.02, -0.01],
        "jes_background": [0.03, -0.02],
        "own": 0.04,
    },
}


def workspaces():
    """North, South, and both together, which share what has one name in both."""
    north, south = (workspace(name, **channel) for name, channel in CHANNELS.items())
    return north, south, pyhf.Workspace.combine(north, south, join="left outer")


def fitted(space):
    """Model, and result of ``mle.fit`` with uncertainties and correlations."""
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(strategy=2, tolerance=1e-4))
    model = space.model()
    return model, pyhf.infer.mle.fit(space.data(model), model, **OPTIONS)


def of(model, fit, name):
    """Value and error of a parameter."""
    return tuple(map(float, fit[0][model.config.par_names.index(name)]))
