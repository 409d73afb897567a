"""The BPT diagram: curves, distances, classes, selection of lines."""

import numpy as np
import pytest

from mangrove.codes import BptClass, DBptClass, LabelFlag
from mangrove.physics import bpt
from mangrove.spectra.labels.d_bpt import d_bpt

NAMES = ["Hbeta_4863", "OIII_5008", "Halpha_6565", "NII_6585"]


def test_curves_pass_through_points_computed_by_hand():
    # 0.61 / (-0.56 - 0.05) + 1.3 = -1 + 1.3, and 0.61 / (-0.14 - 0.47) + 1.19 = -1 + 1.19.
    assert bpt.kauffmann_2003(-0.56) == pytest.approx(0.3)
    assert bpt.kauffmann_2003(-1.17) == pytest.approx(0.8)
    assert bpt.kewley_2001(-0.14) == pytest.approx(0.19)


def test_curves_end_at_their_limits():
    assert np.isnan(bpt.kauffmann_2003([0.05, 0.3])).all()
    assert np.isnan(bpt.kewley_2001([0.47, 1.0])).all()


@pytest.mark.parametrize("x", [-2.0, -0.56, -0.2, -0.1])
@pytest.mark.parametrize("distance", [-0.2, -0.05, 0.05, 0.2])
def test_distance_is_perpendicular(x, distance):
    slope = -0.61 / (x - 0.05) ** 2
    normal = np.array([-slope, 1.0]) / np.hypot(slope, 1.0)
    point = np.array([x, bpt.kauffmann_2003(x)]) + distance * normal
    assert bpt.bpt_distance(*point) == pytest.approx(distance, abs=1e-9)


def test_distance_is_zero_on_the_curve():
    x = np.linspace(-2.5, -0.05, 50)
    np.testing.assert_allclose(bpt.bpt_distance(x, bpt.kauffmann_2003(x)), 0.0, atol=1e-9)


def test_distance_keeps_shape_and_missing_values():
    out = bpt.bpt_distance([[0.0, np.nan], [-1.0, -1.0]], [[0.5, 0.0], [0.0, np.inf]])
    assert out.shape == (2, 2)
    np.testing.assert_array_equal(np.isnan(out), [[False, True], [False, True]])
    assert bpt.bpt_distance([], []).shape == (0,)


def test_classes():
    # Star-forming, composite (0.1 dex beyond), Seyfert, beyond the limit of the curve, no ratio.
    x = np.array([-0.6, -0.56 + 0.07, -0.2, 0.1, np.nan])
    y = np.array([-0.2, 0.3 + 0.07, 0.9, -1.2, 0.5])
    kinds = [DBptClass.STAR_FORMING, DBptClass.COMPOSITE, DBptClass.AGN, DBptClass.AGN, DBptClass.NONE]
    np.testing.assert_array_equal(bpt.d_bpt_class(x, y), kinds)


def test_classes_by_the_curves_are_those_of_the_papers():
    """Points on either side of each curve, by its published formula."""
    x = np.array([-0.9, -0.5, -0.2, 0.1])
    kauffmann, kewley, schawinski = 0.61 / (x - 0.05) + 1.3, 0.61 / (x - 0.47) + 1.19, 1.05 * x + 0.45
    assert (bpt.bpt_class(x[:3], kauffmann[:3] - 0.01) == BptClass.STAR_FORMING).all()
    assert (bpt.bpt_class(x[:3], kauffmann[:3] + 0.01) == BptClass.COMPOSITE).all()
    assert (bpt.bpt_class(x, kewley - 0.01) == BptClass.COMPOSITE).all()
    assert (bpt.bpt_class(x, np.maximum(kewley, schawinski) + 0.01) == BptClass.SEYFERT).all()
    # The line crosses the curve of Kewley et al. at log [NII]/Halpha = -0.18: LINERs lie beyond that alone.
    assert bpt.bpt_class(x, np.maximum(kewley, schawinski - 0.02)).tolist() == [4, 4, 4, 5]
    assert bpt.bpt_class(0.5, 0.9) == BptClass.LINER and bpt.bpt_class(0.5, 1.2) == BptClass.SEYFERT
    assert bpt.bpt_class([np.nan, np.inf], [0.0, 0.0]).tolist() == [BptClass.NONE] * 2


