"""The reader of MUSE cubes: vacuum, flux that is conserved, variance with its covariance."""

import numpy as np
import pytest
from astropy.io import fits

from mangrove.errors import CubeError
from mangrove.physics.wavelengths import air_to_vacuum, log_edges
from mangrove.survey.readers import muse
from mangrove.survey.readers.reading import read_cube

WAVE_AIR = 4750.0 + 1.25 * np.arange(3681)


def write(path, data, stat=None, dq=None, **header):
    hdu = fits.ImageHDU(np.asarray(data, "f4"), name="DATA")
    cards = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 1, "CRPIX2": 1, "CRVAL1": 10.0, "CRVAL2": 0.0}
    cards |= {"CD1_1": -0.2 / 3600, "CD2_2": 0.2 / 3600, "CTYPE3": "AWAV", "CUNIT3": "Angstrom", "CRPIX3": 1}
    cards |= {"CRVAL3": 4750.0, "CD3_3": 1.25, "BUNIT": "10**(-20)*erg/s/cm**2/Angstrom"} | header
    hdu.header.update(cards)
    stat = np.ones_like(hdu.data) if stat is None else stat
    hdus = [fits.PrimaryHDU(), hdu, fits.ImageHDU(np.asarray(stat, "f4"), name="STAT")]
    hdus += [fits.ImageHDU(np.asarray(dq, "u1"), name="DQ")] if dq is not None else []
    fits.HDUList(hdus).writeto(path)
    return path


def column(spectrum):
    return np.asarray(spectrum)[:, None, None] * np.ones((1, 2, 3))


def test_a_line_keeps_its_flux_and_lands_at_its_vacuum_wavelength(tmp_path):
    line = 1000.0 * np.exp(-0.5 * ((WAVE_AIR - 6562.80) / 2.0) ** 2)
    cube = read_cube(write(tmp_path / "m.fits", column(line)))
    spectrum = cube.flux[:, 1, 2].astype(float)
    width = np.diff(log_edges(cube.wave))
    # 1e-20 becomes 1e-17.
    assert np.sum(spectrum * width) == pytest.approx(1000 * 2.0 * np.sqrt(2 * np.pi) * 1e-3, rel=1e-4)
    assert np.average(cube.wave, weights=spectrum) == pytest.approx(air_to_vacuum(6562.80), abs=0.02)
    np.testing.assert_allclose(np.diff(np.log10(cube.wave)), 1e-4)


def test_errors_of_sums_are_right(tmp_path):
    rng = np.random.default_rng(0)
    sigma = 50.0
    noise = rng.normal(0, sigma, (3681, 20, 20))
    cube = read_cube(write(tmp_path / "m.fits", noise, np.full(noise.shape, sigma**2)))
    window = (cube.wave > 6000) & (cube.wave < 6300)
    width = np.diff(log_edges(cube.wave))[window, None, None]
    total = np.sum(cube.flux[window] * width, axis=0)
    expected = np.sqrt(np.sum(width**2 / cube.ivar[window], axis=0))
    assert np.std(total / expected) == pytest.approx(1.0, abs=0.1)


def test_bad_pixels_are_masked(tmp_path):
    data, stat, dq = column(np.ones(3681)), column(np.ones(3681)), np.zeros((3681, 2, 3))
    data[1000, 0, 0], stat[1500, 0, 0], dq[2000, 0, 0] = np.nan, 0.0, 1
    cube = read_cube(write(tmp_path / "m.fits", data, stat, dq))
    for i in (1000, 1500, 2000):
        near = np.argmin(np.abs(cube.wave - air_to_vacuum(WAVE_AIR[i])))
        assert not cube.good[near, 0, 0] and cube.ivar[near, 0, 0] == 0
    assert cube.good[:, 1, 1].all()


