"""Figures of how good the map of spectra is: occupation, calibration of its labels, reconstruction."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mangrove.analysis.mapped_baxels import MappedBaxels
from mangrove.artefacts import Artefact
from mangrove.codes import Split
from mangrove.report.colours import BLUE, ORANGE, RED
from mangrove.report.drawing import DENSITY_FROM, Gaps, count_bar, new_figure, note, panel_grid, plain_log_ticks
from mangrove.report.label_style import STYLE
from mangrove.report.node_maps import cross_out, draw_nodes, map_in_words, write_in_nodes
from mangrove.report.node_places import NodePlaces, places_of
from mangrove.report.node_values import column, main_labels
from mangrove.report.one_to_one import draw_one_to_one
from mangrove.report.wording import counted, plain, signed
from mangrove.validation.map_limits import FEWEST_GALAXIES

_GAPS = Gaps(left=0.7, right=1.1, bottom=0.6, top=1.0, columns=1.6, rows=0.9)
#: Side of a map of counts, inches.
_SIDE = 6.5


def occupation_figure(spectra: Artefact, quality: Artefact) -> Figure:
    """Baxels of training and of test galaxies on each node, in numbers; nodes without training baxels are crossed out.

    Parameters
    ----------
    spectra, quality : Artefact
        'desom_map' and 'desom_quality'.
    """
    places = places_of(spectra)
    figure, (panels,) = panel_grid(1, 2, (_SIDE, _SIDE * places.rows / places.columns), _GAPS)
    for axes, split, words in zip(panels, (Split.TRAIN, Split.TEST), ("training", "test"), strict=True):
        _counts(axes, places, spectra["n_baxel"][:, split], words)
    empty = spectra["n_baxel"][:, Split.TRAIN] == 0
    cross_out(panels[0], places, empty)
    figure.suptitle(
        f"{counted(int(empty.sum()), 'node')} of {empty.size} without a training baxel; {map_in_words(quality)}"
    )
    return figure


def calibration_figure(
    mapped: MappedBaxels, labels: Mapping[str, np.ndarray], node_labels: Artefact, quality: Artefact
) -> Figure:
    """Where the labels of test baxels lie in the distributions of their nodes (PIT), and node medians against labels.

    Parameters
    ----------
    mapped : MappedBaxels
    labels : mapping of str to ndarray, shape (n,) each
        Of these baxels (:func:`mangrove.analysis.mapped_baxels.label_values`).
    node_labels, quality : Artefact
        'node_labels' and 'desom_quality'.
    """
    names, test = main_labels(node_labels), mapped.of_split(Split.TEST)
    figure = new_figure(3.4 * len(names), 7.4)
    grid = figure.subplots(2, len(names), squeeze=False)
    for name, (upper, lower) in zip(names, grid.T, strict=True):
        _pit_panel(upper, quality, name)
        median = node_labels["median"][mapped.node[test], column(node_labels, name)]
        _median_panel(lower, quality, name, labels[name][test], median)
    n_galaxy = np.unique(mapped.object[test]).size
    words = f"{counted(test.size, 'baxel')} of {counted(n_galaxy, 'test galaxy', 'test galaxies')} on the map"
    few = n_galaxy < FEWEST_GALAXIES
    if few:
        words = f"Illustration only: {words}; judging the quality takes at least {FEWEST_GALAXIES} galaxies"
    figure.suptitle(words, color=RED if few else "k")
    return figure


def reconstruction_figure(mapped: MappedBaxels, spectra: Artefact, quality: Artefact) -> Figure:
    """Reconstruction of test spectra by the network and by principal components, and its error against S/N.

    Parameters
    ----------
    mapped : MappedBaxels
    spectra, quality : Artefact
        'desom_map' and 'desom_quality'.
    """
    figure = new_figure(14, 5.6)
    left, right = figure.subplots(1, 2)
    _component_panel(left, quality, spectra["prototype_latent"].shape[1])
    test = mapped.of_split(Split.TEST)
    snr, mse = mapped.snr[test], mapped.mse[test]
    _noise_panel(right, snr[(mse > 0) & (snr > 0)], mse[(mse > 0) & (snr > 0)])
    return figure


def _counts(axes: Axes, places: NodePlaces, count, words: str) -> None:
    title = f"{counted(int(count.sum()), 'baxel')} of {words} galaxies; median {np.median(count):,.0f} per node"
    limits = 0, max(int(count.max(initial=0)), 1)
    shown = draw_nodes(axes, places, np.where(count > 0, count, np.nan), title, "baxels", limits)
    write_in_nodes(axes, places, [f"{n:,}" if n else "" for n in count], shown)


def _pit_panel(axes: Axes, quality: Artefact, name: str) -> None:
    k = column(quality, name)
    pit = quality["pit"][k]
    axes.set(xlim=(0, 1), xlabel="quantile in the node's distribution (PIT)", ylabel="density")
    words = f"{100 * quality['coverage'][k]:.0f} % in 16-84 %, width {quality['width'][k]:.2f}"
    axes.set_title(f"{STYLE[name].title}\n{words}", fontsize=10)
    if not pit.sum():
        note(axes, "no test baxel has it")
        return
    density = pit * pit.size / pit.sum()
    axes.bar((np.arange(pit.size) + 0.5) / pit.size, density, 1 / pit.size, color="#9ecae1", edgecolor="white", lw=0.6)
    axes.axhline(1, color="0.2", lw=1)
    axes.set_ylim(0, max(2.0, 1.05 * float(density.max())))


def _median_panel(axes: Axes, quality: Artefact, name: str, label, median) -> None:
    k, style = column(quality, name), STYLE[name]
    axes.set(xlabel=f"label: {style.axis}", ylabel="median of its node")
    words = f"bias {signed(quality['bias'][k], 3)}, scatter {quality['scatter'][k]:.3f}"
    axes.set_title(f"ρ = {plain(quality['rho'][k], 3)}, {counted(int(quality['n'][k]), 'baxel')}\n{words}", fontsize=10)
    both = np.isfinite(label) & np.isfinite(median)
    if both.any():
        draw_one_to_one(axes, label[both], median[both])
    else:
        note(axes, "no test baxel has it")


def _component_panel(axes: Axes, quality: Artefact, n_latent: int) -> None:
    number, mse = quality["pca_component"], quality["pca_mse"]
    axes.loglog(number, mse, "o-", color=BLUE, label="principal components")
    network = quality.attrs["mse_of_compared"]
    axes.axhline(network, color=ORANGE, lw=1)
    axes.plot(n_latent, network, "s", ms=9, color=ORANGE, label=f"network, {n_latent} latents")
    axes.set_xticks(number, [f"{n:g}" for n in number])
    axes.set_xticks([], minor=True)
    axes.set(xlabel="components or latents", ylabel="mean square error")
    at = np.flatnonzero((number == n_latent) & np.isfinite(mse))
    words = f"\nnetwork over as many components ({n_latent}): {network / mse[at[0]]:.2f}" if at.size else ""
    axes.set_title(f"reconstruction against the noisy test spectra, unmasked values{words}")
    axes.legend(frameon=False, fontsize=9)


def _noise_panel(axes: Axes, snr, mse) -> None:
    axes.set(xlabel="S/N per native pixel", ylabel="mean square error", xscale="log", yscale="log")
    axes.set_title(f"{counted(snr.size, 'test spectrum', 'test spectra')} by their S/N")
    if not snr.size:
        note(axes, "no test spectrum")
        return
    if snr.size > DENSITY_FROM:
        shown = axes.hexbin(snr, mse, gridsize=50, xscale="log", yscale="log", bins="log", mincnt=1)
        count_bar(axes, shown, "spectra per cell")
    else:
        axes.plot(snr, mse, "o", ms=4, alpha=0.5, mew=0, color=BLUE)
    plain_log_ticks(axes.xaxis)
    x = np.array([snr.min(), snr.max()])
    axes.plot(
        x, np.median(mse * snr**2) / x**2, "--", color=RED, lw=1.2, label="proportional to (S/N)$^{-2}$, as noise"
    )
    axes.legend(frameon=False, fontsize=9)
