"""What maps show beside their values: the width of the point-spread function, the effective radius, a length in kpc."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, Polygon
from matplotlib.patheffects import withStroke

from mangrove.artefacts import Artefact
from mangrove.physics.cosmology import kpc_per_arcsec
from mangrove.report.sky_frame import SkyFrame, effective_ellipse, known

#: Longest bar, in widths of the map.
_LONGEST_BAR = 0.34
#: Distance of the marks from the corners, in widths of the map.
_INSET = 0.05
_HALO = (withStroke(linewidth=2.4, foreground="w"),)


def draw_marks(axes: Axes, frame: SkyFrame, extract: Artefact) -> None:
    """Draw on a map what is known of a galaxy: PSF (a disc), R_e (a dashed ellipse), and a bar in kpc."""
    ellipse = effective_ellipse(extract)
    if ellipse is not None:
        for style in ({"lw": 1.8, "ec": "w"}, {"lw": 0.9, "ec": "k", "ls": (0, (4, 3))}):
            axes.add_patch(Polygon(ellipse, fill=False, zorder=5, **style))
    fwhm = known(extract.attrs, "psf_fwhm")
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    inset = _INSET * (top - bottom)
    # Towards the inside of the map, where the first axis may run to the left.
    inwards = np.sign(right - left)
    if fwhm:
        centre = left + inwards * (inset + fwhm / 2.0), bottom + inset + fwhm / 2.0
        axes.add_patch(Circle(centre, fwhm / 2.0, fc="0.45", ec="w", lw=0.8, zorder=5))
    kpc = bar_length(extract.attrs["z"], abs(right - left))
    if kpc:
        length = kpc / kpc_per_arcsec(extract.attrs["z"])
        ends = [right - inwards * (inset + length), right - inwards * inset]
        axes.plot(ends, [bottom + inset] * 2, "k-", lw=2.2, solid_capstyle="butt", path_effects=_HALO, zorder=5)
        middle = 0.5 * sum(ends), bottom + 1.4 * inset
        axes.text(*middle, f"{kpc:g} kpc", ha="center", va="bottom", fontsize=8, path_effects=_HALO, zorder=5)


def marks_in_words(extract: Artefact) -> str:
    """What the marks of a galaxy's maps mean, those that are drawn."""
    words = [
        r"dashed ellipse: $R_\mathrm{e}$" if effective_ellipse(extract) is not None else "",
        "disc: FWHM of the PSF" if known(extract.attrs, "psf_fwhm") else "",
    ]
    return "; ".join(filter(None, words))


def bar_length(z: float, width: float) -> float:
    """Length of a bar on a map of a width in arcsec: 1, 2 or 5 times a power of ten, kpc; 0 where there is no distance."""
    if not z > 0:
        return 0.0
    longest = _LONGEST_BAR * width * kpc_per_arcsec(z)
    power = 10.0 ** np.floor(np.log10(longest))
    return float(power * max(step for step in (1.0, 2.0, 5.0) if step * power <= longest))
