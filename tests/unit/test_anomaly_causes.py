"""Causes of anomalies that are not the galaxy: named where they are, and not where they are not."""

import numpy as np
import pytest

from mangrove.analysis import anomaly_causes as causes
from mangrove.analysis.anomaly_scores import Reconstructed, faintest, flux_level
from mangrove.codes import AnomalyCause, SpaxelStatus
from mangrove.physics.airglow import AIRGLOW_LINES, nearest_airglow
from mangrove.physics.lines import window_lines
from mangrove.physics.wavelengths import C_KMS

LINES = window_lines()
N_PIXEL, SIDE = 10, 16
STEP = 69.03
OI_SKY = 5578.9


def test_sky_residual_is_named_at_a_line_of_the_sky():
    """At [OI] 5577 and at a line of OH that fits do not mask; not far from any, and not if it does not stand out."""
    wave = np.array([OI_SKY + 1.0, 6865.9, OI_SKY + 30.0, OI_SKY])
    assert causes.sky_residual(np.array([5.0, 5.0, 5.0, 1.0]), wave).tolist() == [True, True, False, False]


def test_galaxy_without_field_has_no_sky_residual():
    assert not causes.sky_residual(np.array([np.nan]), np.array([OI_SKY]))[0]


def test_airglow_lines_are_vacuum_wavelengths():
    """[OI] 6364 (6365.54 in vacuum) and OH 6863.96 (6865.85) among them, in order."""
    assert np.all(np.diff(AIRGLOW_LINES) > 0)
    np.testing.assert_allclose(nearest_airglow([[6366.0], [6866.0]]), [[6365.54], [6865.85]], atol=0.01)


def test_foreground_star_is_named_where_it_covers_spaxels():
    status = np.full((3, SIDE, SIDE), SpaxelStatus.BINNED)
    status[0, 3:6, 3:6] = SpaxelStatus.FOREGROUND_STAR
    status[1, 3, 3] = SpaxelStatus.FOREGROUND_STAR
    status[2, :4] = SpaxelStatus.OUTSIDE_FIELD
    assert causes.foreground_star(status).tolist() == [True, False, False]


