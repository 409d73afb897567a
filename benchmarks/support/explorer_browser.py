"""Clicks in a headless Chromium, timed from the change of the address until nothing on the page moves any more."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from playwright.sync_api import Error, sync_playwright

_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_LAPTOP = {"width": 1366, "height": 768}
_PATIENCE = 60_000
#: Counts requests under way, and notes when the page has changed last; time is in ms from the start of the page.
_WATCH = """
window.watched = { start: 0, last: 0, pending: 0 };
const fetched = window.fetch;
window.fetch = (...what) => {
  watched.pending += 1;
  return fetched(...what).finally(() => { watched.pending -= 1; });
};
new MutationObserver(() => { watched.last = performance.now(); }).observe(
  document, { subtree: true, childList: true, attributes: true, characterData: true });
"""
#: Still for this long with nothing under way, the page is drawn, ms.
_QUIET = 400
_DRAWN = f"""() => watched.last > watched.start && watched.pending === 0 && document.querySelector("#page > *") &&
performance.now() - watched.last > {_QUIET}"""
#: As Dash's own links change the address.
_CLICK = """query => {
  watched.start = performance.now();
  history.pushState({}, "", `${location.pathname}?${query}`);
  window.dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
}"""


class Drawn(NamedTuple):
    """Seconds until a page was drawn, and until each click on it was."""

    visit: float
    clicks: list[float]


def drawn_clicks(url: str, clicks: Sequence, n: int) -> Iterator[tuple]:
    """Visit the page of each click of an explorer, and click so many times; yields the click and what was measured.

    Nothing, and a line on standard error, where Chromium does not start.

    Parameters
    ----------
    url : str
        Of the explorer.
    clicks : sequence
        Each with ``page`` and ``query(i)``, the query that the i-th click writes into the address.
    n : int
    """
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_OPTIONS)
        except Error as error:
            print(f"Nothing is drawn, as Chromium does not start (install it): {error}", file=sys.stderr)
            return
        page = browser.new_page(viewport=_LAPTOP)
        page.set_default_timeout(_PATIENCE)
        page.route(lambda address: not address.startswith(url), lambda route: route.abort())
        page.add_init_script(_WATCH)
        for click in clicks:
            page.goto(url + click.page)
            visit = _until_drawn(page)
            yield click, Drawn(visit, [_clicked(page, click.query(i)) for i in range(n)])
        browser.close()


def _clicked(page, query: dict) -> float:
    page.evaluate(_CLICK, urlencode(query))
    return _until_drawn(page)


def _until_drawn(page) -> float:
    """Seconds from the start of the page, or from the last click, to the last change of the page."""
    page.wait_for_function(_DRAWN)
    return page.evaluate("() => watched.last - watched.start") / 1000.0
