"""The inputs of the emulator (colours, luminosity) of a run's test rows on a map in which neighbours are alike."""

import numpy as np

from mangrove.analysis import embedding
from mangrove.analysis.input_map import InputMap
from mangrove.models.emulator.line_table import StoredTable


def embed_inputs(stored: StoredTable, use_luminosity: bool, seed: int) -> InputMap:
    """The map of the test rows of a table; of all usable rows where the test rows are too few."""
    rows = stored.split.test
    if len(rows) < embedding.LEAST_ROWS:
        rows = np.sort(np.concatenate(stored.split))
    if len(rows) < embedding.LEAST_ROWS:
        reason = f"{len(rows)} rows are too few for a UMAP"
        return InputMap(row=np.empty(0, int), place=np.empty((0, 2), np.float32), reason=reason)
    chosen, place = embedding.umap_coordinates(stored.table.take(rows).features(use_luminosity), seed)
    return InputMap(row=rows[chosen], place=place, reason="")
