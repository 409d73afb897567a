"""The reason of an anomaly in words: the lines and spaxels that make it."""

import numpy as np
import pytest
from reconstructed_cubes import LINE, PIXEL, SIDE, disc, reconstructed

from mangrove.analysis import anomaly_reasons as reasons
from mangrove.analysis.anomaly_scores import calibrated, scores

NAMES = ("OIII_5008", "Halpha_6565", "NII_6585")
NORMAL = reconstructed()
EXPECTED = calibrated(lambda: [NORMAL])
#: Light that the reconstruction lacks, for a galaxy of unit brightness; disc has its middle between spaxels.
ONE_LINE = (np.arange(LINE) == 1).reshape(LINE, 1, 1, 1)
ODD = {
    "place": (0.6 * disc(4.5, -3.5, 0.5) * ONE_LINE, "Halpha_6565 in the outskirts, at (x, y) = (+4, -4) spaxels"),
    "centre": (0.9 * disc(0.5, 0.5, 0.5), "3 lines, most in"),
    "field": (
        0.08 * (np.arange(LINE * PIXEL) == 5).reshape(LINE, PIXEL, 1, 1),
        "Halpha_6565 at 6700 Angstrom over the",
    ),
}


def words_of(cubes):
    """What stands out in each galaxy."""
    found, measured = reasons.evidence(cubes, EXPECTED.error), scores(cubes, EXPECTED)
    return [
        reasons.standing_out(measured.measure[i], reasons.Evidence(*(v[i] for v in found)), NAMES, 6700.0, SIDE)
        for i in range(len(cubes.flux))
    ]


def test_reason_names_line_and_place():
    extra, wanted = ODD["place"]
    found = words_of(reconstructed(20, seed=2, extra=extra))
    assert np.mean([words.startswith("Halpha_6565 in the outskirts") for words in found]) > 0.8
    assert wanted in found


def test_reason_names_line_and_wavelength_of_a_whole_field():
    extra, wanted = ODD["field"]
    found = words_of(reconstructed(20, seed=2, extra=extra))
    assert np.mean([words.startswith(wanted) for words in found]) > 0.8


def test_evidence_of_the_centre_is_in_all_lines():
    found = reasons.evidence(reconstructed(20, seed=2, extra=ODD["centre"][0]), EXPECTED.error)
    assert np.mean(np.hypot(*(found.place - SIDE // 2).T) <= reasons.CENTRE) > 0.8
    np.testing.assert_allclose(found.share.sum(axis=2), 1.0)


def test_evidence_without_data_is_nowhere():
    nothing = NORMAL._replace(valid=np.zeros_like(NORMAL.valid), flux=0 * NORMAL.flux, ivar=0 * NORMAL.ivar)
    found = reasons.evidence(nothing, EXPECTED.error)
    assert np.all(found.place == -1)
    assert np.all(np.isnan(found.share))


@pytest.mark.parametrize(
    ("share", "words"),
    [
        ([0.1, 0.8, 0.1], "Halpha_6565"),
        ([0.3, 0.1, 0.4], "NII_6585, OIII_5008"),
        ([0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.2], "4 lines, most in I"),
    ],
)
def test_lines_are_named_that_make_up_half(share, words):
    names = NAMES if len(share) == 3 else tuple("ABCDEFGHI")
    assert reasons.named_lines(np.array(share), names) == words


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ((16, 17), "in the centre"),
        ((20, 11), "off the centre, at (x, y) = (-5, +4) spaxels"),
        ((2, 16), "in the outskirts, at (x, y) = (+0, -14) spaxels"),
    ],
)
def test_place_is_from_the_centre(place, words):
    assert reasons.place_in_words(*place, 32) == words


def test_reason_says_what_is_not_unusual_and_what_has_no_data():
    place = "Halpha_6565 in the centre"
    assert reasons.reason(5.0, place, []) == place
    assert reasons.reason(5.0, place, ["OII_3727", "OII_3730"]) == f"{place}; no data at OII_3727, OII_3730"
    assert reasons.reason(0.3, place, []) == f"not unusual; most in {place}"
    assert reasons.reason(np.nan, "", list(NAMES)) == "no data at any line"
