"""A trained map of spectra or of galaxies: encoding, decoding, prototypes, and its folder."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from mangrove.errors import ModelError
from mangrove.models.desom.autoencoders import FingerprintArchitecture, SpectrumArchitecture
from mangrove.models.desom.grid import MANHATTAN, PUBLISHED, SomGrid
from mangrove.models.desom.input_scale import ASINH, BALANCED, FLUX, STANDARD, InputScale
from mangrove.models.desom.linear import LinearPath
from mangrove.models.desom.network import LAYER, NONE, WHITEN, MapDesign, MapNetwork
from mangrove.models.training import model_folder

#: The two kinds of map: of spectra, and of galaxies by their fingerprints.
DESOM, GALAXY_MAP = "desom", "galaxy_map"
_ARCHITECTURES = {DESOM: SpectrumArchitecture, GALAXY_MAP: FingerprintArchitecture}
_NETWORK, _LINEAR = "network/", "linear/"
_WAVE_TOLERANCE = 1e-7


class MapModel:
    """A trained map.

    Parameters
    ----------
    kind : {"desom", "galaxy_map"}
    network : MapNetwork
    state : nnx.State
        The weights of the network.
    wave : ndarray of float64, shape (n_wave,), optional
        Rest wavelengths of the spectra, Angstrom, vacuum; None for a map of galaxies.
    node_limit : ndarray of float32, shape (rows * columns,), optional
        Weights at which the nodes of a fingerprint are clipped before it is scaled; None for a map of spectra.
    training : mapping, optional
        How it was trained and from what, plain values.

    Attributes
    ----------
    prototypes : ndarray of float32, shape (n_node, n_latent)
        In the latent space.
    """

    def __init__(
        self,
        kind: str,
        network: MapNetwork,
        state: nnx.State,
        wave: np.ndarray | None = None,
        node_limit: np.ndarray | None = None,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        self.kind, self.wave, self.node_limit = kind, wave, node_limit
        self.network, self.state, self._training = network, state, dict(training or {})
        self.prototypes = np.asarray(state["prototypes"][...])
        self._encode = jax.jit(lambda state, x: network.encode(state, network.scale.forward(x)))
        self._decode = jax.jit(lambda state, z: network.scale.backward(network.decode(state, z)))
        self._som_space = jax.jit(network.som_space)

    @property
    def grid(self) -> SomGrid:
        """The grid of nodes."""
        return self.network.design.grid

    @property
    def description(self) -> dict[str, Any]:
        """The plain values of ``model.json``."""
        design = self.network.design
        return {
            "architecture": design.architecture._asdict(),
            "grid": design.grid._asdict(),
            "latent_scale": design.latent_scale,
            "input_scale": self.network.scale.kind,
            "training": self._training,
        }

    def encode(self, x: np.ndarray) -> np.ndarray:
        """Latents of normalised spectra or fingerprints.

        Parameters
        ----------
        x : ndarray, shape (n, n_wave) or (n, rows, columns)

        Returns
        -------
        ndarray of float32, shape (n, n_latent)
        """
        return np.asarray(self._encode(self.state, jnp.asarray(x, jnp.float32)))

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Normalised spectra, shape (n, n_wave), or fingerprints, (n, rows, columns), of latents, (n, n_latent)."""
        return np.asarray(self._decode(self.state, jnp.asarray(z, jnp.float32)))

    def som_space(self, z: np.ndarray) -> np.ndarray:
        """The latents or prototypes, shape (n, n_latent), as the map compares them: by Euclidean distance."""
        return np.asarray(self._som_space(self.state, jnp.asarray(z, jnp.float32)))

    def demand_wave(self, wave: np.ndarray) -> None:
        """Check that spectra have the wavelengths of the training.

        Parameters
        ----------
        wave : ndarray, shape (n,)
            Angstrom, rest frame, vacuum.

        Raises
        ------
        ModelError
            If they differ in number or in values.
        """
        if len(wave) != len(self.wave) or not np.allclose(wave, self.wave, rtol=_WAVE_TOLERANCE, atol=0):
            raise ModelError(
                f"the model has {_span(self.wave)}, the spectra have {_span(wave)}: train the map again on "
                "these spectra, or rebin them to the wavelengths of the model."
            )

    def save(self, folder: Path, provenance: Mapping[str, Any] | None = None) -> None:
        """Write the model folder; ``provenance`` are plain values that are kept with those of the training."""
        scale = self.network.scale
        arrays = {f"{_NETWORK}{name}": values for name, values in model_folder.named_arrays(self.state).items()}
        arrays |= {"input_mean": scale.mean, "input_std": scale.std}
        if self.network.linear is not None:
            arrays |= {f"{_LINEAR}{name}": values for name, values in self.network.linear._asdict().items()}
        options = {"wave": self.wave, "node_limit": self.node_limit}
        arrays |= {name: values for name, values in options.items() if values is not None}
        training = {**self._training, **(provenance or {})}
        model_folder.save(Path(folder), self.kind, {**self.description, "training": training}, arrays)

    @classmethod
    def load(cls, folder: Path, kind: str, wave: np.ndarray | None = None) -> "MapModel":
        """Read a model folder.

        Parameters
        ----------
        folder : path-like
        kind : {"desom", "galaxy_map"}
        wave : ndarray, optional
            Rest wavelengths of the spectra that it is to be used on, see :meth:`demand_wave`.

        Raises
        ------
        ModelError
            If a file is missing or was altered, or the folder is of another kind, is without a model, or has other
            wavelengths.
        """
        content, arrays = model_folder.load(Path(folder), kind)
        with model_folder.understood(folder):
            design, linear = _design(kind, content), _within(_LINEAR, arrays)
            model_folder.demand_arrays(_without(_NETWORK, arrays), _shapes(kind, design, arrays))
            network = MapNetwork(design, _scale(content, arrays), linear=LinearPath(**linear) if linear else None)
            state = model_folder.fill(network.abstract_state, _within(_NETWORK, arrays))
            model = cls(kind, network, state, arrays.get("wave"), arrays.get("node_limit"), content["training"])
        if wave is not None:
            model.demand_wave(wave)
        return model


