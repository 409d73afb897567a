"""What the emulator makes of a simulated survey's baxels: quality on the test rows, and a map of its inputs.

Where the test rows are too few for a map, as in a run of a dozen galaxies, all rows count as such.
Predicted and measured asinh(EW) differ by a normal residual of 0.15 in all lines. The map that stands in for UMAP has the
colour of the continuum along it and the brightness across.
"""

import numpy as np
from scipy.special import ndtr
from support.survey_tables import EMULATOR, Survey

from mangrove import artefacts
from mangrove.analysis.embedding import LEAST_ROWS, MOST_ROWS
from mangrove.codes import Split
from mangrove.models.emulator.emission_lines import LINES
from mangrove.validation.emulator_quality import Evaluation, quality_table
from mangrove.validation.emulator_record import datasets

_RESIDUAL = 0.15


def write_emulator(survey: Survey) -> None:
    """Write the artefacts 'emulator_quality' and 'emulator_embedding'; the table must be there."""
    path, rng = survey.path("emulator_table"), survey.random(EMULATOR)
    table = artefacts.read(path, "emulator_table", ["split", "identifier", "flux_bins", "ew"])
    known = np.isfinite(table["flux_bins"]).all(axis=1)
    test = np.flatnonzero((table["split"] == Split.TEST) & known)
    test = test if test.size >= LEAST_ROWS else np.flatnonzero(known)
    identifier, flux = table["identifier"][test], table["flux_bins"][test].astype(float)
    colour = np.log10(flux[:, 1] / flux[:, 0])
    result = _evaluation(np.arcsinh(table["ew"][test]), colour, rng)
    quality = datasets(result, quality_table(result, seed=survey.seed), identifier, test)
    survey.write("emulator_quality", quality, {}, [path])
    chosen = rng.permutation(test.size)[:MOST_ROWS]
    place = np.stack([20.0 * colour, 2.0 * np.log10(flux.mean(axis=1))], axis=1)[chosen]
    embedding = {
        "row": test[chosen],
        "identifier": identifier[chosen],
        "split": table["split"][test[chosen]],
        "place": place + 0.1 * rng.standard_normal(place.shape),
    }
    survey.write("emulator_embedding", embedding, {}, [path])


def _evaluation(measured: np.ndarray, colour: np.ndarray, rng: np.random.Generator) -> Evaluation:
    """Predictions beside measurements, asinh(EW), shape (n, n_line)."""
    residual = _RESIDUAL * rng.standard_normal(measured.shape)
    return Evaluation(
        lines=LINES,
        measured=measured,
        predicted=measured - residual,
        intrinsic_median=measured - residual,
        predictive_draw=measured - residual + _RESIDUAL * rng.standard_normal(measured.shape),
        pit=ndtr(residual / _RESIDUAL),
        luminosity=colour,
    )
