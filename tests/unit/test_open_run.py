"""Readers of a run: artefacts that do not belong together, and its map of spectra."""

import numpy as np
import pytest
from attributes import attributes_of
from small_export import BINS, FRAME, N_BAXEL, NAME, STATUS, make_run, random_data
from small_map import write_node_labels

from mangrove import artefacts
from mangrove.api import open_run
from mangrove.data_model import EXTRACT
from mangrove.data_model_desom import DESOM_ASSIGNMENTS, NODE_LABELS
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


def with_map(folder):
    """A run with a map of 2 x 3 nodes, on which five baxels lie, the third on none."""
    make_run(folder)
    node = np.array([0, 4, -1, 5, 5])
    rows = {"galaxy": np.zeros(5), "baxel": np.arange(5), "node": node, "second_node": np.array([1, 5, -1, 4, 2])}
    rows |= {"cut": np.array([0, 2, 3, 0, 0]), "split": np.full(5, 2), "plateifu": np.array([NAME])}
    rows |= {"mangaid": np.array(["1-1"]), "typicality": np.array([0.1, 0.2, np.nan, 0.3, 0.4])}
    data = random_data("desom_assignments", {"row": 5, "plateifu": 1}, **rows)
    attrs = attributes_of("desom_assignments", rows=2, columns=3)
    artefacts.write(folder / DESOM_ASSIGNMENTS.path, "desom_assignments", data, artefacts.Provenance(), attrs)
    write_node_labels(folder / NODE_LABELS.path, rows=2, columns=3)
    return open_run(folder)


def test_places_on_the_map_of_spectra(tmp_path):
    table = with_map(tmp_path / "one").assignments(NAME)
    assert table["row"].tolist() == [1, 2, 0, 2, 2] and table["column"].tolist() == [1, 2, 0, 3, 3]
    assert table["second_row"].tolist() == [1, 2, 0, 2, 1] and table["node"].tolist() == [0, 4, -1, 5, 5]
    assert table["cut"].tolist() == ["kept", "low_snr", "no_normalisation", "kept", "kept"]
    assert set(table["split"]) == {"test"} and table["plateifu"].tolist() == [NAME] * 5
    assert np.isnan(table["typicality"][2]) and table["typicality"][3] == np.float32(0.3)


def test_labels_of_the_nodes(tmp_path):
    run = with_map(tmp_path / "one")
    labels = run.node_labels()
    node = labels.isel(node=4)
    assert (int(node.row), int(node.column)) == (2, 2)
    assert float(node["median"].sel(label="ebv_star")) == pytest.approx(40.5)
    assert float(node.value.sel(label="ebv_star", quantile=0.84)) == pytest.approx(40.84)
    assert str(labels.unit.sel(label="log_age_lw").item()) == "dex(yr)"
    with pytest.raises(ArtefactError, match="the map of spectra has no galaxy '1-1'; it has 1, such as"):
        run.assignments("1-1")


def test_a_run_without_a_map_of_spectra(tmp_path):
    make_run(tmp_path / "one")
    with pytest.raises(ArtefactError, match=r"node_labels\.h5 does not exist"):
        open_run(tmp_path / "one").node_labels()
