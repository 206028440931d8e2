"""What is written to Convino files and read again says the same."""

import warnings

import numpy as np
import pytest
from convino_combinations import combinations, content, meaning
from convino_files import CORRELATED, Files, load_quietly
from gaussian import coefficient, combine, external_measurement, random_covariance
from hypothesis import HealthCheck, given, settings
from repetitions import repetitions
from test_convino_base import EXAMPLES

import bayescomb as bc
from bayescomb.formats.convino.base_file import load_convino
from bayescomb.formats.convino.writer import write_convino

REPRODUCIBLE = settings(
    derandomize=True, database=None, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)  # fmt: skip


def there_and_back(combination, folder):
    """Reading must not warn of anything that the writer wrote."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return load_convino(write_convino(combination, folder))


def variants(tmp_path):
    correlated = Files(tmp_path / "b", right=CORRELATED)
    for line in ("  l_model = (-0.3) r_model\n", "#!FILE = more.txt", " + (0.2 & 0.4 : -0.4) r_tagging"):
        correlated.edit("base.txt", line, "")
    free = Files(tmp_path / "c").edit("right.txt", "[systematics]\n", "[systematics]\nr_tagging = relative free\n")
    free.edit("left.txt", "l_model = relative", "l_model = lognormal")
    free.edit("base.txt", " + (0.2 & 0.4 : -0.4) r_tagging", "").edit("base.txt", "= false", "= true")
    return [Files(tmp_path / "a"), correlated, free]


@pytest.mark.parametrize("variant", range(3))
def test_files_that_were_read_are_written_and_read_alike(tmp_path, variant):
    combination = variants(tmp_path)[variant].load()
    again = there_and_back(combination, tmp_path / "again")
    assert content(again) == content(combination)
    once_more = write_convino(again, tmp_path / "once more")
    for path in (tmp_path / "again").iterdir():
        assert (once_more.parent / path.name).read_bytes() == path.read_bytes()


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the worked examples of Convino are not at hand")
@pytest.mark.parametrize("name", ["exampleconfig.txt", "differential_example.txt"])
def test_worked_examples_are_written_and_read_alike(tmp_path, name):
    combination = load_quietly(EXAMPLES / name)
    assert content(there_and_back(combination, tmp_path)) == content(combination)


@pytest.mark.slow
@settings(REPRODUCIBLE, max_examples=repetitions(100))
@given(combination=combinations())
def test_random_combinations_are_written_and_read_alike(tmp_path_factory, combination):
    again = there_and_back(combination, tmp_path_factory.mktemp("written"))
    assert again.name == combination.name
    assert meaning(again) == meaning(combination)
    assert content(there_and_back(again, tmp_path_factory.mktemp("again"))) == content(again)


def test_blocks_and_shared_coefficients_are_written_pair_by_pair(tmp_path):
    rng = np.random.default_rng(3)
    inputs = [external_measurement(rng, name, observables=["x"], n_estimates=1, n_nuisances=3) for name in "abc"]
    inputs = [
        bc.Measurement(
            name=m.name,
            estimates=[bc.Estimate(name=f"{m.name}.e", value=10.0 + i, observables={"x": 1.0})],
            statistical_covariance=np.array([[2.25]]),
            nuisances=m.nuisances,
            responses=m.responses,
        )
        for i, m in enumerate(inputs)
    ]
    shared = coefficient("jets", 0.3, ("a.n0", "b.n0"), ("a.n0", "c.n0", -1), ("b.n0", "c.n0", -1))
    matrix = np.array([[1, 0.5, 0.0], [0.5, 1, -0.25], [0.0, -0.25, 1]])
    block = bc.CorrelationBlock(name="within", nuisances=("a.n1", "a.n2", "c.n1"), correlation=matrix)
    sets = {
        "mine": bc.AssumptionSet(name="mine", coefficients=(shared,), blocks=(block,)),
        "other": bc.AssumptionSet(name="other"),
    }
    combination = bc.Combination(
        name="test", measurements=inputs, observables=(bc.Observable(name="x"),), assumption_sets=sets, assumptions="mine"
    )
    again = there_and_back(combination, tmp_path)
    assert meaning(again) == meaning(combination)
    assert bc.profile(again).errors.equals(bc.profile(combination).errors)


def test_correlated_statistics_become_a_matrix_of_the_estimates(tmp_path):
    rng = np.random.default_rng(5)
    measurement = bc.Measurement(
        name="a",
        estimates=[bc.Estimate(name=f"a.e{i}", value=5.0 + i, observables={"x": 1.0}) for i in range(3)],
        statistical_covariance=random_covariance(rng, 3),
        nuisances=(bc.Nuisance(name="a.n"),),
        responses=rng.normal(size=(3, 1)),
    )
    combination = combine(measurement)
    again = there_and_back(combination, tmp_path)
    assert again.measurements[0].fit.nuisances == ()
    ours, theirs = bc.profile(combination), bc.profile(again)
    np.testing.assert_allclose(theirs.values, ours.values, rtol=1e-12)
    np.testing.assert_allclose(theirs.errors, ours.errors, rtol=1e-12)


def test_statistical_variance_that_is_no_square_is_kept_to_the_last_digit_or_two(tmp_path):
    variances = np.array([2.0, 1 / 3, np.pi * 1e-8])
    measurement = bc.Measurement(
        name="a",
        estimates=[bc.Estimate(name=f"a.e{i}", value=5.0, observables={"x": 1.0}) for i in range(3)],
        statistical_covariance=np.diag(variances),
    )
    again = there_and_back(combine(measurement), tmp_path)
    np.testing.assert_allclose(np.diag(again.measurements[0].statistical_covariance), variances, rtol=5e-16)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("sign", [1, -1])
def test_sign_of_a_pair_turns_its_range_and_the_direction_of_its_scan(tmp_path, sign, descending):
    combination = Files(tmp_path).load()
    pair = bc.CorrelationPair(first="l_scale", second="r_scale", sign=sign)
    ranged = bc.CorrelationCoefficient(name="c", pairs=(pair,), nominal=0.2, low=0.1, high=0.6, descending=descending)
    sets = {"s": bc.AssumptionSet(name="s", coefficients=(ranged,))}
    combination = bc.Combination(
        name="base", measurements=combination.measurements, observables=combination.observables, assumption_sets=sets,
        assumptions="s",
    )  # fmt: skip
    [found] = there_and_back(combination, tmp_path / "out").assumption_set.coefficients
    expected = (0.2, 0.1, 0.6, descending) if sign == 1 else (-0.2, -0.6, -0.1, not descending)
    assert (found.nominal, found.low, found.high, found.descending) == expected
