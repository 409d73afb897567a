"""Whom the doctor looks at: the configurations that were given, else those of the runs in this folder."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from mangrove import staleness
from mangrove.config import Config
from mangrove.errors import MangroveError
from mangrove.runs import load_config
from mangrove.survey.galaxy import Galaxy
from mangrove.survey.sample import read_sheet
from mangrove.verification import is_run


class ConfiguredRun:
    """A run by its configuration files over config.yaml.

    Parameters
    ----------
    files : sequence of Path
        Empty for config.yaml alone.
    wanted : bool
        Whether somebody asked for it, or it has results; otherwise it stands for the defaults.
    """

    def __init__(self, files: Sequence[Path], wanted: bool = True):
        self.files, self.wanted = list(files), wanted

    @cached_property
    def _loaded(self) -> Config | MangroveError:
        try:
            return load_config(self.files)
        except MangroveError as error:
            return error

    @property
    def config(self) -> Config | None:
        """The configuration; None if it is wrong."""
        return self._loaded if isinstance(self._loaded, Config) else None

    @property
    def error(self) -> MangroveError | None:
        """What is wrong with the configuration."""
        return None if self.config else self._loaded

    @cached_property
    def galaxies(self) -> dict[str, Galaxy]:
        """Those of the sample sheet; none where there is no sheet, or it is wrong."""
        if self.config is None or self.config.survey.source == "none":
            return {}
        try:
            return read_sheet(self.config)
        except MangroveError:
            return {}

    @property
    def unfinished(self) -> list[str]:
        """Names of the galaxies whose cube the run still needs."""
        extracts = Path("results", self.config.run, "spectra/extract") if self.config else Path()
        return [name for name in self.galaxies if not (extracts / f"{name}.h5").is_file()]

    @property
    def name(self) -> str:
        """Name of the run, or of its files where these are wrong."""
        return self.config.run if self.config else ", ".join(map(str, self.files)) or "config.yaml"

    @property
    def options(self) -> list[str]:
        """Options of Snakemake that name the files."""
        return ["--configfile", *map(str, self.files)] if self.files else []


class Patients:
    """The configured runs, and the folders of results.

    Parameters
    ----------
    files : sequence of Path
        Configuration files that were given, of one run; empty for all runs that have results here.
    """

    def __init__(self, files: Sequence[Path] = ()):
        found = [path for path in sorted(Path("results").glob("*/")) if is_run(path)]
        self.folders, self.unknown = found, []
        if files:
            self.runs = [ConfiguredRun(files)]
            self.folders = [path for path in found if path.name == self.runs[0].name]
            return
        self.runs = []
        for folder in found:
            own = staleness.config_of(Path(), folder.name)
            if own is None:
                self.unknown.append(folder)
            else:
                self.runs.append(ConfiguredRun(own))
        if not found:
            self.runs = [ConfiguredRun([], wanted=False)]

    def run_of(self, folder: Path) -> ConfiguredRun | None:
        """The configured run of a folder of results."""
        return next((run for run in self.runs if run.config and run.config.run == folder.name), None)
