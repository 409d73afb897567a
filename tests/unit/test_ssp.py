"""The embedded stellar populations."""

import numpy as np
import pytest

from mangrove.errors import TemplateError
from mangrove.resources import resource
from mangrove.ssp import check_library, load_mastar


@pytest.fixture(scope="module")
def mastar():
    return load_mastar()


def test_grid(mastar):
    assert np.allclose(mastar.age, [0.00316228, 0.01, 0.03162278, 0.1, 0.3, 1, 3, 9, 14])
    assert np.allclose(mastar.metallicity, [-1.35, -1, -0.7, -0.33, 0, 0.35])
    assert mastar.flux.shape == (6, 9, mastar.wave.size)
    assert np.allclose(np.diff(np.log10(mastar.wave)), 1e-4, atol=1e-10)
    assert mastar.wave[0] == pytest.approx(3621.596, abs=1e-3)
    assert mastar.wave[-1] > 10340


def test_line_spread_is_that_of_mastar(mastar):
    assert np.interp([3700, 5000, 7000], mastar.wave, mastar.fwhm) == pytest.approx([2.58, 2.85, 3.69], abs=0.01)


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
