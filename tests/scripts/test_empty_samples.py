"""A system whose sample has no galaxy gets an empty artefact with the reason, and the report stands."""

import numpy as np
import pytest

from mangrove import artefacts
from mangrove.config_files import validate
from mangrove.physics.lines import window_lines

CONFIG = validate({"run": "none"})


@pytest.fixture
def empty(script, Params, tmp_path):
    """Paths of the merged artefacts of a survey without galaxies."""
    paths = Params({key: str(tmp_path / f"{key}.h5") for key in ("labels", "training_spectra", "line_cube_set")})
    sides = CONFIG.split.model_dump() | {"seed": CONFIG.split_seed}
    spectra = Params(CONFIG.training_spectra.model_dump() | CONFIG.preprocessing.model_dump() | sides)
    cubes = Params(size=8, window_pixels=10, **sides)
    script("training_spectra").main(Params(extracts=[]), paths, spectra)
    script("line_cube_set").main(Params(line_cubes=[]), paths, cubes)
    return paths


def test_no_galaxy_for_the_training_spectra(empty):
    found = artefacts.read(empty.training_spectra, "training_spectra")
    assert (found.attrs["status"], found.attrs["reason"]) == ("empty", "no baxel passes the cuts")
    assert found["flux"].shape == (0, CONFIG.training_spectra.n_wave) and found["plateifu"].size == 0


def test_no_galaxy_for_the_line_cubes(empty):
    found = artefacts.read(empty.line_cube_set, "line_cube_set")
    assert (found.attrs["status"], found.attrs["reason"]) == ("empty", "no galaxy has a line cube")
    n_line = len(window_lines().name)
    assert found["flux"].shape == (0, n_line, 10, 8, 8)
    assert np.array_equal(found["line"], window_lines().name)
