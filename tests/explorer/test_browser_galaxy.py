"""The page of a galaxy in a browser: a spaxel's spectrum, a fit with other settings, the way to another galaxy."""

import re
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from astropy.table import Table
from browser_window import draw_around, tab_to
from playwright.sync_api import expect

from mangrove.api import fit_spectrum, open_run

GALAXY = "9001-1902"
#: How long a program may be compiled on a busy machine before its test fails, ms.
COMPILATION = 240_000


@pytest.fixture(scope="module")
def run(demo_run):
    return open_run(demo_run)


def query_of(page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def cells_of(page, table: str) -> dict[str, list[str]]:
    """Rows of a table by their first cell."""
    rows = page.locator(f"#{table} tbody tr").all()
    texts = [row.locator("td").all_inner_texts() for row in rows]
    return {row[0]: row[1:] for row in texts}


def bring(page, graph: str) -> None:
    """Scroll to a figure at once: where it is measured, it must not move any more."""
    page.evaluate(
        "id => document.getElementById(id).scrollIntoView({behavior: 'instant', block: 'center'})",
        graph,
    )


def click_map(page, graph: str, x: float, y: float) -> None:
    """Click a place of a map, arcsec."""
    place = page.evaluate(
        """([id, x, y]) => {
            const plot = document.querySelector(`#${id} .js-plotly-plot`), box = plot.getBoundingClientRect();
            const {xaxis, yaxis} = plot._fullLayout;
            return [box.x + xaxis._offset + xaxis.l2p(x), box.y + yaxis._offset + yaxis.l2p(y)];
        }""",
        [graph, x, y],
    )
    page.mouse.move(*place)
    page.mouse.click(*place)


def test_a_click_on_a_spaxel_shows_the_spectrum_of_its_baxel(visit, settled, run, screenshot):
    page = visit(f"/galaxy/{GALAXY}?baxel=0")
    assert "Spectrum of baxel 0" in page.inner_text("#galaxy-baxel")
    bring(page, "galaxy-map")
    # Where the first spaxel of the largest other baxel lies on the map.
    labels = run.labels(GALAXY)
    wanted = int(np.argmax(labels["n_spaxel"] * (labels["baxel"] > 0)))
    x, y = page.evaluate(
        """wanted => {
            const {x, y, customdata} = document.querySelector("#galaxy-map .js-plotly-plot")._fullData[0];
            for (let i = 0; i < y.length; i++)
                for (let j = 0; j < x.length; j++) if (customdata[i][j] === wanted) return [x[j], y[i]];
        }""",
        wanted,
    )
    click_map(page, "galaxy-map", x, y)
    expect(page.locator("#galaxy-baxel")).to_contain_text(f"Spectrum of baxel {wanted}:")
    settled()
    assert query_of(page)["baxel"] == [str(wanted)]
    shown = cells_of(page, "galaxy-labels")["stellar velocity V*"][0].replace("\N{MINUS SIGN}", "-")
    assert float(shown.split(" ± ")[0]) == pytest.approx(labels["v_star"][wanted], abs=0.6)
    screenshot("galaxy", full_page=True)
    page.go_back()
    expect(page.locator("#galaxy-baxel")).to_contain_text("Spectrum of baxel 0:")


def test_every_baxel_is_reached_by_keys(visit, settled, run):
    page = visit(f"/galaxy/{GALAXY}?baxel=0")
    tab_to(page, "#galaxy-baxel-number")
    page.keyboard.press("Control+a")
    page.keyboard.type("3")
    expect(page.locator("#galaxy-baxel")).to_contain_text("Spectrum of baxel 3:")
    settled()
    page.keyboard.press("ArrowUp")
    expect(page.locator("#galaxy-baxel")).to_contain_text("Spectrum of baxel 4:")
    settled()
    assert query_of(page)["baxel"] == ["4"]
    # What is no baxel changes nothing, and a click on a map changes the number.
    page.keyboard.press("Control+a")
    page.keyboard.type(str(len(run.labels(GALAXY))))
    settled()
    assert query_of(page)["baxel"] == ["4"]
    page.go_back()
    expect(page.locator("#galaxy-baxel")).to_contain_text("Spectrum of baxel 3:")
    expect(page.locator("#galaxy-baxel-number")).to_have_value("3")


def drag_around(page, graph: str) -> None:
    """Draw a lasso along the edges of a figure's first panel."""
    bring(page, graph)
    left, top, width, height = page.evaluate(
        """id => {
            const plot = document.querySelector(`#${id} .js-plotly-plot`), box = plot.getBoundingClientRect();
            const {xaxis, yaxis} = plot._fullLayout;
            return [box.x + xaxis._offset, box.y + yaxis._offset, xaxis._length, yaxis._length];
        }""",
        graph,
    )
    corners = [(0.02, 0.02), (0.98, 0.02), (0.98, 0.98), (0.02, 0.98), (0.02, 0.05)]
    places = [(left + x * width, top + y * height) for x, y in corners]
    draw_around(page, page.locator(f"#{graph}"), places)


def test_a_lasso_downloads_the_labels_of_its_baxels(visit, settled, run):
    page, labels = visit(f"/galaxy/{GALAXY}?baxel=0"), run.labels(GALAXY)
    for graph in (
        "galaxy-image",
        "galaxy-map",
        "galaxy-kinematics",
        "galaxy-bpt-map",
        "galaxy-bpt",
        "galaxy-fingerprint",
    ):
        drag_around(page, graph)
        with page.expect_download() as download:
            page.locator(f"#{graph}-baxels-csv").click()
        table = Table.read(download.value.path(), format="ascii.csv")
        # Of a diagram, those that are in it.
        assert 0.5 * np.sum(labels["bpt_class"] != 0) < len(table) <= len(labels)
        (name,) = (name for name in table.colnames if name.startswith("v_star ["))
        np.testing.assert_allclose(table[name], labels["v_star"][table["baxel"]], rtol=1e-5)
    settled()


def test_a_click_on_the_bpt_diagram_shows_the_spectrum(visit, settled):
    page = visit(f"/galaxy/{GALAXY}?baxel=0")
    bring(page, "galaxy-bpt")
    baxel, x, y = page.evaluate(
        """() => {
            const points = document.querySelector("#galaxy-bpt .js-plotly-plot")._fullData
                .find(trace => trace.name === "baxels");
            const at = Array.from(points.x).findIndex((x, k) => points.customdata[k] !== 0);
            return [points.customdata[at], points.x[at], points.y[at]];
        }"""
    )
    click_map(page, "galaxy-bpt", x, y)
    page.wait_for_function("before => location.search !== before", arg="?baxel=0")
    chosen = query_of(page)["baxel"][0]
    expect(page.locator("#galaxy-baxel")).to_contain_text(f"Spectrum of baxel {chosen}:")
    settled()
    ring = page.evaluate("() => document.querySelector('#galaxy-bpt .js-plotly-plot')._fullData[0].x[0]")
    assert (chosen, ring) == (str(baxel), pytest.approx(x))


@pytest.mark.slow
def test_another_degree_fits_the_spectrum_again(visit, settled, run, screenshot):
    page = visit(f"/galaxy/{GALAXY}?baxel=1")
    assert "degree" not in query_of(page)
    handle = page.locator("#galaxy-degree [role=slider]")
    handle.scroll_into_view_if_needed()
    handle.focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("#galaxy-refit-numbers", timeout=COMPILATION)
    settled()
    assert query_of(page)["degree"] == ["6"]
    shown = cells_of(page, "galaxy-refit-numbers")
    assert any(old != new for old, new, *_ in shown.values())
    settings = {"polynomial_degree": 6, "engine": "batched"}
    expected = fit_spectrum(**run.fit_arguments(GALAXY, 1) | settings)
    assert float(shown["reduced χ²"][1]) == pytest.approx(expected["chi2_reduced"].value, abs=6e-4)
    age = expected.labels["log_age_lw"]
    assert float(shown["light-weighted age"][1].split(" ± ")[0]) == pytest.approx(age.value.value, abs=6e-3)
    screenshot("galaxy-refit", full_page=True)


def test_a_neighbour_opens_its_page(visit, settled):
    page = visit(f"/galaxy/{GALAXY}")
    kin = page.locator(".kin").first
    name = re.match(r"[\d-]+", kin.inner_text())[0]
    kin.click()
    expect(page.locator("#page h2")).to_have_text(name)
    settled()
    assert urlsplit(page.url).path == f"/galaxy/{name}"


def test_the_chooser_finds_a_galaxy_and_a_wrong_name_the_nearest(visit, settled):
    page = visit("/galaxy/9001-1903")
    assert GALAXY in page.inner_text("#page .notice")
    page.locator("#page .notice a", has_text=GALAXY).click()
    expect(page.locator("#page h2")).to_have_text(GALAXY)
    settled()
    page.locator("#galaxy-choice").click()
    page.keyboard.type("9005-1905")
    page.get_by_text("9005-1901", exact=True).click()
    expect(page.locator("#page h2")).to_have_text("9005-1901")
    settled()
