"""A spectrum with its model as arrays: of a baxel with its stored fit, and of any fit that is made on request."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mangrove.explorer.galaxy_data import SeenGalaxy
from mangrove.physics.lines import fit_lines
from mangrove.report.shown_spectra import NAMED_SNR

if TYPE_CHECKING:
    import xarray as xr

    from mangrove.notebook.spectrum_fit import SpectrumFit


class SpectrumParts(NamedTuple):
    """A spectrum with a model over its rest wavelengths, as observed.

    Attributes
    ----------
    wave, flux, error, stars, gas : ndarray, shape (n_wave,)
        Angstrom, rest frame, vacuum; 1e-17 erg/s/cm2/Angstrom/spaxel. NaN where there is no model.
    used : ndarray of bool, shape (n_wave,)
        Pixels that counted in the fit.
    components : mapping of str to ndarray, shape (n_wave,)
        The gas by component, where there are several.
    """

    wave: np.ndarray
    flux: np.ndarray
    error: np.ndarray
    stars: np.ndarray
    gas: np.ndarray
    used: np.ndarray
    components: Mapping[str, np.ndarray]

    @property
    def residual(self) -> np.ndarray:
        """Data minus model over the error where pixels counted, NaN elsewhere, shape (n_wave,)."""
        return np.where(self.used, self.flux - self.stars - self.gas, np.nan) / self.error

    @property
    def fitted(self) -> slice:
        """From the first to the last pixel that counted; all where none did."""
        index = np.flatnonzero(self.used)
        return slice(int(index[0]), int(index[-1]) + 1) if index.size else slice(None)


def stored_parts(spectrum: "xr.Dataset") -> SpectrumParts:
    """Those of a baxel, from :meth:`mangrove.notebook.runs.Run.spectrum`."""
    ivar = spectrum.ivar.values.astype(float)
    error = np.full(ivar.shape, np.nan)
    np.divide(1.0, np.sqrt(ivar, where=ivar > 0, out=np.ones_like(ivar)), out=error, where=ivar > 0)
    by_component = {str(name): spectrum.component_gas.sel(component=name).values for name in spectrum.component.values}
    known = {name: values for name, values in by_component.items() if np.isfinite(values).any()}
    columns = (spectrum[name].values for name in ("stars", "gas", "used"))
    return SpectrumParts(
        spectrum.rest_wave.values, spectrum.flux.values, error, *columns, known if len(known) > 1 else {}
    )


def refitted_parts(fit: "SpectrumFit") -> SpectrumParts:
    """Those of a fit of :func:`mangrove.api.fit_spectrum`."""
    table = fit.spectrum
    columns = (np.asarray(table[name].value) for name in ("rest_wave", "flux", "error", "stars", "gas"))
    return SpectrumParts(*columns, np.asarray(table["used"]), {})


def detected_lines(seen: SeenGalaxy, baxel: int) -> list[tuple[float, str]]:
    """Rest wavelength (Angstrom, vacuum) and label of a baxel's lines above the S/N from which they are named."""
    rows = seen.rows
    return _detected(rows["line"], rows["line_flux"][baxel], rows["line_flux_err"][baxel])


def refitted_lines(fit: "SpectrumFit") -> list[tuple[float, str]]:
    """Those of a fit of :func:`mangrove.api.fit_spectrum`."""
    return _detected(np.asarray(fit.lines["line"]), fit.lines["flux"].value, fit.lines["flux_err"].value)


def _detected(names: np.ndarray, flux: np.ndarray, error: np.ndarray) -> list[tuple[float, str]]:
    lines = fit_lines()
    # By name: a run may have been written with another list of lines.
    places = [lines.index(name) for name in names[flux > NAMED_SNR * error].tolist()]
    return [(float(lines.wave[k]), lines.label[k]) for k in places]
