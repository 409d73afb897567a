"""The unusual galaxies of the simulated survey of cubes among the anomalies of a run."""

from typing import NamedTuple

from mangrove.artefacts import Artefact
from mangrove.survey.simulation.design import design_galaxy
from mangrove.survey.simulation.line_cube_survey import ANOMALIES


class PlantedRow(NamedTuple):
    """A score of an unusual galaxy, and the percentage of all galaxies with a lower one."""

    plateifu: str
    anomaly: str
    score: str
    value: float
    percentile: float


def planted_rows(anomalies: Artefact, seed: int) -> list[PlantedRow]:
    """Rows by galaxy and score of the galaxies that the survey's design made unusual, none if the run has none.

    Parameters
    ----------
    anomalies : Artefact
        Of kind 'anomalies': plateifu, score, value, percentile.
    seed : int
        That of the run.
    """
    rows = []
    for i, name in enumerate(anomalies["plateifu"].tolist()):
        galaxy = design_galaxy(name, seed)
        planted = [word for word in (galaxy.role, galaxy.kind) if word in ANOMALIES]
        for s, score in enumerate(anomalies["score"].tolist() if planted else []):
            values = float(anomalies["value"][i, s]), float(anomalies["percentile"][i, s])
            rows.append(PlantedRow(name, planted[0], score, *values))
    return rows
