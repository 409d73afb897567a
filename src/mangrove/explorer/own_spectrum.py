"""What is done with a spectrum that somebody brings: what it is taken to be, its fit, and its place on the map of spectra."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy import units as u

from mangrove.config import Fit, Preprocessing
from mangrove.errors import SpectrumError
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.live_fit import fitted
from mangrove.notebook.spectrum_columns import SpectrumFile
from mangrove.physics.wavelengths import SIGMA_TO_FWHM

if TYPE_CHECKING:
    from mangrove.notebook.spectrum_fit import SpectrumFit
    from mangrove.notebook.spectrum_map import SpectrumMap
    from mangrove.notebook.spectrum_place import SpectrumPlace

#: How the resolution is given, whether wavelengths are in air, and for both that the file says it.
OF_FILE, POWER, FWHM, AIR, VACUUM = "file", "power", "fwhm", "air", "vacuum"
#: Most pixels that are fitted: more than any spectrograph gives, and each takes memory for every template.
MAX_FITTED = 30_000
_MAX_Z, _MAX_EBV = 10.0, 10.0
#: Settings of a run's fits that are no one spectrum's.
_OF_RUNS = {"chunk", "engine", "stellar_kinematics"}


class Taken(NamedTuple):
    """What is taken of a spectrum besides its file.

    Attributes
    ----------
    z : float
    ebv : float or None
        Galactic E(B-V), mag; None where it was not given.
    lsf : ndarray, float or Quantity, or None
        As :func:`mangrove.api.fit_spectrum` takes it.
    air : bool
    z_doubtful : bool
        Whether the redshift is the file's, and doubtful.
    """

    z: float
    ebv: float | None
    lsf: Any
    air: bool
    z_doubtful: bool


def taken(spectrum: SpectrumFile, z=None, ebv=None, resolution=None, kind: str = POWER, medium: str = OF_FILE) -> Taken:
    """What a form says of a spectrum, and where it leaves a gap, its file.

    Parameters
    ----------
    spectrum : SpectrumFile
    z, ebv, resolution : number, or None where the field is empty
    kind : str
        What the resolution is: :data:`POWER` (wavelength over FWHM) or :data:`FWHM` (Angstrom).
    medium : str
        :data:`OF_FILE`, :data:`AIR` or :data:`VACUUM`.

    Raises
    ------
    SpectrumError
        If a number is none or out of range, or neither form nor file say what is needed.
    """
    given = _number(z, "the redshift", -0.01, _MAX_Z)
    if given is None and spectrum.z is None:
        raise SpectrumError("The file states no redshift: enter one.")
    if medium not in (AIR, VACUUM) and spectrum.air is None:
        raise SpectrumError(
            "The file does not say whether its wavelengths are in air or in vacuum: choose one of them. A wrong choice shifts "
            "velocities by 80 km/s."
        )
    return Taken(
        z=float(spectrum.z) if given is None else given,
        ebv=_number(ebv, "E(B-V)", 0.0, _MAX_EBV),
        lsf=_line_spread(spectrum, _number(resolution, "the resolution", 1e-3, 1e6), kind),
        air=medium == AIR if medium in (AIR, VACUUM) else bool(spectrum.air),
        z_doubtful=spectrum.z_doubtful and given in (None, spectrum.z),
    )


def fit_of(run: ExploredRun, spectrum: SpectrumFile, about: Taken) -> "SpectrumFit":
    """The fit of a spectrum with the settings of the run's fits, by the batched engine.

    Raises
    ------
    SpectrumError
        If it cannot be fitted, and what it lacks.
    """
    if spectrum.ivar is None:
        raise SpectrumError("The file has no errors (ivar or error), without which a fit means nothing: add them.")
    if about.lsf is None:
        raise SpectrumError("The file does not say how broad its lines are (lsf, fwhm or wdisp): enter the resolution.")
    if about.z <= 0:
        raise SpectrumError(f"A fit needs a positive redshift; it is {about.z:g}.")
    if spectrum.wave.size > MAX_FITTED:
        raise SpectrumError(
            f"It has {spectrum.wave.size} pixels, and at most {MAX_FITTED} are fitted: rebin it to broader pixels, or cut it."
        )
    return fitted(**fit_arguments(run, spectrum, about))


def fit_arguments(run: ExploredRun, spectrum: SpectrumFile, about: Taken) -> dict[str, Any]:
    """Arguments of :func:`mangrove.api.fit_spectrum` for a spectrum."""
    arrays = {name: getattr(spectrum, name) for name in ("wave", "flux", "ivar", "mask")}
    return arrays | {"z": about.z, "ebv": about.ebv or 0.0, "lsf": about.lsf, "air": about.air} | settings(run)


def settings(run: ExploredRun) -> dict[str, Any]:
    """Those of the run's fits; the defaults where it has none."""
    first = next((name for name in run.galaxies[:20] if run.has("fit", plateifu=name)), None)
    attrs = {} if first is None else run.attrs("fit", plateifu=first)
    wanted = ({*Fit.model_fields} | {*Preprocessing.model_fields}) - _OF_RUNS
    found = {name: attrs[name] for name in sorted(wanted & {*attrs})}
    return {"engine": "batched"} | found


def map_of(run: ExploredRun) -> "SpectrumMap":
    """The run's map of spectra, opened once.

    Raises
    ------
    ModelError, ArtefactError
        If it has none.
    """
    from mangrove.notebook.spectrum_map import open_map  # slow to import: the first page does without

    return run.kept("map for spectra", lambda: open_map(run.folder / "desom"))


def place_of(run: ExploredRun, spectrum: SpectrumFile, about: Taken) -> "SpectrumPlace":
    """The place of a spectrum on the run's map of spectra.

    Raises
    ------
    ModelError, ArtefactError
        If the run has no map.
    SpectrumError
        If it cannot be placed.
    """
    options = {"lsf": about.lsf, "mask": spectrum.mask, "ebv": about.ebv, "air": about.air}
    return map_of(run).place(
        spectrum.wave, spectrum.flux, spectrum.ivar, about.z, z_doubtful=about.z_doubtful, **options
    )


def _number(value, name: str, low: float, high: float) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not low <= number <= high:
        raise SpectrumError(f"It is no value for {name}: a number from {low:g} to {high:g} is needed.")
    return number


def _line_spread(spectrum: SpectrumFile, resolution: float | None, kind: str):
    if resolution is None:
        return spectrum.lsf
    return resolution / SIGMA_TO_FWHM if kind == FWHM else resolution * u.dimensionless_unscaled
