"""All figures and tables of one of a run's autoencoders of line cubes, from what its rules wrote."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from mangrove import artefacts
from mangrove.artefacts import Artefact
from mangrove.models.training.metrics import read_metrics
from mangrove.report import autoencoder_galaxies, autoencoder_neighbours
from mangrove.report.autoencoder_embedding import components_figure, embedding_figure
from mangrove.report.autoencoder_pictures import Pictures, read_pictures
from mangrove.report.autoencoder_reconstruction import reconstruction_figure, typical_and_extreme
from mangrove.report.autoencoder_sample import Shown, most_anomalous
from mangrove.report.autoencoder_scores import brightness_figure, scores_figure
from mangrove.report.autoencoder_tables import AgnRow, AnomalyRow, agn_rows, anomaly_rows
from mangrove.report.autoencoder_training import training_figure
from mangrove.report.drawing import noted
from mangrove.report.line_images import read_cubes

#: Kinds of the artefacts by the names of the rule's inputs, in the order in which they are made.
_KINDS = {
    "latents": "latents",
    "anomalies": "anomalies",
    "embedding": "latent_embedding",
    "neighbours": "neighbours",
    "agn": "agn",
}


class AutoencoderRun:
    """What the figures of one network show.

    Parameters
    ----------
    paths : object
        With the artefacts of the rule's inputs, ``metrics`` (JSON lines) and ``labels`` (empty without) as attributes.
    keep_best : bool
        Whether the epoch of the lowest validation loss was kept.
    extracts : path
        Folder of the artefacts 'extract', named after their galaxies; empty in a run without baxels.

    Raises
    ------
    ArtefactError
        If an artefact is missing or damaged.
    """

    def __init__(self, paths: Any, keep_best: bool, extracts: str):
        self._paths, self._keep_best, self._extracts = paths, keep_best, extracts
        self._read = {name: artefacts.read(getattr(paths, name), kind) for name, kind in _KINDS.items()}

    @property
    def without(self) -> str:
        """Why there is no result; empty where there is."""
        reasons = (self._read[name].attrs["reason"] for name in ("latents", "anomalies") if not self._read[name].ok)
        return next(reasons, "")

    def figures(self) -> dict[str, Callable[[], Figure]]:
        """Functions that draw the figures, by name; where there is no result, they say why."""
        read = self._read
        drawn = {
            "reconstruction": self._reconstruction,
            "scores": lambda: scores_figure(read["anomalies"], read["agn"]),
            "embedding": lambda: embedding_figure(read["anomalies"], read["embedding"], read["agn"]),
            "galaxies": self._galaxies,
            "neighbours": self._neighbours,
            "components": lambda: components_figure(read["latents"], read["embedding"], read["neighbours"]),
            "training": lambda: training_figure(read_metrics(Path(self._paths.metrics)), self._keep_best),
            "brightness": lambda: brightness_figure(read["anomalies"], read["latents"]),
        }
        if self.without:
            return {name: lambda: noted(f"no result: {self.without}") for name in drawn}
        return drawn

    def anomaly_rows(self) -> list[AnomalyRow]:
        """Rows of the table of the most anomalous galaxies."""
        return anomaly_rows(self._read["anomalies"], self._read["agn"])

    def agn_rows(self) -> list[AgnRow]:
        """Rows of the table of active nuclei."""
        return agn_rows(self._read["agn"])

    def _reconstruction(self) -> Figure:
        judged = self._read["anomalies"]
        galaxies = [k for sort in typical_and_extreme(judged) for k in sort]
        return reconstruction_figure(judged, read_cubes(self._paths.line_cube_set, galaxies, judged["line"].tolist()))

    def _galaxies(self) -> Figure:
        judged, agn = self._read["anomalies"], self._read["agn"]
        shown = most_anomalous(judged, agn, autoencoder_galaxies.N_GALAXY)
        names = [str(judged["plateifu"][k]) for k in shown.galaxy]
        classes = autoencoder_galaxies.read_classes(self._paths.labels, names)
        return autoencoder_galaxies.galaxies_figure(judged, agn, shown, self._pictures(set(shown.galaxy)), classes)

    def _neighbours(self) -> Figure:
        judged, agn, near = (self._read[name] for name in ("anomalies", "agn", "neighbours"))
        shown = self._queries
        pictures = self._pictures(autoencoder_neighbours.drawn_galaxies(near, shown))
        return autoencoder_neighbours.neighbours_figure(judged, agn, near, shown, pictures)

    @cached_property
    def _queries(self) -> Shown:
        return most_anomalous(self._read["anomalies"], self._read["agn"], autoencoder_neighbours.N_QUERY)

    def _pictures(self, galaxies: set[int]) -> Pictures:
        judged: Artefact = self._read["anomalies"]
        names = judged["plateifu"].tolist()
        return read_pictures(self._paths.line_cube_set, self._extracts, names, judged["line"].tolist(), galaxies)
