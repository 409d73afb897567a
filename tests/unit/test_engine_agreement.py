"""The agreement of two engines: what it says of results that differ by known amounts."""

import numpy as np
import pytest
from one_spectrum import LINES, SETTINGS, Z, fit, noisy, stars

from mangrove.codes import FitStatus
from mangrove.spectra.fit.galaxy import GalaxyFit
from mangrove.spectra.labels.populations import template_table
from mangrove.ssp.loading import load_library
from mangrove.validation.engine_agreement import chi2_of, compared, joined, summary

HALPHA = LINES.index("Halpha_6565")


@pytest.fixture(scope="module")
def reference():
    """A spectrum with an outlier far from lines, its fit, its galaxy, and the table of the templates."""
    flux, error = noisy()
    flux[2000] += 40 * error[0]
    spectrum, result = fit(flux, error)
    table = template_table(load_library("mastar"), stars().age, stars().metallicity)
    return spectrum, result, GalaxyFit(Z, stars(), LINES, SETTINGS), table


def agreement_with(reference, **changes):
    spectrum, result, galaxy, table = reference
    return compared(galaxy, table, [spectrum], [result._replace(**changes)], [result])


def test_chi2_from_the_parameters_is_that_of_the_fit_and_its_prior(reference):
    spectrum, result, galaxy, _ = reference
    assert result.n_clipped == 1
    chi2 = result.chi2_reduced * (result.n_pixel - result.n_free)
    prior = np.sum((result.polynomial / SETTINGS.calibration_error) ** 2)
    assert chi2_of(galaxy, spectrum, result, 1) == pytest.approx(chi2 + prior, rel=1e-9)
    assert chi2_of(galaxy, spectrum, result, 0) > chi2 + prior + 1000


def test_the_same_result_agrees(reference):
    agreement = agreement_with(reference)
    assert all(row.holds for row in summary(agreement))
    assert agreement.same_status.all()
    assert not any(np.any(values[np.isfinite(values)]) for values in agreement.difference.values())


def test_differences_are_in_errors_of_the_reference(reference):
    result = reference[1]
    shifted = result.line_flux.copy()
    shifted[HALPHA] -= 0.5 * result.line_flux_err[HALPHA]
    found = agreement_with(reference, v_star=result.v_star + 0.4 * result.v_star_err, line_flux=shifted)
    assert found.difference["v_star"] == pytest.approx([0.4])
    assert found.difference["line_flux"][0, HALPHA] == pytest.approx(-0.5)
    rows = {row.quantity: row for row in summary(found)}
    assert not rows["v_star"].holds
    assert rows["sigma_star"].holds and rows["line_flux"].holds  # one line of 23
    assert rows["chi2"].large == pytest.approx((found.chi2 - found.chi2_reference)[0])


def test_a_larger_chi2_needs_a_flag(reference):
    result = reference[1]
    polynomial = result.polynomial + 0.002
    plain, flagged = (agreement_with(reference, polynomial=polynomial, v_gas_other=other) for other in (np.nan, 200.0))
    assert (plain.chi2 - plain.chi2_reference)[0] > 1
    rows = [summary(agreement)[0] for agreement in (plain, flagged)]
    assert rows[0].largest == pytest.approx((plain.chi2 - plain.chi2_reference)[0])
    assert rows[1].largest == -np.inf


def test_wider_draws_are_told(reference):
    result = reference[1]
    wide = result.ebv_draw.mean() + 1.3 * (result.ebv_draw - result.ebv_draw.mean())
    agreement = agreement_with(reference, ebv_draw=wide)
    assert agreement.width["ebv_star"] == pytest.approx([1.3])
    # Of 16 draws, widths scatter by more; of 800 by less than half of the limit.
    few, many = ({row.quantity: row for row in summary(joined([agreement] * n))} for n in (1, 800 // len(wide)))
    assert few["width of draws, ebv_star"].holds
    assert not many["width of draws, ebv_star"].holds
    assert many["width of draws, log_age_lw"].holds


def test_what_is_not_measured_does_not_count(reference):
    agreement = agreement_with(reference, status=FitStatus.VELOCITY_AT_BOUND, v_star=np.nan)
    assert np.isnan(agreement.chi2).all()
    assert np.isnan(agreement.difference["v_star"]).all()
    assert not agreement.same_status.any()
    assert agreement.flagged.all()
