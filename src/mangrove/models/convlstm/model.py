"""A trained autoencoder of line cubes: latents, reconstructions, and its folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

from mangrove.errors import ModelError
from mangrove.models.convlstm.cubes import Cubes
from mangrove.models.convlstm.design import CubeDesign
from mangrove.models.convlstm.network import CubeNetwork, Encoded
from mangrove.models.training import model_folder

#: Cubes that are computed at a time.
_BLOCK = 16


class CubeModel:
    """A trained autoencoder.

    Parameters
    ----------
    design : CubeDesign
    state : nnx.State
        Its weights.
    lines : sequence of str
        Names of the lines of its cubes, in their order.
    training : mapping, optional
        How it was trained and from what, plain values.
    """

    def __init__(
        self, design: CubeDesign, state: nnx.State, lines: Sequence[str], training: Mapping[str, Any] | None = None
    ) -> None:
        self.design, self.lines, self.state, self._training = design, tuple(lines), state, dict(training or {})
        network = CubeNetwork(design)
        self._encode = jax.jit(network.encode)
        self._decode = jax.jit(network.decode)

    @property
    def network(self) -> str:
        """ae or vae."""
        return self.design.network

    @property
    def description(self) -> dict[str, Any]:
        """The plain values of ``model.json``."""
        return {"design": self.design.plain(), "lines": list(self.lines), "training": self._training}

    def encode(self, cubes: Cubes) -> Encoded:
        """Latents of cubes; NaN for one without any valid value.

        Parameters
        ----------
        cubes : Cubes
            Arrays of shape (n, line, pixel, y, x), of the lines of the model.

        Returns
        -------
        Encoded
            Arrays of NumPy.

        Raises
        ------
        ModelError
            If the cubes have another shape than those that it was trained on.
        """
        self._demand_shape(cubes.flux.shape[1:])
        flux, valid = np.asarray(cubes.flux, np.float32), np.asarray(cubes.valid, bool)
        found = _in_blocks(lambda *block: self._encode(self.state, *block), flux, valid)
        empty = ~valid.any(axis=(1, 2, 3, 4))
        for values in found:
            if values is not None:
                values[empty] = np.nan
        return Encoded(*found)

    def decode(self, latents: np.ndarray, flux_scale: np.ndarray) -> np.ndarray:
        """Fluxes, float32 of shape (n, line, pixel, y, x), of latents, (n, latent), and flux scales, (n,)."""
        given = np.asarray(latents, np.float32), np.asarray(flux_scale, np.float32)
        return _in_blocks(lambda *block: (self._decode(self.state, *block),), *given)[0]

    def reconstruct(self, cubes: Cubes) -> np.ndarray:
        """Fluxes of the cubes as the latents give them back, shape (n, line, pixel, y, x); see :meth:`encode`."""
        found = self.encode(cubes)
        return self.decode(found.mean, found.flux_scale)

    def demand_lines(self, lines: Sequence[str]) -> None:
        """Check that cubes have the lines of the training.

        Raises
        ------
        ModelError
            If they are others, or in another order.
        """
        if tuple(lines) != self.lines:
            raise ModelError(
                f"the model is of the lines {', '.join(self.lines)}, the cubes are of {', '.join(lines)}: read the "
                "model's lines of the line cubes, or train it again."
            )

    def save(self, folder: Path, provenance: Mapping[str, Any] | None = None) -> None:
        """Write the model folder; ``provenance`` are plain values that are kept with those of the training."""
        content = {**self.description, "training": {**self._training, **(provenance or {})}}
        model_folder.save(Path(folder), self.network, content, model_folder.named_arrays(self.state))

    @classmethod
    def load(cls, folder: Path, network: str, lines: Sequence[str] | None = None) -> "CubeModel":
        """Read a model folder.

        Parameters
        ----------
        folder : path-like
        network : {"ae", "vae"}
        lines : sequence of str, optional
            Lines of the cubes that it is to be used on, see :meth:`demand_lines`.

        Raises
        ------
        ModelError
            If a file is missing or was altered, or the folder is of another network, without a model, or of other lines.
        """
        content, arrays = model_folder.load(Path(folder), network)
        with model_folder.understood(folder):
            design = CubeDesign.of_plain(content["design"])
            model_folder.demand_known("the network of the design", design.network, (network,))
            model_folder.demand_lines(content["lines"], design.n_line)
            state = model_folder.fill(CubeNetwork(design).abstract_state, arrays)
            model = cls(design, state, content["lines"], content["training"])
        if lines is not None:
            model.demand_lines(lines)
        return model

    def _demand_shape(self, shape: tuple[int, ...]) -> None:
        if shape != self.design.shape:
            raise ModelError(
                f"the model is of cubes of shape {self.design.shape} (line, pixel, y, x), these are of shape {shape}: "
                "read the model's lines of the line cubes, or train it again."
            )


def _in_blocks(function, *arrays: np.ndarray) -> list[np.ndarray | None]:
    """A function of arrays with one row per cube, applied to blocks of one size, so that it is compiled once.

    The function gives a tuple; what is None in it stays None.
    """
    n = len(arrays[0])
    size = max(1, min(_BLOCK, n))
    blocks = []
    for start in range(0, max(n, 1), size):
        block = [values[start : start + size] for values in arrays]
        short = size - len(block[0])
        blocks.append(function(*(np.pad(v, ((0, short), *((0, 0),) * (v.ndim - 1))) for v in block)))
    return [
        None if part[0] is None else np.concatenate([np.asarray(v) for v in part])[:n]
        for part in zip(*blocks, strict=True)
    ]
