"""Another program, in an environment of its own, that gives figures on request: in turn with ours."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Self

from support.checkout import ROOT

_ENVIRONMENTS = ROOT / "results" / "peers"
_PEERS = ROOT / "benchmarks" / "peers"


class Peer:
    """A script of benchmarks/peers that prints a JSON line for each line of its input; use it as a context.

    Parameters
    ----------
    name : str
        Of the script.
    requirements : str
        Name of the file with its pinned packages; the environment is made on first use, under results/peers.
    """

    def __init__(self, name: str, requirements: str) -> None:
        self._script, self._requirements = _PEERS / name, _PEERS / requirements
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> Self:
        python = environment(self._requirements)
        if python is not None:
            # The peer shares out its work itself, whatever holds for linear algebra here.
            kept = {name: value for name, value in os.environ.items() if not name.endswith(("NUM_THREADS", "FLAGS"))}
            self._process = subprocess.Popen(
                [python, self._script, "requests"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={name: value for name, value in kept.items() if name != "PYTHONPATH"},
            )
        return self

    def __exit__(self, *_) -> None:
        if self._process is not None:
            self._process.stdin.close()
            self._process.wait()

    def value(self, *request: object) -> float | None:
        """The figure for a request; None where the peer could not be installed."""
        if self._process is None:
            return None
        print(*request, file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._script.name} stopped at the request {request}: run it by hand to see why")
        return json.loads(line)["value"]


def environment(requirements: Path) -> Path | None:
    """The Python of the environment with the packages of a file, made where it is missing; None if that fails."""
    folder = _ENVIRONMENTS / requirements.stem
    python, made_from = folder / "bin" / "python", folder / requirements.name
    if made_from.is_file() and made_from.read_bytes() == requirements.read_bytes():
        return python
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]
    for command in ([sys.executable, "-m", "venv", "--clear", folder], install):
        if subprocess.run(command, stdout=sys.stderr).returncode:
            print(f"{requirements.name} could not be installed: no figures of this peer, no ratios", file=sys.stderr)
            return None
    made_from.write_bytes(requirements.read_bytes())
    return python
