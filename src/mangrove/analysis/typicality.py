"""How typical an object is of what a map was trained on, by its distance from its node."""

import numpy as np

#: Levels of the quantiles of the distances that are kept with a map.
QUANTILE_LEVELS = np.linspace(0.0, 1.0, 101)


def typicality(distance: np.ndarray, of_training: np.ndarray) -> np.ndarray:
    """Fraction of the training set that lies farther from its node, shape (n,): 1 as near as any, 0 is strange.

    Parameters
    ----------
    distance : ndarray, shape (n,)
        NaN where there is no node; so is the result.
    of_training : ndarray, shape (n_train,)
        Distances of the training set, at least one.
    """
    ordered = np.sort(of_training)
    farther = 1.0 - np.searchsorted(ordered, distance, side="right") / len(ordered)
    return np.where(np.isfinite(distance), farther, np.nan)
