"""The two maps in a browser: nodes that are clicked and compared, galaxies that are followed to, tables that are taken."""

import csv
from urllib.parse import parse_qs, urlsplit

import h5py
import numpy as np
from browser_window import draw_around
from playwright.sync_api import Page, expect

#: Where the centre of a node of a figure lies in the window, pixels; x and y are (column, row) from 1.
_PLACE = """([id, x, y]) => {
    const plot = document.querySelector(`#${id} .js-plotly-plot`);
    const {xaxis, yaxis} = plot._fullLayout, box = plot.getBoundingClientRect();
    return [box.left + xaxis._offset + xaxis.d2p(x), box.top + yaxis._offset + yaxis.d2p(y)];
}"""


def click_node(page: Page, figure: str, column: int, row: int):
    """Click as a hand does: Plotly clicks on what the pointer has come to rest on."""
    place = page.evaluate(_PLACE, [figure, column, row])
    page.mouse.move(*place, steps=3)
    page.wait_for_timeout(300)
    page.mouse.click(*place)


def lasso(page: Page, figure: str, column: int, row: int, reach: float = 0.45):
    """Draw around all nodes that lie less than ``reach`` from one in column and row."""
    corners = [(column + reach * x, row + reach * y) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))]
    places = [page.evaluate(_PLACE, [figure, *corner]) for corner in corners]
    draw_around(page, page.locator(f"#{figure}"), places)


def query(page: Page) -> dict[str, str]:
    return {key: values[-1] for key, values in parse_qs(urlsplit(page.url).query).items()}


def downloaded(page: Page, button: str) -> list[dict[str, str]]:
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    return list(csv.DictReader(download.value.path().read_text(encoding="utf-8").splitlines()))


def test_a_node_is_followed_to_a_galaxy_and_back(visit, settled, screenshot, demo_run):
    with h5py.File(demo_run / "desom" / "assignments.h5") as f:
        node, galaxy, columns = f["node"][...], f["galaxy"][...], int(f.attrs["columns"])
        names = f["plateifu"].asstr()[...]
    most = int(np.argmax(np.bincount(node[node >= 0])))
    chosen = int(np.flatnonzero(np.bincount(node[node >= 0]))[-1])
    page = visit(f"/spectral-map?node={most}")
    screenshot("spectral-map")
    row, column = divmod(chosen, columns)
    click_node(page, "spectral-map-nodes", column + 1, row + 1)
    heading = page.get_by_role("heading", name=f"Galaxies of node ({column + 1}, {row + 1})")
    expect(heading).to_be_visible()
    assert query(page)["node"] == str(chosen)
    there = {str(names[k]) for k in galaxy[node == chosen]}
    links = page.locator("#spectral-map-below td:first-child a").all_inner_texts()
    assert set(links) == there
    page.get_by_role("link", name=links[0], exact=True).first.click()
    page.wait_for_url(f"**/galaxy/{links[0]}")
    page.go_back()
    expect(heading).to_be_visible()
    page.go_back()
    row, column = divmod(most, columns)
    expect(page.get_by_role("heading", name=f"Galaxies of node ({column + 1}, {row + 1})")).to_be_visible()


def test_who_goes_back_twice_at_once_sees_the_node_of_the_address(visit, settled):
    page = visit("/spectral-map?node=0")
    page.locator("[data-nodes]").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**node=1")
    settled()
    page.get_by_role("link", name="Galaxy map").click()
    page.wait_for_url("**/galaxy-map")
    settled()
    held = []
    page.route("**/_dash-update-component", lambda route: held.append(route))
    page.go_back()
    page.wait_for_function("window.awaited > 0")
    page.go_back()
    page.wait_for_url("**node=0")
    page.unroute("**/_dash-update-component")
    for answer in held:
        answer.continue_()
    settled()
    expect(page.get_by_role("heading", name="Galaxies of node (1, 1)", exact=True)).to_be_visible()


def test_colours_keys_and_a_comparison_are_in_the_address(visit, settled):
    page = visit("/spectral-map?node=0")
    page.locator("#spectral-map-label").click()
    page.get_by_role("option", name="reddening of the gas").click()
    page.wait_for_url("**label=ebv_gas**")
    page.get_by_role("button", name="compare with another node").click()
    page.wait_for_url("**with=0**")
    page.locator("[data-nodes]").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**node=1**")
    expect(page.get_by_role("heading", name="Labels on node (2, 1) and node (1, 1)")).to_be_visible()
    assert query(page) == {"label": "ebv_gas", "node": "1", "with": "0"}
    page.get_by_role("button", name="end the comparison").click()
    expect(page.get_by_role("heading", name="Labels on node (2, 1)", exact=True)).to_be_visible()
    assert "with" not in query(page)


def test_the_lasso_takes_the_baxels_and_galaxies_of_its_nodes(visit, settled, demo_run):
    with h5py.File(demo_run / "desom" / "assignments.h5") as f:
        node, baxel, columns = f["node"][...], f["baxel"][...], int(f.attrs["columns"])
        galaxy = f["plateifu"].asstr()[...][f["galaxy"][...]]
    page = visit("/spectral-map?node=0")
    lasso(page, "spectral-map-nodes", 2, 2, reach=1.4)
    inside = np.isin(node, [row * columns + column for row in range(3) for column in range(3)])
    rows = downloaded(page, "baxels of the selected nodes as CSV")
    assert {(row["plateifu"], int(row["baxel"])) for row in rows} == {*zip(galaxy[inside], baxel[inside], strict=True)}
    assert len(rows) == inside.sum()
    # A click ends the selection: now the node shown is taken.
    click_node(page, "spectral-map-nodes", 2, 1)
    page.wait_for_url("**node=1**")
    settled()
    galaxies = downloaded(page, "their galaxies as CSV")
    assert {row["plateifu"] for row in galaxies} == set(galaxy[node == 1])
    assert sum(int(row["n_baxel_selected"]) for row in galaxies) == np.sum(node == 1)


def test_the_map_of_galaxies_leads_to_its_galaxies_and_to_the_map_of_spectra(visit, settled, screenshot, demo_run):
    with h5py.File(demo_run / "galaxy_map" / "assignments.h5") as f:
        node, distance, columns = f["node"][...], f["distance"][...], int(f.attrs["columns"])
        names = f["plateifu"].asstr()[...]
    chosen = int(node[node >= 0][0])
    row, column = divmod(chosen, columns)
    page = visit("/galaxy-map")
    screenshot("galaxy-map")
    click_node(page, "galaxy-map-nodes", column + 1, row + 1)
    expect(page.get_by_role("heading", name=f"Galaxies of node ({column + 1}, {row + 1})")).to_be_visible()
    here = np.flatnonzero(node == chosen)
    nearest_first = names[here[np.argsort(distance[here])]].tolist()
    assert page.locator("#galaxy-map-below td:first-child a").all_inner_texts() == nearest_first
    assert page.locator("#galaxy-map-below img").first.get_attribute("alt") == f"picture of {nearest_first[0]}"
    lasso(page, "galaxy-map-nodes", column + 1, row + 1)
    taken = downloaded(page, "galaxies of the selected nodes as CSV")
    assert sorted(one["plateifu"] for one in taken) == sorted(nearest_first)
    click_node(page, "galaxy-map-fingerprints", 2, 1)
    page.wait_for_url("**/spectral-map?node=1")
    expect(page.get_by_role("heading", name="Galaxies of node (2, 1)")).to_be_visible()
