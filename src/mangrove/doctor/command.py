"""The command that says what is wrong with an installation, a folder and its runs: ``mangrove doctor``."""

from pathlib import Path

from mangrove.doctor import installation, needs, remains
from mangrove.doctor.findings import Check, Examined
from mangrove.doctor.patients import Patients
from mangrove.errors import MangroveError

#: The checks by name, in the order in which they are made.
CHECKS: dict[str, Check] = {
    "environment": installation.environment,
    "devices": installation.devices,
    "config": needs.configuration,
    "disk": needs.disk,
    "templates": needs.templates,
    "archive": needs.archive,
    "locks": remains.locks,
    "leftovers": remains.leftovers,
    "artefacts": remains.artefacts,
}


def examine(files: list[Path], names: list[str]) -> bool:
    """Make checks and print what they say.

    Parameters
    ----------
    files : list of Path
        Configuration files of a run; empty for all runs that have results in the working folder.
    names : list of str
        Checks to make; empty for all.

    Returns
    -------
    bool
        Whether all is well: nothing was found that stops a run or makes its results wrong.

    Raises
    ------
    MangroveError
        If there is no check of a name.
    """
    if unknown := [name for name in names if name not in CHECKS]:
        raise MangroveError(f"there is no check '{unknown[0]}'; the checks are {', '.join(CHECKS)}.")
    patients = Patients(files)
    examined = []
    for name in [name for name in CHECKS if not names or name in names]:
        examined.append(CHECKS[name](patients))
        _print(name, examined[-1])
    n_stop = sum(map(_stopping, examined))
    print(f"{n_stop} to fix" if n_stop else "nothing to fix")
    return not n_stop


def _stopping(one: Examined) -> int:
    """Number of findings that stop a run."""
    return sum(finding.stops for finding in one.findings)


def _print(name: str, one: Examined) -> None:
    state = "ok" if not one.findings else "note" if not _stopping(one) else "PROBLEM"
    print(f"{name:12s}{state:9s}{one.summary}", flush=True)
    for finding in one.findings:
        # Only commands that can be pasted are two spaces in.
        print(
            "- " + "\n".join(f"{' ' * 4 * (i > 0)}{line.strip()}" for i, line in enumerate(finding.text.splitlines()))
        )
        if finding.command:
            print(f"  {finding.command}")
