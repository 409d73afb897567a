"""Runs as commands find them: their configuration, their folder, and the folder in which they were made."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from mangrove import config_files
from mangrove.config import Config
from mangrove.errors import ConfigError, MangroveError
from mangrove.survey.sample import read_sheet
from mangrove.verification import is_run


def load_config(files: Sequence[Path]) -> Config:
    """The configuration of files over the config.yaml of the working folder.

    Raises
    ------
    ConfigError
        If a file is wrong, or there is no config.yaml.
    """
    default = Path("config.yaml")
    if not default.is_file():
        raise ConfigError(
            f"there is no config.yaml in {Path.cwd()}. It contains the defaults and is at the top of a checkout of "
            "mangrove: run the command there."
        )
    return config_files.load([default, *files])


def check_run(files: Sequence[Path]) -> None:
    """Refuse a configuration that a run could not start with."""
    run = load_config(files)
    config_files.check(run)
    if run.survey.source != "none":
        read_sheet(run)


def usable_config(runs: list[str]) -> list[Path]:
    """A file in configs/ that Snakemake would start with, of one of these runs if possible; empty if there is none."""
    files = sorted(Path("configs").glob("*.yaml"))
    for file in sorted(files, key=lambda file: (file.stem not in runs, file.stem != "demo")):
        with contextlib.suppress(MangroveError):
            check_run([file])
            return [file]
    return []


def run_folder(run: str) -> Path:
    """The folder of a run: results/RUN, else a folder of that name that holds artefacts or logs."""
    results, given = Path("results"), Path(run).expanduser()
    for folder in (results / given, given):
        if folder.is_dir() and is_run(folder):
            return folder
    runs = [path.name for path in sorted(results.glob("*/")) if is_run(path)]
    here = f"The runs here are {', '.join(runs)}." if runs else "There is no run here: start one with snakemake."
    raise MangroveError(
        f"neither {results / run} nor {run} is a folder with artefacts. Give the name of a run, or its folder. {here}"
    )


@contextlib.contextmanager
def in_work_folder(run: Path, target: Path) -> Iterator[tuple[Path, Path]]:
    """Work in the folder in which a run was made, where the relative paths of its configuration start.

    Yields the folder of the run and the target, as they are named from there.
    """
    # A link to a folder of results stays one: the checkout that holds the link is the place.
    place = run.resolve() if ".." in run.parts else run.absolute()
    parents = place.parents
    work = parents[1] if len(parents) > 1 and parents[0].name == "results" else Path.cwd()
    if work == Path.cwd():
        yield run, target
        return
    target = target.absolute()
    with contextlib.chdir(work):
        yield place, target
