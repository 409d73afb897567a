"""The simulated survey: layout, determinism, truth, noise."""

import gzip
import io
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from mangrove.artefacts import read
from mangrove.errors import SampleError
from mangrove.physics.lines import fit_lines
from mangrove.physics.wavelengths import C_KMS, SIGMA_TO_FWHM, log_edges
from mangrove.spectra.binning.voronoi import bin_spaxels
from mangrove.ssp.library import load_mastar
from mangrove.survey.releases import release
from mangrove.survey.simulation import truth as true
from mangrove.survey.simulation.cubes import write_logcube
from mangrove.survey.simulation.design import SIMULATED_SURVEY, design_galaxy, survey_plateifus
from mangrove.survey.simulation.drpall import write_drpall
from mangrove.survey.simulation.files import simulate_survey
from mangrove.survey.simulation.gas import add_lines, line_fluxes
from mangrove.survey.simulation.instrument import (
    LOG_STEP,
    PIXEL_KMS,
    WAVE,
    correlated_noise,
    hexagon_depth,
    lsf_sigma,
    lsf_sigma_before_pixels,
    noise_sigma,
    spaxel_offsets,
)
from mangrove.survey.simulation.maps import galaxy_maps
from mangrove.survey.simulation.simulate import simulate_galaxy
from mangrove.survey.simulation.stars import calzetti, interpolate, populations, stellar_spectra

NOCOV, FORESTAR, DONOTUSE = 1, 8, 1024
SEED = 1
SPIRAL = "9000-12701"


@pytest.fixture(scope="module")
def mastar():
    return load_mastar()


@pytest.fixture(scope="module")
def star_forming(mastar):
    galaxy = design_galaxy("9001-1901", SEED)
    return galaxy, *simulate_galaxy(galaxy, "dr17", mastar)


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    folder = tmp_path_factory.mktemp("survey")
    simulate_survey(folder, ["9003-1901"], "dr15", SEED)
    return folder


def unpacked(path) -> io.BytesIO:
    """The file in memory: FITS readers seek, which gzip makes slow."""
    return io.BytesIO(gzip.decompress(path.read_bytes()))


def one_spectrum(mastar, **changes):
    """A spaxel of one population, as the arguments of stellar_spectra."""
    values = {
        "light": 1.0,
        "log_age": 9.31,
        "metallicity": -0.17,
        "ebv": 0.0,
        "velocity": 0.0,
        "sigma": 100.0,
    }
    values |= {"lsf_factor": 1.0} | changes
    arrays = {k: np.full((1, 1) if k in ("light", "log_age", "metallicity") else 1, v) for k, v in values.items()}
    return stellar_spectra(populations(mastar, 0.05), redshift=0.05, **arrays)


def factor_of_compact_bins(n: int, noise) -> float:
    """Noise of the sum over n neighbours over its quadrature sum; noise has shape (n_draw, side, side)."""
    y, x = np.indices(noise.shape[1:]) - noise.shape[1] // 2
    members = np.argsort(np.hypot(y - 0.13, x - 0.21), axis=None, kind="stable")[:n]
    return float(noise.reshape(len(noise), -1)[:, members].sum(1).std() / np.sqrt(n))


def test_wavelengths_are_those_of_the_survey():
    assert WAVE.size == 4563
    assert WAVE[[0, -1]] == pytest.approx([3621.59598486, 10353.80544415], abs=1e-8)
    assert pytest.approx(69.03, abs=0.01) == PIXEL_KMS


def test_line_spread_is_that_of_manga():
    fwhm = lsf_sigma(np.array([3700, 5000, 7000]) * 1.05) * SIGMA_TO_FWHM / 1.05
    assert fwhm == pytest.approx([2.38, 2.73, 3.30], abs=0.02)


@pytest.mark.parametrize("n", [1, 5, 10, 30, 100])
def test_noise_of_bins_follows_the_covariance_factor(n):
    noise = correlated_noise(np.random.default_rng(5), 4563, 34)
    assert factor_of_compact_bins(n, noise) == pytest.approx(1 + 1.62 * np.log10(n), rel=0.12)


