"""Impacts: parts of the variance that add up to all of it."""

import dataclasses

import numpy as np
import pytest
from gaussian import coefficient, combine, external_measurement
from run1_blue import blue, run1_inputs

import bayescomb as bc


@pytest.fixture(scope="module")
def components(run1):
    return bc.impacts(run1)


def signed_square(impact):
    return np.sign(impact) * impact**2


def test_published_statistical_and_systematic_parts(components):
    assert f"{components.statistics.item():.2f} {components.systematics.item():.2f}" == "0.14 0.30"
    assert components.total.item() == pytest.approx(0.3293, abs=1e-4)


def test_every_source_has_the_impact_of_its_covariance(components):
    inputs = run1_inputs()
    weights = blue(inputs.values, inputs.statistical + sum(inputs.systematic.values())).weights
    assert components.sources.source.values.tolist() == list(inputs.systematic)
    for source, covariance in inputs.systematic.items():
        part = weights @ covariance @ weights
        found = components.sources.sel(source=source, parameter="m_t").item()
        assert signed_square(found) == pytest.approx(part, abs=1e-12)


def test_statistics_sources_and_coupling_close_in_quadrature(components):
    parts = components.statistics**2 + signed_square(components.sources).sum("source") + signed_square(components.coupling)
    assert parts.item() == pytest.approx(components.total.item() ** 2, abs=1e-12)
    assert components.coupling.item() == 0  # no coefficient of this model joins two sources


def test_groups_close_in_quadrature(components, run1):
    assert components.groups.group.values.tolist() == list(dict.fromkeys(s.group for s in run1.sources))
    assert signed_square(components.groups).sum().item() == pytest.approx(components.systematics.item() ** 2, abs=1e-12)


def test_total_and_parts_are_those_of_the_profile(components, run1):
    fit = bc.profile(run1)
    assert components.total.item() == fit.errors.item()
    assert components.statistics.item() == pytest.approx(fit.statistical_errors.item(), abs=1e-14)
    assert components.systematics.item() == pytest.approx(fit.systematic_errors.item(), abs=1e-14)


@pytest.fixture
def correlated_sources():
    """Two measurements of one observable; the source 'jes' of one is correlated with the source 'jer' of the other."""

    def build(rho):
        rng = np.random.default_rng(3)
        measurements = []
        for name, source in (("a", "jes"), ("b", "jer")):
            made = external_measurement(rng, name, observables=("x",), n_estimates=1, n_nuisances=1)
            measurements.append(
                dataclasses.replace(
                    made,
                    estimates=(dataclasses.replace(made.estimates[0], observables={"x": 1.0}),),
                    nuisances=(dataclasses.replace(made.nuisances[0], source=source),),
                    responses=np.array([[0.5]]),
                    statistical_covariance=np.array([[0.04]]),
                )
            )
        return combine(*measurements, coefficients=(coefficient("r", rho, ("a.n0", "b.n0")),))

    return build


@pytest.mark.parametrize("rho", [0.6, -0.6])
def test_correlation_between_sources_is_reported_apart(correlated_sources, rho):
    components = bc.impacts(correlated_sources(rho))
    # equal measurements: weights of a half each, so the coupling is 2 * (0.5 * 0.5)^2 * rho
    assert signed_square(components.coupling.item()) == pytest.approx(2 * 0.0625 * rho, abs=1e-12)
    np.testing.assert_allclose(components.sources, 0.25, atol=1e-12)
    parts = components.statistics**2 + (components.sources**2).sum("source") + signed_square(components.coupling)
    np.testing.assert_allclose(parts, components.total**2, atol=1e-12)


def test_sources_without_a_declared_name_are_found_by_their_nuisances(correlated_sources):
    assert bc.impacts(correlated_sources(0.0)).sources.source.values.tolist() == ["jes", "jer"]
    assert bc.impacts(correlated_sources(0.0)).groups.sizes["group"] == 0
