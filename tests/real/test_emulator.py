"""The emulator on the table of DESI galaxies: a single network of half the training galaxies, judged on all of the test.

The aims themselves are for the ensemble of run 'desi' (``make real``).
"""

import numpy as np
import pytest

from mangrove.analysis import emulator_quality as quality
from mangrove.models.emulator_training import EmulatorSettings, train_emulator
from mangrove.models.line_table import read_desi, split

pytestmark = [pytest.mark.real, pytest.mark.slow]


@pytest.fixture(scope="module")
def judged(real_data, absent, tmp_path_factory):
    """Quality by line."""
    path = real_data / "desi/desi_sv3_continuum_ew.h5"
    if not path.is_file():
        absent("real", f"no table of DESI galaxies: {path}")
    table, published = read_desi(path)
    parts = split(table)
    half = parts._replace(train=parts.train[::2])
    settings = EmulatorSettings(epochs=12)
    model, _ = train_emulator(table, half, settings, tmp_path_factory.mktemp("desi"), {})
    result = quality.evaluate(model, table.take(parts.test))
    return quality.quality_table(result, published[parts.test])


def test_the_test_part_is_the_agreed_one(judged):
    assert sum(row.n for row in judged) == 141448
    # Spearman of the published networks, as science knows them for these galaxies, to their sampling.
    np.testing.assert_allclose([row.rho_published for row in judged][6], 0.914, atol=0.002)


def test_every_line_is_better_than_published(judged):
    short = {row.line: (row.gain, row.gain_error) for row in judged if row.gain < 0.004}
    assert not short
    assert np.mean([row.gain for row in judged]) > 0.008


def test_intervals_cover_and_bias_is_small(judged):
    assert all(0.64 <= row.coverage <= 0.72 for row in judged)
    assert all(
        abs(bias) < 0.03 + 3 * error for row in judged for bias, error in zip(row.bias, row.bias_error, strict=True)
    )
