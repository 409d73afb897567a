"""All figures of a run's map of galaxies, and the table of its repeats, from what its rules wrote."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from mangrove import artefacts
from mangrove.models.training.metrics import read_metrics
from mangrove.report import galaxy_map
from mangrove.report.drawing import noted
from mangrove.report.galaxy_images import read_extracts
from mangrove.report.galaxy_map_nodes import chosen_nodes, members, nodes_figure
from mangrove.report.galaxy_map_repeats import RepeatRow, repeat_rows
from mangrove.report.map_training import Cooling, training_figure
from mangrove.report.node_places import places_of

#: The figures by name.
NAMES = ("images", "prototypes", "occupation", "catalogue", "nodes", "training")


def run_figures(paths, params: Mapping[str, Any]) -> dict[str, Callable[[], Figure]]:
    """Functions that draw the figures of a run's map of galaxies, by name; where there is no map, they say why.

    Parameters
    ----------
    paths : object
        With the artefacts ``fingerprints``, ``assignments``, ``map`` and ``extracts`` (a list) and ``metrics`` (JSON
        lines) as attributes.
    params : mapping
        gamma, temperature_start, temperature_end, cooling_iterations.

    Raises
    ------
    ArtefactError
        If one of them is missing or damaged.
    """
    nodes = artefacts.read(paths.map, "galaxy_map")
    if not nodes.ok:
        return {name: lambda: noted(f"no map of galaxies: {nodes.attrs['reason']}") for name in NAMES}
    assigned = artefacts.read(paths.assignments, "galaxy_map_assignments")
    prints = artefacts.read(paths.fingerprints, "fingerprints")
    chosen = chosen_nodes(nodes["n_galaxy"].sum(axis=1), places_of(nodes))
    shown = {*nodes["example"], *(prints["plateifu"][k] for node in chosen for k in members(assigned, node))}
    extracts = read_extracts(paths.extracts, sorted(map(str, shown)))
    return {
        "images": lambda: galaxy_map.images_figure(nodes, extracts),
        "prototypes": lambda: galaxy_map.prototypes_figure(nodes, assigned, prints),
        "occupation": lambda: galaxy_map.occupation_figure(nodes, assigned),
        "catalogue": lambda: galaxy_map.catalogue_figure(nodes, assigned, prints),
        "nodes": lambda: nodes_figure(nodes, assigned, prints, extracts),
        "training": lambda: _training(Path(paths.metrics), params),
    }


def run_repeats(paths) -> list[RepeatRow]:
    """The repeats of a run, from the artefacts of :func:`run_figures`; none without a map."""
    prints = artefacts.read(paths.fingerprints, "fingerprints", ["counts", "n_baxel", "node_row", "node_column"])
    nodes = artefacts.read(paths.map, "galaxy_map", ["node_row", "node_column"])
    return repeat_rows(artefacts.read(paths.assignments, "galaxy_map_assignments"), prints, nodes)


def _training(metrics: Path, params: Mapping[str, Any]) -> Figure:
    names = ("temperature_start", "temperature_end", "cooling_iterations")
    return training_figure(read_metrics(metrics), params["gamma"], Cooling(*(params[name] for name in names)))
