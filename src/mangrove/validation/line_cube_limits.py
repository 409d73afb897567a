"""Tables of the judgement of an autoencoder by planted anomalies, and whether what was wanted of it is reached."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from mangrove.validation.line_cube_components import BASELINES
from mangrove.validation.line_cube_judgement import SPACES
from mangrove.validation.line_cube_latents import RARE

#: Smallest area under the curve of the recommended score, by anomaly.
LEAST_AUC = {"double_nucleus": 0.85, "offset_agn": 0.85, "blueberry": 0.9, "sky_residual": 0.9}
#: Smallest fraction of the neighbours of an anomaly that are of its kind.
LEAST_SAME = 0.7
#: Largest distance of turned copies of a cube over that of copies with other noise alone.
MOST_TURNED = 1.1
#: Errors of a network and of principal components that differ by a smaller part are equal: a network that starts from
#: the components and learns nothing differs from them by the rounding of its sums.
MARGIN = 0.01


class ScoreRow(NamedTuple):
    """How well a score tells an anomaly; ``holds``: yes, no, or no limit (columns: docs/autoencoders.md)."""

    model: str
    score: str
    anomaly: str
    n: int
    auc: float
    auc_error: float
    auc_unmatched: float
    at_least: float
    holds: str


class TruthRow(NamedTuple):
    """Another measure, of a model, a score or an anomaly (``of``), and its limits, NaN for none.

    ``holds``: yes, no or no limit; of errors against those of principal components: better, equal or worse.
    """

    measure: str
    of: str
    value: float
    at_least: float
    at_most: float
    holds: str


def score_rows(data: Mapping[str, np.ndarray]) -> list[ScoreRow]:
    """Rows by model, score and anomaly, of the datasets of the artefact 'autoencoder_truth'.

    The recommended score, the first, of the network has limits.
    """
    rows = []
    for m, model in enumerate(data["model"].tolist()):
        for s, score in enumerate(data["score"].tolist()):
            for i, anomaly in enumerate(data["planted"].tolist()):
                least = LEAST_AUC[anomaly] if s == 0 and model not in BASELINES else np.nan
                values = [float(data[name][m, i, s]) for name in ("auc", "auc_error", "auc_unmatched")]
                n = int((data["anomaly"] == anomaly).sum())
                rows.append(ScoreRow(model, score, anomaly, n, *values, least, _verdict(values[0], least, np.nan)))
    return rows


def measure_rows(data: Mapping[str, np.ndarray], attrs: Mapping) -> list[TruthRow]:
    """Rows of all other measures; errors are medians over the normal galaxies."""
    if not data["model"].size:
        return []
    rows = _error_rows(data)
    for m, model in enumerate(data["model"].tolist()):
        for s, score in enumerate(data["score"].tolist()):
            rows.append(_row("rho of score and flux", f"{model}, {score}", data["flux_rho"][m, s]))
    for i, anomaly in enumerate(data["planted"].tolist()):
        for name in ("flux_offset", "size_offset"):
            rows.append(_row(f"{name} from normal galaxies", anomaly, data[name][i]))
        for k, space in enumerate(SPACES):
            least = LEAST_SAME if space == SPACES[0] else np.nan
            rows.append(
                _row("neighbours of the same anomaly", f"{anomaly}, {space}", data["same_anomaly"][k, i], least)
            )
            rows.append(
                _row(f"the same, at most {RARE:.0%} of galaxies", f"{anomaly}, {space}", data["same_rare"][k, i])
            )
    turned = attrs["copy_turned"] / attrs["copy_noise"] if attrs["copy_noise"] > 0 else np.nan
    apart = attrs["copy_turned"] / attrs["copy_galaxies"] if attrs["copy_galaxies"] > 0 else np.nan
    rows.append(_row("distance of turned copies over that of noise alone", SPACES[1], turned, at_most=MOST_TURNED))
    rows.append(_row("distance of turned copies over that of galaxies", SPACES[1], apart))
    return rows


def compared(value: float, baseline: float) -> str:
    """Whether an error is better (smaller) than that of a baseline, equal within :data:`MARGIN` of it, or worse."""
    difference = value - baseline
    if abs(difference) <= MARGIN * abs(baseline):
        return "equal"
    return "better" if difference < 0 else "worse"


def _error_rows(data: Mapping[str, np.ndarray]) -> list[TruthRow]:
    """Errors of all models, and those of the network over those of the baselines, where the noise does not count."""
    normal, models = data["anomaly"] == "", data["model"].tolist()
    network, rows = models[0], []
    for name in ("error_noisy", "error_excess", "error_true"):
        value = dict(zip(models, np.median(data[name][:, normal], axis=1).tolist(), strict=True))
        rows += [_row(name, model, error) for model, error in value.items()]
        if name == "error_noisy":
            continue
        for baseline in models[1:]:
            ratio, verdict = value[network] / value[baseline], compared(value[network], value[baseline])
            rows.append(TruthRow(f"{name} over that of {baseline}", network, ratio, np.nan, 1 - MARGIN, verdict))
    return rows


def _row(measure: str, of: str, value: float, at_least: float = np.nan, at_most: float = np.nan) -> TruthRow:
    return TruthRow(measure, of, float(value), at_least, at_most, _verdict(float(value), at_least, at_most))


def _verdict(value: float, at_least: float, at_most: float) -> str:
    if np.isnan(at_least) and np.isnan(at_most):
        return "no limit"
    return "yes" if np.isfinite(value) and not value < at_least and not value > at_most else "no"
