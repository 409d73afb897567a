"""The views of anomalies and of the emulator in a browser, in a run without maps of latents and inputs."""

import re
import threading
from pathlib import Path

import pytest
from playwright.sync_api import expect
from small_explored import cube_run, emulator_run

from mangrove.explorer.server import bound


@pytest.fixture(scope="module")
def explorer_url(tmp_path_factory):
    """Address of an explorer of that run, instead of the demo's."""
    folder = cube_run(tmp_path_factory.mktemp("parts"), n=24, n_agn=3)
    (folder / "autoencoder" / "ae" / "embedding.h5").unlink()
    server = bound(emulator_run(folder, mapped=False), "127.0.0.1", 0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.close()
    thread.join(10)


def test_anomalies_without_a_map_can_be_selected(visit, settled):
    page = visit("/anomalies")
    assert "no map of these latents" in page.locator("#page").text_content()
    name = page.locator("#anomalies-table tbody td").first.text_content()
    page.locator("#anomalies-table tbody").get_by_text("show", exact=True).first.click()
    page.wait_for_url(re.compile(f"galaxy={name}"))
    settled()
    assert name in page.locator("#anomalies-alike h3").text_content()
    assert name in page.locator("#anomalies-scores .legend").text_content()
    page.get_by_text("next", exact=True).click()
    page.wait_for_url(re.compile("page=1"))
    settled()
    assert page.locator("#anomalies-table tbody tr").count() == 4


def test_presets_of_an_emulator_without_a_map_can_be_chosen(visit, settled):
    page = visit("/emulator")
    page.wait_for_selector("#emulator-numbers tbody tr")
    page.locator("#emulator-row").fill("7")
    page.wait_for_url(re.compile("row=7"))
    settled()
    assert "8003-1901, baxel 1" in page.locator("#emulator-verdict").text_content()


def test_the_picture_of_the_archive_is_shown_where_it_can_be_reached(visit):
    page = visit("/galaxy/8003-1903")
    picture = page.locator("img.if-reachable")
    expect(picture).to_have_count(1)
    expect(picture).to_be_hidden()
    drawn = Path(__file__).parents[2] / "docs/pictures/explorer/galaxy.png"
    page.route("https://data.sdss.org/**", lambda route: route.fulfill(path=drawn))
    page.reload()
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") > 0
