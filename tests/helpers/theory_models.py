"""Small predictions made from exact polynomials, combinations that use them, and the published ttbar+jet cross sections."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import bayescomb as bc
from bayescomb.formats.toml.prediction_tables import COLUMNS, read_prediction, read_scale_factors
from bayescomb.inputs.theory.predictions import Variant, scaled_prediction

TABLES = Path(__file__).parents[2] / "models" / "ttj_rho"
MASSES = np.linspace(165.0, 180.0, 7)
# What is open about the rate of a generated table that shares errors.
OPEN, OPEN_SIZE = "another total", 0.05
SEVEN = ((1.0, 1.0), (2.0, 1.0), (0.5, 1.0), (1.0, 2.0), (1.0, 0.5), (2.0, 2.0), (0.5, 0.5))


@dataclass(frozen=True)
class Truth:
    """Cross sections T_b(m, x, y) = P_b(u) exp(c_b(u) . (x, x^2, y, y^2, xy, xy(x + y)/2)), u = (m - 172.5)/7.5.

    Members multiply by 1 + d_kb(u); all of them are polynomials, lowest power first.
    """

    base: np.ndarray  # (powers, B)
    scales: np.ndarray  # (powers, 6, B)
    shifts: np.ndarray  # (powers, K, B)
    numerical: np.ndarray  # (B,), relative

    @property
    def correlated(self):
        """Relative errors that all masses and variants of a bin share, shape (B,)."""
        return 3 * self.numerical[::-1]

    def cross_sections(self, mass, x=0.0, y=0.0):
        u = (mass - 172.5) / 7.5
        shapes = np.array([x, x * x, y, y * y, x * y, x * y * (x + y) / 2])
        return at(self.base, u) * np.exp(shapes @ at(self.scales, u))

    def relative(self, mass):
        """Relative shifts per unit of a nuisance, shape (K, B)."""
        return at(self.shifts, (mass - 172.5) / 7.5)


def at(coefficients, u):
    return sum(c * u**p for p, c in enumerate(coefficients))


def truth(seed, *, bins=3, members=2, size=10.0, spread=0.15):
    """Falling or rising with the mass by bin, by a fraction of the order of the spread."""
    rng = np.random.default_rng(seed)
    level = size * rng.uniform(0.5, 2.0, bins)
    slope, bend = np.linspace(-spread, spread, bins), rng.normal(0, 0.05, (2, bins)) * spread
    return Truth(
        base=level * np.array([np.ones(bins), slope, *bend]),
        scales=np.array([rng.normal(0, 0.1, (6, bins)), rng.normal(0, 0.01, (6, bins))]),
        shifts=np.array([rng.normal(0, 0.02, (members, bins)), rng.normal(0, 0.005, (members, bins))]),
        numerical=rng.uniform(1e-3, 3e-3, bins),
    )


def prediction(made, name="p", *, observables=None, per_bin_width=False, alpha_s=False, shared=False, **changes):
    """The table of a truth: members at scale factors of 1, the last two with other alpha_s where that is asked for.

    Shared errors are those of a bin that all masses and variants have, and an open rate.
    """
    bins = made.base.shape[1]
    variants = [Variant("set", 0, "mt", r, f) for r, f in SEVEN]
    curves = [np.array([made.cross_sections(m, np.log2(r), np.log2(f)) for m in MASSES]) for r, f in SEVEN]
    signs = [(k, 1.0) for k in range(made.shifts.shape[1])]
    if alpha_s:
        signs[-1:] = [(len(signs) - 1, -1.0), (len(signs) - 1, 1.0)]
    for i, (k, sign) in enumerate(signs):
        variants.append(Variant("set", i + 1, "mt", 1.0, 1.0))
        curves.append(np.array([made.cross_sections(m) * (1 + sign * made.relative(m)[k]) for m in MASSES]))
    widths = 0.5 + 0.5 * np.arange(bins)
    edges = np.concatenate([[0.0], np.cumsum(widths)])
    settings = {
        "name": name,
        "observables": observables or [f"{name}{i}" for i in range(bins)],
        "order": "NLO",
        "mass_scheme": "pole",
        "energy_tev": 13.0,
        "per_bin_width": per_bin_width,
        "bins": np.column_stack([edges[:-1], edges[1:]]),
        "masses": MASSES,
        "variants": variants,
        "cross_sections": np.array(curves),
        "mc_errors": np.array(curves) * made.numerical,
    }
    if shared:
        settings |= {"correlated_errors": np.array(curves) * made.correlated, "rate_errors": {OPEN: OPEN_SIZE}}
    return bc.Prediction(**(settings | changes))


def extraction(distributions, *, errors="none", treatment="fixed", pdf=None, scales=None, **changes):
    """Of a generated table, without theory uncertainties where none are asked for."""
    settings = {
        "name": "mass",
        "distributions": distributions,
        "pdf": bc.PdfChoice(**({"set": "set", "errors": errors} | (pdf or {}))),
        "scales": bc.ScaleChoice(**({"choice": "mt", "treatment": treatment} | (scales or {}))),
        "numerical_errors": False,
    }
    return bc.Extraction(**(settings | changes))


def measured(name, observables, values, covariance, *, nuisances=(), responses=None, fit=None):
    """A measurement with one estimate per observable."""
    return bc.Measurement(
        name=name,
        experiment=name,
        estimates=tuple(
            bc.Estimate(name=f"{name}.{o}", value=float(v), observables={o: 1.0})
            for o, v in zip(observables, values, strict=True)
        ),
        statistical_covariance=covariance,
        nuisances=tuple(bc.Nuisance(name=n) for n in nuisances),
        responses=np.zeros((len(observables), 0)) if responses is None else responses,
        fit=fit,
    )


def combination(measurements, predictions, chosen=None, *, coefficients=(), extra=()):
    """Everything that the predictions name, and the extra observables, in a combination with one assumption set."""
    names = list(dict.fromkeys([name for p in predictions for name in p.observables] + list(extra)))
    made = bc.Combination(
        name="theory",
        measurements=tuple(measurements),
        observables=tuple(bc.Observable(name=name, unit="pb") for name in names),
        assumption_sets={"set": bc.AssumptionSet(name="set", coefficients=tuple(coefficients))},
        assumptions="set",
        predictions=tuple(predictions),
    )
    return made if chosen is None else made.with_extraction(chosen)


def simple(made, chosen, *, relative=0.02, noise=0.5, mass=172.0, seed=5, **changes):
    """One measurement of one generated prediction, correlated, near the truth at a mass; name of the prediction: p."""
    table = prediction(made, **changes)
    rng = np.random.default_rng(seed)
    values = made.cross_sections(mass) / table.divisors
    root = rng.normal(size=(len(values),) * 2) + 3 * np.eye(len(values))
    root *= relative * values[:, None] / np.linalg.norm(root, axis=1, keepdims=True)
    values = values + noise * root @ rng.normal(size=len(values))
    return combination([measured("m", table.observables, values, root @ root.T)], [table], chosen)


def written_rows(table):
    """Rows of a table by column, as texts; variants outermost."""
    rows = []
    for i, v in enumerate(table.variants):
        for j, m in enumerate(table.masses):
            for k, (low, high) in enumerate(table.bins):
                numbers = (m, low, high, table.cross_sections[i, j, k], table.mc_errors[i, j, k])
                cells = [table.energy_tev, v.pdf_set, v.member, v.scale_choice, v.mu_r, v.mu_f, *map(float, numbers)]
                rows.append(dict(zip(COLUMNS, map(str, cells), strict=True)))
    return rows


def write_table(path, rows, *, columns=COLUMNS, head="# a comment\n"):
    """The rows as a CSV file."""
    lines = [",".join(columns), *(",".join(row[c] for c in columns) for row in rows)]
    path.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
    return path


# The figures of the two publications: ATLAS, JHEP 11 (2019) 150 (events); CMS, JHEP 07 (2023) 077 (pb per unit of rho).
ATLAS = {
    "values": [748.6923076923076, 1988.235576923077, 4850.7692307692305, 5793.75, 7780.192307692308, 1441.0576923076922,
               723.451923076923, 248.47115384615384],
    "stat": [54.6146228278, 98.2002194453, 144.1914209146, 151.6300728552, 168.6938324232, 60.2973554966, 33.4017688451,
             22.2787133557],
    "correlation": [
        [-0.1698036622],
        [-0.0560923761, -0.185528228],
        [0.0229718393, -0.0371120669, -0.1743267177],
        [0.03382784, -0.0443593303, 0.0411240488, -0.1997176404],
        [-0.1296522464, 0.045880677, 0.0787818037, -0.0212554365, -0.0791276602],
        [-0.0571443626, -0.0078879667, 0.0572351584, 0.0519086077, -0.2566137235, 0.2160925396],
        [0.0111945413, -0.0349918045, -0.0011602069, 0.0490498497, -0.1716660094, -0.0710105023, 0.3908856465],
    ],
}  # fmt: skip
CMS = {
    "values": [107.546886, 611.872484, 672.142352, 131.209872],
    "stat": [1.6718, 6.2141, 5.1791, 3.1556],
    "correlation": [[-0.4069], [0.1239, -0.4628], [-0.0341, 0.1578, -0.5340]],
}
PUBLISHED = {"8 TeV": ("ATLAS", ATLAS, "prediction_8tev.csv", False), "13 TeV": ("CMS", CMS, "prediction_13tev.csv", True)}


def shipped(energy, order="LO"):
    """The shipped prediction of an energy, ``"8 TeV"`` or ``"13 TeV"``; at NLO, the product LO * K."""
    experiment, figures, file, per_bin_width = PUBLISHED[energy]
    observables = [f"{experiment} {i}" for i in range(1, len(figures["values"]) + 1)]
    table = read_prediction(TABLES / file, name=energy, observables=observables, order="LO", per_bin_width=per_bin_width)
    if order == "LO":
        return table
    factors = read_scale_factors(TABLES / file.replace("prediction", "kfactor"))
    return scaled_prediction(table, factors, order=order, members_at="mt")


def published(*energies, order="LO", **changes):
    """Published values and statistical matrices with the shipped predictions; normalised, scale ht2, no nuisances."""
    tables = [shipped(energy, order) for energy in energies]
    measurements = []
    for table in tables:
        experiment, figures, *_ = PUBLISHED[table.name]
        n = len(figures["values"])
        correlation = np.eye(n)
        for i, row in enumerate(figures["correlation"], 1):
            correlation[i, :i] = correlation[:i, i] = row
        covariance = correlation * np.outer(figures["stat"], figures["stat"])
        measurements.append(measured(experiment, table.observables, figures["values"], covariance))
    chosen = extraction(dict.fromkeys(energies, "normalised"), pdf={"set": "PDF4LHC21_40_pdfas"}, scales={"choice": "ht2"})
    return combination(measurements, tables, dataclasses.replace(chosen, **changes))
