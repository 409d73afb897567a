"""One of the copies that the autoencoders are trained on, as a FITS file."""

import json
from pathlib import Path

import numpy as np
from astropy.io import fits

from mangrove import artefacts, outputs
from mangrove.artefacts import Artefact
from mangrove.config import Config
from mangrove.data_model import FLUX, LINE_CUBE_SET
from mangrove.data_model_autoencoders import AUGMENTATION_TABLE
from mangrove.errors import ArtefactError, OutputError
from mangrove.export.columns import inverse_variance_unit
from mangrove.export.fits_files import fits_text
from mangrove.export.images import image_hdu
from mangrove.models.convlstm.augmentation import augmented
from mangrove.models.convlstm.copies import Copy
from mangrove.models.convlstm.cubes import Cubes, LineCubes
from mangrove.near_names import closest
from mangrove.verification import check_made_from

#: Where a copy goes in the folder of a run, if the user does not say.
FILE = "export/copies/{plateifu}-copy{copy}.fits"
_CARDS = {
    "flip": ("FLIP", "1: columns reversed, first of all"),
    "quarter_turns": ("QTURNS", "then turns by 90 deg, rows towards columns"),
    "shift_y": ("SHIFTY", "[pix] then shift towards higher rows"),
    "shift_x": ("SHIFTX", "[pix] and towards higher columns"),
    "noise_seed": ("NSEED", "seed of the noise added last; 0: none"),
}


def augmented_cube(folder: Path, plateifu: str, copy: int, config: Config) -> fits.HDUList:
    """One copy of a galaxy's line cube, with the very noise that the networks of a run see.

    Parameters
    ----------
    folder : Path
        Of the run.
    plateifu : str
    copy : int
        0 for the cube itself.
    config : Config
        Of the run: its name, and the lines that its networks see.

    Returns
    -------
    HDUList
        FLUX, IVAR, VALID of shape (line, pixel, size, size), and WAVE, the observed wavelengths, of shape (line, pixel).
        Cards N01, N02, ... name the lines; those of the primary HDU say how the copy was made.

    Raises
    ------
    ArtefactError
        If the run has no such galaxy or copy, or its copies were drawn for other line cubes than are there now.
    ModelError
        If the line cubes lack a line that the configuration names.
    """
    cubes, table, row = _found(folder, plateifu, copy, config.autoencoder.lines)
    how = Copy(*(table[name][row, copy : copy + 1] for name in Copy._fields))
    made = augmented(*cubes.read([row]), how, table.attrs["noise_scale"])
    primary = fits.PrimaryHDU()
    primary.header["ORIGIN"] = "mangrove"
    primary.header["RUN"] = (fits_text(config.run), "name of the run")
    primary.header["PLATEIFU"], primary.header["MANGAID"] = plateifu, str(cubes.mangaid[row])
    primary.header["Z"] = (float(cubes.z[row]), "redshift of the sample sheet")
    primary.header["COPY"] = (copy, "number of the copy; 0 is the cube itself")
    for name, (card, meaning) in _CARDS.items():
        primary.header[card] = (int(getattr(how, name)[0]), meaning)
    primary.header["NSCALE"] = (table.attrs["noise_scale"], "error of the added noise over that of the cube")
    return fits.HDUList([primary, *_images(cubes, Cubes(*made), row)])


def check_name(target: Path) -> None:
    """Refuse a file name that is not one of a FITS file.

    Raises
    ------
    OutputError
    """
    if not target.name.endswith((".fits", ".fits.gz")):
        raise OutputError(f"a copy is a FITS file, so its name must end in .fits or .fits.gz, unlike {target}.")


def is_copy(path: Path) -> bool:
    """Whether a file is one that ``mangrove augment`` wrote."""
    return outputs.is_fits(path, lambda header: header.get("ORIGIN") == "mangrove" and "NSEED" in header)


def _found(folder: Path, plateifu: str, copy: int, lines: list[str]) -> tuple[LineCubes, Artefact, int]:
    """The line cubes of a run, its table of copies, and the row of a galaxy in both."""
    path, drawn = folder / LINE_CUBE_SET.path, folder / AUGMENTATION_TABLE.path
    table = artefacts.read(drawn, "augmentation")
    check_made_from(drawn, json.loads(table.attrs["inputs"]), path, artefacts.input_hash(path), drawn)
    names = table["plateifu"].tolist()
    if not names:
        raise ArtefactError(f"{path} holds no galaxy: {table.attrs['reason']}.")
    if plateifu not in names:
        near = ", ".join(closest(plateifu, names))
        raise ArtefactError(
            f"{path} has no galaxy '{plateifu}'; of its {len(names)} galaxies, those with the most similar names are {near}."
        )
    n_copy = table["flip"].shape[1]
    if not 0 <= copy < n_copy:
        raise ArtefactError(
            f"there is no copy {copy} of {plateifu}: {drawn} has the copies 0 (the cube itself) to {n_copy - 1}. "
            "For more, raise augmentation.copies and run the workflow again."
        )
    return LineCubes.open(path, lines), table, names.index(plateifu)


def _images(cubes: LineCubes, made: Cubes, row: int) -> list[fits.ImageHDU]:
    """The HDUs beside the primary one."""
    values = {
        "flux": np.asarray(made.flux[0]),
        "ivar": np.asarray(made.ivar[0]),
        "valid": np.asarray(made.valid[0], np.uint8),
        "window_wave": cubes.extra("window_wave")[row],
    }
    hdus = []
    for name, image in values.items():
        spec = LINE_CUBE_SET.fields[name]
        unit = inverse_variance_unit(FLUX) if name == "ivar" else spec.unit
        hdus.append(image_hdu(name.removeprefix("window_"), image, unit, spec.meaning))
        for k, line in enumerate(cubes.line, start=1):
            hdus[-1].header[f"N{k:02d}"] = (line, "name of the line")
    return hdus
