"""The principal components that autoencoders of line cubes are compared with: artefact 'line_cube_components'."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mangrove import artefacts
from mangrove.codes import Split
from mangrove.models.convlstm.cubes import LineCubes
from mangrove.models.convlstm.design import SCALED
from mangrove.models.convlstm.flips import N_DIHEDRAL
from mangrove.models.convlstm.principal_components import PrincipalComponents, principal_components
from mangrove.validation.line_cube_baselines import ComponentModel

#: How many flips and turns of each training cube the components are of. Those of all eight are what a network starts
#: from; those of the cubes as they are are what is usually meant by principal components of a sample.
BASELINES = {"pca": 1, "pca_turned": N_DIHEDRAL}


def fit_components(line_cube_set, params: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Datasets and attributes of the artefact: components of the training cubes over their mean absolute flux.

    Parameters
    ----------
    line_cube_set : path-like
        Artefact 'line_cube_set'; its training galaxies alone are used, as by the networks.
    params : mapping
        lines (all if empty), n_component, at most, and seed.

    Raises
    ------
    ArtefactError
        If it is missing, damaged or of another kind.
    ModelError
        If it lacks a line.
    """
    cubes, most = LineCubes.open(line_cube_set, params["lines"]), params["n_component"]
    rows = np.flatnonzero(cubes.split == Split.TRAIN)
    found = [
        _filled(principal_components(cubes, rows, SCALED, most, params["seed"], n_turn=n), most)
        for n in BASELINES.values()
    ]
    data = {
        "baseline": np.array(list(BASELINES)),
        "line": np.array(cubes.line),
        "mean": np.stack([one.mean for one in found]),
        "direction": np.stack([one.component for one in found]),
        "deviation": np.stack([one.deviation for one in found]),
    }
    if data["deviation"].any():
        return data, {"status": "ok", "reason": ""}
    reason = "the training galaxies do not differ in these lines, or there is none with data"
    return data, {"status": "empty", "reason": reason}


def component_models(path) -> dict[str, ComponentModel]:
    """The baselines of the artefact 'line_cube_components', by name.

    Raises
    ------
    ArtefactError
        If it is missing, damaged or of another kind.
    """
    stored = artefacts.read(path, "line_cube_components", ["baseline", "mean", "direction"])
    names = stored["baseline"].tolist()
    return {name: ComponentModel(stored["mean"][i], stored["direction"][i]) for i, name in enumerate(names)}


def _filled(components: PrincipalComponents, most: int) -> PrincipalComponents:
    """Directions and deviations that the sample does not have are 0."""
    missing = most - len(components.deviation)
    direction = np.pad(components.component, ((0, missing), *[(0, 0)] * 4))
    return components._replace(component=direction, deviation=np.pad(components.deviation, (0, missing)))
