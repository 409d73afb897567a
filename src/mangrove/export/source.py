"""What an export uses: the table of labels of a run, its sample sheet, and the attributes of its galaxies."""

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np
from astropy.io import fits

from mangrove import artefacts, config_files
from mangrove.config import Config
from mangrove.data_model import EXTRACT, LABELS
from mangrove.errors import ArtefactError, ConfigError, SampleError, TemplateError
from mangrove.export.fits_files import fits_text
from mangrove.export.quality import baxel_quality, galaxy_quality
from mangrove.ssp.loading import load_library
from mangrove.survey.sample import Galaxy, read_sheet
from mangrove.verification import check_chain

_ABOUT = ("drpver", "centre_in_field", "wcs", "content_hash")


class Source:
    """The artefact 'labels' of a run, open, with what belongs to its galaxies.

    Attributes
    ----------
    folder : Path
        Of the run.
    config : Config
    file : h5py.File
        The artefact 'labels'.
    galaxies : list of Galaxy
        Rows of the sheet, in the order of the artefact.
    n_baxel : ndarray of int, shape (n_galaxy,)
    """

    def __init__(self, folder: Path, run_config: Config, file: h5py.File):
        self.folder, self.config, self.file = folder, run_config, file
        names = [str(name) for name in file["plateifu"].asstr()[...]]
        self.galaxies = _matched(names, read_sheet(run_config), run_config)
        self.n_baxel = file["n_baxel_of_galaxy"][...]
        self._starts = np.concatenate([[0], np.cumsum(self.n_baxel)])
        self._hashes = json.loads(file.attrs["inputs"])

    def rows(self, i: int) -> slice:
        """The baxels of galaxy ``i`` in the table of labels."""
        return slice(int(self._starts[i]), int(self._starts[i + 1]))

    def of_galaxy(self, values) -> np.ndarray:
        """Values of galaxies, one for each of their baxels."""
        return np.repeat(np.asarray(values), self.n_baxel)

    def extract(self, i: int) -> Path:
        """Path of the artefact 'extract' of galaxy ``i``."""
        return self.folder / EXTRACT.path.format(plateifu=self.galaxies[i].plateifu)

    def check_extract(self, path: Path, content_hash: str) -> None:
        """Refuse an extract that is not the one that the labels were made from.

        Raises
        ------
        ArtefactError
            See :func:`mangrove.verification.check_chain`.
        """
        check_chain(self.folder, self._hashes, path, content_hash)

    @cached_property
    def about(self) -> list[dict]:
        """Per galaxy: drpver, centre_in_field, wcs and content_hash of its artefact 'extract'."""
        return [self._about(self.extract(i)) for i in range(len(self.galaxies))]

    @cached_property
    def quality(self) -> np.ndarray:
        """Bits of every baxel, shape (n_baxel,)."""
        columns = (self.file[name][...] for name in ("status", "chi2_reduced", "ra", "extent_re"))
        return baxel_quality(*columns, self.of_galaxy([about["centre_in_field"] for about in self.about]))

    @cached_property
    def n_good(self) -> np.ndarray:
        """Number of baxels without a bit, per galaxy."""
        good = np.concatenate([[0], np.cumsum(self.quality == 0)])
        return good[self._starts[1:]] - good[self._starts[:-1]]

    @cached_property
    def galaxy_quality(self) -> np.ndarray:
        """Bits of every galaxy, shape (n_galaxy,)."""
        status = self.file["galaxy_status"].asstr()[...]
        rows = zip(status, self.n_baxel, self.n_good, self.about, strict=True)
        return np.array([galaxy_quality(*row) for row in rows], np.int32)

    @cached_property
    def header(self) -> fits.Header:
        """Cards that every exported file has: which run, schema, labels, pipelines and masses."""
        versions = sorted({about["drpver"] for about in self.about} - {""})
        header = fits.Header()
        header["ORIGIN"] = "mangrove"
        header["RUN"] = (self.config.run, "name of the run")
        header["RELEASE"] = (self.config.survey.release, "data release")
        header["SCHEMA"] = (int(self.file.attrs["schema_version"]), "version of the data model")
        header["LABHASH"] = str(self.file.attrs["content_hash"])
        header["DRPVER"] = (", ".join(versions), "data reduction pipeline")
        # Of the fits, not of the configuration, which may have changed since.
        templates = artefacts.attributes(self.file)["templates"]
        header["TEMPLATE"] = fits_text(templates)
        header["IMF"] = fits_text(_imf(templates))
        header["COMMENT"] = "LABHASH: content hash of the table of labels (labels.h5)."
        header["COMMENT"] = "IMF: that of templates and masses; star formation is for Kroupa."
        return header

    def _about(self, path: Path) -> dict:
        with artefacts.opened(path, "extract") as f:
            attrs = artefacts.attributes(f)
            about = {name: attrs[name] for name in _ABOUT}
        self.check_extract(path, about["content_hash"])
        return about


def labels_path(folder: Path) -> Path:
    """Path of the table of labels of a run.

    Raises
    ------
    ArtefactError
        If it is not there; the text says what to run.
    """
    path = folder / LABELS.path
    if not path.is_file():
        raise ArtefactError(
            f"{path} does not exist: the run has no table of labels yet. Make it with\n"
            f"  snakemake {path} --cores 8 --configfile configs/YOUR.yaml\n"
            "where YOUR.yaml is the configuration of the run, and export again."
        )
    return path


def recorded_config(folder: Path, command: str = "export RUN") -> Config:
    """The configuration that a run has noted in its ``provenance.json``; ``command`` is the user's, for the error.

    Raises
    ------
    ConfigError
        If the run has noted none.
    """
    path = folder / "provenance.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))["config"]
    except (OSError, ValueError, KeyError):
        raise ConfigError(
            f"{path} does not hold the configuration of the run (the workflow writes it at its end). Name the file: "
            f"mangrove {command} --config configs/YOUR.yaml"
        ) from None
    return config_files.validate(values, [path])


def _imf(templates: str) -> str:
    try:
        return load_library(templates).imf
    except TemplateError:
        return "unknown: the template library of the run is not available"


def _matched(names: list[str], sheet: Mapping[str, Galaxy], run_config: Config) -> list[Galaxy]:
    lacking, extra = [n for n in names if n not in sheet], sorted(set(sheet) - set(names))
    if lacking or extra:
        raise SampleError(
            f"the sample sheet {run_config.sheet} (run '{run_config.run}') and the table of labels differ: "
            + "; ".join(
                f"{len(some)} only in the {where}, for example {some[0]}"
                for some, where in ((lacking, "table"), (extra, "sheet"))
                if some
            )
            + ". Run the workflow again, or give the run's configuration with --config."
        )
    return [sheet[name] for name in names]
