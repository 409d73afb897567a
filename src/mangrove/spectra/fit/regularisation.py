"""Smooth template weights: what differences of neighbours cost."""

import numpy as np

from mangrove.spectra.fit.templates import StellarTemplates


def second_differences(stars: StellarTemplates, regularisation: float) -> np.ndarray:
    """Rows that ask for small second differences of light along age and along metallicity, shape (n, n_star).

    Over the median flux of a spectrum, their products with its weights add their squares to chi2.

    Parameters
    ----------
    regularisation : float
        As pPXF's ``regul``: the inverse of the expected second difference, in units of the median flux; 0 for none.
    """
    grid = np.unique(stars.metallicity).size, np.unique(stars.age).size
    if regularisation == 0:
        return np.empty((0, stars.flux.shape[1]))
    index = np.arange(stars.flux.shape[1]).reshape(grid)
    triples = [
        (line[i], line[i + 1], line[i + 2])
        for lines in (index, index.T)
        for line in lines
        for i in range(len(line) - 2)
    ]
    rows = np.zeros((len(triples), index.size))
    for row, triple in zip(rows, triples, strict=True):
        row[list(triple)] = 1.0, -2.0, 1.0
    return regularisation * rows * np.median(stars.flux, axis=0)
