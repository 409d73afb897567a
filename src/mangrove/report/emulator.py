"""Figures of the emulator: how its predictions compare with measurements."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mangrove.analysis.emulator_learning import LearningPoint
from mangrove.analysis.emulator_quality import MAX_BIAS, Evaluation, QualityRow, bias_by_decile
from mangrove.models.emulator import Emulator
from mangrove.models.line_table import LineTable
from mangrove.report.drawing import bpt_axes, new_figure, note, robust_limits

#: Lines of the BPT diagram, as tables of DESI name them.
BPT_LINES = ("NII_6585", "Halpha", "OIII_5008", "Hbeta")
#: Rows that the UMAP is made of, at most.
UMAP_ROWS = 5000
#: Fewest rows that make one.
UMAP_LEAST = 200
#: Lines shown on it.
UMAP_LINES = ("Halpha", "OIII_5008", "NII_6585")
OBSERVED, PREDICTED, NOISY = "observed", "predicted", "predicted + noise"
COLOURS = {OBSERVED: "0.25", PREDICTED: "#e6842a", NOISY: "#2c7fb8"}
_LN10 = np.log(10.0)


def predicted_figure(result: Evaluation, rows: Sequence[QualityRow]) -> Figure:
    """Predicted against observed EW of every line, with the 1:1 line and running quantiles."""
    figure, panels = _panels(len(result.lines), 3.5, 3.4)
    for i, (axes, row) in enumerate(zip(panels, rows, strict=True)):
        known = np.isfinite(result.measured[:, i])
        x, y = result.measured[known, i], result.predicted[known, i]
        if not x.size:
            note(axes, "not measured")
            continue
        low, high = robust_limits(np.concatenate([x, y]), 0.5, 99.5)
        axes.hexbin(x, y, gridsize=55, extent=(low, high, low, high), bins="log", cmap="viridis", mincnt=1)
        axes.plot([low, high], [low, high], "-", color="#d7301f", lw=1.5)
        axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
        axes.set_title(f"{_name(row.line)}  ρ = {row.rho:.3f}, NMAD {row.nmad:.2f}", fontsize=10)
    figure.supxlabel("observed asinh(EW / Å)")
    figure.supylabel("predicted asinh(EW / Å)")
    return figure


def histogram_figure(result: Evaluation) -> Figure:
    """Distributions of observed EW, predictions, and predictions with scatter and measurement noise."""
    figure, panels = _panels(len(result.lines), 3.5, 2.8)
    for i, axes in enumerate(panels):
        known = np.isfinite(result.measured[:, i])
        series = _series(result, i, known)
        low, high = robust_limits(np.concatenate(list(series.values())), 0.2, 99.8)
        edges = np.linspace(low, high, 45)
        axes.hist(series[OBSERVED], edges, color="0.8", label=OBSERVED)
        for name in (PREDICTED, NOISY):
            axes.hist(series[name], edges, histtype="step", lw=1.6, color=COLOURS[name], label=name)
        axes.set_title(_name(result.lines[i]), fontsize=10)
        axes.set_yticks([])
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    figure.supxlabel("asinh(EW / Å)")
    return figure


def umap_coordinates(features: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """2-D UMAP of the inputs of a random part of the rows.

    Parameters
    ----------
    features : ndarray, shape (n, n_feature)

    Returns
    -------
    rows : ndarray of int, shape (m,)
    place : ndarray, shape (m, 2)
    """
    from umap import UMAP  # takes seconds to import

    rows = np.random.default_rng(seed).permutation(len(features))[:UMAP_ROWS]
    x = features[rows]
    low, high = np.percentile(x, [0.5, 99.5], axis=0)
    x = (np.clip(x, low, high) - np.median(x, axis=0)) / x.std(axis=0)
    return rows, UMAP(n_neighbors=30, min_dist=0.1, random_state=seed, n_jobs=1).fit_transform(x)


def umap_figure(
    result: Evaluation, rows: np.ndarray, place: np.ndarray, lines: Sequence[str], title: str = "test rows"
) -> Figure:
    """Observed, predicted, and predicted + noise EW of some lines on the UMAP of the inputs.

    Parameters
    ----------
    rows, place : ndarray
        From :func:`umap_coordinates`.
    lines : sequence of str
    title : str
        Which rows of the table ``result`` is of.
    """
    figure = new_figure(12, 3.6 * len(lines) + 0.4)
    figure.suptitle(title)
    grid = figure.subplots(len(lines), 3, squeeze=False)
    for row_of_axes, line in zip(grid, lines, strict=True):
        i = result.lines.index(line)
        series = _series(result, i, rows)
        limits = robust_limits(series[OBSERVED], 2, 98)
        for axes, (name, values) in zip(row_of_axes, series.items(), strict=True):
            shown = np.isfinite(values)
            points = axes.scatter(*place[shown].T, c=values[shown], s=2, lw=0, vmin=limits[0], vmax=limits[1])
            axes.set(xticks=[], yticks=[])
            axes.set_title(f"{_name(line)}, {name}", fontsize=11)
        figure.colorbar(points, ax=list(row_of_axes), pad=0.01).set_label("asinh(EW / Å)")
    return figure


def bpt_figure(result: Evaluation) -> Figure:
    """Density of the BPT diagram, from EW: observed against predicted with scatter and noise."""
    figure = new_figure(13, 6)
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    if not set(BPT_LINES) <= set(result.lines):
        for axes in panels:
            note(axes, "the table lacks lines of the diagram")
        return figure
    index = [result.lines.index(name) for name in BPT_LINES]
    known = np.isfinite(result.measured[:, index]).all(axis=1)
    for axes, (name, values) in zip(panels, _bpt_series(result), strict=True):
        log_ew = np.log(np.sinh(np.maximum(values[known][:, index], 1e-4))) / _LN10
        bpt_axes(axes)
        extent = (*axes.get_xlim(), *axes.get_ylim())
        shown = axes.hexbin(
            log_ew[:, 0] - log_ew[:, 1], log_ew[:, 2] - log_ew[:, 3], gridsize=60, extent=extent, bins="log", mincnt=1
        )
        axes.set_title(f"{name}, {known.sum()} rows with all four lines")
        figure.colorbar(shown, ax=axes, pad=0.02).set_label("rows per cell")
    panels[0].set(xlabel="log EW [NII] 6585 / Hα", ylabel="log EW [OIII] 5008 / Hβ")
    panels[1].set(xlabel="log EW [NII] 6585 / Hα", ylabel="")
    panels[0].legend(loc="lower left", fontsize=9)
    return figure


def calibration_figure(result: Evaluation, rows: Sequence[QualityRow], ordered_by: str) -> Figure:
    """PIT of every line (flat if the distributions are right) and the median bias by decile of the prediction.

    Parameters
    ----------
    ordered_by : str
        What the quartiles of the bias are of: the luminosity, or what stands in for it.
    """
    figure, panels = _panels(len(result.lines) + 2, 3.2, 2.6)
    for i, (axes, row) in enumerate(zip(panels, rows, strict=False)):
        pit = result.pit[:, i][np.isfinite(result.pit[:, i])]
        density, *_ = axes.hist(pit, np.linspace(0, 1, 21), density=True, color="#9ecae1")
        axes.axhline(1, color="0.2", lw=1)
        axes.set(xlim=(0, 1), ylim=(0, max(2.0, 1.05 * np.nanmax(density, initial=0.0))), xlabel="PIT")
        axes.set_title(f"{_name(row.line)}: {100 * row.coverage:.1f} % in 68 %", fontsize=10)
    _decile_panel(panels[-2], result)
    _quartile_panel(panels[-1], rows, ordered_by)
    figure.supylabel("density of PIT")
    return figure


def spectrum_figure(model: Emulator, table: LineTable, example: int) -> Figure:
    """A continuum with the model's bins, and what the model says about its lines beside the measurements."""
    figure = new_figure(14, 5)
    left, right = figure.subplots(1, 2, width_ratios=[1.2, 1])
    one = table.take(np.array([example]))
    edges = np.array(table.bins.edges)
    left.stairs(one.flux_bins[0], edges, fill=True, color="#c6dbef")
    left.stairs(one.flux_bins[0], edges, color="#2c7fb8", lw=1.5)
    left.set(xlim=(edges[0], edges[-1]), xlabel="rest wavelength / Å (vacuum)")
    left.set_ylabel("continuum flux / 10⁻¹⁷ erg s⁻¹ cm⁻² Å⁻¹")
    left.set_title(f"{one.identifier[0]}: continuum in {table.bins.n_bin} bins")
    prediction = model(one.flux_bins, one.log_luminosity if model.uses_luminosity else None)
    low, high = (np.asarray(x)[0] for x in prediction.mixture.interval())
    x, median = np.arange(len(model.lines)), np.asarray(prediction.mixture.median())[0]
    right.errorbar(x - 0.1, median, [median - low, high - median], fmt="s", color=COLOURS[PREDICTED], label="emulator")
    y = np.where(one.measured, np.arcsinh(np.where(one.measured, one.ew, 0)), np.nan)[0]
    error = (one.ew_error / np.sqrt(1 + one.ew**2))[0] * model.noise_factor
    right.errorbar(x + 0.1, y, error, fmt="o", color="0.25", label="measured")
    right.set_xticks(x, [_name(line) for line in model.lines], rotation=60, ha="right")
    right.set(ylabel="asinh(EW / Å)", title="its lines: median and 68 % interval")
    right.legend(frameon=False)
    return figure


