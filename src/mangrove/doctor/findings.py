"""What the doctor finds: in words, with the command that mends it where there is one."""

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from mangrove.doctor.patients import Patients


class Finding(NamedTuple):
    """Something that is not as it should be.

    Attributes
    ----------
    text : str
        What, where, and what to do about it.
    command : str
        A line for a shell in the working folder, after which this is not found again; empty where no command helps.
    stops : bool
        Whether it keeps a run from starting or its results from being right; the exit status counts these alone.
    """

    text: str
    command: str = ""
    stops: bool = True


class Examined(NamedTuple):
    """What one check says: how things stand, in one line, and what it found."""

    summary: str
    findings: tuple[Finding, ...] = ()


#: One check of everything that it concerns.
Check = Callable[[Patients], Examined]


def shell(*words: object) -> str:
    """A command of words, quoted where a shell needs that."""
    return shlex.join(map(str, words))


def python() -> str:
    """This Python as a command of the working folder."""
    executable = Path(sys.executable)
    here = Path.cwd()
    return os.path.relpath(executable, here) if executable.is_relative_to(here) else str(executable)


def program(name: str) -> tuple[str, ...]:
    """A program of this environment as words of a command: its name where a shell finds it, else the Python that has it."""
    own, found = Path(sys.executable).with_name(name), shutil.which(name)
    if found and (not own.exists() or own.samefile(found)):
        return (name,)
    return python(), "-m", name


def counted(n: int, one: str, many: str = "") -> str:
    """A number with its noun: '1 file', '2 files'."""
    return f"{n} {one if n == 1 else many or one + 's'}"
