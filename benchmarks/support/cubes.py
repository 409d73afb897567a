"""Many line cubes for timings: discs with rotating emission lines and noise, which need no simulator."""

import numpy as np

from mangrove.models.convlstm.copies import Copy, draw_copies
from mangrove.models.convlstm.cubes import Cubes
from mangrove.models.convlstm.design import CubeDesign
from mangrove.models.convlstm.principal_components import PrincipalComponents
from mangrove.models.training.rows import DeviceRows, Shared

SIDE, _ERROR = 32, 0.05


def line_cubes(n: int, n_line: int, n_pixel: int, seed: int = 0) -> Cubes:
    """So many cubes of 32 x 32 spaxels, all of them valid."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32) - (SIDE - 1) / 2
    place = np.arange(n_pixel, dtype=np.float32)[:, None, None] - (n_pixel - 1) / 2
    shape = (n, n_line, n_pixel, SIDE, SIDE)
    flux = rng.standard_normal(shape, dtype=np.float32) * np.float32(_ERROR)
    for cube in flux:
        angle, size = rng.uniform(0, 2 * np.pi), rng.uniform(3.0, 9.0)
        light = rng.lognormal() * np.exp(-np.hypot(y, x) / size)
        shift = 0.5 * np.tanh((np.cos(angle) * x + np.sin(angle) * y) / size)
        strength = rng.exponential(size=(n_line, 1, 1, 1)).astype(np.float32)
        cube += light * (0.3 + strength * np.exp(-0.5 * (place - shift) ** 2))
    return Cubes(flux, np.full(shape, 1 / _ERROR**2, np.float32), np.ones(shape, bool))


def directions(design: CubeDesign, seed: int = 0) -> PrincipalComponents:
    """Random directions in place of the principal components of a design: they take the same time and memory."""
    component = np.random.default_rng(seed).standard_normal((design.n_component, *design.shape), dtype=np.float32)
    component /= np.float32(design.n_value**0.5)
    return PrincipalComponents(np.zeros(design.shape, np.float32), component, np.ones(design.n_component, np.float32))


def copied_rows(cubes: Cubes, copies: int) -> DeviceRows:
    """Rows of the training: each cube and so many copies of it."""
    n = len(cubes.flux)
    drawn = draw_copies(np.arange(n).astype(str), copies, 5, 1.0, 1)
    index = np.repeat(np.arange(n, dtype=np.int32), 1 + copies)
    own = {name: getattr(drawn, name).reshape(-1) for name in Copy._fields}
    return DeviceRows({name: Shared(values, index) for name, values in cubes._asdict().items()} | own)


def plain_rows(cubes: Cubes) -> DeviceRows:
    """Rows of the validation: the cubes as they are."""
    return DeviceRows({"flux": cubes.flux, "valid": cubes.valid})
