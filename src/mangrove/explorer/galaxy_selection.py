"""What the address of a galaxy's page says: the baxel, what the map shows, the settings of a fit."""

from typing import NamedTuple

from mangrove.explorer.address import Address
from mangrove.explorer.galaxy_data import SeenGalaxy
from mangrove.explorer.galaxy_maps import FIRST_LINE, FIRST_QUANTITY, line_titles, quantity_titles
from mangrove.report.shown_spectra import central_baxel


class GalaxySelection(NamedTuple):
    """What is chosen on a page: ``/galaxy/7443-12703?baxel=3&map=line_flux&line=Halpha_6565``.

    Attributes
    ----------
    baxel : int or None
        None of a galaxy without any; at first that at the centre.
    quantity, line : str
        What the map shows; the line counts for quantities of lines.
    """

    baxel: int | None
    quantity: str
    line: str


def selection_of(seen: SeenGalaxy, address: Address) -> GalaxySelection:
    """What an address says of a galaxy; where it says nothing or nonsense, what is shown first."""
    lines = line_titles(seen)
    first_line = FIRST_LINE if FIRST_LINE in lines else next(iter(lines), "")
    chosen = (
        address.one_of("map", quantity_titles(), FIRST_QUANTITY if lines else "snr"),
        address.one_of("line", lines, first_line),
    )
    if not seen.n_baxel:
        return GalaxySelection(None, *chosen)
    return GalaxySelection(address.whole("baxel", central_baxel(seen.rows), seen.n_baxel), *chosen)
