"""The views of anomalies and of the emulator in a browser."""

import re

import h5py
import numpy as np
import pytest
from astropy.table import Table
from browser_window import draw_around, tab_to


def point_of(page, graph: str, trace: int, index: int) -> tuple[float, float, int]:
    """Where a point of a figure lies on the screen, CSS pixels, and its customdata."""
    place = page.evaluate(
        """([id, trace, index]) => {
            const graph = document.querySelector(`#${id} .js-plotly-plot`), layout = graph._fullLayout;
            const box = graph.getBoundingClientRect(), points = graph.calcdata[trace][index];
            return [box.left + layout.xaxis._offset + layout.xaxis.c2p(points.x),
                    box.top + layout.yaxis._offset + layout.yaxis.c2p(points.y),
                    points.customdata ?? graph._fullData[trace].customdata[index]];
        }""",
        [graph, trace, index],
    )
    return tuple(place)


def click_point(page, graph: str, trace: int, index: int) -> int:
    """Click a point of a figure; returns its customdata, unless another lies on top."""
    page.locator(f"#{graph}").scroll_into_view_if_needed()
    x, y, data = point_of(page, graph, trace, index)
    page.mouse.move(x, y)
    page.wait_for_selector(f"#{graph} .hoverlayer .hovertext")
    page.mouse.click(x, y)
    return data


def query_of(page) -> str:
    return page.evaluate("location.search")


def test_a_point_opens_its_galaxy(visit, demo_run, screenshot):
    page = visit("/anomalies")
    screenshot("anomalies", full_page=True)
    galaxy = click_point(page, "anomalies-cloud", 2, 3)
    with h5py.File(demo_run / "autoencoder" / "ae" / "anomalies.h5") as f:
        name = f["plateifu"].asstr()[galaxy]
    page.wait_for_url(f"**/galaxy/{name}")
    page.go_back()
    page.wait_for_selector("#anomalies-cloud .main-svg")


def test_the_table_is_ordered_by_its_heads_and_by_the_address(visit, settled, demo_run):
    page = visit("/anomalies")
    with h5py.File(demo_run / "autoencoder" / "ae" / "anomalies.h5") as f:
        names, value = f["plateifu"].asstr()[...], f["value"][:, 0]
    column = page.locator("#anomalies-table tbody tr td:first-child")
    assert column.all_text_contents() == names[np.argsort(-value, kind="stable")].tolist()[:20]
    page.locator("#anomalies-table th a", has_text=re.compile("^galaxy")).click()
    page.wait_for_url(re.compile("sort=galaxy"))
    settled()
    assert column.all_text_contents() == sorted(names)[:20]
    page.locator("#anomalies-table th a", has_text=re.compile("^galaxy")).click()
    page.wait_for_url(re.compile("order=falling"))
    settled()
    assert column.all_text_contents() == sorted(names, reverse=True)[:20]
    page.go_back()
    page.wait_for_url(re.compile("order=rising"))
    settled()
    assert column.all_text_contents() == sorted(names)[:20]


def test_a_selected_galaxy_shows_its_neighbours_and_choices_are_in_the_address(visit, settled, demo_run, screenshot):
    page = visit("/anomalies?network=vae&colour=agn")
    row = page.locator("#anomalies-table tbody tr").nth(1)
    name = row.locator("td").first.text_content()
    row.get_by_text("show", exact=True).click()
    page.wait_for_url(re.compile(f"galaxy={name}"))
    settled()
    assert name in page.locator("#anomalies-alike h3").text_content()
    with h5py.File(demo_run / "autoencoder" / "vae" / "neighbours.h5") as f:
        names = f["plateifu"].asstr()[...]
        near = names[f["latent_neighbour"][names.tolist().index(name)]].tolist()
    assert page.locator("#anomalies-alike tbody td:nth-child(2)").all_text_contents() == near
    assert page.locator("#anomalies-galaxy").input_value() == name
    screenshot("anomalies-selected", full_page=True)
    page.locator("#anomalies-find").fill(name)
    page.wait_for_url(re.compile(f"find={name}"))
    settled()
    assert page.locator("#anomalies-table tbody tr td:first-child").all_text_contents() == [name]


