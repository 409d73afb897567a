"""The window that browser tests open, how long they wait, and when a page has come to rest."""

from playwright.sync_api import Locator, Page

#: A laptop's screen, in CSS pixels.
LAPTOP = {"width": 1366, "height": 768}
#: How long a page may take, on a busy machine of two cores, before its test fails, ms.
PATIENCE = 90_000
#: How long no callback may be on its way for a page to be at rest, ms: an answer may start the next one.
_QUIET = 150
#: Counts the answers that are awaited from the server, from before the page's first script on.
COUNT_CALLBACKS = """() => {
    const fetched = window.fetch;
    window.awaited = 0;
    window.answered = performance.now();
    window.fetch = (request, ...rest) => {
        if (!String(request.url ?? request).includes("_dash-update-component")) return fetched(request, ...rest);
        window.awaited += 1;
        const done = () => { window.awaited -= 1; window.answered = performance.now(); };
        const answer = fetched(request, ...rest);
        answer.then(done, done);
        return answer;
    };
}"""
_AT_REST = """quiet => window.awaited === 0 && performance.now() - window.answered > quiet &&
    !document.querySelector("[data-dash-is-loading='true']") &&
    [...document.querySelectorAll(".dash-graph")].every(graph => graph.querySelector(".main-svg"))"""


def settle(page: Page):
    """Wait until the page is there, no answer is awaited, and every figure is drawn."""
    page.wait_for_selector("#page > *")
    page.wait_for_load_state("networkidle")
    page.wait_for_function(_AT_REST, arg=_QUIET)


def draw_around(page: Page, figure: Locator, corners: list[tuple[float, float]]):
    """Draw a lasso through corners, in pixels of the window, and wait until the figure shows it."""
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner, steps=8)
    page.mouse.up()
    figure.locator(".selectionlayer path").first.wait_for(state="attached")
    settle(page)


def tab_to(page: Page, selector: str):
    """Go on with Tab, as people without a mouse do, until what a selector names has the focus; fails where it never does."""
    for _ in range(300):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab does not lead to {selector}")
