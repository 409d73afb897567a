"""The summary catalogue of a data release (drpall): where it is, and whether it is one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from astropy.table import Table

from mangrove import paths
from mangrove.config import Config
from mangrove.errors import CatalogueError
from mangrove.survey import catalogues, tables
from mangrove.survey.releases import Release

#: Columns of drpall that a selection needs.
COLUMNS = ("plateifu", "mangaid", "drp3qual", "mngtarg1", "mngtarg3", "nsa_z", "objra", "objdec", "ebvgal")


def read_drpall(path: str | Path, release: Release, mend: str = "Correct survey.release or --drpall.") -> Table:
    """The galaxies of a summary catalogue.

    Parameters
    ----------
    path : path-like
    release : Release
    mend : str
        What to do about a file that cannot be read.

    Raises
    ------
    CatalogueError
        If the file cannot be read, lacks the table or columns of the release, has no rows, or is that of another one.
    """
    try:
        table = tables.read_table(path, COLUMNS, release.galaxy_table)
    except CatalogueError as error:
        raise CatalogueError(
            f"{path} cannot be read as the drpall of {release.name.upper()} ({error}) {mend}"
        ) from error
    missing = [c for c in COLUMNS if not tables.find(table.colnames, [c], path)]
    if missing:
        raise CatalogueError(f"{path} lacks the column(s) {', '.join(missing)}; is it the drpall of {release.name}?")
    if not len(table):
        raise CatalogueError(f"{path} lists no galaxy. {mend}")
    versions = set(texts(table, "versdrp3", path)) - {""}
    if versions and release.drpver not in versions:
        raise CatalogueError(
            f"{path} is the drpall of {', '.join(sorted(versions))}; survey.release {release.name} needs {release.drpver}. {mend}"
        )
    table.meta["path"] = str(path)
    return table


@contextmanager
def located(config: Config, release: Release, given: str) -> Iterator[tuple[Path, str]]:
    """Path of the summary catalogue, and what to do if it cannot be read."""
    survey = config.survey
    if survey.source in ("none", "files"):
        why = "there is no catalogue to select from" + "; write the sheet by hand (docs/data.md)" * (
            survey.source == "files"
        )
        raise CatalogueError(f"survey.source is {survey.source}: {why}.")
    if given:
        try:
            address = paths.address(given)
        except ValueError as error:
            raise CatalogueError(f"--drpall {given}: {error}.") from None
        where = address if "://" in address else str(Path(address).absolute())
        yield catalogues.locate(where, survey, release, "--drpall"), "Correct survey.release or --drpall."
    elif survey.source.startswith("simulated"):
        with TemporaryDirectory() as folder:
            yield _simulated_drpall(config, release, Path(folder)), "Simulate the survey again."
    else:
        path = catalogues.locate(release.drpall_path, survey, release, "survey.base, or give --drpall")
        ours = path.is_relative_to(Path(survey.data_folder) / release.drpver)
        anew = "Delete it and run 'mangrove select' again to fetch a new copy, or correct survey.release."
        yield path, anew if ours else "Correct survey.base, survey.mirror or survey.release."


def _simulated_drpall(config: Config, release: Release, folder: Path) -> Path:
    """The catalogue of a run's simulated archive; written to ``folder`` where there is none yet."""
    from mangrove.survey.simulation.drpall import write_drpall

    made = Path(f"results/{config.run}/archive") / release.drpall_path
    if not made.is_file():
        made = folder / "drpall.fits"
        write_drpall(made, _simulated_galaxies(config), release.name)
    return made


def _simulated_galaxies(config: Config) -> list:
    """The galaxies of the simulated survey that a run's source names."""
    from mangrove.survey.simulation.design import SIMULATED_SURVEY, design_galaxy
    from mangrove.survey.simulation.line_cube_survey import design_line_cube_galaxy, line_cube_plateifus
    from mangrove.survey.simulation.spectra_survey import design_various_galaxy, spectra_plateifus

    n = config.survey.simulated_galaxies
    if config.survey.source == "simulated":
        return [design_galaxy(name, config.seed) for name in SIMULATED_SURVEY]
    if config.survey.source == "simulated_spectra":
        return [design_various_galaxy(name, config.seed) for name in spectra_plateifus(n)]
    return [design_line_cube_galaxy(name, config.seed).galaxy for name in line_cube_plateifus(n)]


def names(drpall: Table) -> catalogues.Names:
    names = (frozenset(texts(drpall, column, "drpall")) - {""} for column in ("plateifu", "mangaid"))
    return catalogues.Names(*names)


def texts(table: Table, name: str, path) -> list[str]:
    """A column of text, one a row; empty where there is no such column."""
    if not tables.find(table.colnames, [name], path):
        return [""] * len(table)
    return tables.texts(tables.column(table, [name], path))
