"""What people are told when something fails, and when a view has nothing to show."""

import logging

from mangrove.errors import MangroveError
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.view import View

_LOG = logging.getLogger(__name__)


def words_of(error: Exception) -> str:
    """What people are told: a domain error says it itself, of another one the log has the traceback."""
    if isinstance(error, MangroveError):
        return str(error)
    _LOG.error("an error in the explorer", exc_info=error)
    return (
        f"Something went wrong in the explorer ({type(error).__name__}: {error}). The terminal where it runs shows where: "
        "please report it with these lines."
    )


def lacks(view: View, run: ExploredRun) -> str:
    """Why a view has nothing to show, '' if it has: what the run lacks, or what is wrong with an artefact.

    One damaged artefact, or one of another version of mangrove, takes away the views that need it and no others.
    """
    try:
        return view.missing(run)
    except Exception as error:
        return words_of(error)
