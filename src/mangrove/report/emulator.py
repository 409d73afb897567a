"""Figures of the emulator: how its predictions compare with measurements."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mangrove.models.emulator.emulator import Emulator
from mangrove.models.emulator.line_table import LineTable
from mangrove.physics.bpt import BPT_LINES
from mangrove.physics.constants import LN10
from mangrove.report.bpt_panel import bpt_axes
from mangrove.report.colours import BLUE, ORANGE, RED
from mangrove.report.drawing import DENSITY_FROM, beyond, count_bar, new_figure, note, whole_numbers
from mangrove.report.limits import fenced_limits, robust_limits
from mangrove.report.line_names import line_title
from mangrove.report.losses import draw_losses
from mangrove.report.one_to_one import draw_one_to_one
from mangrove.report.wording import FLUX_UNIT, counted, signed
from mangrove.validation.emulator_curve import LearningPoint
from mangrove.validation.emulator_quality import MIN_JUDGED, Evaluation, QualityRow

_UMAP_INK = 9000.0
#: Lines shown on it.
UMAP_LINES = ("Halpha_6565", "OIII_5008", "NII_6585")
OBSERVED, PREDICTED, DRAWN = "observed", "predicted", "predictive draw"
COLOURS = {OBSERVED: "0.25", PREDICTED: ORANGE, DRAWN: BLUE}
#: Panels in a row.
N_COLUMN = 5
ASINH = "asinh(EW / Å)"
#: Smallest EW, Angstrom, that has a logarithm: draws with noise may be negative.
_LEAST_EW = 1e-4


class SampleSizes(NamedTuple):
    """Galaxies and rows that a model was trained and tested on."""

    train_galaxies: int
    train_rows: int
    test_galaxies: int
    test_rows: int


def with_sample(figure: Figure, sizes: SampleSizes) -> Figure:
    """The figure with the size of its sample as a title; if this is too small to judge, the title says so."""
    words = f"trained on {_rows(sizes.train_galaxies, sizes.train_rows)}, "
    words += f"tested on {_rows(sizes.test_galaxies, sizes.test_rows)}"
    few = sizes.test_galaxies < MIN_JUDGED
    if few:
        words = f"Illustration only: {words}\njudging the quality takes at least {MIN_JUDGED} test galaxies"
    title = figure.get_suptitle()
    figure.suptitle(f"{title}\n{words}" if title else words, fontsize=11, color=RED if few else "k")
    return figure


def predicted_figure(result: Evaluation, rows: Sequence[QualityRow]) -> Figure:
    """Predicted against observed EW of every line, with the 1:1 line, and correlation, bias and scatter in numbers."""
    figure, panels = panel_row(len(result.lines), 3.5, 3.5)
    for i, (axes, row) in enumerate(zip(panels, rows, strict=True)):
        known = np.isfinite(result.measured[:, i])
        x, y = result.measured[known, i], result.predicted[known, i]
        axes.set_title(line_title(row.line), fontsize=11)
        if not x.size:
            note(axes, "not measured")
            continue
        draw_one_to_one(axes, x, y)
        words = f"ρ = {row.rho:.3f}, bias {signed(float(np.median(y - x)), 2)}, NMAD {row.nmad:.2f}"
        axes.set_title(f"{line_title(row.line)}\n{words}", fontsize=10)
    figure.supxlabel(f"observed {ASINH}")
    figure.supylabel(f"predicted {ASINH}")
    return figure


def histogram_figure(result: Evaluation) -> Figure:
    """Distributions of observed EW, predictions, and predictions with scatter and measurement noise."""
    figure, panels = panel_row(len(result.lines), 3.5, 2.8)
    for i, axes in enumerate(panels):
        known = np.isfinite(result.measured[:, i])
        series = _series(result, i, known)
        axes.set_title(line_title(result.lines[i]), fontsize=10)
        if not known.any():
            note(axes, "not measured")
            continue
        every = np.concatenate(list(series.values()))
        low, high = np.clip(fenced_limits(every), every.min(), every.max())
        edges = np.linspace(low, high, int(np.clip(2 * np.sqrt(known.sum()), 12, 45)))
        # What lies beyond ends in the outer bars, so that every row counts.
        shown = {name: np.clip(values, low, high) for name, values in series.items()}
        axes.hist(shown[OBSERVED], edges, color="0.8", label=OBSERVED)
        for name in (PREDICTED, DRAWN):
            axes.hist(shown[name], edges, histtype="step", lw=1.6, color=COLOURS[name], label=name)
    whole_numbers(*panels)
    for axes in panels[-N_COLUMN:]:
        axes.set_xlabel(ASINH)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    figure.supylabel("number of rows")
    return figure


def umap_figure(
    result: Evaluation, rows: np.ndarray, place: np.ndarray, lines: Sequence[str], title: str = "test rows"
) -> Figure:
    """Observed and predicted EW, and a predictive draw, of some lines on the UMAP of the inputs.

    Parameters
    ----------
    rows : ndarray of int, shape (n,)
        Of ``result``.
    place : ndarray, shape (n, 2)
        Where they lie on the map (:class:`mangrove.analysis.input_map.InputMap`).
    lines : sequence of str
    title : str
        Which rows of the table ``result`` is of.
    """
    figure = new_figure(12, 3.6 * len(lines) + 0.4)
    figure.suptitle(title)
    grid = figure.subplots(len(lines), 3, squeeze=False)
    # As large as fills the panel, in points squared, and never too small to see.
    size = float(np.clip(_UMAP_INK / max(len(rows), 1), 3.0, 45.0))
    for row_of_axes, line in zip(grid, lines, strict=True):
        i = result.lines.index(line)
        series = _series(result, i, rows)
        limits = robust_limits(series[OBSERVED], 2, 98)
        for axes, (name, values) in zip(row_of_axes, series.items(), strict=True):
            shown = np.isfinite(values)
            points = axes.scatter(*place[shown].T, c=values[shown], s=size, lw=0, vmin=limits[0], vmax=limits[1])
            axes.set(xticks=[], yticks=[], xlabel="UMAP 1", ylabel="UMAP 2")
            axes.set_title(f"{line_title(line)}, {name}", fontsize=11)
        figure.colorbar(points, ax=list(row_of_axes), pad=0.01, extend="both").set_label(ASINH)
    return figure


def bpt_figure(result: Evaluation) -> Figure:
    """The BPT diagram from EW: observed, and a predictive draw with noise."""
    figure = new_figure(13, 6.4)
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    if not set(BPT_LINES) <= set(result.lines):
        for axes in panels:
            note(axes, "the table lacks lines of the BPT diagram")
        return figure
    index = [result.lines.index(name) for name in BPT_LINES]
    known = np.isfinite(result.measured[:, index]).all(axis=1)
    ratios = [_log_ratios(values[known][:, index]) for values in (result.measured, result.predictive_draw)]
    both = np.concatenate(ratios)
    for axes, name, xy in zip(panels, (OBSERVED, DRAWN), ratios, strict=True):
        bpt_axes(axes, *both.T, kind="EW")
        if known.sum() > DENSITY_FROM:
            extent = (*axes.get_xlim(), *axes.get_ylim())
            shown = axes.hexbin(*xy.T, gridsize=60, extent=extent, bins="log", mincnt=1)
            count_bar(axes, shown, "rows per cell")
        else:
            axes.plot(*xy.T, "o", ms=4, alpha=0.6, mew=0, color=COLOURS[name])
            beyond(axes, *xy.T, COLOURS[name])
        axes.set_title(f"{name}, {counted(int(known.sum()), 'row')} with all four lines")
    panels[1].set_ylabel("")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def spectrum_figure(model: Emulator, table: LineTable, example: int) -> Figure:
    """A continuum with the model's bins, and what the model says about its lines beside the measurements."""
    figure = new_figure(14, 5)
    left, right = figure.subplots(1, 2, width_ratios=[1.2, 1])
    one = table.take(np.array([example]))
    edges = np.array(table.bins.edges)
    left.stairs(one.flux_bins[0], edges, fill=True, color="#c6dbef")
    left.stairs(one.flux_bins[0], edges, color=BLUE, lw=1.5)
    left.set(xlim=(edges[0], edges[-1]), xlabel="rest wavelength, vacuum (Å)")
    left.set_ylabel(f"continuum flux ({FLUX_UNIT} Å$^{{-1}}$)")
    left.set_title(f"{one.identifier[0]}: continuum in {table.bins.n_bin} bins")
    prediction = model(one.flux_bins, one.log_luminosity if model.uses_luminosity else None)
    low, high = (np.asarray(x)[0] for x in prediction.mixture.interval())
    x, median = np.arange(len(model.lines)), np.asarray(prediction.mixture.median())[0]
    right.errorbar(x - 0.1, median, [median - low, high - median], fmt="s", color=COLOURS[PREDICTED], label="emulator")
    y = np.where(one.measured, np.arcsinh(np.where(one.measured, one.ew, 0)), np.nan)[0]
    error = (one.ew_error / np.sqrt(1 + one.ew**2))[0] * model.noise_factor
    right.errorbar(x + 0.1, y, error, fmt="o", color="0.25", label="measured")
    right.set_xticks(x, [line_title(line) for line in model.lines], rotation=60, ha="right")
    right.set(ylabel=ASINH, title="its lines: median and 68 % interval")
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower right", ncols=2, frameon=False)
    return figure


