"""Anomaly scores: each against its formula, what they see, and what they must not see."""

from itertools import product

import numpy as np
import pytest
from reconstructed_cubes import LINE, MISSED, PIXEL, SIDE, disc, reconstructed

from mangrove.analysis import anomaly_scores as anomaly

NORMAL = reconstructed()


@pytest.fixture(scope="module")
def expected():
    return anomaly.calibrated(lambda: [NORMAL])


def score(cubes, expected, name="relative"):
    return anomaly.scores(cubes, expected).value[:, anomaly.SCORES.index(name)]


def some(cubes, rows):
    return anomaly.Reconstructed(*(cube[rows] for cube in cubes))


def residuals(cubes, galaxy, lines=range(LINE)):
    """(residual, flux, ivar) of the valid values of a galaxy, one by one."""
    for index in product(lines, range(PIXEL), range(SIDE), range(SIDE)):
        flux, ivar, valid, reconstruction = (float(cube[galaxy][index]) for cube in cubes)
        if valid:
            yield flux - reconstruction, flux, ivar


FORMULAS = {
    "published": lambda values: np.mean([abs(r) for r, _, _ in values]),
    "flux_normalised": lambda values: np.mean([abs(r) for r, _, _ in values]) / np.mean([abs(f) for _, f, _ in values]),
    "noise_weighted": lambda values: np.sqrt(np.mean([r**2 * i for r, _, i in values])),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_score_is_its_formula(name, expected):
    found, at = anomaly.scores(some(NORMAL, slice(3)), expected), anomaly.SCORES.index(name)
    for galaxy in range(3):
        assert found.value[galaxy, at] == pytest.approx(FORMULAS[name](list(residuals(NORMAL, galaxy))), rel=1e-5)
        for line in range(LINE):
            by_hand = FORMULAS[name](list(residuals(NORMAL, galaxy, [line])))
            assert found.line_value[galaxy, at, line] == pytest.approx(by_hand, rel=1e-5)


def level_by_hand(cubes, galaxy):
    """The flux level of a galaxy, line by line and spaxel by spaxel, shape (line, y, x)."""
    flux, _, valid, reconstruction = (cube[galaxy].astype(float) for cube in cubes)
    level = np.full((LINE, SIDE, SIDE), np.nan)
    for line, y, x in zip(*np.nonzero(valid[:, 0]), strict=True):
        near, here = (slice(None), *around(y, x)), valid[line] > 0
        squares = [
            np.mean(image[near][here[near]] ** 2) + anomaly.GALAXY_PART * np.mean(image[here] ** 2)
            for image in (flux[line], reconstruction[line])
        ]
        level[line, y, x] = np.sqrt(min(squares))
    return level


def around(y, x):
    return slice(max(y - 1, 0), y + 2), slice(max(x - 1, 0), x + 2)


def variances_by_hand(cubes, galaxy, error):
    """Variances of the noise and of the network, shape (line, pixel, y, x)."""
    _, ivar, valid, _ = (cube[galaxy] for cube in cubes)
    level = level_by_hand(cubes, galaxy)
    return 1 / np.where(valid, ivar, np.nan), (error[..., None, None] * level[:, None]) ** 2


def relative_by_hand(cubes, galaxy, lines, expected, column):
    """The relative score over some lines of a galaxy."""
    noise, network = variances_by_hand(cubes, galaxy, expected.error)
    ratio = (cubes.flux[galaxy] - cubes.reconstruction[galaxy]) / np.sqrt(noise + network)
    light = np.sum(level_by_hand(cubes, galaxy) ** 2, axis=0)
    of_lines = ratio[lines]
    mean = [
        np.nanmean(of_lines[(..., *around(y, x))] ** 2) for y, x in zip(*np.nonzero(np.isfinite(light)), strict=True)
    ]
    outer = light <= np.nanquantile(light, anomaly.OUTSKIRTS, method="inverted_cdf")
    offset = np.median(ratio[..., outer], axis=-1)
    offset = np.abs(offset - np.median(offset))
    found = np.log([max(mean), offset[lines].max() ** 2 / np.median(offset)])
    share = np.nanmean((network / (network + noise))[lines])
    typical, spread = (
        [np.interp(share, expected.share[:, column], known[:, column, k]) for k in range(2)]
        for known in (expected.typical, expected.spread)
    )
    return max((found - typical) / spread)


@pytest.mark.parametrize("galaxy", [0, 7])
def test_relative_score_is_its_formula(galaxy, expected):
    found = anomaly.scores(NORMAL, expected)
    by_hand = relative_by_hand(NORMAL, galaxy, list(range(LINE)), expected, 0)
    assert found.value[galaxy, 0] == pytest.approx(by_hand, rel=1e-3)
    for line in range(LINE):
        by_hand = relative_by_hand(NORMAL, galaxy, [line], expected, 1 + line)
        assert found.line_value[galaxy, 0, line] == pytest.approx(by_hand, rel=1e-3)


def test_spaxel_score_is_its_formula(expected):
    noise, network = variances_by_hand(NORMAL, 3, expected.error)
    ratio = (NORMAL.flux[3] - NORMAL.reconstruction[3]) / np.sqrt(noise + network)
    by_hand = np.sqrt(np.mean(ratio**2, axis=(0, 1)))
    np.testing.assert_allclose(anomaly.scores(NORMAL, expected).spaxel[3], by_hand, rtol=1e-4)


def test_typical_error_is_the_missed_fraction():
    """Of the flux, where the level is the flux itself up to the galaxy's part in it."""
    many = reconstructed(n=400, line=1)
    light = np.sum(many.reconstruction**2 * many.valid, axis=(3, 4))
    level = np.nansum(anomaly.flux_level(many) ** 2, axis=(2, 3))[:, :, None]
    # The median of the square of a normal deviate is 0.4549.
    wanted = MISSED * np.sqrt(0.4549 * np.median(light / level, axis=0))
    np.testing.assert_allclose(anomaly.typical_error([many]), wanted, rtol=0.15)


def test_measures_are_compared_at_the_same_noise():
    """Galaxies as normal as those of the calibration, but far fainter or brighter, have the usual scores."""
    rng = np.random.default_rng(3)
    faint = rng.uniform(1.0, 30.0, (200, 1, 1, 1, 1))
    noisy = reconstructed(n=200)
    noise = np.where(noisy.valid, np.sqrt(1 / np.where(noisy.valid, noisy.ivar, 1.0)), 0.0)
    extra = noise * np.sqrt(faint**2 - 1) * rng.standard_normal(noise.shape)
    noisy = noisy._replace(flux=noisy.flux + extra, ivar=np.float32(noisy.ivar / faint**2))
    value = score(noisy, anomaly.calibrated(lambda: [noisy]))
    order = np.argsort(faint[:, 0, 0, 0, 0])
    for part in np.array_split(order, 3):
        assert abs(np.median(value[part]) - np.median(value)) < 0.5


def test_blocks_do_not_matter(expected):
    halves = [some(NORMAL, slice(0, 25)), some(NORMAL, slice(25, None))]
    for whole, parts in zip(expected, anomaly.calibrated(lambda: halves), strict=True):
        np.testing.assert_allclose(parts, whole, rtol=1e-6)


def test_brightness_alone_changes_nothing(expected):
    """Twice the flux at twice the errors: the same relative score, spaxels and lines included; twice the published one."""
    twice = anomaly.Reconstructed(2 * NORMAL.flux, NORMAL.ivar / 4, NORMAL.valid, 2 * NORMAL.reconstruction)
    one, two = anomaly.scores(NORMAL, expected), anomaly.scores(twice, expected)
    names = list(anomaly.SCORES)
    scale = np.where(np.array(names) == "published", 2.0, 1.0)
    np.testing.assert_allclose(two.value, scale * one.value, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(two.line_value, scale[:, None] * one.line_value, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(two.spaxel, one.spaxel, rtol=1e-5)


def test_anomalies_do_not_set_what_is_expected(expected):
    """One galaxy in twenty whose residuals are ten times as large moves the expected error by less than a tenth."""
    flux = NORMAL.flux.copy()
    flux[::20] += 10 * (flux - NORMAL.reconstruction)[::20]
    found = anomaly.calibrated(lambda: [NORMAL._replace(flux=flux)])
    np.testing.assert_allclose(found.error, expected.error, rtol=0.25)
    assert np.median(found.error / expected.error) == pytest.approx(1.0, abs=0.1)
    assert np.median(np.abs(found.typical - expected.typical) / expected.spread) < 0.2


def planted(extra, n=40):
    """Normal galaxies that the expectation does not come from, and the same with light that the reconstruction lacks."""
    return reconstructed(n, seed=2), reconstructed(n, seed=2, extra=extra)


ANOMALIES = {
    "place": 0.4 * disc(3.0, 2.0, 0.7),
    "whole": 0.3 * disc(),
    # One wavelength pixel of one line over the whole field, at four standard deviations of the noise.
    "field": 0.08 * (np.arange(LINE * PIXEL) == 5).reshape(LINE, PIXEL, 1, 1),
}


@pytest.mark.parametrize("kind", ANOMALIES)
def test_relative_score_sees(kind, expected):
    """A small region, a whole galaxy and a whole field at one wavelength: in nine of ten above nine of ten normal ones."""
    normal, odd = planted(ANOMALIES[kind])
    assert np.quantile(score(odd, expected), 0.1) > np.quantile(score(normal, expected), 0.9)
    measure = np.nanmedian(anomaly.scores(odd, expected).measure, axis=0)
    if kind != "whole":
        assert anomaly.MEASURES[int(np.argmax(measure))] == kind


def test_published_score_sees_brightness_instead(expected):
    """The same small region is hidden in the brightness of the galaxies."""
    normal, odd = planted(ANOMALIES["place"])
    assert np.quantile(score(odd, expected, "published"), 0.1) < np.quantile(score(normal, expected, "published"), 0.9)


def test_line_that_is_odd_has_the_highest_score(expected):
    extra = 0.4 * disc(3.0, 2.0, 0.7) * (np.arange(LINE) == 1).reshape(LINE, 1, 1, 1)
    found = anomaly.scores(planted(extra)[1], expected).line_value[:, 0]
    assert np.mean(found.argmax(axis=1) == 1) > 0.9


def test_spaxel_map_peaks_at_the_odd_place(expected):
    _, odd = planted(ANOMALIES["place"])
    peaks = [np.unravel_index(np.nanargmax(image), image.shape) for image in anomaly.scores(odd, expected).spaxel]
    middle = (SIDE - 1) / 2
    near = [np.hypot(y - middle - 2, x - middle - 3) < 1.5 for y, x in peaks]
    assert np.mean(near) > 0.9


def test_galaxy_without_data_has_no_score(expected):
    valid = NORMAL.valid.copy()
    valid[0], valid[1, 2] = False, False
    found = anomaly.scores(
        anomaly.Reconstructed(NORMAL.flux * valid, NORMAL.ivar * valid, valid, NORMAL.reconstruction), expected
    )
    assert np.all(np.isnan(found.value[0]))
    assert np.all(np.isnan(found.line_value[0]))
    assert np.all(np.isnan(found.spaxel[0]))
    assert np.all(np.isfinite(found.value[1]))
    assert np.all(np.isnan(found.line_value[1, :, 2]))
    assert np.all(np.isfinite(found.line_value[1, :, :2]))


def without(cubes, galaxies, line):
    """The cubes without data of some galaxies at a line."""
    valid = cubes.valid.copy()
    valid[galaxies, line] = False
    return anomaly.Reconstructed(cubes.flux * valid, cubes.ivar * valid, valid, cubes.reconstruction)


def test_line_that_a_galaxy_lacks_is_calibrated_by_the_others():
    """Of 40 galaxies one lacks a line: fewer than it takes for two shares of the network's error there."""
    normal = some(NORMAL, slice(40))
    lacking, others = without(normal, [7], 1), some(normal, np.arange(40) != 7)
    found, of_others = (anomaly.calibrated(lambda cubes=cubes: [cubes]) for cubes in (lacking, others))
    assert found.typical.shape == (2, 1 + LINE, len(anomaly.MEASURES))
    one, other = (anomaly.scores(others, known).line_value[:, 0, 1] for known in (found, of_others))
    # The galaxy counts at the other lines, with which the measure 'field' compares.
    np.testing.assert_allclose(one, other, atol=0.05)
    assert np.all(np.isfinite(anomaly.scores(lacking, found).value))


def test_line_without_any_data_leaves_the_scores_of_the_others():
    normal = some(NORMAL, slice(45))
    found = anomaly.scores(
        without(normal, slice(None), 1), anomaly.calibrated(lambda: [without(normal, slice(None), 1)])
    )
    complete = anomaly.Reconstructed(*(np.delete(cube, 1, axis=1) for cube in normal))
    of_others = anomaly.scores(complete, anomaly.calibrated(lambda: [complete]))
    np.testing.assert_allclose(found.value, of_others.value)
    np.testing.assert_allclose(found.line_value[..., [0, 2]], of_others.line_value)
    assert np.all(np.isnan(found.line_value[..., 1]))


def test_calibration_without_data_is_defined():
    nothing = anomaly.Reconstructed(*(np.zeros_like(cube) for cube in NORMAL))
    found = anomaly.calibrated(lambda: [nothing])
    assert not found.error.any()
    assert np.all(found.spread > 0)


def test_reconstruction_without_error_has_a_score():
    """As that of the training galaxies of a linear model with as many latents as galaxies."""
    exact = NORMAL._replace(reconstruction=NORMAL.flux)
    found = anomaly.scores(exact, anomaly.calibrated(lambda: [exact]))
    assert np.all(np.isfinite(found.value))
