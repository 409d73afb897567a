"""New spectra on a trained map of spectra: prepared as those of its training, their node, and what its labels are."""

from functools import cached_property
from pathlib import Path

import numpy as np
from astropy import units as u

from mangrove import artefacts
from mangrove.codes import PlacementFlag, TrainingCut
from mangrove.errors import ModelError, SpectrumError
from mangrove.notebook.inputs import Observed, observed_spectrum
from mangrove.notebook.spectrum_place import NodeLabel, NodePlace, SpectrumPlace
from mangrove.physics.galactic_extinction import galactic_transmission
from mangrove.physics.wavelengths import SIGMA_TO_FWHM, log_edges
from mangrove.spectra.binning.coadd import Baxels, baxel_snr
from mangrove.spectra.observed import corrected
from mangrove.spectra.training import rest_frame

#: Share of filled bins above which a spectrum is flagged: masks of sky lines take half of that.
_MANY_FILLED = 0.02
#: Part by which the resolving power may differ from that of the training spectra.
_OTHER_RESOLUTION = 0.15
_UNTYPICAL = 0.01
#: Where the S/N is measured, observed frame, Angstrom (default of extract.continuum_range), and its pixel: MaNGA's 1e-4 dex.
_CONTINUUM, _SNR_PIXEL = [5600.0, 6750.0], 1e-4 * np.log(10.0)
#: Levels of the interval that is given of each label.
_INTERVAL = (0.16, 0.5, 0.84)
_OF_MAP = ["wave", "lsf", "prototype_latent", "quantile", "distance_quantile"]


def open_map(folder) -> "SpectrumMap":
    """Open the map of spectra of a run, to place new spectra on it.

    Parameters
    ----------
    folder : path-like
        results/RUN/desom.

    Raises
    ------
    ModelError
        If it has no whole model, none was trained, or its files belong to different models.
    ArtefactError
        If map.h5 or node_labels.h5 is missing or damaged.
    """
    return SpectrumMap(Path(folder))