def learning_figure(
    history: Sequence[Mapping[str, float]], points: Sequence[LearningPoint], keep_best: bool = True
) -> Figure:
    """Loss by epoch with the one that was kept, and quality by number of training rows where a curve was made."""
    figure = new_figure(13 if points else 8, 5)
    panels = figure.subplots(1, 2 if points else 1, squeeze=False)[0]
    draw_losses(panels[0], history, keep_best)
    if points:
        panels[1].semilogx([p.n_train for p in points], [p.rho for p in points], "o-", color=BLUE)
        panels[1].set(xlabel="training rows", ylabel="mean Spearman ρ over the lines")
    return figure


def panel_row(n: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of n panels, five or four in a row, inches each."""
    n_column = min(n, N_COLUMN if n <= 2 * N_COLUMN else N_COLUMN - 1)
    n_row = -(-n // n_column)
    figure = new_figure(width * n_column, height * n_row + 0.9)
    grid = figure.subplots(n_row, n_column, squeeze=False).ravel()
    for axes in grid[n:]:
        axes.set_visible(False)
    return figure, list(grid[:n])


def _series(result: Evaluation, i: int, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The three views of a line; predictions only where it was measured, so that the samples are the same."""
    observed = result.measured[rows, i]
    predicted = np.where(np.isfinite(observed), result.predicted[rows, i], np.nan)
    return {OBSERVED: observed, PREDICTED: predicted, DRAWN: result.predictive_draw[rows, i]}


def _log_ratios(values: np.ndarray) -> np.ndarray:
    """Logarithms of the ratios of EW in the BPT diagram, shape (n, 2), from asinh(EW), shape (n, 4)."""
    log_ew = np.log(np.sinh(np.maximum(values, _LEAST_EW))) / LN10
    return np.stack([log_ew[:, 0] - log_ew[:, 1], log_ew[:, 2] - log_ew[:, 3]], axis=1)


def _rows(n_galaxy: int, n_row: int) -> str:
    """Galaxies, and their rows where these are baxels of them."""
    galaxies = counted(n_galaxy, "galaxy", "galaxies")
    return galaxies if n_row == n_galaxy else f"{galaxies} ({counted(n_row, 'row')})"
