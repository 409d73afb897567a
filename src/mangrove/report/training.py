"""Figure of the training spectra."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mangrove import artefacts
from mangrove.codes import Split, TrainingCut
from mangrove.report.colours import BLUE, GREEN, PURPLE, RED
from mangrove.report.drawing import count_bars, legend_above, new_figure, note
from mangrove.report.wording import counted

#: Rows that stand for all that pass the cuts; they come first, in hashed order, so the first are a random sample.
SAMPLE_ROWS = 2000
_N_EXAMPLES = 4
_EXAMPLE_COLOURS = (BLUE, RED, GREEN, PURPLE)


def training_figure(path: str) -> Figure:
    """Normalised training spectra: median and scatter, examples, counts per cut and per split.

    Parameters
    ----------
    path : path
        Artefact 'training_spectra'; of its spectra only the first :data:`SAMPLE_ROWS` are read.
    """
    with artefacts.opened(path, "training_spectra") as f:
        cut, n_kept = f["candidate_cut"][...], int(np.sum(f["cut"][...] == TrainingCut.KEPT))
        shown = slice(min(n_kept, SAMPLE_ROWS))
        wave, flux, snr, split = f["wave"][...], f["flux"][shown], f["snr"][shown], f["split"][:n_kept]
        low, high = artefacts.attributes(f)["norm_band"]
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
    of = "" if len(flux) == len(split) else f"; median of {len(flux):,}"
    upper.set_title(counted(len(split), "training spectrum", "training spectra") + of)
    if len(flux):
        legend_above(upper)
        legend_above(middle)
        # Lines as thin as the spectra have no colour that can be told.
        for handle in middle.get_legend().legend_handles:
            handle.set_linewidth(2.0)
    count_bars(figure.add_subplot(grid[2, 0]), TrainingCut, cut, "baxels by cut", "baxels")
    count_bars(figure.add_subplot(grid[2, 1]), Split, split, "training spectra by split", "spectra")
    return figure


def _scatter_panel(axes: Axes, wave, flux, unit: str) -> None:
    low, middle, high = np.percentile(flux, [16, 50, 84], axis=0)
    axes.fill_between(wave, low, high, color="#9ecae1", lw=0, label="16-84 %")
    axes.plot(wave, middle, color="#08519c", lw=0.9, label="median")
    axes.set(xlim=(wave[0], wave[-1]), xlabel="rest wavelength, vacuum (Å)", ylabel=unit)
    axes.set_ylim(0, 1.15 * float(np.percentile(high, 99.5)))


def _example_panel(axes: Axes, wave, flux, snr, unit: str) -> None:
    """The first rows, each shifted up by what keeps it clear of the one below."""
    rows = flux[:_N_EXAMPLES]
    step = _round(float(np.max(np.percentile(rows[:-1] - rows[1:], 99, axis=1), initial=0.5)))
    for k, row in enumerate(rows):
        axes.plot(wave, row + step * k, lw=0.6, color=_EXAMPLE_COLOURS[k], label=f"S/N {snr[k]:.0f}")
    # The strongest lines may leave the panel.
    top = np.percentile(rows + step * np.arange(len(rows))[:, None], 99.7)
    axes.set(xlim=(wave[0], wave[-1]), ylim=(min(0.0, float(np.percentile(rows[0], 1))), 1.08 * top))
    axes.set(xlabel="rest wavelength, vacuum (Å)", ylabel=f"{unit}\n+ {step:g} per spectrum")
    axes.set_title("examples, bottom to top")


def _round(value: float) -> float:
    """The next larger of 1, 2, 5 times a power of ten, of a positive value."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= value))
