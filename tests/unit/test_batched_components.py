"""Further components of the gas in a batch: starts, gains and choices against those of single spectra."""

import batched_spectra
import numpy as np
import pytest
from scipy.optimize import nnls

from mangrove.spectra.fit.batched import components, devices, engine
from mangrove.spectra.fit.batched.arrays import galaxies_of, layout_of, lines_of, spectra_of, with_gas
from mangrove.spectra.fit.batched.batch import Solutions
from mangrove.spectra.fit.batched.clipping import outliers
from mangrove.spectra.fit.batched.devices import Devices
from mangrove.spectra.fit.batched.pieces import Piece
from mangrove.spectra.fit.batched.sizes import Sizes
from mangrove.spectra.fit.component_names import BROAD, MAIN, SECOND
from mangrove.spectra.fit.model import gas_in_range
from mangrove.spectra.fit.ppxf import gas_components, one_spectrum, pool
from mangrove.spectra.fit.ppxf.alternation import Task, solve
from mangrove.spectra.fit.spectrum import moving_gas
from mangrove.spectra.fit.templates import with_components

CHOSEN = {"polynomial_degree": 2, "gas_components": 2, "broad_lines": True, "n_draw": 2}
#: Dispersions of lines added to those of the spectra, km/s, at -250 km/s: none, of all lines, of Hbeta alone.
ADDED = (None, 200.0, 1500.0)


@pytest.fixture(scope="module")
def galaxy():
    return batched_spectra.galaxies(**CHOSEN)[0]


@pytest.fixture(scope="module")
def spectra(galaxy):
    """With one component, two, and a broad one."""
    made = []
    for seed, sigma in enumerate(ADDED):
        spectrum = batched_spectra.spectrum(0, 200.0, seed)
        if sigma is not None:
            kinds = [BROAD] if sigma > 500 else [SECOND]
            gas = with_components(gas_in_range(spectrum, galaxy.stars, galaxy.lines), galaxy.lines, kinds)
            lines = gas.flux[:, gas.component == kinds[0]]
            alone = gas._replace(flux=lines, free=gas.free[-lines.shape[1] :], component=np.zeros(lines.shape[1], int))
            light = moving_gas(alone, spectrum, galaxy.stars, [[-250.0, sigma]]).sum(axis=1)
            spectrum = spectrum._replace(flux=spectrum.flux + 8.0 * np.median(spectrum.flux) * light)
        made.append(spectrum)
    return made


@pytest.fixture(scope="module")
def tasks(galaxy, spectra):
    return [Task(spectrum, galaxy.stars, galaxy.settings, None) for spectrum in spectra]


@pytest.fixture(scope="module")
def ones(galaxy, tasks):
    """Solutions of single spectra with one component."""
    return [
        solve(task, gas_in_range(task.spectrum, galaxy.stars, galaxy.lines), [[0.0, 120.0], [0.0, 60.0]])
        for task in tasks
    ]


@pytest.fixture(scope="module")
def piece(galaxy, spectra):
    layout = layout_of([galaxy], spectra)
    arrays = galaxies_of(layout, [galaxy], spectra[:1])
    lines = lines_of(layout, galaxy.lines)
    n = len(spectra)
    of_batch = spectra_of(layout, [galaxy], [0] * n, spectra, [None] * n)
    return Piece(Devices(1), Sizes(4), layout, lines, arrays, of_batch, 4)


def test_spectra_of_few_pixels_are_not_padded_beyond_what_their_templates_give_back(galaxy, spectra):
    """As with training_spectra.n_wave: 512: the next multiple of 64 is more than the margin of their templates."""
    stars = galaxy.stars._replace(wave=galaxy.stars.wave[:430], flux=galaxy.stars.flux[:430])
    few = spectra[0]._replace(wave=spectra[0].wave[:400], lsf_sigma=spectra[0].lsf_sigma[:400])
    layout = layout_of([galaxy._replace(stars=stars)], [few])
    assert 400 <= layout.n_wave <= layout.n_fft < 448
    many = layout_of([galaxy], [spectra[0]])
    assert many.n_wave % 64 == 0 and many.n_wave >= spectra[0].wave.size


def with_kind(piece, galaxy, kinds):
    layout = with_gas(piece.layout, galaxy.lines, kinds)
    return piece.with_gas(layout, lines_of(layout, galaxy.lines))


def as_batch(solutions, layout, galaxy) -> Solutions:
    """Solutions of single spectra as those of a batch."""
    scale = np.median(np.abs(galaxy.stars.flux))
    columns = list(zip(layout.gas_component, layout.gas_line, strict=True))
    gas = np.zeros((len(solutions), len(columns)))
    for row, solution in zip(gas, solutions, strict=True):
        place = [columns.index(c) for c in zip(solution.gas.component, solution.gas.free, strict=True)]
        row[place] = solution.composition.gas
    nothing = np.zeros(len(solutions))
    return Solutions(
        kinematics=np.array([s.kinematics for s in solutions]),
        theta=np.array([s.composition.theta for s in solutions]),
        weights=np.array([s.composition.weights * scale for s in solutions]),
        gas=gas,
        chi2=nothing,
        v_gas_other=nothing,
        converged=nothing == 0,
    )


