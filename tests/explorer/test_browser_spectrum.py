"""Two people bring spectra to the explorer: what each of them sees, in Chromium."""

import re
from pathlib import Path

import ppxf
from browser_window import LAPTOP, PATIENCE

from mangrove.api import fit_spectrum, open_map, read_spectrum
from mangrove.explorer.own_spectrum import settings
from mangrove.explorer.security import UPLOAD_BYTES

SPECTRA = Path(ppxf.__file__).parent / "spectra"
NGC3522, NGC3073 = SPECTRA / "NGC3522_SDSS_DR18.fits", SPECTRA / "NGC3073_SDSS_DR18.fits"
#: The first fit is compiled, on a busy machine.
FIRST_FIT = 240_000


def bring(page, path, ebv="0.02"):
    page.goto("/your-spectrum")
    page.set_input_files("#your-spectrum-file input", path)
    page.wait_for_selector("#your-spectrum-about dl")
    page.fill("#your-spectrum-ebv", ebv)
    page.click("#your-spectrum-go")


def test_a_spectrum_of_sdss_gets_its_fit_its_node_and_its_lines(page, explored, demo_run, settled, screenshot):
    bring(page, NGC3522)
    page.wait_for_selector("text=Fitting your spectrum…")
    page.wait_for_selector("#your-spectrum-lines .main-svg", timeout=FIRST_FIT)
    settled()
    read = read_spectrum(NGC3522)
    arrays = {name: getattr(read, name) for name in ("wave", "flux", "ivar", "mask", "lsf", "z")}
    fit = fit_spectrum(**arrays, ebv=0.02, **settings(explored))
    shown = page.inner_text("#your-spectrum-fit-part").replace("\N{MINUS SIGN}", "-")
    for name in ("v_star", "sigma_star"):
        assert f"{fit[name].value:.1f} ± {fit[name + '_err'].value:.1f} km/s" in shown
    age = fit.labels["log_age_lw"]
    assert f"{age.value.value:.3f} ± {age.error.value:.3f}" in shown
    place = open_map(demo_run / "desom").place(**arrays, ebv=0.02)
    said = page.inner_text("#your-spectrum-map-part")
    assert f"({place.node.column}, {place.node.row})" in said and f"{100 * place.typicality:.0f} %" in said
    assert f"{age.value.value:.3f}" in page.inner_text("#your-spectrum-labels-part")
    screenshot("your-spectrum", full_page=True)
    # It is still there after a look at its node.
    page.click("#your-spectrum-map-part a")
    page.wait_for_selector("#spectral-map-nodes .main-svg")
    page.go_back()
    page.wait_for_selector("#your-spectrum-fit-figure .main-svg")
    assert "NGC3522" in page.inner_text("#your-spectrum-about")


def test_garbage_gets_a_message_and_the_next_file_is_taken(page):
    page.goto("/your-spectrum")
    garbage = {"name": "spectrum.fits", "mimeType": "application/fits", "buffer": b"\x00\x01 no spectrum"}
    page.set_input_files("#your-spectrum-file input", garbage)
    page.wait_for_selector("#your-spectrum-problem .notice")
    assert "spectrum.fits: is neither a FITS table, nor HDF5, nor text" in page.inner_text("#your-spectrum-problem")
    assert page.is_disabled("#your-spectrum-go")
    page.set_input_files("#your-spectrum-file input", NGC3073)
    page.wait_for_selector("#your-spectrum-about dl")
    assert not page.inner_text("#your-spectrum-problem") and page.is_enabled("#your-spectrum-go")
    page.fill("#your-spectrum-z", "soon")
    page.click("#your-spectrum-go")
    page.wait_for_selector("#your-spectrum-problem .notice")
    assert "no value for the redshift" in page.inner_text("#your-spectrum-problem")


def test_two_people_see_their_own_spectra(page, browser, explorer_url):
    """Each in a browser of their own; one knows the other's address, which says nothing of the upload."""
    context = browser.new_context(viewport=LAPTOP, base_url=explorer_url, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    other = context.new_page()
    bring(page, NGC3522)
    bring(other, NGC3073)
    for who, mine, others in ((page, "NGC3522", "NGC3073"), (other, "NGC3073", "NGC3522")):
        who.wait_for_selector("#your-spectrum-fit-figure .main-svg", timeout=FIRST_FIT)
        assert mine in who.inner_text("#page") and others not in who.inner_text("#page")
    dispersions = [
        re.search(r"dispersion of the stars\s+(.+) ±", who.inner_text("#your-spectrum-fit-part"))[1]
        for who in (page, other)
    ]
    assert dispersions[0] != dispersions[1]
    third = context.new_page()
    third.goto(page.url)
    third.wait_for_selector("#your-spectrum-go")
    assert third.is_disabled("#your-spectrum-go") and "NGC" not in third.inner_text("#page")
    context.close()


def test_a_file_that_is_too_large_is_refused_in_the_browser(page, tmp_path):
    large = tmp_path / "large.fits"
    large.write_bytes(bytes(UPLOAD_BYTES + 1000))
    page.goto("/your-spectrum")
    page.wait_for_selector("#your-spectrum-go")
    page.set_input_files("#your-spectrum-file input", large)
    page.wait_for_selector("#your-spectrum-problem:not(:empty)")
    assert "more than 20 MiB" in page.inner_text("#your-spectrum-problem")
