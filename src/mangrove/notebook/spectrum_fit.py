"""The fit of one spectrum, as the workflow fits a baxel."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from astropy import units as u
from astropy.table import QTable

from mangrove import config_files
from mangrove.artefacts import Artefact
from mangrove.codes import BptClass, FitStatus, LabelFlag, LineStatus
from mangrove.config import Preprocessing
from mangrove.data_model import EXTRACT, FIT, LABEL, LABELS
from mangrove.errors import SpectrumError
from mangrove.notebook.as_observed import as_observed
from mangrove.notebook.inputs import FLUX_UNIT, Observed, observed_spectrum
from mangrove.physics.galactic_extinction import galactic_transmission
from mangrove.physics.lines import fit_lines
from mangrove.spectra.fit.engines import fit_all
from mangrove.spectra.fit.galaxy import GalaxyFit, as_columns, draw_seed, shared_lsf, templates_at
from mangrove.spectra.fit.preparation import prepare
from mangrove.spectra.fit.settings import FitSettings
from mangrove.spectra.fit.spectrum import Spectrum
from mangrove.spectra.fit.stored_model import stored_model
from mangrove.spectra.labels.table import label_columns

#: Labels per area on the sky: without the area of the spectrum there is none.
_PER_AREA = ("log_sfr_density", "log_mass_density")
#: What the short text of a fit shows.
_KINEMATICS = ("v_star", "sigma_star", "v_gas", "sigma_gas")


class LabelValue(NamedTuple):
    """A label: value and error with units (NaN where there is none), and the names of its flags (docs/labels.md)."""

    value: u.Quantity
    error: u.Quantity
    flags: tuple[str, ...]


class FitInputs(NamedTuple):
    """What a fit was made from, and what would be stored of it.

    Attributes
    ----------
    galaxy : GalaxyFit
        Redshift, templates and settings.
    prepared : Spectrum
        The fitted part of the spectrum, without the extinction of the Milky Way.
    transmission : ndarray, shape (n_wave,)
        Of the Milky Way's dust, on the pixels of the data.
    artefact : Artefact
        Of kind 'fit', with this one spectrum.
    """

    galaxy: GalaxyFit
    prepared: Spectrum
    transmission: np.ndarray
    artefact: Artefact


@dataclass(frozen=True, repr=False)
class SpectrumFit:
    """What the workflow would store for a baxel with this spectrum; ``fit["v_star"]`` gives a number with its unit.

    Attributes
    ----------
    status : str
        Outcome: 'ok', or what is wrong (docs/data-model.md, 'fit').
    values : dict of Quantity
        The numbers of the artefact 'fit' that a baxel has one of: v_star, v_star_err, sigma_star, chi2_reduced, ...
    lines : QTable
        Emission lines, a row each: line (by which ``lines.loc["Halpha_6565"]`` finds one), wave, status, flux, ew, errors.
    labels : dict of LabelValue
        By the names of docs/labels.md; surface densities only with ``pixel_scale``.
    bpt_class : str
    spectrum : QTable
        Data and model as observed, before any correction, on vacuum wavelengths: wave, rest_wave, flux, error, used
        (whether a pixel counted), stars, gas, model (their sum; NaN outside the fitted range).
    stored : dict of ndarray
        Datasets of the artefacts 'fit' and 'labels' for this one spectrum, shape (1, ...), as they would be stored.
    inputs : FitInputs
        What it was made from.
    """

    status: str
    values: Mapping[str, u.Quantity]
    lines: QTable
    labels: Mapping[str, LabelValue]
    bpt_class: str
    spectrum: QTable
    stored: Mapping[str, np.ndarray]
    inputs: FitInputs

    def __setstate__(self, state: dict) -> None:
        """Take over what came from another process; a table comes without the column by which ``loc`` finds its rows."""
        self.__dict__.update(state)
        self.lines.primary_key = ("line",)

    def __repr__(self) -> str:
        kinematics = (f"{name} = {self[name].value:.1f} ± {self[name + '_err'].value:.1f} km/s" for name in _KINEMATICS)
        return f"<SpectrumFit, status '{self.status}': {', '.join(kinematics)}>"

    def __getitem__(self, name: str) -> u.Quantity:
        if name not in self.values:
            raise KeyError(f"no value '{name}'; there are {', '.join(self.values)}, and more in lines and labels")
        return self.values[name]

    @property
    def ok(self) -> bool:
        """Whether all numbers of the fit can be trusted."""
        return self.status == FitStatus.OK.word

    def plot(self):
        """Draw data, model and its components, and the residuals; returns the matplotlib figure."""
        from mangrove.notebook.plots import draw_fit

        return draw_fit(self)


def fit_spectrum(
    wave,
    flux,
    ivar,
    z: float,
    *,
    lsf,
    templates: str = "mastar",
    mask=None,
    ebv: float = 0.0,
    air: bool = False,
    pixel_scale: float | None = None,
    template_lsf=None,
    seed: int = 1,
    name: str = "",
    baxel: int = 0,
    **options,
) -> SpectrumFit:
    """Fit stars and gas of one spectrum and derive its labels, as the workflow does for a baxel.

    Parameters
    ----------
    wave : array or Quantity, shape (n_wave,)
        Observed wavelength, Angstrom if plain. A grid that is not log-linear is rebinned to one that is.
    flux : array or Quantity, shape (n_wave,)
        Flux density, 1e-17 erg/s/cm2/Angstrom if plain; it may be per area (spaxel).
    ivar : array or Quantity, shape (n_wave,)
        Its inverse variance; pixels where it is 0, negative or not finite are left out.
    z : float
        Redshift, positive: sets rest wavelengths, distance and oldest population, and the zero of velocities,
        c ln((1+z')/(1+z)).
    lsf : float, array or Quantity
        Line spread function of the instrument, pixel included: Gaussian sigma, Angstrom if plain; or a velocity
        (sigma), or a dimensionless Quantity (resolving power: wavelength over FWHM).
    templates : str
        'mastar', or the path of a library (docs/labels.md).
    mask : array, shape (n_wave,), optional
        Pixels other than 0 or False are left out.
    ebv : float
        Galactic E(B-V), mag; its extinction is removed before the fit.
    air : bool
        Whether the wavelengths are in air; default: vacuum.
    pixel_scale : float, optional
        Side of the square on the sky from which the flux comes, arcsec; needed only for surface densities.
    template_lsf : float, array or Quantity, optional
        LSF of the templates, as ``lsf``. The workflow uses the median over the baxels of a galaxy.
    seed, name, baxel : int, str, int
        Seed of the noisy copies that give the errors, combined with the galaxy's name and the index of the baxel.
    **options
        Keys of the sections ``fit`` and ``preprocessing`` of the configuration (docs/configuration.md), with their
        defaults; ``engine`` is among them. The engine 'batched' compiles its programs once and keeps them on disk.

    Returns
    -------
    SpectrumFit

    Raises
    ------
    SpectrumError
        If arrays, numbers or units are inconsistent, or the spectrum has no pixel, or no emission line, within
        ``rest_range``.
    ConfigError
        If an option is unknown or out of range.
    TemplateError
        If the library does not exist or does not cover the data.
    """
    chosen = _checked(templates, options)
    z, ebv = _positive(z, "z"), _number(ebv, "ebv", 0.0)
    data = _as_stored(observed_spectrum(wave, flux, ivar, lsf, mask, air))
    settings = FitSettings.from_params(chosen)
    transmission = galactic_transmission(data.wave, ebv * chosen["ebv_scale"])
    draws = draw_seed(seed, name, baxel)
    _check_range(data.wave / (1.0 + z), settings.rest_range)
    ready = prepare(data.wave, data.flux, data.ivar, data.mask, data.lsf, z, transmission, settings, draws)
    shared = data.lsf if template_lsf is None else observed_spectrum(wave, flux, ivar, template_lsf, mask, air).lsf
    stars = templates_at(data.wave, shared_lsf(data.wave, shared[None]), z, templates, settings)
    galaxy = GalaxyFit(z, stars, fit_lines(), settings)
    area = {"pixel_scale": 1.0 if pixel_scale is None else _positive(pixel_scale, "pixel_scale")}
    attrs = settings._asdict() | area | {"z": z, "templates": chosen["templates"]}
    columns = as_columns(fit_all(chosen["engine"], galaxy, [ready]), galaxy, np.full(1, np.nan))
    fit = Artefact("fit", {key: _cast(FIT.fields[key], value) for key, value in columns.items()}, attrs, "")
    labels = {key: _cast(LABELS.fields[key], value) for key, value in label_columns(fit).items()}
    if pixel_scale is None:
        labels = {key: value for key, value in labels.items() if not key.startswith(_PER_AREA)}
    return _result(FitInputs(galaxy, ready, transmission, fit), labels, data)


def _checked(templates: str, options: Mapping) -> dict:
    """The keys of the sections ``fit`` and ``preprocessing`` with the values that are given, or their defaults."""
    shared = {key: value for key, value in options.items() if key in Preprocessing.model_fields}
    own = {key: value for key, value in options.items() if key not in shared}
    chosen = config_files.validate({"run": "api", "fit": {**own, "templates": templates}, "preprocessing": shared})
    return chosen.fit.model_dump() | chosen.preprocessing.model_dump()


def _number(value, name: str, low: float = -np.inf) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise SpectrumError(f"{name} is {value!s}; it must be a plain number.") from None
    if not np.isfinite(number):
        raise SpectrumError(f"{name} is {number:g}; it must be a finite number.")
    if number < low:
        raise SpectrumError(f"{name} is {number:g}; it must be at least {low:g}.")
    return number


def _positive(value, name: str) -> float:
    number = _number(value, name)
    if number <= 0.0:
        raise SpectrumError(f"{name} is {number:g}; it must be positive.")
    return number


def _check_range(rest: np.ndarray, fitted) -> None:
    if not np.any((rest >= fitted[0]) & (rest <= fitted[1])):
        raise SpectrumError(
            f"in the rest frame of z the spectrum covers {rest[0]:.0f}-{rest[-1]:.0f} Angstrom, none of it within rest_range "
            f"{fitted[0]:g}-{fitted[1]:g}; check wave and z, or give another rest_range."
        )


def _cast(field, values) -> np.ndarray:
    return np.asarray(values) if field.dtype == "str" else np.asarray(values).astype(field.dtype)


def _as_stored(data: Observed) -> Observed:
    """The spectrum in the precision in which the artefact 'extract' stores it."""
    return Observed(*(_cast(EXTRACT.fields[name], getattr(data, name)) for name in Observed._fields))


def _result(inputs: FitInputs, labels: dict[str, np.ndarray], data: Observed) -> SpectrumFit:
    fit = inputs.artefact
    numbers = {
        n: f for n, f in FIT.fields.items() if f.dims == ("baxel",) and n in fit.data and n not in ("status", "snr")
    }
    values = {name: fit[name][0] * unit_of(field.unit) for name, field in numbers.items()}
    found = {name: LabelValue(*_label(name, labels)) for name in LABEL if name in labels}
    return SpectrumFit(
        status=FitStatus(fit["status"][0]).word,
        values=values,
        lines=_line_table(fit),
        labels=found,
        bpt_class=BptClass(labels["bpt_class"][0]).word,
        spectrum=_spectrum_table(data, inputs),
        stored={**fit.data, **labels},
        inputs=inputs,
    )


def unit_of(text: str) -> u.Unit:
    """A unit of the data model for astropy, which has no unit 'spaxel'."""
    return u.Unit("" if text == "1" else text.removesuffix(" spaxel-1"))


def flag_names(bits: int) -> tuple[str, ...]:
    """Names of the bits of a label's flag."""
    return tuple(bit.word for bit in LabelFlag if int(bits) & bit)


def _label(name: str, labels) -> tuple:
    unit = u.Unit(LABEL[name][0])
    error = u.dex if LABEL[name][0].startswith("dex") else unit
    value, scatter = (np.float64(labels[key][0]) for key in (name, f"{name}_err"))
    return value * unit, scatter * error, flag_names(labels[f"{name}_flag"][0])


def _line_table(fit: Artefact) -> QTable:
    table = QTable({"line": fit["line"], "wave": fit["line_wave"] * u.Angstrom})
    table["status"] = [LineStatus(code).word for code in fit["line_status"][0]]
    for name, field in FIT.fields.items():
        if field.dims == ("baxel", "line") and name in fit.data and name != "line_status":
            table[name.removeprefix("line_")] = fit[name][0] * unit_of(field.unit)
    table.add_index("line")
    return table


def _spectrum_table(data: Observed, inputs: FitInputs) -> QTable:
    """Data and model as observed: what the fit removed, the Milky Way's dust, is put back."""
    galaxy, ready, transmission, fit = inputs
    found = as_observed(data.wave, galaxy.z, transmission, ready, stored_model(fit, 0, galaxy, ready))
    known = data.ivar > 0
    error = np.where(known, 1.0 / np.sqrt(np.where(known, data.ivar, 1.0)), np.inf)
    table = QTable({"wave": data.wave * u.Angstrom, "rest_wave": data.wave / (1.0 + galaxy.z) * u.Angstrom})
    table["flux"], table["error"], table["used"] = data.flux * FLUX_UNIT, error * FLUX_UNIT, found["used"]
    for name in ("stars", "gas", "model"):
        table[name] = found[name] * FLUX_UNIT
    return table
