"""Train the emulator: negative log likelihood with measurement errors, missing lines masked."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.scipy.special import ndtri

from mangrove.errors import TrainingError
from mangrove.models.emulator.distribution import pooled
from mangrove.models.emulator.emulator import BLOCK, Emulator, LineCorrelation
from mangrove.models.emulator.line_table import LineTable, SplitRows
from mangrove.models.emulator.network import PER_LINE, Architecture
from mangrove.models.emulator.scaled_network import Normalisation, ScaledNetwork, noise_factor
from mangrove.models.training.loop import Trained, TrainSettings, train
from mangrove.models.training.rows import DeviceRows

#: A line needs as many measured training rows as this.
MIN_MEASURED = 50
#: Where the loss of the observed EW turns from square to absolute, in standard deviations of the line: the fit is
#: that of a median, made smooth.
_SMOOTH = 0.03
_OBSERVED_WEIGHT = 4.0
_MAX_GRADIENT = 1.0
_MAX_STEPS_PER_CALL, _CHECKPOINT_CALLS = 200, 5
_WARM_UP = 0.02
_MAX_CORRELATION = 0.99
_ROWS_PER_GROUP, _MAX_GROUPS = 1000, 6
_MIN_EIGENVALUE, _LEAST_PROBABILITY = 1e-3, 1e-5


@dataclass(frozen=True)
class EmulatorSettings:
    """What is trained, and how.

    Attributes
    ----------
    architecture : Architecture
    use_luminosity : bool
    batch_size, epochs, seed : int
    learning_rate, weight_decay : float
        Of AdamW; the rate falls to zero along a cosine.
    patience : int or None
    keep_best : bool
        See :class:`mangrove.models.training.loop.TrainSettings`.
    """

    architecture: Architecture = field(default_factory=Architecture)
    use_luminosity: bool = True
    batch_size: int = 512
    epochs: int = 20
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    seed: int = 1
    patience: int | None = None
    keep_best: bool = True

    @classmethod
    def from_params(cls, params: Mapping[str, Any], table: LineTable) -> "EmulatorSettings":
        """The settings of a rule for a table, from params that have the names of the configuration's keys.

        Keys that do nothing may be missing: ``hidden`` and ``n_component`` of networks per line, ``luminosity`` for a
        table without; without ``members`` it is a single network.
        """
        if params["architecture"] == PER_LINE:
            architecture = Architecture.published()
        else:
            architecture = Architecture(hidden=tuple(params["hidden"]), n_component=params["n_component"])
        own = ("batch_size", "epochs", "learning_rate", "weight_decay", "seed", "patience", "keep_best")
        return cls(
            architecture._replace(n_member=params.get("members", 1)),
            table.sees_luminosity(params),
            **{name: params[name] for name in own},
        )

    def loop(self, n_row: int) -> TrainSettings:
        """Settings of the training loop; where it can be, an epoch is one host call, which saves a compilation."""
        batch_size = min(self.batch_size, n_row)
        return TrainSettings(
            batch_size,
            self.epochs,
            steps_per_call=min(n_row // batch_size, _MAX_STEPS_PER_CALL),
            seed=self.seed,
            patience=self.patience,
            keep_best=self.keep_best,
            checkpoint_calls=_CHECKPOINT_CALLS,
        )


def trainable(table: LineTable, split: SplitRows) -> tuple[LineTable, str]:
    """The table of those lines that enough training rows measure, and why that is too little; empty where it is not.

    Too little to train on and to judge by, that is: without any line, or without a galaxy for validation or test.
    """
    scarce = scarce_lines(table.lines, table.take(split.train).measured)
    lines = [line for line in table.lines if line not in scarce]
    if not lines:
        return table.with_lines([]), f"no line is measured in {MIN_MEASURED} training rows"
    empty = [name for name in ("validation", "test") if not getattr(split, name).size]
    return table.with_lines(lines), f"no galaxy for {' and '.join(empty)}" if empty else ""


def scarce_lines(lines: Sequence[str], measured: np.ndarray) -> dict[str, int]:
    """Lines that too few training rows measure (:data:`MIN_MEASURED`), with their number of rows.

    Parameters
    ----------
    lines : sequence of str, length n_line
    measured : ndarray of bool, shape (n_train, n_line)
        See :attr:`mangrove.models.emulator.line_table.LineTable.measured`.
    """
    counts = zip(lines, measured.sum(axis=0).tolist(), strict=True)
    return {line: n for line, n in counts if n < MIN_MEASURED}


def train_emulator(
    table: LineTable, split: SplitRows, settings: EmulatorSettings, folder: Path, provenance: Mapping[str, Any]
) -> tuple[Emulator, Trained]:
    """Train on a table, write the model to ``folder/model``.

    Parameters
    ----------
    table : LineTable
    split : SplitRows
        Only ``train`` and ``validation`` are looked at.
    settings : EmulatorSettings
    folder : Path
        Gets ``model``, ``metrics.jsonl`` and ``checkpoints``; a killed training goes on from these.
    provenance : mapping
        Plain values to be kept with the model.

    Raises
    ------
    TrainingError
        If a line has too few measurements, the settings want a luminosity that the table has not, or the training fails.
    """
    if settings.use_luminosity and table.log_luminosity is None:
        raise TrainingError("the table has no luminosity: set emulator.luminosity to false.")
    arrays = training_arrays(table.take(split.train), settings.use_luminosity)
    _demand_measured(table.lines, arrays["measured"])
    network = ScaledNetwork(settings.architecture, normalisation(arrays))
    rows = DeviceRows(arrays, split.train)
    loop = settings.loop(rows.n_row)
    trained = train(
        emulator_loss(network),
        network.first_state(settings.seed),
        optimiser(settings, loop.total_steps(rows.n_row)),
        rows,
        loop,
        folder,
        validation=DeviceRows(training_arrays(table.take(split.validation), settings.use_luminosity), split.validation),
        identity={"emulator": asdict(settings), "table": _table_hash(table)},
    )
    correlation = line_correlation(network, trained.params, arrays)
    model = Emulator(table.bins, table.lines, network, trained.params, correlation)
    model.save(folder / "model", {"settings": asdict(settings), "table": _table_hash(table), **provenance})
    return model, trained


def training_arrays(table: LineTable, use_luminosity: bool) -> dict[str, np.ndarray]:
    """What a batch is made of: features, asinh(EW), error of EW, mask; one row per row of the table."""
    measured = table.measured
    return {
        "features": table.features(use_luminosity),
        "y": np.arcsinh(np.where(measured, table.ew, 1)).astype(np.float32),
        "ew_error": np.where(measured, table.ew_error, 1).astype(np.float32),
        "measured": measured,
    }


def normalisation(arrays: Mapping[str, np.ndarray]) -> Normalisation:
    """That of the training rows (see :func:`training_arrays`)."""
    return Normalisation.of(arrays["features"], np.where(arrays["measured"], arrays["y"], np.nan))


def emulator_loss(network: ScaledNetwork):
    """Loss for :func:`mangrove.models.training.loop.train`: mean over members and measured lines.

    The sum of two terms: the negative log likelihood of the measured asinh(EW), with errors and the cut at zero, and a smooth
    absolute deviation of the EW as listed.
    """
    line_std = jnp.asarray(network.normalisation.line_std)

    def loss(params, batch, key, step):
        output = network.output(params, batch["features"])
        factor = jnp.exp(params["log_noise_factor"][...])
        error = (batch["ew_error"] * factor[None, :])[None]
        y, measured = batch["y"][None], batch["measured"][None]
        negative_log_likelihood = -output.mixture.measured(error).log_density(
            jnp.broadcast_to(y, output.observed.shape)
        )
        offset = (output.observed - y) / line_std[None, None, :]
        deviation = jnp.sqrt(offset**2 + _SMOOTH**2) - _SMOOTH
        count = jnp.maximum(measured.sum().astype(jnp.float32), 1.0) * output.observed.shape[0]
        terms = [jnp.where(measured, term, 0.0).sum() / count for term in (negative_log_likelihood, deviation)]
        return terms[0] + _OBSERVED_WEIGHT * terms[1], {"negative_log_likelihood": terms[0], "deviation": terms[1]}

    return loss


def optimiser(settings: EmulatorSettings, n_step: int) -> optax.GradientTransformation:
    """AdamW with a short warm-up, a cosine decay and clipped gradients."""
    warm_up = max(1, int(_WARM_UP * n_step))
    rate = optax.warmup_cosine_decay_schedule(0.0, settings.learning_rate, warm_up, max(n_step, warm_up + 1))
    return optax.chain(optax.clip_by_global_norm(_MAX_GRADIENT), optax.adamw(rate, weight_decay=settings.weight_decay))


def line_correlation(network: ScaledNetwork, state: nnx.State, arrays: Mapping[str, np.ndarray]) -> LineCorrelation:
    """Correlation of the lines at given continuum, what noise takes from it given back.

    Star-forming galaxies lie on tight relations that quiescent ones do not know: hence one matrix per group of line
    strength.

    Parameters
    ----------
    network, state
        As trained.
    arrays : mapping
        Of the training rows, see :func:`training_arrays`.
    """
    scores = jax.jit(partial(_scores, network, state))
    parts = [scores(block["features"], block["ew_error"], block["y"]) for block in _blocks(arrays)]
    score, share, strength = (np.concatenate(part).astype(float) for part in zip(*parts, strict=True))
    score, share = (np.where(arrays["measured"], values, 0) for values in (score, share))
    n_group = int(np.clip(len(score) // _ROWS_PER_GROUP, 1, _MAX_GROUPS))
    edges = np.quantile(strength, np.linspace(0, 1, n_group + 1)[1:-1]).astype(np.float32)
    group = np.searchsorted(edges, strength)
    matrices = [_correlation(score[group == k], share[group == k]) for k in range(n_group)]
    return LineCorrelation(np.array(matrices, np.float32), edges)


def _correlation(score: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Correlation of what the scores hold of intrinsic scatter, made positive definite.

    A score is sqrt(share) * intrinsic + noise, so that the product of two has the mean of the roots' product times theirs.
    """
    correlation = np.clip((score.T @ score) / np.maximum(share.T @ share, 1e-6), -_MAX_CORRELATION, _MAX_CORRELATION)
    np.fill_diagonal(correlation, 1)
    values, vectors = np.linalg.eigh(correlation)
    positive = (vectors * np.maximum(values, _MIN_EIGENVALUE)) @ vectors.T
    scale = np.sqrt(np.diag(positive))
    return positive / scale[:, None] / scale[None, :]