def test_a_bad_input_pixel_takes_no_flux_from_pixels_that_stay_good(tmp_path):
    rng = np.random.default_rng(0)
    sigma = 20.0
    data, dq = 1000.0 + rng.normal(0, sigma, (3681, 20, 20)), np.zeros((3681, 20, 20))
    dq[::7] = 1
    cube = read_cube(write(tmp_path / "m.fits", data, np.full(data.shape, sigma**2), dq))
    # The same data without bad pixels say which output pixels lost a part and stayed good.
    whole = read_cube(write(tmp_path / "w.fits", data, np.full(data.shape, sigma**2)))
    touched = cube.good.all(axis=(1, 2)) & (cube.flux != whole.flux).any(axis=(1, 2))
    assert touched.sum() > 100
    level = whole.flux[touched].mean(axis=(1, 2))
    np.testing.assert_allclose(cube.flux[touched].mean(axis=(1, 2)), level, rtol=0.01)
    # Less input, a larger error.
    ratio = cube.ivar[touched] / whole.ivar[touched]
    assert np.all((ratio > 0.899) & (ratio < 1.0001))


def test_line_spread_is_bacon_et_al(tmp_path):
    # The polynomial of Bacon et al. (2017) worked out by hand at 5000 and 7000 Angstrom.
    np.testing.assert_allclose(muse.fwhm(np.array([5000.0, 7000.0])), [2.91, 2.48], atol=0.03)
    cube = read_cube(write(tmp_path / "m.fits", column(np.ones(3681))))
    i = np.argmin(np.abs(cube.wave - 7000))
    pixels = np.hypot(7000 * 1e-4 * np.log(10), 1.25) / np.sqrt(12)
    assert cube.lsf[i] == pytest.approx(np.hypot(2.48 / 2.3548, pixels), rel=5e-3)
    # The polynomial takes air wavelengths: the pixel at the vacuum wavelength of 5000 Angstrom in air.
    i = np.argmin(np.abs(cube.wave - air_to_vacuum(5000.0)))
    pixels = np.hypot(cube.wave[i] * 1e-4 * np.log(10), 1.25 * cube.wave[i] / 5000.0) / np.sqrt(12)
    slope = 2 * 5.866e-8 * 5000 - 9.187e-4
    air = 5000.0 + (cube.wave[i] - air_to_vacuum(5000.0))
    width = 2.9130 + slope * (air - 5000.0)
    assert cube.lsf[i] == pytest.approx(np.hypot(width / 2.354820, pixels), rel=1e-5)


@pytest.mark.parametrize("centre", [5200.0, 8900.0])
def test_the_line_spread_is_that_of_lines_after_rebinning(tmp_path, centre):
    """Lines where old and new pixels lie in all ways to each other have, in the mean, the variance that the cube states."""
    variances = []
    for phase in np.arange(40) / 40:
        line = centre + 60 * phase
        sigma = muse.fwhm(line) / 2.354820
        spectrum = 1e5 * np.exp(-0.5 * ((WAVE_AIR - line) / sigma) ** 2)
        cube = read_cube(write(tmp_path / f"{phase}.fits", column(spectrum)))
        near = np.abs(cube.wave - air_to_vacuum(line)) < 15
        weight = cube.flux[near, 0, 0] * np.diff(log_edges(cube.wave))[near]
        mean = np.average(cube.wave[near], weights=weight)
        stated = cube.lsf[np.argmin(np.abs(cube.wave - mean))]
        variances.append(np.average((cube.wave[near] - mean) ** 2, weights=weight) / stated**2)
    assert np.mean(variances) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(("card", "value"), [("CTYPE3", "VELO"), ("CUNIT3", "Hz"), ("BUNIT", "ct")])
def test_another_scale_or_unit_is_refused(tmp_path, card, value):
    path = write(tmp_path / "m.fits", column(np.ones(3681)), **{card: value})
    with pytest.raises(CubeError, match=f"m.fits.*{value}"):
        read_cube(path)
