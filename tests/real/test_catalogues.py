"""The cuts and joins on the real table of DR17."""

import itertools

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from mangrove.config import Config, Sample, Survey
from mangrove.survey import selection

AGN = ("WISE_AGN", "BAT_AGN", "RADIO_AGN", "BROAD_AGN")


@pytest.fixture(scope="module")
def galaxies(real_data):
    return Table.read(real_data / "catalogues" / "manga_dr17_galaxies.ecsv")


@pytest.fixture(scope="module")
def config(galaxies, tmp_path_factory):
    """A run whose drpall, AGN and morphology catalogues hold what the table says, in the archive's layouts."""
    folder = tmp_path_factory.mktemp("catalogues")
    n = len(galaxies)
    drpall = Table(
        {
            "plateifu": galaxies["PLATEIFU"],
            "mangaid": galaxies["MANGAID"],
            "drp3qual": np.zeros(n, np.int32),
            "mngtarg1": np.full(n, 1024),
            "mngtarg3": np.zeros(n, int),
            "nsa_z": galaxies["NSA_Z"],
            "objra": galaxies["OBJRA"],
            "objdec": galaxies["OBJDEC"],
            "ebvgal": np.zeros(n),
        }
    )
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU(drpall, name="MANGA")]).writeto(folder / "drpall.fits")
    nuclei = galaxies[np.isfinite(galaxies["AGN"])]
    agn = {"MANGAID": [f"manga-{name}" for name in nuclei["PLATEIFU"]]}
    agn |= {flag: [flag in text.split() for text in nuclei["AGN_CLASS"]] for flag in AGN}
    Table(agn).write(folder / "agn.fits")
    return Config(
        run="real",
        survey=Survey(base=str(folder)),
        sample=Sample(agn="agn.fits", morphology=str(folder / "morphology.ecsv")),
    )


def test_290_agn_below_redshift_0_08(config, galaxies):
    """The number of Mantha et al. (2026)."""
    galaxies["PLATEIFU", "MORPH"].write(f"{config.survey.base}/morphology.ecsv", overwrite=True)
    chosen = selection.make_sample(config, f"{config.survey.base}/drpall.fits").galaxies
    assert sum(g.agn and g.convlstm for g in chosen) == 290
    # "About 9,000" galaxies of the paper; the table lists 10,734 cubes with repeats.
    assert 8500 < len({g.mangaid for g in chosen if g.convlstm}) < 9300
    # SHOC 579, a WISE AGN.
    assert next(g for g in chosen if g.plateifu == "8626-12704").agn_wise == 1
    assert {g.morphology for g in chosen} == {"", "E", "S0", "S1", "S2"}


def test_the_cut_itself_gives_the_number(config):
    below = config.model_copy(update={"sample": config.sample.model_copy(update={"z_max": 0.08, "morphology": ""})})
    chosen = selection.make_sample(below, f"{config.survey.base}/drpall.fits")
    assert sum(g.agn for g in chosen.galaxies) == 290
    assert all(0 < g.z < 0.08 for g in chosen.galaxies)


def test_who_is_who_in_dr17(config):
    """The farthest cubes of one MANGAID are 39 arcsec apart; some galaxies with a redshift have two MANGAIDs."""
    everything = config.model_copy(update={"sample": Sample(z_max=1.0)})
    chosen = selection.make_sample(everything, f"{config.survey.base}/drpall.fits")
    assert "one MANGAID at two places on the sky" not in chosen.removed
    assert "listed twice" not in chosen.removed
    # Neighbours in a strip of declination, by the plane triangle.
    rows = sorted(chosen.galaxies, key=lambda g: g.dec)
    near = set()
    for i, one in enumerate(rows):
        for other in itertools.takewhile(lambda g, top=one.dec + 3 / 3600: g.dec <= top, rows[i + 1 :]):
            apart = 3600 * np.hypot((one.ra - other.ra) * np.cos(np.deg2rad(one.dec)), one.dec - other.dec)
            if one.mangaid != other.mangaid and apart < 3:
                near |= {one.plateifu, other.plateifu}
    assert len(near) == 14
    text = "\n".join(selection.summary(chosen, everything.sample))
    assert "     14 cubes within 3 arcsec of one with another MANGAID" in text
