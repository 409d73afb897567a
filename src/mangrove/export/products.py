"""Everything that an export writes: the tables of galaxies and baxels, and the maps of labels and measurements."""

from pathlib import Path

from tqdm import tqdm

from mangrove import artefacts
from mangrove.config import Config
from mangrove.export.dap_maps import dap_maps
from mangrove.export.fits_files import write_fits
from mangrove.export.maps import label_maps
from mangrove.export.source import Source, labels_path
from mangrove.export.tables import baxel_table, galaxy_table

#: Files of maps of a galaxy, by the end of their names.
_MAPS = {"labels.fits": label_maps, "MAPS.fits.gz": dap_maps}


def export_run(folder: Path, config: Config, out: Path, maps: bool = True) -> list[Path]:
    """Write a run's catalogues and maps as FITS files.

    Parameters
    ----------
    folder : Path
        Of the run.
    config : Config
        Of the run; its sample sheet is read.
    out : Path
        Folder of the files: galaxies.fits, baxels.fits, and of each galaxy with baxels maps/<plateifu>-labels.fits and
        maps/<plateifu>-MAPS.fits.gz.
    maps : bool
        Whether to write the maps.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    MangroveError
        If the run has no table of labels, or it does not fit to the sample sheet or to the bins.
    """
    with artefacts.opened(labels_path(folder), "labels") as file:
        source = Source(folder, config, file)
        written = [out / "galaxies.fits", out / "baxels.fits"]
        write_fits(written[0], galaxy_table(source))
        write_fits(written[1], baxel_table(source))
        mapped = [i for i, n in enumerate(source.n_baxel) if n and maps]
        for i in tqdm(mapped, desc="maps", disable=None):
            for ending, maps_of in _MAPS.items():
                written.append(out / "maps" / f"{source.galaxies[i].plateifu}-{ending}")
                write_fits(written[-1], maps_of(source, i))
    return written
