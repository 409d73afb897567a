"""``mangrove augment``: a copy of a line cube as a FITS file."""

import json
import re

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from small_line_cubes import empty_cubes
from typer.testing import CliRunner

from mangrove import artefacts, cli
from mangrove.config import Config
from mangrove.errors import MangroveError

NAMES = ["8485-1901", "8626-12704", "8626-12702"]
LINES = ["c", "a"]
SHAPE = (3, 2, 8, 8)


def augment(*arguments):
    return CliRunner().invoke(cli.app, ["augment", *map(str, arguments)])


def refused(*arguments):
    error = augment(*arguments).exception
    assert isinstance(error, MangroveError), error
    return str(error)


def write_cubes(folder, names):
    """Three lines of three galaxies; a noisy ramp, no data in the first column."""
    cubes = empty_cubes(names, *(SHAPE[:1]), SHAPE[1], SHAPE[2])
    rng = np.random.default_rng(3)
    shape = (len(names), *SHAPE)
    cubes["valid"] = np.broadcast_to(np.arange(SHAPE[-1]) > 0, shape).astype(np.int8)
    cubes["flux"] = cubes["valid"] * rng.normal(10, 1, shape)
    cubes["ivar"] = cubes["valid"] * rng.uniform(0.5, 2, shape)
    cubes["window_wave"] = np.arange(cubes["window_wave"].size, dtype=float).reshape(cubes["window_wave"].shape) + 6600
    attrs = {"status": "ok" if names else "empty", "reason": "" if names else "no galaxy has a line cube"}
    path = folder / "spectra/line_cube_set.h5"
    artefacts.write(path, "line_cube_set", cubes, artefacts.Provenance(), attrs)
    return artefacts.read(path, "line_cube_set")


