"""The simulated survey of spectra without cubes: its variety, its truth, its noise, its artefacts."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy.stats import kstest

from mangrove import artefacts
from mangrove.codes import TrainingCut
from mangrove.config import Config
from mangrove.errors import SampleError
from mangrove.physics.cosmology import universe_age
from mangrove.physics.galactic_extinction import galactic_transmission
from mangrove.physics.lines import fit_lines
from mangrove.physics.wavelengths import log_grid
from mangrove.spectra.binning.coadd import Baxels, baxel_snr
from mangrove.spectra.binning.extraction import elliptical_radius
from mangrove.spectra.fit.galaxy import as_columns, prepare_galaxy
from mangrove.spectra.fit.ppxf.pool import fit_all
from mangrove.spectra.fit.settings import FitSettings
from mangrove.spectra.labels.galaxy_labels import baxel_labels
from mangrove.spectra.labels.populations import template_table
from mangrove.spectra.linecubes.line_cube import line_cube
from mangrove.spectra.observed import corrected
from mangrove.spectra.training.rest_frame import rest_spectra
from mangrove.ssp.library import load_mastar
from mangrove.ssp.loading import load_library, younger_than
from mangrove.survey.simulation.baxels import SNR_OF_BAXELS, simulate_baxels
from mangrove.survey.simulation.galaxies import BUNDLES
from mangrove.survey.simulation.instrument import WAVE
from mangrove.survey.simulation.noiseless import noiseless_spectra
from mangrove.survey.simulation.spectra_survey import design_various_galaxy, spectra_plateifus
from mangrove.survey.target import Target
from mangrove.validation.baxel_truth import baxel_truth
from mangrove.validation.noiseless_rows import noiseless_rows
from mangrove.validation.true_labels import true_labels

SEED, N = 1, 30
FIRST = "7001-3701"


def target(plateifu: str) -> Target:
    """The row of the sample sheet."""
    galaxy = design_various_galaxy(plateifu, SEED)
    shape = galaxy.effective_radius, galaxy.position_angle, np.cos(np.deg2rad(galaxy.inclination))
    return Target(plateifu, galaxy.mangaid, galaxy.redshift, galaxy.ebv_galactic, galaxy.ra, galaxy.dec, *shape)


TARGET = target(FIRST)


@pytest.fixture(scope="module")
def mastar():
    return load_mastar()


@pytest.fixture(scope="module")
def survey(mastar):
    """Baxels of the first galaxies."""
    return [simulate_baxels(design_various_galaxy(name, SEED), N, mastar) for name in spectra_plateifus(24)]


@pytest.fixture(scope="module")
def written(tmp_path_factory, script, Params):
    """The artefacts of one galaxy, as the rule writes them."""
    folder = tmp_path_factory.mktemp("written")
    params = asdict(TARGET) | {"release": "dr17", "n_baxel": N, "seed": SEED, "code": "c"}
    outputs = Params(extract=folder / "extract.h5", truth=folder / "truth.h5")
    script("simulate_spectra").main(Params(), outputs, Params(params))
    return artefacts.read(outputs.extract, "extract"), artefacts.read(outputs.truth, "truth")


def every(survey, name):
    """A label of all baxels of the survey."""
    return np.concatenate([baxels.truth[name] for baxels in survey])


def test_ivar_is_honest(survey):
    for baxels in survey:
        good = ~baxels.mask
        chi2 = ((baxels.flux - baxels.noiseless) ** 2 * baxels.ivar)[good]
        assert chi2.mean() == pytest.approx(1.0, abs=5 * np.sqrt(2.0 / good.sum()))


def test_masked_pixels_are_no_data_and_few(survey):
    masked = np.concatenate([baxels.mask for baxels in survey])
    assert 0.005 < masked.mean() < 0.03
    for baxels in survey:
        assert not baxels.ivar[baxels.mask].any() and not baxels.lsf[baxels.mask].any()
        assert np.all(baxels.ivar[~baxels.mask] > 0) and np.all(baxels.lsf[~baxels.mask] > 0.8)
    wrong = [np.abs(b.flux - b.noiseless)[b.mask] / b.noise.max() for b in survey]
    assert np.median(np.concatenate(wrong)) > 5


def test_spectra_have_the_signal_to_noise_drawn(survey):
    drawn = np.concatenate([baxels.signal / baxels.noise for baxels in survey])
    assert kstest(np.log(drawn), "uniform", (np.log(12), np.log(5))).pvalue > 0.01
    assert SNR_OF_BAXELS == (12, 60)
    measured = [
        baxel_snr(WAVE, Baxels(b.flux, b.ivar, b.mask, b.lsf), [5600, 6750]) / (b.signal / b.noise) for b in survey
    ]
    # A gap takes away a part of the range, and with it the balance of bright and faint.
    whole = np.concatenate([baxels.mask.mean(axis=1) < 0.01 for baxels in survey])
    assert whole.mean() > 0.8 and np.concatenate(measured)[whole] == pytest.approx(1.0, abs=0.04)


def test_a_galaxy_depends_on_its_name_and_the_seed_only(survey, mastar):
    again = simulate_baxels(design_various_galaxy(FIRST, SEED), N, mastar)
    first = next(b for b in survey if b.galaxy.plateifu == FIRST)
    for name in ("flux", "ivar", "mask", "lsf", "noiseless", "radius"):
        assert np.array_equal(getattr(again, name), getattr(first, name)), name
    assert np.array_equal(noiseless_spectra(FIRST, SEED, N), first.noiseless)
    assert design_various_galaxy(FIRST, SEED) != design_various_galaxy(FIRST, SEED + 1)


def test_one_galaxy_in_twenty_is_seen_twice(mastar):
    galaxies = {name: design_various_galaxy(name, SEED) for name in spectra_plateifus(200)}
    assert len({g.mangaid for g in galaxies.values()}) == 190
    one, other = galaxies["7005-3701"], galaxies["7005-3702"]
    assert one.mangaid == other.mangaid and one.populations == other.populations
    assert one.pointing != other.pointing and one.psf_fwhm != other.psf_fwhm
    first, second = (simulate_baxels(galaxy, N, mastar) for galaxy in (one, other))
    assert len(set(np.round(first.east, 3)) & set(np.round(second.east, 3))) < 5
    assert np.median(first.truth["log_age_lw"]) == pytest.approx(np.median(second.truth["log_age_lw"]), abs=0.1)


def test_galaxies_span_passive_to_starburst_and_dust(survey):
    low, high = np.percentile(every(survey, "log_age_lw"), [2, 98])
    assert low < 8.7 and high > 9.8
    assert every(survey, "ebv_star").min() < 0.02 and 0.4 < every(survey, "ebv_star").max() <= 0.6
    assert np.ptp(every(survey, "metallicity_lw")) > 0.8
    assert set(every(survey, "d_bpt_class").tolist()) == {0, 1, 2, 3}
    inside = [np.ptp(baxels.truth["log_age_lw"]) for baxels in survey]
    assert np.median(inside) > 0.1


def test_places_spread_as_the_bins_of_a_galaxy_do(survey):
    """Ordered by radius, most within an effective radius, many beyond one and a half."""
    for baxels in survey:
        assert np.all(np.diff(baxels.radius) >= 0)
        offset = np.hypot(baxels.east, baxels.north)
        assert np.all(offset <= baxels.radius + 1e-9) and offset.max() < 0.6 * BUNDLES[baxels.galaxy.n_fibre][1]
    scaled = np.concatenate([baxels.radius / baxels.galaxy.effective_radius for baxels in survey])
    assert 0.5 < np.median(scaled) < 1.1
    assert np.mean(scaled > 1.5) > 0.05


def test_spectra_carry_the_true_line_flux(survey, mastar):
    """What the galaxy's spectra have over those of its stars alone, about Halpha: [NII] + Halpha."""
    baxels = next(b for b in survey if b.galaxy.kind == "seyfert")
    stars = simulate_baxels(replace(baxels.galaxy, ew_halpha=0.0, ew_nuclear=0.0), N, mastar)
    assert np.array_equal(stars.radius, baxels.radius)
    rest = WAVE / (1 + baxels.galaxy.redshift)
    near = (rest > 6530) & (rest < 6605)
    summed = ((baxels.noiseless - stars.noiseless) * np.gradient(WAVE))[:, near].sum(axis=1)
    total = sum(baxels.truth["line_flux"][fit_lines().index(n)] for n in ("Halpha_6565", "NII_6585", "NII_6550"))
    extinction = 2.32 * baxels.galaxy.ebv_galactic  # Fitzpatrick (1999) at 6750 Angstrom
    assert summed * 10 ** (0.4 * extinction) == pytest.approx(total, rel=0.005)