def test_both_classes_agree_on_what_forms_stars():
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-2.0, 0.6, 4000), rng.uniform(-1.5, 1.5, 4000)
    by_curves, by_distance = bpt.bpt_class(x, y), bpt.d_bpt_class(x, y)
    np.testing.assert_array_equal(by_curves == BptClass.STAR_FORMING, by_distance == DBptClass.STAR_FORMING)


def test_close_to_the_curve_beyond_its_limit_is_agn():
    assert 0 < bpt.bpt_distance(0.06, -4.0) < bpt.COMPOSITE_WIDTH
    assert bpt.d_bpt_class(0.06, -4.0) == DBptClass.AGN


def test_ratios_need_all_four_lines():
    flux = np.array([[1.0, 2.0, 10.0, 1.0], [1.0, 2.0, 10.0, 0.1], [1.0, np.nan, 10.0, 1.0]])
    error = np.full_like(flux, 0.1)
    x, y = bpt.bpt_ratios(flux, error, NAMES, 3.0)
    np.testing.assert_allclose([x[0], y[0]], [-1.0, np.log10(2.0)])
    assert np.isnan(x[1:]).all()
    assert np.isnan(y[1:]).all()


@pytest.mark.parametrize(("curve", "limit", "offset"), [(bpt.KAUFFMANN, 0.05, 1.3), (bpt.KEWLEY, 0.47, 1.19)])
def test_distance_against_every_point_of_the_curve(curve, limit, offset):
    rng = np.random.default_rng(3)
    x, y = rng.uniform(-3, 1, 60), rng.uniform(-3, 2, 60)
    on_x = limit - np.geomspace(8, 1e-2, 200_000)
    on_y = 0.61 / (on_x - limit) + offset
    nearest = np.array([np.hypot(on_x - a, on_y - b).min() for a, b in zip(x, y, strict=True)])
    inside = (x < limit) & (y < 0.61 / (np.minimum(x, limit - 1e-3) - limit) + offset)
    np.testing.assert_allclose(bpt.bpt_distance(x, y, curve), np.where(inside, -nearest, nearest), atol=1e-6)


def test_distance_where_three_points_of_the_curve_meet():
    """Centre of curvature of the vertex: the quartic has a triple root."""
    vertex = np.array([0.05 - np.sqrt(0.61), 1.3 - np.sqrt(0.61)])
    assert bpt.bpt_distance(*(vertex - np.sqrt(0.61))) == pytest.approx(-np.sqrt(2 * 0.61), abs=1e-6)


def test_error_of_the_distance_matches_draws():
    rng = np.random.default_rng(5)
    flux, error = np.array([1.0, 1.5, 3.0, 1.2]), np.array([0.03, 0.05, 0.06, 0.05])
    out = d_bpt(flux[None], error[None], NAMES)
    draws = d_bpt(flux + error * rng.normal(size=(4000, 4)), np.tile(error, (4000, 1)), NAMES)
    assert out.error[0] == pytest.approx(draws.value.std(), rel=0.05)
    assert out.flag[0] == 0


def test_faint_missing_and_negative_lines_are_flagged():
    flux = np.array([[1.0, 2.0, 10.0, 1.0], [1.0, 2.0, 10.0, 0.1], [np.nan, 2.0, 10.0, 1.0], [-1.0, 2.0, 10.0, 1.0]])
    out = d_bpt(flux, np.full((4, 4), 0.1), NAMES)
    np.testing.assert_array_equal(np.isnan(out.value), [False, False, True, True])
    np.testing.assert_array_equal(np.isnan(out.error), [False, False, True, True])
    low, missing, negative = LabelFlag.LOW_SNR, LabelFlag.LINE_MISSING, LabelFlag.LINE_NEGATIVE
    np.testing.assert_array_equal(out.flag, [0, low, missing, low | negative])
