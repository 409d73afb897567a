"""Tables of a whole survey, from the table of all baxels: counts per status, flags of the labels."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from mangrove import artefacts
from mangrove.artefacts import Artefact
from mangrove.codes import Code, FitStatus, LabelFlag, LineStatus, SpaxelStatus, TrainingCut
from mangrove.data_model import LABEL
from mangrove.spectra.labels.shown import is_shown

#: Datasets of the artefact 'labels' that the tables and figures of a survey need.
DATASETS = [
    *("galaxy_status", "galaxy_reason", "n_baxel_of_galaxy", "spaxel_count", "n_spaxel", "status", "snr"),
    *("chi2_reduced", "sigma_star_err", "sigma_gas_err", "line", "line_status", "line_flux", "line_flux_err"),
    *(f"{name}{end}" for name in LABEL for end in ("", "_err", "_flag")),
    "bpt_class",
]

_OK_GALAXY = "has baxels"


class StatusRow(NamedTuple):
    """One row of the table of statuses."""

    what: str
    status: str
    meaning: str
    count: int


def status_table(table: Artefact, training_spectra: str, line_cube_set: str, n_line_cube: int) -> list[StatusRow]:
    """Counts per status of galaxies, spaxels, baxels, lines, training spectra and line cubes.

    Parameters
    ----------
    table : Artefact
        Kind 'labels', with :data:`DATASETS`.
    training_spectra, line_cube_set : path
        Artefacts of the survey.
    n_line_cube : int
        Galaxies of which a line cube was asked for.
    """
    cuts = artefacts.read(training_spectra, "training_spectra", ["candidate_cut"])["candidate_cut"]
    n_cube = len(artefacts.read(line_cube_set, "line_cube_set", ["split"])["split"])
    return [
        *_galaxy_rows(table),
        *_status_rows("spaxel", SpaxelStatus, dict(zip(SpaxelStatus, table["spaxel_count"].sum(axis=0), strict=True))),
        *_status_rows("baxel", FitStatus, _counts(table["status"])),
        *_status_rows("line", LineStatus, _counts(table["line_status"])),
        *_status_rows("training spectrum", TrainingCut, _counts(cuts)),
        StatusRow("line cube", "ok", "in the set of line cubes", n_cube),
        StatusRow("line cube", "all_masked", "no spaxel near the centre has data at any line", n_line_cube - n_cube),
    ]


def flag_table(table: Artefact) -> list[dict[str, str | int]]:
    """Per label the number of baxels without a value, with one in the published limits, and with each flag.

    Parameters
    ----------
    table : Artefact
        Kind 'labels', with :data:`DATASETS`.

    Returns
    -------
    list of dict
        Keys: label, unit, n_baxel, without_value, shown, and the names of the flags.
    """
    rows = []
    for name, (unit, _) in LABEL.items():
        row = {"label": name, "unit": unit, "n_baxel": int(table[name].size)}
        row["without_value"] = int(np.sum(~np.isfinite(table[name])))
        row["shown"] = int(np.sum(is_shown(table.data, name)))
        flag = table[f"{name}_flag"]
        rows.append(row | {bit.word: int(np.sum((flag & np.uint32(bit)) > 0)) for bit in LabelFlag})
    return rows


def _galaxy_rows(table: Artefact) -> list[StatusRow]:
    kinds, counts = np.unique(np.stack([table["galaxy_status"], table["galaxy_reason"]]), axis=1, return_counts=True)
    pairs = zip(*kinds.tolist(), counts.tolist(), strict=True)
    return [StatusRow("galaxy", status, reason or _OK_GALAXY, n) for status, reason, n in pairs]


def _counts(codes) -> dict[int, int]:
    values, counts = np.unique(codes, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _status_rows(what: str, codes: type[Code], counts: Mapping[int, int]) -> list[StatusRow]:
    return [StatusRow(what, code.word, code.meaning, int(counts.get(code, 0))) for code in codes]
