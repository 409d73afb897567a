"""Co-added spectra and their noise, places of baxels, spaxels that are left out."""

import numpy as np
import pytest
from astropy.wcs import WCS

from mangrove.codes import SpaxelStatus
from mangrove.errors import CubeError
from mangrove.physics.lines import window_lines
from mangrove.spectra.binning import extraction as extract
from mangrove.spectra.binning.coadd import coadd
from mangrove.spectra.linecubes.crop import crop
from mangrove.spectra.linecubes.windows import line_windows
from mangrove.survey.cube import Cube
from mangrove.survey.sample import Galaxy

WAVE = 10 ** (3.55 + 1e-4 * np.arange(4000))
GALAXY = Galaxy("8485-1901", "1-1", 0.03, 0.0, 150.0, 20.0, r_e=2.0, pa=90.0, ba=0.5)


def celestial(side):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [GALAXY.ra, GALAXY.dec]
    wcs.wcs.crpix, wcs.wcs.cdelt = [side // 2 + 1, side // 2 + 1], [-0.5 / 3600, 0.5 / 3600]
    return wcs


def cube(side=6, seed=0, flux=None, good=None):
    rng = np.random.default_rng(seed)
    shape = (WAVE.size, side, side)
    flux = rng.normal(10, 1, shape).astype("f4") if flux is None else np.broadcast_to(flux, shape).astype("f4")
    return Cube(
        name="8485-1901",
        wave=WAVE,
        flux=flux,
        ivar=np.ones(shape, "f4"),
        good=np.ones(shape, bool) if good is None else good,
        lsf=np.full(shape, 1.2, "f4"),
        foreground=np.zeros((side, side), bool),
        pixel_scale=0.5,
        wcs=celestial(side),
    )


def test_coadd_is_the_mean_over_good_spaxels():
    good = np.ones((WAVE.size, 6, 6), bool)
    good[100, 0, :2] = False
    good[200, 0, :5] = False
    data = cube(good=good)
    bins = np.full((6, 6), -1)
    bins[0] = 0
    out = coadd(data, bins, "manga")
    np.testing.assert_allclose(out.flux[0, 100], data.flux[100, 0, 2:].mean(), rtol=1e-6)
    # ivar = n^2 / (factor(n)^2 sum variance), written out for 4 and for 6 good spaxels of unit variance.
    factor = 1 + 1.62 * np.log10([4, 6])
    np.testing.assert_allclose(out.ivar[0, [100, 101]], np.array([4, 6]) / factor**2, rtol=1e-5)
    assert out.mask[0, 200] and out.ivar[0, 200] == 0 and out.flux[0, 200] == 0
    assert not out.mask[0, 100]


def test_twice_the_noise_gives_twice_the_error():
    data = cube()
    bins = np.arange(36).reshape(6, 6) // 9
    quiet, loud = (coadd(c, bins, "manga") for c in (data, Cube(**{**vars(data), "ivar": data.ivar / 4})))
    np.testing.assert_allclose(quiet.ivar / loud.ivar, 4.0, rtol=1e-5)


def test_spaxel_status_names_what_became_of_each():
    good = np.ones((WAVE.size, 6, 6), bool)
    good[:, 0, 0] = False
    good[(WAVE > 5600) & (WAVE < 6750), 0, 1] = False
    flux = np.full((6, 6), 10.0)
    flux[0, 2] = 1.0
    data = cube(flux=flux, good=good)
    data.foreground[0, 3] = True
    status = extract.spaxel_snr(data, [5600, 6750], 2.0).status
    outside, masked, faint = SpaxelStatus.OUTSIDE_FIELD, SpaxelStatus.MASKED, SpaxelStatus.BELOW_MIN_SNR
    assert list(status[0, :5]) == [outside, masked, faint, SpaxelStatus.FOREGROUND_STAR, SpaxelStatus.BINNED]


def test_signal_and_noise_are_medians_over_the_range():
    data = cube()
    snr = extract.spaxel_snr(data, [5600, 6750], 2.0)
    window = (WAVE > 5600) & (WAVE < 6750)
    np.testing.assert_allclose(snr.signal, np.median(data.flux[window], axis=0))
    np.testing.assert_allclose(snr.noise, 1.0)


@pytest.mark.parametrize("outside", [[100.0, 200.0], [20000.0, 30000.0]])
def test_a_range_outside_the_cube_is_refused(outside):
    low, high = outside
    with pytest.raises(
        CubeError, match=rf"continuum_range {low:g}-{high:g} lies outside the cube's 3548-8910 Angstrom"
    ):
        extract.spaxel_snr(cube(), outside, 2.0)


def test_geometry():
    bins = np.full((6, 6), -1)
    bins[3, 3], bins[3, 5], bins[5, 3] = 0, 1, 2
    bins[0, :2] = 3
    signal = np.ones((6, 6))
    signal[0, 0] = 3.0
    found = extract.geometry(cube(), bins, signal, GALAXY)
    np.testing.assert_allclose(found["x"], [3, 5, 3, 0.25])
    np.testing.assert_allclose(found["area"], [0.25, 0.25, 0.25, 0.5])
    # The major axis lies east-west: one arcsec along columns counts once, along rows twice.
    np.testing.assert_allclose(found["radius"][:3], [0.0, 1.0, 2.0], atol=1e-5)
    np.testing.assert_allclose(found["radius_re"][:3], [0.0, 0.5, 1.0], atol=1e-5)
    # Two spaxels of half an arcsec side by side: each a quarter of an arcsec from the middle, whatever their light.
    np.testing.assert_allclose(found["extent"], [0.0, 0.0, 0.0, 0.25], atol=1e-6)
    np.testing.assert_allclose(found["extent_re"], [0.0, 0.0, 0.0, 0.125], atol=1e-6)


def test_the_extent_of_a_disc_is_its_radius_over_root_two():
    side = 41
    y, x = np.mgrid[:side, :side] - side // 2
    bins = np.where(np.hypot(x, y) <= 18, 0, -1)
    found = extract.geometry(cube(side), bins, np.ones(bins.shape), GALAXY)
    np.testing.assert_allclose(found["extent"], 0.5 * 18 / np.sqrt(2), rtol=0.02)


def test_no_bins_give_empty_columns():
    bins = np.full((6, 6), -1)
    out = coadd(cube(), bins, "manga")
    assert out.flux.shape == (0, WAVE.size)
    assert all(v.shape == (0,) for v in extract.geometry(cube(), bins, np.ones((6, 6)), GALAXY).values())


def test_line_windows_are_centred_on_the_nearest_pixel():
    windows = line_windows(cube(), 0.03, window_lines(), 10)
    centres = windows.wave[:, 5]
    assert np.all(np.abs(np.log(centres / (window_lines().wave * 1.03))) <= 0.5 * 1e-4 * np.log(10) * (1 + 1e-6))
    inside = (windows.wave > WAVE[0]) & (windows.wave < WAVE[-1])
    assert np.all((windows.ivar[..., 0, 0] > 0) == inside)
    i = np.argmin(np.abs(WAVE - windows.wave[10, 5]))
    np.testing.assert_array_equal(windows.flux[10, 5], cube().flux[i])


def test_lines_outside_the_cube_have_no_data():
    windows = line_windows(cube(), 0.5, window_lines(), 10)
    far = windows.wave > WAVE[-1] * (1 + 1e-9)
    assert far.any() and not windows.ivar[far].any() and not windows.flux[far].any()


@pytest.mark.parametrize(("x", "y"), [(3.0, 4.0), (0.2, 0.0), (5.0, 5.4), (40.0, 2.0)])
@pytest.mark.parametrize("fill", [0.0, -1.0])
def test_crop_keeps_the_centre_and_fills_the_rest(x, y, fill):
    values = np.arange(1.0, 37.0).reshape(1, 6, 6)
    out = crop(values, x, y, 8, fill)
    for row in range(8):
        for column in range(8):
            r, c = row - 4 + round(y), column - 4 + round(x)
            expected = values[0, r, c] if 0 <= r < 6 and 0 <= c < 6 else fill
            assert out[0, row, column] == expected
