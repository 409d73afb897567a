"""Our lines, units and signs against the headers and values of the DAP maps of 8080-12701 (DR15)."""

import numpy as np
import pytest
from astropy.io import fits

from mangrove.data_model import KINDS
from mangrove.physics.lines import fit_lines

pytestmark = pytest.mark.real

#: DAP name of each of our lines that it fits.
OURS = {
    "OII-3727": "OII_3727",
    "OII-3729": "OII_3730",
    "Hthe-3798": "Htheta_3799",
    "Heta-3836": "Heta_3836",
    "NeIII-3869": "NeIII_3870",
    "Hzet-3890": "Hzeta_3890",
    "NeIII-3968": "NeIII_3969",
    "Heps-3971": "Hepsilon_3971",
    "Hdel-4102": "Hdelta_4103",
    "Hgam-4341": "Hgamma_4342",
    "HeII-4687": "HeII_4687",
    "Hb-4862": "Hbeta_4863",
    "OIII-4960": "OIII_4960",
    "OIII-5008": "OIII_5008",
    "HeI-5877": "HeI_5877",
    "OI-6302": "OI_6302",
    "OI-6365": "OI_6366",
    "NII-6549": "NII_6550",
    "Ha-6564": "Halpha_6565",
    "NII-6585": "NII_6585",
    "SII-6718": "SII_6718",
    "SII-6732": "SII_6733",
}


@pytest.fixture(scope="module")
def maps(real_data):
    with fits.open(real_data / "manga" / "manga-8080-12701-MAPS-VOR10-GAU-MILESHC.fits.gz") as hdus:
        yield hdus


def channels(header):
    return {i: header[f"C{i + 1:02d}"].strip() for i in range(header["NAXIS3"])}


def values(maps, name):
    good = maps[f"{name}_MASK"].data == 0
    return np.where(good, maps[name].data, np.nan)


def test_every_line_of_the_dap_is_ours_at_the_same_vacuum_wavelength(maps):
    lines = fit_lines()
    names = channels(maps["EMLINE_GFLUX"].header).values()
    assert set(names) == set(OURS)
    for theirs, ours in OURS.items():
        # The number in the DAP's name is the vacuum wavelength, cut to whole Angstrom.
        assert abs(lines.wave[lines.index(ours)] - int(theirs.split("-")[1])) < 1.2


def test_units_agree(maps):
    assert maps["EMLINE_GFLUX"].header["BUNIT"] == "1E-17 erg/s/cm^2/spaxel"
    assert KINDS["fit"].fields["line_flux"].unit == "1e-17 erg s-1 cm-2 spaxel-1"
    assert maps["EMLINE_GEW"].header["BUNIT"].strip().lower() == "ang"
    assert KINDS["fit"].fields["line_ew"].unit == "Angstrom"
    assert maps["STELLAR_VEL"].header["BUNIT"] == "km/s"


def test_emission_is_positive_in_flux_and_in_equivalent_width(maps):
    """The maps hold no continuum at the lines, so the frame of the widths cannot be tested with them."""
    names = {v: k for k, v in channels(maps["EMLINE_GFLUX"].header).items()}
    flux, ew = values(maps, "EMLINE_GFLUX"), values(maps, "EMLINE_GEW")
    halpha = names["Ha-6564"]
    assert np.nanmedian(flux[halpha]) > 0 and np.nanmedian(ew[halpha]) > 0


def test_our_fixed_ratios_are_the_dap_s(maps):
    lines = fit_lines()
    names = {v: k for k, v in channels(maps["EMLINE_GFLUX"].header).items()}
    flux = values(maps, "EMLINE_GFLUX")
    for weak, strong in (("OIII-4960", "OIII-5008"), ("NII-6549", "NII-6585")):
        bright = flux[names[strong]] > np.nanpercentile(flux[names[strong]], 80)
        measured = np.nanmedian((flux[names[weak]] / flux[names[strong]])[bright])
        assert lines.ratio[lines.index(OURS[weak])] == pytest.approx(measured, rel=0.05)