def _scores(
    network: ScaledNetwork, state: nnx.State, features: jax.Array, ew_error: jax.Array, y: jax.Array
) -> tuple[jax.Array, ...]:
    """Normal scores of the measured EW, root of the share of their variance that is intrinsic, strength."""
    output = network.output(state, features)
    mixture = pooled(output.mixture)
    noisy = mixture.measured(ew_error * jnp.asarray(noise_factor(state))[None, :])
    probability = jnp.clip(noisy.cdf(y), _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    strength = jnp.maximum(output.observed.mean(axis=0), 0.0).mean(axis=-1)
    return ndtri(probability), jnp.sqrt(mixture.variance() / noisy.variance()), strength


def _blocks(arrays: Mapping[str, np.ndarray]):
    for start in range(0, len(arrays["y"]), BLOCK):
        yield {name: values[start : start + BLOCK] for name, values in arrays.items()}


def _demand_measured(lines: Sequence[str], measured: np.ndarray) -> None:
    few = [f"{line} ({n})" for line, n in scarce_lines(lines, measured).items()]
    if few:
        raise TrainingError(
            f"fewer than {MIN_MEASURED} training rows measure the line(s) {', '.join(few)}: leave them out of the table with "
            "LineTable.with_lines, or let trainable(table, split) do it."
        )


def _table_hash(table: LineTable) -> str:
    digest = hashlib.sha256()
    for values in (table.flux_bins, table.log_luminosity, table.ew, table.ew_ivar):
        digest.update(b"" if values is None else np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
