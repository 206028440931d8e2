"""Two pyhf workspaces that share nuisances: fitted apart and combined here, against the joint fit of pyhf.

The measure is the one of the joint fit: value within 0.05 standard deviations, error within 2 %.
"""

import cabinetry
import numpy as np
import pyhf
import pytest
from refusals import refused
from two_workspaces import fitted, of, workspaces

import bayescomb as bc
from bayescomb.base.errors import InvalidMatrixError

VALUE, ERROR = 0.05, 0.02


@pytest.fixture(scope="module")
def fits():
    """North, South and both: model and fit of pyhf."""
    return [fitted(space) for space in workspaces()]


@pytest.fixture(scope="module")
def apart(fits):
    """North and South as inputs."""
    names = ("North", "South")
    return [
        bc.fits.from_pyhf(name, name, model=model, fit=fit, results=["mu"])
        for name, (model, fit) in zip(names, fits, strict=False)
    ]


@pytest.fixture(scope="module")
def together(apart):
    return bc.combine(apart, shared_names="same", name="workspaces")


def close(value, error, joint):
    """Distance in standard deviations of the joint fit, and relative difference of the errors."""
    return (float(value) - joint[0]) / joint[1], float(error) / joint[1] - 1


@pytest.mark.slow
def test_profile_is_that_of_the_joint_fit(fits, together):
    fit, joint = bc.profile(together), of(*fits[2], "mu")
    distance, ratio = close(fit.values[0], fit.errors[0], joint)
    assert abs(distance) < VALUE
    assert abs(ratio) < ERROR
    # The nuisances too, where the joint likelihood is Gaussian in them; gamma of the template statistics in its widths.
    model = fits[2][0]
    for name in ("jes", "bkg_north", "bkg_south"):
        pull, constraint = of(*fits[2], name)
        assert abs(float(fit.pulls.sel(nuisance=name)) - pull) < VALUE * constraint
        assert abs(float(fit.constraints.sel(nuisance=name)) / constraint - 1) < ERROR
    value, _ = of(*fits[2], "staterror_north[0]")
    width = model.config.param_set("staterror_north").width()[0]
    assert abs(float(fit.pulls.sel(nuisance="staterror_north[0]")) - (value - 1) / width) < VALUE


@pytest.mark.slow
def test_pulls_that_are_ignored_move_the_result(fits, together):
    """South's data pull the jet energy scale to 0.06, North's to 0.74: combined 0.70, which changes mu of South."""
    joint = of(*fits[2], "mu")
    fit = bc.profile(together.with_nuisance_values("ignored"))
    distance, ratio = close(fit.values[0], fit.errors[0], joint)
    # 1.0151 in place of 1.0074 +- 0.0259: the weighted mean of the two values, as if both had left the scale at the same.
    assert 0.27 < distance < 0.33
    assert abs(ratio) < ERROR


@pytest.mark.slow
def test_nuisances_that_are_not_related_make_the_error_too_small(fits, apart):
    """The luminosity is common, 2 % of mu, and would average down to 1.4 %."""
    unrelated = [bc.Relation(name=n, members={"North": n, "South": n}, nominal=0.0) for n in ("jes", "lumi")]
    fit = bc.profile(bc.combine(apart, relations=unrelated))
    assert close(fit.values[0], fit.errors[0], of(*fits[2], "mu"))[1] < -0.1


@pytest.mark.slow
def test_cabinetry_gives_the_same_input_as_pyhf(apart):
    """Its own minimisation of the same likelihood; values agree as far as both are converged, covariances as HESSE is."""
    space = workspaces()[1]
    model, data = cabinetry.model_utils.model_and_data(space)
    results = cabinetry.fit.fit(model, data)
    found = bc.fits.from_cabinetry("South", "South", fit=results, model=model, results=["mu"])
    other = apart[1]
    assert [n.name for n in found.all_nuisances] == [n.name for n in other.all_nuisances]
    size = np.sqrt(np.linalg.inv(other.fit.information)[0, 0])
    assert abs(found.estimates[0].value - other.estimates[0].value) < VALUE * size
    assert np.sqrt(np.linalg.inv(found.fit.information)[0, 0]) == pytest.approx(size, rel=0.04)
    np.testing.assert_allclose(found.fit.pulls, other.fit.pulls, atol=VALUE)
    # Without the model the label is all that is known: widths of the template statistics count as 1, which is harmless as
    # nothing else shares them.
    plain = bc.fits.from_cabinetry("South", "South", fit=results, results=["mu"])
    one, two = (bc.profile(bc.combine([apart[0], m], shared_names="same")) for m in (found, plain))
    assert float(one.values[0]) == pytest.approx(float(two.values[0]), rel=1e-9)
    assert float(one.errors[0]) == pytest.approx(float(two.errors[0]), rel=1e-9)


@pytest.mark.slow
def test_cabinetry_draws_the_combined_result(together):
    """The converse: its figures take our table for a fit of its own."""
    table = bc.fit_results(bc.profile(together))
    assert table._fields == cabinetry.fit.FitResults._fields
    figure = cabinetry.visualize.pulls(table, exclude="mu", save_figure=False, close_figure=True)
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == [label for label in table.labels[1:] if not label.startswith("staterror")]  # as it does with its own
    figure = cabinetry.visualize.correlation_matrix(table, pruning_threshold=0.1, save_figure=False, close_figure=True)
    assert figure.axes


