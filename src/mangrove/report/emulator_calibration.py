"""Figure of the emulator's calibration: are its distributions right, and where is it biased."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mangrove.report.colours import MANY
from mangrove.report.drawing import note
from mangrove.report.emulator import ASINH, panel_row
from mangrove.report.limits import padded
from mangrove.report.line_names import line_title
from mangrove.validation.emulator_quality import MAX_BIAS, Evaluation, QualityRow, bias_by_decile

_BIAS = f"median of predicted\n$-$ observed {ASINH}"


def calibration_figure(result: Evaluation, rows: Sequence[QualityRow], ordered_by: str) -> Figure:
    """PIT of every line (flat if the distributions are right) and the median bias by decile of the prediction.

    Parameters
    ----------
    ordered_by : str
        What the quartiles of the bias are of: the luminosity, or what stands in for it.
    """
    figure, panels = panel_row(len(result.lines) + 2, 3.6, 2.7)
    for i, (axes, row) in enumerate(zip(panels, rows, strict=False)):
        pit = result.pit[:, i][np.isfinite(result.pit[:, i])]
        axes.set(xlim=(0, 1), xlabel="quantile of the prediction (PIT)", ylabel="density")
        axes.set_title(f"{line_title(row.line)}: {100 * row.coverage:.1f} % in the 68 % interval", fontsize=10)
        if not pit.size:
            note(axes, "not measured")
            continue
        style = {"color": "#9ecae1", "edgecolor": "white", "linewidth": 0.6}
        density, *_ = axes.hist(pit, np.linspace(0, 1, 21), density=True, **style)
        axes.axhline(1, color="0.2", lw=1)
        axes.set_ylim(0, max(2.0, 1.05 * np.max(density)))
    _decile_panel(panels[-2], result)
    _quartile_panel(panels[-1], rows, ordered_by)
    figure.legend(*panels[-2].get_legend_handles_labels(), loc="outside lower center", ncols=10, frameon=False)
    return figure


def bias_limits(bias, least: float) -> tuple[float, float]:
    """Limits of a panel that hold zero, the range of -least to least, and every finite bias."""
    finite = np.asarray(bias)[np.isfinite(bias)]
    return padded(min(-least, np.min(finite, initial=0.0)), max(least, np.max(finite, initial=0.0)))


def _decile_panel(axes: Axes, result: Evaluation) -> None:
    centre, offset = bias_by_decile(result)
    for i, line in enumerate(result.lines):
        axes.plot(centre[i], offset[i], ".-", lw=1, color=_colour(i), label=line_title(line))
    axes.axhline(0, color="0.2", lw=1)
    axes.set(xlabel=f"predicted {ASINH}", ylabel=_BIAS, ylim=bias_limits(offset, 0.1))
    axes.set_title("bias by decile of the prediction", fontsize=10)


def _quartile_panel(axes: Axes, rows: Sequence[QualityRow], ordered_by: str) -> None:
    for i, row in enumerate(rows):
        # Side by side, so that no error bar hides another.
        place = np.arange(len(row.bias)) + 1 + 0.03 * (i - 0.5 * len(rows))
        axes.errorbar(place, row.bias, row.bias_error, fmt=".-", lw=1, color=_colour(i))
    axes.axhspan(-MAX_BIAS, MAX_BIAS, color="0.85", zorder=0)
    axes.axhline(0, color="0.2", lw=1)
    limits = bias_limits(np.array([row.bias for row in rows]), 0.1)
    axes.set(xlabel=f"quartile of {ordered_by}", ylabel=_BIAS, ylim=limits, xticks=[1, 2, 3, 4])
    axes.set_title(f"bias by quartile of {ordered_by}", fontsize=10)


def _colour(i: int) -> str:
    return MANY[i % len(MANY)]
