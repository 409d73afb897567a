"""The training spectra of a survey: every kept spectrum once, in its row, as its galaxy alone gives it."""

import numpy as np
import pytest
from small_extract import params_of_training, write_extract

from mangrove import artefacts
from mangrove.physics.galactic_extinction import galactic_transmission
from mangrove.physics.wavelengths import log_grid
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
        }
        paths.append(folder / f"{plateifu}.h5")
        write_extract(paths[-1], WAVE, spectra, plateifu=plateifu, mangaid=mangaid, z=z, ebv_galactic=0.1)
    return paths


@pytest.fixture(scope="module")
def merged(extracts, script, Params, tmp_path_factory):
    out = tmp_path_factory.mktemp("merged") / "training_spectra.h5"
    script("training_spectra").main(Params(extracts=extracts), Params(training_spectra=str(out)), PARAMS)
    assert [path.name for path in out.parent.iterdir()] == [out.name], "nothing else is left in the folder"
    return artefacts.read(out, "training_spectra")


def test_every_kept_spectrum_has_one_row_in_hashed_order(merged):
    kept = merged["candidate_cut"] == 0
    members = list(zip(merged["galaxy"].tolist(), merged["baxel"].tolist(), strict=True))
    wanted = zip(merged["candidate_galaxy"][kept].tolist(), merged["candidate_baxel"][kept].tolist(), strict=True)
    assert sorted(members) == sorted(wanted)
    keys = [hash_fraction(f"{GALAXIES[g][0]}:{i}") for g, i in members]
    assert keys == sorted(keys)


def test_the_cuts_leave_out_low_snr_and_both_ends(merged):
    """A tenth of the 120 has too low an S/N; of the 108 others, 6 have the lowest minima and 6 the highest maxima."""
    counts = np.bincount(merged["candidate_cut"], minlength=6)
    assert counts[2] == 12 and counts[4] == 6 and 5 <= counts[5] <= 6 and counts.sum() == 120


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
        np.testing.assert_array_equal(merged["snr"][rows], extract["snr"][baxels])
        assert set(merged["split"][rows]) <= {split_of(GALAXIES[g][1], 1, 0.1, 0.2)}
    assert merged["wave"].tolist() == log_grid(*PARAMS["rest_range"], 256).tolist()


def test_spectra_come_back_in_the_order_of_their_key(tmp_path):
    rng = np.random.default_rng(2)
    key, flux = rng.uniform(size=1000), rng.normal(size=(1000, 4)).astype(np.float32)
    row = np.full(1000, -1)
    kept = np.flatnonzero(rng.uniform(size=1000) < 0.7)
    order = kept[np.argsort(key[kept])]
    row[order] = np.arange(kept.size)
    with SortedSpectra(tmp_path, 4) as spectra:
        for part in np.array_split(rng.permutation(1000), 7):
            spectra.add(key[part], part, flux[part], flux[part] > 0)
        blocks = list(spectra.blocks(row))
    assert len(blocks) > 50 and [rows.start for rows, *_ in blocks[1:]] == [rows.stop for rows, *_ in blocks[:-1]]
    np.testing.assert_array_equal(np.concatenate([b for _, b, _ in blocks]), flux[order])
    np.testing.assert_array_equal(np.concatenate([m for *_, m in blocks]), flux[order] > 0)
