"""The galaxies on the map of an autoencoder's latents, in two and in three dimensions, coloured by what is chosen."""

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from mangrove import artefacts
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.mathtext import as_html
from mangrove.explorer.scored_galaxies import ScoredGalaxies
from mangrove.explorer.style import CATEGORIES, SEQUENTIAL, UNKNOWN
from mangrove.report.autoencoder_sample import AGN_CLASSES, score_title
from mangrove.report.latent_places import LatentPlaces, places_on_map
from mangrove.report.limits import robust_limits
from mangrove.report.wording import counted, plain

#: What the galaxies can be coloured by, as addresses name it, and how people are told.
COLOURS = {
    "score": "anomaly score",
    "percentile": "percentile of the score",
    "agn": "class of active nucleus",
    "z": "redshift",
    "mass": "stellar mass",
}
#: Most points that are drawn as vectors; more are drawn as pixels, which is quick.
_VECTORS = 3000
_DATASETS = ["umap_3d", "umap_2d", "principal"]
#: The same in two and in three dimensions, as :data:`AGN_CLASSES`.
_SYMBOLS = ("circle-open", "square-open", "x", "diamond-open")
#: Colour of the selected galaxy.
MARK = CATEGORIES[5]
_SCENE_GREY = "#8a8f96"


class Cloud(NamedTuple):
    """Places of a network's galaxies, and how people are told what they are.

    Attributes
    ----------
    places : LatentPlaces
    note : str
        What is said about the map: components instead of UMAP, galaxies without a place; empty if nothing.
    """

    places: LatentPlaces
    note: str


class Marks(NamedTuple):
    """Galaxies that stand out: the selected one (None for none) and its neighbours, indices."""

    selected: int | None
    neighbours: np.ndarray


def cloud_of(run: ExploredRun, network: str) -> Cloud | None:
    """The map of a network's latents, read once; None where the run has none.

    Raises
    ------
    ArtefactError
        If the artefact is damaged or of another version of mangrove.
    """
    return run.kept(("cloud", network), lambda: _read(run, network))


def colour_choices(scored: ScoredGalaxies) -> list[str]:
    """Which of :data:`COLOURS` the run knows."""
    lacking = {"agn": scored.agn, "z": scored.z, "mass": scored.log_mass}
    return [name for name in COLOURS if name not in lacking or lacking[name] is not None]


def colour_values(scored: ScoredGalaxies, colour: str, score: str) -> tuple[np.ndarray, str]:
    """Values of a colour other than 'agn', shape (n,), and the label of their scale."""
    choices = {
        "score": (scored.score(score), as_html(score_title(score))),
        "percentile": (scored.percentile_of(score), f"percentile of the score '{_spaced(score)}'"),
        "z": (scored.z, "redshift z"),
        "mass": (scored.log_mass, "log M<sub>*</sub> in the field [M☉]"),
    }
    return choices[colour]


def cloud_figure(
    cloud: Cloud, scored: ScoredGalaxies, colour: str, score: str, marks: Marks, n_axis: int, words=None
) -> go.Figure:
    """The galaxies on the map.

    Parameters
    ----------
    colour : str
        One of :func:`colour_choices`.
    score : str
        One of ``scored.scores``.
    n_axis : {2, 3}
    words : array of str, shape (n,), optional
        :func:`pointer_words`, where they are known.

    Returns
    -------
    Figure
        ``customdata`` of every point is the index of its galaxy.
    """
    where = _where(cloud, n_axis)
    figure = go.Figure(mark_traces(cloud, scored, score, marks, n_axis))
    drawn = _Drawn(figure, where, pointer_words(scored, score) if words is None else words)
    known = np.flatnonzero(np.isfinite(where).all(axis=1))
    if colour == "agn":
        _add_classes(drawn, scored, known)
    else:
        _add_values(drawn, *colour_values(scored, colour, score), known)
    _name_axes(figure, cloud.places.name, n_axis)
    figure.update_layout(height=430, uirevision=scored.network, showlegend=colour == "agn")
    return figure


def mark_traces(cloud: Cloud, scored: ScoredGalaxies, score: str, marks: Marks, n_axis: int) -> list:
    """Small rings around the neighbours of the selected galaxy, and a large one around itself; empty for none.

    They are the first traces of :func:`cloud_figure`, so that others can take their place there, and on top.
    """
    neighbours = [] if marks.selected is None else marks.neighbours
    selected = [] if marks.selected is None else [marks.selected]
    kind, on_top = (go.Scatter3d, {}) if n_axis == 3 else (go.Scatter, {"zorder": 1})
    traces = []
    for galaxies, name, size, width in ((neighbours, "neighbour", 11, 1.5), (selected, "selected", 17, 3)):
        rows = np.asarray(galaxies, int)
        ring = {"symbol": "circle-open", "color": MARK, "size": size, "line": {"width": width}}
        axes = dict(zip("xyz", _where(cloud, n_axis)[rows].T, strict=False))
        about = _about(rows, pointer_words(scored, score, rows))
        traces.append(kind(**axes, mode="markers", marker=ring, name=name, showlegend=False, **about, **on_top))
    return traces


