"""Dust, star formation and masses against values computed by hand from the cited papers."""

import numpy as np
import pytest

from mangrove.codes import LabelFlag
from mangrove.physics import cosmology
from mangrove.physics.dust import calzetti, cardelli, polynomial_ebv
from mangrove.physics.photometry import r_band_flux, r_pivot, r_weights, solar_r_luminosity
from mangrove.spectra.labels import surface_densities as physics
from mangrove.spectra.labels.balmer_decrement import balmer_curve, corrected_halpha, gas_ebv
from mangrove.spectra.labels.label import Label

Z, PIXEL = 0.03, 0.5


def label(value, error=0.1):
    return Label(np.array([value]), np.array([error]), np.zeros(1, np.uint16))


def test_calzetti_curve():
    # k(V) is R_V = 4.05 by definition, and the red piece of equation 4 at 2.2 micron.
    assert calzetti(5500.0) == pytest.approx(4.05, abs=0.01)
    assert calzetti(22000.0) == pytest.approx(2.659 * (-1.857 + 1.040 / 2.2) + 4.05)
    # E(B-V) is A(B) - A(V) over itself.
    assert calzetti(4400.0) - calzetti(5500.0) == pytest.approx(1.0, abs=0.05)


def test_cardelli_curve():
    # x = 1e4/5494.5 = 1.82: a = 1, b = 0 by construction, so k = R_V.
    assert cardelli(1e4 / 1.82) == pytest.approx(3.1, abs=1e-6)
    # Halpha, x = 1.5233, y = -0.2967: the polynomials of their equation 3 give a = 0.9087, b = -0.2826.
    assert balmer_curve() == pytest.approx((2.53, 3.61), abs=0.01)


def test_decrement_of_case_b_is_no_dust():
    out = gas_ebv([2.86], [0.0286], [1.0], [0.01])
    assert out.value[0] == pytest.approx(0.0, abs=1e-12)
    # Error of log10 of a ratio of two lines known to 1 %.
    k_halpha, k_hbeta = balmer_curve()
    assert out.error[0] == pytest.approx(2.5 / (k_hbeta - k_halpha) * np.sqrt(2) * 0.01 / np.log(10))
    assert out.flag[0] == 0


def test_dust_makes_the_decrement_and_comes_back():
    k_halpha, k_hbeta = balmer_curve()
    halpha, hbeta = 2.86 * 10 ** (-0.4 * k_halpha * 0.4), 10 ** (-0.4 * k_hbeta * 0.4)
    assert gas_ebv([halpha], [0.01], [hbeta], [0.01]).value[0] == pytest.approx(0.4)
    assert 10 ** corrected_halpha([halpha], [0.01], [hbeta], [0.01]).value[0] == pytest.approx(2.86)
    # 2.5 / (3.61 - 2.53) = 2.31, from the rounded values of the curve.
    assert gas_ebv([halpha], [0.01], [hbeta], [0.01]).value[0] == pytest.approx(
        2.31 * np.log10(halpha / hbeta / 2.86), rel=0.02
    )


def test_negative_decrement_keeps_its_sign_and_corrects_nothing():
    out, flux = (f([2.0], [0.1], [1.0], [0.1]) for f in (gas_ebv, corrected_halpha))
    assert out.value[0] < 0
    assert out.flag[0] == flux.flag[0] == LabelFlag.NEGATIVE_DECREMENT
    assert 10 ** flux.value[0] == pytest.approx(2.0)
    assert flux.error[0] > 0.1 / 2.0 / np.log(10)


def test_errors_of_corrected_halpha_match_draws():
    rng = np.random.default_rng(0)
    halpha, hbeta = 10.0 + 0.1 * rng.normal(size=4000), 2.0 + 0.05 * rng.normal(size=4000)
    out = corrected_halpha([10.0], [0.1], [2.0], [0.05])
    assert out.error[0] == pytest.approx(corrected_halpha(halpha, 0.1, hbeta, 0.05).value.std(), rel=0.05)
    out = gas_ebv([10.0], [0.1], [2.0], [0.05])
    assert out.error[0] == pytest.approx(gas_ebv(halpha, 0.1, hbeta, 0.05).value.std(), rel=0.05)


