"""The training spectra of a survey: every kept spectrum once, in its row, as its galaxy alone gives it."""

import numpy as np
import pytest
from small_extract import params_of_training, write_extract

from mangrove import artefacts
from mangrove.codes import TrainingCut
from mangrove.physics.galactic_extinction import galactic_transmission
from mangrove.physics.wavelengths import log_edges, log_grid, mean_smoothing
from mangrove.spectra.observed import corrected
from mangrove.spectra.training.rest_frame import rest_spectra
from mangrove.spectra.training.sorted_spectra import SortedSpectra
from mangrove.survey.split import hash_fraction, split_of

WAVE = 10 ** (np.log10(3621.6) + 1e-4 * np.arange(4563))
PARAMS = params_of_training(n_wave=256, cut_percentile=5.0)
#: plateifu, mangaid, z, number of baxels: one galaxy has none, one is observed twice.
GALAXIES = [
    ("1-1901", "1-1", 0.02, 40),
    ("1-1902", "1-2", 0.05, 0),
    ("2-1901", "1-3", 0.03, 30),
    ("3-1901", "1-1", 0.021, 50),
]


@pytest.fixture(scope="module")
def extracts(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("extracts"), np.random.default_rng(8)
    paths = []
    for plateifu, mangaid, z, n in GALAXIES:
        level = rng.uniform(1.0, 3.0, (n, 1))
        spectra = {
            "flux": level * (1.0 + rng.normal(0.0, 0.05, (n, WAVE.size))),
            "ivar": np.ones((n, WAVE.size)),
            "mask": (rng.uniform(size=(n, WAVE.size)) < 0.2).astype(np.int8),
            "snr": np.where(np.arange(n) % 10 == 0, 5.0, 30.0),
            "radius_re": rng.uniform(0.0, 2.0, n),
            # Of each baxel its own width; unknown in a few pixels.
            "lsf": np.where(np.arange(WAVE.size) % 50 == 0, 0.0, 2.0 + level * WAVE / 5000.0),
        }
        # Without light in the band in which spectra are normalised: no row at all.
        band = np.abs(WAVE / (1 + z) - 4100) < 100
        spectra["flux"][1::20, band] = -1.0
        paths.append(folder / f"{plateifu}.h5")
        write_extract(paths[-1], WAVE, spectra, plateifu=plateifu, mangaid=mangaid, z=z, ebv_galactic=0.1)
    return paths


@pytest.fixture(scope="module")
def merged(extracts, script, Params, tmp_path_factory):
    out = tmp_path_factory.mktemp("merged") / "training_spectra.h5"
    script("training_spectra").main(Params(extracts=extracts), Params(training_spectra=str(out)), PARAMS)
    assert [path.name for path in out.parent.iterdir()] == [out.name], "nothing else is left in the folder"
    return artefacts.read(out, "training_spectra")


def test_every_normalised_spectrum_has_one_row_kept_ones_first(merged):
    members = list(zip(merged["galaxy"].tolist(), merged["baxel"].tolist(), strict=True))
    cut = dict(
        zip(
            zip(merged["candidate_galaxy"].tolist(), merged["candidate_baxel"].tolist(), strict=True),
            merged["candidate_cut"].tolist(),
            strict=True,
        )
    )
    assert sorted(members) == sorted(member for member, code in cut.items() if code != TrainingCut.NO_NORMALISATION)
    assert merged["cut"].tolist() == [cut[member] for member in members]
    keys = np.array([hash_fraction(f"{GALAXIES[g][0]}:{i}") for g, i in members])
    n_kept = np.sum(merged["cut"] == TrainingCut.KEPT)
    assert np.all(merged["cut"][:n_kept] == TrainingCut.KEPT)
    assert np.all(np.diff(keys[:n_kept]) > 0) and np.all(np.diff(keys[n_kept:]) > 0)


def test_the_cuts_leave_out_low_snr_and_both_ends(merged):
    """Of the 120, 7 have no norm and 12 too low an S/N; 5 % of the 101 others go at either end."""
    counts = np.bincount(merged["candidate_cut"], minlength=6)
    assert counts[2] == 12 and counts[3] == 7 and counts[4] == 5 and 4 <= counts[5] <= 5 and counts.sum() == 120


def test_the_line_spread_is_the_mean_over_the_kept_spectra(merged, extracts):
    spreads = []
    for g, path in enumerate(extracts):
        extract, z = artefacts.read(path, "extract", ["lsf"]), GALAXIES[g][2]
        kept = (merged["galaxy"] == g) & (merged["cut"] == TrainingCut.KEPT)
        # Linear in wavelength, so what is known says what the others would be.
        own = 2.0 + (extract["lsf"][:, 1] - 2.0)[:, None] / WAVE[1] * merged["wave"] * (1 + z)
        widening = mean_smoothing(log_edges(WAVE) / (1 + z), log_edges(merged["wave"]), merged["wave"])
        spreads.append(np.hypot(own / (1 + z), widening)[merged["baxel"][kept]])
    inside = merged["wave"] > WAVE[1] / 1.02
    np.testing.assert_allclose(merged["lsf"][inside], np.concatenate(spreads).mean(axis=0)[inside], rtol=1e-5)


def test_a_row_holds_what_the_galaxy_alone_gives(merged, extracts):
    transmission = galactic_transmission(WAVE, 0.1)
    for g, path in enumerate(extracts):
        extract = artefacts.read(path, "extract")
        flux, _, good = corrected(WAVE, *(extract[name] for name in ("flux", "ivar", "mask")), transmission, 8.0)
        alone = rest_spectra(WAVE, flux, good, extract["snr"], GALAXIES[g][2], PARAMS)
        rows = np.flatnonzero(merged["galaxy"] == g)
        baxels = merged["baxel"][rows]
        np.testing.assert_array_equal(merged["flux"][rows], alone.flux[baxels])
        np.testing.assert_array_equal(merged["mask"][rows], alone.mask[baxels])
        np.testing.assert_array_equal(merged["norm"][rows], alone.norm[baxels].astype(np.float32))
        for name in ("snr", "radius_re"):
            np.testing.assert_array_equal(merged[name][rows], extract[name][baxels])
        assert set(merged["split"][rows]) <= {split_of(GALAXIES[g][1], 1, 0.1, 0.2)}
    assert merged["wave"].tolist() == log_grid(*PARAMS["rest_range"], 256).tolist()


def test_spectra_come_back_in_their_rows_two_groups_by_key(tmp_path):
    rng = np.random.default_rng(2)
    key, flux = rng.uniform(size=1000), rng.normal(size=(1000, 4)).astype(np.float32)
    row, group = np.full(1000, -1), rng.integers(0, 3, 1000)
    order = np.concatenate(
        [members[np.argsort(key[members])] for members in (np.flatnonzero(group == g) for g in (1, 2))]
    )
    row[order] = np.arange(order.size)
    with SortedSpectra(tmp_path, 4) as spectra:
        for part in np.array_split(rng.permutation(1000), 7):
            spectra.add(key[part], part, flux[part], flux[part] > 0)
        blocks = list(spectra.blocks(row))
    assert 200 < len(blocks) <= 2 * 128, "a block of each group in each range of the key"
    found = np.full((order.size, 4), np.nan, np.float32)
    for rows, values, mask in blocks:
        assert np.isnan(found[rows]).all() and np.array_equal(mask, values > 0)
        found[rows] = values
    np.testing.assert_array_equal(found, flux[order])
