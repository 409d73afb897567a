"""The emulator of a run as the explorer asks it: lines of one continuum with their uncertainty, and of many rows.

JAX is imported when the first prediction is asked for: it takes a second, and other views need none.
"""

import json
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mangrove.codes import PredictionFlag
from mangrove.explorer.continuum_table import shown_rows
from mangrove.explorer.explored_run import ExploredRun

if TYPE_CHECKING:
    from mangrove.models.emulator.emulator import Emulator

#: Content of the central interval that is shown.
INTERVAL = 0.68
#: Draws from the distribution of the lines, which show how their ratios scatter.
N_DRAW = 100


class PredictedLines(NamedTuple):
    """What the emulator says of one continuum; equivalent widths in Angstrom, NaN without a prediction.

    Attributes
    ----------
    line : tuple of str, length n_line
    listed : ndarray, shape (n_line,)
        Median EW that a survey like the training one would list: to be compared with measurements.
    low, median, high : ndarray, shape (n_line,)
        Median and bounds of the central 68 % of the intrinsic EW of galaxies with this continuum.
    flag : int
        Bits of :class:`mangrove.codes.PredictionFlag`.
    """

    line: tuple[str, ...]
    listed: np.ndarray
    low: np.ndarray
    median: np.ndarray
    high: np.ndarray
    flag: int


def why_none(run: ExploredRun) -> str:
    """Why the run has no emulator, as a sentence; empty where it has one."""
    path = run.folder / "emulator" / "model" / "model.json"
    if not path.is_file() or not run.has("emulator_table"):
        return (
            "The run has no emulator of emission lines. Set emulator.enabled: true in its configuration and finish the run "
            "with snakemake."
        )
    reason = json.loads(path.read_text(encoding="utf-8")).get("reason", "")
    return f"The emulator of the run was not trained: {reason}." if reason else ""


def uses_luminosity(run: ExploredRun) -> bool:
    """Whether the run's emulator takes a luminosity beside the colours."""
    path = run.folder / "emulator" / "model" / "model.json"
    return run.kept("emulator_uses_luminosity", lambda: bool(json.loads(path.read_text("utf-8"))["uses_luminosity"]))


def emulator_of(run: ExploredRun) -> "Emulator":
    """The run's emulator, loaded once.

    Raises
    ------
    ModelError
        If it has none.
    """
    return run.kept("emulator", lambda: _loaded(run))[0]


def predict(run: ExploredRun, flux_bins: np.ndarray, log_luminosity: float | None) -> PredictedLines:
    """The lines of one continuum.

    Parameters
    ----------
    flux_bins : ndarray, shape (n_bin,)
        In the bins of the run's table; any unit where the model takes no luminosity.
    log_luminosity : float or None
        log10 of erg/s/Angstrom, where the model uses it.

    Raises
    ------
    ModelError
        If the model is damaged, or its bins are others.
    """
    model, summary, _ = run.kept("emulator", lambda: _loaded(run))
    listed, quantiles, flag = (np.asarray(part) for part in summary(*_one(model, flux_bins, log_luminosity)))
    return PredictedLines(model.lines, listed, *quantiles, int(flag))


def draws(run: ExploredRun, flux_bins: np.ndarray, log_luminosity: float | None) -> np.ndarray:
    """Draws of the intrinsic EW of galaxies with a continuum, lines correlated as in galaxies; see :func:`predict`.

    Returns
    -------
    ndarray, shape (N_DRAW, n_line)
        Angstrom; the same numbers for the same continuum.
    """
    model, _, sample = run.kept("emulator", lambda: _loaded(run))
    return np.asarray(sample(*_one(model, flux_bins, log_luminosity)))


def predicted_rows(run: ExploredRun) -> np.ndarray:
    """EW that a survey would list of the shown rows (:func:`mangrove.explorer.continuum_table.shown_rows`), Angstrom,
    shape (n, n_line). Predicted once.
    """
    return run.kept("emulator_predicted_rows", lambda: _predict_shown(run))


def flag_sentence(flag: int) -> str:
    """What the flags of a prediction mean, for readers; empty if nothing is wrong."""
    return "; ".join(bit.meaning for bit in PredictionFlag(flag))


def _one(model, flux_bins: np.ndarray, log_luminosity: float | None) -> tuple[np.ndarray, np.ndarray | None]:
    """One continuum as the model takes it, with a leading dim."""
    luminosity = np.array([np.nan if log_luminosity is None else log_luminosity], np.float32)
    return np.asarray(flux_bins, np.float32)[None], luminosity if model.uses_luminosity else None


def _loaded(run: ExploredRun):
    """The model, and two compiled functions of one continuum: its summary, and draws."""
    import jax
    import jax.numpy as jnp

    from mangrove.models.emulator.emulator import load

    model = load(run.folder / "emulator" / "model")
    tail = 0.5 - 0.5 * INTERVAL
    levels = jnp.asarray(np.repeat([[tail], [0.5], [1.0 - tail]], len(model.lines), axis=1), jnp.float32)

    @jax.jit
    def summary(flux_bins, log_luminosity):
        one = model(flux_bins, log_luminosity)
        return one.ew[0], jnp.sinh(one.mixture.quantile(levels)), one.flag[0]

    @jax.jit
    def sample(flux_bins, log_luminosity):
        one = model(flux_bins, log_luminosity)
        many = jax.tree.map(lambda part: jnp.broadcast_to(part, (N_DRAW, *part.shape[1:])), one)
        return jnp.sinh(model.sample(many, jax.random.key(0)))

    return model, summary, sample


def _predict_shown(run: ExploredRun) -> np.ndarray:
    from mangrove.models.emulator.emulator import predict_table

    shown = shown_rows(run)
    model = emulator_of(run)
    luminosity = shown.log_luminosity if model.uses_luminosity else None
    return np.asarray(predict_table(model, shown.flux_bins, luminosity).ew)