def test_lines_that_are_missing_or_negative_are_flagged():
    for function in (gas_ebv, corrected_halpha, lambda *a: physics.sfr_surface_density(*a, Z, PIXEL)):
        out = function([10.0, 10.0, 0.0], [1.0, 1.0, 1.0], [np.nan, -1.0, 1.0], [1.0, 1.0, 1.0])
        assert np.isnan(out.value).all() and np.isnan(out.error).all()
        expected = [LabelFlag.LINE_MISSING, LabelFlag.LINE_NEGATIVE, LabelFlag.LINE_NEGATIVE]
        of_strength = LabelFlag.LOW_SNR | LabelFlag.UPPER_LIMIT
        np.testing.assert_array_equal(out.flag & ~np.uint32(of_strength), expected)
        assert (out.flag & LabelFlag.LOW_SNR > 0).tolist() == [False, True, True]


def test_polynomial_that_is_dust_gives_its_ebv():
    wave = np.linspace(3650.0, 7400.0, 500)
    shape = 1.7 * 10 ** (-0.4 * calzetti(wave) * np.array([[0.3], [1.2]]))
    np.testing.assert_allclose(polynomial_ebv(wave, shape), [0.3, 1.2])


def test_one_solar_mass_a_year():
    assert physics.star_formation_rate(10**41.27) == pytest.approx(1.0)


def test_distances_by_independent_integration():
    """Comoving distance in flat space by a direct sum; H0 = 70, Omega_m = 0.3."""
    redshift = (np.arange(20000) + 0.5) / 20000 * Z
    comoving = 299792.458 / 70.0 * np.mean(1 / np.sqrt(0.3 * (1 + redshift) ** 3 + 0.7)) * Z
    assert cosmology.luminosity_distance(Z) / 3.0856775814913673e24 == pytest.approx(comoving * (1 + Z), rel=1e-6)
    assert cosmology.kpc_per_arcsec(Z) == pytest.approx(comoving / (1 + Z) * 1e3 * np.pi / 648000, rel=1e-6)
    # Hubble time times 0.9641 for Omega_m = 0.3, flat: 13.47 Gyr now.
    assert cosmology.universe_age(0.0) == pytest.approx(13.467, abs=0.005)
    with pytest.raises(ValueError, match="no distance"):
        cosmology.luminosity_distance(0.0)


def test_sfr_surface_density_does_not_depend_on_distance_but_for_dimming():
    halpha, hbeta = np.array([286.0]), np.array([100.0])
    near, far = (physics.sfr_surface_density(halpha, 1.0, hbeta, 1.0, z, PIXEL) for z in (0.01, 0.1))
    assert far.value[0] - near.value[0] == pytest.approx(4 * np.log10(1.1 / 1.01))
    # By hand: 4 pi (1+z)^4 F / pixel^2 / 10^41.27, arcsec to rad, cm2 to kpc2.
    kpc = 3.0856775814913673e21
    pixel = PIXEL * np.pi / 648000
    by_hand = 4 * np.pi * 1.01**4 * 286e-17 / pixel**2 * kpc**2 / 10**41.27
    assert near.value[0] == pytest.approx(np.log10(by_hand))


def test_faint_halpha_is_flagged():
    out = physics.sfr_surface_density([3.0, 3.0], [1.0, 2.0], [1.0, 1.0], [0.1, 0.1], Z, PIXEL)
    np.testing.assert_array_equal(out.flag, [0, LabelFlag.LOW_SNR | LabelFlag.UPPER_LIMIT])
    np.testing.assert_array_equal(np.isnan(out.value), [False, True])