class SpectrumMap:
    """A trained map of spectra with the labels of its nodes.

    Attributes
    ----------
    folder : Path
    rows, columns : int
    levels : ndarray
        Those of the labels' quantiles.
    label_units : dict of str
        Units of the labels by their names.
    """

    def __init__(self, folder: Path):
        from mangrove.models.desom.model import DESOM, MapModel  # JAX is slow to import, and fits do without it

        self.folder = folder
        self._model = MapModel.load(folder / "model", DESOM)
        self._nodes = artefacts.read(folder / "map.h5", "desom_map", _OF_MAP)
        self._labels = artefacts.read(folder / "node_labels.h5", "node_labels")
        self._check()
        self.rows, self.columns = self._model.grid.rows, self._model.grid.columns
        self.levels = self._labels["quantile"]
        units = zip(self._labels["label"].tolist(), self._labels["label_unit"].tolist(), strict=True)
        self.label_units: dict[str, str] = dict(units)

    def __repr__(self) -> str:
        return f"<SpectrumMap {self.folder}: {self.rows} x {self.columns} nodes>"

    def place(
        self, wave, flux, ivar, z: float, *, lsf=None, mask=None, ebv=None, air: bool | None = False, z_doubtful=False
    ) -> SpectrumPlace:
        """Prepare a spectrum as those of the training, and find its node.

        Parameters
        ----------
        wave, flux, mask
            As in :func:`mangrove.api.fit_spectrum`.
        ivar : array or Quantity or None, shape (n_wave,)
            Inverse variance; it tells which pixels are data (positive). None: all that are finite.
        z : float
            Redshift.
        lsf : float, array or Quantity, optional
            Line spread, as in :func:`mangrove.api.fit_spectrum`; only compared with that of the training.
        ebv : float, optional
            Galactic E(B-V), mag; its extinction is removed if it was from the training spectra.
        air : bool or None
            Whether the wavelengths are in air; None if that is not known: flagged, and taken to be in vacuum.
        z_doubtful : bool
            Whether the redshift is in doubt, which is flagged.

        Raises
        ------
        SpectrumError
            If arrays, numbers or units are inconsistent, the spectrum has fewer good bins than the training asked for,
            or no positive flux in the normalisation band.
        """
        z, about = _redshift(z), self._nodes.attrs
        known_errors = ivar is not None
        ivar = ivar if known_errors else _plain_ivar(flux)
        data = observed_spectrum(wave, flux, ivar, 1.0 if lsf is None else lsf, mask, bool(air))
        _check_data(data)
        removed = _extinction(ebv) * about["ebv_scale"] if about["galactic_extinction"] else 0.0
        transmission = galactic_transmission(data.wave, removed)
        found, _, good = corrected(data.wave, data.flux, data.ivar, data.mask, transmission, about["sky_half_width"])
        rest = rest_frame.rest_spectra(data.wave, found[None], good[None], np.full(1, np.inf), z, self._settings)
        self._check_cut(data, z, rest)
        power = _resolving_power(self._wave, rest_frame.rest_lsf(data.wave, data.lsf, z, self._wave))
        snr = _snr(data) if known_errors else np.nan
        flags = {
            PlacementFlag.ERRORS_UNKNOWN: not known_errors,
            PlacementFlag.EXTINCTION_LEFT: about["galactic_extinction"] and ebv is None,
            PlacementFlag.RESOLUTION_UNKNOWN: lsf is None,
            PlacementFlag.REDSHIFT_DOUBTFUL: bool(z_doubtful),
            PlacementFlag.LOW_SNR: snr < about["min_snr"],
            PlacementFlag.MEDIUM_UNKNOWN: air is None,
        }
        return self._placed(rest, np.nan if lsf is None else power, snr, flags)

    @property
    def _wave(self) -> np.ndarray:
        return self._nodes["wave"]

    @cached_property
    def _settings(self) -> dict:
        """As :func:`mangrove.spectra.training.rest_frame.rest_spectra` takes them; a low S/N is flagged, not refused."""
        edges, about = log_edges(self._wave), self._nodes.attrs
        shared = {name: about[name] for name in ("norm_band", "min_good_fraction")}
        return shared | {"rest_range": (edges[0], edges[-1]), "n_wave": self._wave.size, "min_snr": -np.inf}

    def _check(self) -> None:
        """Refuse files of different models."""
        model, nodes = self._model, self._nodes
        if not nodes.ok:
            raise ModelError(f"{self.folder / 'map.h5'} holds no map: {nodes.attrs['reason']}.")
        model.demand_wave(nodes["wave"])
        if not np.array_equal(nodes["prototype_latent"], model.prototypes):
            raise ModelError(
                f"{self.folder / 'map.h5'} was made with another model than that in {self.folder / 'model'}. Run the workflow "
                "again."
            )
        if (self._labels.attrs["rows"], self._labels.attrs["columns"]) != (model.grid.rows, model.grid.columns):
            raise ModelError(
                f"{self.folder / 'node_labels.h5'} belongs to a map of another size. Run the workflow again."
            )
        if self._labels.attrs["model_hash"] != nodes.attrs["model_hash"]:
            raise ModelError(
                f"{self.folder / 'node_labels.h5'} has the labels of another map than {self.folder / 'map.h5'}. Copy both "
                "from one run, or run the workflow again."
            )

    def _check_cut(self, data: Observed, z: float, rest: rest_frame.RestSpectra) -> None:
        """Refuse a spectrum as the training would, with the numbers."""
        low, high = log_edges(self._wave)[[0, -1]]
        n_good, needed = int(np.sum(~rest.mask)), int(np.ceil(self._settings["min_good_fraction"] * self._wave.size))
        if rest.cut[0] == TrainingCut.TOO_FEW_GOOD_PIXELS:
            seen = data.wave[~data.mask][[0, -1]] / (1.0 + z)
            raise SpectrumError(
                f"too few good bins: {n_good} of {self._wave.size}, and the map asks for {needed}. In the rest frame (z = "
                f"{z:g}) its data cover {seen[0]:.0f}-{seen[1]:.0f} Angstrom, the map {low:.0f}-{high:.0f}. Check "
                "wavelengths and redshift, or take a map trained on a range that the spectrum covers."
            )
        if rest.cut[0] == TrainingCut.NO_NORMALISATION:
            band = self._nodes.attrs["norm_band"]
            raise SpectrumError(
                f"no positive mean flux at {band[0]:g}-{band[1]:g} Angstrom, rest frame, by which spectra are normalised: "
                "there is no data there, or the spectrum is too faint."
            )

    def _placed(
        self, rest: rest_frame.RestSpectra, power: float, snr: float, flags: dict[PlacementFlag, bool]
    ) -> SpectrumPlace:
        from mangrove.models.desom.assignment import assign

        found = assign(self._model, rest.flux, rest.mask)
        if not np.isfinite(found.distance[0]):
            raise SpectrumError(
                "its normalised flux is too large for the network; check the flux in the normalisation band."
            )
        distance, filled = float(found.distance[0]), float(rest.mask.mean())
        typicality = 1.0 - float(np.interp(distance, self._nodes["distance_quantile"], self._nodes["quantile"]))
        of_map = _resolving_power(self._wave, self._nodes["lsf"])
        flags = flags | {
            PlacementFlag.MANY_FILLED: filled > _MANY_FILLED,
            PlacementFlag.OTHER_RESOLUTION: abs(power / of_map - 1.0) > _OTHER_RESOLUTION,
            PlacementFlag.UNTYPICAL: typicality < _UNTYPICAL,
        }
        return SpectrumPlace(
            node=self._node(found.node[0]),
            second_node=self._node(found.second_node[0]),
            distance=distance,
            second_distance=float(found.second_distance[0]),
            typicality=typicality,
            mse=float(found.mse[0]),
            filled=filled,
            snr=snr,
            resolving_power=power,
            map_resolving_power=of_map,
            flags=tuple(flag.word for flag in PlacementFlag if flags[flag]),
            labels={name: self._label(int(found.node[0]), i) for i, name in enumerate(self.label_units)},
            wave=self._wave,
            flux=rest.flux[0],
            mask=rest.mask[0],
        )

    def _node(self, node: int) -> NodePlace:
        row, column = divmod(int(node), self.columns)
        return NodePlace(row + 1, column + 1)

    def _label(self, node: int, i: int) -> NodeLabel:
        stored, unit = self._labels, u.Unit(str(self._labels["label_unit"][i]))
        values = stored["value"][node, i].astype(float)
        low, median, high = np.interp(_INTERVAL, self.levels, values) * unit
        return NodeLabel(
            median,
            low,
            high,
            values * unit,
            stored["edge"][i] * unit,
            stored["histogram"][node, i],
            int(stored["n_baxel"][node, i]),
            int(stored["pool_radius"][node, i]),
            float(stored["ring_weight"][node, i]),
        )


