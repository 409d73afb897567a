"""The explorer in a process of its own, asked over HTTP what a browser would ask."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from support.checkout import ROOT
from support.results import seconds

from mangrove.explorer.address import Address

#: How long the server may take to say where it is, and to end, seconds.
_PATIENCE = 120
_UPDATE = "/_dash-update-component"
#: The component that holds the address.
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
        # A shell that runs a benchmark in the background has it ignore interrupts, and so would the explorer, which ends by one.
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
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

    Callbacks are called as Dash calls them: those whose input has changed, then those that take what these have written,
    the address among it; of new components also those that run at first. A browser asks several at once, here they
    are asked one after the other. Components that go by a pattern (the sliders of the emulator) have their id as JSON,
    :func:`name_of`.

    Parameters
    ----------
    explorer : Explorer

    Attributes
    ----------
    address : Address
        What the browser's address is now.
    """

    def __init__(self, explorer: Explorer) -> None:
        self._explorer = explorer
        described = json.loads(explorer.get("/_dash-dependencies"))
        self._callbacks = [_Callback(one) for one in described if not one["clientside_function"]]
        self.address = Address("/")
        self._frame = dict(_named(json.loads(explorer.get("/_dash-layout"))))
        self._page = dict(self._frame)

    def visit(self, address: str) -> float:
        """Open a page; seconds that the server takes for all of it."""
        path, _, search = address.partition("?")
        self.address = Address.parsed(path, search)
        self._page = dict(self._frame)
        return seconds(self._settle, {f"{_URL}.pathname"})

    def click(self, component: str, name: str, value: Any) -> float:
        """Click or choose something, which sets a property of a component; seconds that the server takes for all answers.

        Raises
        ------
        RuntimeError
            If nothing on the page answers.
        """
        here = component in self._page
        self.put(component, name, value)
        if not here or not self._called({f"{component}.{name}"}):
            raise RuntimeError(f"no part of the page {self.address.path} answers to {component}.{name}.")
        return seconds(self._settle, {f"{component}.{name}"})

    def put(self, component: str, name: str, value: Any) -> None:
        """Set a property that callbacks read when something else is clicked, as a lasso does."""
        self._page[component] = self._page.get(component, {}) | {name: value}

    def shown(self, component: str, name: str) -> Any:
        """A property of a component of the page; None where there is none."""
        return self._page.get(component, {}).get(name)

    def _settle(self, changed: set[str]) -> None:
        """Ask until nothing changes any more."""
        while called := self._called(changed):
            answers = [self._explorer.post(one.asked(self._values(), changed)) for one in called]
            changed = {name for answer in answers for name in self._taken(answer)}

    def _called(self, changed: set[str]) -> list["_Callback"]:
        """Callbacks of the page that take something changed; of a new component, changed as a whole, those that run first."""
        return [one for one in self._callbacks if one.takes(changed, self._page) and one.is_on(self._page)]

    def _taken(self, answer: Mapping[str, Mapping]) -> Iterator[str]:
        """Names of what an answer changes, which is kept: 'id.property', and 'id' of a new component."""
        for id, properties in answer.items():
            self._page.setdefault(id, {}).update(properties)
            if id == _URL and "search" in properties:
                self.address = Address.parsed(self.address.path, properties["search"])
            yield from (f"{id}.{name}" for name in properties)
        for id, properties in _named(list(answer.values())):
            self._page[id] = properties
            yield id

    def _values(self) -> dict[str, Mapping[str, Any]]:
        return self._page | {_URL: {"pathname": self.address.path, "search": self.address.search}}


class _Callback:
    """A callback as Dash describes it to the browser."""

    def __init__(self, described: Mapping[str, Any]) -> None:
        self._described = described
        text = described["output"]
        names = text.strip(".").split("...") if text.startswith("..") else [text]
        self._outputs = [dict(zip(("id", "property"), name.rsplit(".", 1), strict=True)) for name in names]

    def takes(self, changed: set[str], page: Mapping[str, Any]) -> bool:
        """Whether one of its inputs has changed, or it runs at first and one of its components is new."""
        inputs, first = self._described["inputs"], not self._described["prevent_initial_call"]
        if any(name in changed for name in _properties(inputs, page)):
            return True
        return first and any(id in changed for one in [*inputs, *self._outputs] for id in _ids(one["id"], page))

    def is_on(self, page: Mapping[str, Any]) -> bool:
        """Whether what it writes is on a page, as Dash asks before it calls."""
        return all(id in page for output in self._outputs for id in _ids(output["id"], page) or [output["id"]])

    def asked(self, values: Mapping[str, Mapping], changed: set[str]) -> dict[str, Any]:
        """The body of the request."""
        text = self._described["output"]
        given = {sort: [_of_each(one, values, values) for one in self._described[sort]] for sort in ("inputs", "state")}
        outputs = [_of_each(one, values) for one in self._outputs]
        names = [name for name in _properties(self._described["inputs"], values) if name in changed]
        return {
            "output": text,
            "outputs": outputs if text.startswith("..") else outputs[0],
            **given,
            "changedPropIds": names,
        }


def name_of(id: str | Mapping[str, Any]) -> str:
    """The id of a component as Dash writes it among the names of changed properties."""
    return id if isinstance(id, str) else json.dumps(id, sort_keys=True, separators=(",", ":"))


def _ids(id: str, page: Mapping[str, Any]) -> list[str]:
    """The components of a page that an id of a callback stands for: itself, or those that its pattern fits, in order."""
    if not id.startswith("{"):
        return [id]
    pattern = json.loads(id)
    of_pattern = [json.loads(name) for name in page if name.startswith("{")]
    fitting = [
        one
        for one in of_pattern
        if one.keys() == pattern.keys() and all(part == ["ALL"] or one[key] == part for key, part in pattern.items())
    ]
    return [name_of(one) for one in sorted(fitting, key=lambda one: one["index"])]


def _properties(parts: Sequence[Mapping[str, str]], page: Mapping[str, Any]) -> list[str]:
    """Names of properties, 'id.property', that parts of a callback stand for."""
    return [f"{id}.{one['property']}" for one in parts for id in _ids(one["id"], page)]


def _of_each(part: Mapping[str, str], page: Mapping[str, Any], values: Mapping[str, Mapping] | None = None) -> Any:
    """A part of a callback for a request, with its value where values are given; a list of a part that goes by a pattern."""
    found = []
    for id in _ids(part["id"], page):
        one = {**part, "id": json.loads(id) if id.startswith("{") else id}
        found.append(one if values is None else one | {"value": values.get(id, {}).get(part["property"])})
    return found if part["id"].startswith("{") else found[0]


def _named(content) -> Iterator[tuple[str, dict]]:
    """Names and properties of the components within what a callback has answered."""
    if isinstance(content, dict):
        if "namespace" in content and (id := content["props"].get("id")) is not None:
            yield name_of(id), content["props"]
        content = list(content.values())
    if isinstance(content, list):
        for one in content:
            yield from _named(one)
