"""Fits on request, one after the other: views share a process that fits, and the programs that it has compiled."""

import threading
from typing import TYPE_CHECKING

from mangrove.explorer.fitting_process import FittingProcess

if TYPE_CHECKING:
    from mangrove.notebook.spectrum_fit import SpectrumFit

_PROCESS = FittingProcess()
#: Two fits at once are no faster than one after the other, and would compile the same programs twice.
_ONE_AT_A_TIME = threading.Lock()


class _Demand:
    """How many fits people wait for; what is compiled beforehand begins when there are none."""

    def __init__(self) -> None:
        self._number, self._changed = 0, threading.Condition()

    def __enter__(self) -> None:
        self._add(1)

    def __exit__(self, *error) -> None:
        self._add(-1)

    def wait_for_none(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._number == 0)

    def _add(self, n: int) -> None:
        with self._changed:
            self._number += n
            self._changed.notify_all()


_DEMAND = _Demand()


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
    with _DEMAND, _ONE_AT_A_TIME:
        return _PROCESS.fit(**arguments)


def compile_for(**arguments) -> None:
    """Fit a spectrum so that the programs for such fits are compiled: once nobody waits for one, and then beside their queue.

    Raises
    ------
    MangroveError
        As :func:`fitted` does.
    """
    _DEMAND.wait_for_none()
    _PROCESS.fit(**arguments)