def lowest_chi2(task, one, gas, start) -> float:
    """Of the lines alone, by the algorithm of Lawson & Hanson."""
    good, error = task.spectrum.good, task.spectrum.error[task.spectrum.good]
    columns = moving_gas(gas, task.spectrum, task.stars, start)[good] / error[:, None]
    return nnls(columns, one.problem.data - one.problem.stellar_continuum(one.composition))[1] ** 2


@pytest.mark.parametrize("kind", [SECOND, BROAD])
def test_a_component_starts_where_its_lines_alone_fit_best(piece, galaxy, tasks, ones, kind):
    start = with_kind(piece, galaxy, [MAIN, kind]).run(
        components.best_start, as_batch(ones, piece.layout, galaxy), kind=kind
    )
    for task, one, found in zip(tasks, ones, start, strict=True):
        np.testing.assert_array_equal(found[0], one.kinematics[0])
        gas = with_components(one.gas, galaxy.lines, [kind])
        if kind == BROAD:
            known = one.kinematics[1]
            starts = [np.array([known, [known[0], sigma]]) for sigma in (700.0, 1400.0, 2800.0)]
        else:
            starts = gas_components._pairs(one.kinematics[1])
        chi2 = [lowest_chi2(task, one, gas, s) for s in starts]
        place = int(np.argmin([np.abs(s - found[1:]).max() for s in starts]))
        np.testing.assert_allclose(found[1:], starts[place], rtol=1e-12)
        assert chi2[place] < min(chi2) + 1e-3


@pytest.mark.parametrize("kind", [SECOND, BROAD])
def test_gains_are_those_of_single_spectra(piece, galaxy, tasks, ones, kind):
    more = [gas_components._with(task, one, galaxy.lines, kind) for task, one in zip(tasks, ones, strict=True)]
    single = [gas_components._bic_gain(*args, kind, galaxy.lines) for args in zip(tasks, ones, more, strict=True)]
    extended = with_kind(piece, galaxy, [MAIN, kind])
    before = piece.run(components.chi2_and_n_free, as_batch(ones, piece.layout, galaxy))
    gains = extended.run(components.bic_gain, as_batch(more, extended.layout, galaxy), *before, kind=kind)
    np.testing.assert_allclose(gains, single, rtol=1e-5, atol=1e-3)


def test_gas_is_detected_as_in_single_spectra(piece, galaxy, ones):
    for factor in (1.0, 1e-2, 1e-3):
        weak = [one._replace(composition=one.composition._replace(gas=factor * one.composition.gas)) for one in ones]
        found = piece.run(components.is_detected, as_batch(weak, piece.layout, galaxy))
        assert found.tolist() == [gas_components._is_detected(one) for one in weak]


def test_outliers_are_those_of_single_spectra(piece, galaxy, spectra, ones):
    """Spikes on the continuum and on a line, of which the one on the line is real."""
    spiked, place = [], np.searchsorted(spectra[0].wave, [5090.0, 5330.0, 5008.24])
    for spectrum in spectra:
        flux = spectrum.flux.copy()
        flux[place] += np.array([30.0, -30.0, 30.0]) * spectrum.error[place]
        spiked.append(spectrum._replace(flux=flux))
    n = len(spiked)
    of_batch = spectra_of(piece.layout, [galaxy], [0] * n, spiked, [None] * n)
    batch = Piece(Devices(1), Sizes(4), piece.layout, piece.lines, piece.galaxies, of_batch, 4)
    found = batch.run(outliers, as_batch(ones, piece.layout, galaxy))
    for row, spectrum, one in zip(found, spiked, ones, strict=True):
        one.problem.data = spectrum.flux[spectrum.good] / spectrum.error[spectrum.good]
        expected = one_spectrum._outliers(one, spectrum, galaxy.lines, galaxy.settings.clip_sigma)
        np.testing.assert_array_equal(row[: expected.size], expected)
        assert expected[place].tolist() == [True, True, False] and not row[expected.size :].any()


def test_the_choice_is_that_of_the_ppxf_engine(galaxy, spectra, monkeypatch):
    """Of one component, two of all lines, and a broad one; the narrow one comes first."""
    monkeypatch.setattr(devices, "MOST_ON_CPU", 4)
    monkeypatch.setattr(engine, "keep_compiled", lambda: None)
    ours, others = engine.fit_all(galaxy, spectra), pool.fit_all(galaxy, spectra, 1)
    assert [r.gas_model for r in ours] == [r.gas_model for r in others]
    assert len({r.gas_model for r in ours}) > 1
    for one, other in zip(ours, others, strict=True):
        assert one.gas_bic_gain == pytest.approx(other.gas_bic_gain, rel=0.01, abs=1.0)
        np.testing.assert_array_equal(np.isnan(one.component_v), np.isnan(other.component_v))
        assert not one.component_sigma[MAIN] > one.component_sigma[SECOND]