def test_upper_limit_of_star_formation_by_hand():
    """Two sigma above the flux, or above zero, as a flux without dust; detected and missing lines have none."""
    limit = physics.sfr_upper_limit([1.0, -1.0, 3.0, np.nan], [1.0, 1.0, 1.0, 1.0], Z, PIXEL)
    area = (PIXEL * cosmology.kpc_per_arcsec(Z)) ** 2
    halpha = 4 * np.pi * cosmology.luminosity_distance(Z) ** 2 * np.array([3e-17, 2e-17])
    np.testing.assert_allclose(limit[:2], np.log10(halpha / 10**41.27 / area))
    assert np.isnan(limit[2:]).all()


def test_the_sun_is_one_solar_luminosity():
    """A spectrum flat in f_nu with M_AB = 4.65 has the r luminosity of the Sun."""
    wave = np.arange(5000.0, 7500.0)
    area = 4 * np.pi * 3.0856775814913673e19**2
    density = area * 10 ** (-0.4 * (4.65 + 48.6)) * 2.99792458e18 / wave**2
    assert solar_r_luminosity(r_weights(wave)[0] @ density) == pytest.approx(1.0, rel=1e-4)


def test_r_band_flux_needs_the_band_and_fills_bad_pixels():
    wave = np.arange(5000.0, 7500.0)
    good = np.ones(wave.size, bool)
    good[1000:1100] = False
    flux = np.where(good, 2.0, 1e6)
    value, error = r_band_flux(wave, flux, np.full(wave.size, 0.1), good, np.full(wave.size, 2.0))
    assert value == pytest.approx(2.0)
    assert 0.1 / np.sqrt(2000) < error < 0.1 / np.sqrt(800)
    assert np.isnan(r_band_flux(wave[wave < 6300], *[np.ones(1300)] * 2, np.ones(1300, bool), np.ones(1300))).all()


def test_mass_surface_density_by_hand():
    """M/L 2 without dust; the light from the AB magnitude of the flux and the distance modulus."""
    flux = 0.5
    f_nu = flux * 1e-17 * (1 + Z) * r_pivot() ** 2 / 2.99792458e18
    modulus = 5 * np.log10(cosmology.luminosity_distance(Z) / 3.0856775814913673e19)
    luminosity = 10 ** (-0.4 * (-2.5 * np.log10(f_nu) - 48.6 - modulus - 4.65))
    area = (PIXEL * cosmology.kpc_per_arcsec(Z)) ** 2
    out = physics.mass_surface_density(label(np.log10(2.0)), [flux], [0.05], Z, PIXEL)
    assert out.value[0] == pytest.approx(np.log10(2 * luminosity / area))
    assert out.error[0] == pytest.approx(np.hypot(0.1, 0.1 / np.log(10)))


def test_dust_in_r():
    # k at 6177 Angstrom from equation 4 by hand: x = 1.6189, -2.156 + 2.4429 - 0.5189 + 0.0467 = -0.1853.
    assert physics.r_attenuation(0.5) == pytest.approx(0.4 * 0.5 * (4.05 - 2.659 * 0.1853), rel=1e-3)
    assert physics.r_attenuation(-0.2) == 0.0


def test_masses_without_light_are_flagged():
    log_ml = Label(*np.full((2, 2), 0.3), np.zeros(2, np.uint16))
    out = physics.mass_surface_density(log_ml, [np.nan, -1.0], [0.1, 0.1], Z, PIXEL)
    assert np.isnan(out.value).all()
    np.testing.assert_array_equal(out.flag, [LabelFlag.NO_COVERAGE, LabelFlag.ZERO_CONTINUUM])


def test_specific_star_formation_joins_values_errors_and_flags():
    sfr = Label(np.array([-2.0]), np.array([0.3]), np.array([LabelFlag.LOW_SNR], np.uint16))
    out = physics.specific_sfr(sfr, label(8.0, 0.4))
    assert (out.value[0], out.flag[0]) == (-10.0, LabelFlag.LOW_SNR)
    assert out.error[0] == pytest.approx(0.5)
