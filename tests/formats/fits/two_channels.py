"""Figures of two analyses of one cross section, as histograms: for pyhf (two_workspaces.py) and RooFit (data/fits).

Counts are large and effects small, so that likelihoods are Gaussian; the data of the two pull the jet energy scale in
opposite directions, so that the pulls matter.  Per bin: counts of signal and background, what +1 sigma of the jet energy
scale does to them as a fraction, data.  ``own`` is the uncertainty of each background's norm.
"""

LUMINOSITY = 0.02
# Of the background in each bin, relative.
STATISTICS = 0.003

CHANNELS = {
    "north": {
        "signal": [3000.0, 8000.0, 12000.0, 4000.0],
        "background": [40000.0, 20000.0, 9000.0, 6000.0],
        "jes_signal": [-0.03, 0.0, 0.02, 0.05],
        "jes_background": [-0.02, 0.01, 0.03, 0.06],
        "own": 0.05,
        "data": [43000.0, 28600.0, 21700.0, 10600.0],
    },
    "south": {
        "signal": [2000.0, 7000.0, 9000.0, 3000.0, 1000.0],
        "background": [30000.0, 12000.0, 11000.0, 8000.0, 3000.0],
        "jes_signal": [-0.02, 0.0, 0.02, 0.03, 0.05],
        "jes_background": [0.0, 0.01, 0.015, 0.02, 0.03],
        "own": 0.03,
        "data": [31700.0, 18900.0, 20100.0, 10950.0, 3980.0],
    },
}
