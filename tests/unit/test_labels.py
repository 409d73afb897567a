"""All labels of a galaxy together: values, validity, and a named reason for every missing one."""

import numpy as np
import pytest

from mangrove.codes import BptClass, DBptClass, FitStatus, LabelFlag, LineShape, LineStatus
from mangrove.data_model import LABEL
from mangrove.physics.dust import calzetti
from mangrove.physics.photometry import SOLAR_LUMINOSITY, r_band_flux, solar_r_luminosity
from mangrove.spectra.fit.bounds import SIGMA_GAS_BOUND
from mangrove.spectra.labels.galaxy_labels import (
    baxel_labels,
    bpt_classes,
    dispersion_flag,
    fit_flag,
    kinematics_flags,
    line_flag,
    width_flag,
)
from mangrove.spectra.labels.label import MAX_ERROR, MAX_KINEMATICS_ERROR, is_clean
from mangrove.spectra.labels.populations import population_values, template_table
from mangrove.spectra.labels.surface_densities import kpc_per_arcsec, luminosity_distance, r_attenuation
from mangrove.ssp.library import load_mastar

MASTAR = load_mastar()
TABLE = template_table(MASTAR)
LINES = ["Hbeta_4863", "OIII_5008", "Halpha_6565", "NII_6585"]
GOOD = [30.0, 20.0, 120.0, 30.0]
KINEMATICS = ("v_star", "sigma_star", "v_gas", "sigma_gas")


def stored(line_flux=(GOOD,), **changes):
    """A fit of n baxels: one old template behind E(B-V) = 0.3, draws that scatter about it."""
    n = len(line_flux)
    rng = np.random.default_rng(2)
    weights = np.zeros((n, 54))
    weights[:, 43] = 1.0
    draws = np.repeat(weights[:, None], 30, axis=1)
    # A younger population and one of another metallicity.
    draws[..., [42, 34]] = 0.1 * np.abs(rng.normal(size=(n, 30, 2)))
    fit = {
        "status": np.zeros(n, np.int8),
        "chi2_reduced": np.ones(n),
        "weights": weights,
        "weights_draw": draws,
        "ebv_star": np.full(n, 0.3),
        "ebv_draw": 0.3 + 0.02 * rng.normal(size=(n, 30)),
        "r_flux": np.full(n, 0.8),
        "r_flux_err": np.full(n, 0.01),
        "line": LINES,
        "line_flux": np.array(line_flux),
        "line_flux_err": np.ones((n, 4)),
        "line_shape": np.zeros((n, 4), np.uint8),
        "v_gas_other": np.full(n, np.nan),
    }
    return fit | changes


def labels(fit):
    return baxel_labels(fit, TABLE, 0.03, 0.5)


def test_every_label_has_value_error_and_unit():
    out = labels(stored())
    assert set(out) == set(LABEL)
    for name, label in out.items():
        assert is_clean(label).all(), name
        assert label.error[0] > 0, name


def test_mass_counts_dust_and_specific_rate_is_the_quotient():
    dusty, clear = labels(stored()), labels(stored(ebv_star=np.zeros(1)))
    assert dusty["log_mass_density"].value - clear["log_mass_density"].value == pytest.approx(r_attenuation(0.3))
    assert dusty["log_ssfr"].value == pytest.approx(dusty["log_sfr_density"].value - dusty["log_mass_density"].value)
    assert dusty["log_ml_r"].value == pytest.approx(np.log10(TABLE.ml_r[43]))


