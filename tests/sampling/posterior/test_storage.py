"""Stored posteriors and written files: complete or untouched, and they carry their model."""

import dataclasses
import json
import os

import numpy as np
import pytest
from combinations import star

import bayescomb as bc
from bayescomb.base.errors import OutputError, PosteriorError
from bayescomb.base.files.writing import write_json
from bayescomb.inputs.serialise import combination_from_json, combination_to_json, difference
from bayescomb.sampling.posterior.storage import combination_of, require_same_model


@pytest.fixture(scope="module")
def posterior():
    return bc.sample(star(2), seed=1, draws=20, tune=50, chains=2)


def test_saved_posterior_comes_back_unchanged(posterior, tmp_path):
    path = bc.save_posterior(posterior, tmp_path / "p.nc")
    loaded = bc.load_posterior(path)
    assert set(loaded.children) == set(posterior.children)
    for group in ("posterior", "prior", "conditional"):
        for name, values in posterior[group].data_vars.items():
            np.testing.assert_array_equal(loaded[group][name], values)
    assert loaded.attrs["seed"] == 1
    assert loaded["posterior"]["x0"].attrs["unit"] == "pb"


def test_posterior_carries_its_model(posterior):
    combination = combination_of(posterior)
    assert not difference(combination, star(2))
    fit, expected = bc.profile(combination), bc.profile(star(2))
    np.testing.assert_array_equal(fit.values, expected.values)


def test_combination_survives_json_with_every_field():
    combination = bc.load("models/run1_mass").with_treatment("nuisance", repair="clip").with_assumptions("uncorrelated")
    back = combination_from_json(combination_to_json(combination))
    assert combination_to_json(back) == combination_to_json(combination)
    assert back.assumptions == "uncorrelated"
    assert back.repair == "clip"


def test_posterior_of_another_model_is_refused(posterior):
    with pytest.raises(PosteriorError, match="was not made from"):
        require_same_model(posterior, star(3))
    with pytest.raises(PosteriorError, match="was not made from"):
        bc.compare(posterior, bc.profile(star(3)))


def test_last_digits_of_another_machine_are_no_difference():
    """The information of a fitted input is an inverse: threads and libraries round it differently."""
    combination = bc.load("models/ttj_rho")
    index = next(i for i, m in enumerate(combination.measurements) if m.fit is not None)
    measurement = combination.measurements[index]

    def changed(factor):
        noise = np.random.default_rng(1).normal(size=measurement.fit.information.shape) * factor
        information = measurement.fit.information * (1 + (noise + noise.T))
        fit = dataclasses.replace(measurement.fit, information=information)
        measurements = list(combination.measurements)
        measurements[index] = dataclasses.replace(measurement, fit=fit)
        return dataclasses.replace(combination, measurements=tuple(measurements))

    assert not difference(combination, changed(1e-14))
    assert difference(combination, changed(1e-6)) == f"measurements[{index}].fit.information"


def test_interrupted_writing_leaves_the_old_file(posterior, tmp_path, monkeypatch):
    path = bc.save_posterior(posterior, tmp_path / "p.nc")
    before = path.read_bytes()

    def full_disk(target, data):
        with target.open("wb") as file:
            file.write(data[:1000])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(path), "write_bytes", full_disk)
    with pytest.raises(OutputError, match="No space left"):
        bc.save_posterior(posterior, path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["p.nc"]  # noqa: PTH208  # nothing half-written beside it either


def test_folder_that_does_not_exist_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="nowhere"):
        write_json({}, tmp_path / "nowhere" / "x.json")


def test_json_refuses_nan(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json({"x": float("nan")}, tmp_path / "x.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"not netcdf", None])
def test_damaged_or_absent_posterior_is_an_error(tmp_path, content):
    path = tmp_path / "p.nc"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PosteriorError, match=r"p\.nc"):
        bc.load_posterior(path)


def test_truncated_posterior_is_an_error(posterior, tmp_path):
    path = bc.save_posterior(posterior, tmp_path / "p.nc")
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(PosteriorError, match="sample again"):
        bc.load_posterior(path)


def test_netcdf_of_something_else_is_an_error(posterior, tmp_path):
    other = posterior["posterior"].to_dataset()
    other.to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    with pytest.raises(PosteriorError, match="no posterior of bayescomb"):
        bc.load_posterior(tmp_path / "x.nc")


def test_attributes_are_plain(posterior):
    assert set(json.loads(posterior.attrs["versions"])) >= {"bayescomb", "pymc"}
    assert json.loads(posterior.attrs["not_recovered"]) == {}
