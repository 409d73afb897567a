"""The explorer in a process of its own, asked over HTTP what a browser would ask."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from support.checkout import ROOT
from support.results import seconds

from mangrove.explorer.address import Address

#: How long the server may take to say where it is, and to end, seconds.
_PATIENCE = 120
_UPDATE = "/_dash-update-component"
#: What every answer of Dash to a callback of these is about: the address, from which views take their selection.
_URL = "url"


class Explorer:
    """A running explorer of a run; ``with`` ends it.

    Attributes
    ----------
    url : str
        'http://127.0.0.1:PORT'.
    started : float
        When its process was started, :func:`time.perf_counter`.
    memory : float or None
        Peak of its memory, GB, once it has ended.
    """

    def __init__(self, run: Path) -> None:
        command = [sys.executable, "-m", "mangrove", "explore", str(run), "--port", "0"]
        environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
        self.memory: float | None = None
        self.started = time.perf_counter()
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        found = re.search(r"http://[\w.:\[\]]+", self._process.stdout.readline())
        if found is None:
            raise RuntimeError(f"the explorer of {run} did not start; '{' '.join(command)}' shows why.")
        self.url = found[0]

    def __enter__(self) -> "Explorer":
        return self

    def __exit__(self, *error) -> None:
        self._process.send_signal(signal.SIGINT)
        _, _, used = os.wait4(self._process.pid, 0)
        self._process.returncode = 0
        self.memory = used.ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)

    def get(self, path: str) -> bytes:
        """What is at a path of the server."""
        with urllib.request.urlopen(self.url + path, timeout=_PATIENCE) as answer:
            return answer.read()

    def post(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The server's answer to a callback; empty where it leaves all as it is."""
        request = urllib.request.Request(
            self.url + _UPDATE, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
            return json.loads(answer.read() or b"{}").get("response", {})


class Visitor:
    """A browser's part in the talk with an explorer, without the drawing.

    Parameters
    ----------
    explorer : Explorer
    """

    def __init__(self, explorer: Explorer) -> None:
        self._explorer = explorer
        self._callbacks = [c for c in json.loads(explorer.get("/_dash-dependencies")) if not c["clientside_function"]]
        self._address = Address("/")
        self._page: dict[str, dict] = {}

    def visit(self, address: str) -> float:
        """Open a page; seconds that the server takes for it."""
        path, _, search = address.partition("?")
        self._address = Address.parsed(path, search)
        self._page = {}
        answers: list[dict] = []
        taken = seconds(lambda: answers.extend(self._answers("pathname")))
        self._page = {part["props"]["id"]: part["props"] for part in _parts(answers) if "id" in part["props"]}
        return taken

    def click(self, **query: str | int | None) -> float:
        """Select something in the page, which changes its address so; seconds that the server takes for all answers.

        Raises
        ------
        RuntimeError
            If nothing on the page answers.
        """
        self._address = self._address.changed(**query)
        answers: list[dict] = []
        taken = seconds(lambda: answers.extend(self._answers("search")))
        if not answers:
            raise RuntimeError(f"no part of the page {self._address.path} answers to {query}.")
        return taken

    def _answers(self, changed: str) -> Iterator[dict]:
        """Answers to the callbacks that a change of the address triggers, one after the other."""
        for callback in self._callbacks:
            if {"id": _URL, "property": changed} in callback["inputs"] and self._is_here(callback):
                yield self._explorer.post(self._asked(callback, changed))

    def _is_here(self, callback: Mapping) -> bool:
        """Whether what a callback writes is on the page, as Dash asks before it calls."""
        return all(output["id"] in {*self._page, "page", "problem"} for output in _outputs(callback["output"]))

    def _asked(self, callback: Mapping, changed: str) -> dict[str, Any]:
        outputs = _outputs(callback["output"])
        return {
            "output": callback["output"],
            "outputs": outputs if callback["output"].startswith("..") else outputs[0],
            "inputs": [self._with_value(one) for one in callback["inputs"]],
            "state": [self._with_value(one) for one in callback["state"]],
            "changedPropIds": [f"{_URL}.{changed}"],
        }

    def _with_value(self, one: Mapping) -> dict[str, Any]:
        known = self._page | {_URL: {"pathname": self._address.path, "search": self._address.search}}
        return {**one, "value": known.get(one["id"], {}).get(one["property"])}


def _outputs(text: str) -> list[dict[str, str]]:
    """The outputs of a callback from the way Dash writes them: 'id.property', or '..one.property...other.property..'."""
    names = text.strip(".").split("...") if text.startswith("..") else [text]
    return [dict(zip(("id", "property"), name.rsplit(".", 1), strict=True)) for name in names]


def _parts(content) -> Iterator[dict]:
    """All components within what a callback has answered."""
    if isinstance(content, dict):
        if "props" in content and "namespace" in content:
            yield content
        content = list(content.values())
    if isinstance(content, list):
        for one in content:
            yield from _parts(one)
