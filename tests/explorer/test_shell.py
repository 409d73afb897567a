"""The explorer's pages and server without a browser: what it shows, what it refuses, what happens when something fails."""

import base64
import hashlib
import http.client
import json
import logging
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import h5py
import pytest
from dash import Input, Output, html

from mangrove.errors import ArtefactError, MangroveError
from mangrove.explorer import app as shell
from mangrove.explorer.address import Address
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.run_summary import galaxy_table, totals
from mangrove.explorer.security import BODY_BYTES, UPLOAD_BYTES
from mangrove.explorer.server import bound, serve
from mangrove.explorer.view import View

EXPLORER = Path(shell.__file__).parent


@pytest.fixture
def empty_run(tmp_path):
    """A folder without artefacts."""
    (tmp_path / "bare").mkdir()
    return tmp_path / "bare"


@pytest.fixture
def client(empty_run):
    return shell.create_app(empty_run).server.test_client()


@pytest.fixture
def port(empty_run, serving):
    """Port of an explorer that answers over the network, as users have it."""
    with serving(empty_run) as url:
        yield int(url.rpartition(":")[2])


def words(component) -> str:
    """All text of a page."""
    if component is None or isinstance(component, str | int | float):
        return str(component or "")
    if isinstance(component, list | tuple):
        return " ".join(map(words, component))
    return words(getattr(component, "children", None))


def links(component) -> list[str]:
    """Where the links of a page lead."""
    return re.findall(
        r'"href": "([^"]+)"', json.dumps(component.to_plotly_json(), default=lambda c: c.to_plotly_json())
    )


def answer(client, output: str, **values):
    """What the server answers to a callback of a page, given as ``id_property=value``."""
    given = [{"id": name.split("__")[0], "property": name.split("__")[1], "value": v} for name, v in values.items()]
    outputs = [part.rsplit(".", 1) for part in output.strip(".").split("...")]
    pairs = [{"id": id, "property": name} for id, name in outputs]
    body = {"output": output, "outputs": pairs if len(pairs) > 1 else pairs[0], "inputs": given[:1], "state": given[1:]}
    body["changedPropIds"] = [f"{given[0]['id']}.{given[0]['property']}"]
    return client.post("/_dash-update-component", json=body)


# --- What it shows.


def test_the_run_in_numbers_is_what_the_artefacts_hold(explored, demo_run):
    found = {total.what: total for total in totals(explored)}
    with h5py.File(demo_run / "spectra" / "labels.h5") as labels:
        assert found["galaxies"].count == len(labels["plateifu"])
        assert found["baxels"].count == labels["n_baxel_of_galaxy"][...].sum() == len(labels["status"])
        fitted = {share.status: share.count for share in found["baxels"].shares}
        assert fitted["ok"] == (labels["status"][...] == 0).sum()
        assert found["spaxels"].count == labels["spaxel_count"][...].sum()
        statuses = labels["galaxy_status"].asstr()[...].tolist()
    assert {share.status: share.count for share in found["galaxies"].shares} == {s: statuses.count(s) for s in statuses}
    with h5py.File(demo_run / "spectra" / "line_cube_set.h5") as cubes:
        assert found["line cubes"].count == len(cubes["plateifu"])
    for total in found.values():
        assert not total.shares or sum(share.count for share in total.shares) == total.count


def test_galaxies_are_found_by_part_of_their_name(explored, demo_run):
    with h5py.File(demo_run / "spectra" / "labels.h5") as labels:
        names, z = labels["plateifu"].asstr()[...].tolist(), labels["z"][...].tolist()
        ids = labels["mangaid"].asstr()[...].tolist()
    assert galaxy_table(explored, "").plateifu.tolist() == names
    found = galaxy_table(explored, " 9001 ")
    assert found.plateifu.tolist() == [name for name in names if "9001" in name] and found.n_found == 2
    assert found.z.tolist() == [value for name, value in zip(names, z, strict=True) if "9001" in name]
    assert galaxy_table(explored, ids[3]).plateifu.tolist() == [
        n for n, i in zip(names, ids, strict=True) if i == ids[3]
    ]
    assert galaxy_table(explored, "nothing").n_found == 0
    few = galaxy_table(explored, "", most=3)
    assert few.plateifu.tolist() == names[:3] and few.n_found == len(names)


def test_the_first_page_leads_to_every_galaxy_and_follows_its_address(explored):
    page = shell.page_at(explored, Address.parsed("/", "?find=9001"))
    galaxies = [href for href in links(page) if href.startswith("/galaxy/")]
    assert galaxies == ["/galaxy/9001-1901", "/galaxy/9001-1902"]
    assert "2 found" in words(page) and "707 ok" in words(page)