@pytest.fixture
def checkout(tmp_path, monkeypatch, script, Params):
    """A folder with a run 'mine' of three galaxies, with their copies."""
    run = tmp_path / "results/mine"
    write_cubes(run, NAMES)
    draw(run, script, Params)
    config = Config(run="mine", autoencoder={"lines": LINES})
    (run / "provenance.json").write_text(json.dumps({"config": config.model_dump()}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def draw(run, script, Params):
    paths = Params(
        line_cube_set=str(run / "spectra/line_cube_set.h5"), augmentation=str(run / "autoencoder/augmentation.h5")
    )
    script("augmentation").main(paths, paths, Params(copies=3, max_shift=2, noise_scale=0.5, seed=1))


def test_copy_0_is_the_cube_itself_with_lines_and_wavelengths(checkout):
    assert augment("mine", "--galaxy", NAMES[1], "--copy", 0).exit_code == 0
    cubes = artefacts.read(checkout / "results/mine/spectra/line_cube_set.h5", "line_cube_set")
    with fits.open(checkout / f"results/mine/export/copies/{NAMES[1]}-copy0.fits", checksum=True) as hdus:
        for name in ("flux", "ivar", "valid"):
            np.testing.assert_array_equal(hdus[name].data, cubes[name][1][[2, 0]])
        np.testing.assert_array_equal(hdus["wave"].data, cubes["window_wave"][1][[2, 0]])
        assert [hdus["flux"].header[f"N{k:02d}"] for k in (1, 2)] == LINES
        assert u.Unit(hdus["flux"].header["BUNIT"]) ** -2 == u.Unit(hdus["ivar"].header["BUNIT"])
        assert u.Unit(hdus["wave"].header["BUNIT"]) == u.Angstrom
        about = hdus[0].header
    assert (about["RUN"], about["PLATEIFU"], about["COPY"], about["NSEED"]) == ("mine", NAMES[1], 0, 0)


def test_a_random_copy_is_moved_as_its_cards_say_and_noisier(checkout):
    cubes = artefacts.read(checkout / "results/mine/spectra/line_cube_set.h5", "line_cube_set")
    for copy in (1, 2, 3):
        assert augment("results/mine", "--galaxy", NAMES[2], "--copy", copy, "--out", "one.fits.gz").exit_code == 0
        with fits.open("one.fits.gz") as hdus:
            about = hdus[0].header
            found = {name: hdus[name].data for name in ("flux", "ivar", "valid")}
        assert about["NSEED"] > 0 and about["NSCALE"] == 0.5
        expected = {name: moved(cubes[name][2][[2, 0]], about) for name in found}
        np.testing.assert_array_equal(found["valid"], expected["valid"])
        np.testing.assert_allclose(found["ivar"], expected["ivar"] / 1.25, rtol=1e-6)
        seen = found["valid"] == 1
        deviates = (found["flux"] - expected["flux"])[seen] * np.sqrt(expected["ivar"][seen]) / 0.5
        assert abs(deviates.std() - 1) < 5 / np.sqrt(2 * deviates.size)


def moved(values, about):
    """Images flipped, turned and shifted as a file's cards say; padded, so that nothing wraps around."""
    turned = np.rot90(values[..., ::-1] if about["FLIP"] else values, about["QTURNS"], (-2, -1))
    size, pad = values.shape[-1], 5
    padded = np.pad(turned, [(0, 0)] * (values.ndim - 2) + [(pad, pad)] * 2)
    y, x = pad - about["SHIFTY"], pad - about["SHIFTX"]
    return padded[..., y : y + size, x : x + size]


def test_equal_copies_are_equal_files_and_only_own_files_are_replaced(checkout):
    arguments = ("mine", "--galaxy", NAMES[0], "--copy", 1)
    assert augment(*arguments, "--out", "a.fits").exit_code == augment(*arguments, "--out", "b.fits").exit_code == 0
    first = (checkout / "a.fits").read_bytes()
    assert first == (checkout / "b.fits").read_bytes()
    assert augment("mine", "--galaxy", NAMES[0], "--copy", 2, "--out", "a.fits").exit_code == 0
    fits.PrimaryHDU().writeto("c.fits")
    assert "is not a copy as written by mangrove augment" in refused(*arguments, "--out", "c.fits")
    assert augment(*arguments, "--out", "c.fits", "--force").exit_code == 0
    assert (checkout / "c.fits").read_bytes() == first
    assert "must end in .fits" in refused(*arguments, "--out", "c.h5")


def test_unknown_galaxies_and_copies_are_refused_with_those_there_are(checkout):
    text = refused("mine", "--galaxy", "8626-12705", "--copy", 1)
    assert re.search(r"no galaxy '8626-12705'; .* are 8626-12702, 8626-12704, 8485-1901", text)
    for copy in (4, -1):
        assert re.search(
            rf"no copy {copy} of 8485-1901: .*0 \(the cube itself\) to 3",
            refused("mine", "--galaxy", NAMES[0], "--copy", copy),
        )
    assert not (checkout / "results/mine/export").exists()


def test_a_run_without_line_cubes_says_why(checkout, script, Params):
    write_cubes(checkout / "results/mine", [])
    draw(checkout / "results/mine", script, Params)
    assert "holds no galaxy: no galaxy has a line cube" in refused("mine", "--galaxy", NAMES[0], "--copy", 1)


def test_copies_of_other_line_cubes_are_refused(checkout):
    write_cubes(checkout / "results/mine", NAMES[::-1])
    text = refused("mine", "--galaxy", NAMES[0], "--copy", 1)
    assert "augmentation.h5 was made from another version of" in text and "snakemake results/mine/autoencoder" in text


def test_lines_are_those_of_the_configuration(checkout):
    (checkout / "config.yaml").write_text("run: mine\n")
    (checkout / "one.yaml").write_text("autoencoder: {lines: [b]}\n")
    (checkout / "bad.yaml").write_text("autoencoder: {lines: [z]}\n")
    arguments = ("mine", "--galaxy", NAMES[0], "--copy", 1, "--out", "a.fits")
    assert augment(*arguments, "--config", "one.yaml").exit_code == 0
    assert fits.getdata("a.fits", "flux").shape == (1, *SHAPE[1:])
    assert "has no line z; it has a, b, c" in refused(*arguments, "--config", "bad.yaml")
    (checkout / "results/mine/provenance.json").unlink()
    assert "mangrove augment RUN --galaxy PLATEIFU --copy N --config" in refused(*arguments)
