"""Spectra with lines of known components: what the tests of their profiles share."""

import os
from typing import NamedTuple

import numpy as np
from one_spectrum import LINES, LSF, SETTINGS, SIGMA_STAR, V_STAR, WAVE, Z, fit_several, stars

from mangrove.physics.lines import BROAD_LINES
from mangrove.physics.wavelengths import C_KMS
from mangrove.spectra.fit.templates import broaden

#: Whether samples are large enough to state rates: 'make validate'.
IN_FULL = bool(os.environ.get("MANGROVE_VALIDATE"))
#: Fluxes over that of Hbeta; tied lines follow theirs.
RATIO = {"Halpha_6565": 3.0, "NII_6585": 1.2, "Hbeta_4863": 1.0, "OIII_5008": 1.5, "OII_3727": 0.9, "OII_3730": 0.9}
RATIO |= {"SII_6718": 0.7, "SII_6733": 0.55, "Hgamma_4342": 0.45, "Hdelta_4103": 0.25}
HALPHA, HBETA, OIII, OIII_WEAK, NII = (
    LINES.index(name) for name in ("Halpha_6565", "Hbeta_4863", "OIII_5008", "OIII_4960", "NII_6585")
)


class Gas(NamedTuple):
    """Components of all lines, (velocity, dispersion, part of the flux), and a broad one of the Balmer lines.

    ``broad`` is (velocity, dispersion, flux over that of the other components); velocities in km/s.
    """

    components: tuple[tuple[float, float, float], ...]
    broad: tuple[float, float, float] | None = None

    def share(self, line: int) -> float:
        """Flux of a line with the broad component over that without."""
        return 1.0 + (self.broad[2] if self.broad and LINES.name[line] in BROAD_LINES else 0.0)


ONE = {sigma: Gas(((-80.0, sigma, 1.0),)) for sigma in (40.0, 120.0, 250.0)}
TWO = {
    "150 km/s, 1:1": Gas(((-75.0, 60.0, 0.5), (75.0, 60.0, 0.5))),
    "150 km/s, 0.3, wide": Gas(((0.0, 60.0, 0.77), (-150.0, 180.0, 0.23))),
    "250 km/s, 1:1": Gas(((-125.0, 60.0, 0.5), (125.0, 60.0, 0.5))),
    "250 km/s, 0.3, wide": Gas(((0.0, 60.0, 0.77), (-250.0, 180.0, 0.23))),
    "400 km/s, 1:1": Gas(((-200.0, 60.0, 0.5), (200.0, 60.0, 0.5))),
    "400 km/s, 0.3, wide": Gas(((0.0, 60.0, 0.77), (-400.0, 200.0, 0.23))),
}
BROAD = {
    f"{sigma:g} km/s, {ratio:g}": Gas(((0.0, 60.0, 1.0),), (0.0, sigma, ratio))
    for sigma in (1000.0, 2000.0)
    for ratio in (0.5, 2.0)
}


def line(i: int, v: float, sigma: float, area: float) -> np.ndarray:
    """A Gaussian line, line spread included."""
    centre = LINES.wave[i] * (1 + Z) * np.exp(v / C_KMS)
    width = np.hypot(np.interp(centre, WAVE, LSF), centre * sigma / C_KMS)
    return area * np.exp(-0.5 * ((WAVE - centre) / width) ** 2) / (width * np.sqrt(2 * np.pi))


def stellar_continuum() -> np.ndarray:
    """A 3 Gyr population of median 1."""
    templates = stars()
    index = np.flatnonzero((templates.age == 3.0) & (templates.metallicity == 0.0))
    moved = broaden(templates.flux[:, index], 1e-4 * np.log(10), V_STAR, SIGMA_STAR)[:, 0]
    return moved / np.median(moved)


def hbeta_flux(snr: float, line_snr: float, of: int) -> float:
    """Flux of Hbeta that gives a line of 100 km/s (without a broad component) a signal to noise, all else known."""
    noise = 1.0 / snr / np.linalg.norm(line(of, 0.0, 100.0, 1.0))
    return line_snr * noise / RATIO[LINES.name[of]]


def emission(gas: Gas, hbeta: float) -> np.ndarray:
    """All lines."""
    flux = np.zeros(WAVE.size)
    for i, partner in enumerate(LINES.partner):
        area = hbeta * RATIO.get(LINES.name[partner], 0.0) * LINES.ratio[i]
        for v, sigma, part in gas.components if area else ():
            flux += line(i, v, sigma, area * part)
        if gas.broad and LINES.name[i] in BROAD_LINES:
            flux += line(i, *gas.broad[:2], area * gas.broad[2])
    return flux


def fits(
    gas: Gas, n: int, line_snr: float, of: int, snr: float = 30.0, settings=SETTINGS, seed: int = 0, engine="ppxf"
) -> list:
    """Results for n noisy copies, S/N per pixel of the stellar continuum ``snr``, of the line ``of`` ``line_snr``."""
    clean, rng = stellar_continuum() + emission(gas, hbeta_flux(snr, line_snr, of)), np.random.default_rng(seed)
    error = np.full(WAVE.size, 1.0 / snr)
    rows = [(clean + error * rng.standard_normal(WAVE.size), error) for _ in range(n)]
    return [result for _, result in fit_several(rows, settings=settings, engine=engine)]
