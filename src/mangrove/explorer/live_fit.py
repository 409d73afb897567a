"""Fits on request, one after the other: views share the cores and the compiled programs.

Programs that are compiled beforehand (:mod:`mangrove.explorer.galaxy_refit`) do not stand in this queue.
"""

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mangrove.notebook.spectrum_fit import SpectrumFit

#: Two fits at once are no faster than one after the other, and would compile the same programs twice.
_ONE_AT_A_TIME = threading.Lock()


def fitted(**arguments) -> "SpectrumFit":
    """The fit of a spectrum, as soon as those before it are done.

    Parameters
    ----------
    **arguments
        Of :func:`mangrove.api.fit_spectrum`.

    Raises
    ------
    SpectrumError, ConfigError, TemplateError
        As :func:`mangrove.api.fit_spectrum` does.
    """
    from mangrove.notebook.spectrum_fit import fit_spectrum  # slow to import: the first page does without

    with _ONE_AT_A_TIME:
        return fit_spectrum(**arguments)