@pytest.mark.parametrize(("ebv", "tolerance"), [(0.0, 1e-6), (0.5, 0.005), (1.2, 0.015)])
def test_a_known_mass_comes_back(ebv, tolerance):
    """10^6 solar luminosities in r behind dust at z = 0.03, seen per spaxel; dust in r is taken at the pivot."""
    z, solar = 0.03, solar_r_luminosity(TABLE.r_light[43] * SOLAR_LUMINOSITY)
    density = MASTAR.flux[4, 7] / solar * 1e6 * SOLAR_LUMINOSITY * 10 ** (-0.4 * ebv * calzetti(MASTAR.wave))
    observed = density / (4 * np.pi * luminosity_distance(z) ** 2 * (1 + z)) / 1e-17
    good, error = np.ones(observed.size, bool), np.full(observed.size, 1e-3)
    r_flux, r_flux_err = (np.array([a]) for a in r_band_flux(MASTAR.wave, observed, error, good, observed))
    fit = stored(ebv_star=np.array([ebv]), r_flux=r_flux, r_flux_err=r_flux_err)
    mass = np.log10(1e6 * TABLE.ml_r[43] / (0.5 * kpc_per_arcsec(z)) ** 2)
    assert labels(fit)["log_mass_density"].value[0] == pytest.approx(mass, abs=tolerance)


def test_opposite_errors_of_age_and_dust_cancel_in_the_mass():
    fit = stored()
    ml = population_values(fit["weights_draw"], TABLE)["log_ml_r"]
    fit["ebv_draw"] = 0.3 - (ml - ml.mean()) / r_attenuation(1.0)
    fit["r_flux_err"] = np.zeros(1)
    assert labels(fit)["log_mass_density"].error[0] < 0.01 * labels(fit)["log_ml_r"].error[0]


def test_every_missing_value_has_a_reason():
    lines = [
        GOOD,
        [np.nan, 20.0, 120.0, 30.0],
        [-1.0, 20.0, 120.0, 30.0],
        [30.0, 20.0, np.nan, np.nan],
        GOOD,
        [np.nan] * 4,
    ]
    fit = stored(lines)
    fit["weights"][4:] = 0.0
    fit["weights_draw"][5] = 0.0
    fit["r_flux"][3:5] = np.nan, -0.1
    for name in ("ebv_star", "r_flux", "chi2_reduced"):
        fit[name][5] = np.nan
    fit["ebv_draw"][5] = np.nan
    fit["status"][4:] = FitStatus.NO_STELLAR_CONTINUUM, FitStatus.ALL_MASKED
    for name, label in labels(fit).items():
        assert (label.flag[~np.isfinite(label.value)] != 0).all(), name
        assert not label.flag[0], name
    assert (labels(fit)["ebv_gas"].flag[1:4] & np.uint16(LabelFlag.LINE_MISSING)).tolist() == [8, 0, 8]


def test_validity_of_the_papers():
    fit = stored([GOOD, [30.0, 20.0, 120.0, 1.5], GOOD], chi2_reduced=np.array([1.0, 1.0, 2.5]))
    out = labels(fit)
    np.testing.assert_array_equal(out["d_bpt"].flag, [0, LabelFlag.LOW_SNR, LabelFlag.POOR_FIT])
    for kind in bpt_classes(fit, out["d_bpt"]).values():
        assert kind.tolist() == [BptClass.STAR_FORMING, BptClass.NONE, BptClass.STAR_FORMING]
    np.testing.assert_array_equal(out["log_ssfr"].flag, [0, 0, LabelFlag.POOR_FIT])
    assert is_clean(out["log_ssfr"], LabelFlag.POOR_FIT).all()


def test_outcomes_of_the_fit_have_names():
    names = ("OK", "TOO_FEW_PIXELS", "VELOCITY_AT_BOUND", "NO_STELLAR_CONTINUUM", "SIGMA_BELOW_LSF")
    status = [FitStatus[name] for name in names]
    np.testing.assert_array_equal(fit_flag(status, np.ones(5)), [0, LabelFlag.NO_FIT, LabelFlag.AT_BOUND, 0, 0])
    expected = [0, 0, 0, LabelFlag.NO_WEIGHTS, LabelFlag.BELOW_LSF]
    np.testing.assert_array_equal(dispersion_flag(status), expected)


def test_without_stellar_continuum_the_labels_of_the_gas_stand_and_those_of_stars_are_missing():
    """A pure HII region belongs into the BPT diagram."""
    out = labels(stored([GOOD, GOOD], status=np.array([FitStatus.OK, FitStatus.NO_STELLAR_CONTINUUM])))
    for name, label in out.items():
        if name in ("ebv_gas", "log_sfr_density", "d_bpt"):
            assert is_clean(label).all(), name
        else:
            assert np.isnan(label.value[1]) and label.flag[1] == LabelFlag.NO_WEIGHTS, name
            assert is_clean(label)[0], name