def test_ivar_is_honest(mastar):
    galaxy = design_galaxy("9001-1901", SEED)
    noisy, _ = simulate_galaxy(galaxy, "dr17", mastar)
    other, _ = simulate_galaxy(replace(galaxy, plateifu="9999-1901"), "dr17", mastar)
    # The same galaxy twice, with other noise (and a slightly other line spread, which matters at lines).
    good = ((noisy.mask | other.mask) == 0) & (noisy.ivar > 0) & (other.ivar > 0)
    quiet = (WAVE > 5700) & (WAVE < 5860)
    good[~quiet] = False
    chi = (noisy.flux - other.flux)[good] / np.sqrt(1 / noisy.ivar[good] + 1 / other.ivar[good])
    assert chi.std() == pytest.approx(1, abs=0.02)


def test_designs_depend_on_their_own_name_only():
    assert design_galaxy("9008-1901", SEED) == design_galaxy("9008-1901", SEED)
    assert design_galaxy("9008-1901", SEED) != design_galaxy("9008-1901", SEED + 1)
    assert survey_plateifus(5) == SIMULATED_SURVEY[:5]
    assert survey_plateifus(40)[:20] == survey_plateifus(20)
    assert len(set(survey_plateifus(200))) == 200


def test_repeat_observation_shows_the_same_galaxy():
    first, again = design_galaxy("9001-1901", SEED), design_galaxy("9004-1902", SEED)
    assert first.mangaid == again.mangaid
    assert first.pointing != again.pointing
    same = {"plateifu": "", "role": "", "pointing": (0.0, 0.0), "psf_fwhm": 2.5}
    assert replace(first, **same) == replace(again, **same)


def test_mangaids_are_unique_but_for_the_repeat():
    names = [design_galaxy(p, SEED).mangaid for p in survey_plateifus(60)]
    assert len(set(names)) == 59


def test_unknown_bundle_is_refused():
    with pytest.raises(SampleError, match="has none of"):
        design_galaxy("9001-5001", SEED)


def test_populations_lie_off_the_grid(mastar):
    templates = populations(mastar, 0.05)
    between = np.exp(interpolate(templates.log_flux, templates, np.array([9.2]), np.array([-0.5])))[0]
    grid = np.exp(templates.log_flux).reshape(-1, between.size)
    fit, *_ = np.linalg.lstsq(grid.T, between, rcond=None)
    assert np.std(grid.T @ fit / between - 1) > 2e-4
    on_grid = interpolate(templates.log_flux, templates, np.array([9.0]), np.array([0.0]))[0]
    assert on_grid == pytest.approx(templates.log_flux[4, 5], abs=1e-9)


def test_stars_have_the_asked_width_and_velocity(mastar):
    """Against direct integration with a Gaussian whose width changes with wavelength."""
    velocity, sigma = 150.0, 90.0
    made = one_spectrum(mastar, velocity=velocity, sigma=sigma).flux[0]
    templates = populations(mastar, 0.05)
    rest = np.exp(interpolate(templates.log_flux, templates, np.array([9.31]), np.array([-0.17])))[0]
    band = (templates.wave > 5000) & (templates.wave < 6000)
    rest /= np.average(rest[band], weights=np.gradient(templates.wave)[band])
    for pixel in (500, 1200, 2500, 4000):
        where = np.log(WAVE[pixel] / 1.05) - velocity / C_KMS
        own = np.interp(np.exp(where), templates.wave, templates.lsf_sigma)
        width = np.sqrt(sigma**2 + (C_KMS * lsf_sigma(WAVE[pixel]) / WAVE[pixel]) ** 2 - own**2) / C_KMS
        fine = np.arange(-6 * width, 6 * width, LOG_STEP / 20)
        values = np.interp(where + fine, np.log(templates.wave), rest)
        kernel = np.exp(-0.5 * (fine / width) ** 2)
        assert made[pixel] == pytest.approx((values * kernel).sum() / kernel.sum(), rel=4e-3)


def test_light_weight_is_flux_over_the_band(mastar):
    made = one_spectrum(mastar, ebv=0.3, light=2.0)
    band = (WAVE / 1.05 > 5000) & (WAVE / 1.05 < 6000)
    mean = np.average(made.flux[0, band], weights=np.gradient(WAVE)[band])
    assert mean == pytest.approx(made.light[0, 0], rel=2e-3)


def test_templates_too_coarse_are_an_error(mastar):
    with pytest.raises(ValueError, match="coarser"):
        one_spectrum(mastar, sigma=5.0)


