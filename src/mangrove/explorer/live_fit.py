"""Fits on request, one after the other: views share a process that fits, and the programs that it has compiled."""

import threading
from typing import TYPE_CHECKING

from mangrove.explorer.fitting_process import FittingProcess

if TYPE_CHECKING:
    from mangrove.notebook.spectrum_fit import SpectrumFit

_PROCESS = FittingProcess()
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
    WorkerError
        If the process that fits was ended.
    """
    with _ONE_AT_A_TIME:
        return _PROCESS.fit(**arguments)


def compile_for(**arguments) -> None:
    """Fit a spectrum beside the queue of those that people wait for, so that the programs for such fits are compiled.

    Raises
    ------
    MangroveError
        As :func:`fitted` does.
    """
    _PROCESS.fit(**arguments)