def hexagon(shift=0.0):
    """Spaxels of a field whose centre lies ``shift`` spaxels from the galaxy's."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    return np.hypot(y, x - shift) < 7


@pytest.mark.parametrize("radius", [4.0, -9999.0])
def test_cropped_field_is_named(radius):
    """Not that of a galaxy in the middle of its field: only what is cut off within R_e, or near the centre, counts."""
    seen = np.stack([hexagon(), hexagon(1.0), hexagon(7.0), hexagon(7.0), hexagon()])
    status = np.where(seen, SpaxelStatus.BINNED, SpaxelStatus.OUTSIDE_FIELD)
    status[3][~seen[3]] = SpaxelStatus.MASKED
    in_field = np.array([1, 1, 1, 1, 0])
    assert causes.cropped_field(status, np.full(5, radius), in_field).tolist() == [False, False, True, True, True]


def test_large_galaxy_is_not_cropped_by_the_square():
    """R_e beyond the square counts as half its side."""
    assert not causes.cropped_field(np.full((1, SIDE, SIDE), SpaxelStatus.BELOW_MIN_SNR), np.array([40.0]), np.ones(1))[
        0
    ]


def spectra(velocity, n=1, continuum=1.0, strength=5.0, noise=0.01):
    """Windows of the strong lines, Gaussians of 130 km/s at velocities of shape (line,), and the velocities of the pixels."""
    rng = np.random.default_rng(4)
    n_line = len(np.atleast_1d(velocity))
    pixel = STEP * (np.arange(N_PIXEL) - N_PIXEL // 2) + rng.uniform(-STEP / 2, STEP / 2, (n, n_line, 1))
    line = strength * np.exp(-0.5 * ((pixel - np.reshape(velocity, (1, -1, 1))) / 130.0) ** 2)
    flux = continuum + line + noise * rng.standard_normal(line.shape)
    return causes.FieldSpectra(flux, np.full(flux.shape, noise**2)), pixel


WRONG = {
    "shifted": (200.0 * np.ones(5), True),
    "shifted to the blue": (-200.0 * np.ones(5), True),
    "right": (np.array([0.0, 20.0, -30.0, 10.0, 0.0]), False),
    "a galaxy's motion": (70.0 * np.ones(5), False),
    "not consistently": (np.array([250.0, -220.0, 30.0, 260.0, -240.0]), False),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_redshift_is_named(case):
    velocity, wrong = WRONG[case]
    found, pixel = spectra(velocity, n=20)
    assert np.mean(causes.wrong_redshift(found, pixel)) == float(wrong)


def test_redshift_of_faint_lines_is_not_judged():
    """Neither without lines, nor where noise hides them, nor from one line alone, nor in narrow windows, nor without data."""
    shifted = 250.0 * np.ones(5)
    for options in ({"strength": 0.0}, {"strength": 0.5, "noise": 1.0}):
        found, pixel = spectra(shifted, n=20, **options)
        assert not causes.wrong_redshift(found, pixel).any()
    found, pixel = spectra(shifted, n=20)
    for part in (np.s_[:, :1], np.s_[:, :, 3:7]):
        assert not causes.wrong_redshift(causes.FieldSpectra(*(v[part] for v in found)), pixel[part]).any()
    nothing = causes.FieldSpectra(*(np.full_like(v, np.nan) for v in found))
    assert not causes.wrong_redshift(nothing, pixel).any()


def continua(n=60, seed=5):
    """Windows of all lines without emission: power laws of various slopes, 3 % of noise in each window."""
    rng = np.random.default_rng(seed)
    slope, brightness = rng.normal(0.0, 1.0, (n, 1)), 10 ** rng.normal(0.0, 0.5, (n, 1))
    level = brightness * (LINES.wave / 5000.0) ** slope * (1 + 0.03 * rng.standard_normal((n, len(LINES.wave))))
    flux = np.repeat(level[..., None], N_PIXEL, axis=2)
    return causes.FieldSpectra(flux, np.full(flux.shape, 1e-6))


def test_bad_calibration_is_named():
    """A window half as bright again as its neighbours say, at one galaxy; the others are as they are."""
    found = continua()
    found.flux[7, LINES.index("Hbeta_4863")] *= 1.5
    assert np.flatnonzero(causes.bad_calibration(found, LINES.wave)).tolist() == [7]


def test_emission_line_is_no_bad_calibration():
    """A strong line lifts all of its window, which then says nothing of the continuum."""
    found = continua()
    profile = np.exp(-0.5 * ((np.arange(N_PIXEL) - 5) / 2.0) ** 2)
    found.flux[7, LINES.index("Halpha_6565")] += 20 * found.flux[7, 0, 0] * (0.2 + profile)
    assert not causes.bad_calibration(found, LINES.wave).any()


def test_calibration_is_not_judged_by_a_few_galaxies():
    found = continua(n=5)
    found.flux[2, 8] *= 3.0
    assert not causes.bad_calibration(found, LINES.wave).any()


def test_departure_is_that_from_both_neighbours():
    """Magnitudes; the order of the lines does not matter, and the outermost have a neighbour on one side only.

    Next to the window that departs, the others depart from one neighbour alone.
    """
    found = continua(n=200)
    at = LINES.index("Hbeta_4863")
    found.flux[0, at] *= 10**0.4
    departure = causes.continuum_departure(found, LINES.wave)
    assert departure[0, at] == pytest.approx(1.0, abs=0.15)
    assert np.all(np.abs(departure[0, [at - 1, at + 1]]) < 0.2)
    assert np.all(np.isnan(departure[:, [0, -1]]))
    back = slice(None, None, -1)
    reverse = causes.continuum_departure(causes.FieldSpectra(*(v[:, back] for v in found)), LINES.wave[back])
    np.testing.assert_allclose(reverse[:, back], departure)


def test_line_without_data_is_named():
    assert causes.line_without_data(np.array([[True, True], [True, False]])).tolist() == [False, True]


def test_field_spectra_are_means_over_the_brighter_half():
    rng = np.random.default_rng(6)
    image = np.sort(rng.uniform(0.1, 2.0, 36))[::-1].reshape(6, 6)
    flux = np.broadcast_to(image, (1, 2, 3, 6, 6)).copy()
    valid = np.ones(flux.shape, bool)
    valid[0, 1] = False
    cubes = Reconstructed(flux * valid, 4.0 * valid, valid, flux * valid)
    found = causes.field_spectra(cubes)
    bright = ~faintest(flux_level(cubes), 0.5)[0]
    assert bright.sum() == 18
    np.testing.assert_allclose(found.flux[0, 0], image[bright].mean())
    np.testing.assert_allclose(found.variance[0, 0], 0.25 / 18)
    assert np.all(np.isnan(found.flux[0, 1]))


def test_velocities_are_those_from_the_line():
    """0 at the line at the galaxy's redshift, one pixel of MaNGA 69 km/s away."""
    z = np.array([0.05])
    wave = LINES.wave[:, None] * 1.05 * 10 ** (1e-4 * np.arange(-1, 2))
    velocity = causes.line_velocities(LINES.name, wave[None], z)
    np.testing.assert_allclose(velocity, np.broadcast_to([-STEP, 0.0, STEP], velocity.shape), atol=0.01)
    assert velocity[0, 0, 2] == pytest.approx(C_KMS * np.log(10) * 1e-4)


def test_bits_are_those_of_the_causes():
    found = causes.bits(sky_residual=np.array([True, False]), cropped_field=np.array([True, True]))
    assert [AnomalyCause(int(value)) for value in found] == [
        AnomalyCause.SKY_RESIDUAL | AnomalyCause.CROPPED_FIELD,
        AnomalyCause.CROPPED_FIELD,
    ]
