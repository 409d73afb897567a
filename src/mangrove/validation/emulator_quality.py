"""How well the emulator predicts the lines of galaxies that it has not seen."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import rankdata

from mangrove.models.emulator.emulator import BLOCK, Emulator, LinePrediction, predict_table
from mangrove.models.emulator.line_table import LineTable
from mangrove.validation.comparison import robust_width, spearman

#: What must be reached: gain in Spearman rho over the published networks, content of 68 % intervals, median bias.
MIN_GAIN, MIN_MEAN_GAIN = 0.007, 0.012
COVERAGE_LIMITS = (0.64, 0.72)
MAX_BIAS = 0.02
#: A line is judged on no fewer measured test rows, of no fewer galaxies: with these, the content of an interval is known
#: to 0.02 and a median in a quartile to about a tenth of the scatter.
MIN_JUDGED = 500
INTERVAL = 0.68
N_QUARTILE, N_DECILE = 4, 10
_N_BOOTSTRAP = 400


class Evaluation(NamedTuple):
    """Predictions beside measurements, rows of a table; asinh(EW), shape (n, n_line), NaN where not measured.

    Attributes
    ----------
    lines : tuple of str
    measured : ndarray
    predicted : ndarray
        As the survey would list it; everywhere.
    intrinsic_median : ndarray
        Median of the intrinsic distribution; everywhere.
    predictive_draw : ndarray
        A sample of the predictive distribution: of intrinsic EW, with measurement noise.
    pit : ndarray
        Probability below the measurement in the predicted distribution with the row's measurement error.
    luminosity : ndarray, shape (n,)
        Log continuum luminosity; the first colour where there is none.
    """

    lines: tuple[str, ...]
    measured: np.ndarray
    predicted: np.ndarray
    intrinsic_median: np.ndarray
    predictive_draw: np.ndarray
    pit: np.ndarray
    luminosity: np.ndarray


class QualityRow(NamedTuple):
    """Quality of one line.

    Attributes
    ----------
    line : str
    n : int
    rho, rho_published : float
        Spearman, predicted against measured; NaN without published predictions.
    gain, gain_error : float
        Their difference on the same galaxies, and its error from resampling these.
    rho_intrinsic : float
        Of the median of the intrinsic distribution.
    nmad : float
        1.4826 times the median absolute deviation of predicted minus measured, about its median.
    bias : tuple of float, length 4
        Median of predicted minus measured by quartile of luminosity.
    bias_error : tuple of float, length 4
    coverage : float
        Fraction within the 68 % interval.
    """

    line: str
    n: int
    rho: float
    rho_published: float
    gain: float
    gain_error: float
    rho_intrinsic: float
    nmad: float
    bias: tuple[float, ...]
    bias_error: tuple[float, ...]
    coverage: float


def evaluate(model: Emulator, table: LineTable, seed: int = 0) -> Evaluation:
    """Predict the rows of a table and put the measurements beside."""
    use = table.log_luminosity if model.uses_luminosity else None
    prediction = predict_table(model, table.flux_bins, use)
    known = table.measured
    y = np.arcsinh(np.where(known, table.ew, 1)).astype(np.float32)
    error = np.where(known, table.ew_error, 1).astype(np.float32)
    keys = jax.random.split(jax.random.key(seed), -(-len(y) // BLOCK))
    distributions = jax.jit(partial(_distributions, model))
    parts = [
        distributions(jax.tree.map(lambda x, s=s: jnp.asarray(x[s]), prediction), y[s], error[s], key)
        for s, key in zip(_slices(len(y)), keys, strict=True)
    ]
    median, pit, drawn = (np.concatenate(part) for part in zip(*parts, strict=True))
    blank = np.where(known, 0, np.nan)
    colour = np.log10(table.flux_bins[:, 1] / table.flux_bins[:, 0])
    luminosity = colour if table.log_luminosity is None else table.log_luminosity
    return Evaluation(
        lines=table.lines,
        measured=y + blank,
        predicted=prediction.observed,
        intrinsic_median=median,
        predictive_draw=drawn + blank,
        pit=pit + blank,
        luminosity=np.asarray(luminosity),
    )


def quality_table(result: Evaluation, published_ew: np.ndarray | None = None, seed: int = 0) -> list[QualityRow]:
    """Quality of every line.

    Parameters
    ----------
    published_ew : ndarray, shape (n, n_line), optional
        Predictions of the published networks for the same rows, Angstrom.
    seed : int
        Of the resampling.
    """
    published = np.full(result.measured.shape, np.nan) if published_ew is None else np.arcsinh(published_ew)
    quartile = groups(result.luminosity, N_QUARTILE)
    return [_quality_row(result, published[:, i], quartile, i, seed) for i in range(len(result.lines))]


def paired_gain(measured: np.ndarray, ours: np.ndarray, other: np.ndarray, seed: int) -> tuple[float, float]:
    """Spearman rho of ours minus that of the other on the same rows, and its bootstrap error.

    Galaxies are drawn again with their ranks in the whole sample, which differ from those in a draw by order
    1/sqrt(n).
    """
    use = np.isfinite(measured) & np.isfinite(ours) & np.isfinite(other)
    if use.sum() < 3:
        return float("nan"), float("nan")
    ranks = np.column_stack([rankdata(x[use]) for x in (measured, ours, other)])
    ranks = (ranks - ranks.mean(0)) / ranks.std(0)
    rng, n = np.random.default_rng(seed), len(ranks)
    # Sums that the correlations of a draw need: 1, x, x^2, x y.
    m, a, b = ranks.T
    terms = np.column_stack([m, a, b, m * m, a * a, b * b, m * a, m * b])
    draws = np.array([rng.multinomial(n, np.full(n, 1 / n)) @ terms / n for _ in range(_N_BOOTSTRAP)])
    gains = _correlation(draws, 0, 1, 6) - _correlation(draws, 0, 2, 7)
    return float((m * a).mean() - (m * b).mean()), float(gains.std())


def normalised_mad(residual: np.ndarray) -> float:
    """1.4826 times the median absolute deviation of the finite values; NaN without any."""
    return robust_width(residual[np.isfinite(residual)])


def groups(values: np.ndarray, n_group: int) -> np.ndarray:
    """Index of the quantile group of each value, shape (n,); groups are of equal size."""
    edges = np.nanquantile(values, np.linspace(0, 1, n_group + 1)[1:-1])
    return np.digitize(values, edges)


def median_with_error(values: np.ndarray) -> tuple[float, float]:
    """Median and its standard error (1.2533 sigma / sqrt(n), sigma from the 16-84 % range)."""
    if len(values) < 3:
        return float("nan"), float("nan")
    low, middle, high = np.percentile(values, [16, 50, 84])
    return float(middle), float(1.2533 * 0.5 * (high - low) / np.sqrt(len(values)))


def bias_by_decile(result: Evaluation) -> tuple[np.ndarray, np.ndarray]:
    """Median prediction and median of predicted minus measured asinh(EW) by decile of the prediction.

    By the prediction, as a choice by the noisy measurement makes a bias by itself.

    Returns
    -------
    centre, offset : ndarray, shape (n_line, 10)
        NaN in deciles without a row.
    """
    centre, offset = (np.full((len(result.lines), N_DECILE), np.nan) for _ in range(2))
    for i in range(len(result.lines)):
        known = np.isfinite(result.measured[:, i])
        measured, predicted = result.measured[known, i], result.predicted[known, i]
        decile = groups(predicted, N_DECILE)
        for k in range(N_DECILE):
            inside = decile == k
            if inside.any():
                centre[i, k] = np.median(predicted[inside])
                offset[i, k] = np.median(predicted[inside] - measured[inside])
    return centre, offset


def failures(rows: list[QualityRow]) -> list[str]:
    """What falls short of the aims, in words; empty if all is reached.

    The bias in a quartile of luminosity counts as it is in the mean over the lines, and beyond twice its error for a
    line alone: a quarter of the test galaxies tells no line's median to better than half of the limit.
    """
    short = []
    gains = [row.gain for row in rows if np.isfinite(row.gain)]
    if gains and np.mean(gains) < MIN_MEAN_GAIN:
        short.append(f"mean gain in rho {np.mean(gains):.4f} is below {MIN_MEAN_GAIN}")
    for k, bias in enumerate(np.mean([row.bias for row in rows], axis=0) if rows else [], 1):
        if abs(bias) > MAX_BIAS:
            short.append(f"median bias {bias:+.3f} in luminosity quartile {k}, mean of the lines")
    return short + [text for row in rows for text in line_failures(row)]


def line_failures(row: QualityRow) -> list[str]:
    """What a line falls short of, in words (see :func:`failures`); the gain counts where it is known."""
    short = []
    if row.gain < MIN_GAIN:
        short.append(f"{row.line}: gain in rho {row.gain:.4f} is below {MIN_GAIN}")
    if not COVERAGE_LIMITS[0] <= row.coverage <= COVERAGE_LIMITS[1]:
        short.append(f"{row.line}: the 68 % interval covers {100 * row.coverage:.1f} %")
    for k, (bias, error) in enumerate(zip(row.bias, row.bias_error, strict=True), 1):
        if abs(bias) > MAX_BIAS + 2 * error:
            short.append(f"{row.line}: median bias {bias:+.3f} in luminosity quartile {k}")
    return short


def verdicts(rows: list[QualityRow], n_galaxy: int) -> list[str]:
    """Whether each line holds the aims: "yes", "no", or "too few" where there is too little to judge by.

    Where the table has published predictions, a line needs them too. The aims for the means over the lines are no
    line's: see :func:`failures`.

    Parameters
    ----------
    n_galaxy : int
        Galaxies of the test rows; rows of one galaxy (baxels) share what makes a bias.
    """
    published = any(np.isfinite(row.gain) for row in rows)
    enough = [min(row.n, n_galaxy) >= MIN_JUDGED and (np.isfinite(row.gain) or not published) for row in rows]
    return [
        ("no" if line_failures(row) else "yes") if known else "too few" for row, known in zip(rows, enough, strict=True)
    ]


def _quality_row(result: Evaluation, published: np.ndarray, quartile: np.ndarray, i: int, seed: int) -> QualityRow:
    measured, predicted = result.measured[:, i], result.predicted[:, i]
    known = np.isfinite(measured)
    residual = (predicted - measured)[known]
    gain, gain_error = paired_gain(measured, predicted, published, seed)
    bias = [median_with_error((predicted - measured)[known & (quartile == k)]) for k in range(N_QUARTILE)]
    return QualityRow(
        line=result.lines[i],
        n=int(known.sum()),
        rho=spearman(measured, predicted),
        rho_published=spearman(measured, published),
        gain=gain,
        gain_error=gain_error,
        rho_intrinsic=spearman(measured, result.intrinsic_median[:, i]),
        nmad=normalised_mad(residual),
        bias=tuple(value for value, _ in bias),
        bias_error=tuple(error for _, error in bias),
        coverage=float((np.abs(result.pit[known, i] - 0.5) < INTERVAL / 2).mean()),
    )


def _correlation(draws: np.ndarray, a: int, b: int, product: int) -> np.ndarray:
    """Correlation of terms a and b from the sums of :func:`paired_gain`; squares stand three places on."""
    covariance = draws[:, product] - draws[:, a] * draws[:, b]
    return covariance / np.sqrt((draws[:, a + 3] - draws[:, a] ** 2) * (draws[:, b + 3] - draws[:, b] ** 2))


def _distributions(model: Emulator, prediction: LinePrediction, y: jax.Array, error: jax.Array, key: jax.Array):
    """Intrinsic median, probability of the measurement and a predictive draw for a block of rows."""
    mixture = prediction.mixture
    noisy = mixture.measured(error * jnp.asarray(model.noise_factor)[None, :])
    return mixture.median(), noisy.cdf(y), model.sample(prediction, key, error)


def _slices(n: int) -> list[slice]:
    return [slice(start, start + BLOCK) for start in range(0, n, BLOCK)]
