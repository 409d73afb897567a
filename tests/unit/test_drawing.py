"""What figures share: scales that outliers do not set, trends, names of lines, marks on maps."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from mangrove import artefacts
from mangrove.codes import FitStatus, SpaxelStatus
from mangrove.physics.cosmology import kpc_per_arcsec
from mangrove.report import training
from mangrove.report.drawing import beyond
from mangrove.report.galaxy import flux_title
from mangrove.report.galaxy_images import colour_image
from mangrove.report.galaxy_panels import status_colours
from mangrove.report.limits import fenced_limits
from mangrove.report.line_names import line_title, tex
from mangrove.report.sky_frame import effective_ellipse
from mangrove.report.sky_marks import bar_length, marks_in_words
from mangrove.report.trend import local_regression
from mangrove.report.wording import counted, plain, sign_apart, signed


def test_one_odd_galaxy_sets_no_scale():
    """A blueberry of 13 baxels among 217: limits without it and with it."""
    rng = np.random.default_rng(0)
    usual = np.concatenate([rng.normal(9.2, 0.15, 150), rng.normal(9.8, 0.08, 67)])
    odd = rng.normal(7.3, 0.05, 13)
    limits = fenced_limits(usual)
    assert limits[0] < usual.min() and limits[1] > usual.max()
    assert fenced_limits(np.concatenate([usual, odd])) == limits
    assert fenced_limits(np.concatenate([-usual, -odd, [np.inf]])) == (-limits[1], -limits[0])


def test_the_end_of_a_long_tail_stays_in_sight():
    """No gap parts it from the rest."""
    tail = np.concatenate([np.linspace(-1.0, 1.0, 200), np.linspace(1.0, 4.0, 20)])
    assert fenced_limits(tail)[1] > 4.0
    assert fenced_limits(np.append(tail, 40.0)) == fenced_limits(tail)


def test_limits_hold_everything_where_nothing_is_odd():
    low, high = fenced_limits([1.0, 2.0, 3.0, np.nan])
    assert (low, high) == (pytest.approx(0.84), pytest.approx(3.16))
    assert fenced_limits([]) == (0.0, 1.0)
    low, high = fenced_limits([5.0, 5.0, 5.0])
    assert low < 5.0 < high


def test_points_beyond_the_limits_are_counted_at_the_edge():
    axes = Figure().subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    assert beyond(axes, [0.5, -3.0, 0.4, 2.0], [0.5, 0.3, 9.0, 5.0], "k") == 3
    drawn = {line.get_marker(): line.get_xydata().tolist() for line in axes.lines}
    assert drawn == {"<": [[0.0, 0.3]], ">": [[1.0, 1.0]], "^": [[0.4, 1.0]]}


def test_a_trend_is_smooth_and_reaches_both_ends():
    rng = np.random.default_rng(1)
    x = rng.uniform(0.0, 2.0, 60)
    y = 1.0 - 0.5 * x + rng.normal(0.0, 0.02, 60)
    y[[5, 17, 40]] += 3.0
    place, trend = local_regression(x, y)
    assert (place[0], place[-1]) == (x.min(), x.max())
    assert np.abs(trend - (1.0 - 0.5 * place)).max() < 0.03
    # No jumps: the steps of the trend are those of a straight line.
    assert np.abs(np.diff(trend) / np.diff(place) + 0.5).max() < 0.2


def test_a_trend_of_points_on_a_line_is_the_line():
    x = np.array([0.0, 0.1, 0.2, 0.7, 1.5, 3.0, 3.0])
    place, trend = local_regression(x, 2.0 * x + 1.0)
    np.testing.assert_allclose(trend, 2.0 * place + 1.0, atol=1e-9)
    assert np.all(local_regression(np.ones(6), np.arange(6.0))[1] == pytest.approx(2.5, abs=0.6))


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("Halpha_6565", r"H$\alpha$"),
        ("Hbeta_4863", r"H$\beta$"),
        ("OIII_5008", "[O III] 5008"),
        ("OII_3727", "[O II] 3727"),
        ("NeIII_3870", "[Ne III] 3870"),
        ("HeI_5877", "He I 5877"),
        ("my_line", "my line"),
    ],
)
def test_lines_are_named_as_readers_know_them(name, title):
    assert line_title(name) == title


def test_labels_of_the_line_list_become_tex():
    assert tex("Hζ + HeI") == r"H$\zeta$ + He I"
    assert tex("[SII] 6718") == "[S II] 6718"
    assert flux_title(("SII_6718", "SII_6733")) == "[S II] 6718+6733"


def test_numbers_in_words():
    assert (signed(-0.274, 2), signed(0.1, 1)) == ("\N{MINUS SIGN}0.27", "+0.1")
    assert (signed(-0.0004, 3), plain(-0.5, 1), plain(np.nan, 2)) == ("+0.000", "\N{MINUS SIGN}0.5", "\N{EN DASH}")
    assert (sign_apart(-7.2), sign_apart(100.0)) == ("\N{MINUS SIGN} 7", "+ 100")
    assert (counted(1, "galaxy", "galaxies"), counted(12345, "baxel")) == ("1 galaxy", "12,345 baxels")


@pytest.mark.parametrize("z", [0.0005, 0.03, 0.15])
def test_the_bar_in_kpc_fits_the_map(z):
    kpc = bar_length(z, 17.0)
    arcsec = kpc / kpc_per_arcsec(z)
    assert 0.1 * 17.0 < arcsec <= 0.34 * 17.0
    assert f"{kpc:.0e}"[0] in "125"
    assert bar_length(0.0, 17.0) == 0.0


def galaxy(pa, ba, r_e=4.0, rotation=0.0, **attrs):
    """An artefact 'extract' with a celestial frame, its rows turned by an angle from north to east."""
    c, s = np.cos(np.radians(rotation)) / 7200.0, np.sin(np.radians(rotation)) / 7200.0
    cards = {"WCSAXES": 2, "CRPIX1": 9.0, "CRPIX2": 9.0, "CRVAL1": 150.0, "CRVAL2": 2.0}
    cards |= {"CTYPE1": "'RA---TAN'", "CTYPE2": "'DEC--TAN'", "CUNIT1": "'deg'", "CUNIT2": "'deg'"}
    cards |= {"CD1_1": -c, "CD1_2": s, "CD2_1": s, "CD2_2": c}
    wcs = "".join(
        (f"{key:8}= {value:20.9E}" if isinstance(value, float) else f"{key:8}= {value:>20}").ljust(80)
        for key, value in cards.items()
    )
    about = {"wcs": wcs, "pixel_scale": 0.5, "r_e": r_e, "pa": pa, "ba": ba, "psf_fwhm": 2.5} | attrs
    return artefacts.Artefact("extract", {"bin_id": np.zeros((17, 17), int)}, about, "")


def test_the_ellipse_lies_at_its_position_angle():
    """Its long axis points from north (0 degrees) to east (90), which is positive on the axes of the maps."""
    for angle in (0.0, 30.0, 120.0):
        east, north = effective_ellipse(galaxy(angle, 0.5)).T
        far = np.argmax(np.hypot(east, north))
        assert np.hypot(east[far], north[far]) == pytest.approx(4.0, abs=1e-6)
        assert np.degrees(np.arctan2(east[far], north[far])) % 180.0 == pytest.approx(angle, abs=1e-6)
        assert np.hypot(east, north).min() == pytest.approx(2.0, abs=1e-3)


def test_the_ellipse_follows_a_turned_frame():
    """Rows that run 30 degrees off north: on them an axis at 30 degrees is 60 or 0 degrees off the rows."""
    x, y = effective_ellipse(galaxy(30.0, 0.5, rotation=30.0)).T
    far = np.argmax(np.hypot(x, y))
    sine = abs(x[far]) / np.hypot(x[far], y[far])
    assert sine == pytest.approx(0.0, abs=1e-6) or sine == pytest.approx(np.sin(np.radians(60.0)), abs=1e-6)
    assert np.hypot(x[far], y[far]) == pytest.approx(4.0, abs=1e-6)


def test_what_is_not_known_is_not_drawn():
    assert effective_ellipse(galaxy(30.0, 0.5, r_e=-9999.0)) is None
    assert effective_ellipse(galaxy(30.0, 0.5, wcs="")) is None
    circle = effective_ellipse(galaxy(-9999.0, -9999.0))
    np.testing.assert_allclose(np.hypot(*circle.T), 4.0, rtol=1e-6)
    assert marks_in_words(galaxy(0.0, 1.0, r_e=-9999.0, psf_fwhm=np.nan)) == ""
    assert "PSF" in marks_in_words(galaxy(0.0, 1.0, r_e=-9999.0))


def test_a_colour_image_is_bright_in_the_middle_and_black_outside():
    radius = np.hypot(*np.meshgrid(np.arange(17.0) - 8, np.arange(17.0) - 8))
    light = np.where(radius < 8, np.exp(-radius / 2), 0.0)
    data = {"band": np.array(["g", "r", "i", "z"]), "image": np.array([0.6, 1.0, 1.3, 1.5])[:, None, None] * light}
    colours = colour_image(artefacts.Artefact("extract", data, {}, ""))
    assert colours.shape == (17, 17, 3)
    assert colours[8, 8].min() > 100 and colours[0, 0].max() == 0
    few = data | {"band": np.array(["white"]), "image": light[None]}
    assert colour_image(artefacts.Artefact("extract", few, {}, "")) is None


def test_steps_between_examples_are_round():
    assert [training._round(value) for value in (0.7, 1.0, 1.2, 3.0, 6.0, 20.0)] == [1.0, 1.0, 2.0, 5.0, 10.0, 20.0]


def test_every_status_has_a_colour_of_its_own():
    names, colours = zip(*status_colours(), strict=True)
    assert len(set(colours)) == len(FitStatus) + len(SpaxelStatus)
    assert names[: len(FitStatus)] == tuple(status.word.replace("_", " ") for status in FitStatus)
