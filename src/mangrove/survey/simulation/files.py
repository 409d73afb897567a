"""The files of a simulated survey on disk: writing all, which there are, how to tell them from an archive's."""

from collections.abc import Iterable
from pathlib import Path

from mangrove import outputs
from mangrove.ssp.library import load_mastar
from mangrove.survey.releases import release as find_release
from mangrove.survey.simulation.cubes import write_logcube
from mangrove.survey.simulation.design import design_galaxy
from mangrove.survey.simulation.drpall import write_drpall
from mangrove.survey.simulation.fits_writing import CHECKSUM_NOTE
from mangrove.survey.simulation.simulate import simulate_galaxy, write_truth


def simulate_survey(folder, plateifus, release: str, seed: int) -> None:
    """Write a simulated survey: ``sas/`` as in the archive, and ``truth/<plateifu>.h5`` beside it.

    Parameters
    ----------
    folder : path-like
    plateifus : sequence of str
    release : str
    seed : int
    """
    folder, ssp = Path(folder), load_mastar()
    galaxies = [design_galaxy(plateifu, seed) for plateifu in plateifus]
    for galaxy in galaxies:
        cube, truth = simulate_galaxy(galaxy, release, ssp)
        write_logcube(folder / find_release(release).cube_path(galaxy.plateifu), cube)
        write_truth(folder / "truth" / f"{galaxy.plateifu}.h5", galaxy, truth)
    write_drpall(folder / find_release(release).drpall_path, galaxies, release)


def survey_files(folder: Path, plateifus: Iterable[str], release: str) -> list[Path]:
    """All files that :func:`simulate_survey` writes."""
    kind, names = find_release(release), list(plateifus)
    cubes = [folder / kind.cube_path(name) for name in names]
    return [folder / kind.drpall_path, *cubes, *(folder / "truth" / f"{name}.h5" for name in names)]


def is_simulated(path: Path) -> bool:
    """Whether a file belongs to a simulated survey: a truth artefact, or FITS whose checksum has its note in place of a date."""
    if path.suffix == ".h5":
        return outputs.is_artefact(path, "truth")
    return outputs.is_fits(path, lambda header: "CHECKSUM" in header and CHECKSUM_NOTE in header.comments["CHECKSUM"])
