"""The explorer's shell in a browser: pages, keys, themes, figures as files, errors."""

import struct
from xml.etree import ElementTree

import plotly.graph_objects as go
import pytest
from astropy.table import Table
from dash import Input, Output, State, html

from mangrove.errors import ArtefactError
from mangrove.explorer import app as shell
from mangrove.explorer.address import Address
from mangrove.explorer.downloads import buttons, measured, register_download
from mangrove.explorer.panels import figure_panel
from mangrove.explorer.style import INK
from mangrove.explorer.view import View

ROWS, COLUMNS = 3, 4


def _page(run, address):
    # Words that take the page's colour, and a picture that has nothing to do with them.
    figure = go.Figure(go.Heatmap(z=[[0, 1], [2, 3]], texttemplate="%{z}", colorbar={"title": "counts"}))
    figure.update_xaxes(title="column")
    cloud = go.Figure(go.Scatter3d(x=[0, 1], y=[0, 1], z=[0, 1], mode="markers"))
    many = go.Figure(go.Scattergl(x=[0, 1], y=[0, 1], mode="markers"))
    return html.Div(
        [
            html.H2("Specimen"),
            figure_panel("specimen-map", figure, "A map", "Its caption.", nodes=(ROWS, COLUMNS)),
            figure_panel("specimen-cloud", cloud, "A cloud", "In three dimensions."),
            figure_panel("specimen-many", many, "Many points", "On the graphics card."),
            html.Div(id="specimen-node"),
            buttons("specimen-table", "node"),
            html.Button("fail", id="specimen-fail"),
            html.Div(id="specimen-failed"),
        ]
    )


def _register(app, run):
    @app.callback(Output("specimen-node", "children"), Input("url", "search"), State("url", "pathname"))
    def show(search, path):
        return f"node {Address.parsed(path, search).whole('node', -1, ROWS * COLUMNS)}"

    def table_of(words):
        node = int(words.removeprefix("node "))
        if node == 11:
            raise ArtefactError("the artefact of node 11 is damaged.")
        return Table({"node": [node], "v_star": measured([2.5], "km s-1")}) if node >= 0 else None

    register_download(app, "specimen-table", table_of, State("specimen-node", "children"))

    @app.callback(Output("specimen-failed", "children"), Input("specimen-fail", "n_clicks"), prevent_initial_call=True)
    def fail(_):
        raise LookupError("nothing there")


SPECIMEN = View("specimen", "Specimen", lambda run: "", _page, _register)


@pytest.fixture(scope="module")
def explorer_url(demo_run, serving):
    """The explorer of the demo with one view more, which has one of everything."""
    views = shell.VIEWS
    shell.VIEWS = (*views, SPECIMEN)
    try:
        with serving(demo_run) as url:
            yield url
    finally:
        shell.VIEWS = views


def background(page) -> str:
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_the_first_page_opens(visit, screenshot):
    page = visit("/")
    assert page.title() == "Run · mangrove: demo"
    assert page.locator("nav [aria-current=page]").inner_text() == "Run"
    assert page.locator("#home-galaxies tbody tr").count() == 14
    screenshot("home")


def test_the_search_is_in_the_address_and_back_undoes_it(visit, settled):
    page = visit("/")
    page.get_by_label("search by plateifu or MaNGA-ID").fill("9001")
    page.wait_for_url("**/?find=9001")
    page.get_by_text("2 found").wait_for()
    page.go_back()
    page.get_by_text("14 found").wait_for()
    page.get_by_role("link", name="9001-1902").click()
    page.wait_for_url("**/galaxy/9001-1902")


