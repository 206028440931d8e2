"""The worked example of Convino, built in code, and what the C++ program printed for it.

Figures: J. Kieseler, EPJC 77 (2017) 792, example configuration of Convino 1.2 and its output (Minuit2 with MINOS).
"""

import numpy as np

import bayescomb as bc


def lower_triangle(rows):
    """Symmetric matrix from the rows of its lower triangle."""
    matrix = np.zeros((len(rows), len(rows)))
    for i, row in enumerate(rows):
        matrix[i, : i + 1] = matrix[: i + 1, i] = row
    return matrix


def estimate(name, value, observable):
    return bc.Estimate(name=name, value=value, observables={observable: 1.0})


def nuisances(names, relative=()):
    return tuple(bc.Nuisance(name=n, response="relative" if n in relative else "absolute") for n in names.split())


def pair(first, second, nominal, low=None, high=None, **scan):
    pairs = (bc.CorrelationPair(first=first, second=second),)
    name = f"{first} x {second}"
    return bc.CorrelationCoefficient(name=name, pairs=pairs, nominal=nominal, low=low, high=high, **scan)


def worked_example(chi2="pearson"):
    first = bc.Measurement(
        name="m1",
        estimates=(estimate("estimate_a1", 810, "combined_a"), estimate("estimate_b1", 310, "combined_b")),
        statistical_covariance=np.diag([6.0**2, 2.0**2]),
        nuisances=nuisances("sys_a1 sys_b1 sys_c1", relative=["sys_c1"]),
        responses=np.array([[5, 6.1, 2], [3, 1, 4.0]]),
    )
    correlation = lower_triangle(
        [
            [1],
            [0, 1],
            [0, -0.2, 1],
            [-0.2, 0.1, 0, 1],
            [0.1826484018, 0.0652968037, 0.5479452055, 0.105936073, 1],
            [0.0826484018, 0.3652968037, 0.1479452055, 0.4305936073, 0, 1],
        ]
    )
    sigma = np.array([1, 1, 1, 1, 10.6, 12.8])
    order = [4, 5, 0, 1, 2, 3]
    information = np.linalg.inv((correlation * np.outer(sigma, sigma))[np.ix_(order, order)])
    second = bc.Measurement(
        name="m2",
        estimates=(estimate("estimate_a2", 790, "combined_a"), estimate("estimate_b2", 290, "combined_b")),
        fit=bc.FittedInput(
            nuisances=nuisances("sys_a2 sys_b2 sys_c2 sys_d2", relative=["sys_c2"]),
            information=(information + information.T) / 2,
            pulls=np.zeros(4),
        ),
    )
    hessian = lower_triangle(
        [
            [1944.6],
            [-1349.0, 1154.4],
            [1030.3, -638.6, 593.45],
            [-0.525, 0.5398, -0.231, 3.25e-4],
            [-0.708, 0.2706, -0.448, 0, 4.89e-4],
        ]
    )
    order = [3, 4, 0, 1, 2]
    third = bc.Measurement(
        name="m3",
        estimates=(estimate("estimate_a3", 800, "combined_a"), estimate("estimate_b3", 300, "combined_b")),
        fit=bc.FittedInput(
            nuisances=nuisances("sys_a3 sys_b3 sys_c3", relative=["sys_c3"]),
            information=hessian[np.ix_(order, order)],
            pulls=np.zeros(3),
        ),
        nuisances=nuisances("sys_d3 sys_e3"),
        responses=np.array([[5, 6.1], [-3, 1]]),
        down_responses=-np.array([[3, 6.1], [-4, 1]]),
    )
    line = {"scan_group": "sys_a1 x (sys_c2, sys_c1)"}
    coefficients = (
        pair("sys_a1", "sys_b2", 0, -0.9, 0.9),
        pair("sys_a1", "sys_c2", 0.2, -0.9, 0.9, **line),
        pair("sys_a1", "sys_c1", 0.2, -0.4, 0.4, descending=True, **line),
        pair("sys_d2", "sys_c1", 0.9),
    )
    return bc.Combination(
        name="worked_example",
        measurements=(first, second, third),
        observables=(bc.Observable(name="combined_a"), bc.Observable(name="combined_b")),
        assumption_sets={"nominal": bc.AssumptionSet(name="nominal", coefficients=coefficients)},
        assumptions="nominal",
        chi2=chi2,
        impact_groups={"a_unc": ("sys_a1", "sys_a2", "sys_a3"), "b_unc": ("sys_b1", "sys_b2", "sys_b3")},
    )


# chi2; values; up; down; group impacts in percent of the value
GOLDEN = {
    "pearson": {
        "chi2": 4.11332,
        "value": [798.690, 306.101],
        "up": [7.62619, 5.50503],
        "down": [-7.58072, -5.39961],
        "covariance": [[57.810867, 20.251881], [20.251881, 29.719391]],
        "groups": {"a_unc": [0.43073071, 1.09068057], "b_unc": [0.44597664, 0.22483292]},
        "pulls": [
            -0.76322, -0.66164, -0.12468, 0.40936, 0.56989, 0.60819, 0.16972, 0.00841, 0.00792, -0.00196, -0.00060, -0.00063,
        ],
    },
    "neyman": {
        "chi2": 4.15062,
        "value": [798.67, 306.074],
        "up": [7.61533, 5.50202],
        "down": [-7.58341, -5.39862],
        "covariance": [[57.750255, 20.183146], [20.183146, 29.700234]],
        "groups": {"a_unc": [0.43027676, 1.08941447], "b_unc": [0.44356505, 0.23077908]},
        "pulls": [-0.7719, -0.6603, -0.1214, 0.413, 0.585, 0.609, 0.177, 0.008, 0.007, -0.0019, -0.0005, -0.0006],
    },
}  # fmt: skip
# Simple impacts in percent, in the order of the nuisances.
SIMPLE = {
    "pearson": [
        [0.42245871, 1.07549682], [0.43819387, 0.06559873], [0.26339858, 1.43033997], [0.11468358, 0.09993507],
        [0.09434858, 0.21312455], [0.46765065, 0.47122054], [0.20796876, 1.19114722], [0.01534341, 0.03575895],
        [0.04549773, 0.03416195], [0.01967617, 0.01151827], [0.00088396, 0.00033301], [0.00122816, 0.00066948],
    ],
    "neyman": [
        [0.42153515, 1.07395909], [0.43538915, 0.06579476], [0.26239152, 1.43104800], [0.11530861, 0.09835426],
        [0.09428277, 0.21901297], [0.46921554, 0.47216469], [0.20745575, 1.19434601], [0.01519601, 0.03583892],
        [0.04558466, 0.03425805], [0.01952553, 0.01198992], [0.00088708, 0.00031312], [0.00122878, 0.00065919],
    ],
}  # fmt: skip
# (coefficients), chi2, a, b of the two scans under Pearson; their ends are infeasible.
SCANS = {
    "sys_a1 x sys_b2": [
        ((-0.54,), 3.67932, 798.317, 305.750), ((-0.18,), 3.95735, 798.553, 305.972),
        ((0.18,), 4.28243, 798.841, 306.244), ((0.54,), 4.66704, 799.197, 306.578),
    ],
    "sys_a1 x (sys_c2, sys_c1)": [
        ((-0.54, 0.24), 3.37245, 798.977, 305.433), ((-0.18, 0.08), 3.80564, 799.115, 306.226),
        ((0.18, -0.08), 4.38429, 799.302, 307.285), ((0.54, -0.24), 5.19704, 799.564, 308.774),
    ],
}  # fmt: skip