def test_lines_have_flux_place_and_width():
    lines = fit_lines()
    spectra = np.zeros((1, WAVE.size))
    flux = np.zeros((len(lines.name), 1))
    flux[lines.index("Halpha_6565")] = 7.0
    add_lines(spectra, flux, np.array([120.0]), np.array([40.0]), np.array([1.0]), 0.05)
    line = spectra[0] * np.diff(log_edges(WAVE))
    centre = lines.wave[lines.index("Halpha_6565")] * 1.05 * np.exp(120 / C_KMS)
    mean = (line * WAVE).sum() / line.sum()
    width = np.sqrt((line * (WAVE - mean) ** 2).sum() / line.sum())
    expected = np.hypot(40 / C_KMS * centre, lsf_sigma(centre))
    assert line.sum() == pytest.approx(7.0, rel=1e-6)
    assert mean == pytest.approx(centre, abs=0.02)
    # The line spread of LSFPOST contains the pixel.
    assert width == pytest.approx(expected, rel=5e-3)
    assert lsf_sigma_before_pixels(lsf_sigma(5000.0), 5000.0) < lsf_sigma(5000.0)


def test_fixed_line_ratios_and_balmer_decrement():
    lines = fit_lines()
    strength = {"star_forming": np.array([3.0]), "seyfert": np.array([1.0]), "liner": np.array([0.5])}
    dusty = line_fluxes(strength, np.array([8.6]), np.array([0.4]))[:, 0]
    clean = line_fluxes(strength, np.array([8.6]), np.array([0.0]))[:, 0]
    assert dusty == pytest.approx(dusty[lines.partner] * lines.ratio)
    halpha, hbeta = lines.index("Halpha_6565"), lines.index("Hbeta_4863")
    assert clean[halpha] / clean[hbeta] == pytest.approx(2.86)
    # k(Hbeta) - k(Halpha) of Cardelli et al. (1989).
    assert 2.5 * np.log10(dusty[halpha] / dusty[hbeta] / 2.86) / 0.4 == pytest.approx(1.08, abs=0.03)


def test_bpt_classes():
    assert true.kauffmann_distance(-0.6, -0.3) < 0 < true.kauffmann_distance(0.0, 1.0)
    assert true.kauffmann_distance(-0.5, 0.61 / -0.55 + 1.3) == pytest.approx(0, abs=2e-3)
    assert true.kauffmann_distance(0.2, -1.0) > 0


def test_spectra_carry_the_true_line_flux(mastar):
    """Summed over the field, the blueberry's flux around Halpha less the continuum is [NII] + Halpha."""
    galaxy = design_galaxy("9006-1901", SEED)
    cube, truth = simulate_galaxy(galaxy, "dr17", mastar)
    lines = fit_lines()
    inside = np.isfinite(truth["v_star"]) & (cube.mask == 0).all(0)
    spectrum = cube.flux[:, inside].sum(1, dtype=float)
    rest = WAVE / (1 + galaxy.redshift)
    near, sides = (rest > 6540) & (rest < 6595), (abs(rest - 6567) > 40) & (abs(rest - 6567) < 70)
    level = np.polyval(np.polyfit(rest[sides], spectrum[sides], 1), rest)
    measured = ((spectrum - level) * np.gradient(WAVE))[near].sum()
    names = ("Halpha_6565", "NII_6585", "NII_6550")
    total = sum(truth["line_flux"][lines.index(n)][inside].sum() for n in names)
    extinction = 2.32 * galaxy.ebv_galactic  # Fitzpatrick (1999) at 6750 Angstrom
    assert measured * 10 ** (0.4 * extinction) == pytest.approx(total, rel=0.01)


