"""Labels made of several others, and how they depend on these, against the formulas of docs/labels.md."""

import numpy as np
import pytest

from mangrove.physics.dust import calzetti
from mangrove.physics.photometry import r_pivot
from mangrove.spectra.labels.balmer_decrement import balmer_curve
from mangrove.spectra.labels.combined import combined_slopes, combined_values

Z, PIXEL_SCALE = 0.03, 0.5
PARTS = {
    **{"Halpha_6565": 9.0, "Hbeta_4863": 2.0, "NII_6585": 3.0, "OIII_5008": 1.5},
    **{"log_ml_r": 0.3, "ebv_star": 0.2, "r_flux": 0.4},
}
LN10 = np.log(10.0)


def slopes(**changed):
    return combined_slopes(PARTS | changed, Z, PIXEL_SCALE)


def test_slopes_are_those_of_the_formulas():
    found = slopes()
    k_halpha, k_hbeta = balmer_curve()
    per_dex = 2.5 / (k_hbeta - k_halpha)
    assert found["ebv_gas"] == pytest.approx(
        {"Halpha_6565": per_dex / LN10 / 9.0, "Hbeta_4863": -per_dex / LN10 / 2.0}, rel=1e-6
    )
    gain = k_halpha / (k_hbeta - k_halpha)
    assert found["log_sfr_density"] == pytest.approx(
        {"Halpha_6565": (1.0 + gain) / LN10 / 9.0, "Hbeta_4863": -gain / LN10 / 2.0}, rel=1e-6
    )
    in_mass = {"log_ml_r": 1.0, "ebv_star": 0.4 * float(calzetti(r_pivot())), "r_flux": 1.0 / LN10 / 0.4}
    assert found["log_mass_density"] == pytest.approx(in_mass, rel=1e-6)
    in_ssfr = found["log_sfr_density"] | {name: -slope for name, slope in in_mass.items()}
    assert found["log_ssfr"] == pytest.approx(in_ssfr, rel=1e-6)
    # A distance grows by one along the normal of its curve: by each ratio by a part of it.
    by_ratio = [found["d_bpt"][name] * PARTS[name] * LN10 for name in ("NII_6585", "OIII_5008")]
    assert np.hypot(*by_ratio) == pytest.approx(1.0, rel=1e-6)
    assert found["d_bpt"]["Halpha_6565"] * 9.0 * LN10 == pytest.approx(-by_ratio[0], rel=1e-6)


def test_without_dust_star_formation_depends_on_halpha_alone():
    found = slopes(Halpha_6565=5.0)["log_sfr_density"]
    assert found == pytest.approx({"Halpha_6565": 1.0 / LN10 / 5.0}, rel=1e-6)


def test_a_label_without_a_part_has_no_slopes_and_the_others_have_theirs():
    complete = slopes()
    for changed, lost in (
        ({"NII_6585": np.nan}, {"d_bpt"}),
        ({"OIII_5008": 0.0}, {"d_bpt"}),
        ({"log_ml_r": np.nan, "r_flux": np.nan}, {"log_mass_density", "log_ssfr"}),
        ({"Hbeta_4863": 0.0}, {"ebv_gas", "log_sfr_density", "log_ssfr", "d_bpt"}),
    ):
        found = slopes(**changed)
        assert found == {name: complete[name] for name in complete if name not in lost}


def test_values_are_of_each_spectrum_for_itself():
    both = {name: np.array([value, 1.1 * value]) for name, value in PARTS.items()}
    for name, values in combined_values(both, Z, PIXEL_SCALE).items():
        alone = [combined_values({part: v[[i]] for part, v in both.items()}, Z, PIXEL_SCALE)[name][0] for i in (0, 1)]
        np.testing.assert_array_equal(values, alone)
