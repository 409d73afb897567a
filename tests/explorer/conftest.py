"""A finished demo, the explorer that serves it, and a Chromium that looks at it."""

import re
import shutil
import threading
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browser_window import COUNT_CALLBACKS, LAPTOP, PATIENCE, settle
from waitress.wasyncore import close_all

from mangrove.explorer import galaxy_refit
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.server import bound

ROOT = Path(__file__).resolve().parents[2]
#: Where the screenshots of the views go, for people to look at.
SCREENSHOTS = ROOT / "results" / "explorer"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Tests that look at the demo are marked so, and run in one process: they share its server."""
    for item in items:
        if Path(__file__).parent in item.path.parents and "demo_run" in item.fixturenames:
            item.add_marker(pytest.mark.demo)
            item.add_marker(pytest.mark.xdist_group("explorer"))


@pytest.fixture(scope="session", autouse=True)
def nothing_compiled_beforehand():
    """What pages have compiled for those who may ask for it would take a core from all other tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(galaxy_refit._PREPARATION, "begin", lambda *_: None)
        yield


@pytest.fixture(scope="session")
def explored(demo_run) -> ExploredRun:
    """The demo as views read it."""
    return ExploredRun(demo_run)


@contextmanager
def serving(folder: Path):
    """Address of an explorer of a run, 'http://127.0.0.1:PORT', that answers for as long as the block lasts."""
    server = bound(folder, "127.0.0.1", 0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        # In its own thread, which waits for what it would close; connections that browsers keep open end as well.
        server.trigger.pull_trigger(lambda: close_all(server._map))
        thread.join(10)


@pytest.fixture(name="serving", scope="session")
def serving_function():
    """The function :func:`serving`."""
    return serving


@pytest.fixture(scope="session")
def explorer_url(demo_run):
    """Address of an explorer of the demo."""
    with serving(demo_run) as url:
        yield url


# Not for the whole session: an event loop runs while Playwright does, and other tests may start one of their own.
@pytest.fixture(scope="module")
def browser(demo_run, absent):
    """A headless Chromium: Debian's, or the one that Playwright has installed."""
    from playwright.sync_api import Error, expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        except Error as error:
            absent("demo", f"Chromium does not start (install the package chromium): {error}")
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def browser_context(browser, explorer_url):
    """What the pages of a module share: scripts that are fetched once. Nothing outside the explorer is fetched.

    They scroll at once: a figure that is measured must not move any more.
    """
    context = browser.new_context(
        viewport=LAPTOP, base_url=explorer_url, accept_downloads=True, reduced_motion="reduce"
    )
    context.set_default_timeout(PATIENCE)
    context.add_init_script(f"({COUNT_CALLBACKS})()")
    context.route(
        re.compile(rf"^https?://(?!{re.escape(urlsplit(explorer_url).netloc)}/)"), lambda route: route.abort()
    )
    yield context
    context.close()


@pytest.fixture
def page(browser_context, explorer_url):
    """An empty page of a laptop's size, for addresses of the explorer ('/spectral-map').

    At the end of the test no error may stand in its console; that a fetch outside the explorer failed is none.
    """
    errors = []
    page = browser_context.new_page()
    page.on("pageerror", lambda error: errors.append(f"uncaught: {error}"))
    page.on("console", lambda message: errors.extend(_errors_of(message, explorer_url)))
    yield page
    page.close()
    assert not errors


@pytest.fixture
def visit(page):
    """A function that opens an address ('/galaxy-map?node=3'), waits until it is drawn, and returns the page."""

    def open_at(address: str):
        page.goto(address)
        settle(page)
        return page

    return open_at


@pytest.fixture
def settled(page):
    """A function that waits until the page has answered a click: no callback runs, every figure is drawn."""
    return lambda: settle(page)


@pytest.fixture
def screenshot(page):
    """A function that saves the page, light and dark, as results/explorer/NAME-light.png and NAME-dark.png."""

    def save(name: str, full_page: bool = False):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=SCREENSHOTS / f"{name}-{scheme}.png", full_page=full_page)

    return save


def _of_the_explorer(url: str, explorer_url: str) -> bool:
    return urlsplit(url).scheme in ("data", "blob", "about") or urlsplit(url).netloc == urlsplit(explorer_url).netloc


def _errors_of(message, explorer_url: str) -> list[str]:
    """The text of a message of the console if it is an error of the explorer's own."""
    place = message.location.get("url", "")
    if message.type != "error" or (place and not _of_the_explorer(place, explorer_url)):
        return []
    return [f"{place}: {message.text}"]


@pytest.fixture(scope="session")
def survey_run(tmp_path_factory) -> Path:
    """A run of 12 galaxies and 900 baxels at artefact level, as the benchmarks write one of 10,000; it needs no demo."""
    from support.survey_artefacts import write_run

    folder = tmp_path_factory.mktemp("survey") / "survey"
    write_run(folder, n_galaxy=12, n_baxel=900, seed=1)
    return folder
