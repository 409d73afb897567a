"""Widths of the latent space: what maps of spectra with 16 to 512 latents reach in the same training.

    python benchmarks/desom_latents.py [SPECTRA] [--labels LABELS] [--widths 16 32 ...] [--steps N] [--filters 64 ...]

SPECTRA and LABELS are a run's spectra/training_spectra.h5 and spectra/labels.h5; without them, mixtures of the embedded
stellar populations, whose ages and metallicities are known. For each width: the error of the reconstruction of held-out
spectra, topographic error, occupation entropy, and Spearman's rho of each label of a held-out spectrum with the median
label of its node.
"""

import argparse
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from support.results import print_result
from support.spectra import known_mixtures, wavelengths

from mangrove import artefacts
from mangrove.analysis.map_quality import occupation_entropy, topographic_error
from mangrove.analysis.mapped_baxels import rows_of, take
from mangrove.analysis.node_distributions import group_medians
from mangrove.codes import Split, TrainingCut
from mangrove.data_model import LABEL
from mangrove.models.desom.assignment import assign
from mangrove.models.desom.autoencoders import SpectrumArchitecture
from mangrove.models.desom.grid import SomGrid
from mangrove.models.desom.model import DESOM
from mangrove.models.desom.network import MapDesign
from mangrove.models.desom.settings import MapTraining
from mangrove.models.desom.training import train_map
from mangrove.models.desom.training_set import TrainingSet
from mangrove.spectra.labels.shown import shown_values
from mangrove.validation.comparison import spearman

WIDTHS = (16, 32, 64, 128, 256, 512)
#: Without a file: so many mixtures. A map of 8 x 8 nodes has spectra enough on each.
N_MIXTURE, N_WAVE, GRID = 3000, 4544, SomGrid(8, 8)
#: Spectra of a file that are used at most.
N_MOST = 20_000
#: Of 1: to train on, for validation; the others are held out.
PARTS = (0.7, 0.1)


class LabelledSpectra(NamedTuple):
    """Spectra with their splits and labels.

    Attributes
    ----------
    wave : ndarray, shape (n_wave,)
    flux : ndarray of float32, shape (n, n_wave)
    mask : ndarray of int8, shape (n, n_wave)
        Other than 0 where the flux is not data.
    split : ndarray, shape (n,)
        Codes of :class:`mangrove.codes.Split`.
    labels : mapping of str to ndarray, shape (n,)
    """

    wave: np.ndarray
    flux: np.ndarray
    mask: np.ndarray
    split: np.ndarray
    labels: Mapping[str, np.ndarray]


def main() -> None:
    """Print a line for each width and figure."""
    options = command_line()
    spectra = of_mixtures() if options.spectra is None else of_run(options.spectra, options.labels)
    training = MapTraining(
        batch_size=options.batch,
        iterations=options.steps,
        cooling_iterations=max(1, 10 * options.steps // 13),
        learning_rate=options.learning_rate,
    )
    for width in options.widths:
        architecture = SpectrumArchitecture(len(spectra.wave), tuple(options.filters), latent=width)
        report(width, spectra, MapDesign(architecture, GRID), training)


def command_line() -> argparse.Namespace:
    """The options; the sizes are for minutes on a CPU."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("spectra", nargs="?", type=Path, help="a run's spectra/training_spectra.h5")
    parser.add_argument("--labels", type=Path, help="its spectra/labels.h5")
    parser.add_argument("--widths", nargs="+", type=int, default=WIDTHS)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--filters", nargs="+", type=int, default=(8, 8, 8, 8), help="64 64 64 64 as published")
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="5e-5 as published, for 65,000 steps")
    return parser.parse_args()


def report(width: int, spectra: LabelledSpectra, design: MapDesign, training: MapTraining) -> None:
    """Train a map and print what it reaches on the held-out spectra."""
    names = np.arange(len(spectra.flux)).astype(str)
    data = TrainingSet.of_arrays(spectra.flux, spectra.split, names, mask=spectra.mask, wave=spectra.wave)
    with tempfile.TemporaryDirectory(prefix="mangrove-latents-") as folder:
        start = time.perf_counter()
        model, _ = train_map(DESOM, design, training, data, Path(folder), {})
        took = time.perf_counter() - start
    found = assign(model, spectra.flux, spectra.mask)
    held_out, learnt = (np.flatnonzero(spectra.split == split) for split in (Split.TEST, Split.TRAIN))
    count = np.bincount(found.node[learnt], minlength=design.grid.n_node)
    error = topographic_error(found.node[held_out], found.second_node[held_out], design.grid.columns)
    figures = {
        "reconstruction, mean square error": float(found.mse[held_out].mean()),
        "topographic error": error,
        "occupation entropy": occupation_entropy(count),
    }
    for name, values in spectra.labels.items():
        median = group_medians(found.node[learnt], values[learnt], design.grid.n_node)
        rho = spearman(values[held_out], median[found.node[held_out]])
        # Without a value: all spectra on one node, or too few with the label.
        figures |= {f"rho, {name}": rho} if np.isfinite(rho) else {}
    for metric, value in figures.items():
        print_result("desom_latents", metric, value, "1", latents=width, steps=training.iterations)
    print_result("desom_latents", "training", took, "s", latents=width, steps=training.iterations)


def of_mixtures() -> LabelledSpectra:
    """Mixtures of the embedded populations."""
    flux, truth = known_mixtures(N_MIXTURE, N_WAVE)
    part = np.arange(N_MIXTURE) / N_MIXTURE
    split = np.select([part < PARTS[0], part < sum(PARTS)], [Split.TRAIN, Split.VALIDATION], Split.TEST)
    return LabelledSpectra(wavelengths(N_WAVE), flux, np.zeros(flux.shape, np.int8), split, truth)


def of_run(spectra: Path, labels: Path | None) -> LabelledSpectra:
    """The spectra of a run that passed the cuts, in their random order, with the labels of their fits."""
    with artefacts.opened(spectra, "training_spectra") as f:
        n = min(int(np.count_nonzero(f["cut"][...] == TrainingCut.KEPT)), N_MOST)
        arrays = (f["wave"][...], f["flux"][:n], f["mask"][:n], f["split"][:n])
        where = artefacts.read_text(f["plateifu"]), f["galaxy"][:n], f["baxel"][:n]
    if labels is None:
        return LabelledSpectra(*arrays, {})
    columns = [column for name in LABEL for column in (name, f"{name}_flag")]
    table = artefacts.read(labels, "labels", ["plateifu", "galaxy", "baxel", *columns])
    row = rows_of(*where, table)
    return LabelledSpectra(*arrays, {name: take(shown_values(table.data, name), row) for name in LABEL})


if __name__ == "__main__":
    main()