def test_more_spectra_than_spaxels_are_refused(mastar):
    with pytest.raises(ValueError, match="are wanted of a field of"):
        simulate_baxels(design_various_galaxy(FIRST, SEED), 5000, mastar)


def test_an_unknown_bundle_is_refused():
    with pytest.raises(SampleError, match="has none of"):
        design_various_galaxy("7000-5001", SEED)


def test_artefacts_are_those_of_a_galaxy_whose_baxels_are_single_pixels(written):
    extract, truth = written
    assert extract.ok and truth.ok
    assert extract["bin_id"].shape == truth["v_star"].shape == (6, 6)
    assert np.array_equal(np.sort(extract["bin_id"][extract["bin_id"] >= 0]), np.arange(N))
    assert np.array_equal(extract["bin_id"] >= 0, np.isfinite(truth["v_star"]))
    assert extract["radius_re"] == pytest.approx(extract["radius"] / TARGET.r_e)
    assert extract["radius"] == pytest.approx(elliptical_radius(extract["ra"], extract["dec"], TARGET), abs=1e-4)


def test_truth_of_baxels_is_that_of_the_simulated_spectra(written, mastar):
    extract, truth = written
    made = simulate_baxels(design_various_galaxy(FIRST, SEED), N, mastar)
    found = true_labels(extract, truth, extract.attrs["z"], extract.attrs["pixel_scale"])
    for name in ("log_age_lw", "metallicity_lw", "log_ml_r", "ebv_star"):
        assert found[name] == pytest.approx(made.truth[name], rel=1e-5), name
    assert np.all(np.isfinite(found["log_ssfr"])) and np.all(abs(found["log_ssfr"] + 11) < 3)
    assert baxel_truth(extract, truth)["v_star"] == pytest.approx(made.truth["v_star"], abs=1e-3)


