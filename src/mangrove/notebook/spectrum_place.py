"""Where a new spectrum lies on a map of spectra, and what the labels of its node are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from astropy import units as u


class NodePlace(NamedTuple):
    """A node as the papers count: row and column from 1, row 1 at the bottom."""

    row: int
    column: int


class NodeLabel(NamedTuple):
    """The distribution of a label over the training galaxies' baxels on a node, and on neighbours where it has few.

    Attributes
    ----------
    median, low, high : Quantity
        50, 16 and 84 % of the baxels' weight lie below; NaN without any.
    quantiles : Quantity, shape (n_level,)
        At the levels of ``levels`` of :class:`mangrove.notebook.spectrum_map.SpectrumMap`.
    edges, histogram : Quantity, shape (n_bin + 1,), and ndarray, shape (n_bin,)
        Weight of the baxels by bin; the outer bins take what lies beyond.
    n_baxel : int
        Baxels with the label.
    pool_radius : int
        Steps up to which those of neighbours were taken with them; 0: none.
    ring_weight : float
        Weight of those as many steps away; the others weigh 1.
    """

    median: u.Quantity
    low: u.Quantity
    high: u.Quantity
    quantiles: u.Quantity
    edges: u.Quantity
    histogram: np.ndarray
    n_baxel: int
    pool_radius: int
    ring_weight: float


@dataclass(frozen=True, repr=False)
class SpectrumPlace:
    """Where a spectrum lies on a map.

    Attributes
    ----------
    node, second_node : NodePlace
        The best and the second best node.
    distance, second_distance : float
        From their prototypes, in the latent space.
    typicality : float
        Fraction of the training set that lies farther from its node: 1 as near as any, 0 is strange.
    mse : float
        Mean square of reconstruction minus spectrum, bins with data, normalised flux.
    filled : float
        Part of the bins without data, which were interpolated.
    snr : float
        Signal to noise per 69 km/s, MaNGA's pixel: median flux over median error at 5600-6750 Angstrom, observed frame
        (all wavelengths where it has no data there); NaN without errors.
    resolving_power, map_resolving_power : float
        Median over the bins of wavelength over full width at half maximum, of the spectrum in the bins (NaN where
        unknown) and of the training spectra.
    flags : tuple of str
        Names of :class:`mangrove.codes.PlacementFlag`.
    labels : dict of NodeLabel
        By the names of docs/labels.md.
    wave, flux, mask : ndarray, shape (n_wave,)
        What the network saw: rest wavelength (vacuum, Angstrom), normalised flux, and where it was filled.
    """

    node: NodePlace
    second_node: NodePlace
    distance: float
    second_distance: float
    typicality: float
    mse: float
    filled: float
    snr: float
    resolving_power: float
    map_resolving_power: float
    flags: tuple[str, ...]
    labels: Mapping[str, NodeLabel]
    wave: np.ndarray
    flux: np.ndarray
    mask: np.ndarray

    def __repr__(self) -> str:
        flags = f", {', '.join(self.flags)}" if self.flags else ""
        row, column = self.node
        return f"<SpectrumPlace row {row}, column {column}, typicality {self.typicality:.2f}{flags}>"
