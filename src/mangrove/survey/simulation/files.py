"""The files of a simulated survey on disk: which there are, and how to tell them from an archive's."""

from collections.abc import Iterable
from pathlib import Path

from mangrove import outputs
from mangrove.survey.releases import release as find_release
from mangrove.survey.simulation.cubes import CHECKSUM_NOTE


def survey_files(folder: Path, plateifus: Iterable[str], release: str) -> list[Path]:
    """All files that :func:`mangrove.survey.simulation.simulate.simulate_survey` writes."""
    kind, names = find_release(release), list(plateifus)
    cubes = [folder / kind.cube_path(name) for name in names]
    return [folder / kind.drpall_path, *cubes, *(folder / "truth" / f"{name}.h5" for name in names)]


def is_simulated(path: Path) -> bool:
    """Whether a file belongs to a simulated survey: a truth artefact, or FITS whose checksum has its note in place of a date."""
    if path.suffix == ".h5":
        return outputs.is_artefact(path, "truth")
    return outputs.is_fits(path, lambda header: "CHECKSUM" in header and CHECKSUM_NOTE in header.comments["CHECKSUM"])
