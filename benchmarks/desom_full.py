"""The published network through its whole schedule, on simulated spectra of known truth: does the map live?

    python benchmarks/desom_full.py [--way published|ours] [--galaxies N] [--steps N] [--precision ...] [--device ...]

As published: prototypes moved by Adam along the gradient, flux as it is, gamma 5e-4, a constant rate of 5e-5, the published
distance on the grid. Ours: the defaults of the configuration. Prints empty nodes, occupation entropy, topographic error,
Spearman's rho of true labels of test spectra with the true medians of their nodes, beside k-means clusters of the best
whitened components, and the error of the reconstruction against the noiseless spectra over that of the best number of
principal components. For a GPU: 65,000 steps take minutes there, hours on a CPU. Beside what mangrove's trainings need it
takes the packages astropy, dust_extinction and scikit-learn.
"""

import argparse
import os
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import numpy as np
from support.known_spectra import LABELS, KnownSpectra, known_spectra
from support.results import print_result

from mangrove.analysis.map_quality import n_empty, occupation_entropy, topographic_error
from mangrove.analysis.node_distributions import group_medians
from mangrove.codes import Split
from mangrove.models.desom.assignment import Assignment, assign
from mangrove.models.desom.autoencoders import SpectrumArchitecture
from mangrove.models.desom.grid import PUBLISHED, SomGrid
from mangrove.models.desom.model import DESOM, MapModel
from mangrove.models.desom.network import MapDesign
from mangrove.models.desom.settings import COSINE, GRADIENT, IVAR, MapTraining
from mangrove.models.desom.training import train_map
from mangrove.models.desom.training_set import TrainingSet
from mangrove.validation.comparison import spearman
from mangrove.validation.map_baselines import Samples, best_component_rho
from mangrove.validation.map_reconstruction import SNR_RANGES, errors_of
from mangrove.validation.map_spectra import MOST, SplitSpectra

#: Baxels of each galaxy.
N_BAXEL = 27
#: Both schedules in full; the temperature falls over the first ten thirteenths of the steps.
WAYS = {
    "published": (MapTraining(update=GRADIENT), SomGrid(distance=PUBLISHED)),
    "ours": (
        MapTraining(
            gamma=5e-3, learning_rate=1e-3, schedule=COSINE, input_scale="asinh", loss_weights=IVAR, input_noise=0.5
        ),
        SomGrid(),
    ),
}
SEED = 1


def main() -> None:
    """Train and print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--way", choices=WAYS, default="published")
    parser.add_argument("--galaxies", type=int, default=3000)
    parser.add_argument("--steps", type=int, default=MapTraining.iterations)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="gpu")
    options = parser.parse_args()
    if options.device not in {device.platform for device in jax.devices()}:
        print("Left out: there is no GPU, and on a CPU the whole schedule takes hours (--device cpu).", file=sys.stderr)
        return
    spectra = known_spectra(options.galaxies, N_BAXEL, os.cpu_count())
    training, grid = WAYS[options.way]
    training = replace(
        training, iterations=options.steps, cooling_iterations=10 * options.steps // 13, precision=options.precision
    )
    report = partial(print_result, "desom_full", way=options.way, steps=options.steps, precision=options.precision)
    report = partial(report, device=jax.devices()[0].device_kind)
    split = {f"{one.name.lower()} spectra": int((spectra.split == one).sum()) for one in Split}
    for name, n in split.items():
        report(name, n, "1")
    start = time.perf_counter()
    model = trained(spectra, MapDesign(SpectrumArchitecture(), grid), training)
    report("training, compilation and validation included", time.perf_counter() - start, "s")
    for metric, value in figures(model, spectra).items():
        report(metric, float(value), "1")


def trained(spectra: KnownSpectra, design: MapDesign, training: MapTraining) -> MapModel:
    """The map of a training."""
    names = np.arange(len(spectra.flux)).astype(str)
    about = {"mask": spectra.mask, "snr": spectra.snr, "wave": spectra.wave}
    data = TrainingSet.of_arrays(spectra.flux, spectra.split, names, **about)
    with tempfile.TemporaryDirectory(prefix="mangrove-desom-") as folder:
        return train_map(DESOM, design, training, data, Path(folder), {})[0]


def figures(model: MapModel, spectra: KnownSpectra) -> dict[str, float]:
    """How the map lives, orders the test spectra, and gives them back."""
    parts = {one: spectra.of_split(one) for one in Split}
    found = {one: assign(model, part.flux, part.mask) for one, part in parts.items()}
    learnt, test = found[Split.TRAIN], found[Split.TEST]
    count = np.bincount(learnt.node, minlength=model.grid.n_node)
    return {
        "empty nodes": n_empty(count),
        "occupation entropy": occupation_entropy(count),
        "topographic error": topographic_error(test.node, test.second_node, model.grid.columns),
        **order(model, parts, found),
        **reconstruction(model, parts[Split.TRAIN], parts[Split.TEST]),
    }


def order(model: MapModel, parts: dict[Split, KnownSpectra], found: dict[Split, Assignment]) -> dict[str, float]:
    """Rho of true labels of test spectra and true medians of their nodes, and over that of clusters of components."""
    first = Samples(*(KnownSpectra(*(values[: MOST[one]] for values in part)) for one, part in parts.items()))
    labels = Samples(*(part.labels for part in first))
    number, of_components = best_component_rho(Samples(*(part.flux for part in first)), labels, model.grid.n_node, SEED)
    out = {"components of the clusters": number}
    for j, name in enumerate(LABELS):
        median = group_medians(found[Split.TRAIN].node, parts[Split.TRAIN].labels[:, j], model.grid.n_node)
        rho = spearman(median[found[Split.TEST].node], parts[Split.TEST].labels[:, j])
        out |= {f"rho, {name}": rho, f"rho over that of clusters, {name}": rho / of_components[j]}
    return out


def reconstruction(model: MapModel, train: KnownSpectra, test: KnownSpectra) -> dict[str, float]:
    """Mean square error against the noiseless spectra by S/N, and over that of the best number of components."""
    sample, judged = (
        SplitSpectra(part.flux[:most], part.mask[:most] != 0, np.ones(1), np.arange(1))
        for part, most in ((train, MOST[Split.TRAIN]), (test, MOST[Split.TEST]))
    )
    errors = errors_of(model, sample, judged, test.true[: MOST[Split.TEST]], SEED)
    out = {}
    for name, (low, high) in SNR_RANGES.items():
        snr = test.snr[: MOST[Split.TEST]]
        inside = (snr >= low) & (snr < high)
        network, components = errors.network[inside].mean(), errors.components[inside].mean(axis=0)
        best = int(np.argmin(components))
        about = f"over the best number of components ({errors.numbers[best]})"
        out |= {f"reconstruction, {name}": network, f"reconstruction {about}, {name}": network / components[best]}
    return out


if __name__ == "__main__":
    main()
