"""Tables of the judgement of an autoencoder by planted anomalies, and whether what was wanted of it is reached."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from mangrove.validation.line_cube_judgement import COMPONENTS, SPACES

#: Smallest area under the curve of the recommended score, by anomaly.
LEAST_AUC = {"double_nucleus": 0.85, "offset_agn": 0.85, "blueberry": 0.9, "sky_residual": 0.9}
#: Smallest fraction of the neighbours of an anomaly that are of its kind.
LEAST_SAME = 0.7
#: Largest distance of turned copies of a cube over that of copies with other noise alone.
MOST_TURNED = 1.1


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
    """Another measure, of a model, a score or an anomaly (``of``), and its limits, NaN for none."""

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
                least = LEAST_AUC[anomaly] if s == 0 and model != COMPONENTS else np.nan
                values = [float(data[name][m, i, s]) for name in ("auc", "auc_error", "auc_unmatched")]
                n = int((data["anomaly"] == anomaly).sum())
                rows.append(ScoreRow(model, score, anomaly, n, *values, least, _verdict(values[0], least, np.nan)))
    return rows


def measure_rows(data: Mapping[str, np.ndarray], attrs: Mapping) -> list[TruthRow]:
    """Rows of all other measures; errors are medians over the normal galaxies."""
    if not data["model"].size:
        return []
    normal, models = data["anomaly"] == "", data["model"].tolist()
    errors = {name: np.median(data[name][:, normal], axis=1) for name in ("error_noisy", "error_excess", "error_true")}
    rows = []
    for name, value in errors.items():
        # The principal components stand last; they are to be beaten where the noise does not count.
        most = [value[-1]] * (len(models) - 1) + [np.nan] if name != "error_noisy" else [np.nan] * len(models)
        rows += [
            _row(name, model, *one) for model, *one in zip(models, value, [np.nan] * len(models), most, strict=True)
        ]
    for m, model in enumerate(models):
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
    turned = attrs["copy_turned"] / attrs["copy_noise"] if attrs["copy_noise"] > 0 else np.nan
    apart = attrs["copy_turned"] / attrs["copy_galaxies"] if attrs["copy_galaxies"] > 0 else np.nan
    rows.append(_row("distance of turned copies over that of noise alone", SPACES[1], turned, at_most=MOST_TURNED))
    rows.append(_row("distance of turned copies over that of galaxies", SPACES[1], apart))
    return rows


def _row(measure: str, of: str, value: float, at_least: float = np.nan, at_most: float = np.nan) -> TruthRow:
    return TruthRow(measure, of, float(value), at_least, at_most, _verdict(float(value), at_least, at_most))


def _verdict(value: float, at_least: float, at_most: float) -> str:
    if np.isnan(at_least) and np.isnan(at_most):
        return "no limit"
    return "yes" if np.isfinite(value) and not value < at_least and not value > at_most else "no"