def test_spiral_arms_hold_the_young_stars_and_the_gas():
    """Seen face-on: on a circle both are brightest where ln(r)/tan(pitch) says that the two arms are."""
    galaxy = replace(design_galaxy(SPIRAL, SEED), inclination=0.0, psf_fwhm=0.1, knots=(), pointing=(0.0, 0.0))
    maps = galaxy_maps(galaxy)
    east, north = spaxel_offsets(galaxy.side)
    radius, angle = np.hypot(east, north), np.deg2rad(galaxy.position_angle)
    azimuth = np.arctan2(east * np.cos(angle) - north * np.sin(angle), east * np.sin(angle) + north * np.cos(angle))
    phase = 2 * (azimuth - np.log((radius + 1e-6) / galaxy.effective_radius) / np.tan(np.deg2rad(galaxy.arm_pitch)))
    ring = (radius > 9.0) & (radius < 10.0)
    ridge, between = ring & (np.cos(phase) > 0.9), ring & (np.cos(phase) < -0.9)
    young = maps.light[-1]
    # exp(1.5 (cos - 1)): 0.96 on the ridges, 0.052 between them, over cosines above 0.9 and below -0.9.
    assert young[ridge].mean() / young[between].mean() == pytest.approx(0.96 / 0.052, rel=0.1)
    assert maps.halpha["star_forming"][ridge].mean() > 15 * maps.halpha["star_forming"][between].mean()
    smooth = galaxy_maps(replace(galaxy, arm_pitch=0.0)).light[-1]
    assert young[ring].sum() == pytest.approx(smooth[ring].sum(), rel=0.02)


def test_the_spiral_shows_structure_in_its_bins():
    """At the demo's target, few of its spaxels are in bins of more than 100 spaxels."""
    galaxy = design_galaxy(SPIRAL, SEED)
    maps = galaxy_maps(galaxy)
    inside = hexagon_depth(galaxy.side, galaxy.field_diameter) > 0
    light = (maps.light.sum(0) * 10 ** (-0.4 * maps.ebv_star * calzetti(5500.0)))[inside]
    signal = galaxy.central_flux * light / light.max()
    window = (WAVE > 5600) & (WAVE < 6750)
    noise = np.median(noise_sigma(np.repeat(signal[:, None], WAVE.size, axis=1))[:, window], axis=1)
    y, x = np.nonzero(inside)
    n = np.bincount(bin_spaxels(x, y, signal, noise, 20.0, "manga", "powerbin"))
    assert n[n > 100].sum() < 0.1 * n.sum()
    assert 150 < n.size < 400


def test_truth_is_complete_and_sane(star_forming):
    galaxy, cube, truth = star_forming
    inside = np.isfinite(truth["v_star"])
    assert 450 < inside.sum() < 650
    for name, values in truth.items():
        if name in ("line", "d_bpt_class"):
            continue
        assert np.all(np.isfinite(values) == np.broadcast_to(inside, values.shape)), name
    assert truth["line"].tolist() == list(fit_lines().name)
    assert truth["sigma_star"][inside].min() >= 50
    assert np.abs(truth["v_star"][inside] - galaxy.v_systemic).max() < galaxy.v_max
    assert truth["ebv_gas"][inside] == pytest.approx(truth["ebv_star"][inside] / 0.44, rel=1e-5)
    assert np.all(truth["log_age_mw"][inside] >= truth["log_age_lw"][inside])
    ew = truth["line_ew"][fit_lines().index("Halpha_6565")]
    assert 3 < np.median(ew[inside]) < 80
    assert np.all(truth["d_bpt_class"][inside] == 1)
    assert 8 < np.log10((10 ** truth["log_mass"][inside]).sum()) < 12
    mean = cube.flux[(WAVE > 5600) & (WAVE < 6750)].mean(0)
    clean = (cube.mask == 0).all(0)
    assert mean[clean].sum() == pytest.approx(truth["continuum"][clean].sum(), rel=0.01)


@pytest.mark.parametrize(
    ("plateifu", "expected"),
    [("9001-1902", {1, 3}), ("9002-1901", {0}), ("9002-1902", {3}), ("9005-1902", {1, 3})],
)
def test_ionisation_of_the_roles(plateifu, expected, mastar):
    _, truth = simulate_galaxy(design_galaxy(plateifu, SEED), "dr17", mastar)
    found = set(truth["d_bpt_class"][np.isfinite(truth["v_star"])].tolist())
    assert expected <= found <= expected | {2}


def test_too_faint_galaxy_has_no_spaxel_above_two(mastar):
    cube, _ = simulate_galaxy(design_galaxy("9004-1901", SEED), "dr17", mastar)
    band = (WAVE > 5600) & (WAVE < 6750)
    inside = cube.lsf_factor > 0
    snr = np.median(cube.flux[band][:, inside] * np.sqrt(cube.ivar[band][:, inside]), axis=0)
    assert snr.max() < 2


