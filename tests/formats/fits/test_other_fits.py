"""Fits of iminuit and zfit, a covariance in CSV, and posteriors of PyMC, as inputs; and their entries of a model file."""

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from iminuit import Minuit
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import (
    FileFormatError,
    FitError,
    InvalidMatrixError,
    InvalidNumberError,
    OptionError,
    PosteriorError,
    UnknownNameError,
)

# A line through three points with a common scale of 2 % and an offset of prior width 1; all linear, so that the covariance
# is the inverse of D^T D with the design D of the weighted residuals.
DESIGN = np.array([[1 / 3.0, 0.4, 0.0], [1 / 4.0, 0.2, 0.5], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
DATA = np.array([31.0, 24.2, 0.0, 0.0])
BEST = np.linalg.lstsq(DESIGN, DATA, rcond=None)[0]
COVARIANCE = np.linalg.inv(DESIGN.T @ DESIGN)
NAMES = ["sigma", "jes", "norm"]


def chi2(sigma, jes, norm, spare=0.0):
    residual = DESIGN @ [sigma, jes, norm] - DATA
    return residual @ residual + spare**2


@pytest.fixture
def minuit():
    fit = Minuit(chi2, sigma=90.0, jes=0.0, norm=0.0, spare=0.0)
    fit.fixed["spare"] = True
    fit.migrad()
    fit.hesse()
    return fit


def check(measurement):
    np.testing.assert_allclose(measurement.estimates[0].value, BEST[0], rtol=1e-6)
    np.testing.assert_allclose(measurement.fit.pulls, BEST[1:], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.linalg.inv(measurement.fit.information), COVARIANCE, rtol=1e-4, atol=1e-6)
    assert [n.name for n in measurement.all_nuisances] == NAMES[1:]


class TestMinuit:
    def test_is_the_closed_form(self, minuit):
        check(bc.fits.from_minuit("a", "A", minuit=minuit, results=["sigma"]))

    def test_no_minimum(self):
        with refused(FitError, "fit 'a'", "migrad() and hesse()"):
            bc.fits.from_minuit("a", minuit=Minuit(chi2, sigma=90, jes=0, norm=0, spare=0), results=["sigma"])

    def test_an_approximate_covariance_is_said(self, minuit):
        names = ("valid", "covariance", "parameters", "values", "fixed")
        quick = SimpleNamespace(accurate=False, **{name: getattr(minuit, name) for name in names})
        with pytest.warns(bc.InputWarning, match=r"hesse\(\)"):
            bc.fits.from_minuit("a", minuit=quick, results=["sigma"])


class _Identified:
    """A mapping whose keys need not be hashable."""

    def __init__(self, items):
        self.items = list(items)

    def __iter__(self):
        return (key for key, _ in self.items)

    def values(self):
        return (value for _, value in self.items)


class TestZfit:
    """The real program, where it is installed: it brings TensorFlow."""

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore")  # TensorFlow's and zfit's own
    def test_constraints_are_read_from_the_loss(self):
        zfit = pytest.importorskip("zfit", reason="zfit (with TensorFlow) is not installed")
        space = zfit.Space("x", -5, 5)
        mu, shift, width = (
            zfit.Parameter(name, start, -5, 5) for name, start in (("mu", 0.1), ("shift", 0.1), ("width", 1.2))
        )
        mean = zfit.ComposedParameter("mean", lambda mu, shift: mu + 0.1 * shift, params=[mu, shift])
        model = zfit.pdf.Gauss(mu=mean, sigma=width, obs=space)
        values = np.random.default_rng(1).normal(0.2, 1.0, 1000)
        data = zfit.Data.from_numpy(obs=space, array=values[np.abs(values) < 5])
        term = zfit.constraint.GaussianConstraint([shift], observation=[0.5], sigma=[0.5])
        loss = zfit.loss.UnbinnedNLL(model, data, constraints=[term])
        fit = zfit.minimize.Minuit().minimize(loss)
        fit.hesse()
        found = bc.fits.from_zfit("a", fit=fit, results=["mu"])
        assert {n.name: n.free for n in found.all_nuisances} == {"shift": False, "width": True}
        # mu + 0.1 shift is the mean of the sample with error width / sqrt(1000), and shift stays where its term has it.
        size = float(values.std()) / np.sqrt(len(values))
        covariance = np.linalg.inv(found.fit.information)
        np.testing.assert_allclose(found.estimates[0].value, values.mean() - 0.05, atol=0.01 * size)
        np.testing.assert_allclose(np.sqrt(covariance[0, 0]), np.hypot(size, 0.05), rtol=0.01)
        np.testing.assert_allclose(found.fit.pulls[0], 0.0, atol=0.01)
        np.testing.assert_allclose(covariance[1, 1], 1.0, rtol=0.01)

    def test_what_is_used_of_a_result(self):
        """The same with a stand-in of its interface as of zfit 0.28, so that this is tested where zfit is absent."""

        parameters = [SimpleNamespace(name=name) for name in NAMES]

        def constraint(*members):
            return SimpleNamespace(get_params=lambda: members, observation=(1.0,), covariance=np.array([[0.04]]))

        result = SimpleNamespace(
            valid=True,
            params=_Identified(zip(parameters, [{"value": v} for v in (5.0, 1.1, 0.3)], strict=True)),
            covariance=lambda: np.diag([1.0, 0.03, 0.01]),
            loss=SimpleNamespace(constraints=[constraint(parameters[1])]),
        )
        found = bc.fits.from_zfit("a", fit=result, results=["sigma"])
        assert {n.name: n.free for n in found.all_nuisances} == {"jes": False, "norm": True}
        np.testing.assert_allclose(found.fit.pulls, [0.5, 0.3])
        np.testing.assert_allclose(np.linalg.inv(found.fit.information), np.diag([1.0, 0.75, 0.01]), atol=1e-12)
        result.loss.constraints = [constraint(*parameters[1:])]  # correlated: no product of priors
        assert not bc.fits.from_zfit("a", fit=result, results=["sigma"]).all_nuisances
        result.valid = False
        with refused(FitError, "fit 'a'", "hesse()"):
            bc.fits.from_zfit("a", fit=result, results=["sigma"])


def write(path, *, header="name,value,sigma,jes,norm", errors=None, matrix=COVARIANCE):
    rows = [header]
    for i, name in enumerate(NAMES):
        sizes = [] if errors is None else [f"{errors[i]!r}"]
        rows.append(",".join([name, f"{BEST[i]!r}", *sizes, *(f"{float(x)!r}" for x in matrix[i])]))
    path.write_text("\n".join(rows).replace("np.float64(", "").replace(")", "") + "\n")
    return path


class TestCsv:
    def test_covariance(self, tmp_path):
        check(bc.fits.from_csv("a", path=write(tmp_path / "fit.csv"), results=["sigma"]))

    def test_correlations_with_uncertainties(self, tmp_path):
        errors = np.sqrt(np.diag(COVARIANCE))
        path = write(
            tmp_path / "fit.csv",
            header="name,value,uncertainty,sigma,jes,norm",
            errors=errors,
            matrix=COVARIANCE / np.outer(errors, errors),
        )
        check(bc.fits.from_csv("a", path=path, results=["sigma"]))

    def test_refused(self, tmp_path):
        path = tmp_path / "fit.csv"
        path.write_text("name,value,uncertainty,a\na,1,-2,1\n")
        with refused(InvalidNumberError, "fit.csv", "'uncertainty'", "-2"):
            bc.fits.from_csv("a", path=path, results=["a"])
        path.write_text("name,a\na,1\n")
        with refused(FileFormatError, "fit.csv:1", "missing column 'value'"):
            bc.fits.from_csv("a", path=path, results=["a"])


@pytest.fixture(scope="module")
def draws():
    """Draws of the Gaussian, 4 chains of 4000: the error of a covariance is sqrt(2 / 16000) = 1.1 % of its size."""
    z = np.random.default_rng(7).multivariate_normal(BEST, COVARIANCE, size=(4, 4000))
    dims = ("chain", "draw")
    nuisances = xr.DataArray(z[..., 1:], dims=(*dims, "source"), coords={"source": NAMES[1:]})
    return xr.Dataset({"sigma": (dims, z[..., 0]), "theta": nuisances})


class TestPosterior:
    def test_mean_and_covariance(self, draws):
        found = bc.fits.from_posterior("a", draws=draws, results=["sigma"])
        assert [n.name for n in found.all_nuisances] == ["theta[jes]", "theta[norm]"]
        sizes = np.sqrt(np.diag(COVARIANCE))
        near = 4 * np.sqrt(1 / 16000)  # four standard errors of a mean, and of a variance, over its size
        assert abs(found.estimates[0].value - BEST[0]) < near * sizes[0]
        np.testing.assert_allclose(found.fit.pulls, BEST[1:], atol=near)
        scaled = np.linalg.inv(found.fit.information) / np.outer(sizes, sizes)
        np.testing.assert_allclose(scaled, COVARIANCE / np.outer(sizes, sizes), atol=np.sqrt(2) * near)

    def test_a_tree_and_some_of_its_parameters(self, draws):
        tree = xr.DataTree.from_dict({"posterior": draws.assign(twice=2 * draws["sigma"], step=draws["sigma"] > 0)})
        found = bc.fits.from_posterior("a", draws=tree, results=["sigma"], parameters=["theta[jes]"])
        assert [n.name for n in found.all_nuisances] == ["theta[jes]"]
        assert len(bc.fits.from_posterior("a", draws=tree, results=["sigma"], parameters=["theta"]).all_nuisances) == 2
        with refused(InvalidMatrixError, "'sigma', 'twice'"):
            bc.fits.from_posterior("a", draws=tree, results=["sigma"])

    def test_gaussian_draws_pass(self, draws):
        test = bc.fits.gaussianity(draws)
        assert not test.odd
        assert "no skewness" in str(test)
        assert str(test).count("excess kurtosis") == 1 + len(test.parameters)
        assert test.distance < 1.63 / np.sqrt(16000)  # Kolmogorov, 1 %

    def test_skewed_draws_are_said(self, draws):
        # exp(0.3 z) has skewness (w + 2) sqrt(w - 1) with w = exp(0.09): 0.95.
        z = (draws["sigma"] - BEST[0]) / np.sqrt(COVARIANCE[0, 0])
        skewed = draws.assign(sigma=100 * np.exp(0.3 * z))
        with pytest.warns(bc.InputWarning, match=r"fit 'a': the posterior is not Gaussian: 'sigma' \(skewness 0\.\d\d"):
            bc.fits.from_posterior("a", draws=skewed, results=["sigma"])
        test = bc.fits.gaussianity(skewed, ["sigma"])
        w = np.exp(0.09)
        assert test.skewness[0] == pytest.approx((w + 2) * np.sqrt(w - 1), abs=0.1)
        assert test.odd == ("sigma",)

    def test_refused(self, draws):
        with refused(PosteriorError, "no group 'posterior'"):
            bc.fits.from_posterior("a", draws={"sigma": [1.0]}, results=["sigma"])
        with refused(UnknownNameError, "sigm"):
            bc.fits.gaussianity(draws, ["sigm"])
        with refused(PosteriorError, "effective draws", "sample more"):
            bc.fits.gaussianity(draws.isel(draw=slice(4)))
        with refused(PosteriorError, "not finite"):
            bc.fits.gaussianity(draws.where(draws["sigma"] > BEST[0]))


MODEL = """\
format = 1
name = "fits"
observables = [{{ name = "sigma", unit = "pb" }}]
relations = "relations.csv"

[[measurements]]
name = "North"
experiment = "North"
fit = "north.csv"
results = ["sigma"]
free = ["norm"]

[[measurements]]
name = "South"
experiment = "South"
fit = "{south}"
results = {{ sigma_tt = "sigma" }}

[[assumption_sets]]
name = "nominal"
"""
SOUTH = "name,value,sigma_tt,scale_j\nsigma_tt,101,9,\nscale_j,-0.4,-0.5,0.7\n"
RELATIONS = "name,North,South,nominal,low,high\nJES,jes,-scale_j,0.8,0,1\n"


@pytest.fixture
def model(tmp_path):
    write(tmp_path / "north.csv")
    (tmp_path / "south.csv").write_text(SOUTH)
    (tmp_path / "relations.csv").write_text(RELATIONS)

    def written(old="", new="", south="south.csv"):
        text = MODEL.format(south=south)
        assert old in text
        (tmp_path / "model.toml").write_text(text.replace(old, new, 1) if old else text)
        return tmp_path

    return written


class TestModelFile:
    def test_is_the_same_as_in_python(self, model):
        folder = model()
        north = bc.fits.from_csv("North", "North", path=folder / "north.csv", results=["sigma"], free=["norm"])
        south = bc.fits.from_csv("South", "South", path=folder / "south.csv", results={"sigma_tt": "sigma"})
        relation = bc.Relation(
            name="JES", members={"North": "jes", "South": "-scale_j"}, nominal=0.8, low=0.0, high=1.0, prior="uniform"
        )
        one, other = bc.load(folder), bc.combine([north, south], relations=[relation])
        assert one.assumption_set.coefficients == other.assumption_set.coefficients
        assert one.assumption_set.coefficients[0].pairs[0].sign == -1
        assert [s.name for s in one.sources] == ["JES"]
        first, second = bc.profile(one), bc.profile(other)
        np.testing.assert_array_equal(first.values, second.values)
        np.testing.assert_array_equal(first.errors, second.errors)

    def test_is_written_and_read_again(self, model, tmp_path):
        from bayescomb.formats.loading import convert

        one = bc.load(model())
        again = bc.load(convert(tmp_path / "model.toml", tmp_path / "again"))
        np.testing.assert_allclose(bc.profile(one).values, bc.profile(again).values, rtol=1e-12)
        assert again.assumption_set.coefficients[0].range == (0.0, 1.0)

    @pytest.mark.parametrize(
        ("old", "new", "error", "said"),
        [
            ('fit = "north.csv"', 'fit = "north.pdf"', OptionError, ["north.pdf", "NAME.root:OBJECT"]),
            (
                'fit = "north.csv"',
                'fit = "north.csv:fit_s"',
                OptionError,
                ["object 'fit_s'", "for a ROOT file only"],
            ),
            ('fit = "north.csv"', 'fit = "absent.csv"', FileFormatError, ["absent.csv", "no such file"]),
            ('results = ["sigma"]', "", FileFormatError, ["'North'", "'results'"]),
            ('results = ["sigma"]', 'results = "sigma"', FileFormatError, ["results", "a list of parameters"]),
            ('results = ["sigma"]', 'results = ["jes"]', UnknownNameError, ["observable 'jes'"]),
            ('results = ["sigma"]', 'results = { mass = "sigma" }', UnknownNameError, ["parameter 'mass'"]),
            ('free = ["norm"]', 'free = ["norm"]\nestimates = []', FileFormatError, ["'estimates' found beside 'fit'"]),
            ('free = ["norm"]', "priors = { jes = 2.0 }", FileFormatError, ["priors['jes']", "centre and width"]),
            ('fit = "north.csv"', "", FileFormatError, ["'estimates'"]),
            ("relations.csv", "absent.csv", FileFormatError, ["absent.csv"]),
        ],
    )
    def test_wrong_entry(self, model, old, new, error, said):
        with refused(error, *said):
            bc.load(model(old, new))

    def test_a_posterior_and_its_file(self, model, draws):
        folder = model('results = { sigma_tt = "sigma" }', 'results = ["sigma"]', south="south.nc")
        tree = xr.DataTree.from_dict({"posterior": draws})
        tree.to_netcdf(folder / "south.nc", engine="h5netcdf")
        (folder / "relations.csv").write_text("name,North,South\nJES,jes,theta[jes]\n")
        found = bc.load(folder).measurements[1]
        direct = bc.fits.from_posterior("South", draws=draws, results=["sigma"])
        np.testing.assert_array_equal(found.fit.information, direct.fit.information)
        (folder / "south.nc").write_text("no netCDF")
        with refused(FileFormatError, "south.nc", "netCDF"):
            bc.load(folder)
