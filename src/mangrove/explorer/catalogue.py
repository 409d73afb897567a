"""What catalogues say of a run's galaxies: its sample sheet, where this machine has it."""

from collections.abc import Mapping

from mangrove.errors import MangroveError
from mangrove.explorer.explored_run import ExploredRun
from mangrove.export.source import recorded_config
from mangrove.survey.galaxy import Galaxy
from mangrove.survey.sample import read_sheet


def catalogue(run: ExploredRun) -> Mapping[str, Galaxy]:
    """Rows of the sample sheet by plateifu, read once; empty where the run does not say which, or it is not there."""
    return run.kept("catalogue", lambda: _read(run))


def survey_source(run: ExploredRun) -> str:
    """Where the cubes come from, as ``survey.source`` of the configuration says; '' where the run has noted none."""
    return run.kept("survey_source", lambda: _source(run))


def _read(run: ExploredRun) -> Mapping[str, Galaxy]:
    try:
        return read_sheet(recorded_config(run.folder))
    except (MangroveError, OSError):
        return {}


def _source(run: ExploredRun) -> str:
    try:
        return recorded_config(run.folder).survey.source
    except MangroveError:
        return ""
