"""Which galaxies the figures of the autoencoders show, and how they name them and their active nuclei."""

from typing import NamedTuple

import numpy as np

from mangrove.artefacts import Artefact
from mangrove.codes import AnomalyCause
from mangrove.report.colours import BLUE, GREEN, ORANGE, RED
from mangrove.report.wording import FLUX_UNIT, counted, plain
from mangrove.survey.galaxy import AGN_FLAGS


class AgnClass(NamedTuple):
    """How active nuclei of one flag are named and drawn: word, colour, marker, size of the marker in points."""

    word: str
    colour: str
    marker: str
    size: float


#: By the flags of the sample sheet. Sizes differ, so that a galaxy of several classes shows all of them.
AGN_CLASSES = dict(
    zip(
        AGN_FLAGS,
        (
            AgnClass("infrared", RED, "o", 5.0),
            AgnClass("X-ray", BLUE, "s", 7.5),
            AgnClass("radio", GREEN, "^", 9.5),
            AgnClass("broad lines", ORANGE, "D", 11.5),
        ),
        strict=True,
    )
)
#: The networks for readers.
NETWORK_TITLE = {"ae": "autoencoder (ae)", "vae": "variational autoencoder (vae)"}
#: Units of the scores that have one (:mod:`mangrove.analysis.anomaly_scores`).
_SCORE_UNITS = {"relative": "standard deviations", "published": f"{FLUX_UNIT} Å$^{{-1}}$ spaxel$^{{-1}}$"}
#: Digits of a score.
SCORE_FORMAT = ".3g"


class Shown(NamedTuple):
    """Galaxies of a figure: their indices in the line cubes, and how many of them, the first ones, are active."""

    galaxy: list[int]
    n_agn: int

    @property
    def words(self) -> str:
        """What they are, for a title."""
        other = len(self.galaxy) - self.n_agn
        active = (
            f"the {counted(self.n_agn, 'most anomalous AGN', 'most anomalous AGN')}"
            if self.n_agn > 1
            else "the only AGN"
        )
        others = f"the {counted(other, 'most anomalous galaxy', 'most anomalous galaxies')}"
        if not self.galaxy:
            return "no galaxy has a score"
        if not self.n_agn:
            return f"no AGN known among the galaxies: {others} instead"
        return f"{active}, and {others} without a known AGN" if other else active


def most_anomalous(judged: Artefact, agn: Artefact, n: int) -> Shown:
    """The most anomalous AGN, filled up with the most anomalous of the other galaxies where there are fewer than ``n``.

    Parameters
    ----------
    judged, agn : Artefact
        'anomalies' and 'agn'.
    """
    order = by_rank(judged)
    scored = set(order)
    active = [k for k in agn["galaxy"].tolist() if k in scored]
    others = [k for k in order if k not in set(active)]
    n_agn = min(n, len(active))
    return Shown(active[:n_agn] + others[: n - n_agn], n_agn)


def by_rank(judged: Artefact) -> list[int]:
    """Indices of the galaxies that have a score, the most anomalous first."""
    order = np.argsort(judged["rank"], kind="stable")
    return [int(k) for k in order if np.isfinite(judged["value"][k, 0])]


def classes_of(agn: Artefact, galaxy: int) -> list[str]:
    """Flags by which a galaxy is active; none if it is not in the table 'agn'."""
    rows = np.flatnonzero(agn["galaxy"] == galaxy)
    return [flag for flag in AGN_CLASSES if rows.size and agn[flag][rows[0]] == 1]


def agn_words(agn: Artefact, galaxy: int) -> str:
    """The classes of an active nucleus in words: 'AGN: infrared, radio'; 'no known AGN' without."""
    found = [AGN_CLASSES[flag].word for flag in classes_of(agn, galaxy)]
    return f"AGN: {', '.join(found)}" if found else "no known AGN"


def causes(value: int) -> str:
    """Causes other than the galaxy, in words; empty without."""
    return AnomalyCause(int(value)).words.replace("_", " ")


def heading(judged: Artefact, galaxy: int) -> str:
    """Name of a galaxy, its recommended score with the percentile."""
    score, percentile = judged["value"][galaxy, 0], judged["percentile"][galaxy, 0]
    return f"{judged['plateifu'][galaxy]}    score {score:{SCORE_FORMAT}}, percentile {plain(percentile, 0)}"


def score_title(name: str) -> str:
    """A score as an axis names it, with its unit."""
    unit = _SCORE_UNITS.get(name, "")
    return f"score '{name.replace('_', ' ')}'" + (f" ({unit})" if unit else "")


def run_title(judged: Artefact) -> str:
    """The network and the number of its galaxies, for the title of a figure."""
    network = judged.attrs["network"]
    return f"{NETWORK_TITLE.get(network, network)}, {counted(len(judged['plateifu']), 'galaxy', 'galaxies')}"
