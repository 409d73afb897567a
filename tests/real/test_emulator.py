"""The emulator on the table of DESI galaxies: a single network, trained for half as long, judged on all of the test.

Its limits are looser than the aims; the ensemble of run 'desi' is held to these with MANGROVE_VALIDATE=1
(``make validate``).
"""

import os
from pathlib import Path

import numpy as np
import pytest

from mangrove import config_files
from mangrove.models.emulator.emulator import predict_table
from mangrove.models.emulator.line_table import TEST_SHARE, StoredTable, read_desi, split_table
from mangrove.models.emulator.training import EmulatorSettings, train_emulator
from mangrove.validation import emulator_quality as quality

pytestmark = [pytest.mark.real, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
FULL = bool(os.environ.get("MANGROVE_VALIDATE"))


@pytest.fixture(scope="module")
def desi(real_data, absent):
    """The table, and the published predictions."""
    path = real_data / "desi/desi_sv3_continuum_ew.h5"
    if not path.is_file():
        absent("real", f"no table of DESI galaxies: {path}")
    return read_desi(path)


@pytest.fixture(scope="module")
def judged(desi, tmp_path_factory):
    """Quality by line."""
    table, published = desi
    split = split_table(table)
    settings = EmulatorSettings(epochs=10)
    model, _ = train_emulator(table, split, settings, tmp_path_factory.mktemp("desi"), {})
    result = quality.evaluate(model, table.take(split.test))
    return quality.quality_table(result, published[split.test])


def test_the_published_predictions_are_as_good_as_published(judged):
    """Spearman rho as known for these galaxies: the file and the split are the right ones."""
    known = (0.754, 0.733, 0.876, 0.779, 0.769, 0.873, 0.913, 0.877, 0.884, 0.866)
    np.testing.assert_allclose([row.rho_published for row in judged], known, atol=0.015)


def test_every_line_is_better_than_published(judged):
    short = {row.line: (row.gain, row.gain_error) for row in judged if row.gain < 0.004}
    assert not short
    assert np.mean([row.gain for row in judged]) > 0.008


@pytest.fixture(scope="module")
def run_settings(desi, script):
    """How run 'desi' trains: the ensemble, by the rule's own reading of the configuration."""
    run = config_files.load([ROOT / "config.yaml", ROOT / "configs/desi.yaml"])
    table, published = desi
    stored = StoredTable(table, split_table(table), published, "")
    return script("emulator_train").settings(run.emulator.model_dump() | {"seed": run.seed}, stored)


@pytest.mark.skipif(not FULL, reason="the ensemble's training: set MANGROVE_VALIDATE=1")
def test_the_ensemble_of_run_desi_reaches_the_aims(desi, run_settings, tmp_path):
    """Gain, coverage and bias on the project's split, as report/emulator/quality.csv of the run judges them.

    A quarter of the test galaxies tells the median of one line to 0.005-0.012 only, so that of 40 cells some lie
    beyond 0.02 by chance: here the bias counts in the mean over the lines, and single cells are judged with every
    galaxy held out once (:func:`test_no_line_is_biased_in_any_luminosity_quartile`).
    """
    table, published = desi
    split = split_table(table)
    model, _ = train_emulator(table, split, run_settings, tmp_path, {})
    rows = quality.quality_table(quality.evaluate(model, table.take(split.test)), published[split.test])
    assert quality.failures(rows) == []
    assert set(quality.verdicts(rows, split.test.size)) == {"yes"}
    gain = [row.gain for row in rows]
    assert min(gain) >= 0.007 and np.mean(gain) >= 0.012
    assert all(0.64 <= row.coverage <= 0.72 for row in rows)
    assert np.abs(np.mean([row.bias for row in rows], axis=0)).max() < 0.02


def test_intervals_cover_and_bias_is_small(judged):
    low, high = quality.COVERAGE_LIMITS
    assert not {row.line: row.coverage for row in judged if not low <= row.coverage <= high}
    assert all(
        abs(bias) < 0.03 + 3 * error for row in judged for bias, error in zip(row.bias, row.bias_error, strict=True)
    )


@pytest.mark.skipif(not FULL, reason="five trainings: set MANGROVE_VALIDATE=1")
def test_no_line_is_biased_in_any_luminosity_quartile(desi, run_settings, tmp_path):
    """Every galaxy is held out once: five times the test galaxies halve the error of a median, to 0.005 at most."""
    table, _ = desi
    predicted = np.full(table.ew.shape, np.nan)
    for k in range(TEST_SHARE):
        split = split_table(table, k)
        model, _ = train_emulator(table, split, run_settings, tmp_path / str(k), {})
        held_out = table.take(split.test)
        predicted[split.test] = predict_table(model, held_out.flux_bins, held_out.log_luminosity).observed
    offset = predicted - np.arcsinh(np.where(table.measured, table.ew, np.nan))
    quartile = quality.groups(np.where(table.usable, table.log_luminosity, np.nan), quality.N_QUARTILE)
    bias = {
        (line, q + 1): np.nanmedian(offset[(quartile == q) & table.usable, i])
        for i, line in enumerate(table.lines)
        for q in range(quality.N_QUARTILE)
    }
    assert {place: value for place, value in bias.items() if not abs(value) < quality.MAX_BIAS} == {}