def test_there_is_no_line_cube(written):
    data, attrs = line_cube(written[0], 8)
    assert attrs["status"] == "all_masked" and not data["valid"].any()


def test_rows_of_the_training_spectra_differ_from_the_noiseless_by_their_noise(written):
    extract, _ = written
    params = Config().training_spectra.model_dump() | {"ebv_scale": 1.0}
    transmission = galactic_transmission(WAVE, extract.attrs["ebv_galactic"])
    found = corrected(*(extract[name] for name in ("wave", "flux", "ivar", "mask")), transmission, 8.0)
    rest = rest_spectra(WAVE, found.flux, found.good, extract["snr"], extract.attrs["z"], params)
    baxel = np.flatnonzero(rest.cut == TrainingCut.KEPT)[::3]
    clean = noiseless_rows(extract, baxel, rest.norm[baxel], SEED, params)
    assert clean.shape == (baxel.size, 4544) and clean.dtype == np.float32
    wave = log_grid(*params["rest_range"], params["n_wave"])
    quiet = (wave > 5400) & (wave < 5800)
    noise = np.where(rest.mask[baxel], np.nan, rest.flux[baxel] - clean)[:, quiet]
    level = np.median(clean[:, quiet], axis=1)
    # Bins of the common grid are about as wide as pixels; noise averages over the pixels that a bin shares.
    scatter = np.nanstd(noise, axis=1) / level * extract["snr"][baxel]
    assert np.all((scatter > 0.6) & (scatter < 1.2))
    assert np.all(abs(np.nanmean(noise, axis=1)) < 0.01 * level)


def test_the_fit_recovers_age_and_dust(written):
    extract, truth = written
    bright = np.flatnonzero(extract["snr"] > 25)[:8]
    prepared, spectra = prepare_galaxy(
        extract, extract.attrs["z"], extract.attrs["ebv_galactic"], "mastar", FitSettings()
    )
    columns = as_columns(fit_all(prepared, [spectra[i] for i in bright], 2), prepared, extract["snr"][bright])
    library = younger_than(load_library("mastar"), universe_age(extract.attrs["z"]))
    table = template_table(library, prepared.stars.age, prepared.stars.metallicity)
    labels = baxel_labels(columns, table, extract.attrs["z"], extract.attrs["pixel_scale"])
    true = true_labels(extract, truth, extract.attrs["z"], extract.attrs["pixel_scale"])
    age, dust = (labels[name].value - true[name][bright] for name in ("log_age_lw", "ebv_star"))
    # Twice the bias, and the scatter, that the recovery of labels allows (validation.label_recovery).
    assert abs(age.mean()) < 0.1 and age.std() < 0.12
    assert np.sqrt(np.mean(dust**2)) < 0.03