def test_galaxies_of_the_cloud_are_reached_by_keys(visit, settled):
    """The table has all of its points: each is marked in the cloud, and opened, without a mouse."""
    page = visit("/anomalies")
    tab_to(page, "#anomalies-table tbody a[href*='galaxy=']")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("galaxy="))
    settled()
    name = re.search(r"galaxy=([\d-]+)", page.url)[1]
    rings = page.evaluate(
        "() => document.querySelector('#anomalies-cloud .js-plotly-plot')._fullData.map(trace => trace.x.length)"
    )
    assert rings[1] == 1
    tab_to(page, f"#page a[href='/galaxy/{name}']")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/galaxy/{name}")
    settled()


def test_a_slider_changes_the_prediction_and_the_address(visit, settled, screenshot):
    page = visit("/emulator?row=17")
    page.wait_for_selector("#emulator-numbers tbody tr")
    settled()
    screenshot("emulator", full_page=True)
    listed = page.locator("#emulator-numbers tbody td:nth-child(2)")
    before = listed.all_text_contents()
    thumb = page.locator(".band [role=slider]").first
    thumb.focus()
    for _ in range(3):
        thumb.press("ArrowUp")
    page.wait_for_url(re.compile("flux="))
    settled()
    assert (
        listed.all_text_contents() != before
        and "back to the preset" in page.locator("#emulator-verdict").text_content()
    )
    page.get_by_text("back to the preset").click()
    page.wait_for_url(re.compile("^[^=]*row=17$"))
    settled()
    assert listed.all_text_contents() == before


def test_while_a_slider_is_held_the_prediction_follows(visit, settled):
    page = visit("/emulator?row=17")
    page.wait_for_selector("#emulator-numbers tbody tr")
    settled()
    listed = page.locator("#emulator-numbers tbody td:nth-child(2)")
    before = listed.all_text_contents()
    page.locator(".bands").scroll_into_view_if_needed()
    box = page.locator(".band [role=slider]").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 20, steps=4)
    page.wait_for_function(
        "before => document.querySelector('#emulator-numbers tbody td:nth-child(2)').textContent !== before",
        arg=before[0],
    )
    assert "flux=" not in query_of(page)
    page.mouse.up()
    page.wait_for_url(re.compile("flux="))
    settled()


def test_a_point_of_the_map_opens_its_continuum(visit, settled, demo_run):
    page = visit("/emulator?row=17")
    page.wait_for_selector("#emulator-map-left .points path")
    settled()
    click_point(page, "emulator-map-left", 1, 300)
    # Points overlap: the one on top is chosen.
    page.wait_for_url(re.compile("row=(?!17$)"))
    row = int(re.search(r"row=(\d+)", page.url)[1])
    settled()
    assert f"row {row}" in page.locator("#emulator-verdict").text_content()
    assert page.locator("#emulator-row").input_value() == str(row)
    with h5py.File(demo_run / "emulator" / "table.h5") as f:
        lines, ew = f["line"].asstr()[...].tolist(), f["ew"][row]
    measured = page.locator("#emulator-numbers tbody tr").nth(lines.index("Halpha_6565")).locator("td").last
    assert float(measured.text_content().split()[0]) == pytest.approx(ew[lines.index("Halpha_6565")], abs=0.006)


def test_a_lasso_around_galaxies_downloads_their_table(visit, demo_run):
    page = visit("/anomalies")
    page.locator("#anomalies-cloud").scroll_into_view_if_needed()
    box = page.locator("#anomalies-cloud .nsewdrag").bounding_box()
    left, top = box["x"] + 3, box["y"] + 3
    right, bottom = left + box["width"] - 6, top + box["height"] - 6
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top + 5)]
    draw_around(page, page.locator("#anomalies-cloud"), corners)
    with page.expect_download() as download:
        page.locator("#anomalies-selection-csv").click()
    table = Table.read(download.value.path(), format="ascii.csv")
    with h5py.File(demo_run / "autoencoder" / "ae" / "anomalies.h5") as f:
        names, value = f["plateifu"].asstr()[...].tolist(), f["value"][:, 0]
    assert sorted(table["plateifu"]) == sorted(names)
    own = [names.index(name) for name in table["plateifu"]]
    assert table["relative"].tolist() == pytest.approx(value[own].tolist(), rel=1e-5)
