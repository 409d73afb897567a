"""Small line cubes and autoencoders of them, on their first weights: for tests without a training."""

import numpy as np
from attributes import attributes_of

from mangrove import artefacts
from mangrove.codes import Split
from mangrove.models.convlstm.copies import draw_copies
from mangrove.models.convlstm.cubes import Cubes
from mangrove.models.convlstm.design import CubeDesign
from mangrove.models.convlstm.model import CubeModel
from mangrove.models.convlstm.network import CubeNetwork
from mangrove.physics.lines import window_lines

LINES = ("Hbeta_4863", "OIII_5008", "Halpha_6565")
N_LINE, N_PIXEL, SIDE = len(LINES), 4, 8


def small_cubes(n=6, n_line=N_LINE, n_pixel=N_PIXEL, side=SIDE, seed=0) -> Cubes:
    """Galaxies with a disc, lines of several strengths and a rotation; a corner of each is outside the field."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    angle, amplitude = rng.uniform(0, np.pi, n), 10 ** rng.normal(0, 0.4, n)
    size, strength = rng.uniform(1.0, 2.5, n), rng.uniform(0.3, 2.0, (n, n_line))
    along = np.cos(angle)[:, None, None] * x + np.sin(angle)[:, None, None] * y
    light = np.exp(-np.hypot(y, x) / size[:, None, None])
    place = np.arange(n_pixel)[:, None, None] - (n_pixel - 1) / 2
    profile = np.exp(-0.5 * (place - np.tanh(along)[:, None]) ** 2)
    lines = light[:, None, None] * (0.2 + strength[..., None, None, None] * profile[:, None])
    error = 0.02 * amplitude[:, None, None, None, None]
    flux = amplitude[:, None, None, None, None] * lines + error * rng.normal(size=lines.shape)
    valid = np.ones(flux.shape, bool)
    valid[..., -1, -2:] = False
    ivar = np.where(valid, 1.0 / error**2, 0.0)
    return Cubes(np.where(valid, flux, 0.0).astype(np.float32), ivar.astype(np.float32), valid)


def small_design(network="ae", **options) -> CubeDesign:
    """A tiny network for :func:`small_cubes`."""
    sizes = {"latent": 4, "input_filters": (2,), "filters": (2, 3), "dense": 5, "slice_code": 3}
    shape = {"n_line": N_LINE, "n_pixel": N_PIXEL, "side": SIDE}
    return CubeDesign(network, **(shape | sizes | options))


def small_autoencoder(network="ae", seed=1, lines=LINES, **options) -> CubeModel:
    """An untrained autoencoder of :func:`small_cubes`, or of other shapes given as options of the design."""
    design = small_design(network, **options)
    return CubeModel(design, CubeNetwork(design).first_state(seed), lines)


def write_line_cubes(path, cubes: Cubes, split=None, names=None, lines=LINES):
    """The artefact 'line_cube_set' of cubes; of the split all are for training unless given. Returns the path."""
    n, _, n_pixel, side, _ = cubes.flux.shape
    names = [f"8485-{1901 + i}" for i in range(n)] if names is None else names
    rest = window_lines().wave[[window_lines().index(name) for name in lines]]
    data = {
        **{name: values.astype("i1") if values.dtype == bool else values for name, values in cubes._asdict().items()},
        "plateifu": np.array(names),
        "mangaid": np.array([f"1-{i}" for i in range(n)]),
        "z": np.full(n, 0.03),
        "r_e": np.full(n, 3.0),
        "pixel_scale": np.full(n, 0.5),
        "centre_in_field": np.ones(n, "i1"),
        "split": np.full(n, Split.TRAIN) if split is None else np.asarray(split),
        "line": np.array(lines),
        "window_wave": 1.03 * rest[None, :, None] + np.arange(n_pixel)[None, None] + np.zeros((n, 1, 1)),
        "spaxel_status": np.zeros((n, side, side), "i1"),
    }
    artefacts.write(path, "line_cube_set", data, artefacts.Provenance(), attributes_of("line_cube_set"))
    return path


def write_copies(path, line_cubes, copies=3, max_shift=2, noise_scale=1.0, seed=1):
    """The artefact 'augmentation' of an artefact 'line_cube_set'. Returns the path."""
    cubes = artefacts.read(line_cubes, "line_cube_set", ["plateifu", "mangaid", "split"])
    drawn = draw_copies(cubes["plateifu"], copies, max_shift, noise_scale, seed)
    attrs = attributes_of("augmentation", seed=seed, noise_scale=noise_scale)
    artefacts.write(path, "augmentation", {**cubes.data, **drawn._asdict()}, artefacts.Provenance(), attrs)
    return path