def code_of(page) -> list[str]:
    """The lines of Python and the command of a page, as a reader copies them."""
    (shown,) = [part for part in page._traverse() if isinstance(part, html.Details)]
    return [part.children for part in shown._traverse() if isinstance(part, html.Code)]


def test_the_code_of_the_first_page_gives_its_numbers(explored, capsys):
    python, command = code_of(shell.page_at(explored, Address("/")))
    exec(python)
    assert capsys.readouterr().out == f"{len(explored.galaxies)} galaxies, 722 baxels\n"
    assert command == f"mangrove digest {explored.folder}"


def test_the_code_of_a_run_of_line_cubes_alone_runs_whatever_the_folder_is_called(survey_run, tmp_path, capsys):
    folder = tmp_path / 'it\'s "mine" {0}'
    (folder / "spectra").mkdir(parents=True)
    shutil.copy(survey_run / "spectra" / "line_cube_set.h5", folder / "spectra")
    run = ExploredRun(folder)
    python, command = code_of(shell.page_at(run, Address("/")))
    exec(python)
    assert capsys.readouterr().out == f"{len(run.galaxies)} line cubes\n"
    assert shlex.split(command) == ["mangrove", "digest", str(folder)]


def test_an_empty_run_says_what_it_lacks(empty_run):
    page = shell.page_at(ExploredRun(empty_run), Address.parsed("/", ""))
    assert "This run has no galaxies" in words(page)


def test_a_folder_that_is_not_there_is_named():
    with pytest.raises(ArtefactError, match="results/none does not exist"):
        shell.create_app("results/none")


# --- What happens when something fails.


def raising(error: Exception) -> View:
    """A view whose page and callback fail."""

    def fail(*_):
        raise error

    def register(app, run):
        app.callback(Output("bad-out", "children"), Input("bad-in", "value"))(fail)

    return View("bad", "Bad", lambda run: "", fail, register)


def test_an_unknown_page_leads_back(empty_run):
    page = shell.page_at(ExploredRun(empty_run), Address.parsed("/nowhere/at%20all", ""))
    assert "There is no page /nowhere/at all." in words(page) and links(page) == ["/"]


def test_what_a_run_lacks_is_said_in_place_of_the_page_and_no_link_leads_there(empty_run, monkeypatch):
    absent = View("absent", "Absent", lambda run: "The run has no map: set desom.", lambda *_: None, lambda *_: None)
    monkeypatch.setattr(shell, "VIEWS", (*shell.VIEWS, absent))
    run = ExploredRun(empty_run)
    assert words(shell.page_at(run, Address.parsed("/absent", ""))) == "The run has no map: set desom."
    home = shell.page_at(run, Address.parsed("/", ""))
    assert "The run has no map: set desom." in words(home) and "/absent" not in links(home)
    assert "Absent" not in words(shell.navigation(run, shell.VIEWS))


def test_a_domain_error_speaks_for_itself(empty_run, monkeypatch, caplog):
    monkeypatch.setattr(shell, "VIEWS", (raising(ArtefactError("labels.h5 is damaged; remake it.")),))
    page = shell.page_at(ExploredRun(empty_run), Address.parsed("/bad", ""))
    assert words(page) == "labels.h5 is damaged; remake it." and not caplog.records


def test_damaged_artefacts_take_away_their_views_and_no_others(survey_run, tmp_path):
    """A broken file of each kind that the run has: cut off, or of a form that no reader expects."""
    folder = shutil.copytree(survey_run, tmp_path / "survey")
    whole = ExploredRun(survey_run)
    for path in (folder / "emulator" / "model" / "model.json", folder / "desom" / "map.h5"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"{" if path.suffix == ".json" else path.read_bytes()[:1000])
    client = shell.create_app(folder).server.test_client()
    got = client.get("/_dash-layout")
    assert got.status_code == 200
    assert "Spectral map" not in got.text and "Emulator" not in got.text and "Galaxy map" in got.text
    run = ExploredRun(folder)
    home = words(shell.page_at(run, Address.parsed("/", "")))
    assert "map.h5 is not a readable HDF5 file" in home and f"{len(whole.galaxies)} found" in home
    assert "map.h5 is not a readable" in words(shell.page_at(run, Address.parsed("/spectral-map", "")))
    (folder / "spectra" / "labels.h5").write_bytes(b"nothing")
    home = words(shell.page_at(ExploredRun(folder), Address.parsed("/", "")))
    assert "labels.h5 is not a readable HDF5 file" in home and "Where to look" in home


