"""Tables of an autoencoder's anomalies: the most anomalous galaxies with the reasons, and the active nuclei."""

from typing import NamedTuple

from mangrove.artefacts import Artefact
from mangrove.codes import BptClass, Split
from mangrove.report.autoencoder_sample import AGN_CLASSES, by_rank, causes
from mangrove.report.wording import in_words

#: Rows of the table of galaxies.
N_GALAXY = 100


class AnomalyRow(NamedTuple):
    """A galaxy: its rank from 1, recommended score with the percentage of galaxies below, and why."""

    rank: int
    plateifu: str
    mangaid: str
    split: str
    score: float
    percentile: float
    agn: str
    causes: str
    reason: str


class AgnRow(NamedTuple):
    """An active nucleus: its classes, recommended score with percentile, neighbours in the latents, place in the BPT diagram."""

    plateifu: str
    classes: str
    radio_class: str
    score: float
    percentile: float
    neighbours: str
    log_nii_ha: float
    log_oiii_hb: float
    bpt_class: str


def anomaly_rows(judged: Artefact, agn: Artefact) -> list[AnomalyRow]:
    """The most anomalous galaxies, from the artefacts 'anomalies' and 'agn'."""
    active = {int(k): row.classes for k, row in zip(agn["galaxy"], agn_rows(agn), strict=True)}
    return [
        AnomalyRow(
            rank,
            str(judged["plateifu"][k]),
            str(judged["mangaid"][k]),
            in_words(Split(judged["split"][k])),
            float(judged["value"][k, 0]),
            float(judged["percentile"][k, 0]),
            active.get(k, ""),
            causes(judged["cause"][k]),
            str(judged["reason"][k]),
        )
        for rank, k in enumerate(by_rank(judged)[:N_GALAXY], start=1)
    ]


def agn_rows(agn: Artefact) -> list[AgnRow]:
    """Every active nucleus of the artefact 'agn', the most anomalous first."""
    return [
        AgnRow(
            str(agn["plateifu"][k]),
            ", ".join(kind.word for flag, kind in AGN_CLASSES.items() if agn[flag][k] == 1),
            str(agn["radio_class"][k]),
            float(agn["value"][k, 0]),
            float(agn["percentile"][k, 0]),
            " ".join(filter(None, agn["neighbour_name"][k].tolist())),
            float(agn["log_nii_ha"][k]),
            float(agn["log_oiii_hb"][k]),
            in_words(BptClass(agn["bpt_class"][k])),
        )
        for k in range(len(agn["galaxy"]))
    ]
