"""Figure of line cubes, their reconstructions and what is left, line by line."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from mangrove.artefacts import Artefact
from mangrove.report.autoencoder_sample import by_rank, causes, heading, run_title
from mangrove.report.colours import BAD_COLOUR, RED
from mangrove.report.drawing import DPI, Place, axes_at, bar_beside, noted
from mangrove.report.limits import extend_of, robust_limits
from mangrove.report.line_images import GalaxyCube, chosen_lines, line_flux, mean_spectrum, residual_significance
from mangrove.report.line_names import line_title
from mangrove.report.wording import FLUX_UNIT

#: Galaxies of each sort, and lines of each galaxy.
N_EACH, N_LINE = 2, 6
#: Inches: side of a picture, gap between pictures; room left and right of a block, above it, height of the spectra.
_SIDE, _GAP, _LEFT, _RIGHT, _ABOVE, _SPECTRUM, _BELOW = 1.12, 0.07, 0.75, 0.85, 0.75, 0.8, 0.42
_TOP = 0.95
#: Width of a colour bar, in that of a picture.
_BAR = 0.07
#: Smallest top of the scale of the residuals, in standard errors.
_LEAST_TOP = 3.0
#: Round text on pictures and on the grey beside them.
_HALO = (withStroke(linewidth=2.0, foreground="w"),)
_ROWS = ("input", "reconstruction", "residual\n/ error", "mean flux")


class Block(NamedTuple):
    """A galaxy of the figure: its index, its line cube and the reconstruction, shape (n_line, n_pixel, ny, nx)."""

    galaxy: int
    cube: GalaxyCube
    reconstruction: np.ndarray


def typical_and_extreme(judged: Artefact) -> tuple[list[int], list[int]]:
    """Of the galaxies whose reconstruction is kept, those nearest to the median score and the most anomalous ones.

    Returns
    -------
    typical, extreme : list of int
        Up to two each, without a galaxy in both.
    """
    kept = set(judged["shown"].tolist())
    extreme = [k for k in by_rank(judged) if k in kept][:N_EACH]
    middle = [k for k in kept - set(extreme) if np.isfinite(judged["percentile"][k, 0])]
    middle.sort(key=lambda k: (abs(judged["percentile"][k, 0] - 50.0), k))
    return middle[:N_EACH], extreme


def lines_of(judged: Artefact, galaxy: int) -> list[str]:
    """Lines to show of a galaxy: strong ones, and that which is reconstructed worst among all galaxies' if it is not of these."""
    names = judged["line"].tolist()
    percentile = judged["line_percentile"][galaxy, 0]
    if len(names) <= N_LINE or not np.isfinite(percentile).any():
        return chosen_lines(names, N_LINE)
    worst = names[int(np.nanargmax(percentile))]
    found = chosen_lines(names, N_LINE)
    if worst not in found:
        found = [*chosen_lines(names, N_LINE - 1), worst]
    return sorted(found, key=names.index)


def reconstruction_figure(judged: Artefact, cubes: Mapping[int, GalaxyCube]) -> Figure:
    """Input, reconstruction, residual over its error and mean spectrum per line; typical galaxies left, anomalous ones right.

    Parameters
    ----------
    judged : Artefact
        'anomalies'.
    cubes : mapping of int to GalaxyCube
        Of the galaxies of :func:`typical_and_extreme`, with all lines of ``judged``.
    """
    sorts = typical_and_extreme(judged)
    if not any(sorts):
        return noted("no reconstruction is kept (embedding.n_reconstruction)")
    names = judged["line"].tolist()
    n_line = min(N_LINE, len(names))
    width = _LEFT + n_line * (_SIDE + _GAP) + _RIGHT
    height = _ABOVE + 3 * (_SIDE + _GAP) + _SPECTRUM + _BELOW
    n_row = max(map(len, sorts))
    columns = [galaxies for galaxies in sorts if galaxies]
    figure = Figure(figsize=(width * len(columns), _TOP + n_row * height), dpi=DPI)
    for column, galaxies in enumerate(columns):
        for row, k in enumerate(galaxies):
            kept = judged["reconstruction"][judged["shown"].tolist().index(k)]
            lines = lines_of(judged, k)
            block = _of_lines(Block(k, cubes[k], kept), [names.index(name) for name in lines])
            corner = column * width, (n_row - row - 1) * height
            _draw_block(figure, corner, block, ("typical" if galaxies is sorts[0] else "anomalous"), judged)
    words = "flux of each line with its continuum,\nfrom 0 to the top, the number in the corner"
    words += f" ({FLUX_UNIT} spaxel$^{{-1}}$)"
    figure.suptitle(f"{run_title(judged)}\n{words}", fontsize=12, y=1 - 0.1 / figure.get_figheight(), va="top")
    return figure