def learning_figure(history: Sequence[Mapping[str, float]], points: Sequence[LearningPoint]) -> Figure:
    """Loss by epoch, and quality by number of training galaxies."""
    figure = new_figure(12, 4.6)
    left, right = figure.subplots(1, 2)
    epochs = [row["epoch"] + 1 for row in history]
    for key, label in (("loss", "training"), ("validation_loss", "validation")):
        if history and key in history[0]:
            left.plot(epochs, [row[key] for row in history], "o-", ms=3, label=label)
    left.set(xlabel="epoch", ylabel="loss")
    left.legend(frameon=False)
    if points:
        right.semilogx([p.n_train for p in points], [p.rho for p in points], "o-", color="#2c7fb8")
        right.set(xlabel="training galaxies", ylabel="mean Spearman ρ over the lines")
    else:
        right.set_axis_off()
        note(right, "no learning curve")
    return figure


def _panels(n: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    n_column = 5 if n <= 10 else 4
    n_row = -(-n // n_column)
    figure = new_figure(width * min(n, n_column), height * n_row + 0.5)
    grid = figure.subplots(n_row, min(n, n_column), squeeze=False).ravel()
    for axes in grid[n:]:
        axes.set_visible(False)
    return figure, list(grid[:n])


def _series(result: Evaluation, i: int, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The three views of a line; predictions only where it was measured, so that the samples are the same."""
    observed = result.measured[rows, i]
    predicted = np.where(np.isfinite(observed), result.predicted[rows, i], np.nan)
    return {OBSERVED: observed, PREDICTED: predicted, NOISY: result.noisy[rows, i]}


def _bpt_series(result: Evaluation) -> list[tuple[str, np.ndarray]]:
    return [(OBSERVED, result.measured), (NOISY, result.noisy)]


def _decile_panel(axes: Axes, result: Evaluation) -> None:
    centre, offset = bias_by_decile(result)
    for i, line in enumerate(result.lines):
        axes.plot(centre[i], offset[i], ".-", lw=1, label=_name(line))
    axes.axhline(0, color="0.2", lw=1)
    axes.set(xlabel="predicted asinh(EW / Å)", ylim=_bias_limits(offset, 0.2))
    axes.set_title("median bias by decile, a line each", fontsize=10)


def _quartile_panel(axes: Axes, rows: Sequence[QualityRow], ordered_by: str) -> None:
    for row in rows:
        axes.errorbar(np.arange(len(row.bias)) + 1, row.bias, row.bias_error, fmt=".-", lw=1)
    axes.axhspan(-MAX_BIAS, MAX_BIAS, color="0.9", zorder=0)
    limits = _bias_limits(np.array([row.bias for row in rows]), 0.1)
    axes.set(xlabel=f"quartile of {ordered_by}", ylim=limits, xticks=[1, 2, 3, 4])
    axes.set_title("median bias, a line each", fontsize=10)


def _bias_limits(bias: np.ndarray, least: float) -> tuple[float, float]:
    """Limits of a panel about zero that hold every finite bias."""
    half = max(least, 1.1 * np.max(np.abs(bias[np.isfinite(bias)]), initial=0.0))
    return -half, half


def _name(line: str) -> str:
    """Name of a line for a figure."""
    name = line.replace("_", " ")
    for element in ("OIII", "OII", "NII", "SII"):
        if name.startswith(element):
            return name.replace(element, f"[{element}]", 1)
    return name.replace("alpha", "α").replace("beta", "β").replace("gamma", "γ")