def test_without_hbeta_the_dust_is_undetermined_in_every_label_that_needs_it():
    """Halpha at 120 sigma. Hbeta of 30 counts to an error of 14.9: the ratio then has a signal to noise of 2.01."""
    errors = np.array([[1.0] * 4, [14.9, 1.0, 1.0, 1.0], [15.1, 1.0, 1.0, 1.0], [np.nan, 1.0, 1.0, 1.0]])
    out = labels(stored([GOOD] * 4, line_flux_err=errors))
    for name in ("ebv_gas", "log_sfr_density", "log_ssfr"):
        assert (out[name].flag & LabelFlag.LOW_SNR > 0).tolist() == [False, False, True, True], name
    # The decrement has 0.5 relative: 0.5 mag (2.31 / ln 10 of it), and 2.36 / ln 10 of it in the corrected Halpha.
    assert out["ebv_gas"].error[1] == pytest.approx(2.31 / np.log(10) * 14.9 / 30, rel=0.02)
    assert out["log_sfr_density"].error[1] == pytest.approx(2.36 / np.log(10) * 14.9 / 30, rel=0.02)


def test_a_balmer_line_that_is_not_there_is_undetermined_dust():
    """9002-1902 of the demo: Hbeta 0.001 +- 0.04 gave a star formation of 10^(1.0 +- 43.7) with no flag."""
    flux = [[0.001, 0.3, 0.17, 0.1], [0.0, 0.3, 0.17, 0.1], [-0.05, 0.3, 0.17, 0.1]]
    out = labels(stored(flux, line_flux_err=np.full((3, 4), 0.04)))
    assert out["log_sfr_density"].error[0] > 10
    for name in ("ebv_gas", "log_sfr_density", "log_ssfr"):
        assert (out[name].flag & LabelFlag.LOW_SNR > 0).all(), name
        assert (out[name].flag & LabelFlag.UPPER_LIMIT == 0).all(), name


def test_star_formation_without_halpha_is_a_limit_and_no_value():
    flux = [GOOD, [30.0, 20.0, 1.9, 30.0], [30.0, 20.0, -3.0, 30.0], [30.0, 20.0, np.nan, 30.0]]
    out = labels(stored(flux))
    for name in ("log_sfr_density", "log_ssfr"):
        limit = out[name].flag & LabelFlag.UPPER_LIMIT > 0
        assert limit.tolist() == [False, True, True, False]
        assert np.isnan(out[name].value[1:]).all() and np.isnan(out[name].error[1:]).all()
        assert (out[name].flag[limit] & LabelFlag.LOW_SNR > 0).all()
        assert out[name].flag[3] & LabelFlag.LINE_MISSING


def test_only_star_formation_says_that_the_gas_is_lit_by_something_else():
    """Star-forming, composite, Seyfert, LINER, and no class for want of [OIII]."""
    flux = [
        GOOD,
        [30.0, 30.0, 90.0, 50.0],
        [10.0, 100.0, 30.0, 30.0],
        [30.0, 60.0, 50.0, 60.0],
        [30.0, 1.0, 120.0, 30.0],
    ]
    fit = stored(flux)
    out = labels(fit)
    found = bpt_classes(fit, out["d_bpt"])
    assert [BptClass(code).word for code in found["bpt_class"]] == [
        "star_forming",
        "composite",
        "seyfert",
        "liner",
        "none",
    ]
    assert [DBptClass(code).word for code in found["d_bpt_class"]] == [
        "star_forming",
        "composite",
        "agn",
        "agn",
        "none",
    ]
    for name, label in out.items():
        other = label.flag & LabelFlag.NOT_STAR_FORMING > 0
        assert other.tolist() == [False, *["sfr" in name] * 3, False], name


