"""The ttbar+jet predictions at next-to-leading order: K, the product with LO, and the published values compared with it."""

import csv
import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize_scalar
from theory_models import SEVEN, published, shipped

import bayescomb as bc
from bayescomb.formats.toml.prediction_tables import read_prediction, read_scale_factors
from bayescomb.likelihood.theory import theory
from bayescomb.output.export.tables import qualifiers
from bayescomb.output.statements import caveats, notes, origin_data, short_notes

MODEL = Path(__file__).parents[3] / "models" / "ttj_rho"
PDF = "PDF4LHC21_40_pdfas"
MEMBERS = bc.PdfChoice(set=PDF, errors="symmetric_hessian", alpha_s=(41, 42))
ENERGIES = ["8 TeV", "13 TeV"]
ORIGIN = "NLO at 172.5 GeV, mass dependence and PDF members at LO (lo * kfactor)"


def cross_sections():
    """Rows of both orders at three masses."""
    with (MODEL / "published" / "nlo_cross_sections.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(line for line in stream if not line.startswith("#")))


def at(rows, energy, mass, *, mu_r="1", mu_f="1"):
    """Values, errors of NLO and of LO at a mass and scale point, by bin."""
    where = {"sqrt_s_tev": energy.split()[0], "m_t_gev": mass, "mu_r": mu_r, "mu_f": mu_f}
    found = [row for row in rows if all(row[key] == value for key, value in where.items())]
    return (np.array([float(row[key]) for row in found]) for key in ("nlo_pb", "nlo_error_pb", "lo_pb", "lo_error_pb"))


@pytest.mark.parametrize(
    ("energy", "mass", "error", "chi2", "ndf"), [("8 TeV", 171.30, 0.49, 37.4, 6), ("13 TeV", 170.75, 0.41, 26.6, 2)]
)
def test_closure_with_published_values(energy, mass, error, chi2, ndf):
    """Figures of an independent program: values and statistical matrices alone, LO times K without errors, normalised."""
    fit = bc.profile(published(energy, order="NLO"))
    assert fit.values.sel(parameter="m_t").item() == pytest.approx(mass, abs=0.05)
    assert fit.errors.sel(parameter="m_t").item() == pytest.approx(error, abs=0.05)
    assert (fit.chi2, fit.ndf) == (pytest.approx(chi2, abs=0.05), ndf)  # stated to 0.1


@pytest.mark.parametrize("energy", ENERGIES)
def test_chi2_with_the_errors_of_k_by_hand(energy):
    """Shares f and t of the bins, covariance J V J^T of f and that of t by the independent and the correlated errors."""
    given = published(energy, order="NLO", numerical_errors=True)
    (table,), (measurement,) = given.predictions, given.measurements
    values = np.array([e.value for e in measurement.estimates]) * table.divisors
    covariance = measurement.statistical_covariance * np.outer(table.divisors, table.divisors)
    (central,) = (i for i, v in enumerate(table.variants) if v == (PDF, 0, "ht2", 1.0, 1.0))
    curves = [np.polyfit(table.masses - 172.5, c, 4) for c in table.cross_sections[central].T]
    relative = np.hypot(table.mc_errors, table.correlated_errors)[central] / table.cross_sections[central]
    sizes = [np.polyfit(table.masses - 172.5, c**2, 4) for c in relative.T]

    def shares(contents):
        part = contents / contents.sum()
        return part, (np.eye(len(part)) - np.outer(part, np.ones(len(part)))) / contents.sum()

    def chi2(mass):
        predicted, squares = (np.array([np.polyval(p, mass - 172.5) for p in ps]) for ps in (curves, sizes))
        (f, of_f), (t, of_t) = shares(values), shares(predicted)
        total = of_f @ covariance @ of_f.T + of_t @ np.diag(squares * predicted**2) @ of_t.T
        return (f - t)[:-1] @ np.linalg.solve(total[:-1, :-1], (f - t)[:-1])

    best = minimize_scalar(chi2, bounds=(166, 179), method="bounded", options={"xatol": 1e-8})
    fit = bc.profile(given)
    # the library interpolates the errors themselves, which are flat in the mass to a hundredth
    assert fit.chi2 == pytest.approx(best.fun, rel=1e-4)
    assert fit.values.sel(parameter="m_t").item() == pytest.approx(best.x, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("energy", ENERGIES)
def test_theory_uncertainties_only_lower_chi2(energy):
    """Nested models; the lowest bin of rho lies below the prediction, which PDF members move most."""
    cases = {
        "central": {},
        "K": {"numerical_errors": True},
        "PDF": {"pdf": MEMBERS},
        "both": {"pdf": MEMBERS, "numerical_errors": True},
    }
    chi2 = {name: bc.profile(published(energy, order="NLO", **case)).chi2 for name, case in cases.items()}
    assert chi2["both"] < min(chi2["K"], chi2["PDF"]) < max(chi2["K"], chi2["PDF"]) < chi2["central"]
    assert chi2["PDF"] < chi2["K"]


def test_script_writes_the_factors_that_are_there(tmp_path):
    done = subprocess.run(
        [sys.executable, MODEL / "kfactors.py", "--check"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == ["kfactor_8tev.csv: as written", "kfactor_13tev.csv: as written"]


@pytest.mark.slow
def test_products_of_the_script_are_those_of_the_model_file(tmp_path):
    """Two ways to the same tables: plain arithmetic on the rows of the files, and ``combine`` of model.toml."""
    script = [sys.executable, MODEL / "kfactors.py", "--tables", tmp_path]
    subprocess.run(script, cwd=tmp_path, capture_output=True, check=True)
    for made in bc.load(MODEL).predictions[2:]:
        energy = f"{made.energy_tev:g}"
        path = tmp_path / f"prediction_nlo_{energy}tev.csv"
        found = read_prediction(path, name=made.name, observables=made.observables, order="NLO")
        assert set(found.variants) == set(made.variants)
        assert made.members(PDF, "ht2") == tuple(range(43))
        for variant in made.variants:
            # the script writes ten digits
            np.testing.assert_allclose(found.curve(variant), made.curve(variant), rtol=1e-9)
            np.testing.assert_allclose(found.numerical_error(variant), made.numerical_error(variant), rtol=1e-9)
            np.testing.assert_allclose(found.correlated_error(variant), made.correlated_error(variant), rtol=1e-9)


@pytest.mark.parametrize("energy", ENERGIES)
def test_factors_are_the_published_ones(energy):
    factors = read_scale_factors(MODEL / f"kfactor_{energy.split()[0]}tev.csv")
    rows = [r for r in cross_sections() if (r["sqrt_s_tev"], r["m_t_gev"]) == (energy.split()[0], "172.5")]
    position = {(p.mu_r, p.mu_f): i for i, p in enumerate(factors.points)}
    low = factors.bins[:, 0].tolist()
    assert len(rows) == factors.values.size
    for row in rows:
        i, k = position[float(row["mu_r"]), float(row["mu_f"])], low.index(float(row["bin_low"]))
        assert factors.values[i, k] == pytest.approx(float(row["k"]), abs=1.1e-5)  # given to five decimals of six digits
        assert factors.errors[i, k] == float(row["k_error"])


@pytest.mark.parametrize("energy", ENERGIES)
def test_product_is_the_next_order_at_the_mass_of_k(energy):
    table = shipped(energy, "NLO")
    (i,) = np.flatnonzero(table.masses == 172.5)
    for v in (v for v in table.variants if v.pdf_set == PDF and v.member == 0):
        values, *_ = at(cross_sections(), energy, "172.5", mu_r=f"{v.mu_r:g}", mu_f=f"{v.mu_f:g}")
        np.testing.assert_allclose(table.curve(v)[i], values, rtol=2e-6)  # factors have six decimals


@pytest.mark.parametrize(("energy", "total"), [("8 TeV", 57.20), ("13 TeV", 319.45)])
def test_total_is_the_stated_one(energy, total):
    values, *_ = at(cross_sections(), energy, "172.5")
    assert values.sum() == pytest.approx(total, abs=0.02)


@pytest.mark.parametrize("energy", ENERGIES)
def test_mass_dependence_at_leading_order_is_that_of_the_next_order(energy):
    """The next order calculated at 170 and 175 GeV against LO there times K at 172.5 GeV, with the errors of both."""
    table, rows = shipped(energy, "NLO"), cross_sections()
    central = next(v for v in table.variants if v == (PDF, 0, "ht2", 1.0, 1.0))
    for mass in ("170", "175"):
        (i,) = np.flatnonzero(table.masses == float(mass))
        values, errors, *_ = at(rows, energy, mass)
        error = np.hypot(errors, table.correlated_error(central)[i])
        chi2 = (((values - table.curve(central)[i]) / error) ** 2).sum()
        assert stats.chi2.sf(chi2, len(values)) > 0.01, (mass, chi2)


@pytest.mark.slow
@pytest.mark.parametrize("energy", ENERGIES)
def test_envelope_shrinks_with_the_order(energy):
    """The seven points move the mass by less than half of what they do at leading order."""
    width = {}
    for order in ("LO", "NLO"):
        shifts = [row.shift for row in bc.scale_envelope(published(energy, order=order, numerical_errors=True))]
        assert None not in shifts
        width[order] = max(shifts) - min(shifts)
    assert width["NLO"] < 0.5 * width["LO"]


@pytest.mark.parametrize("energy", ENERGIES)
def test_scale_parameters_at_the_seven_points_are_the_tables_there(energy):
    """Continuous scales on the NLO surface against the same extraction with its scales fixed at a point of the table."""
    given = published(energy, order="NLO")

    def with_scales(**scales):
        changed = dataclasses.replace(given.extraction_in_force, scales=bc.ScaleChoice(choice="ht2", **scales))
        return theory(given.with_extraction(changed))

    continuous = with_scales(treatment="common")
    masses = np.array([167.0, 172.5, 178.0])
    for mu_r, mu_f in SEVEN:
        fixed = with_scales(mu_r=mu_r, mu_f=mu_f)
        at_point = np.column_stack([masses, np.full(3, np.log2(mu_r)), np.full(3, np.log2(mu_f))])
        # polynomials in the mass of the cross sections, and of their logarithms: apart by what these leave, below 1e-3
        found, expected = (t.predict(x)[0] for t, x in ((continuous, at_point), (fixed, masses[:, None])))
        np.testing.assert_allclose(found, expected, rtol=1e-3)


@pytest.mark.slow
def test_correlated_scales_lie_between_independent_and_common_ones():
    """At NLO: coefficient 0 is the independent treatment, near 1 the common one, with two ways to write either."""
    given = published(*ENERGIES, order="NLO", numerical_errors=True)

    def fit(treatment, nominal=0.5):
        scales = bc.ScaleChoice(choice="ht2", treatment=treatment, prior="normal", width=0.5, nominal=nominal)
        return bc.profile(given.with_extraction(dataclasses.replace(given.extraction_in_force, scales=scales)))

    for one, other, digits in (
        (fit("correlated", 0.0), fit("independent"), 1e-6),
        (fit("correlated", 1 - 1e-7), fit("common"), 1e-4),
    ):
        for key in ("values", "errors"):
            first, second = (getattr(f, key).sel(parameter="m_t").item() for f in (one, other))
            assert first == pytest.approx(second, abs=digits)
        assert one.chi2 == pytest.approx(other.chi2, abs=digits)


@pytest.mark.slow
def test_outputs_say_what_the_predictions_are():
    combination = bc.load(MODEL, extraction="nlo_absolute_cms")
    absolute = " ".join(caveats(combination))
    for part in (ORIGIN, "rate of 13 TeV NLO open within 10", "also those common to masses, scales and PDF members"):
        assert part in absolute
    assert notes(combination) == caveats(combination)[1:]
    assert ORIGIN in short_notes(combination)
    assert ORIGIN in {name: value for name, value, _ in qualifiers(combination)}["predictions"]
    assert set(notes(combination)) <= set(origin_data(combination)["caveats"])
    shapes = " ".join(caveats(bc.load(MODEL, extraction="nlo")))
    assert ORIGIN in shapes
    assert "open within" not in shapes
    assert "NOT FOR QUOTING" not in absolute + shapes


@pytest.mark.slow
def test_rate_and_shape_of_cms_agree():
    """The measured sum is 3 % above the prediction, well within the 10 % that are open."""
    combination = bc.load(MODEL, extraction="nlo_cms_absolute")
    fixed = dataclasses.replace(combination.extraction_in_force, scales=bc.ScaleChoice(choice="ht2"))
    (row,) = bc.rate_and_shape(combination.with_extraction(fixed))
    assert (row.prediction, row.mass, row.ndf) == ("13 TeV NLO", "m_t", 1)
    assert (row.shape.ndf, row.rate.ndf, row.both.ndf) == (2, 0, 3)
    assert row.rate.chi2 == pytest.approx(0.0, abs=1e-6)
    # independent of each other but for the systematic uncertainties, which the difference in chi2 has all
    apart = row.shape.value - row.rate.value
    assert row.chi2 < 1.5 * (apart / np.hypot(row.shape.error, row.rate.error)) ** 2 + 0.5
    assert row.rate.error > 3 * row.shape.error
    assert row.p_value > 0.3
