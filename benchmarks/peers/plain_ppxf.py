"""A fit as one call of pPXF: the independent solution that mangrove's fit is timed and tested against."""

import numpy as np

from mangrove.physics.lines import LineList
from mangrove.physics.wavelengths import C_KMS
from mangrove.spectra.fit.bounds import SIGMA_GAS_BOUND, SIGMA_STAR_BOUND, START_SIGMA_GAS, START_SIGMA_STAR
from mangrove.spectra.fit.model import gas_in_range
from mangrove.spectra.fit.settings import FitSettings
from mangrove.spectra.fit.spectrum import Spectrum
from mangrove.spectra.fit.templates import StellarTemplates


def plain_ppxf(spectrum: Spectrum, templates: StellarTemplates, lines: LineList, settings: FitSettings):
    """All templates, all lines and pPXF's own multiplicative polynomial; fluxes over their median.

    Returns
    -------
    ppxf.ppxf.ppxf
        The solved problem.
    """
    from ppxf.ppxf import ppxf

    gas = gas_in_range(spectrum, templates, lines)
    component = np.repeat([0, 1], [templates.flux.shape[1], gas.free.size])
    velocity = (-settings.velocity_bound, settings.velocity_bound)
    norm = np.median(np.abs(spectrum.flux[spectrum.good]))
    return ppxf(
        np.hstack([templates.flux, gas.flux]),
        spectrum.flux / norm,
        spectrum.error / norm,
        C_KMS * spectrum.log_step,
        [[0.0, START_SIGMA_STAR], [0.0, START_SIGMA_GAS]],
        bounds=[[velocity, SIGMA_STAR_BOUND], [velocity, SIGMA_GAS_BOUND]],
        moments=[2, 2],
        component=component,
        gas_component=component == 1,
        gas_names=np.array([str(i) for i in gas.free]),
        degree=-1,
        mdegree=settings.polynomial_degree,
        goodpixels=np.flatnonzero(spectrum.good),
        lam=spectrum.wave,
        lam_temp=templates.wave,
        quiet=True,
    )
