"""The two analyses of two_channels.py as pyhf workspaces that share two nuisances, apart and together."""

import logging

import pyhf
from two_channels import CHANNELS, LUMINOSITY, STATISTICS

# Which says that joining channels of other names would go wrong if they had the same.
logging.getLogger("pyhf.workspace").setLevel(logging.ERROR)

OPTIONS = {"return_uncertainties": True, "return_correlations": True}


def workspace(name, *, signal, background, data, jes_signal, jes_background, own):
    """A channel: a free signal strength, luminosity, jet energy scale, a background norm, template statistics."""

    def shifted(counts, sizes, sign):
        return [count * (1 + sign * size) for count, size in zip(counts, sizes, strict=True)]

    def jes(counts, sizes):
        data = {"hi_data": shifted(counts, sizes, 1), "lo_data": shifted(counts, sizes, -1)}
        return {"name": "jes", "type": "histosys", "data": data}

    signals = [
        {"name": "mu", "type": "normfactor", "data": None},
        {"name": "lumi", "type": "normsys", "data": {"hi": 1 + LUMINOSITY, "lo": 1 / (1 + LUMINOSITY)}},
        jes(signal, jes_signal),
    ]
    backgrounds = [
        {"name": f"bkg_{name}", "type": "normsys", "data": {"hi": 1 + own, "lo": 1 / (1 + own)}},
        jes(background, jes_background),
        {"name": f"staterror_{name}", "type": "staterror", "data": [STATISTICS * count for count in background]},
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


def workspaces():
    """North, South, and both together, which share what has one name in both."""
    north, south = (workspace(name, **channel) for name, channel in CHANNELS.items())
    return north, south, pyhf.Workspace.combine(north, south, join="left outer")


def fitted(space):
    """Model, and result of ``mle.fit`` with uncertainties and correlations."""
    pyhf.set_backend("numpy", "minuit")
    model = space.model()
    return model, pyhf.infer.mle.fit(space.data(model), model, **OPTIONS)


def of(model, fit, name):
    """Value and error of a parameter."""
    return tuple(map(float, fit[0][model.config.par_names.index(name)]))
