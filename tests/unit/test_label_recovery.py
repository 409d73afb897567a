"""Comparison of labels with the truth of simulated galaxies: what counts, what does not and why, and the verdicts."""

import numpy as np
import pytest

from mangrove.artefacts import Artefact
from mangrove.codes import BptClass, DBptClass
from mangrove.codes import LabelFlag as F
from mangrove.data_model import LABEL
from mangrove.physics.bpt import bpt_distance
from mangrove.physics.cosmology import kpc_per_arcsec, luminosity_distance
from mangrove.validation.comparison import TruthComparison
from mangrove.validation.label_recovery import (
    CLASSES,
    D_BPT,
    D_BPT_FAR,
    REASONS,
    SNR_RANGES,
    Checked,
    LabelRow,
    compare_labels,
    label_table,
    limits_of,
    pool_labels,
    why_left,
)
from mangrove.validation.true_labels import TRUTH_DATASETS, true_labels

LINES = ["Hbeta_4863", "OIII_5008", "Halpha_6565", "NII_6585"]
LEFT = [name for name in LabelRow._fields if name.startswith("left_")]
Z, PIXEL = 0.02, 0.5


def truth_of_two_baxels():
    """Truth of 2 x 2 spaxels: three in the first baxel, one in the second."""
    data = {name: np.ones((2, 2)) for name in TRUTH_DATASETS}
    flux = np.ones((4, 2, 2))
    flux[2] = [[3.0, 6.0], [9.0, 12.0]]
    data |= {"line": np.array(LINES), "line_flux": flux, "line_ew": flux}
    data |= {"ebv_gas": np.array([[0.0, 0.0], [0.4, 0.2]]), "log_mass": np.array([[6.0, 6.5], [7.0, 7.5]])}
    return true_labels(
        Artefact("extract", {"bin_id": np.array([[0, 0], [0, 1]]), "snr": np.ones(2)}, {}, ""),
        Artefact("truth", data, {}, ""),
        Z,
        PIXEL,
    )


def test_truth_by_hand():
    true = truth_of_two_baxels()
    assert set(LABEL) <= set(true)
    # k(Halpha) = 2.53: E(B-V) of 0.4 dims by 10^(0.4 * 2.53 * 0.4).
    before_dust = np.array([3 + 6 + 9 * 10 ** (0.4 * 2.53 * 0.4), 12 * 10 ** (0.4 * 2.53 * 0.2)])
    sfr = 4 * np.pi * luminosity_distance(Z) ** 2 * before_dust * 1e-17 / 10**41.27
    mass = np.array([1e6 + 10**6.5 + 1e7, 10**7.5])
    area = np.array([3, 1]) * (PIXEL * kpc_per_arcsec(Z)) ** 2
    np.testing.assert_allclose(true["log_sfr_density"], np.log10(sfr / area), atol=2e-3)
    np.testing.assert_allclose(true["log_mass_density"], np.log10(mass / area))
    np.testing.assert_allclose(true["log_ssfr"], np.log10(sfr / mass), atol=2e-3)
    np.testing.assert_allclose(true["ebv_gas"], [9 * 0.4 / 18, 0.2])
    # Mean fluxes: Halpha 6 and 12, the other lines 1.
    np.testing.assert_allclose(true["d_bpt"], bpt_distance(-np.log10([6, 12]), [0.0, 0.0]))


def baxels(n):
    """Labels of n baxels that are off by one error, and their truth."""
    labels, true = {}, {}
    for name in LABEL:
        true[name] = np.full(n, 9.0)
        labels |= {name: np.full(n, 9.1), f"{name}_err": np.full(n, 0.1), f"{name}_flag": np.zeros(n, np.uint32)}
    for column in ("bpt_class", "d_bpt_class"):
        labels[column], true[column] = np.full(n, BptClass.STAR_FORMING), np.full(n, BptClass.STAR_FORMING)
    return labels, true


def rows_of(*galaxies):
    table = label_table(pool_labels([compare_labels(*galaxy) for galaxy in galaxies]))
    return {(row.label, row.snr_per_pixel): row for row in table}


