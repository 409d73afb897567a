"""The anomalies of a run: from line cubes and a trained autoencoder to the artefact 'anomalies'."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import rankdata

from mangrove import artefacts
from mangrove.analysis import anomaly_causes as causes
from mangrove.analysis.anomaly_reasons import Evidence, evidence, reason, standing_out
from mangrove.analysis.anomaly_scores import MEASURES, SCORES, ExpectedErrors, Reconstructed, Scores, calibrated, scores
from mangrove.codes import Split
from mangrove.models.convlstm.cubes import LineCubes
from mangrove.models.convlstm.model import CubeModel
from mangrove.models.training import model_folder

#: Galaxies outside the training set from which the expected errors are taken alone; where there are fewer, those of the
#: training, which the network knows better than any other, count as well.
ENOUGH_UNSEEN = 10
#: Cubes in memory at a time.
BLOCK = 16


class Judged(NamedTuple):
    """What is kept of every galaxy: one row each."""

    scores: Scores
    evidence: Evidence
    spectra: causes.FieldSpectra
    has_data: np.ndarray


def judge_run(inputs, output, params: Mapping[str, Any]) -> None:
    """Write the artefact 'anomalies' of a run; an empty one where there is no model.

    Parameters
    ----------
    inputs : object
        With the rule's files as attributes: line_cube_set, description, arrays.
    output : path-like
    params : mapping
        network; n_reconstruction: galaxies whose reconstructions are kept.

    Raises
    ------
    ArtefactError, ModelError
        If an input is missing, damaged or of another kind.
    """
    folder = Path(inputs.description).parent
    empty = model_folder.reason_if_empty(folder)
    if empty:
        data = without_model(LineCubes.open(inputs.line_cube_set))
    else:
        model = CubeModel.load(folder, params["network"])
        data = anomalies(LineCubes.open(inputs.line_cube_set, model.lines), model, params["n_reconstruction"])
    attrs = {"status": "empty" if empty else "ok", "reason": empty, "network": params["network"]}
    attrs["model_hash"] = artefacts.input_hash(inputs.arrays)
    prov = artefacts.provenance(output, params, [inputs.line_cube_set, inputs.description, inputs.arrays])
    artefacts.write(output, "anomalies", data, prov, attrs)


def anomalies(cubes: LineCubes, model: CubeModel, n_shown: int) -> dict[str, np.ndarray]:
    """The datasets of the artefact: scores, ranks, causes and reasons of all galaxies, some reconstructions.

    Parameters
    ----------
    cubes : LineCubes
        Of the model's lines, at least one galaxy.
    model : CubeModel
    n_shown : int
        Galaxies whose reconstructions are kept, half of them typical.
    """
    expected = expected_errors(cubes, model)
    judged = _judged(cubes, model, expected)
    value = judged.scores.value
    wave = peak_wavelengths(cubes, judged.evidence)
    shown = typical_and_highest(value[:, 0], n_shown)
    return {
        **_names(cubes),
        "value": value,
        "percentile": percentiles(value),
        "line_value": judged.scores.line_value,
        "line_percentile": percentiles(judged.scores.line_value),
        "rank": ranks(value[:, 0]),
        "cause": causes_of(cubes, judged),
        "reason": np.array([_reason(judged, i, cubes.line, wave[i], cubes.shape[-1]) for i in range(cubes.n)]),
        "spaxel_score": judged.scores.spaxel,
        "shown": shown,
        "reconstruction": model.reconstruct(cubes.read(shown)),
    }


def expected_errors(cubes: LineCubes, model: CubeModel) -> ExpectedErrors:
    """What is expected of normal galaxies, from those that the model was not trained on; if these are few, from all."""
    rows = np.flatnonzero(cubes.split != Split.TRAIN)
    rows = rows if rows.size >= ENOUGH_UNSEEN else np.arange(cubes.n)
    return calibrated(lambda: (block for _, block in _blocks(cubes, model, rows)))


def causes_of(cubes: LineCubes, judged: Judged) -> np.ndarray:
    """Causes other than the galaxies, bits of :class:`mangrove.codes.AnomalyCause`, shape (n,)."""
    spectra, strong = judged.spectra, causes.strong_lines(cubes.line)
    velocity = causes.line_velocities(cubes.line, cubes.extra("window_wave"), cubes.z)
    of_strong = causes.FieldSpectra(*(values[:, strong] for values in spectra))
    return causes.bits(
        sky_residual=causes.sky_residual(
            judged.scores.measure[:, MEASURES.index("field")], peak_wavelengths(cubes, judged.evidence)
        ),
        foreground_star=causes.foreground_star(cubes.extra("spaxel_status")),
        cropped_field=causes.cropped_field(
            cubes.extra("spaxel_status"), cubes.r_e / cubes.pixel_scale, cubes.extra("centre_in_field")
        ),
        wrong_redshift=causes.wrong_redshift(of_strong, velocity[:, strong]),
        bad_calibration=causes.bad_calibration(spectra, causes.rest_wavelengths(cubes.line)),
        line_without_data=causes.line_without_data(judged.has_data),
    )


def peak_wavelengths(cubes: LineCubes, found: Evidence) -> np.ndarray:
    """Observed wavelength, Angstrom, shape (n,), that stands out most over the whole field of each galaxy."""
    line, pixel = found.peak.T
    return cubes.extra("window_wave")[np.arange(cubes.n), line, pixel]


def percentiles(values: np.ndarray) -> np.ndarray:
    """Percentage of all galaxies (first axis) with a lower value, of those that have one; NaN for NaN."""
    below = rankdata(values, method="min", axis=0, nan_policy="omit") - 1.0
    count = np.isfinite(values).sum(axis=0)
    return 100.0 * below / np.maximum(count, 1)


def ranks(values: np.ndarray) -> np.ndarray:
    """Rank by value, shape (n,), 0 the highest; what is NaN comes last."""
    rank = np.empty(len(values), np.int32)
    rank[np.argsort(-np.nan_to_num(values, nan=-np.inf), kind="stable")] = np.arange(len(values))
    return rank


def typical_and_highest(values: np.ndarray, n: int) -> np.ndarray:
    """Indices of at most n galaxies: half of them nearest to the median score, then the highest ones, none twice."""
    order = np.argsort(-values, kind="stable")[: np.isfinite(values).sum()]
    n_highest = min((n + 1) // 2, order.size)
    highest, others = order[:n_highest], order[n_highest:]
    if not others.size:
        return highest.astype(np.int32)
    middle = np.argsort(np.abs(values[others] - np.nanmedian(values)), kind="stable")[: n // 2]
    return np.concatenate([others[middle], highest]).astype(np.int32)


def without_model(cubes: LineCubes) -> dict[str, np.ndarray]:
    """The datasets where nothing was trained: galaxies without scores."""
    n, n_line, n_pixel, side, _ = cubes.n, *cubes.shape
    nothing = np.full((n, len(SCORES)), np.nan)
    by_line = np.full((n, len(SCORES), n_line), np.nan)
    return {
        **_names(cubes),
        **dict.fromkeys(("value", "percentile"), nothing),
        **dict.fromkeys(("line_value", "line_percentile"), by_line),
        "rank": np.arange(n, dtype=np.int32),
        "cause": np.zeros(n, np.int32),
        "reason": np.full(n, "no model"),
        "spaxel_score": np.full((n, side, side), np.nan),
        "shown": np.empty(0, np.int32),
        "reconstruction": np.empty((0, n_line, n_pixel, side, side)),
    }


def _names(cubes: LineCubes) -> dict[str, np.ndarray]:
    names = {name: getattr(cubes, name) for name in ("plateifu", "mangaid", "split")}
    return names | {"score": np.array(SCORES), "line": np.array(cubes.line)}


def _blocks(cubes: LineCubes, model: CubeModel, rows: Sequence[int]) -> Iterator[tuple[np.ndarray, Reconstructed]]:
    """Indices, cubes and reconstructions of some galaxies, :data:`BLOCK` at a time."""
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        read = cubes.read(block)
        yield block, Reconstructed(*read, np.nan_to_num(model.reconstruct(read)))


def _judged(cubes: LineCubes, model: CubeModel, expected: ExpectedErrors) -> Judged:
    parts = [
        (scores(block, expected), evidence(block, expected.error), causes.field_spectra(block), _has_data(block))
        for _, block in _blocks(cubes, model, np.arange(cubes.n))
    ]
    of_kind = zip(*parts, strict=True)
    joined = [type(kind[0])(*map(np.concatenate, zip(*kind, strict=True))) for kind in list(of_kind)[:3]]
    return Judged(*joined, np.concatenate([part[3] for part in parts]))


def _has_data(block: Reconstructed) -> np.ndarray:
    return block.valid.any(axis=(2, 3, 4))


def _reason(judged: Judged, i: int, lines: Sequence[str], wave: float, side: int) -> str:
    score = judged.scores.value[i, 0]
    missing = [name for name, some in zip(lines, judged.has_data[i], strict=True) if not some]
    found = Evidence(*(values[i] for values in judged.evidence))
    outstanding = "" if np.isnan(score) else standing_out(judged.scores.measure[i], found, lines, wave, side)
    return reason(score, outstanding, missing)
