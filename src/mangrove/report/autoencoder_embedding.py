"""Figures of the latents: the galaxies on their map by score and by active nucleus, components, agreement of neighbours."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mangrove.artefacts import Artefact
from mangrove.report.autoencoder_sample import AGN_CLASSES, run_title
from mangrove.report.colours import BLUE
from mangrove.report.drawing import BARS, new_figure, note, noted, whole_numbers
from mangrove.report.latent_places import AXES_3D, places_on_map
from mangrove.report.wording import counted, plain

#: Colours of the percentiles of the score: dark for the bulk, so that what is odd stands out on white.
_SCORE_COLOURS = "viridis_r"


def embedding_figure(judged: Artefact, embedded: Artefact, agn: Artefact) -> Figure:
    """The galaxies on the map in three dimensions, and in two, coloured by score and by class of active nucleus.

    Parameters
    ----------
    judged, embedded, agn : Artefact
        'anomalies', 'latent_embedding', 'agn', of the same galaxies.
    """
    places = places_on_map(embedded)
    if not places.known.any():
        return noted(f"no map of the latents: {embedded.attrs['reason']}")
    figure = new_figure(13.5, 11.5)
    grid = figure.add_gridspec(2, 2, height_ratios=[1.25, 1.0])
    for row, where in enumerate((places.in_3d, places.in_2d)):
        options: dict[str, Any] = {"projection": "3d"} if row == 0 else {}
        by_score, by_class = (figure.add_subplot(grid[row, column], **options) for column in (0, 1))
        shown = _score_points(by_score, where, judged)
        _class_points(by_class, where, agn)
        _name_axes([by_score, by_class], places.name)
        if shown is not None:
            bar = figure.colorbar(shown, ax=by_score, pad=0.08 if row == 0 else 0.02, shrink=0.75 if row == 0 else 1.0)
            bar.set_label(f"percentile of the score '{judged['score'][0]}'")
        if row == 0:
            for axes in (by_score, by_class):
                axes.set_box_aspect(None, zoom=0.95)
            by_score.set_title("by anomaly score", fontsize=11)
            by_class.set_title("by class of active nucleus", fontsize=11)
    _class_legend(by_class, agn)
    without = int(np.sum(~places.known))
    words = [] if places.name == "UMAP" else ["too few galaxies for UMAP: principal components of the latents instead"]
    words += [f"{counted(without, 'galaxy', 'galaxies')} without latents"] if without else []
    words += [] if len(agn["galaxy"]) else ["no AGN known among the galaxies"]
    figure.suptitle("\n".join(filter(None, [run_title(judged), "; ".join(words)])), fontsize=12)
    return figure


def components_figure(latents: Artefact, embedded: Artefact, near: Artefact) -> Figure:
    """Variance that the principal components explain, and how far neighbours on the map are neighbours in the latents.

    Parameters
    ----------
    latents, embedded, near : Artefact
        'latents', 'latent_embedding', 'neighbours'.
    """
    figure = new_figure(15, 4.6)
    left, middle, right = figure.subplots(1, 3)
    _variance_panel(left, latents, embedded)
    _overlap_panel(middle, near)
    _seed_panel(right, embedded)
    figure.suptitle(f"{run_title(near)}\n{_own_words(near)}", fontsize=12)
    return figure


def _score_points(axes: Axes, where: np.ndarray, judged: Artefact) -> ScalarMappable | None:
    """Points by the percentile of the recommended score, the most anomalous on top; grey without a score."""
    percentile = judged["percentile"][:, 0]
    known = np.isfinite(percentile) & np.isfinite(where).all(axis=1)
    _scatter(axes, where[~known], s=10, color="0.8")
    order = np.flatnonzero(known)[np.argsort(percentile[known])]
    colours = {"c": percentile[order], "cmap": _SCORE_COLOURS, "vmin": 0, "vmax": 100}
    return _scatter(axes, where[order], **colours, linewidths=0, s=_area(len(where)), alpha=0.85)


def _class_points(axes: Axes, where: np.ndarray, agn: Artefact) -> None:
    """All galaxies in grey, and the active ones with a hollow mark for each of their classes."""
    _scatter(axes, where, s=0.7 * _area(len(where)), color="0.75", linewidths=0, alpha=0.6)
    for flag, kind in AGN_CLASSES.items():
        active = agn["galaxy"][agn[flag] == 1]
        marks = {"marker": kind.marker, "s": kind.size**2, "facecolors": "none", "edgecolors": kind.colour}
        _scatter(axes, where[active], linewidths=1.3, zorder=3, **marks)


def _scatter(axes: Axes, where: np.ndarray, **options) -> ScalarMappable | None:
    """Points in two or three dimensions; the farther ones in three are not drawn paler, as colours mean something else."""
    if not len(where):
        # In three dimensions, axes of no point take the cube from 0 to 1 for data.
        return None
    return axes.scatter(*where.T, **options, **({"depthshade": False} if where.shape[1] == AXES_3D else {}))


def _class_legend(axes: Axes, agn: Artefact) -> None:
    counts = {flag: int(np.sum(agn[flag] == 1)) for flag in AGN_CLASSES}
    handles = [Line2D([], [], ls="", marker="o", color="0.75", ms=5, label="no known AGN")]
    for flag, kind in AGN_CLASSES.items():
        marks = {"marker": kind.marker, "ms": kind.size, "mfc": "none", "mec": kind.colour}
        handles.append(Line2D([], [], ls="", label=f"{kind.word} ({counts[flag]})", **marks))
    axes.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1.0), frameon=False, fontsize=9, labelspacing=0.8
    )


def _name_axes(panels: list[Axes], name: str) -> None:
    for axes in panels:
        for k, letter in enumerate("xyz"[: 3 if hasattr(axes, "set_zlabel") else 2], start=1):
            getattr(axes, f"set_{letter}label")(f"{name} {k}")
            axes.tick_params(axis=letter, labelsize=8)


def _area(n: int) -> float:
    """Area of a mark, square points, for so many."""
    return float(np.clip(4000.0 / max(n, 1), 4.0, 40.0))


def _own_words(near: Artefact) -> str:
    """How many of the neighbours in the latents show the galaxy itself: turned copies of its cube, repeat observations."""
    shares = {
        "a cube's own flips and turns are {} % of its nearest neighbours in the latents": "copies_among_neighbours",
        "{} % of the repeat observations are neighbours": "repeats_among_neighbours",
    }
    known = {words: near.attrs[name] for words, name in shares.items() if np.isfinite(near.attrs[name])}
    return "; ".join(words.format(plain(100 * share, 0)) for words, share in known.items())


def _variance_panel(axes: Axes, latents: Artefact, embedded: Artefact) -> None:
    explained = np.cumsum(embedded["explained"])
    axes.set(xlabel="principal components", ylabel="explained variance (%)", ylim=(0, 103))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    n_latent, n_active = latents["active"].size, int(latents["active"].sum())
    title = f"{n_active} of {counted(n_latent, 'latent')} active"
    if explained.size and np.isfinite(explained[-1]):
        axes.plot(np.arange(1, explained.size + 1), 100.0 * explained, "o-", ms=3, color=BLUE)
        title = f"{counted(explained.size, 'component')} explain {100.0 * explained[-1]:.1f} %; {title}"
    else:
        note(axes, "no component")
    axes.set_title(title, fontsize=11)


def _overlap_panel(axes: Axes, near: Artefact) -> None:
    """Histogram of the fraction of neighbours that latents and map share, beside what chance gives."""
    overlap = near["overlap"][np.isfinite(near["overlap"])]
    n, n_near = len(near["plateifu"]), near["latent_neighbour"].shape[1]
    axes.set(xlabel="fraction of neighbours that latents and UMAP share", ylabel="galaxies", xlim=(-0.03, 1.03))
    if not overlap.size:
        note(axes, "no map by UMAP")
        axes.set_title("neighbours on the map", fontsize=11)
        return
    axes.hist(overlap, np.linspace(-0.5, n_near + 0.5, n_near + 2) / n_near, **BARS)
    whole_numbers(axes)
    axes.axvline(min(1.0, n_near / max(n - 1, 1)), color="k", ls="--", lw=1.2, label="by chance")
    axes.legend(frameon=False, fontsize=9)
    trust = plain(near.attrs["trustworthiness"], 2)
    axes.set_title(f"mean {overlap.mean():.2f} of {counted(n_near, 'neighbour')}; trustworthiness {trust}", fontsize=11)


def _seed_panel(axes: Axes, embedded: Artefact) -> None:
    """What maps of other seeds share with the first."""
    # The first is that of the map itself.
    seed, overlap = embedded["seed"][1:], embedded["seed_overlap"][1:]
    axes.set(xlabel="seed", ylabel="fraction of neighbours shared", ylim=(0, 1.03))
    if not np.isfinite(overlap).any():
        note(axes, "no map with another seed")
        axes.set_title("UMAP with other seeds", fontsize=11)
        return
    bars = axes.bar(np.arange(seed.size), overlap, **BARS)
    axes.set_xticks(np.arange(seed.size), [str(one) for one in seed])
    axes.bar_label(bars, fmt="%.2f", fontsize=9, padding=2)
    axes.set_title(f"UMAP with other seeds: mean {np.nanmean(overlap):.2f}", fontsize=11)
