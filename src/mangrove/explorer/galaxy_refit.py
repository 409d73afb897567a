"""Fits of a baxel with other settings than the run's, on request: what can be chosen, and how programs come to be ready."""

import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mangrove.errors import MangroveError
from mangrove.explorer.address import Address
from mangrove.explorer.live_fit import compile_for, fitted
from mangrove.ssp.loading import EMBEDDED

if TYPE_CHECKING:
    from mangrove.notebook.spectrum_fit import SpectrumFit

#: Degrees of the polynomial that can be chosen, besides the run's: a program is compiled for each.
DEGREES = (2, 4, 6, 8, 10, 12)
ATTENUATIONS = {"calzetti": "Calzetti et al. (2000) curve", "polynomial": "shape of the polynomial"}
#: Where the documentation has people put libraries, below the folder that the explorer runs in.
_LIBRARIES = Path("data/templates")
_SUFFIXES = frozenset({"", ".h5", ".hdf5", ".npz"})

_LOG = logging.getLogger(__name__)


class RefitSettings(NamedTuple):
    """What people choose about a fit, by the names of the configuration."""

    templates: str
    attenuation: str
    polynomial_degree: int


def settings_of_run(arguments: Mapping[str, Any]) -> RefitSettings:
    """Those of a run's own fit, from the attributes of an artefact 'fit' or :meth:`mangrove.notebook.runs.Run.fit_arguments`."""
    return RefitSettings(*(arguments[name] for name in RefitSettings._fields))


def chosen_settings(address: Address, own: RefitSettings) -> RefitSettings:
    """What an address asks for (templates, dust, degree); the run's own where it says nothing or nonsense."""
    degrees = {str(degree): degree for degree in degrees_with(own)}
    return RefitSettings(
        libraries(own)[address.one_of("templates", libraries(own), _name_of(own.templates))],
        address.one_of("dust", ATTENUATIONS, own.attenuation),
        degrees[address.one_of("degree", degrees, str(own.polynomial_degree))],
    )


def is_asked(address: Address) -> bool:
    """Whether an address asks for a fit at all."""
    return any(key in address.query for key in ("templates", "dust", "degree"))


def degrees_with(own: RefitSettings) -> list[int]:
    """Degrees that can be chosen, ascending."""
    return sorted({*DEGREES, own.polynomial_degree})


def libraries(own: RefitSettings) -> dict[str, str]:
    """Template libraries that this machine has, by the name in an address: embedded, the run's, those in data/templates.

    An address holds a name of this list, never a path.
    """
    found = {EMBEDDED: EMBEDDED}
    if _LIBRARIES.is_dir():
        found |= {path.name: str(path) for path in sorted(_LIBRARIES.iterdir()) if path.suffix in _SUFFIXES}
    if own.templates == EMBEDDED or Path(own.templates).expanduser().exists():
        found |= {_name_of(own.templates): own.templates}
    return found


def refit(arguments: Mapping[str, Any], settings: RefitSettings) -> "SpectrumFit":
    """Fit a baxel with other settings by the batched engine.

    Parameters
    ----------
    arguments : mapping
        Of the run's own fit.

    Raises
    ------
    SpectrumError, ConfigError, TemplateError
        As :func:`mangrove.api.fit_spectrum` does.
    """
    # Its program may be half compiled already: sooner ready than one begun anew.
    _PREPARATION.wait_for(settings)
    return fitted(**_with(arguments, settings))


def _with(arguments: Mapping[str, Any], settings: RefitSettings) -> dict[str, Any]:
    return dict(arguments) | settings._asdict() | {"engine": "batched"}


class _Preparation:
    """A thread that compiles programs before they are asked for, one at a time; fits with others do not wait for it."""

    def __init__(self) -> None:
        self._begun: set[RefitSettings] = set()
        self._lock = threading.Lock()
        # Nobody waits for them, and fits that people wait for need the cores.
        self._one_at_a_time = threading.Lock()
        self._compiled: RefitSettings | None = None
        self._at_rest = threading.Condition()

    def begin(self, arguments: Mapping[str, Any], wanted: list[RefitSettings]) -> None:
        with self._lock:
            new = [settings for settings in wanted if settings not in self._begun]
            self._begun.update(new)
        if new:
            threading.Thread(target=self._compile_all, args=(dict(arguments), new), daemon=True).start()

    def wait_for(self, settings: RefitSettings) -> None:
        """Return when a program is not being compiled."""
        with self._at_rest:
            self._at_rest.wait_for(lambda: self._compiled != settings)

    def _compile_all(self, arguments: dict[str, Any], wanted: list[RefitSettings]) -> None:
        for settings in wanted:
            with self._one_at_a_time:
                self._now(settings)
                try:
                    _compile(arguments, settings)
                finally:
                    self._now(None)

    def _now(self, settings: RefitSettings | None) -> None:
        with self._at_rest:
            self._compiled = settings
            self._at_rest.notify_all()


def _compile(arguments: dict[str, Any], settings: RefitSettings) -> None:
    try:
        compile_for(**_with(arguments, settings))
    except MangroveError as error:
        _LOG.info("no fit with %s: %s", settings, error)


_PREPARATION = _Preparation()


def prepare_programs(arguments: Mapping[str, Any], own: RefitSettings, asked: bool) -> None:
    """Have the programs of fits that a page offers compiled meanwhile, once for as long as the explorer runs.

    They depend on the settings and on the number of pixels, hardly on the galaxy.

    Parameters
    ----------
    arguments : mapping
        Of the fit of a baxel.
    asked : bool
        Whether somebody has asked for a fit: then all libraries and degrees, else the other dust and the nearest degree alone.
    """
    other = next(kind for kind in ATTENUATIONS if kind != own.attenuation)
    outwards = sorted(degrees_with(own), key=lambda degree: abs(degree - own.polynomial_degree))
    by_degree = [own._replace(polynomial_degree=degree) for degree in outwards[1:]]
    by_library = [own._replace(templates=library) for library in libraries(own).values() if library != own.templates]
    wanted = [by_degree[0], own._replace(attenuation=other), *by_library, *by_degree[1:]]
    _PREPARATION.begin(arguments, wanted if asked else wanted[:2])


def _name_of(templates: str) -> str:
    return templates if templates == EMBEDDED else Path(templates).name
