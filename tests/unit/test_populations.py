"""Means over stellar populations from template weights."""

import numpy as np
import pytest

from mangrove.codes import LabelFlag
from mangrove.errors import TemplateError
from mangrove.spectra.labels.populations import (
    MASS_LABELS,
    TemplateTable,
    population_labels,
    population_values,
    scatter,
    template_table,
)
from mangrove.ssp.library import load_mastar

#: A bright young and a faint old population: light 4 to 1, masses formed 1 to 1.
TABLE = TemplateTable(
    log_age=np.array([8.0, 10.0]),
    metallicity=np.array([-0.5, 0.1]),
    light=np.array([4.0, 1.0]),
    r_light=np.array([2.0, 1.0]),
    ml_r=np.array([0.4, 1.2]),
    mass_fraction=np.array([0.8, 0.6]),
    imf="Kroupa",
    isochrones="BaSTI",
)


def test_values_by_hand():
    values = population_values([1.0, 1.0], TABLE)
    assert values["log_age_lw"] == pytest.approx((4 * 8 + 10) / 5)
    assert values["metallicity_lw"] == pytest.approx((4 * -0.5 + 0.1) / 5)
    # Formed: 2 * 0.4 / 0.8 = 1 and 1 * 1.2 / 0.6 = 2.
    assert values["log_age_mw"] == pytest.approx((8 + 2 * 10) / 3)
    assert values["metallicity_mw"] == pytest.approx((-0.5 + 2 * 0.1) / 3)
    # Mass 0.8 + 1.2 over light 2 + 1.
    assert values["log_ml_r"] == pytest.approx(np.log10(2.0 / 3.0))


def test_the_scale_of_weights_does_not_matter():
    one, many = population_values([1.0, 3.0], TABLE), population_values([1e6, 3e6], TABLE)
    for name, value in one.items():
        assert many[name] == pytest.approx(value)


def test_errors_are_the_scatter_of_draws():
    rng = np.random.default_rng(1)
    draws = np.abs(1.0 + 0.01 * rng.normal(size=(3, 400, 2)))
    labels = population_labels(np.ones((3, 2)), population_values(draws, TABLE), TABLE)
    # d(mean log age)/dw = l_j (t_j - mean) / sum = 4 * -0.4 / 5 and 1.6 / 5.
    np.testing.assert_allclose(labels["log_age_lw"].error, 0.01 * np.hypot(0.32, 0.32), rtol=0.15)
    for label in labels.values():
        assert label.value.shape == label.error.shape == label.flag.shape == (3,)
        assert not label.flag.any()


def test_no_weights_are_flagged():
    repeats = population_values(np.ones((3, 5, 2)), TABLE)
    labels = population_labels([[0.0, 0.0], [np.nan, 1.0], [1.0, 0.0]], repeats, TABLE)
    for label in labels.values():
        np.testing.assert_array_equal(label.flag, [LabelFlag.NO_WEIGHTS, LabelFlag.NO_WEIGHTS, 0])
        np.testing.assert_array_equal(np.isnan(label.value), [True, True, False])


def test_a_library_without_masses_refuses_mass_labels():
    nan = np.full(2, np.nan)
    table = TABLE._replace(ml_r=nan, mass_fraction=nan)
    assert not table.has_masses
    labels = population_labels(np.ones((1, 2)), population_values(np.ones((1, 4, 2)), table), table)
    for name, label in labels.items():
        assert np.isnan(label.value[0]) == (name in MASS_LABELS)
        assert label.flag[0] == (LabelFlag.NO_MASSES if name in MASS_LABELS else 0)


def test_scatter_leaves_out_failed_draws():
    draws = np.array([[1.0, 3.0, np.nan], [1.0, np.nan, np.nan]])
    np.testing.assert_allclose(scatter(draws), [np.sqrt(2.0), np.nan])


def test_table_of_a_library_is_metallicity_major():
    mastar = load_mastar()
    table = template_table(mastar)
    assert table.has_masses
    np.testing.assert_allclose(table.log_age[:9], np.log10(mastar.age) + 9)
    np.testing.assert_allclose(table.ml_r.reshape(6, 9), mastar.ml_r)
    band = (mastar.wave > 5000) & (mastar.wave < 6000)
    np.testing.assert_allclose(
        table.light.reshape(6, 9), np.trapezoid(mastar.flux[..., band], mastar.wave[band]) / 1000, rtol=2e-3
    )


def test_one_template_gives_its_own_values():
    table = template_table(load_mastar())
    values = population_values(np.eye(54), table)
    for name in ("log_age_lw", "log_age_mw"):
        np.testing.assert_allclose(values[name], table.log_age)
    np.testing.assert_allclose(values["log_ml_r"], np.log10(table.ml_r))


def test_table_of_the_fitted_templates():
    mastar = load_mastar()
    table = template_table(mastar, age=[1.0, 9.0], metallicity=[0.0, -0.33])
    np.testing.assert_allclose(table.ml_r, [mastar.ml_r[4, 5], mastar.ml_r[3, 7]])
    with pytest.raises(TemplateError, match=r"no population of 2 Gyr and \[M/H\] 0"):
        template_table(mastar, age=[2.0], metallicity=[0.0])