def _design(kind: str, content: Mapping[str, Any]) -> MapDesign:
    sizes = {name: tuple(v) if isinstance(v, list) else v for name, v in content["architecture"].items()}
    design = MapDesign(_ARCHITECTURES[kind](**sizes), SomGrid(**content["grid"]), content["latent_scale"])
    model_folder.demand_known("latent_scale", design.latent_scale, (NONE, LAYER, WHITEN))
    model_folder.demand_known("the distance of the grid", design.grid.distance, (MANHATTAN, PUBLISHED))
    return design


def _shapes(kind: str, design: MapDesign, arrays: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    """Shapes that the arrays beside the network's have."""
    shape = design.architecture.shape
    shapes = {"input_mean": shape, "input_std": shape} | ({"wave": shape} if kind == DESOM else {})
    if "node_limit" in arrays:
        shapes["node_limit"] = (math.prod(shape),)
    if _within(_LINEAR, arrays):
        n_component = min(len(arrays[f"{_LINEAR}axes"]), design.architecture.latent)
        shapes |= {f"{_LINEAR}mean": shape, f"{_LINEAR}axes": (n_component, *shape)}
    return shapes


def _within(folder: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays whose names begin with that of a folder, by what follows it."""
    return {name.removeprefix(folder): values for name, values in arrays.items() if name.startswith(folder)}


def _without(folder: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays whose names do not begin with that of a folder."""
    return {name: values for name, values in arrays.items() if not name.startswith(folder)}


def _scale(content: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> InputScale:
    model_folder.demand_known("input_scale", content["input_scale"], (FLUX, ASINH, STANDARD, BALANCED))
    return InputScale(content["input_scale"], arrays["input_mean"], arrays["input_std"])


def _span(wave: np.ndarray) -> str:
    return f"{len(wave)} wavelengths from {wave[0]:.2f} to {wave[-1]:.2f} Angstrom"
