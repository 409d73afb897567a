"""The emulator: emission lines from the shape of the stellar continuum.

``model = load(folder)``; ``model(flux_bins, log_luminosity)`` is pure: it can be compiled, mapped and differentiated.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.scipy.special import ndtr

from mangrove.codes import PredictionFlag
from mangrove.errors import ModelError
from mangrove.models.emulator.continuum_features import Bins, features
from mangrove.models.emulator.distribution import LineMixture, pooled
from mangrove.models.emulator.network import Architecture
from mangrove.models.emulator.scaled_network import Normalisation, ScaledNetwork, noise_factor
from mangrove.models.training import model_folder

KIND = "emulator"
_NO_PREDICTION = PredictionFlag.BAD_FLUX | PredictionFlag.BAD_LUMINOSITY
_LEAST_PROBABILITY = 1e-6
#: Rows that are predicted at once where a table is large.
BLOCK = 1 << 16


class LinePrediction(NamedTuple):
    """What the emulator says about the lines of n continua.

    Attributes
    ----------
    observed : Array, shape (..., n_line)
        asinh(EW / Angstrom) that a survey like the training one would list, its noise and its cut at EW > 0
        included; compare this one with a catalogue. NaN where the flag forbids a prediction.
    mixture : LineMixture of shape (..., n_component, n_line)
        The intrinsic distribution of asinh(EW) of galaxies, noise taken out; add lines with this one.
    flag : Array of int32, shape (...)
        Bits of :class:`mangrove.codes.PredictionFlag`.
    """

    observed: jax.Array
    mixture: LineMixture
    flag: jax.Array

    @property
    def ew(self) -> jax.Array:
        """EW that a survey like the training one would list, Angstrom, shape (..., n_line)."""
        return jnp.sinh(self.observed)


class LineCorrelation(NamedTuple):
    """Correlation of the normal scores of the lines at given continuum, by strength of the lines.

    Attributes
    ----------
    matrix : ndarray of float32, shape (n_group, n_line, n_line)
        Positive definite.
    edges : ndarray of float32, shape (n_group - 1,)
        Borders of the groups in the mean over lines of :attr:`LinePrediction.observed`.
    """

    matrix: np.ndarray
    edges: np.ndarray

    @classmethod
    def none(cls, n_line: int) -> "LineCorrelation":
        """Independent lines."""
        return cls(np.eye(n_line, dtype=np.float32)[None], np.empty((0,), np.float32))


class Emulator:
    """A trained emulator.

    Parameters
    ----------
    bins : Bins
    lines : sequence of str
    network : ScaledNetwork
        Of one feature per colour, and one more if the model uses the luminosity.
    state : nnx.State
        The weights of the network.
    correlation : LineCorrelation, optional
        None by default.
    """

    def __init__(
        self,
        bins: Bins,
        lines: Sequence[str],
        network: ScaledNetwork,
        state: nnx.State,
        correlation: LineCorrelation | None = None,
    ) -> None:
        self.bins, self.lines, self.state = bins, tuple(lines), state
        self.correlation = correlation or LineCorrelation.none(len(self.lines))
        self._network = network
        self._compiled = jax.jit(self._flat)

    @property
    def uses_luminosity(self) -> bool:
        """Whether the log luminosity is an input beside the colours."""
        return self._network.n_feature == self.bins.n_bin

    def __call__(
        self, flux_bins: jax.Array, log_luminosity: jax.Array | None = None, *, bins: Bins | None = None
    ) -> LinePrediction:
        """Predict; pure, for any leading dims.

        Parameters
        ----------
        flux_bins : Array, shape (..., n_bin)
            Mean flux of the continuum without lines in ``self.bins``; any unit where the model takes no luminosity,
            as colours have none.
        log_luminosity : Array, shape (...), optional
            See :func:`mangrove.models.emulator.continuum_features.log_luminosity`; needed if and only if the model uses it.
        bins : Bins, optional
            The bins of ``flux_bins``, to be checked against the model's.

        Raises
        ------
        ModelError
            If the bins, their number, or the presence of the luminosity do not fit the model.
        """
        self._check(np.shape(flux_bins), log_luminosity, bins)
        flux_bins = jnp.asarray(flux_bins, jnp.float32)
        lead = flux_bins.shape[:-1]
        flat = flux_bins.reshape(-1, self.bins.n_bin)
        luminosity = None
        if log_luminosity is not None:
            luminosity = jnp.broadcast_to(jnp.asarray(log_luminosity, jnp.float32), lead).reshape(-1)
        return jax.tree.map(lambda x: x.reshape(*lead, *x.shape[1:]), self._compiled(self.state, flat, luminosity))

    @property
    def noise_factor(self) -> np.ndarray:
        """Error of each line over the stated one, as the training found it, shape (n_line,)."""
        return noise_factor(self.state)

    def line(self, name: str) -> int:
        """Index of a line.

        Raises
        ------
        ModelError
            If the model does not know it.
        """
        if name not in self.lines:
            raise ModelError(f"the model does not know the line '{name}'; it knows {', '.join(self.lines)}.")
        return self.lines.index(name)

    def sample(self, prediction: LinePrediction, key: jax.Array, ew_error: jax.Array | None = None) -> jax.Array:
        """A predictive draw of asinh(EW), lines correlated.

        Parameters
        ----------
        prediction : LinePrediction of shape (..., n_line)
        key : Array
            JAX random key.
        ew_error : Array, shape (..., n_line), optional
            Errors as a survey states them, Angstrom: the draw is then of what the survey would list, its noise and its
            cut at EW > 0 included, instead of intrinsic EW.

        Returns
        -------
        Array, shape (..., n_line)
        """
        keys = jax.random.split(key)
        roots = jnp.asarray(np.linalg.cholesky(self.correlation.matrix.astype(float)), jnp.float32)
        group = jnp.searchsorted(jnp.asarray(self.correlation.edges), prediction.observed.mean(axis=-1))
        independent = jax.random.normal(keys[0], prediction.observed.shape, jnp.float32)
        scores = jnp.einsum("...ij,...j->...i", roots[group], independent)
        mixture = prediction.mixture
        if ew_error is not None:
            noisy = mixture.measured(ew_error * self._factors(ew_error.ndim))
            share = mixture.variance() / noisy.variance()
            noise = jax.random.normal(keys[1], scores.shape, jnp.float32)
            scores, mixture = jnp.sqrt(share) * scores + jnp.sqrt(1 - share) * noise, noisy
        return mixture.quantile(jnp.clip(ndtr(scores), _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY))

    def save(self, folder: Path, training: Mapping[str, Any]) -> None:
        """Write the model folder; ``training`` are plain values: how, and on what, it was trained."""
        description = {
            "bins": list(self.bins.edges),
            "lines": list(self.lines),
            "uses_luminosity": self.uses_luminosity,
            "architecture": self._network.architecture._asdict(),
            "training": dict(training),
        }
        arrays = {f"network/{name}": values for name, values in model_folder.named_arrays(self.state).items()}
        arrays |= {f"normalisation/{name}": values for name, values in self._network.normalisation._asdict().items()}
        arrays |= {f"correlation/{name}": values for name, values in self.correlation._asdict().items()}
        model_folder.save(folder, KIND, description, arrays)

    def _check(self, shape: tuple[int, ...], log_luminosity, bins: Bins | None) -> None:
        if not shape or shape[-1] != self.bins.n_bin:
            raise ModelError(
                f"flux_bins has shape {shape}; the model needs {self.bins.n_bin} bins: {self._bins_text()}"
            )
        if bins is not None and not np.allclose(bins.edges, self.bins.edges, rtol=0, atol=1e-3):
            raise ModelError(f"the bins {list(bins.edges)} are not those of the model: {self._bins_text()}")
        if self.uses_luminosity != (log_luminosity is not None):
            needs = "needs a log luminosity" if self.uses_luminosity else "was trained on colours only: leave it out"
            raise ModelError(f"wrong luminosity: the model {needs}.")

    def _bins_text(self) -> str:
        return f"edges {list(self.bins.edges)} Angstrom, rest frame."

    def _factors(self, n_dim: int) -> jax.Array:
        return jnp.asarray(self.noise_factor).reshape(*(1,) * (n_dim - 1), -1)

    def _flat(self, state: nnx.State, flux_bins: jax.Array, log_luminosity: jax.Array | None) -> LinePrediction:
        good_flux = (jnp.isfinite(flux_bins) & (flux_bins > 0)).all(axis=1)
        # Bad rows get harmless input first: NaN would poison gradients even where the result is thrown away.
        flux_bins = jnp.where(good_flux[:, None], flux_bins, jnp.ones_like(flux_bins))
        flag = jnp.where(good_flux, 0, PredictionFlag.BAD_FLUX.value)
        if log_luminosity is not None:
            good = jnp.isfinite(log_luminosity)
            flag |= jnp.where(good, 0, PredictionFlag.BAD_LUMINOSITY.value)
            log_luminosity = jnp.where(good, log_luminosity, self._network.normalisation.feature_median[-1])
        inputs = features(flux_bins, log_luminosity)
        flag = jnp.where(flag == 0, self._extrapolation(inputs), flag).astype(jnp.int32)
        output = self._network.output(state, inputs)
        bad = ((flag & _NO_PREDICTION.value) > 0)[:, None]
        observed = jnp.maximum(output.observed.mean(axis=0), 0.0)
        mixture = pooled(output.mixture)
        mean = jnp.where(bad[:, :, None], jnp.nan, mixture.mean)
        return LinePrediction(jnp.where(bad, jnp.nan, observed), mixture._replace(mean=mean), flag)

    def _extrapolation(self, inputs: jax.Array) -> jax.Array:
        outside = (inputs < self._network.row("feature_low")) | (inputs > self._network.row("feature_high"))
        n_colour = self.bins.n_bin - 1
        strange = jnp.where(outside[:, :n_colour].any(axis=1), PredictionFlag.STRANGE_COLOUR.value, 0)
        return strange | jnp.where(outside[:, n_colour:].any(axis=1), PredictionFlag.FAINT_OR_LUMINOUS.value, 0)


def load(folder) -> Emulator:
    """Read a model folder written by :meth:`Emulator.save`.

    Raises
    ------
    ModelError
        If the folder is incomplete, was altered, or is of another model.
    """
    folder = Path(folder)
    description, arrays = model_folder.load(folder, KIND)
    with model_folder.understood(folder):
        shape = dict(description["architecture"])
        architecture = Architecture(**shape | {"hidden": tuple(shape["hidden"])})
        bins = Bins(tuple(map(float, description["bins"])))
        model_folder.demand_boolean("uses_luminosity", description["uses_luminosity"])
        model_folder.demand_lines(description["lines"], len(arrays["normalisation/line_mean"]))
        model_folder.demand_arrays(_beside_network(arrays), _shapes(bins, description, arrays))
        network = ScaledNetwork(architecture, Normalisation(**_part(arrays, "normalisation")))
        return Emulator(
            bins=bins,
            lines=description["lines"],
            network=network,
            state=model_folder.fill(network.abstract_state, _part(arrays, "network")),
            correlation=LineCorrelation(**_part(arrays, "correlation")),
        )


def _beside_network(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: values for name, values in arrays.items() if not name.startswith("network/")}


def _shapes(bins: Bins, description: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    """Shapes that the arrays beside the network's have."""
    n_line, n_feature = len(description["lines"]), bins.n_bin - 1 + bool(description["uses_luminosity"])
    n_group = len(arrays["correlation/matrix"])
    sizes = {name: (n_line if name.startswith("line") else n_feature,) for name in Normalisation._fields}
    return {f"normalisation/{name}": size for name, size in sizes.items()} | {
        "correlation/matrix": (n_group, n_line, n_line),
        "correlation/edges": (n_group - 1,),
    }


def predict_table(model: Emulator, flux_bins: np.ndarray, log_luminosity: np.ndarray | None) -> LinePrediction:
    """Predict a large table block by block; NumPy arrays, shape (n, ...)."""
    starts = range(0, max(len(flux_bins), 1), BLOCK)
    parts = [
        model(flux_bins[i : i + BLOCK], None if log_luminosity is None else log_luminosity[i : i + BLOCK])
        for i in starts
    ]
    return jax.tree.map(lambda *blocks: np.concatenate([np.asarray(block) for block in blocks]), *parts)


def _part(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(f"{prefix}/"): v for name, v in arrays.items() if name.startswith(f"{prefix}/")}
