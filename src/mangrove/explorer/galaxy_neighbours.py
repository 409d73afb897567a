"""Galaxies that are like one: by the autoencoders of line cubes, and on the map of galaxies."""

from typing import NamedTuple

import numpy as np

from mangrove.errors import ArtefactError
from mangrove.explorer.alike_galaxies import galaxies_alike
from mangrove.explorer.explored_run import ExploredRun
from mangrove.report.autoencoder_sample import NETWORK_TITLE
from mangrove.report.wording import counted

#: Neighbours of each kind that a page shows.
MOST = 8


class Kin(NamedTuple):
    """A galaxy that is like another: its name, and how near it is in words."""

    plateifu: str
    near: str


class KinOf(NamedTuple):
    """Galaxies like one by one measure, nearest first; ``lacks`` says why there are none."""

    title: str
    found: list[Kin]
    lacks: str = ""


def kin_of(run: ExploredRun, plateifu: str) -> list[KinOf]:
    """Neighbours of a galaxy by every measure that the run has."""
    measures = [
        _by_network(run, network, plateifu) for network in NETWORK_TITLE if run.has("neighbours", network=network)
    ]
    return [*measures, _on_map(run, plateifu)] if run.has("galaxy_map_assignments") else measures


def _by_network(run: ExploredRun, network: str, plateifu: str) -> KinOf:
    title = f"{NETWORK_TITLE[network]}: nearest by latents"
    names = run.column("neighbours", "plateifu", network=network)
    place = np.flatnonzero(names == plateifu)
    if not place.size:
        return KinOf(title, [], f"{plateifu} has no line cube.")
    alike = galaxies_alike(run, network, "latent", int(place[0]))
    pairs = zip(names[alike.galaxy[:MOST]].tolist(), alike.distance[:MOST].tolist(), strict=True)
    found = [Kin(name, f"distance {distance:.3g}") for name, distance in pairs]
    return KinOf(title, found, "" if found else f"{plateifu} has no data in the lines of the network.")


def _on_map(run: ExploredRun, plateifu: str) -> KinOf:
    title = "map of galaxies: nearest by steps and common baxels"
    try:
        table = run.results.galaxies_like(plateifu, n=MOST)
    except ArtefactError as error:
        return KinOf(title, [], str(error))
    rows = zip(table["plateifu"], table["steps"], table["overlap"], strict=True)
    return KinOf(
        title,
        [Kin(str(name), f"{counted(int(steps), 'step')}, {100 * shared:.0f} % shared") for name, steps, shared in rows],
    )
