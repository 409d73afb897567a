"""Simulated line cubes: noise, lines, planted anomalies, and the artefacts of the survey."""

from dataclasses import replace

import numpy as np
import pytest

from mangrove import artefacts
from mangrove.codes import SpaxelStatus
from mangrove.physics.lines import window_lines
from mangrove.spectra.linecubes.crop import crop
from mangrove.ssp.library import load_mastar
from mangrove.survey.releases import split_plateifu
from mangrove.survey.simulation.instrument import LOG_STEP, WAVE, hexagon_depth, sky_sigma
from mangrove.survey.simulation.line_cube_survey import (
    ANOMALIES,
    STRENGTHS,
    LineCubeGalaxy,
    _with_offset_agn,
    design_line_cube_galaxy,
    held_out_galaxies,
    line_cube_plateifus,
)
from mangrove.survey.simulation.line_cubes import simulate_line_cube
from mangrove.survey.simulation.maps import galaxy_maps
from mangrove.survey.simulation.nuclear_flags import nuclear_flags
from mangrove.survey.simulation.simulate import foreground_transmission

SEED, SIZE = 1, 20
LINES = window_lines()


@pytest.fixture(scope="module")
def mastar():
    return load_mastar()


@pytest.fixture(scope="module")
def held_out():
    return held_out_galaxies(60, 12, SEED)


def of_kind(galaxies, anomaly):
    """The strongest galaxy with an anomaly."""
    return max((g for g in galaxies if g.anomaly == anomaly), key=lambda g: g.strength)


def normal_of(galaxies, kind):
    return next(g for g in galaxies if not g.anomaly and g.galaxy.kind == kind)


def image(cube, line, pixel=None):
    """Noiseless image at a line, the middle of its window by default."""
    middle = cube.noiseless.shape[1] // 2 if pixel is None else pixel
    return cube.noiseless[LINES.index(line), middle]


def summed(cube, line):
    """Noiseless flux of a window over the square, 1e-17 erg/s/cm2."""
    i = LINES.index(line)
    return float((cube.noiseless[i].sum(axis=(1, 2), dtype=float) * cube.window_wave[i] * LOG_STEP).sum())


def test_the_variance_of_the_noise_is_one_over_ivar(held_out, mastar):
    chi2 = []
    for planned in held_out[:12]:
        cube = simulate_line_cube(planned, 3, SIZE, mastar)
        valid = cube.ivar > 0
        assert not cube.flux[~valid].any()
        chi2.append(((cube.flux - cube.noiseless) ** 2 * cube.ivar)[valid])
    # Neighbouring spaxels share their noise, and close lines their pixels: a 20th as many independent values.
    assert np.concatenate(chi2).mean() == pytest.approx(1.0, abs=4 * np.sqrt(2 * 20 / np.concatenate(chi2).size))


def test_lines_come_back_from_summed_flux(held_out, mastar):
    """Wide windows of the galaxy less those of its stars alone hold the true fluxes, behind the Milky Way's dust."""
    planned = normal_of(held_out, "star_forming")
    stars = LineCubeGalaxy(replace(planned.galaxy, ew_halpha=0.0, ew_nuclear=0.0), np.nan, np.nan)
    with_lines, without = (simulate_line_cube(one, 12, SIZE, mastar) for one in (planned, stars))
    transmission = np.interp(LINES.wave * (1 + planned.galaxy.redshift), WAVE, foreground_transmission(planned.galaxy))
    assert not np.nansum(np.abs(without.line_flux))
    for name in ("Hbeta_4863", "OIII_5008", "OI_6302", "Halpha_6565"):
        found = summed(with_lines, name) - summed(without, name)
        i = LINES.index(name)
        assert found / transmission[i] == pytest.approx(with_lines.line_flux[i], rel=0.03), name
    assert with_lines.line_flux[LINES.index("OIII_5008")] == pytest.approx(
        with_lines.line_flux[LINES.index("OIII_4960")] / 0.3356, rel=1e-4
    )
    assert np.isnan(with_lines.line_flux[LINES.index("NI_6529")])


