"""A run's results as tables and arrays with names, coordinates and units."""

import json
from functools import cached_property
from pathlib import Path

import numpy as np
import xarray as xr
from astropy.table import Table
from astropy.wcs import WCS

from mangrove import artefacts
from mangrove.codes import FitStatus
from mangrove.config import Fit, Preprocessing
from mangrove.data_model import EXTRACT, FIT, LABELS, LINE_CUBE_SET
from mangrove.errors import ArtefactError
from mangrove.notebook.as_observed import as_observed, fitted_range
from mangrove.notebook.baxel_model import fitted_baxel, galaxy_lsf, gas_components
from mangrove.notebook.galaxy_maps import galaxies_alike, read_fingerprint
from mangrove.notebook.label_rows import LabelRows
from mangrove.notebook.latent_space import LatentSpaceResults
from mangrove.notebook.map_results import assignments_table, node_labels_dataset
from mangrove.physics.galactic_extinction import galactic_transmission
from mangrove.spectra.fit.stored_model import StoredFit, stored_model
from mangrove.verification import check_chain

_SPECTRA = ("wave", "flux", "ivar", "mask", "lsf")
#: What the model of a baxel is made from.
_STORED = (*StoredFit._fields, "component", "status")
#: Datasets of 'labels' that are places in the file, and those of a galaxy that its baxels are named with.
_INDEX = ("galaxy", "baxel")
_GALAXY = ("plateifu", "mangaid", "z")
#: What :meth:`Run.map` shows: quantities of the baxels, and those of their emission lines.
MAPPED = tuple(name for name, field in LABELS.fields.items() if field.dims == ("row",) and name not in _INDEX)
MAPPED_OF_LINES = tuple(name for name, field in LABELS.fields.items() if field.dims == ("row", "line"))


