"""Readers of a run whose artefacts do not belong together."""

import numpy as np
import pytest
from attributes import attributes_of
from small_export import BINS, FRAME, N_BAXEL, NAME, STATUS, make_run, random_data

from mangrove import artefacts
from mangrove.api import open_run
from mangrove.data_model import EXTRACT
from mangrove.errors import ArtefactError


def test_a_map_of_labels_on_bins_made_anew(tmp_path):
    """As many baxels in other places: the values would be right and their places wrong."""
    make_run(tmp_path / "one")
    assert open_run(tmp_path / "one").map(NAME, "v_star").shape == BINS.shape
    other = np.where(BINS >= 0, N_BAXEL - 1 - BINS, -1)
    sizes = {"baxel": N_BAXEL, "spaxel_y": BINS.shape[0], "spaxel_x": BINS.shape[1]}
    data = random_data("extract", sizes, bin_id=other, spaxel_status=STATUS)
    attrs = attributes_of("extract", plateifu=NAME, wcs=FRAME.to_header_string())
    path = tmp_path / "one" / EXTRACT.path.format(plateifu=NAME)
    artefacts.write(path, "extract", data, artefacts.Provenance(), attrs)
    run = open_run(tmp_path / "one")
    for read in (lambda: run.map(NAME, "v_star"), lambda: run.spectrum(NAME, 0)):
        with pytest.raises(ArtefactError, match=rf"fit/{NAME}.h5 was made from another version of .*extract/{NAME}.h5"):
            read()
