"""What the first page of the report shows: some galaxies in pictures, and the run in numbers."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mangrove import artefacts
from mangrove.report import galaxy_panels as panels
from mangrove.report.drawing import DPI, Place, axes_at, new_figure, note
from mangrove.report.galaxy import EXTRACT_DATASETS, flux_title
from mangrove.report.galaxy_panels import GalaxyView, view
from mangrove.report.galaxy_spectra import draw_centre
from mangrove.report.single import is_single
from mangrove.report.sky import label_grid
from mangrove.report.summary import description
from mangrove.report.wording import counted
from mangrove.spectra.labels.table import galaxy_labels

#: Galaxies on the picture.
SHOWN = 3
#: Inches: side of a map, from one to the next; room above a row for its words and titles, and below it.
_SIDE, _STEP, _LEFT, _ABOVE, _BELOW = 2.5, 3.85, 0.9, 0.75, 0.6
_SPECTRUM, _NAMES = 2.8, 1.45
_WIDTH = _LEFT + 3 * _STEP + _SIDE + 1.0
#: Kinds of things counted in the table of statuses: their plural, and the status of those that count as results.
_COUNTED = {
    "galaxy": ("galaxies", "ok"),
    "spaxel": ("spaxels", "binned"),
    "baxel": ("baxels", "ok"),
    "training spectrum": ("candidate training spectra", "kept"),
    "line cube": ("galaxies for line cubes", "ok"),
}
_MINUTE, _HOUR = 60.0, 3600.0


class NumberRow(NamedTuple):
    """One number of a run, and what it is made up of."""

    what: str
    number: str
    of_which: str


def chosen(n_spaxel: Sequence[int], n_baxel: Sequence[int]) -> list[int]:
    """Indices of the galaxies for the picture, in their order: those with the most baxels, cubes before single spectra.

    Parameters
    ----------
    n_spaxel : sequence of int
        Spaxels of the field of each galaxy.
    n_baxel : sequence of int
    """
    able = [i for i, n in enumerate(n_baxel) if n]
    best = sorted(able, key=lambda i: (n_spaxel[i] == 1, -n_baxel[i]))[:SHOWN]
    return sorted(best)


def view_of(extract, fit) -> GalaxyView:
    """A galaxy ready to be drawn, from the paths of its artefacts; its labels are derived again."""
    data = artefacts.read(extract, "extract", EXTRACT_DATASETS)
    return view(data, artefacts.read(fit, "fit"), galaxy_labels(fit).columns)


def overview_figure(galaxies: Sequence[GalaxyView]) -> Figure:
    """A row of maps per galaxy: image, stellar velocity, Halpha, age; for a single spectrum, itself and its fit."""
    if not galaxies:
        figure = new_figure(8, 3)
        axes = figure.subplots()
        axes.set_axis_off()
        note(axes, "no galaxy has baxels; the table of statuses says why")
        return figure
    single = [is_single(seen.extract) for seen in galaxies]
    heights = [_NAMES + _SPECTRUM + _BELOW if one else _ABOVE + _SIDE + _BELOW for one in single]
    figure = Figure(figsize=(_WIDTH, sum(heights)), dpi=DPI)
    top = sum(heights)
    for seen, one, height in zip(galaxies, single, heights, strict=True):
        words = {"fontsize": 12, "weight": "bold", "va": "top"}
        figure.text(_LEFT / _WIDTH, (top - 0.1) / sum(heights), description(seen.extract), **words)
        bottom = top - height + _BELOW
        if one:
            draw_centre(figure, Place(_LEFT, bottom, _WIDTH - _LEFT - 0.3, _SPECTRUM), seen.extract, seen.fit)
        else:
            _maps(figure, bottom, seen)
        top -= height
    return figure


def run_numbers(
    status: pd.DataFrame | None, quality: pd.DataFrame | None, maps: Sequence[NumberRow] = ()
) -> list[NumberRow]:
    """The run in numbers: what was counted, how good the maps, the autoencoders and the emulator are.

    Parameters
    ----------
    status : DataFrame, optional
        Columns of :class:`mangrove.report.survey.StatusRow`; None for a run without galaxies.
    quality : DataFrame, optional
        Per line of the emulator: n, rho, holds; None without an emulator.
    maps : sequence of NumberRow
        Of the run's maps (:func:`map_numbers`) and autoencoders (:func:`autoencoder_numbers`).
    """
    rows = [] if status is None else [_counts(status, what) for what in _COUNTED]
    rows += maps
    if quality is not None and "rho" in quality:
        rows.append(_emulator(quality))
    return rows


def step_times(timings: pd.DataFrame) -> list[NumberRow]:
    """Time of all jobs and of each step, the longest first.

    Parameters
    ----------
    timings : DataFrame
        Columns of :class:`mangrove.report.run.TimingRow`, in the order wanted.
    """
    jobs = counted(int(timings["n_job"].sum()), "job")
    whole = NumberRow("time of all jobs", duration(timings["total_s"].sum()), jobs)
    return [whole, *(_step(row) for row in timings.to_dict("records"))]


def map_numbers(spectra, galaxies) -> list[NumberRow]:
    """Nodes, order and age on the map of spectra, nodes and order of the map of galaxies; none of a map without result.

    Parameters
    ----------
    spectra, galaxies : path-like
        The artefacts 'desom_quality' and 'galaxy_map'.

    Raises
    ------
    ArtefactError
        If one of them is missing or damaged.
    """
    judged = artefacts.read(spectra, "desom_quality", ["label", "rho"])
    second = artefacts.read(galaxies, "galaxy_map", [])
    rho = dict(zip(judged["label"].tolist(), judged["rho"].tolist(), strict=True)).get("log_age_lw", math.nan)
    age = f"rank correlation {rho:.3f} of ages in test galaxies with those of their nodes" if math.isfinite(rho) else ""
    rows = [("nodes of the map of spectra", judged, age), ("nodes of the map of galaxies", second, "")]
    return [_map(what, one.attrs, words) for what, one, words in rows if one.ok]


def autoencoder_numbers(anomalies: Sequence, neighbours: Sequence, agn: Sequence) -> list[NumberRow]:
    """Galaxies that each autoencoder of line cubes has scored, and what became of them; none of a network without result.

    Parameters
    ----------
    anomalies, neighbours, agn : sequence of path-like
        The artefacts of these kinds, of one network after the other.

    Raises
    ------
    ArtefactError
        If one of them is missing or damaged.
    """
    rows = []
    for paths in zip(anomalies, neighbours, agn, strict=True):
        judged = artefacts.read(paths[0], "anomalies", ["value", "cause"])
        near = artefacts.read(paths[1], "neighbours", [])
        active = artefacts.read(paths[2], "agn", ["percentile"])["percentile"]
        if judged.ok:
            words = [f"{int(np.sum(judged['cause'] != 0)):,} with a cause that is not the galaxy"]
            trust = near.attrs["trustworthiness"]
            words += [f"trustworthiness of the UMAP {trust:.3f}"] if math.isfinite(trust) else []
            words += [_active(active[:, 0])] if len(active) else []
            n_scored = int(np.isfinite(judged["value"][:, 0]).sum())
            what = f"galaxies scored by the autoencoder {judged.attrs['network']}"
            rows.append(NumberRow(what, f"{n_scored:,}", ", ".join(words)))
    return rows


def duration(seconds: float) -> str:
    """A time in s, min or h, in two or three digits."""
    for unit, size in (("h", _HOUR), ("min", _MINUTE)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def _maps(figure: Figure, bottom: float, seen: GalaxyView) -> None:
    axes = [axes_at(figure, Place(_LEFT + k * _STEP, bottom, _SIDE, _SIDE)) for k in range(4)]
    panels.image_map(axes[0], seen.frame, seen.extract)
    panels.velocity_map(axes[1], seen, "star")
    halpha = ("Halpha_6565",)
    panels.flux_map(axes[2], seen, halpha, f"{flux_title(halpha)} flux")
    panels.label_map(axes[3], seen, "log_age_lw")
    label_grid([axes], seen.frame)


def _counts(status: pd.DataFrame, what: str) -> NumberRow:
    plural, good = _COUNTED[what]
    rows = status[(status["what"] == what) & (status["count"] > 0)]
    parts = sorted(rows.to_dict("records"), key=lambda row: (row["status"] != good, -row["count"]))
    words = ", ".join(f"{row['count']:,} {row['status'].replace('_', ' ')}" for row in parts)
    return NumberRow(plural, f"{rows['count'].sum():,}", words)


def _map(what: str, measures: Mapping, words: str) -> NumberRow:
    n_node, error = measures["rows"] * measures["columns"], measures["topographic_error_8"]
    order = f"topographic error {error:.3f}" if math.isfinite(error) else ""
    empty = f"{measures['n_empty']:,} empty in training"
    return NumberRow(what, f"{n_node:,}", ", ".join(filter(None, [empty, order, words])))


def _active(percentile: np.ndarray) -> str:
    """Active nuclei by the percentiles of their scores."""
    return f"{len(percentile):,} AGN at percentile {np.nanmedian(percentile):.0f} in the median"


def _emulator(quality: pd.DataFrame) -> NumberRow:
    verdicts = ", ".join(f"{n} {word}" for word, n in quality["holds"].value_counts().items())
    words = f"mean rank correlation {quality['rho'].mean():.3f} for up to {quality['n'].max():,} test rows"
    return NumberRow("lines of the emulator", f"{len(quality)}", f"{words}; within the limits: {verdicts}")


def _step(row: Mapping) -> NumberRow:
    words = counted(int(row["n_job"]), "job")
    if row["n_job"] > 1:
        words += f", median {duration(row['median_s'])}, longest {duration(row['max_s'])}"
    return NumberRow(f"time of {row['rule'].replace('_', ' ')}", duration(row["total_s"]), words)
