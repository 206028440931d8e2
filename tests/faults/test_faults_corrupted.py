"""Damaged posteriors: every reader says which file and what is wrong with it, and no number is made of it."""

import json

import numpy as np
import pytest
import xarray as xr
from combinations import star
from faults import sampled
from repetitions import repetitions

import bayescomb as bc
from bayescomb.base.errors import PosteriorError
from bayescomb.cli.main import main
from bayescomb.formats.toml.model_writer import write_model
from bayescomb.sampling.posterior.storage import posterior_bytes, posterior_from_bytes


@pytest.fixture(scope="module")
def posterior():
    return sampled()


@pytest.fixture(scope="module")
def data(posterior):
    return posterior_bytes(posterior)


def unsigned(data):
    """The netCDF alone, as other programs write it."""
    return data[: data.rindex(b"\nsha256 ")]


def test_file_is_netcdf_that_other_programs_read(posterior, data, tmp_path):
    path = tmp_path / "p.nc"
    path.write_bytes(data)
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        assert "last line" in tree.attrs["checksum"]
        np.testing.assert_array_equal(tree["posterior"]["x0"], posterior["posterior"]["x0"])
    assert "checksum" not in posterior.attrs
    assert bc.load_posterior(path).attrs.keys() == posterior.attrs.keys()


def test_posterior_of_an_earlier_release_has_no_checksum_and_is_read(posterior, tmp_path):
    posterior.to_netcdf(tmp_path / "old.nc", engine="h5netcdf")
    np.testing.assert_array_equal(bc.load_posterior(tmp_path / "old.nc")["posterior"]["x0"], posterior["posterior"]["x0"])


@pytest.mark.parametrize("count", [1, 20])
def test_no_damaged_byte_is_read_as_another_number(data, count):
    rng = np.random.default_rng(count)
    for _ in range(repetitions(100)):
        damaged = np.frombuffer(data, dtype=np.uint8).copy()
        where = rng.choice(len(damaged), size=count, replace=False)
        damaged[where] ^= rng.integers(1, 256, size=count, dtype=np.uint8)
        with pytest.raises(PosteriorError, match=r"^p\.nc: "):
            posterior_from_bytes(damaged.tobytes(), where="p.nc")