@pytest.mark.slow
def test_the_table_of_the_combined_result_is_an_input_again(together):
    """Round trip: all that the inputs know is in the table, so that combining it alone gives the result back."""
    fit = bc.profile(together)
    table = bc.fit_results(fit)
    assert table.labels == ["mu", *(n for n in fit.pulls["nuisance"].to_numpy() if not n.endswith("_South"))]
    again = bc.profile(bc.combine([bc.fits.from_cabinetry("both", fit=table, results=["mu"])]))
    np.testing.assert_allclose([again.values[0], again.errors[0]], [fit.values[0], fit.errors[0]], rtol=1e-8)
    np.testing.assert_allclose(again.pulls, fit.pulls.sel(nuisance=again.pulls["nuisance"]), atol=1e-7)
    np.testing.assert_allclose(again.constraints, fit.constraints.sel(nuisance=again.pulls["nuisance"]), rtol=1e-7)


@pytest.mark.slow
def test_posterior_is_that_of_the_joint_fit(fits, together):
    """All is Gaussian, so that mean and sd are exact and carry no Monte Carlo error."""
    tree = bc.sample(together, seed=1, draws=200, tune=200, chains=2, progress=False)
    from bayescomb.sampling.posterior.summary import result_moments

    distance, ratio = close(*result_moments(tree, "mu"), of(*fits[2], "mu"))
    assert abs(distance) < VALUE
    assert abs(ratio) < ERROR


def test_what_the_model_says_of_its_parameters():
    """Free normalisation, Gaussian and Poisson terms, the luminosity with its own centre, and a parameter held fixed."""
    sample = {
        "name": "s",
        "data": [50.0, 60.0],
        "modifiers": [
            {"name": "mu", "type": "normfactor", "data": None},
            {"name": "lumi", "type": "lumi", "data": None},
            {"name": "norm", "type": "normfactor", "data": None},
            {"name": "gamma", "type": "shapesys", "data": [5.0, 6.0]},
            {"name": "held", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}},
        ],
    }
    model = pyhf.Model(
        {
            "channels": [{"name": "c", "samples": [sample]}],
            "parameters": [{"name": "lumi", "auxdata": [1.0], "sigmas": [0.02], "inits": [1.0], "bounds": [[0.5, 1.5]]}],
        },
        poi_name="mu",
    )
    names = list(model.config.par_names)
    values = np.array([1.3 if n == "mu" else 1.01 if n == "lumi" else 0.0 if n == "held" else 0.98 for n in names])
    errors = np.array([0.0 if n == "held" else 0.015 for n in names])
    fit = np.column_stack([values, errors]), np.eye(len(names)) * (errors > 0)
    found = bc.fits.from_pyhf("c", model=model, fit=fit, results={"mu": "strength"})
    assert {n.name: n.free for n in found.all_nuisances} == {"lumi": False, "norm": True}
    assert dict(zip((n.name for n in found.all_nuisances), found.fit.pulls, strict=True)) == pytest.approx(
        {"lumi": 0.5, "norm": 0.98}
    )
    with refused(InvalidMatrixError, "fit 'c'", "parameters of the model"):
        bc.fits.from_pyhf("c", model=model, fit=(fit[0][1:], fit[1]), results=["mu"])
    with refused(InvalidMatrixError, "return_uncertainties=True"):
        bc.fits.from_pyhf("c", model=model, fit=values, results=["mu"])
    with refused(InvalidMatrixError, "return_uncertainties=True"):
        bc.fits.from_pyhf("c", model=model, fit=(values, fit[1]), results=["mu"])


def central(model, data, fit):
    """Covariance from central differences of the likelihood, by steps of a fifth of each error: no use of HESSE."""
    best, steps = fit[0][:, 0], fit[0][:, 1] / 5
    second = np.zeros((len(best), len(best)))
    for i, a in enumerate(np.diag(steps)):
        for j, b in enumerate(np.diag(steps)[: i + 1]):
            corners = [-float(model.logpdf(list(best + s * a + t * b), data)[0]) * s * t for s in (1, -1) for t in (1, -1)]
            second[i, j] = second[j, i] = sum(corners) / (4 * steps[i] * steps[j])
    return np.linalg.inv(second)


@pytest.mark.thorough
def test_hesse_is_what_limits_the_error(fits):
    """With covariances that are exact to 1e-3, what is left is curvature.

    Luminosity and scale multiply mu, so that their part of the error is that at each fit's own mu, 1.016 and 1.014, in place
    of 1.007 of the joint fit: the errors differ by less than these do.
    """
    inputs, errors_of_mu = [], []
    for name, space, (model, fit) in zip(("North", "South", "joint"), workspaces(), fits, strict=True):
        covariance = central(model, space.data(model), fit)
        errors = np.sqrt(np.diag(covariance))
        exact = np.column_stack([fit[0][:, 0], errors]), covariance / np.outer(errors, errors)
        inputs.append(bc.fits.from_pyhf(name, name, model=model, fit=exact, results=["mu"]))
        errors_of_mu.append(float(errors[model.config.par_names.index("mu")]))
    fit = bc.profile(bc.combine(inputs[:2], shared_names="same"))
    values = [m.estimates[0].value for m in inputs]
    assert 0 <= float(fit.errors[0]) / errors_of_mu[2] - 1 < max(values[:2]) / values[2] - 1 < 0.01
    # The luminosity is measured by nothing but its constraint term.
    for m in inputs:
        i = 1 + [n.name for n in m.all_nuisances].index("lumi")
        assert np.linalg.inv(m.fit.information)[i, i] == pytest.approx(1.0, abs=1e-3)
