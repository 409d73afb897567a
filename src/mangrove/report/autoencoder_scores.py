"""Figures of the anomaly scores: of active nuclei beside all galaxies, and against the galaxies' brightness."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from mangrove.artefacts import Artefact
from mangrove.report.autoencoder_sample import AGN_CLASSES, run_title, score_title
from mangrove.report.colours import BLUE
from mangrove.report.drawing import (
    BARS,
    DENSITY_FROM,
    count_bar,
    legend_above,
    new_figure,
    note,
    noted,
    plain_log_ticks,
    whole_numbers,
)
from mangrove.report.limits import fenced_limits, robust_limits
from mangrove.report.wording import FLUX_UNIT, counted, plain
from mangrove.validation.comparison import spearman

#: Fewest and most bars of the histogram; as many as twice the root of the number of galaxies.
_BARS = (8, 40)
#: The highest score over the upper quartile from which on an axis is not linear.
_WIDE = 4.0
#: Width of the band over which the points of a group scatter, of 1 between groups.
_SCATTER = 0.25
#: The groups of the table 'agn' for readers, and the colours of their marks.
_GROUPS = {"all": ("all galaxies", "k"), "agn": ("AGN", "#882255")} | {
    flag: (kind.word, kind.colour) for flag, kind in AGN_CLASSES.items()
}


def scores_figure(judged: Artefact, agn: Artefact) -> Figure:
    """Distribution of the recommended score over all galaxies, and the scores of active nuclei by class.

    Parameters
    ----------
    judged, agn : Artefact
        'anomalies' and 'agn'.
    """
    score = judged["value"][:, 0]
    score = score[np.isfinite(score)]
    if not score.size:
        return noted("no galaxy has a score")
    figure = new_figure(9.5, 7.5)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[1.0, 1.15])
    _scale_scores(lower.xaxis, score)
    scale, n_edge = lower.xaxis.get_transform(), int(np.clip(2.0 * np.sqrt(score.size), *_BARS)) + 1
    edges = scale.inverted().transform(np.linspace(*scale.transform(robust_limits(score, 0.0, 100.0)), n_edge))
    # Rounding leaves no extreme score outside.
    edges[[0, -1]] = min(edges[0], score.min()), max(edges[-1], score.max())
    upper.hist(score, edges, **BARS)
    whole_numbers(upper)
    upper.set(ylabel="galaxies")
    upper.tick_params(labelbottom=True)
    _groups_panel(lower, judged, agn)
    lower.set_xlabel(score_title(judged["score"][0]))
    for value, style, words in zip(
        np.percentile(score, [50, 95]), ("-", "--"), ("median", "95th percentile"), strict=True
    ):
        upper.axvline(value, color="k", ls=style, lw=1.2, label=f"{words} {value:.3g}")
    legend_above(upper)
    figure.suptitle(f"{run_title(judged)}\n{_agn_words(agn)}", fontsize=12)
    return figure


def brightness_figure(judged: Artefact, latents: Artefact) -> Figure:
    """Each score against the brightness of the galaxies, with Spearman's rank correlation.

    Parameters
    ----------
    judged, latents : Artefact
        'anomalies' and 'latents', of the same galaxies.
    """
    flux = latents["flux_scale"]
    names = judged["score"].tolist()
    figure = new_figure(4.9 * len(names), 5.0)
    for k, (axes, name) in enumerate(zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True)):
        score = judged["value"][:, k]
        use = (flux > 0) & np.isfinite(flux) & np.isfinite(score)
        axes.set_xlabel(f"mean absolute flux\n({FLUX_UNIT} Å$^{{-1}}$ spaxel$^{{-1}}$)")
        axes.set_ylabel(score_title(name))
        axes.set_title(f"ρ = {plain(spearman(flux, score), 2)}{', recommended' if k == 0 else ''}", fontsize=11)
        if use.any():
            _brightness_points(axes, flux[use], score[use])
        else:
            note(axes, "no galaxy with a score")
    figure.suptitle(f"{run_title(judged)}: scores against brightness, Spearman's ρ (0: not by brightness)", fontsize=12)
    return figure


def _brightness_points(axes: Axes, flux: np.ndarray, score: np.ndarray) -> None:
    """Scores against positive fluxes; many as a density, without the few that lie far from all others."""
    if score.size > DENSITY_FROM:
        low, high = fenced_limits(score)
        extent = (*np.log10(robust_limits(flux, 0.0, 100.0)), low, high)
        axes.set(xscale="log", ylim=(low, high))
        count_bar(
            axes,
            axes.hexbin(flux, score, gridsize=60, xscale="log", extent=extent, bins="log", mincnt=1),
            "galaxies per cell",
        )
        outside = int(np.sum((score < low) | (score > high)))
        if outside:
            axes.set_title(f"{axes.get_title()}; {counted(outside, 'galaxy', 'galaxies')} outside", fontsize=11)
    else:
        axes.plot(flux, score, "o", ms=4, alpha=0.6, mew=0, color=BLUE)
        axes.set_xscale("log")
        _scale_scores(axes.yaxis, score)
    plain_log_ticks(axes.xaxis)


def _scale_scores(axis: Axis, score: np.ndarray) -> None:
    """A scale that shows the bulk of the scores and the extreme ones: logarithmic, linear about zero, or linear altogether."""
    bulk = float(np.percentile(np.abs(score), 75.0))
    if score.max() <= _WIDE * bulk:
        return
    if score.min() > 0:
        _set_scale(axis, "log")
        plain_log_ticks(axis)
    else:
        _set_scale(axis, "asinh", linear_width=bulk or 1.0)
        axis.set_major_locator(FixedLocator(_ticks_about_zero(0.5 * bulk, float(np.abs(score).max()))))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "\N{MINUS SIGN}")))
        axis.set_minor_locator(NullLocator())


def _ticks_about_zero(least: float, most: float) -> list[float]:
    """Zero, and 1, 2 and 5 times powers of ten of either sign from ``least`` to ``most``."""
    powers = np.arange(np.floor(np.log10(least or 1.0)), np.log10(most) + 1)
    steps = [step * 10.0**power for power in powers for step in (1, 2, 5) if least <= step * 10.0**power <= most]
    return [*(-step for step in steps[::-1]), 0.0, *steps]


def _set_scale(axis: Axis, name: str, **options) -> None:
    set_scale = axis.axes.set_xscale if axis.axis_name == "x" else axis.axes.set_yscale
    set_scale(name, **options)


def _groups_panel(axes: Axes, judged: Artefact, agn: Artefact) -> None:
    """A row per group with its galaxies as points, the median and the 95th percentile."""
    rng, names = np.random.default_rng(0), agn["group"].tolist()
    for row, group in enumerate(names):
        _, colour = _GROUPS.get(group, (group, "k"))
        size, median, upper = agn["group_size"][row], agn["group_median"][row, 0], agn["group_upper"][row, 0]
        score = _scores_of(judged, agn, group)
        if score.size:
            place = row + _SCATTER * rng.uniform(-1.0, 1.0, score.size)
            axes.plot(
                score,
                place,
                "o",
                ms=3 if group == "all" else 5,
                alpha=0.25 if group == "all" else 0.7,
                mew=0,
                color=colour,
            )
        if size and np.isfinite(median):
            axes.plot([median] * 2, [row - 0.36, row + 0.36], "-", color="k", lw=2)
            axes.plot([upper] * 2, [row - 0.36, row + 0.36], "--", color="k", lw=1.4)
        else:
            axes.text(
                0.5,
                row,
                "none",
                transform=axes.get_yaxis_transform(),
                ha="center",
                va="center",
                color="0.5",
                fontsize=9,
            )
    labels = [
        f"{_GROUPS.get(group, (group, ''))[0]} ({n:,})" for group, n in zip(names, agn["group_size"], strict=True)
    ]
    axes.set_yticks(range(len(names)), labels)
    axes.set(ylim=(len(names) - 0.4, -0.6))
    axes.set_title("bars: median, dashed 95th percentile", fontsize=10)


def _scores_of(judged: Artefact, agn: Artefact, group: str) -> np.ndarray:
    """The recommended scores of a group's galaxies; of all galaxies some thousands, drawn at random, stand for more."""
    if group == "all":
        score = judged["value"][:, 0]
        if score.size > DENSITY_FROM:
            score = np.random.default_rng(1).choice(score, DENSITY_FROM, replace=False)
    else:
        score = agn["value"][(agn[group] == 1) if group in AGN_CLASSES else slice(None), 0]
    return score[np.isfinite(score)]


def _agn_words(agn: Artefact) -> str:
    """How anomalous the active nuclei are, in a sentence."""
    percentile = agn["percentile"][:, 0]
    percentile = percentile[np.isfinite(percentile)]
    if not percentile.size:
        return "no AGN known among the galaxies (columns agn_* of the sample sheet)"
    return f"{counted(percentile.size, 'AGN', 'AGN')}, at percentile {np.median(percentile):.0f} of all galaxies in the median"