def random_fit(n=6000):
    """Fits of all kinds: bright and absent lines, errors and draws that are unknown, populations that scatter widely."""
    rng = np.random.default_rng(7)
    flux = 10 ** rng.uniform(-1, 3, (n, 4)) * rng.choice([1] * 17 + [0, -1, np.nan], (n, 4))
    error = 10 ** rng.uniform(-2, 2, (n, 4))
    error[rng.random((n, 4)) < 0.05] = np.nan
    weights = rng.random((n, 54)) * (rng.random((n, 54)) < 0.05)
    draws = weights[:, None] * 10 ** (rng.uniform(0, 3, (n, 1, 1)) * rng.normal(size=(n, 8, 54)))
    draws[rng.random(n) < 0.02, 1:] = 0.0
    ebv_draw = 0.3 + 10 ** rng.uniform(-3, 1, (n, 1)) * rng.normal(size=(n, 8))
    ebv_draw[rng.random(n) < 0.02], ebv_draw[rng.random(n) < 0.02] = np.nan, 0.0
    kinematics = {f"{name}{end}": 10 ** rng.uniform(0, 4, n) for name in KINEMATICS for end in ("", "_err")}
    kinematics["v_gas_err"][::50], kinematics["v_star_err"][::51], kinematics["v_star"][::49] = np.nan, 0.0, np.nan
    outcome = {
        "status": np.where(np.isnan(kinematics["v_star"]), FitStatus.NOT_CONVERGED, rng.choice([0, 0, 6, 7, 8], n)),
        "chi2_reduced": rng.uniform(0.8, 2.2, n),
        "ebv_star": rng.uniform(0, 3, n),
        "r_flux": rng.normal(size=n),
        "r_flux_err": 10 ** rng.uniform(-3, 2, n),
    }
    made = {"weights": weights, "weights_draw": draws, "ebv_draw": ebv_draw, "line_flux_err": error}
    return stored(flux, **made, **outcome) | kinematics


def test_a_label_without_a_flag_is_a_measurement():
    out = labels(random_fit())
    assert set(out) == set(LABEL)
    for name, (value, error, flag) in out.items():
        clean = flag == 0
        assert clean.sum() > 20, name
        assert np.isfinite(value[clean]).all(), name
        assert (error[clean] > 0).all() and (error[clean] <= MAX_ERROR).all(), name
        # Not for want of errors that are larger.
        assert (error[np.isfinite(value)] > MAX_ERROR).any(), name


def test_kinematics_without_a_flag_are_measurements():
    fit = random_fit()
    out = kinematics_flags(fit)
    assert tuple(out) == KINEMATICS
    for name, flag in out.items():
        clean, error = flag == 0, fit[f"{name}_err"]
        assert clean.sum() > 20, name
        assert np.isfinite(fit[name][clean]).all(), name
        assert (
            (error[clean] > 0).all()
            and (error[clean] <= MAX_KINEMATICS_ERROR).all()
            and (error > MAX_KINEMATICS_ERROR).any()
        ), name


def test_kinematics_of_faint_gas_and_at_their_bounds_are_flagged():
    flux = [GOOD, [1.0, 2.0, 4.9, 3.0], GOOD, GOOD, [np.nan] * 4]
    kinematics = {f"{name}{end}": np.full(5, 20.0) for name in KINEMATICS for end in ("", "_err")}
    kinematics["sigma_gas"] = np.array([20.0, 20.0, 20.0, SIGMA_GAS_BOUND[0], 20.0])
    status = np.array([0, 0, FitStatus.GAS_AT_BOUND, 0, 0])
    out = kinematics_flags(stored(flux, status=status, **kinematics))
    low, bound, missing = LabelFlag.LOW_SNR, LabelFlag.AT_BOUND, LabelFlag.LINE_MISSING
    np.testing.assert_array_equal(out["v_gas"], [0, low, bound, 0, missing])
    np.testing.assert_array_equal(out["sigma_gas"], [0, low, bound, bound, missing])
    np.testing.assert_array_equal([out["v_star"], out["sigma_star"]], np.zeros((2, 5)))


