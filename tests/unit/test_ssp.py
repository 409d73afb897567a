"""The embedded stellar populations."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from mangrove.errors import TemplateError
from mangrove.resources import resource
from mangrove.ssp.library import check_library, load_mastar


@pytest.fixture(scope="module")
def mastar():
    return load_mastar()


def packer():
    """The tool that makes the resource, as a module."""
    path = Path(__file__).resolve().parents[2] / "tools" / "pack_mastar.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_grid(mastar):
    assert np.allclose(mastar.age, [0.00316228, 0.01, 0.03162278, 0.1, 0.3, 1, 3, 9, 14])
    assert np.allclose(mastar.metallicity, [-1.35, -1, -0.7, -0.33, 0, 0.35])
    assert mastar.flux.shape == (6, 9, mastar.wave.size)
    assert np.allclose(np.diff(np.log10(mastar.wave)), 1e-4, atol=1e-10)
    assert mastar.wave[0] == pytest.approx(3621.596, abs=1e-3)
    assert mastar.wave[-1] > 10340


def test_line_spread_is_that_of_mastar_with_its_pixels(mastar):
    published, pixel = np.array([2.584, 2.848, 3.689]), np.array([3700, 5000, 7000]) * 1e-4 * np.log(10)
    expected = np.sqrt(published**2 + 8 * np.log(2) * pixel**2 / 12)
    assert np.interp([3700, 5000, 7000], mastar.wave, mastar.fwhm) == pytest.approx(expected, abs=0.002)


def test_a_pixel_adds_its_variance_to_a_gaussian():
    """By numbers: the second moment of a Gaussian averaged over pixels, which the packer's formula gives."""
    step, power = 1e-4 * np.log(10), 1700.0
    sigma = 1 / power / np.sqrt(8 * np.log(2))
    x = np.linspace(-10, 10, 20001) * sigma
    gaussian = np.exp(-0.5 * (x / sigma) ** 2)
    width = round(step / (x[1] - x[0]))
    averaged = np.convolve(gaussian, np.ones(width) / width, mode="same")
    second_moment = np.sum(averaged * x**2) / np.sum(averaged) - (np.sum(averaged * x) / np.sum(averaged)) ** 2
    fwhm = np.sqrt(8 * np.log(2) * second_moment)
    assert packer().with_pixels(np.array([power]), step) == pytest.approx([1 / fwhm], rel=2e-4)


def test_spectra_are_normalised_and_say_so(mastar):
    assert mastar.normalised
    assert np.median(mastar.flux, axis=-1) == pytest.approx(np.ones((6, 9)), abs=1e-4)


def test_no_repeated_pixels_at_the_red_end(mastar):
    assert np.all(np.any(np.diff(mastar.flux[..., -3:], axis=-1) != 0, axis=-1))


def test_masses(mastar):
    solar = mastar.metallicity == 0
    assert mastar.ml_r[solar, mastar.age == 1][0] == pytest.approx(0.5738, abs=1e-4)
    assert mastar.ml_r[solar, mastar.age == 9][0] == pytest.approx(2.9109, abs=1e-4)
    assert mastar.mass_fraction[solar, mastar.age == 9][0] == pytest.approx(0.5894, abs=1e-4)
    assert "Kroupa" in mastar.imf
    assert "Salpeter" in mastar.imf


def test_old_populations_are_redder(mastar):
    blue, red = ((mastar.wave > a) & (mastar.wave < a + 200) for a in (4000, 7000))
    colour = mastar.flux[4][:, red].mean(-1) / mastar.flux[4][:, blue].mean(-1)
    assert np.all(np.diff(colour[3:]) > 0)


def test_size_and_read_only(mastar):
    assert resource("mastar_ssp.h5").stat().st_size < 900_000
    with pytest.raises(ValueError, match="read-only"):
        mastar.flux[0, 0, 0] = 1
    assert load_mastar() is mastar


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fwhm": np.ones(3)}, "fwhm has shape"),
        ({"age": np.arange(9.0, 0, -1)}, "age does not increase"),
        ({"ml_r": np.zeros((6, 9))}, "ml_r is not finite and positive"),
        ({"mass_fraction": np.ones((9, 6))}, "mass_fraction has shape"),
    ],
)
def test_wrong_library_is_refused(mastar, change, message):
    with pytest.raises(TemplateError, match=message):
        check_library(mastar._replace(**change))