def _where(cloud: Cloud, n_axis: int) -> np.ndarray:
    return cloud.places.in_2d if n_axis == 2 else cloud.places.in_3d


def _about(rows: np.ndarray, words: np.ndarray) -> dict:
    """What points say: the index of their galaxy to events (a list: of an array that Plotly packs, they hold no element)."""
    return {"customdata": rows.tolist(), "text": words, "hovertemplate": "%{text}<extra></extra>"}


class _Drawn(NamedTuple):
    """A figure, places of all galaxies in it, and what stands beside them under the pointer."""

    figure: go.Figure
    where: np.ndarray
    hover: np.ndarray

    def add(self, rows: np.ndarray, marker: dict, name: str = "", **more) -> None:
        axes = dict(zip("xyz", self.where[rows].T, strict=False))
        flat = "scattergl" if len(self.where) > _VECTORS else "scatter"
        kind = "scatter3d" if len(axes) == 3 else flat
        about = _about(rows, self.hover[rows])
        # As a dict, of which Plotly checks the ten thousand points once.
        self.figure.add_trace(
            {"type": kind, "mode": "markers", "marker": marker, "name": name, **axes, **about, **more}
        )


def _read(run: ExploredRun, network: str) -> Cloud | None:
    if not run.path("latent_embedding", network=network).is_file():
        return None
    embedded = artefacts.read(run.path("latent_embedding", network=network), "latent_embedding", _DATASETS)
    places = places_on_map(embedded)
    without = int(np.sum(~places.known))
    notes = [] if places.name == "UMAP" else ["Too few galaxies for UMAP: principal components of the latents instead."]
    notes += [f"{counted(without, 'galaxy has', 'galaxies have')} no latents and no place."] if without else []
    return Cloud(places, " ".join(notes)) if places.known.any() else None


def _add_values(drawn: _Drawn, values: np.ndarray, label: str, known: np.ndarray) -> None:
    """Points by value, the largest on top; grey where the value is not known."""
    finite = np.isfinite(values[known])
    if not finite.all():
        drawn.add(known[~finite], {"color": UNKNOWN, "size": _size(drawn), "symbol": "circle-open"}, "unknown")
    rows = known[finite][np.argsort(values[known[finite]], kind="stable")]
    low, high = robust_limits(values, 2, 98) if rows.size else (0.0, 1.0)
    bar = {"title": {"text": label, "side": "right"}, "thickness": 14, "outlinewidth": 0}
    marker = {"color": values[rows], "colorscale": SEQUENTIAL, "cmin": low, "cmax": high, "colorbar": bar}
    marker |= {"size": _size(drawn), "line": {"width": 0.5, "color": _SCENE_GREY}}
    drawn.add(rows, marker, "galaxies")


def _add_classes(drawn: _Drawn, scored: ScoredGalaxies, known: np.ndarray) -> None:
    """All galaxies in grey, and the active ones with a hollow mark for each of their classes, of sizes that differ."""
    drawn.add(known, {"color": UNKNOWN, "size": 0.8 * _size(drawn), "opacity": 0.7}, "no known AGN")
    for k, (kind, symbol) in enumerate(zip(AGN_CLASSES.values(), _SYMBOLS, strict=True)):
        rows = known[scored.agn[known, k]]
        marker = {"color": CATEGORIES[k], "symbol": symbol, "size": kind.size + 3, "line": {"width": 2}}
        drawn.add(rows, marker, f"{kind.word} ({rows.size})")


def _name_axes(figure: go.Figure, name: str, n_axis: int) -> None:
    if n_axis == 2:
        figure.update_xaxes(title=f"{name} 1")
        figure.update_yaxes(title=f"{name} 2")
        figure.update_layout(dragmode="lasso", clickmode="event+select")
        return
    grey = {"color": _SCENE_GREY, "gridcolor": _SCENE_GREY, "showbackground": False, "zeroline": False}
    axes = {f"{letter}axis": grey | {"title": {"text": f"{name} {k}"}} for k, letter in enumerate("xyz", start=1)}
    figure.update_layout(
        scene=axes | {"aspectmode": "cube", "camera": {"eye": {"x": 1.5, "y": 1.5, "z": 0.9}}},
        margin={"l": 0, "r": 0, "t": 10, "b": 0},
    )


def pointer_words(scored: ScoredGalaxies, score: str, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
    """What points say under the pointer: name, score and percentile of some galaxies."""
    values, ranks = scored.score(score)[rows].tolist(), scored.percentile_of(score)[rows].tolist()
    lines = zip(scored.plateifu[rows].tolist(), values, ranks, strict=True)
    return np.array([f"{name}<br>{_scored_words(value, rank)}" for name, value, rank in lines], dtype=str)


def _scored_words(value: float, rank: float) -> str:
    return f"score {value:.3g}, percentile {plain(rank, 1)}" if np.isfinite(value) else "score unknown"


def _size(drawn: _Drawn) -> float:
    """Size of a point, in pixels, for so many."""
    return float(np.clip(400.0 / np.sqrt(max(len(drawn.where), 1)), 4.0, 10.0))


def _spaced(name: str) -> str:
    return name.replace("_", " ")
