"""What the emulator is compared with: PCA regression, nearest neighbours, local linear regression."""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KDTree, NearestNeighbors

from mangrove.models.emulator.emulator import Emulator, predict_table
from mangrove.models.emulator.line_table import LineTable, SplitRows
from mangrove.validation.comparison import spearman
from mangrove.validation.emulator_quality import normalised_mad

#: Neighbours of the k-nearest-neighbours baseline and of the local fits.
N_NEIGHBOUR, N_LOCAL = 20, 500
_PCA_VARIANCE = 0.999
_RIDGE = 1e-2
_LOCAL_BLOCK = 250
_THREADS = 2


class Baseline(NamedTuple):
    """Predictions of a baseline and what they took.

    Attributes
    ----------
    name : str
    predicted : ndarray, shape (n_test, n_line)
        asinh(EW).
    fit_s, predict_s : float
        Wall time.
    """

    name: str
    predicted: np.ndarray
    fit_s: float
    predict_s: float


def baseline_table(model: Emulator, table: LineTable, split: SplitRows) -> list[dict[str, str | float]]:
    """Accuracy on the test rows, and wall time, of the emulator and of each baseline.

    The baselines learn from the training and validation rows; the time of the emulator is without its training and
    compilation.

    Returns
    -------
    list of dict
        One per method: method, rho and nmad (means over lines), fit_s, predict_s, and rho of every line.
    """
    train, test = table.take(np.concatenate([split.train, split.validation])), table.take(split.test)
    known = _asinh_ew(test)
    x_train, x_test = (part.features(model.uses_luminosity) for part in (train, test))
    found = [_emulator(model, test), *run_baselines(x_train, _asinh_ew(train), x_test)]
    return [_row(one, known, table.lines) for one in found]


def run_baselines(train: np.ndarray, y: np.ndarray, test: np.ndarray) -> list[Baseline]:
    """Fit and predict with each baseline.

    Parameters
    ----------
    train, test : ndarray, shape (n, n_feature)
        Features before scaling.
    y : ndarray, shape (n_train, n_line)
        asinh(EW), NaN where not measured.
    """
    centre, scale = np.median(train, 0), train.std(0)
    train, test = (train - centre) / scale, (test - centre) / scale
    methods = {
        "PCA regression": pca_regression,
        f"{N_NEIGHBOUR} nearest neighbours": nearest_neighbours,
        "local linear regression": local_linear,
    }
    return [_timed(name, method, train, y, test) for name, method in methods.items()]


Predictor = Callable[[np.ndarray], np.ndarray]


def pca_regression(x: np.ndarray, y: np.ndarray) -> Predictor:
    """Linear regression on the principal components that hold 99.9 % of the features' variance."""
    pca = PCA(_PCA_VARIANCE).fit(x)
    components, known = pca.transform(x), np.isfinite(y)
    fits = [LinearRegression().fit(components[known[:, i]], y[known[:, i], i]) for i in range(y.shape[1])]
    return lambda test: np.column_stack([fit.predict(pca.transform(test)) for fit in fits])


def nearest_neighbours(x: np.ndarray, y: np.ndarray) -> Predictor:
    """Mean over the nearest training rows that have the line; the line's mean where none has."""
    tree = NearestNeighbors(n_neighbors=min(N_NEIGHBOUR, len(x)), algorithm="kd_tree", n_jobs=_THREADS).fit(x)
    known, values, fallback = np.isfinite(y), np.nan_to_num(y), np.nanmean(y, axis=0)

    def predict(test: np.ndarray) -> np.ndarray:
        near = tree.kneighbors(test, return_distance=False)
        count = known[near].sum(axis=1)
        return np.where(count > 0, values[near].sum(axis=1) / np.maximum(count, 1), fallback)

    return predict


def local_linear(x: np.ndarray, y: np.ndarray) -> Predictor:
    """A weighted linear fit around each row (tricube weights, slight ridge)."""
    tree = KDTree(x)

    def predict(test: np.ndarray) -> np.ndarray:
        starts = range(0, len(test), _LOCAL_BLOCK)
        return np.concatenate([_local_fits(tree, x, y, test[i : i + _LOCAL_BLOCK]) for i in starts])

    return predict


def _local_fits(tree: KDTree, x: np.ndarray, y: np.ndarray, test: np.ndarray) -> np.ndarray:
    distance, near = tree.query(test, k=min(N_LOCAL, len(x)))
    weight = np.clip(1 - (distance / (distance[:, -1:] * 1.0001)) ** 3, 0, None) ** 3
    # Centred on the row itself, the intercept is the prediction.
    offset = x[near] - test[:, None, :]
    design = np.concatenate([np.ones((*near.shape, 1)), offset], axis=2)
    size = design.shape[2]
    ridge = np.diag([1e-9] + [_RIDGE] * (size - 1))
    predicted = np.empty((len(test), y.shape[1]))
    for i in range(y.shape[1]):
        values = y[near, i]
        used = np.where(np.isfinite(values), weight, 0)
        weighted = (design * (used / np.maximum(used.sum(1, keepdims=True), 1e-9))[:, :, None]).transpose(0, 2, 1)
        right = weighted @ np.nan_to_num(values)[:, :, None]
        predicted[:, i] = np.linalg.solve(weighted @ design + ridge, right)[:, 0, 0]
    return predicted


def _timed(name: str, method, train: np.ndarray, y: np.ndarray, test: np.ndarray) -> Baseline:
    start = time.perf_counter()
    predict = method(train, y)
    fitted = time.perf_counter()
    predicted = predict(test)
    return Baseline(name, predicted, fitted - start, time.perf_counter() - fitted)


def _emulator(model: Emulator, test: LineTable) -> Baseline:
    luminosity = test.log_luminosity if model.uses_luminosity else None
    predict_table(model, test.flux_bins, luminosity)
    start = time.perf_counter()
    predicted = predict_table(model, test.flux_bins, luminosity).observed
    return Baseline("emulator", predicted, float("nan"), time.perf_counter() - start)


def _row(one: Baseline, known: np.ndarray, lines) -> dict[str, str | float]:
    rho = [spearman(known[:, i], one.predicted[:, i]) for i in range(len(lines))]
    nmad = [normalised_mad(one.predicted[:, i] - known[:, i]) for i in range(len(lines))]
    means = {"rho": float(np.mean(rho)), "nmad": float(np.mean(nmad))}
    times = {"fit_s": one.fit_s, "predict_s": one.predict_s}
    return {"method": one.name, **means, **times} | {f"rho {line}": r for line, r in zip(lines, rho, strict=True)}


def _asinh_ew(table: LineTable) -> np.ndarray:
    return np.where(table.measured, np.arcsinh(np.where(table.measured, table.ew, 0)), np.nan)
