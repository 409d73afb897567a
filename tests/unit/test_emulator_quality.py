"""Measures of the emulator's quality, and what it is compared with."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from scipy.stats import spearmanr

from mangrove.models.emulator.continuum_features import Bins
from mangrove.models.emulator.line_table import LineTable
from mangrove.report import emulator as figures
from mangrove.report.drawing import new_figure
from mangrove.report.emulator_calibration import bias_limits, calibration_figure
from mangrove.validation import emulator_quality as quality
from mangrove.validation.comparison import spearman
from mangrove.validation.emulator_baselines import local_linear, run_baselines
from mangrove.validation.emulator_curve import LearningPoint
from mangrove.validation.emulator_quality import Evaluation, QualityRow

LINES = ("Hbeta_4863", "OIII_5008", "Halpha_6565", "NII_6585")
N = 4000


@pytest.fixture(scope="module")
def result():
    """An evaluation whose predictions are right: normal residuals, flat PIT, no bias."""
    rng = np.random.default_rng(0)
    predicted = 2 + 0.5 * rng.standard_normal((N, len(LINES)))
    pit = rng.random((N, len(LINES)))
    measured = predicted + 0.3 * rng.standard_normal(predicted.shape)
    measured[rng.random(measured.shape) < 0.1] = np.nan
    noisy = predicted + 0.3 * rng.standard_normal(predicted.shape)
    return Evaluation(
        LINES, measured, predicted, predicted, noisy, np.where(np.isnan(measured), np.nan, pit), 40 + rng.random(N)
    )


def test_the_table_of_a_right_model_falls_short_in_nothing_but_rank(result):
    worse = np.sinh(result.predicted + 0.4 * np.random.default_rng(1).standard_normal(result.predicted.shape))
    rows = quality.quality_table(result, worse)
    known = np.isfinite(result.measured[:, 0])
    assert rows[0].rho == pytest.approx(spearmanr(result.measured[known, 0], result.predicted[known, 0])[0])
    assert rows[0].gain == pytest.approx(rows[0].rho - rows[0].rho_published)
    for row in rows:
        assert row.nmad == pytest.approx(0.3, rel=0.06) and row.coverage == pytest.approx(0.68, abs=0.03)
        assert np.all(np.abs(row.bias) < 4 * np.array(row.bias_error))
    assert quality.failures(rows) == []


def test_shortfalls_are_named(result):
    wrong = result._replace(predicted=result.predicted + 0.15, pit=0.5 + 0.5 * (result.pit - 0.5))
    found = quality.failures(quality.quality_table(wrong, np.sinh(result.predicted)))
    text = "\n".join(found)
    assert "mean gain in rho" in text and "covers 100.0 %" in text
    assert "Halpha_6565: median bias +0.1" in text and "luminosity quartile 4" in text


def row_of(n=600, gain=0.02, coverage=0.68, bias=(0.0, 0.0, 0.0, 0.0)):
    return QualityRow("Halpha_6565", n, 0.9, 0.9 - gain, gain, 0.001, 0.9, 0.4, bias, (0.005,) * 4, coverage)


@pytest.mark.parametrize(
    ("rows", "n_galaxy", "expected"),
    [
        ([row_of(), row_of(n=499)], 600, ["yes", "too few"]),
        ([row_of()], 499, ["too few"]),
        ([row_of(gain=0.006), row_of()], 600, ["no", "yes"]),
        ([row_of(gain=np.nan), row_of(gain=np.nan, coverage=0.73)], 600, ["yes", "no"]),
        ([row_of(gain=np.nan), row_of()], 600, ["too few", "yes"]),
        ([row_of(bias=(0.0, -0.031, 0.0, 0.0)), row_of(bias=(0.029, 0.0, 0.0, 0.0))], 600, ["no", "yes"]),
        ([], 0, []),
    ],
    ids=["few rows", "few galaxies", "gain", "none published", "not published for a line", "bias", "no line"],
)
def test_lines_hold_the_aims_or_not_where_there_is_enough_to_judge_by(rows, n_galaxy, expected):
    assert quality.verdicts(rows, n_galaxy) == expected


def test_the_error_of_a_paired_gain_is_the_scatter_of_gains(result):
    rng = np.random.default_rng(2)

    def sample():
        truth = rng.standard_normal(500)
        measured = truth + 0.5 * rng.standard_normal(500)
        return measured, truth, truth + 0.5 * rng.standard_normal(500)

    found = np.array([quality.paired_gain(*sample(), seed=0) for _ in range(60)])
    assert found[:, 1].mean() == pytest.approx(found[:, 0].std(), rel=0.3)


def test_bias_by_decile_finds_a_bias_at_one_end(result):
    shifted = result._replace(predicted=np.where(result.predicted > 2.5, result.predicted + 0.2, result.predicted))
    _, offset = quality.bias_by_decile(shifted)
    assert offset[:, 0] == pytest.approx(0, abs=0.06) and offset[:, -1] == pytest.approx(0.2, abs=0.06)


def test_a_local_linear_fit_follows_a_slope_and_copes_with_gaps():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((800, 3))
    y = x @ rng.standard_normal((3, 2)) + 1
    gappy = np.where(rng.random(y.shape) < 0.3, np.nan, y)
    # The ridge draws slopes a little towards zero, most at the edge of the sample.
    offset = np.abs(local_linear(x, gappy)(x[:50]) - y[:50])
    assert np.median(offset) < 0.02 and offset.max() < 0.3


def test_baselines_predict_what_can_be_predicted():
    rng = np.random.default_rng(4)
    x = rng.standard_normal((1200, 3))
    y = np.column_stack([x.sum(1), x[:, 0] - x[:, 1]]) + 0.1 * rng.standard_normal((1200, 2))
    for one in run_baselines(x[:1000], y[:1000], x[1000:]):
        assert spearman(y[1000:, 0], one.predicted[:, 0]) > 0.9, one.name
        assert one.fit_s > 0 and one.predict_s > 0


@pytest.mark.parametrize(
    ("keep_best", "kept"), [(True, "kept: epoch 2, lowest validation loss"), (False, "kept: epoch 3, the last")]
)
def test_the_losses_name_the_epoch_that_was_kept(keep_best, kept):
    history = [{"epoch": i, "loss": 2.0 - i, "validation_loss": v} for i, v in enumerate([2.0, 1.0, 1.5])]
    (axes,) = figures.learning_figure(history, [], keep_best).axes
    line = axes.get_lines()[-1]
    assert line.get_label() == kept and list(line.get_xdata()) == [int(kept.split()[2].rstrip(","))] * 2


def test_every_figure_is_drawn(result):
    rows = quality.quality_table(result)
    place = np.random.default_rng(0).standard_normal((500, 2))
    points = [LearningPoint(0.1, 100, 0.7, 1.5), LearningPoint(1, 1000, 0.8, 1.2)]
    history = [{"epoch": 0, "loss": 2.0, "validation_loss": 2.1}, {"epoch": 1, "loss": 1.5, "validation_loss": 1.7}]
    drawn = [
        figures.predicted_figure(result, rows),
        figures.histogram_figure(result),
        figures.umap_figure(result, np.arange(500), place, LINES[:2]),
        figures.bpt_figure(result),
        calibration_figure(result, rows, "luminosity"),
        figures.learning_figure(history, points),
    ]
    for figure in drawn:
        figure.canvas.draw()
        assert figure.axes
    predicted, histograms, _, bpt, calibration, learning = drawn
    # Every panel says what its axes are, itself or by the label of the figure.
    for axes in filter(Axes.get_visible, (*bpt.axes[:1], *calibration.axes, *learning.axes)):
        assert axes.get_xlabel() and axes.get_ylabel()
    assert predicted.get_supylabel() == "predicted asinh(EW / Å)" and histograms.get_supylabel() == "number of rows"
    assert all(axes.yaxis.get_majorticklocs().size for axes in histograms.axes if axes.get_visible())
    for i, (axes, row) in enumerate(zip(predicted.axes, rows, strict=False)):
        bias = np.nanmedian(result.predicted[:, i] - result.measured[:, i])
        words = axes.get_title().replace("\N{MINUS SIGN}", "-")
        assert f"ρ = {row.rho:.3f}, bias {bias:+.2f}, NMAD {row.nmad:.2f}" in words


def test_points_of_a_small_umap_are_large(result):
    place = np.random.default_rng(0).standard_normal((500, 2))
    sizes = {n: figures.umap_figure(result, np.arange(n), place[:n], LINES[:1]).axes[0] for n in (50, 500)}
    assert {n: axes.collections[0].get_sizes()[0] for n, axes in sizes.items()} == {50: 45.0, 500: 18.0}


def test_figures_of_few_galaxies_say_that_they_illustrate():
    figure = figures.with_sample(new_figure(3, 3), figures.SampleSizes(8, 175, 2, 40))
    assert figure.get_suptitle() == (
        "Illustration only: trained on 8 galaxies (175 rows), tested on 2 galaxies (40 rows)\n"
        "judging the quality takes at least 500 test galaxies"
    )
    judged = figures.with_sample(new_figure(3, 3), figures.SampleSizes(2000, 2000, 500, 500))
    assert judged.get_suptitle() == "trained on 2,000 galaxies, tested on 500 galaxies"


def test_panels_of_bias_have_no_empty_half():
    low, high = bias_limits([[0.9, 1.5], [np.nan, 1.0]], 0.1)
    assert -0.4 < low <= -0.1 and 1.5 <= high < 1.7


def test_counts_have_whole_numbers_on_their_colour_bar(result):
    """Where so few rows fall into a cell that a scale of powers would say 6 times 10^0."""
    many = result._replace(
        **{name: np.tile(getattr(result, name), (20, 1)) for name in ("measured", "predictive_draw")}
    )
    figure = figures.bpt_figure(many)
    figure.canvas.draw()
    (bar, _) = [axes for axes in figure.axes if axes.get_ylabel() == "rows per cell"]
    labels = [label.get_text() for label in bar.get_yticklabels()]
    assert labels and all(label.replace(",", "").isdigit() for label in labels)


def test_a_table_masks_what_it_cannot_use():
    flux = np.array([[1, 2], [0, 1], [np.nan, 1], [1, 1]], np.float32)
    ew = np.array([[1], [1], [1], [-1]], np.float32)
    table = LineTable(Bins.equal(n_bin=2), ("Halpha_6565",), np.arange(4).astype(str), flux, None, ew, np.ones_like(ew))
    assert table.usable.tolist() == [True, False, False, True]
    assert table.measured[:, 0].tolist() == [True, True, True, False]
    assert np.isnan(table.ew_error[3, 0])