def test_any_other_error_is_shown_and_its_traceback_logged(empty_run, monkeypatch, caplog):
    monkeypatch.setattr(shell, "VIEWS", (raising(ZeroDivisionError("by nothing")),))
    page = shell.page_at(ExploredRun(empty_run), Address.parsed("/bad", ""))
    assert "Something went wrong in the explorer (ZeroDivisionError: by nothing)" in words(page)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR and record.exc_info[0] is ZeroDivisionError


@pytest.mark.parametrize("error", [ArtefactError("fit.h5 is damaged."), KeyError("x")])
def test_a_callback_that_fails_is_told_above_the_page(empty_run, monkeypatch, error):
    monkeypatch.setattr(shell, "VIEWS", (*shell.VIEWS, raising(error)))
    client = shell.create_app(empty_run).server.test_client()
    got = answer(client, "bad-out.children", **{"bad-in__value": 1})
    assert got.status_code == 200 and "bad-out" not in got.json.get("response", {})
    told = json.dumps(got.json["sideUpdate"]["problem"])
    assert ("fit.h5 is damaged." if isinstance(error, MangroveError) else "KeyError") in told


# --- What it refuses.


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "localhost:8050", "LOCALHOST:1", "[::1]:8050"])
def test_names_of_this_machine_are_answered(client, host):
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example:8050", "127.0.0.1.nip.io", "192.168.1.7:8050", "[::2]"]
)
def test_other_names_are_refused_on_loopback(client, host):
    for path in ("/", "/_dash-layout", "/assets/explorer.css"):
        assert client.get(path, headers={"Host": host}).status_code == 403
    assert client.post("/_dash-update-component", json={}, headers={"Host": host}).status_code == 403


def test_a_server_for_others_answers_to_every_name(empty_run):
    client = shell.create_app(empty_run, host="0.0.0.0").server.test_client()
    assert client.get("/", headers={"Host": "cluster.example.org:8050"}).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:9999"])
def test_requests_of_other_sites_are_refused(client, origin):
    headers = {"Host": "localhost:8050", "Origin": origin}
    assert client.post("/_dash-update-component", json={}, headers=headers).status_code == 403


def test_requests_of_its_own_pages_are_not(client):
    headers = {"Host": "localhost:8050", "Origin": "http://localhost:8050"}
    assert client.get("/_dash-layout", headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/", "/_dash-layout", "/assets/explorer.js", "/no/page", "/assets/none.js"])
def test_every_answer_has_the_headers(client, path):
    headers = client.get(path).headers
    policy = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'self'" and policy["frame-ancestors"] == "'none'" == policy["object-src"]
    assert "unsafe-inline" not in policy["script-src"] and "http" not in policy["script-src"]
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "DENY"


def test_the_policy_has_the_hash_of_every_script_in_the_page(client):
    """The page has no script that the policy would stop, and takes none from elsewhere."""
    page = client.get("/").text
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
    inline = re.findall(r"<script(?![^>]*(?:src=|application/json))[^>]*>(.*?)</script>", page, re.DOTALL)
    policy = client.get("/").headers["Content-Security-Policy"]
    assert inline
    for script in inline:
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy


@pytest.mark.parametrize("dots", ["..", "%2e%2e", "%2E.", "..%2f..", "%252e%252e"])
def test_no_path_of_a_request_leads_out_of_the_assets(port, dots):
    """Sent as it stands: clients of http would resolve the dots themselves."""
    secrets = (b"create_app", b"[project]")
    for path in (
        f"/assets/{dots}/app.py",
        f"/assets/{dots}/{dots}/{dots}/{dots}/pyproject.toml",
        f"/_dash-component-suites/dash/{dots}/{dots}/mangrove/explorer/app.py",
        f"/_dash-component-suites/{dots}/mangrove/app.py",
        f"/galaxy/{dots}/{dots}/labels.h5",
        f"/{dots}/{dots}/etc/passwd",
    ):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.putrequest("GET", path)
        connection.endheaders()
        got = connection.getresponse()
        body = got.read()
        connection.close()
        assert got.status in (200, 400, 404, 500), path
        assert b"root:" not in body and not any(secret in body for secret in secrets), path
        assert got.status != 200 or b"_dash-config" in body, path


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd", "..%2f..%2fetc", "/etc/passwd", "9000-12701/../x", "\x00", "a" * 5000]
)
@pytest.mark.parametrize("view", ["", "galaxy", "spectral-map", "galaxy-map", "anomalies", "emulator", "your-spectrum"])
def test_no_name_in_an_address_is_read_as_a_path(explored, caplog, view, name):
    """Whatever stands where a galaxy's name belongs, a page answers, without an error of its own."""
    for address in (
        Address(f"/{view}/{name}"),
        Address(f"/{view}", dict.fromkeys(["node", "galaxy", "label", "row"], name)),
    ):
        assert shell.page_at(explored, address) is not None
    assert not caplog.records