@pytest.mark.parametrize("name", ["dr15", "dr17"])
def test_logcube_has_the_layout_of_its_release(name, star_forming, tmp_path):
    galaxy, cube, truth = star_forming
    path = tmp_path / "cube.fits.gz"
    write_logcube(path, cube._replace(release=name))
    expected = ["PRIMARY", "FLUX", "IVAR", "MASK", release(name).lsf_hdu, release(name).pre_lsf_hdu, "WAVE"]
    expected += ["SPECRES", "SPECRESD", "PRESPECRES", "PRESPECRESD", "OBSINFO"]
    expected += [b + kind for kind in ("IMG", "PSF", "CORREL") for b in "GRIZ"]
    with fits.open(unpacked(path), checksum=True) as hdus:
        assert [h.name for h in hdus] == expected
        assert hdus[0].header["PLATEIFU"] == galaxy.plateifu
        assert hdus[0].header["VERSDRP3"] == release(name).drpver
        assert hdus["FLUX"].data.shape == (4563, 34, 34)
        assert hdus["FLUX"].data.dtype == ">f4"
        assert hdus["FLUX"].header["BUNIT"].startswith("1E-17")
        assert hdus["WAVE"].data == pytest.approx(WAVE, rel=1e-12)
        assert np.allclose(hdus["FLUX"].data, cube.flux, rtol=1e-4)
        assert hdus["RCORREL"].data["RHOIJ"].max() == 1
        wcs = WCS(hdus["RIMG"].header)
        x, y = wcs.world_to_pixel_values(hdus[0].header["OBJRA"], hdus[0].header["OBJDEC"])
        image = hdus["RIMG"].data
    peak = np.unravel_index(np.argmax(image), image.shape)
    assert np.hypot(peak[0] - y, peak[1] - x) < 1.5
    assert np.all(np.isfinite(truth["v_star"]) == (cube.lsf_factor > 0))


def test_outside_the_field_there_is_nothing(star_forming):
    _, cube, truth = star_forming
    outside = ~np.isfinite(truth["v_star"])
    assert np.all(cube.mask[:, outside] & (NOCOV | DONOTUSE) == NOCOV | DONOTUSE)
    assert not cube.ivar[:, outside].any()
    assert np.all(cube.ivar >= 0)
    fatal = (cube.mask & 0b10000001101) > 0
    assert 0 < (fatal[:, ~outside]).mean() < 0.1


def test_equal_seeds_give_equal_bytes(star_forming, tmp_path, mastar):
    galaxy, cube, _ = star_forming
    again, _ = simulate_galaxy(design_galaxy(galaxy.plateifu, SEED), "dr17", mastar)
    for name, one in (("a", cube), ("b", again)):
        write_logcube(tmp_path / name, one)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_drpall_of_dr17_has_two_tables(tmp_path):
    galaxies = [design_galaxy(p, SEED) for p in SIMULATED_SURVEY]
    write_drpall(tmp_path / "drpall.fits", galaxies, "dr17")
    with fits.open(tmp_path / "drpall.fits", checksum=True) as hdus:
        assert [h.name for h in hdus] == ["PRIMARY", "MANGA", "MASTAR"]
        table = hdus["MANGA"].data
        chosen = ((table["mngtarg1"] > 0) | (table["mngtarg3"] > 0)) & (table["z"] > 0)
        assert chosen.sum() == len(galaxies)
        assert len(table) > chosen.sum()
        critical = table["plateifu"][(table["drp3qual"] & (1 << 30)) > 0]
        assert critical.tolist() == ["9003-1902"]


def test_survey_on_disk(survey):
    kind = release("dr15")
    with fits.open(unpacked(survey / kind.cube_path("9003-1901"))) as hdus:
        assert (hdus["MASK"].data & FORESTAR).any()
        assert "DISP" in hdus
    with fits.open(survey / kind.drpall_path) as hdus:
        assert len(hdus) == 2
        assert (hdus[1].data["mngtarg2"] > 0).any()
    truth = read(survey / "truth" / "9003-1901.h5", "truth")
    assert truth["v_star"].shape == (34, 34)
    assert not list(survey.rglob("*.part"))
