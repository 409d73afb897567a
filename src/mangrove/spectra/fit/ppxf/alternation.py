"""Two fits that alternate: the composition at fixed kinematics, and the kinematics by pPXF (Cappellari 2017, 2023)."""

from typing import NamedTuple

import numpy as np

from mangrove.physics.wavelengths import C_KMS
from mangrove.spectra.fit.bounds import SIGMA_COMPONENT_BOUND
from mangrove.spectra.fit.limits import star_bounds
from mangrove.spectra.fit.ppxf.composition import CHI2_TOLERANCE, Composition, LinearProblem
from mangrove.spectra.fit.ppxf.solution import Solution
from mangrove.spectra.fit.settings import FitSettings, Guide
from mangrove.spectra.fit.shape import continuum_shape
from mangrove.spectra.fit.spectrum import Spectrum
from mangrove.spectra.fit.templates import GasTemplates, StellarTemplates

_ROUNDS = 10
_FTOL = 1e-4


class Task(NamedTuple):
    """A spectrum, the stars that are fitted to it, and how."""

    spectrum: Spectrum
    stars: StellarTemplates
    settings: FitSettings
    guide: Guide | None


def solve(task: Task, gas: GasTemplates, kinematics, theta=None) -> Solution:
    """The best composition and kinematics (see :func:`mangrove.spectra.fit.ppxf.one_spectrum.fit_spectrum`).

    Parameters
    ----------
    kinematics : array_like, shape (1 + n_component, 2)
        Velocity and dispersion, km/s, from which the stars and each of ``gas.components`` start.
    theta : ndarray, optional
        The shape of the stellar continuum from which it starts.
    """
    spectrum, stars, settings, _ = task
    kinematics, errors, reached = np.asarray(kinematics, float), None, np.inf
    for turn in range(_ROUNDS + 1):
        problem = LinearProblem(spectrum, stars, gas, settings.continuum, kinematics)
        composition = problem.solve(theta)
        if turn == _ROUNDS or composition.chi2 > reached - CHI2_TOLERANCE:
            break
        theta = composition.theta
        kinematics, errors, chi2 = _moved(task, _seen(gas, problem.seen), composition, kinematics)
        reached = chi2 + problem.penalty(theta)
    return Solution(gas, kinematics, errors, problem, composition)


def _seen(gas: GasTemplates, seen) -> GasTemplates:
    """The lines that good pixels show; all lines of a component that has none of these."""
    kept = seen | ~np.isin(gas.component, gas.component[seen])
    return GasTemplates(gas.flux[:, kept], gas.free[kept], gas.component[kept])


def _moved(task: Task, gas: GasTemplates, composition: Composition, kinematics) -> tuple[np.ndarray, np.ndarray, float]:
    """Velocities and dispersions with the shape frozen into the templates, their formal errors, and chi2.

    pPXF broadens and shifts templates that have their shape already; so that it lies at the pixels of the data where
    :func:`mangrove.spectra.fit.spectrum.shaped_stellar_continuum` has it, it is taken back by the velocity of the stars.
    """
    spectrum, stars = task.spectrum, task.stars
    active = np.flatnonzero(composition.weights > 0)
    if not active.size:
        active = np.arange(stars.flux.shape[1])
    seen_at = stars.wave * np.exp(kinematics[0, 0] / C_KMS)
    shape = np.interp(seen_at, spectrum.wave, continuum_shape(composition.theta, spectrum.wave))
    pp = _ppxf(task, stars.flux[:, active] * shape[:, None], gas, kinematics)
    found, errors = (np.array([pair[:2] for pair in pairs]) for pairs in (pp.sol, pp.error))
    return found, errors, float(np.sum(((pp.galaxy - pp.bestfit) / pp.noise)[spectrum.good] ** 2))


def _ppxf(task: Task, shaped, gas: GasTemplates, kinematics):
    from ppxf.ppxf import ppxf

    spectrum, stars, settings, guide = task
    norm = float(np.median(np.abs(spectrum.flux[spectrum.good])))
    kind = np.searchsorted(gas.components, gas.component)
    component = np.append(np.zeros(shaped.shape[1], int), 1 + kind)
    v = (-settings.velocity_bound, settings.velocity_bound)
    fixed = guide is not None and guide.half_width == 0
    n = len(gas.components)
    # At a perfect minimum capfit divides a reduction of zero by zero.
    with np.errstate(divide="ignore", invalid="ignore"):
        return ppxf(
            np.hstack([shaped, gas.flux]),
            spectrum.flux / norm,
            spectrum.error / norm,
            C_KMS * spectrum.log_step,
            kinematics.tolist(),
            bounds=[star_bounds(settings, guide), *([v, SIGMA_COMPONENT_BOUND[c]] for c in gas.components)],
            fixed=[[fixed, fixed], *[[False, False]] * n],
            moments=[2] * (1 + n),
            component=component,
            gas_component=component > 0,
            gas_names=np.arange(gas.component.size).astype(str),
            degree=-1,
            goodpixels=np.flatnonzero(spectrum.good),
            lam=spectrum.wave,
            lam_temp=stars.wave,
            ftol=_FTOL,
            quiet=True,
        )