def test_windows_and_field_are_those_of_the_instrument(held_out, mastar):
    planned = held_out[0]
    galaxy = planned.galaxy
    cube = simulate_line_cube(planned, 5, 30, mastar)
    observed = LINES.wave * (1 + galaxy.redshift)
    assert np.all(abs(np.log(cube.window_wave[:, 2] / observed)) <= 0.5001 * LOG_STEP)
    assert np.all(np.isin(cube.window_wave, WAVE))
    field = hexagon_depth(galaxy.side, galaxy.field_diameter) > 0
    east, north = galaxy.pointing
    expected = crop(field, galaxy.side // 2 + east / 0.5, galaxy.side // 2 - north / 0.5, 30)
    assert np.array_equal(cube.spaxel_status == SpaxelStatus.BINNED, expected)
    assert np.array_equal(cube.noiseless.any(axis=(0, 1)), expected)
    # The galaxy's centre is the brightest spaxel of its continuum.
    faint = image(simulate_line_cube(normal_of(held_out, "passive"), 3, 31, mastar), "NI_6529")
    assert np.hypot(*np.subtract(np.unravel_index(faint.argmax(), faint.shape), 15)) < 1.5


def test_gas_rotates(held_out, mastar):
    """Blue pixels of Halpha are brighter on one side of the disc, red ones on the other."""
    spinning = [g for g in held_out if not g.anomaly and g.galaxy.kind == "star_forming" and g.galaxy.inclination > 40]
    planned = max(spinning, key=lambda g: g.galaxy.v_max * np.sin(np.deg2rad(g.galaxy.inclination)))
    galaxy = planned.galaxy
    window = simulate_line_cube(planned, 7, SIZE, mastar).noiseless[LINES.index("Halpha_6565")]
    north, west = np.mgrid[:SIZE, :SIZE] - SIZE // 2
    angle = np.deg2rad(galaxy.position_angle)
    major = -west * np.sin(angle) + north * np.cos(angle)
    weight = np.arange(7)[:, None, None]
    velocity = (weight * window).sum(axis=0) / np.maximum(window.sum(axis=0), 1e-9)
    inside = window.any(axis=0)
    assert velocity[inside & (major > 3)].mean() - velocity[inside & (major < -3)].mean() > 0.3


def test_two_nuclei_are_two_peaks_of_the_stars(held_out, mastar):
    planned = of_kind(held_out, "double_nucleus")
    galaxy = planned.galaxy
    cube = simulate_line_cube(planned, 3, SIZE, mastar)
    single = simulate_line_cube(LineCubeGalaxy(replace(galaxy, second_nucleus=None), np.nan, np.nan), 3, SIZE, mastar)
    light, alone = (image(one, "NI_6529") / image(one, "NI_6529")[SIZE // 2, SIZE // 2] for one in (cube, single))
    extra = light - alone
    row, column = np.unravel_index(extra.argmax(), extra.shape)
    east, north = galaxy.second_nucleus
    assert (column - SIZE // 2) * -0.5 == pytest.approx(east, abs=0.8)
    assert (row - SIZE // 2) * 0.5 == pytest.approx(north, abs=0.8)
    maps = galaxy_maps(galaxy)
    one_nucleus = galaxy_maps(replace(galaxy, second_nucleus=None))
    # Its light over the galaxy's; some of it, and more of the galaxy, lies beyond the image.
    assert maps.light.sum() / one_nucleus.light.sum() - 1 == pytest.approx(planned.strength, rel=0.2)


def test_an_offset_nucleus_lies_where_the_oxygen_shines(held_out, mastar):
    planned = of_kind(held_out, "offset_agn")
    cube = simulate_line_cube(planned, 3, SIZE, mastar)
    bright = image(cube, "OIII_5008") - image(cube, "NI_6529")
    row, column = np.unravel_index(bright.argmax(), bright.shape)
    east, north = planned.galaxy.agn_offset
    assert np.hypot(east, north) == pytest.approx(3.0)
    assert ((column - SIZE // 2) * -0.5, (row - SIZE // 2) * 0.5) == pytest.approx((east, north), abs=0.8)
    maps = galaxy_maps(planned.galaxy)
    assert maps.halpha["seyfert"].sum() / maps.light.sum() == pytest.approx(planned.strength, rel=1e-6)


@pytest.mark.parametrize("kind", ["liner", "passive", "star_forming"])
def test_an_offset_nucleus_takes_nothing_from_the_other_gas(held_out, kind):
    host = next(one.galaxy for one in held_out if one.galaxy.kind == kind and not one.anomaly)
    before, after = galaxy_maps(host), galaxy_maps(_with_offset_agn(replace(host, role="offset_agn"), (3.0, 0.0), 10.0))
    for source in ("star_forming", "liner"):
        np.testing.assert_array_equal(after.halpha[source], before.halpha[source])
    assert before.halpha["liner"].any() and after.halpha["seyfert"].any() and not before.halpha["seyfert"].any()


def test_a_sky_residual_is_one_line_of_the_night_sky_over_the_whole_field(held_out, mastar):
    planned = of_kind(held_out, "sky_residual")
    with_it, without = (
        simulate_line_cube(one, 9, SIZE, mastar) for one in (planned, planned._replace(sky_line=np.nan))
    )
    assert np.array_equal(with_it.ivar, without.ivar)
    residual = (with_it.noiseless - without.noiseless)[..., with_it.spaxel_status == SpaxelStatus.BINNED]
    level = np.abs(residual).mean(axis=-1)
    peak = np.unravel_index(level.argmax(), level.shape)
    assert abs(with_it.window_wave[peak] - planned.sky_line) < 0.7 * LOG_STEP * planned.sky_line
    assert level[peak] / sky_sigma(np.array([planned.sky_line]))[0] == pytest.approx(planned.strength, rel=0.15)
    assert np.all(np.sign(residual[peak]) == np.sign(residual[peak][0]))
    assert level[LINES.index("Hbeta_4863")].max() == 0


def test_a_blueberry_is_compact_and_poor_in_metals(held_out, mastar):
    berries = [g for g in held_out if g.anomaly == "blueberry"]
    assert {g.galaxy.kind for g in berries} == {"blueberry"}
    cube = simulate_line_cube(berries[0], 3, SIZE, mastar)
    nii, halpha, oiii, hbeta = (
        cube.line_flux[LINES.index(n)] for n in ("NII_6585", "Halpha_6565", "OIII_5008", "Hbeta_4863")
    )
    assert np.log10(nii / halpha) < -1.5 and np.log10(oiii / hbeta) > 0.6
    assert berries[0].galaxy.ew_halpha == berries[0].strength


def test_a_galaxy_depends_on_its_name_and_the_seed_only(mastar):
    name = line_cube_plateifus(40)[30]
    one, again, other = (design_line_cube_galaxy(name, seed) for seed in (1, 1, 2))
    assert one.galaxy == again.galaxy and one.galaxy != other.galaxy
    cubes = [simulate_line_cube(planned, 3, SIZE, mastar) for planned in (one, again, other)]
    assert np.array_equal(cubes[0].flux, cubes[1].flux) and not np.array_equal(cubes[0].flux, cubes[2].flux)


def test_one_galaxy_in_48_has_an_anomaly_of_a_strength_within_its_range():
    survey = [design_line_cube_galaxy(name, SEED) for name in line_cube_plateifus(400)]
    planted = [g for g in survey if g.anomaly]
    assert len(planted) == 9 and {g.anomaly for g in planted} == set(ANOMALIES)
    for planned in planted:
        low, high = STRENGTHS[planned.anomaly]
        assert low <= planned.strength <= high
    assert len({split_plateifu(g.galaxy.plateifu)[1] for g in planted}) > 1
    assert len({g.galaxy.mangaid for g in survey}) == 400
    assert all(0.019 < g.galaxy.redshift < 0.08 for g in survey)
    assert {g.galaxy.kind for g in survey} == {"star_forming", "seyfert", "liner", "passive", "blueberry"}


def test_strengths_spread_evenly_in_their_logarithm():
    galaxies = held_out_galaxies(0, 60, SEED)
    for anomaly, (low, high) in STRENGTHS.items():
        drawn = np.log([g.strength for g in galaxies if g.anomaly == anomaly])
        assert len(drawn) == 60
        assert np.histogram(drawn, 3, np.log([low, high]))[0].min() >= 10


def test_held_out_galaxies_are_none_of_the_survey(held_out):
    names = {g.galaxy.plateifu for g in held_out}
    assert len(names) == len(held_out) == 60 + 4 * 12 and not names & set(line_cube_plateifus(5000))
    assert not {g.galaxy.mangaid for g in held_out} & {
        design_line_cube_galaxy(name, SEED).galaxy.mangaid for name in line_cube_plateifus(200)
    }


def test_flags_of_active_nuclei_are_those_of_the_design(held_out):
    for planned in held_out:
        flags = nuclear_flags(planned.galaxy)
        assert flags["agn_wise"] == (planned.galaxy.kind == "seyfert")
        assert flags["agn_bat"] == (planned.anomaly == "offset_agn")
        assert flags["agn_radio"] == flags["agn_broad"] == 0


def test_artefacts_hold_the_survey_and_its_truth(tmp_path, script, Params):
    names = list(line_cube_plateifus(3))
    outputs = Params(
        **{name: tmp_path / f"{name}.h5" for name in ("line_cube_set", "truth", "held_out", "held_out_truth")}
    )
    params = {"plateifus": names, "window_pixels": 3, "size": 8, "n_held_out": 1, "seed": SEED}
    params |= {"validation_fraction": 0.1, "test_fraction": 0.2, "split_seed": 1, "code": "c"}
    script("simulate_line_cubes").main(Params(), outputs, Params(params))
    cubes, truth = (
        artefacts.read(outputs.line_cube_set, "line_cube_set"),
        artefacts.read(outputs.truth, "line_cube_truth"),
    )
    assert cubes["plateifu"].tolist() == truth["plateifu"].tolist() == names
    assert cubes["flux"].shape == (3, 19, 3, 8, 8) and "noiseless" not in truth.data
    assert np.array_equal(cubes["valid"] == 1, cubes["ivar"] > 0)
    designs = [design_line_cube_galaxy(name, SEED).galaxy for name in names]
    assert cubes["z"].tolist() == [g.redshift for g in designs]
    held_out = artefacts.read(outputs.held_out_truth, "line_cube_truth")
    assert held_out["anomaly"].tolist() == [*[""] * 3, *ANOMALIES]
    observed = artefacts.read(outputs.held_out, "line_cube_set")
    residual = (observed["flux"] - held_out["noiseless"])[observed["valid"] == 1]
    assert abs(residual.mean()) < 0.1 * residual.std()
