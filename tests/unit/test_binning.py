"""Bins: the target that they meet, the covariance of the noise, galaxies at the edge."""

import numpy as np
import pytest
from scipy.ndimage import label

from mangrove.spectra.binning.voronoi import bin_snr, bin_spaxels, covariance_factor

TARGET = 20.0
#: Central signal to noise of exponential discs with a scale length of 14 spaxels.
DISCS = {"bright": 40.0, "medium": 15.0, "faint": 8.0}


def disc(centre, scale=14.0, side=64):
    y, x = np.mgrid[:side, :side].reshape(2, -1)
    signal = centre * np.exp(-np.hypot(x - side / 2, y - side / 2) / scale)
    use = signal > 2.0
    return x[use], y[use], signal[use], np.ones(use.sum())


def reached(bins, signal, noise, covariance="manga"):
    n = np.bincount(bins)
    return n, np.array([bin_snr(signal[bins == i], noise[bins == i], covariance) for i in range(n.size)])


def test_covariance_factor_is_law_et_al():
    np.testing.assert_allclose(covariance_factor([0, 1, 10, 100, 101, 5000]), [1, 1, 2.62, 4.24, 4.2, 4.2])
    np.testing.assert_array_equal(covariance_factor([1, 50], "none"), 1.0)
    np.testing.assert_allclose(covariance_factor([1, 10, 100, 1000], 3.0), [1, 2, 3, 3])


@pytest.mark.parametrize("engine", ["powerbin", "vorbin"])
@pytest.mark.parametrize("brightness", DISCS)
def test_bins_of_several_spaxels_meet_the_target(engine, brightness):
    x, y, signal, noise = disc(DISCS[brightness])
    bins = bin_spaxels(x, y, signal, noise, TARGET, "manga", engine)
    n, snr = reached(bins, signal, noise)
    assert np.median(snr[n > 1]) == pytest.approx(TARGET, rel=0.1)


@pytest.mark.parametrize("engine", ["powerbin", "vorbin"])
@pytest.mark.parametrize("scale", [6.0, 8.0, 10.0])
@pytest.mark.parametrize("centre", [25.0, 40.0])
def test_bins_of_small_discs_meet_the_target(engine, scale, centre):
    """Discs in the smallest fibre bundle: few bins, and a signal that falls fast across each."""
    x, y, signal, noise = disc(centre, scale, side=34)
    n, snr = reached(bin_spaxels(x, y, signal, noise, TARGET, "manga", engine), signal, noise)
    assert np.median(snr[n > 1]) == pytest.approx(TARGET, rel=0.1)


@pytest.mark.parametrize("brightness", DISCS)
def test_no_powerbin_falls_far_short(brightness):
    """Also at the edge, where PowerBin leaves spaxels over that complete no bin."""
    x, y, signal, noise = disc(DISCS[brightness])
    bins = bin_spaxels(x, y, signal, noise, TARGET, "manga", "powerbin")
    _, snr = reached(bins, signal, noise)
    assert snr.min() > 0.85 * TARGET
    for b in range(bins.max() + 1):
        inside = np.zeros((64, 64), bool)
        inside[y[bins == b].astype(int), x[bins == b].astype(int)] = True
        assert label(inside, np.ones((3, 3)))[1] == 1, "a bin is one piece"


@pytest.mark.parametrize("engine", ["powerbin", "vorbin"])
def test_a_small_galaxy_just_above_the_target_is_one_bin_or_few(engine):
    """VorBin's own redistribution breaks where no bin is good."""
    x, y, signal, noise = disc(15.0, 6.0, side=34)
    bins = bin_spaxels(x, y, signal, noise, TARGET, "manga", engine)
    assert set(bins) == set(range(bins.max() + 1)) and bins.max() < 4


@pytest.mark.parametrize("engine", ["powerbin", "vorbin"])
def test_covariance_gives_fewer_bins(engine):
    x, y, signal, noise = disc(40.0, 10.0, side=34)
    with_it = bin_spaxels(x, y, signal, noise, TARGET, "manga", engine)
    without = bin_spaxels(x, y, signal, noise, TARGET, "none", engine)
    assert with_it.max() < without.max()


def test_degenerate_galaxies_are_data():
    x, y, signal, noise = disc(DISCS["medium"])
    for engine in ("powerbin", "vorbin"):
        assert bin_spaxels([], [], [], [], TARGET, "manga", engine).size == 0
        assert list(bin_spaxels([3], [3], [5.0], [1.0], TARGET, "manga", engine)) == [0]
        whole = bin_spaxels(x, y, signal / 20, noise, TARGET, "manga", engine)
        assert set(whole) == {0}, "a galaxy below the target as a whole is one bin"
        each = bin_spaxels(x, y, signal * 20, noise, TARGET, "manga", engine)
        assert sorted(each) == list(range(x.size)), "spaxels above the target are bins of their own"


def test_bins_are_numbered_from_zero_without_gaps():
    x, y, signal, noise = disc(DISCS["bright"])
    bins = bin_spaxels(x, y, signal, noise, TARGET, "manga", "powerbin")
    assert set(bins) == set(range(bins.max() + 1))
    _, first = np.unique(bins, return_index=True)
    assert np.all(np.diff(first) > 0)


def test_binning_is_deterministic():
    args = (*disc(DISCS["bright"]), TARGET, "manga", "powerbin")
    np.testing.assert_array_equal(bin_spaxels(*args), bin_spaxels(*args))


def test_a_failing_regularisation_keeps_the_accreted_bins(monkeypatch, caplog):
    import powerbin

    complete = powerbin.PowerBin

    def fails(xy, capacity, regul=True, **options):
        if regul:
            raise ValueError("data must be finite, check for nan or inf values")
        return complete(xy, capacity, regul=False, **options)

    monkeypatch.setattr(powerbin, "PowerBin", fails)
    x, y, signal, noise = disc(DISCS["bright"])
    bins = bin_spaxels(x, y, signal, noise, TARGET, "manga", "powerbin")
    assert bins.max() > 5
    assert "keeping the accreted bins" in caplog.text
