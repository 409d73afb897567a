"""Solutions of the pPXF engine as those of a batch: measurements of the same solution by both engines are compared."""

import numpy as np

from mangrove.spectra.fit.batched.batch import Batch, Solutions
from mangrove.spectra.fit.bounds import START_SIGMA_GAS, START_SIGMA_STAR
from mangrove.spectra.fit.galaxy import GalaxyFit
from mangrove.spectra.fit.model import gas_in_range
from mangrove.spectra.fit.ppxf.alternation import Task, solve
from mangrove.spectra.fit.ppxf.solution import FittedSpectrum
from mangrove.spectra.fit.settings import Guide
from mangrove.spectra.fit.spectrum import Spectrum
from mangrove.spectra.fit.templates import with_components


def solved(galaxy: GalaxyFit, spectrum: Spectrum, guide: Guide | None = None, further=()) -> FittedSpectrum:
    """The pPXF engine's solution of a spectrum, whose gas has further components of kinematics {component: (v, sigma)}."""
    gas = gas_in_range(spectrum, galaxy.stars, galaxy.lines)
    start = [[0.0, START_SIGMA_STAR] if guide is None else [guide.v, guide.sigma], [0.0, START_SIGMA_GAS]]
    further = dict(further)
    gas = with_components(gas, galaxy.lines, tuple(further))
    solution = solve(Task(spectrum, galaxy.stars, galaxy.settings, guide), gas, start + list(further.values()))
    return FittedSpectrum(solution, spectrum, galaxy.z, galaxy.stars, galaxy.lines, galaxy.settings, guide)


def as_batch(batch: Batch, fits: list[FittedSpectrum]) -> Solutions:
    """Their solutions in the order and units of a batch."""
    layout, n = batch.layout, len(fits)
    kinematics = np.full((n, 1 + len(layout.components), 2), np.nan)
    theta = np.array([fit.solution.composition.theta for fit in fits])
    weights = np.zeros((n, batch.galaxies.transform.shape[1]))
    gas = np.zeros((n, len(layout.gas_line)))
    columns = list(zip(layout.gas_component, layout.gas_line, strict=True))
    for i, (fit, galaxy) in enumerate(zip(fits, batch.spectra.galaxy, strict=True)):
        solution = fit.solution
        used = [0, *(1 + layout.components.index(c) for c in solution.gas.components)]
        kinematics[i, used] = solution.kinematics
        own = solution.composition.weights
        weights[i, : own.size] = own * batch.galaxies.scale[galaxy]
        pairs = zip(solution.gas.component, solution.gas.free, strict=True)
        gas[i, [columns.index(pair) for pair in pairs]] = solution.composition.gas
    chi2 = np.array([fit.solution.composition.chi2 for fit in fits])
    return Solutions(kinematics, theta, weights, gas, chi2, np.full(n, np.nan), np.ones(n, bool))
