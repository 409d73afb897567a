"""Galaxies of few baxels as artefacts of their own, from which those of a survey of any size are made.

A few originals are simulated and fitted as in a run. A galaxy of the survey is one of them under another name, with
noise of its own in its spectra and a disc of its own in its line cube. There are no spaxels behind the baxels.
"""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from support.baxels import simulated_extracts, write_extracts

from mangrove import artefacts
from mangrove.artefacts import Artefact
from mangrove.codes import SpaxelStatus
from mangrove.data_model import KINDS
from mangrove.physics.lines import window_lines
from mangrove.physics.wavelengths import C_KMS
from mangrove.spectra.fit.batched.chunk import fit_chunk
from mangrove.spectra.fit.batched.kept import tasks_of
from mangrove.spectra.fit.settings import FitSettings
from mangrove.survey.galaxy import Galaxy

#: Originals, baxels of each, their S/N (all of them are bright enough for the training spectra).
N_ORIGINAL, N_BAXEL, SNR = 8, 3, (20.0, 60.0)
#: Pixels about each line, spaxels of a side, and error of a pixel of line cubes, over their peak.
N_PIXEL, SIDE, _ERROR = 4, 8, 0.05
_PIXEL_KMS = 69.0
KINDS_OF_GALAXY = ("extract", "fit", "line_cube")


class Original(NamedTuple):
    """A galaxy with the artefacts 'extract', 'fit' and 'line_cube': its redshift and extinction, and paths by kind."""

    z: float
    ebv: float
    path: dict[str, Path]


def originals(folder: Path) -> list[Original]:
    """The originals, simulated and fitted if their artefacts are not in a folder yet."""
    if not (folder / "line_cube").is_dir():
        _make(folder)
    found = []
    for path in sorted((folder / "extract").iterdir()):
        about = artefacts.read(path, "extract", []).attrs
        of = {kind: folder / kind / path.name for kind in KINDS_OF_GALAXY}
        found.append(Original(about["z"], about["ebv_galactic"], of))
    return found


def as_galaxies(rows: Sequence[Galaxy], known: Sequence[Original]) -> list[Galaxy]:
    """Rows of a sample sheet with the redshift and extinction of the originals behind them, which come in turn."""
    behind = [known[i % len(known)] for i in range(len(rows))]
    return [replace(row, z=one.z, ebv=one.ebv) for row, one in zip(rows, behind, strict=True)]


def write_galaxies(run: Path, rows: Sequence[Galaxy], known: Sequence[Original], first: int = 0) -> None:
    """Write the artefacts of galaxies, one kind after the other.

    They are copies of the originals', changed in place: to write them anew would take ten times as long.

    Parameters
    ----------
    run : Path
        results/RUN.
    rows : sequence of Galaxy
        The whole sample.
    known : sequence of Original
    first : int
        Index of the first galaxy to write.
    """
    for kind, change in zip(KINDS_OF_GALAXY, (_add_noise, _leave, _draw_disc), strict=True):
        for i in range(first, len(rows)):
            path = run / KINDS[kind].path.format(plateifu=rows[i].plateifu)
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(known[i % len(known)].path[kind], path)
            with h5py.File(path, "r+") as file:
                file.attrs["plateifu"], file.attrs["mangaid"] = rows[i].plateifu, rows[i].mangaid
                change(file, np.random.default_rng(i))
                file.attrs["content_hash"] = artefacts.content_hash(file)


def _make(folder: Path) -> None:
    extracts = simulated_extracts(N_ORIGINAL, N_BAXEL, SNR)
    paths = write_extracts(folder / "extract", extracts)
    params = FitSettings()._asdict() | {"templates": "mastar", "ebv_scale": 1.0, "seed": 1, "engine": "batched"}
    for name, attribute in (("z", "z"), ("ebv", "ebv_galactic")):
        params[name] = {path.stem: one.attrs[attribute] for path, one in zip(paths, extracts, strict=True)}
    fit_chunk(tasks_of(paths, [folder / "fit" / path.name for path in paths], params))
    for path, extract in zip(paths, extracts, strict=True):
        _write_line_cube(folder / "line_cube" / path.name, extract)


def _leave(file: h5py.File, rng: np.random.Generator) -> None:
    """Nothing to change: a fit is that of the original."""


def _add_noise(file: h5py.File, rng: np.random.Generator) -> None:
    """Give the spectra noise of their own, as large as what they have."""
    flux, ivar = file["flux"][...], file["ivar"][...]
    error = np.where(ivar > 0, np.maximum(ivar, np.finfo(np.float32).tiny) ** -0.5, 0.0)
    file["flux"][...] = flux + error * rng.standard_normal(flux.shape, dtype=np.float32)
    file["ivar"][...] = ivar / 2.0


def _draw_disc(file: h5py.File, rng: np.random.Generator) -> None:
    """Draw another disc, with noise."""
    flux = _disc(len(file["line"]), rng)
    file["flux"][...] = flux + np.float32(_ERROR) * rng.standard_normal(flux.shape, dtype=np.float32)


def _write_line_cube(path: Path, extract: Artefact) -> None:
    """Write a line cube without flux."""
    lines, z = window_lines(), extract.attrs["z"]
    shape = (len(lines.name), N_PIXEL, SIDE, SIDE)
    step = np.exp((np.arange(N_PIXEL) - N_PIXEL // 2) * _PIXEL_KMS / C_KMS)
    data = {
        "flux": np.zeros(shape),
        "ivar": np.full(shape, _ERROR**-2.0),
        "valid": np.ones(shape),
        "window_wave": (1.0 + z) * np.asarray(lines.wave)[:, None] * step,
        "line": np.array(lines.name),
        "spaxel_status": np.full((SIDE, SIDE), SpaxelStatus.BINNED),
    }
    attrs = {name: extract.attrs[name] for name in KINDS["line_cube"].attributes}
    attrs |= {"status": "ok", "reason": "", "r_e": 2.0, "centre_in_field": True}
    artefacts.write(path, "line_cube", data, artefacts.Provenance(), attrs)


def _disc(n_line: int, rng: np.random.Generator) -> np.ndarray:
    """Flux of a disc with lines of random strength, float32, shape (n_line, n_pixel, side, side)."""
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    light = np.exp(-np.hypot(x, y) / rng.uniform(1.0, 3.0))
    profile = np.exp(-0.5 * (np.arange(N_PIXEL) - N_PIXEL // 2) ** 2)
    strength = rng.exponential(size=n_line)
    return (light * (0.3 + strength[:, None] * profile)[:, :, None, None]).astype(np.float32)
