"""The map of spectra of a run as tables and arrays with names, coordinates and units."""

from pathlib import Path

import numpy as np
import xarray as xr
from astropy.table import Table

from mangrove import artefacts
from mangrove.artefacts import Artefact
from mangrove.codes import Split, TrainingCut
from mangrove.data_model_desom import DESOM_ASSIGNMENTS, NODE_LABELS
from mangrove.errors import ArtefactError

_NUMBERS = ("distance", "second_distance", "typicality", "mse", "radius_re", "snr")


def assignments_table(run: Path, plateifu: str | None) -> Table:
    """See :meth:`mangrove.notebook.runs.Run.assignments`."""
    stored = _with_map(run / DESOM_ASSIGNMENTS.path, "desom_assignments")
    rows = _rows(stored, plateifu)
    table = Table({name: stored[name][stored["galaxy"][rows]] for name in ("plateifu", "mangaid")})
    table["baxel"] = stored["baxel"][rows]
    for prefix, name in (("", "node"), ("second_", "second_node")):
        node = stored[name][rows]
        table[name], placed = node, node >= 0
        for part, place in zip(("row", "column"), np.divmod(node, stored.attrs["columns"]), strict=True):
            table[f"{prefix}{part}"] = np.where(placed, place + 1, 0)
    for name in _NUMBERS:
        table[name] = stored[name][rows]
        table[name].description = DESOM_ASSIGNMENTS.fields[name].meaning
    for name, codes in (("split", Split), ("cut", TrainingCut)):
        table[name] = np.array([codes(code).word for code in stored[name][rows]], dtype=str)
    return table


def node_labels_dataset(run: Path) -> xr.Dataset:
    """See :meth:`mangrove.notebook.runs.Run.node_labels`."""
    stored = _with_map(run / NODE_LABELS.path, "node_labels")
    fields = {name: field for name, field in NODE_LABELS.fields.items() if name in stored.data}
    coordinates = {
        "row": ("node", stored["node_row"] + 1),
        "column": ("node", stored["node_column"] + 1),
        "label": stored["label"],
        "unit": ("label", stored["label_unit"]),
        "quantile": stored["quantile"],
    }
    variables = {
        name: (field.dims, stored[name], {"long_name": field.meaning})
        for name, field in fields.items()
        if "label" in field.dims and len(field.dims) > 1
    }
    return xr.Dataset(variables, coordinates, {name: stored.attrs[name] for name in ("rows", "columns", "min_baxels")})


def _with_map(path: Path, kind: str) -> Artefact:
    stored = artefacts.read(path, kind)
    if not stored.ok:
        raise ArtefactError(f"{path} holds no map of spectra: {stored.attrs['reason']}.")
    return stored


def _rows(stored: Artefact, plateifu: str | None) -> np.ndarray | slice:
    if plateifu is None:
        return slice(None)
    names = stored["plateifu"].tolist()
    if plateifu not in names:
        raise ArtefactError(
            f"the map of spectra has no galaxy '{plateifu}'; it has {len(names)}, such as {', '.join(names[:5])}."
        )
    return np.flatnonzero(stored["galaxy"] == names.index(plateifu))