def test_keys_alone_reach_another_page(visit, settled):
    page = visit("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "to the content"
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Specimen":
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px", "the focus is not seen"
    page.keyboard.press("Enter")
    page.wait_for_url("**/specimen")
    settled()
    assert page.title() == "Specimen · mangrove: demo"
    assert page.evaluate("document.activeElement.id") == "page"


def test_arrow_keys_select_nodes_of_a_map_and_stop_at_its_edge(visit, settled):
    page = visit("/specimen?node=5")
    page.get_by_text("node 5").wait_for()
    page.locator("[data-nodes]").focus()
    for key, node in [("ArrowRight", 6), ("ArrowUp", 10), ("ArrowUp", 10), ("ArrowRight", 11), ("ArrowRight", 11)]:
        page.keyboard.press(key)
        page.get_by_text(f"node {node}", exact=True).wait_for()
    page.keyboard.press("ArrowDown")
    page.wait_for_url("**/specimen?node=7")
    page.go_back()
    page.get_by_text("node 11").wait_for()


@pytest.mark.parametrize("view", ["spectral-map", "galaxy-map"])
def test_arrow_keys_go_on_from_the_node_shown(visit, view):
    """As a map opens, its address names no node; nonsense in its place changes nothing."""
    for address in (f"/{view}", f"/{view}?node=x"):
        page = visit(address)
        shown = page.evaluate("document.querySelector('[data-nodes] .js-plotly-plot').layout.meta.node")
        columns = int(page.locator("[data-nodes]").get_attribute("data-nodes").split(",")[1])
        step, key = (1, "ArrowRight") if shown % columns < columns - 1 else (-1, "ArrowLeft")
        page.locator("[data-nodes]").focus()
        page.keyboard.press(key)
        page.wait_for_url(f"**/{view}?node={shown + step}")


def test_the_theme_follows_the_system_until_it_is_chosen(visit, settled):
    page = visit("/")
    page.emulate_media(color_scheme="light")
    light = background(page)
    page.emulate_media(color_scheme="dark")
    dark = background(page)
    assert light != dark
    page.locator("#theme").click()
    assert background(page) == light
    page.reload()
    settled()
    assert background(page) == light, "the choice is forgotten"
    page.locator("#theme").click()
    assert background(page) == dark


def test_words_of_figures_take_the_colour_of_the_page(visit):
    page = visit("/specimen")
    fill = "getComputedStyle(document.querySelector('#specimen-map {}')).fill"
    for scheme, least in (("light", 0), ("dark", 200)):
        page.emulate_media(color_scheme=scheme)
        for words in (".xtick text", ".xtitle", ".colorbar text"):
            red = int(page.evaluate(fill.format(words)).removeprefix("rgb(").split(",")[0])
            assert least <= red <= least + 60


@pytest.mark.parametrize("graph", ["specimen-map", "specimen-cloud"])
def test_figures_leave_as_png_and_svg(visit, tmp_path, graph):
    page = visit("/specimen")
    page.emulate_media(color_scheme="dark")
    ink = "rgb" + str(tuple(bytes.fromhex(INK.removeprefix("#"))))
    box = page.locator(f"#{graph} .main-svg").first.bounding_box()
    files = {}
    for kind in ("png", "svg"):
        with page.expect_download() as download:
            page.locator(f"button[data-export={kind}][data-graph={graph}]").click()
        assert download.value.suggested_filename == f"{graph}.{kind}"
        files[kind] = tmp_path / f"{graph}.{kind}"
        download.value.save_as(files[kind])
    png = files["png"].read_bytes()
    assert png.startswith(b"\x89PNG")
    # Twice as fine as the screen.
    assert struct.unpack(">II", png[16:24]) == pytest.approx((2 * box["width"], 2 * box["height"]), abs=4)
    svg = ElementTree.parse(files["svg"]).getroot()
    ground = svg.find("{http://www.w3.org/2000/svg}rect")
    assert "fill: rgb(255, 255, 255)" in ground.attrib["style"], "saved on the dark of the page"
    # The words of a scene are part of its picture.
    assert graph == "specimen-cloud" or ink in files["svg"].read_text(encoding="utf-8")


def test_tables_leave_as_csv_and_fits(visit, settled):
    page = visit("/specimen?node=5")
    files = {}
    for kind in ("csv", "fits"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"node as {kind.upper()}").click()
        assert download.value.suggested_filename == f"specimen-table.{kind}"
        files[kind] = download.value.path()
    assert files["csv"].read_text(encoding="utf-8") == "node,v_star [km / s]\n5,2.5\n"
    table = Table.read(files["fits"], format="fits")
    assert (table["node"][0], table["v_star"][0], str(table["v_star"].unit)) == (5, 2.5, "km / s")
    page.get_by_text("specimen-table.fits: 1 row", exact=True).wait_for()


@pytest.mark.parametrize(("search", "said"), [("", "Nothing is selected"), ("?node=11", "node 11 is damaged")])
def test_without_a_table_it_is_said_why(visit, search, said):
    page = visit(f"/specimen{search}")
    page.get_by_role("button", name="node as CSV").click()
    page.locator("#specimen-table-said").get_by_text(said).wait_for()


def test_clouds_of_many_points_are_drawn(visit):
    """What the content policy stops, they say of the browser."""
    page = visit("/specimen")
    assert page.locator("#specimen-many canvas").count() and not page.get_by_text("WebGL is not supported").count()


def test_what_fails_is_told_above_the_page_until_the_next_one(visit, settled):
    page = visit("/specimen")
    page.locator("#specimen-fail").click()
    page.locator("#problem").get_by_text("LookupError: nothing there").wait_for()
    assert page.locator("h2").inner_text() == "Specimen"
    page.get_by_role("link", name="Run", exact=True).click()
    page.wait_for_url("**/")
    settled()
    assert page.locator("#problem").inner_text() == ""


def test_an_unknown_page_leads_back(visit, settled):
    page = visit("/nowhere")
    page.get_by_text("There is no page /nowhere.").wait_for()
    page.get_by_role("link", name="To the first page").click()
    page.wait_for_url("**/")
    settled()
    assert page.locator("#home-galaxies").is_visible()


def test_a_narrow_window_needs_no_sideways_scrolling(visit):
    for address in ("/", "/specimen"):
        page = visit(address)
        page.set_viewport_size({"width": 700, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
