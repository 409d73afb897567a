"""Measurements of a batch against those of the pPXF engine on the very same solutions."""

import batched_spectra
import numpy as np
import pytest
from one_spectrum import LINES
from ppxf_solutions import as_batch, solved

from mangrove.physics.wavelengths import C_KMS
from mangrove.spectra.fit.batched.measure import measured
from mangrove.spectra.fit.ppxf import line_errors, measurements
from mangrove.spectra.fit.results import FitResult
from mangrove.spectra.fit.settings import Guide
from mangrove.spectra.fit.templates import BROAD, SECOND

pytestmark = pytest.mark.usefixtures("quick_jax")
WHICH = (1, 0, 0)
#: What is not equal: motions have errors of another origin, and draws other random numbers.
MOTION = [f"{name}_err" for name in ("v_star", "sigma_star", "v_gas", "sigma_gas", "component_v", "component_sigma")]
DRAWN = ["weights_draw", "ebv_draw", "line_ew_err"]
#: The second guide lets the dispersion move by less than it wants to.
GUIDES = [Guide(100.0, 5.0, 140.0, 6.0, 0.0), Guide(120.0, 5.0, 140.0, 6.0, 200.0), Guide(120.0, 5.0, 170.0, 6.0, 20.0)]
CASES = {
    "one component": {},
    "three components": {
        "further": ({SECOND: (300.0, 200.0), BROAD: (0.0, 1000.0)}, {SECOND: (200.0, 200.0)}, {}),
        "components": (0, SECOND, BROAD),
        "gas_components": 2,
        "broad_lines": True,
    },
    "guides": {"guides": GUIDES, "rescale_noise": True},
    "polynomial": {"attenuation": "polynomial", "polynomial_degree": 4},
    "regularised": {"regularisation": 2.0, "snr": 12.0},
}


def with_broad_line(spectrum, is_broad):
    """The spectrum, with a broad Hbeta of a fifth of the stellar continuum if asked for."""
    velocity = C_KMS * np.log(spectrum.wave / LINES.wave[LINES.index("Hbeta_4863")])
    profile = np.exp(-0.5 * (velocity / 1000.0) ** 2)
    return spectrum._replace(flux=spectrum.flux + 0.2 * is_broad * np.median(spectrum.flux) * profile)


def compared(further=({}, {}, {}), guides=None, components=(0,), snr=60.0, which=WHICH, **settings):
    """Results of the pPXF engine, and the columns of the batched one, for solutions of the former."""
    settings = {"polynomial_degree": 3, "n_draw": 3} | settings
    galaxies = batched_spectra.galaxies(**settings)
    batch = batched_spectra.batch(which, snr, guides, components, **settings)
    each = zip(which, guides or [None] * len(which), further, strict=True)
    fits = []
    for i, (g, guide, extra) in enumerate(each):
        spectrum = with_broad_line(batched_spectra.spectrum(g, snr, i), BROAD in extra)
        batch.spectra.flux[i, : spectrum.wave.size] = spectrum.flux
        fits.append(solved(galaxies[g], spectrum, guide, extra))
    columns = measured(batch, as_batch(batch, fits), [3, 0, 1], [0.0, 12.0, 0.0])
    gains = zip(fits, [3, 0, 1], [0.0, 12.0, 0.0], strict=True)
    return [measurements.collect(fit, n, gain) for fit, n, gain in gains], columns


@pytest.fixture(scope="module")
def small_steps():
    """The reference takes derivatives over such steps that the difference to ours is out of sight."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_errors, "_V_STEP", 0.5)
        patch.setattr(line_errors, "_SIGMA2_STEP", 10.0)
        patch.setattr(line_errors, "_SIGMA2_PART", 1e-3)
        patch.setattr(measurements, "_SIGMA2_STEP", 10.0)
        yield


@pytest.fixture(scope="module", params=CASES)
def both(request, small_steps):
    return compared(**CASES[request.param])


def test_there_is_a_column_for_each_field(both):
    _, columns = both
    assert set(columns) >= set(FitResult._fields)
    assert {values.shape[0] for values in columns.values()} == {len(WHICH)}


@pytest.mark.parametrize("name", sorted(set(FitResult._fields) - {*MOTION, *DRAWN, "v_gas_other"}))
def test_numbers_are_those_of_the_reference(both, name):
    results, columns = both
    for result, ours in zip(results, columns[name], strict=True):
        expected = np.asarray(getattr(result, name), float)
        ours = ours[: expected.size] if name == "weights" else ours
        # The correction of templates that have the line spread of the data already is rounding.
        least = {"weights": 1e-9 * np.max(expected, initial=0.0), "sigma_star_correction": 1e-6}.get(name, 1e-12)
        # What is left is the second order of the reference's steps.
        rtol = 2e-3 if name == "component_flux_err" else 3e-4 if name == "line_flux_err" else 1e-6
        np.testing.assert_allclose(np.asarray(ours, float), expected, rtol=rtol, atol=least)


@pytest.mark.parametrize("name", MOTION)
def test_errors_of_motions_are_near_those_of_ppxf(both, name):
    """Its templates have E(B-V) and polynomial frozen into them, so its errors are a little smaller.

    Errors of a third of the dispersion or more are beyond comparison: nothing is linear there.
    """
    results, columns = both
    sigmas = columns[name.removesuffix("_err").replace("v_", "sigma_").replace("_v", "_sigma")]
    for result, ours, sigma in zip(results, columns[name], sigmas, strict=True):
        expected = np.asarray(getattr(result, name))
        assert np.array_equal(np.isnan(expected), np.isnan(ours))
        known = (expected > 0) & (expected < 0.3 * sigma)
        np.testing.assert_allclose(ours[known], expected[known], rtol=0.3)
