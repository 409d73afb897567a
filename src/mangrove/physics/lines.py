"""The emission lines: one table for the fit, the line windows, the simulation and the figures."""

from functools import cache
from typing import NamedTuple

import numpy as np
from astropy.table import Table

from mangrove.physics.wavelengths import C_KMS
from mangrove.resources import resource

#: Half width, km/s, of the range about a line over which the mean of the stellar continuum is the continuum of its EW:
#: wide enough to hold the stellar absorption, whose bottom depends on the stars' kinematics.
EW_HALF_WIDTH = 500.0
#: Lines that the gas around a black hole makes broad and the stellar continuum cannot mimic; higher Balmer lines are blends.
BROAD_LINES = ("Hdelta_4103", "Hgamma_4342", "Hbeta_4863", "Halpha_6565")


class LineList(NamedTuple):
    """Emission lines in order of wavelength.

    Attributes
    ----------
    name : tuple of str, length n_line
    wave : ndarray, shape (n_line,)
        Vacuum rest wavelength, Angstrom.
    label : tuple of str, length n_line
        Text for figures.
    dap_name : tuple of str, length n_line
        Name in MaNGA's data analysis pipeline (Ha-6564 for Halpha_6565).
    partner : ndarray of int, shape (n_line,)
        Index of the line whose flux fixes this one; its own index if free.
    ratio : ndarray, shape (n_line,)
        Flux over that of the partner; 1 if free.
    """

    name: tuple[str, ...]
    wave: np.ndarray
    label: tuple[str, ...]
    dap_name: tuple[str, ...]
    partner: np.ndarray
    ratio: np.ndarray

    def index(self, name: str) -> int:
        """Index of a line by name; KeyError lists the known names."""
        try:
            return self.name.index(name)
        except ValueError:
            raise KeyError(f"unknown line '{name}'; known are {', '.join(self.name)}") from None


@cache
def _table() -> Table:
    return Table.read(resource("lines.ecsv"), format="ascii.ecsv")


def _select(flag: str) -> LineList:
    table = _table()[_table()[flag]]
    name, label, dap_name = (tuple(str(text) for text in table[column]) for column in ("name", "label", "dap_name"))
    partner, ratio = np.arange(len(name)), np.ones(len(name))
    for i, row in enumerate(table):
        if row["strong_partner"]:
            partner[i], ratio[i] = name.index(str(row["strong_partner"])), row["ratio"]
    return LineList(
        name=name,
        wave=np.array(table["wave"]),
        label=label,
        dap_name=dap_name,
        partner=partner,
        ratio=ratio,
    )


@cache
def fit_lines() -> LineList:
    """The lines that are fitted together with the stars."""
    return _select("fit")


@cache
def window_lines() -> LineList:
    """The 19 lines of the emission-line cubes."""
    return _select("window")


def distance_to_lines(wave, lines: LineList, velocity: float = 0.0) -> np.ndarray:
    """Distance of wavelengths (rest frame, Angstrom) to the nearest line that moves with a velocity; both km/s."""
    return np.abs(C_KMS * np.log(np.asarray(wave)[:, None] / lines.wave) - velocity).min(axis=1)
