"""Small artefacts 'line_cube_set' for tests that need one, whatever is in it."""

import numpy as np


def empty_cubes(names, n_line=1, n_pixel=2, size=4):
    """The datasets: galaxies by name, cubes without data."""
    n, shape = len(names), (n_line, n_pixel)
    data = {name: np.zeros((n, *shape, size, size)) for name in ("flux", "ivar", "valid")}
    data |= {name: np.zeros(n) for name in ("z", "split", "r_e", "centre_in_field")} | {"pixel_scale": np.full(n, 0.5)}
    data |= {"plateifu": np.array(names), "mangaid": np.array(names), "line": np.array([*"abcdefg"][:n_line])}
    return data | {"window_wave": np.zeros((n, *shape)), "spaxel_status": np.ones((n, size, size))}
