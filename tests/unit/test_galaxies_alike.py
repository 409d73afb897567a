"""What a notebook learns of a galaxy's fingerprint and of galaxies like it."""

import numpy as np
import pytest
from attributes import attributes_of
from small_export import random_data
from small_galaxy_map import write_galaxy_map

from mangrove import artefacts
from mangrove.api import open_run
from mangrove.data_model import LABELS
from mangrove.errors import ArtefactError

NAMES = ["8485-1901", "8485-1902", "8485-1903", "8485-1904", "8485-1905"]
#: Two galaxies on neighbouring nodes share half or a quarter of the baxels of the first; one lies two steps away.
COUNTS = np.zeros((5, 12), int)
COUNTS[0, 5:7], COUNTS[1, 5:9], COUNTS[2, [5, 7]], COUNTS[3, 5:7] = 10, 3, [1, 3], 20


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    given = {"plateifu": np.array([*NAMES, "8485-1906"]), "n_baxel_of_galaxy": np.zeros(6, int)}
    labels = random_data("labels", {"plateifu": 6, "row": 0}, **given)
    artefacts.write(folder / LABELS.path, "labels", labels, artefacts.Provenance(), attributes_of("labels"))
    write_galaxy_map(folder, NAMES, [0, 1, 4, 2, -1], COUNTS)
    return open_run(folder)


def test_a_fingerprint_has_the_places_of_the_map(run):
    found = run.fingerprint("8485-1902")
    # Node 6 of 3 x 4 is column 3 of row 2.
    assert found.counts.sel(row=2, column=3) == 3 and found.counts.sel(row=1).sum() == 0
    assert found.attrs["n_baxel"] == 12 and found.sizes == {"row": 3, "column": 4}


def test_galaxies_alike_are_near_on_the_map_and_share_baxels(run):
    found = run.galaxies_like("8485-1901")
    assert found["plateifu"].tolist() == ["8485-1902", "8485-1903", "8485-1904"]
    assert found["steps"].tolist() == [1, 1, 2] and found["overlap"].tolist() == [0.5, 0.25, 1.0]
    assert (found["column"][1], found["row"][1]) == (2, 2)
    assert len(run.galaxies_like("8485-1901", n=1)) == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("8485-1905", "has no fingerprint to compare"),
        ("8485-1906", "not in the sample of the maps"),
        ("1-1", "has no galaxy '1-1'"),
    ],
)
def test_galaxies_without_a_node_are_named(run, name, message):
    with pytest.raises(ArtefactError, match=message):
        run.galaxies_like(name)