def open_run(folder) -> "Run":
    """Open a finished run.

    Parameters
    ----------
    folder : path-like
        results/RUN.

    Raises
    ------
    ArtefactError
        If there is no such folder, it has no table of labels (a run of line cubes alone needs none), or one of another
        version of mangrove.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ArtefactError(f"the folder {folder} does not exist; give the folder of a run, such as results/demo.")
    return Run(folder)


class Run(LatentSpaceResults):
    """The results of a run.

    Those of the autoencoders of line cubes are methods of :class:`mangrove.notebook.latent_space.LatentSpaceResults`.

    Attributes
    ----------
    folder : Path
    galaxies : list of str
        plateifu of every galaxy, in the order of the sample sheet; where there are line cubes alone, of their galaxies.
    """

    def __init__(self, folder: Path):
        super().__init__(folder)
        cubes, labels = folder / LINE_CUBE_SET.path, folder / LABELS.path
        self._cubes_only = cubes.is_file() and not labels.is_file()
        if self._cubes_only:
            self.galaxies = artefacts.read(cubes, "line_cube_set", ["plateifu"])["plateifu"].tolist()
        else:
            self.galaxies = self._table.galaxies

    def __repr__(self) -> str:
        size = "line cubes alone" if self._cubes_only else f"{self._table.start[-1]} baxels"
        return f"<Run {self.folder}: {len(self.galaxies)} galaxies, {size}>"

    @cached_property
    def _table(self) -> LabelRows:
        return LabelRows(self.folder / LABELS.path)

    def labels(self, plateifu: str | None = None) -> Table:
        """Labels, kinematics and positions, one row per baxel of one galaxy or of all; NaN where there is no value.

        Units are in the columns; the flags' bits are named in docs/labels.md. Lines are in :meth:`lines`.
        """
        found = self._read_labels([*_GALAXY, *_INDEX, *MAPPED], plateifu)
        table = Table({name: found[name][found["galaxy"]] for name in _GALAXY})
        table["baxel"] = found["baxel"]
        for name in MAPPED:
            field = LABELS.fields[name]
            table[name] = found[name]
            table[name].description = field.meaning
            table[name].unit = _table_unit(name, field.unit)
        return table

    def lines(self, plateifu: str | None = None) -> xr.Dataset:
        """Emission lines over (row, line), one row per baxel of one galaxy or of all: ``.sel(line="Halpha_6565")``."""
        found = self._read_labels(["line", "line_wave", "plateifu", *_INDEX, *MAPPED_OF_LINES], plateifu)
        coordinates = {"line": found["line"].tolist(), "line_wave": ("line", found["line_wave"])}
        coordinates |= {"plateifu": ("row", found["plateifu"][found["galaxy"]])}
        coordinates |= {"baxel": ("row", found["baxel"])}
        variables = {name: (("row", "line"), found[name], _about(LABELS, name)) for name in MAPPED_OF_LINES}
        return xr.Dataset(variables, coordinates)

    def about(self, plateifu: str) -> dict:
        """What the table of labels says of a galaxy as a whole: mangaid, z, galaxy_status, galaxy_reason, spaxel_count, ..."""
        return self._table.about(self._known(plateifu))

    def check_bins(self, plateifu: str) -> None:
        """Refuse a galaxy whose labels were not made from its bins as they are now.

        Raises
        ------
        ArtefactError
            The text has the command that mends it.
        """
        self._check_chain(plateifu, artefacts.read(self._path(EXTRACT, plateifu), "extract", []))

    def map(self, plateifu: str, name: str, line: str | None = None) -> xr.DataArray:
        """A quantity of the baxels over the spaxels of a galaxy, NaN where there is no baxel.

        Parameters
        ----------
        name : str
            A column of :meth:`labels`, or, with ``line``, a variable of :meth:`lines`.

        Returns
        -------
        DataArray, dims (spaxel_y, spaxel_x)
            Floating point, flags and codes too.

        Raises
        ------
        ArtefactError
            If the run has no such galaxy or quantity, or its labels were not made from its bins as they are now.
        """
        known = MAPPED if line is None else MAPPED_OF_LINES
        if line is None and name in MAPPED_OF_LINES:
            raise ArtefactError(f"'{name}' belongs to an emission line; name the line, as in line='Halpha_6565'.")
        if name not in known:
            raise ArtefactError(f"no map of '{name}'{_of_line(line)}; there are {', '.join(known)}.")
        values = self._read_labels([name], plateifu)[name]
        if line is not None:
            values = values[:, self._line(line)]
        extract = artefacts.read(self._path(EXTRACT, plateifu), "extract", ["bin_id"])
        self._check_chain(plateifu, extract)
        bins = extract["bin_id"]
        image = np.full(bins.shape, np.nan)
        image[bins >= 0] = values[bins[bins >= 0]]
        return xr.DataArray(image, dims=("spaxel_y", "spaxel_x"), name=name, attrs=_about(LABELS, name))

    def assignments(self, plateifu: str | None = None) -> Table:
        """Places on the map of spectra, one row per baxel of one galaxy or of all that the map took.

        Columns: plateifu, mangaid, baxel; node as artefacts count (-1: none), row and column of it from 1, row 1 at the
        bottom (0: none), the same of the second best node; distances, typicality, mse, radius_re, snr; split, and the cut
        that kept it out of the training, by name.

        Raises
        ------
        ArtefactError
            If the run has no map of spectra, or the map no such galaxy.
        """
        return assignments_table(self.folder, plateifu)

    def node_labels(self) -> xr.Dataset:
        """Labels on the nodes of the map of spectra over (node, label): median, errors, quantiles, histogram, counts.

        Units are the coordinate ``unit`` of each label; ``row`` and ``column`` of the nodes are from 1, row 1 at the bottom.

        Raises
        ------
        ArtefactError
            If the run has no map of spectra.
        """
        return node_labels_dataset(self.folder)

    def wcs(self, plateifu: str) -> WCS:
        """The celestial frame of a galaxy's maps, for ``plt.subplot(projection=...)``."""
        text = artefacts.read(self._path(EXTRACT, plateifu), "extract", []).attrs["wcs"]
        if not text:
            raise ArtefactError(f"{plateifu} has no celestial frame.")
        return WCS(text)

    def spectrum(self, plateifu: str, baxel: int) -> xr.Dataset:
        """A baxel's spectrum with the model of its fit, both as observed, over the vacuum wavelengths.

        Returns
        -------
        Dataset
            flux, ivar, mask, lsf as in the artefact 'extract'; stars, gas and model (their sum), which are NaN outside
            the fitted range and where there is no fit; used (pixels that counted); transmission of the Milky Way's dust,
            which the model contains and the numbers of the fit do not; component_gas, the gas by its components over
            (component, wave), NaN for those that the baxel's model does not have.
        """
        path, fit = self._path(EXTRACT, plateifu), artefacts.read(self._path(FIT, plateifu), "fit", list(_STORED))
        self._check_baxel(plateifu, baxel, len(fit["status"]))
        extract = self._one_spectrum(path, baxel)
        self._check_chain(plateifu, extract)
        wave = extract["wave"]
        transmission = galactic_transmission(wave, fit.attrs["ebv_galactic"] * fit.attrs["ebv_scale"])
        galaxy, ready = fitted_baxel(path, extract, fit, baxel, transmission)
        model = stored_model(fit, baxel, galaxy, ready)
        found = {name: ("wave", extract[name], _about(EXTRACT, name)) for name in _SPECTRA if name != "wave"}
        flux_unit = {"units": EXTRACT.fields["flux"].unit}
        for name, values in as_observed(wave, galaxy.z, transmission, ready, model).items():
            found[name] = ("wave", values, {} if name == "used" else flux_unit)
        found["transmission"] = ("wave", transmission)
        parts = np.full((fit["component"].size, wave.size), np.nan)
        if model is not None:
            inside = fitted_range(wave, galaxy.z, ready)
            parts[:, inside] = gas_components(fit, baxel, galaxy, ready, model) * transmission[inside]
        found["component_gas"] = (("component", "wave"), parts, flux_unit)
        coordinates = {
            "wave": ("wave", wave, _about(EXTRACT, "wave")),
            "rest_wave": ("wave", wave / (1.0 + galaxy.z), {"units": "Angstrom"}),
            "component": fit["component"].tolist(),
        }
        status = FitStatus(fit["status"][baxel]).word
        return xr.Dataset(found, coordinates, {"plateifu": plateifu, "baxel": baxel, "z": galaxy.z, "status": status})

    def fit_arguments(self, plateifu: str, baxel: int) -> dict:
        """Arguments of :func:`mangrove.api.fit_spectrum` that repeat the fit of a baxel; change one to see its effect.

        The same numbers come out, unless the stellar kinematics were guided by those of another baxel
        (``fit.stellar_kinematics`` other than 'free').
        """
        path, fit = self._path(EXTRACT, plateifu), artefacts.read(self._path(FIT, plateifu), "fit", ["status"])
        self._check_baxel(plateifu, baxel, len(fit["status"]))
        extract = self._one_spectrum(path, baxel)
        self._check_chain(plateifu, extract)
        arguments = {name: extract[name] for name in _SPECTRA}
        arguments["template_lsf"] = galaxy_lsf(path, extract.content_hash).copy()
        # How many galaxies one job fits is no part of a result.
        chosen = ({*Fit.model_fields} - {"chunk"}) | {*Preprocessing.model_fields}
        arguments |= {name: fit.attrs[name] for name in ("z", "seed", "pixel_scale", *sorted(chosen))}
        return arguments | {"name": plateifu, "baxel": baxel, "ebv": fit.attrs["ebv_galactic"]}

    def fingerprint(self, plateifu: str) -> xr.Dataset:
        """The baxels of a galaxy on the nodes of the map of spectra, over (row, column) from 1, row 1 at the bottom.

        Returns
        -------
        Dataset
            counts, weight, normalised, mean_radius as in the artefact 'fingerprints'; n_baxel, n_patch and patch_spread
            are attributes.
        """
        return read_fingerprint(self.folder, self._known(plateifu))

    def galaxies_like(self, plateifu: str, n: int = 10) -> Table:
        """The n galaxies nearest to one on the map of galaxies: names, nodes, steps, overlap of the fingerprints.

        Column and row of a node count from 1; a diagonal step counts as one; the overlap is the part of the baxels that
        the two fingerprints share.
        """
        return galaxies_alike(self.folder, self._known(plateifu), n)

    def _read_labels(self, names: list[str], plateifu: str | None) -> dict[str, np.ndarray]:
        return self._table.read(names, None if plateifu is None else self._known(plateifu))

    def _known(self, plateifu: str) -> str:
        if plateifu not in self.galaxies:
            few = ", ".join(self.galaxies[:5])
            raise ArtefactError(
                f"{self.folder} has no galaxy '{plateifu}'; it has {len(self.galaxies)}, such as {few}."
            )
        return plateifu

    def _line(self, line: str) -> int:
        names = self._table.read(["line"])["line"].tolist()
        if line not in names:
            raise ArtefactError(f"no line '{line}'; there are {', '.join(names)}.")
        return names.index(line)

    def _path(self, kind, plateifu: str) -> Path:
        return self.folder / kind.path.format(plateifu=self._known(plateifu))

    def _one_spectrum(self, path: Path, baxel: int) -> artefacts.Artefact:
        """The artefact 'extract' with the spectrum of one baxel alone: those of a galaxy take a hundred megabytes."""
        with artefacts.opened(path, "extract") as file:
            data = {name: file[name][...] if name == "wave" else file[name][baxel] for name in _SPECTRA}
            attrs = artefacts.attributes(file)
        return artefacts.Artefact("extract", data, attrs, attrs["content_hash"])

    def _check_chain(self, plateifu: str, extract: artefacts.Artefact) -> None:
        inputs = json.loads(self._table.attrs["inputs"])
        check_chain(self.folder, inputs, self._path(EXTRACT, plateifu), extract.content_hash)

    def _check_baxel(self, plateifu: str, baxel: int, n: int) -> None:
        if not 0 <= baxel < n:
            raise ArtefactError(f"{plateifu} has {n} baxels, counted from 0; there is no baxel {baxel}.")


def _about(kind, name: str) -> dict[str, str]:
    return {"units": kind.fields[name].unit, "long_name": kind.fields[name].meaning}


def _of_line(line: str | None) -> str:
    return "" if line is None else f" of line '{line}'"


def _table_unit(name: str, unit: str) -> str | None:
    """Unit for a column of an astropy table, which knows no spaxel."""
    text = unit.removesuffix(" spaxel-1")
    if name.endswith("_err") and text.startswith("dex"):
        text = "dex"
    return None if text in ("1", "spaxel") else text