def _redshift(z) -> float:
    if z is None:
        raise SpectrumError("it has no redshift; give one (option --z).")
    try:
        number = float(z)
    except (TypeError, ValueError):
        raise SpectrumError(f"the redshift is {z!s}; it must be a number.") from None
    if not np.isfinite(number) or number <= -1.0:
        raise SpectrumError(f"the redshift is {number:g}; it must be a finite number above -1.")
    return number


def _extinction(ebv) -> float:
    if ebv is None:
        return 0.0
    if not (np.isfinite(ebv) and ebv >= 0):
        raise SpectrumError(f"the Galactic E(B-V) is {ebv:g}; it must be 0 or more.")
    return float(ebv)


def _plain_ivar(flux):
    """Ones in the unit that goes with the flux, as errors that say nothing."""
    ones = np.ones(np.shape(flux))
    return ones * flux.unit**-2 if isinstance(flux, u.Quantity) else ones


def _check_data(data: Observed) -> None:
    if data.mask.all():
        raise SpectrumError(
            "no pixel is data: flux or inverse variance is NaN, infinite or 0 everywhere, or all pixels are masked."
        )


def _snr(data: Observed) -> float:
    """S/N per 69 km/s as that of a baxel, from the S/N per pixel; over all its range where it has nothing in the continuum's."""
    inside = (data.wave >= _CONTINUUM[0]) & (data.wave <= _CONTINUUM[1]) & ~data.mask
    where = _CONTINUUM if inside.any() else [data.wave[0], data.wave[-1]]
    spectrum = Baxels(*(values[None] for values in (data.flux, data.ivar, data.mask, data.lsf)))
    pixel = np.log(data.wave[-1] / data.wave[0]) / (data.wave.size - 1)
    return float(baxel_snr(data.wave, spectrum, where)[0]) * np.sqrt(_SNR_PIXEL / pixel)


def _resolving_power(wave: np.ndarray, sigma: np.ndarray) -> float:
    """Median of wavelength over full width at half maximum; NaN where no line spread is known."""
    known = np.isfinite(sigma)
    return float(np.median(wave[known] / sigma[known])) / SIGMA_TO_FWHM if known.any() else np.nan