def _of_lines(block: Block, rows: Sequence[int]) -> Block:
    cube = block.cube
    some = GalaxyCube(tuple(cube.line[k] for k in rows), *(values[rows] for values in cube[1:]))
    return Block(block.galaxy, some, block.reconstruction[rows])


def _draw_block(figure: Figure, corner: tuple[float, float], block: Block, sort: str, judged: Artefact) -> None:
    """The panels of a galaxy, whose block has its lower left corner at a place in inches."""
    cube = block.cube
    pictures = line_flux(cube, cube.flux), line_flux(cube, block.reconstruction)
    residual = residual_significance(cube, block.reconstruction)
    top = max(_LEAST_TOP, robust_limits(np.abs(residual), high=99.0)[1])
    panels = _panels(figure, corner, len(cube.line))
    for i, name in enumerate(cube.line):
        high = robust_limits(pictures[0][i], high=99.5)[1]
        for axes, image in zip(panels[:2, i], pictures, strict=True):
            flux = _picture(axes, image[i], "viridis", (0.0, high if high > 0 else 1.0))
        if np.isfinite(pictures[0][i]).any():
            place = {"transform": panels[0, i].transAxes, "va": "top", "fontsize": 7}
            panels[0, i].text(0.04, 0.96, _top_words(high), **place, color="k", path_effects=_HALO)
        shown = _picture(panels[2, i], residual[i], "RdBu_r", (-top, top))
        panels[0, i].set_title(line_title(name), fontsize=9)
        _spectrum(panels[3, i], mean_spectrum(cube, cube.flux)[i], mean_spectrum(cube, block.reconstruction)[i])
    for axes in panels[:2, -1]:
        # The lines of a galaxy have scales of their own, so the bar names the top and gives no number.
        bar = bar_beside(axes, flux, "flux", _BAR)
        bar.set_ticks(list(flux.get_clim()), labels=["0", "top"])
        for label, side in zip(bar.ax.get_yticklabels(), ("bottom", "top"), strict=True):
            label.set_va(side)
    bar_beside(panels[2, -1], shown, "standard errors", _BAR, extend=extend_of(residual, -top, top))
    for axes, words in zip(panels[:, 0], _ROWS, strict=True):
        axes.set_ylabel(words, fontsize=9)
    left, bottom = corner
    width, height = figure.get_size_inches()
    above = bottom + _BELOW + _SPECTRUM + 3 * (_SIDE + _GAP) + 0.26
    words = [f"{sort}: {heading(judged, block.galaxy)}", causes(judged["cause"][block.galaxy])]
    place = (left + _LEFT) / width, above / height
    figure.text(*place, "\n".join(filter(None, words)), fontsize=10, va="bottom")


def _top_words(value: float) -> str:
    """The top of a scale in two digits or more, without an exponent where it is large."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def _panels(figure: Figure, corner: tuple[float, float], n_line: int) -> np.ndarray:
    """Three rows of pictures above one of spectra, shape (4, n_line)."""
    panels = np.empty((4, n_line), Axes)
    for i in range(n_line):
        left = corner[0] + _LEFT + i * (_SIDE + _GAP)
        bottom = corner[1] + _BELOW
        panels[3, i] = axes_at(figure, Place(left, bottom, _SIDE, _SPECTRUM - _GAP))
        for row in range(3):
            up = bottom + _SPECTRUM + (2 - row) * (_SIDE + _GAP)
            panels[row, i] = axes_at(figure, Place(left, up, _SIDE, _SIDE))
    return panels


def _picture(axes: Axes, values: np.ndarray, cmap: str, limits: tuple[float, float]):
    axes.set(xticks=[], yticks=[], facecolor=BAD_COLOUR)
    return axes.imshow(values, origin="lower", cmap=cmap, vmin=limits[0], vmax=limits[1], interpolation="nearest")


def _spectrum(axes: Axes, given: np.ndarray, reconstructed: np.ndarray) -> None:
    """Mean spectra of a window against the pixel from its middle: dots for the input, a line for the reconstruction."""
    pixel = np.arange(given.size) - given.size // 2
    axes.set_xlim(pixel[0] - 0.5, pixel[-1] + 0.5)
    axes.plot(pixel, given, "o", ms=2.5, color="k")
    axes.plot(pixel, reconstructed, "-", lw=1.2, color=RED)
    axes.set_yticks([])
    axes.tick_params(labelsize=7)
    axes.set_xlabel("pixel", fontsize=8, labelpad=1)
    if not np.isfinite(given).any():
        axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", va="center", fontsize=8, color="0.35")
