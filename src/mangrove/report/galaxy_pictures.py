"""Small pictures of galaxies in figures."""

from matplotlib.axes import Axes

from mangrove.artefacts import Artefact
from mangrove.report.colours import BAD_COLOUR
from mangrove.report.drawing import note
from mangrove.report.galaxy_images import field_of_view, picture_of

#: Where pictures come from, for the titles of figures.
SOURCE = "pictures: g, r, i images of the cubes"
#: Text on pictures: points per inch of their side, and at most.
_POINTS, _LARGEST = 5.6, 9.0


def galaxy_picture(axes: Axes, extract: Artefact | None) -> None:
    """A galaxy as :func:`mangrove.report.galaxy_images.picture_of` shows it, in a square.

    Parameters
    ----------
    extract : Artefact or None
        With the datasets of :func:`mangrove.report.galaxy_images.read_extracts`; None leaves a note.
    """
    axes.set(xticks=[], yticks=[], facecolor=BAD_COLOUR)
    axes.set_box_aspect(1)
    picture = None if extract is None else picture_of(extract)
    if picture is None:
        note(axes, "no image")
        return
    axes.imshow(picture, origin="lower")
    (left, right), (bottom, top) = field_of_view(extract)
    half = max(right - left, top - bottom) / 2
    x, y = (left + right) / 2, (bottom + top) / 2
    axes.set(xlim=(x - half, x + half), ylim=(y - half, y + half), facecolor="k")


def write_on_picture(axes: Axes, side: float, upper: str, lower: str = "") -> None:
    """Text in the upper and lower left corner of a picture whose side is so many inches."""
    size = min(_POINTS * side, _LARGEST)
    for text, y, at in ((upper, 0.97, "top"), (lower, 0.03, "bottom")):
        axes.text(0.03, y, text, transform=axes.transAxes, va=at, ha="left", fontsize=size, color="w")
