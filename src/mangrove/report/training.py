"""Figure of the training spectra."""

import json

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mangrove import artefacts
from mangrove.data_model import SPLIT, TRAINING_CUT
from mangrove.report.drawing import count_bars, new_figure, note

#: Rows that stand for all training spectra; they lie in hashed order, so the first are a random sample.
SAMPLE_ROWS = 2000
_N_EXAMPLES = 4
_EXAMPLE_SHIFT = 2.0


def training_figure(path: str) -> Figure:
    """Normalised training spectra: median and scatter, examples, counts per cut and per side of the split.

    Parameters
    ----------
    path : path
        Artefact 'training_spectra'; of its spectra only the first :data:`SAMPLE_ROWS` are read.
    """
    with artefacts.opened(path, "training_spectra") as f:
        wave, flux, snr = f["wave"][...], f["flux"][:SAMPLE_ROWS], f["snr"][:SAMPLE_ROWS]
        split, cut = f["split"][...], f["candidate_cut"][...]
        low, high = json.loads(f.attrs["params"])["norm_band"]
    unit = f"flux / mean at {low:g}-{high:g} Å"
    figure = new_figure(15, 11)
    grid = figure.add_gridspec(3, 2, height_ratios=[1, 1, 0.7])
    upper, middle = figure.add_subplot(grid[0, :]), figure.add_subplot(grid[1, :])
    if len(flux):
        _scatter_panel(upper, wave, flux, unit)
        _example_panel(middle, wave, flux, snr, unit)
    else:
        note(upper, "no training spectra")
        note(middle, "no training spectra")
    upper.set_title(f"{len(split)} training spectra; shown: {len(flux)}")
    count_bars(figure.add_subplot(grid[2, 0]), TRAINING_CUT, cut, "baxels by cut")
    count_bars(figure.add_subplot(grid[2, 1]), SPLIT, split, "training spectra by side of the split")
    return figure


def _scatter_panel(axes: Axes, wave, flux, unit: str) -> None:
    low, middle, high = np.percentile(flux, [16, 50, 84], axis=0)
    axes.fill_between(wave, low, high, color="#9ecae1", lw=0, label="16-84 %")
    axes.plot(wave, middle, color="#08519c", lw=0.9, label="median")
    axes.set(xlim=(wave[0], wave[-1]), xlabel="rest wavelength, vacuum (Å)", ylabel=unit)
    axes.set_ylim(0, 1.15 * float(np.percentile(high, 99.5)))
    axes.legend(loc="upper left", fontsize=10)


def _example_panel(axes: Axes, wave, flux, snr, unit: str) -> None:
    """The first rows, each shifted up."""
    rows = range(min(_N_EXAMPLES, len(flux)))
    for k in rows:
        axes.plot(wave, flux[k] + _EXAMPLE_SHIFT * k, lw=0.6)
        end = float(flux[k][-50:].mean()) + _EXAMPLE_SHIFT * k
        axes.text(1.003, end, f"S/N {snr[k]:.0f}", transform=axes.get_yaxis_transform(), va="center", fontsize=9)
    top = np.percentile(flux[: len(rows)] + _EXAMPLE_SHIFT * np.arange(len(rows))[:, None], 99.7)
    axes.set(xlim=(wave[0], wave[-1]), ylim=(0, 1.05 * top), xlabel="rest wavelength, vacuum (Å)")
    axes.set_ylabel(f"{unit}\n+ {_EXAMPLE_SHIFT:g} per spectrum")
    axes.set_title("examples")
