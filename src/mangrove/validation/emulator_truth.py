"""The emulator of a simulated survey against the truth of its baxels."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mangrove import artefacts
from mangrove.artefacts import Artefact
from mangrove.models.emulator.emission_lines import PARTS
from mangrove.validation.baxel_truth import weighted_mean
from mangrove.validation.comparison import spearman
from mangrove.validation.emulator_record import read

#: Fewer galaxies than this give no verdict: baxels of one galaxy share its strength of the lines.
FEW_GALAXIES = 20


class TrueWidthRow(NamedTuple):
    """A line: Spearman correlations with the true EW over the test baxels.

    ``rho_intrinsic`` is of the emulator's median, ``rho_predicted`` of its EW as listed, ``rho_fit`` of the fits themselves.
    """

    line: str
    n_baxel: int
    n_galaxy: int
    rho_intrinsic: float
    rho_predicted: float
    rho_fit: float
    verdict: str


def compare(table_path, quality_path, extracts: Sequence, truths: Sequence) -> list[TrueWidthRow]:
    """Rows of the table of a run; none where nothing was trained.

    Parameters
    ----------
    table_path, quality_path : path-like
        The artefacts 'emulator_table' and 'emulator_quality'.
    extracts, truths : sequence of path-like
        The artefacts 'extract' and 'truth' of the same galaxies; the first are named after these.
    """
    record = read(quality_path)
    if record.reason:
        return []
    table = artefacts.read(table_path, "emulator_table", ["plateifu", "baxel"])
    galaxy, baxel = (table[name][record.table_row] for name in ("plateifu", "baxel"))
    result = record.result
    true = np.full(result.predicted.shape, np.nan)
    for extract_path, truth_path in zip(extracts, truths, strict=True):
        rows = np.flatnonzero(galaxy == Path(extract_path).stem)
        if rows.size:
            extract = artefacts.read(extract_path, "extract", ["bin_id", "snr"])
            truth = artefacts.read(truth_path, "truth", ["line", "line_flux", "line_ew"])
            true[rows] = baxel_widths(extract, truth, result.lines)[baxel[rows]]
    return truth_table(result.lines, np.arcsinh(true), result._asdict(), galaxy)


def baxel_widths(extract: Artefact, truth: Artefact, lines: Sequence[str]) -> np.ndarray:
    """True EW of the baxels of a galaxy, Angstrom, rest frame, shape (n_baxel, n_line).

    Parameters
    ----------
    extract : Artefact
        With bin_id and snr.
    truth : Artefact
        With line, line_flux and line_ew.
    lines : sequence of str
        Of the emulator.
    """
    inside = extract["bin_id"] >= 0
    bins, n = extract["bin_id"][inside], len(extract["snr"])
    names = [str(name) for name in truth["line"]]
    columns = []
    for line in lines:
        ew = np.zeros(n)
        for part in PARTS[line]:
            flux, width = (truth[name][names.index(part)][inside].astype(float) for name in ("line_flux", "line_ew"))
            # The continuum at the line; a mean of EW weighted by it is flux over continuum of the whole baxel.
            continuum = np.divide(flux, width, out=np.zeros_like(flux), where=width > 0)
            ew += weighted_mean(bins, n, continuum, width)
        columns.append(ew)
    return np.column_stack(columns)


def truth_table(
    lines: Sequence[str], true: np.ndarray, predictions: Mapping[str, np.ndarray], galaxy: np.ndarray
) -> list[TrueWidthRow]:
    """Rows of the table.

    Parameters
    ----------
    true : ndarray, shape (n, n_line)
        True asinh(EW) of the test baxels.
    predictions : mapping of str to ndarray, shape (n, n_line)
        ``intrinsic_median``, ``predicted`` and ``measured``.
    galaxy : ndarray of str, shape (n,)
    """
    n_galaxy = np.unique(galaxy).size
    verdict = f"none: {n_galaxy} galaxies" if n_galaxy < FEW_GALAXIES else ""
    rows = []
    for i, line in enumerate(lines):
        row = TrueWidthRow(
            line=line,
            n_baxel=int(np.isfinite(true[:, i]).sum()),
            n_galaxy=n_galaxy,
            rho_intrinsic=spearman(true[:, i], predictions["intrinsic_median"][:, i]),
            rho_predicted=spearman(true[:, i], predictions["predicted"][:, i]),
            rho_fit=spearman(true[:, i], predictions["measured"][:, i]),
            verdict=verdict,
        )
        rows.append(row)
    return rows