def test_bodies_are_limited(client, port):
    assert UPLOAD_BYTES == 20 * 1024**2 and BODY_BYTES > UPLOAD_BYTES * 4 / 3
    got = client.post("/_dash-update-component", data=b"x" * (BODY_BYTES + 1), content_type="application/json")
    assert got.status_code == 413
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    # Refused by what it announces, before anything of it is read.
    connection.putrequest("POST", "/_dash-update-component")
    connection.putheader("Content-Length", str(10 * BODY_BYTES))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_nothing_is_open_that_is_for_developers(empty_run):
    app = shell.create_app(empty_run)
    assert not app.server.debug
    client = app.server.test_client()
    assert "_dash-config" in client.get("/console").text  # a page as any other: werkzeug's debugger does not answer
    assert "mcp" not in " ".join(map(str, app.server.url_map.iter_rules()))


def test_nothing_is_unpickled_or_evaluated():
    for path in EXPLORER.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\b(import pickle|joblib|allow_pickle=True|eval\(|exec\(|shell=True)", text), path


# --- The server.


def test_opening_does_not_wait_for_what_views_compute_with(demo_run):
    code = (
        "import sys, mangrove.explorer.app as shell; "
        f"shell.create_app({str(demo_run)!r}).server.test_client().get('/_dash-layout'); "
        "print([name for name in ('jax', 'flax', 'sklearn', 'umap', 'ppxf') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_port_in_use_is_named_with_a_way_out(empty_run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(MangroveError, match=rf"port {port} of 127.0.0.1 is in use.*--port {port + 1}"):
            bound(empty_run, "127.0.0.1", port)


def test_an_address_of_another_machine_is_refused(empty_run):
    with pytest.raises(MangroveError, match=r"cannot listen on 192\.0\.2\.1, port 0"):
        bound(empty_run, "192.0.2.1", 0)


@pytest.mark.parametrize(("host", "warns"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_the_address_is_printed_and_a_warning_where_others_are_let_in(empty_run, monkeypatch, capsys, host, warns):
    class Still:
        effective_port = 8051

        def run(self):
            """Ends at once."""

    monkeypatch.setattr("mangrove.explorer.server.bound", lambda *_: Still())
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    serve(empty_run, host, 8051, open_browser=True)
    printed = capsys.readouterr().out
    assert f"is http://{host}:8051 (Ctrl+C ends it)" in printed and opened == [f"http://{host}:8051"]
    assert ("Warning" in printed) == warns


READING = """
import sys, threading, time
from h5py._objects import phil
from mangrove.explore_command import explore
from mangrove.explorer import server

class Interrupted:
    effective_port = 8051

    def run(self):
        begun = threading.Event()
        threading.Thread(target=self.read, args=(begun,), daemon=True).start()
        begun.wait()

    def read(self, begun):
        with phil:
            begun.set()
            time.sleep(600)

server.bound = lambda *_: Interrupted()
explore(sys.argv[1], 8051, "127.0.0.1", False)
"""


def test_the_command_ends_while_a_file_is_read_in_the_background(survey_run):
    """Whoever has HDF5's lock when Python ends keeps it, and what is left of h5py would wait for it."""
    done = subprocess.run([sys.executable, "-c", READING, str(survey_run)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "is http://127.0.0.1:8051 (Ctrl+C ends it)" in done.stdout


def interruptible() -> None:
    """Let Ctrl+C end a program whatever started it: shells have programs in the background ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_the_command_serves_until_it_is_interrupted(demo_run):
    command = [sys.executable, "-m", "mangrove", "explore", str(demo_run), "--port", "0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes, preexec_fn=interruptible) as process:
        try:
            line = process.stdout.readline()
            port = int(re.search(r"http://127\.0\.0\.1:(\d+) ", line)[1])
            begun = time.monotonic()
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", "/_dash-layout")
            got = connection.getresponse()
            assert got.status == 200 and b"mangrove: " in got.read() and time.monotonic() - begun < 10
            connection.close()
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0 and "Traceback" not in process.stderr.read()
        finally:
            process.kill()


def test_a_run_that_is_not_there_is_an_error_of_the_command():
    done = subprocess.run([sys.executable, "-m", "mangrove", "explore", "no-such-run"], capture_output=True, text=True)
    assert done.returncode == 1 and "is a folder with artefacts" in done.stderr and "Traceback" not in done.stderr
