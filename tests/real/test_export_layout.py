"""Exported maps beside the MAPS file of a galaxy from the DAP (DR15): HDUs, channels and cards have the same names."""

import numpy as np
import pytest
from astropy.io import fits
from small_export import make_run

from mangrove.physics.lines import fit_lines

pytestmark = pytest.mark.real

#: HDUs that the DAP does not have.
OURS = {"PRIMARY", "RCHI2"}
#: Lines that the DAP of DR15 does not fit.
NOT_IN_DAP = {"OIII-4364"}


@pytest.fixture(scope="module")
def dap(real_data):
    with fits.open(real_data / "manga" / "manga-8080-12701-MAPS-VOR10-GAU-MILESHC.fits.gz") as hdus:
        yield hdus


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layout") / "one"
    make_run(folder)
    (path,) = (folder / "export" / "maps").glob("*-MAPS.fits.gz")
    with fits.open(path) as hdus:
        yield hdus


def channels(header):
    """Names of the channels by number."""
    return {int(key[1:]): text.strip() for key, text in header.items() if key[0] == "C" and key[1:].isdigit()}


def test_channels_have_the_names_of_the_dap(dap):
    assert set(fit_lines().dap_name) - NOT_IN_DAP == set(channels(dap["EMLINE_GFLUX"].header).values())


def test_hdus_have_names_axes_and_cards_of_the_dap(dap, ours):
    for hdu in ours:
        if hdu.name in OURS:
            continue
        same = dap[hdu.name]
        assert hdu.data.ndim == same.data.ndim, hdu.name
        assert hdu.data.dtype.kind == same.data.dtype.kind, hdu.name
        for card in ("HDUCLASS", "HDUCLAS1", "HDUCLAS2", "HDUCLAS3", "MASKNAME", "SCIDATA", "ERRDATA", "QUALDATA"):
            assert hdu.header.get(card) == same.header.get(card), (hdu.name, card)
        assert ("BUNIT" in hdu.header) == ("BUNIT" in same.header), hdu.name


def test_values_of_a_line_are_found_as_in_the_dap(dap, ours):
    for maps in (dap, ours):
        number = {name: k - 1 for k, name in channels(maps["EMLINE_GFLUX"].header).items()}
        flux = np.ma.masked_where(
            maps["EMLINE_GFLUX_MASK"].data[number["Ha-6564"]] & 1 << 30, maps["EMLINE_GFLUX"].data[number["Ha-6564"]]
        )
        assert flux.count() > 0
        assert np.all(np.isfinite(flux.compressed()))
        steps = channels(maps["BINID"].header)
        assert list(steps.values()) == [
            "Binned spectra",
            "Stellar continua",
            "Em. line moments",
            "Em. line models",
            "Spectral indices",
        ]