def test_every_baxel_counts_or_has_its_reason():
    n = 400
    rng = np.random.default_rng(8)
    labels, true = baxels(n)
    for name in LABEL:
        labels[f"{name}_flag"] = rng.choice([0, 0, *F], n).astype(np.uint32)
        for values in (labels[name], labels[f"{name}_err"], true[name]):
            values[rng.random(n) < 0.1] = np.nan
        labels[f"{name}_err"][rng.random(n) < 0.1] = 0.0
    for column, codes in (("bpt_class", list(BptClass)), ("d_bpt_class", list(DBptClass))):
        labels[column], true[column] = (rng.choice(codes, n) for _ in range(2))
    snr = rng.uniform(2, 60, n)
    rows = rows_of((labels, true, snr), (labels, true, snr))
    assert {name for name, _ in rows} == {*LABEL, *CLASSES}
    for (name, snr_range), row in rows.items():
        low, high = SNR_RANGES[snr_range]
        assert row.n_baxel == 2 * np.sum((snr >= low) & (snr < high))
        assert row.n_baxel == row.n_value + sum(getattr(row, column) for column in LEFT), (name, snr_range)
        assert row.n_value > 0, (name, snr_range)
    for name in (*LABEL, *CLASSES):
        assert sum(rows[name, snr_range].n_baxel for snr_range in SNR_RANGES) == 2 * n


def test_reasons_of_star_formation():
    labels, true = baxels(9)
    true["log_sfr_density"][8] = np.nan
    labels["log_sfr_density"][[4, 7]] = np.nan
    labels["log_sfr_density_flag"][:8] = [
        0,
        F.NEGATIVE_DECREMENT,
        F.NOT_STAR_FORMING,
        F.LOW_SNR,
        F.LOW_SNR | F.UPPER_LIMIT,
        F.POOR_FIT | F.LOW_SNR,
        F.NO_FIT,
        F.LINE_MISSING,
    ]
    row = rows_of((labels, true, np.full(9, 30.0)))["log_sfr_density", "20-40"]
    assert (row.n_baxel, row.n_value) == (9, 3)
    found = {column: getattr(row, column) for column in LEFT if getattr(row, column)}
    reasons = ("low_snr", "upper_limit", "poor_fit", "no_fit", "no_value", "no_truth")
    assert found == {f"left_{reason}": 1 for reason in reasons}


def test_columns_of_reasons_are_the_reasons():
    assert [f"left_{name}" for name in REASONS] == LEFT
    assert why_left(np.zeros(1, np.uint32), [True], [True]).tolist() == [-1]


def test_classes_near_a_curve_count_in_one_row_only():
    labels, true = baxels(40)
    labels["d_bpt"], labels["d_bpt_err"] = np.repeat([-0.5, -0.1, 0.25, 1.0], 10), np.full(40, 0.1)
    labels["d_bpt_class"] = np.repeat(
        [DBptClass.STAR_FORMING, DBptClass.STAR_FORMING, DBptClass.COMPOSITE, DBptClass.AGN], 10
    )
    true["d_bpt_class"] = np.repeat(
        [DBptClass.STAR_FORMING, DBptClass.COMPOSITE, DBptClass.COMPOSITE, DBptClass.AGN], 10
    )
    rows = rows_of((labels, true, np.full(40, 50.0)))
    every, far = rows[D_BPT, "above 40"], rows[D_BPT_FAR, "above 40"]
    assert (every.n_value, every.fraction_right, every.holds) == (40, 0.75, "no")
    assert (far.n_value, far.left_near_a_curve, far.fraction_right, far.holds) == (20, 20, 1.0, "yes")


def verdict(bias=0.0, width=1.0, scatter=0.0):
    """Verdict on a star formation of eight galaxies of 50 baxels, errors of 0.1 dex."""
    pull = np.tile(width * np.linspace(-1.35, 1.35, 50), 8)
    offset = bias + np.repeat(scatter * np.resize([1.0, -1.0], 8), 50) + 0.1 * pull
    found = TruthComparison(offset, np.full(400, 0.1), np.zeros(400), np.full(400, 30.0), np.repeat(np.arange(8), 50))
    checked = Checked(found, found.snr, np.full(400, -1))
    return next(row for row in label_table({"log_sfr_density": checked}) if row.snr_per_pixel == "20-40")


@pytest.mark.parametrize(
    ("given", "holds"),
    [
        ({}, "yes"),
        ({"bias": 0.08}, "no"),
        ({"bias": 0.08, "scatter": 0.08}, "within its error"),  # The error is 0.03.
        ({"bias": 0.15, "scatter": 0.08}, "no"),
        ({"width": 0.5}, "no"),
        ({"width": 1.7}, "no"),
    ],
)
def test_verdicts_count_the_scatter_between_galaxies(given, holds):
    assert limits_of("log_sfr_density", "20-40").bias == 0.05
    row = verdict(**given)
    assert row.bias == pytest.approx(given.get("bias", 0.0), abs=1e-9)
    assert row.bias_error == pytest.approx(given.get("scatter", 0.0) / np.sqrt(7), abs=1e-9)
    assert row.holds == holds