def test_file_that_was_cut_off_anywhere_is_refused(data):
    for size in [*range(0, len(data), len(data) // 60), len(data) - 1]:
        with pytest.raises(PosteriorError, match=r"^p\.nc: "):
            posterior_from_bytes(data[:size], where="p.nc")
        with pytest.raises(PosteriorError, match=r"^p\.nc: "):
            posterior_from_bytes(data[:size] + bytes(len(data) - size), where="p.nc")  # the size was known, the rest was not


def without_group(name):
    def change(tree):
        del tree[name]

    return change


def without_attribute(name):
    def change(tree):
        del tree.attrs[name]

    return change


def with_attribute(name, value):
    def change(tree):
        tree.attrs[name] = value

    return change


def without_result(tree):
    tree["posterior"] = tree["posterior"].to_dataset().drop_vars("x1")


def without_diverging(tree):
    tree["sample_stats"] = tree["sample_stats"].to_dataset().drop_vars("diverging")


def without_chains(tree):
    tree["posterior"] = tree["posterior"].to_dataset().isel(chain=0)


def with_nan(tree):
    draws = tree["posterior"].to_dataset().copy(deep=True)
    draws["pull"][1, 3, 2] = np.nan
    tree["posterior"] = draws


WRONG = {
    "no posterior group": (without_group("posterior"), "no posterior of bayescomb"),
    "no model": (without_attribute("model"), "no posterior of bayescomb"),
    "no statistics": (without_group("sample_stats"), "group 'sample_stats' is missing"),
    "no prior": (without_group("prior"), "group 'prior' is missing"),
    "no seed": (without_attribute("seed"), "attribute 'seed' is missing"),
    "no versions": (without_attribute("versions"), "attribute 'versions' is missing"),
    "repairs no JSON": (with_attribute("repairs", "[["), "attribute 'repairs' is not JSON"),
    "versions a number": (with_attribute("versions", 3), "attribute 'versions' is not JSON"),
    "model cut off": (with_attribute("model", '{"name": "star", '), "attribute 'model' is not a model"),
    "model of nothing": (with_attribute("model", "{}"), "attribute 'model' is not a model"),
    "model a number": (with_attribute("model", 1.5), "attribute 'model' is not a model"),
    "no result": (without_result, "variable 'x1' of group 'posterior' is missing"),
    "no divergences": (without_diverging, "variable 'diverging' of group 'sample_stats' is missing"),
    "no chains": (without_chains, "not chain and draw first"),
    "not a number": (with_nan, "variable 'pull' has values that are not finite"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG)
def test_incomplete_posterior_is_refused_with_what_is_missing(posterior, tmp_path, name):
    change, said = WRONG[name]
    tree = posterior.copy(deep=True)
    change(tree)
    tree.to_netcdf(tmp_path / "p.nc", engine="h5netcdf")  # without a checksum: by another program
    with pytest.raises(PosteriorError) as found:
        bc.load_posterior(tmp_path / "p.nc")
    assert str(found.value).startswith(f"{tmp_path / 'p.nc'}: ")
    assert said in str(found.value)
    assert "sample again" in str(found.value)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(star(2), tmp_path_factory.mktemp("model") / "m")


@pytest.mark.parametrize("command", ["compare", "report"])
def test_commands_say_which_file_is_damaged_and_write_nothing(data, model, tmp_path, capsys, command):
    path = tmp_path / "p.nc"
    other = xr.Dataset({"x0": ("draw", np.arange(5.0))})
    contents = {
        "the file is empty": b"",
        "the checksum in its last line differs": data.replace(b"x0", b"x9", 1),
        "cut off, damaged or changed by another program": unsigned(data),
        "not a readable netCDF file": b"time,value\n1,2\n",
        "no posterior of bayescomb": bytes(other.to_netcdf(engine="h5netcdf")),
        "restore the file": unsigned(data)[:5000],
    }
    output = ["--json", tmp_path / "out.json"] if command == "compare" else ["--output", tmp_path / "out"]
    for said, content in contents.items():
        path.write_bytes(content)
        assert main([str(word) for word in (command, model, path, *output)]) == 2
        out, err = capsys.readouterr()
        assert f"bayescomb: PosteriorError: {path}: " in err
        assert said in err
        assert out == ""
        assert [p.name for p in tmp_path.iterdir()] == ["p.nc"]


@pytest.mark.parametrize("place", [".", "file/p.nc", "x" * 300, "nul\0", "absent.nc"])
def test_path_that_cannot_be_read_is_named(tmp_path, place):
    (tmp_path / "file").write_text("")
    with pytest.raises(PosteriorError) as found:
        bc.load_posterior(tmp_path / place)
    assert str(found.value).startswith(f"{tmp_path / place}: ")


def test_damaged_study_is_refused_or_continued(tmp_path):
    combination, settings = star(1), {"seed": 1, "posterior": False}
    whole = bc.coverage(combination, tmp_path, toys=12, **settings)
    path = tmp_path / "toys.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    # a line cut off, a hole of zeros as a power failure leaves it, no text, no toy
    path.write_bytes(
        b"".join([*lines[:4], lines[4][:40], b"\n", bytes(100), b"\n", b"\xff\xfe\n", b"12\n", b'{"toy": "a"}\n'])
    )
    assert bc.coverage(combination, tmp_path, toys=12, **settings).identical(whole)
    (tmp_path / "study.json").write_text(json.dumps({"name": "star"})[:-3])
    with pytest.raises(bc.BayescombError, match=r"study\.json: .*not a study"):
        bc.coverage(combination, tmp_path, toys=12, **settings)
