"""ATLAS 8 TeV: shifts of the yields by each nuisance, from the published shift of the extracted mass by each source.

One number per source is public.  The yields are therefore shifted along the change of the predicted distribution with the
mass: by d S dt/dm for a nuisance that shifts the mass by d, with t(m) the predicted normalised distribution and S the sum of
the measured yields.  Any estimate of the mass that is linear in the distribution and unbiased then moves by exactly d,
whatever the weights of the bins.

Ours are the division of a source's square over its nuisances (``WEIGHTS``) and the signs.  The nuisances that are correlated
with one of CMS move the mass up at +1 sigma, as their CMS partners do, the others of a source up and down in turn.  Whether
ATLAS and CMS move alike is not published; it decides how the correlation of a pair acts.

Three sources of the mass, 0.2 GeV each, have no nuisance with a public name (Monte Carlo statistics, unfolding modelling,
fit parameterisation) and are left out: the named ones are 0.87 GeV in quadrature, all of them 0.94, and 0.9 is published.
123 nuisances are public, while the talk on the combination counts 122; all are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

__all__ = ["ATLAS_COMMENT", "atlas_shifts"]

ATLAS_COMMENT = """
ATLAS 8 TeV, lepton+jets: ttbar + 1 jet yields (events) in eight bins of rho. Written by reconstruct.py.
published: values, statistical uncertainties and correlations (the matrix, of the estimates alone), names of the nuisances
reconstructed: the shifts of the table behind it, from one published mass shift per source, see reconstruct_atlas.py
"""

MASS = 171.38  # GeV; near where this prediction fits the measured distribution, so that shifts there are those of the fit
DEGREE = 4
CENTRAL = {"pdf_set": "PDF4LHC21_40_pdfas", "member": "0", "scale_choice": "ht2", "mu_r": "1", "mu_f": "1"}

# Relative sizes inside a source; the first pattern that fits counts, 1 where none does.
WEIGHTS = {
    "*_scale_b": 3.0,
    "*_flavorcomp": 3.0,
    "*_flavorresponse": 2.5,
    "*_EtaIntercalibrationModel": 2.5,
    "*_PileupRho": 1.5,
    "*_Model1": 1.5,
    "*_scale_j_*Stat*": 0.5,
    "*_PunchThrough": 0.2,
    "*_SinglePart": 0.2,
    "*_eff_b_heavy_highpte": 0.5,
    "*_res_j_np0": 2.0,
}
# Correlated with a CMS nuisance in an assumption set.
PAIRED = (
    "*_scale_b",
    "*_flavorresponse",
    "*_EtaIntercalibrationModel",
    "*_scale_j_Mix?",
    "*_scale_j_Model?",
    "*_modelling_ttbar_*",
)


def atlas_shifts(
    nuisances: Sequence[Mapping[str, str]],
    sources: Sequence[Mapping[str, str]],
    estimates: Sequence[Mapping[str, str]],
    prediction: Sequence[Mapping[str, str]],
) -> dict[str, NDArray[np.float64]]:
    """Nuisance -> shift of each yield, in events."""
    slope = sum(float(row["value"]) for row in estimates) * _slope(prediction, [float(row["bin_low"]) for row in estimates])
    published = {row["source"]: float(row["m_t_pole"]) for row in sources}
    mass_shift = {}
    for source in dict.fromkeys(row["source"] for row in nuisances):
        members = [row["nuisance"] for row in nuisances if row["source"] == source]
        weights = np.array([_weight(name) for name in members])
        sizes = published[source] * weights / np.linalg.norm(weights)
        free = 0
        for name, size in zip(members, sizes, strict=True):
            down = not _fits(name, PAIRED) and free % 2 == 1
            free += not _fits(name, PAIRED)
            mass_shift[name] = -size if down else size
    return {row["nuisance"]: mass_shift[row["nuisance"]] * slope for row in nuisances}


def _slope(prediction: Sequence[Mapping[str, str]], lows: Sequence[float]) -> NDArray[np.float64]:
    """Change of the predicted normalised distribution with the mass, per GeV."""
    rows = [row for row in prediction if all(row[key] == value for key, value in CENTRAL.items())]
    masses = sorted({float(row["m_t_gev"]) for row in rows})
    cell = {(float(row["m_t_gev"]), float(row["bin_low"])): float(row["xsec_pb"]) for row in rows}
    cross_sections = np.array([[cell[mass, low] for low in lows] for mass in masses])
    shares = cross_sections / cross_sections.sum(axis=1, keepdims=True)
    return np.array([np.polynomial.Polynomial.fit(masses, share, DEGREE).deriv()(MASS) for share in shares.T])


def _weight(name: str) -> float:
    return next((weight for pattern, weight in WEIGHTS.items() if fnmatchcase(name, pattern)), 1.0)


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