def test_what_another_minimum_of_the_gas_touches_is_flagged():
    kinematics = {f"{name}{end}": np.full(2, 20.0) for name in KINEMATICS for end in ("", "_err")}
    fit = stored([GOOD, GOOD], v_gas_other=np.array([np.nan, 300.0]), **kinematics)
    flags = {name: label.flag for name, label in labels(fit).items()} | kinematics_flags(fit)
    told = {name for name, flag in flags.items() if flag[1] == flag[0] | LabelFlag.OTHER_MINIMUM}
    assert told == {"v_gas", "sigma_gas", "ebv_gas", "log_sfr_density", "log_ssfr", "d_bpt"}
    assert all(flags[name][1] == flags[name][0] for name in set(flags) - told)


def test_all_labels_of_a_fit_that_stopped_early_say_so():
    kinematics = {f"{name}{end}": np.full(2, 20.0) for name in KINEMATICS for end in ("", "_err")}
    fit = stored([GOOD, GOOD], status=np.array([0, FitStatus.STOPPED_EARLY]), **kinematics)
    for name, flag in ({name: label.flag for name, label in labels(fit).items()} | kinematics_flags(fit)).items():
        assert flag[1] == flag[0] | LabelFlag.STOPPED_EARLY, name


def test_ebv_at_its_bound_is_flagged():
    out = labels(stored([GOOD, GOOD], ebv_star=np.array([3.0, 0.0])))
    np.testing.assert_array_equal(out["ebv_star"].flag, [LabelFlag.AT_BOUND, 0])


def test_lines_without_continuum_are_flagged():
    status = [[LineStatus.OK, LineStatus.OK, LineStatus.OUTSIDE_RANGE]]
    expected = [[0, LabelFlag.ZERO_CONTINUUM, LabelFlag.LINE_MISSING]]
    np.testing.assert_array_equal(line_flag(status, [[1.0, 0.0, np.nan]], [[0, 0, 0]]), expected)


def test_lines_whose_profile_the_data_reject_are_flagged():
    status = [[LineStatus.OK] * 3]
    shape = [[LineShape.NOT_ONE_GAUSSIAN, LineShape.DOUBLET_RATIO_REJECTED, 3]]
    odd, ratio = LabelFlag.NOT_ONE_GAUSSIAN, LabelFlag.DOUBLET_RATIO_REJECTED
    np.testing.assert_array_equal(line_flag(status, [[1.0] * 3], shape), [[odd, ratio, odd | ratio]])


def test_labels_know_when_a_line_that_they_use_is_not_one_gaussian():
    """One baxel for each line of LINES that is odd, and one of which only the ratio of a doublet is."""
    shape = np.vstack([np.eye(4, dtype=np.uint8) * LineShape.NOT_ONE_GAUSSIAN, np.full((1, 4), 2, np.uint8)])
    out = labels(stored([GOOD] * 5, line_shape=shape))
    balmer = np.append(np.isin(LINES, ["Halpha_6565", "Hbeta_4863"]), False)
    for name, label in out.items():
        odd = label.flag & LabelFlag.NOT_ONE_GAUSSIAN > 0
        if name == "d_bpt":
            assert odd.tolist() == [True] * 4 + [False]
        elif name in ("ebv_gas", "log_sfr_density", "log_ssfr"):
            np.testing.assert_array_equal(odd, balmer)
        else:
            assert not odd.any(), name


def test_a_width_without_a_continuum_that_is_known_is_flagged():
    """A continuum at 0.1 sigma under a line at 100; a faint line, whose flux says so itself; one without continuum."""
    fit = {"line_flux": np.array([[100.0, 1.0, 100.0, 100.0]]), "line_flux_err": np.ones((1, 4))}
    fit |= {"line_ew": np.array([[5000.0, 1.0, np.nan, 50.0]]), "line_ew_err": np.array([[50000.0, 1.0, np.nan, 5.0]])}
    np.testing.assert_array_equal(width_flag(fit), [[LabelFlag.LOW_SNR, 0, 0, 0]])
