"""A small map of spectra: extracts of six galaxies, their training spectra, an untrained model, labels of its nodes."""

import numpy as np
from attributes import attributes_of
from small_export import random_data
from small_extract import params_of_training, write_extract

from mangrove import artefacts
from mangrove.models.desom.autoencoders import SpectrumArchitecture
from mangrove.models.desom.grid import SomGrid
from mangrove.models.desom.input_scale import InputScale
from mangrove.models.desom.model import DESOM, MapModel
from mangrove.models.desom.network import MapDesign, MapNetwork
from mangrove.models.desom.training import first_state
from mangrove.physics.wavelengths import log_grid

WAVE = 10 ** (np.log10(3621.6) + 1e-4 * np.arange(4563))
N_WAVE, ROWS, COLUMNS = 256, 3, 4
PARAMS = params_of_training(n_wave=N_WAVE, cut_percentile=2.0)
#: plateifu, mangaid, z, number of baxels: one galaxy has none, one is observed twice, of one no spectrum is positive.
GALAXIES = [
    ("1-1901", "1-1", 0.02, 40),
    ("1-1902", "1-2", 0.05, 0),
    ("2-1901", "1-3", 0.03, 30),
    ("3-1901", "1-1", 0.021, 50),
    ("4-1901", "1-5", 0.04, 3),
    ("5-1901", "1-6", 0.03, 35),
]
_DARK, EBV = "4-1901", 0.1


def write_extracts(folder):
    """Artefacts 'extract' of continua of many slopes with a line, noise and gaps; returns their paths."""
    rng, paths = np.random.default_rng(8), []
    for plateifu, mangaid, z, n in GALAXIES:
        slope, line = rng.uniform(-2.0, 1.0, (n, 1)), rng.uniform(0.0, 2.0, (n, 1))
        flux = (WAVE / 5000.0) ** slope + line * np.exp(-0.5 * ((WAVE / (1 + z) - 6564.6) / 4.0) ** 2)
        flux = rng.uniform(1.0, 3.0, (n, 1)) * (flux + rng.normal(0.0, 0.02, flux.shape))
        spectra = {
            "flux": -flux if plateifu == _DARK else flux,
            "ivar": np.full(flux.shape, 400.0),
            "mask": (rng.uniform(size=flux.shape) < 0.05).astype(np.int8),
            "snr": np.where(np.arange(n) % 10 == 0, 5.0, 50.0),
            "radius_re": rng.uniform(0.0, 2.0, n),
            "lsf": np.full(flux.shape, 1.1),
        }
        paths.append(folder / f"{plateifu}.h5")
        write_extract(paths[-1], WAVE, spectra, plateifu=plateifu, mangaid=mangaid, z=z, ebv_galactic=EBV)
    return paths


def small_model(flux, wave) -> MapModel:
    """An untrained map whose prototypes are the encodings of the first spectra."""
    design = MapDesign(SpectrumArchitecture(len(wave), (3, 4), 3, 6), SomGrid(ROWS, COLUMNS))
    network = MapNetwork(design, InputScale.none((len(wave),)))
    return MapModel(DESOM, network, first_state(network, 2, np.asarray(flux, np.float32)), wave)


def make_map(folder, script, Params):
    """A folder as results/RUN/desom is, with the training spectra, and the extracts in ``extract``.

    Returns the rule's inputs and outputs, the training spectra as ``rows``, and the model.
    """
    (folder / "extract").mkdir()
    spectra = Params(training_spectra=str(folder / "training_spectra.h5"))
    script("training_spectra").main(Params(extracts=write_extracts(folder / "extract")), spectra, PARAMS)
    rows = artefacts.read(spectra.training_spectra, "training_spectra")
    model = small_model(rows["flux"], rows["wave"])
    model.save(folder / "model")
    inputs = Params(spectra | files_of(folder / "model"))
    outputs = Params(assignments=str(folder / "assignments.h5"), map=str(folder / "map.h5"))
    script("desom_assign").main(inputs, outputs, Params(code="none"))
    of_map = artefacts.read(outputs.map, "desom_map", []).attrs
    write_node_labels(folder / "node_labels.h5", model_hash=of_map["model_hash"])
    return Params(inputs=inputs, outputs=outputs, rows=rows, model=model)


def files_of(model):
    """The files of a model folder as the rules name them."""
    return {"description": str(model / "model.json"), "arrays": str(model / "arrays.npz")}


def write_node_labels(path, rows=ROWS, columns=COLUMNS, model_hash=""):
    """An artefact 'node_labels' of two labels: on node k quantiles are k + level and 10 k + level, the last node has none."""
    node, level = np.arange(rows * columns), np.linspace(0.0, 1.0, 101)
    value = np.stack([node, 10.0 * node], axis=1)[:, :, None] + level
    value[-1] = np.nan
    given = {
        "node_row": node // columns,
        "node_column": node % columns,
        "label": np.array(["log_age_lw", "ebv_star"]),
        "label_unit": np.array(["dex(yr)", "mag"]),
        "quantile": level,
        "value": value,
        "median": value[:, :, 50],
        "edge": np.tile(np.arange(6.0), (2, 1)),
        "histogram": np.full((node.size, 2, 5), 9),
        "n_baxel": np.full((node.size, 2), 45),
        "pool_radius": np.full((node.size, 2), 2),
        "ring_weight": np.full((node.size, 2), 0.25),
    }
    sizes = {"node": node.size, "label": 2, "quantile": level.size, "bin_edge": 6, "bin": 5}
    data = random_data("node_labels", sizes, **given)
    attrs = attributes_of("node_labels", rows=rows, columns=columns, model_hash=model_hash)
    artefacts.write(path, "node_labels", data, artefacts.Provenance(), attrs)


def write_random_map(folder):
    """A folder as results/RUN/desom is: an untrained map of 2 x 2 nodes on the published grid of 4544 bins."""
    wave, rng = log_grid(3650.0, 8950.0, 4544), np.random.default_rng(3)
    design = MapDesign(SpectrumArchitecture(wave.size, (2, 2), 3, 6), SomGrid(2, 2))
    network = MapNetwork(design, InputScale.none((wave.size,)))
    flux = rng.uniform(0.5, 1.5, (8, wave.size)).astype(np.float32)
    model = MapModel(DESOM, network, first_state(network, 2, flux), wave)
    model.save(folder / "model")
    given = {"wave": wave, "prototype_latent": model.prototypes, "lsf": np.full(wave.size, 1.1)}
    given |= {"quantile": np.linspace(0.0, 1.0, 101), "distance_quantile": np.linspace(0.0, 9.0, 101)}
    sizes = {"node": 4, "wave": wave.size, "latent": model.prototypes.shape[1], "split": 3, "quantile": 101}
    data = random_data("desom_map", sizes, **given)
    prepared = {"norm_band": (4050.0, 4150.0), "min_good_fraction": 3900 / 4544, "sky_half_width": 8.0, "min_snr": 10.0}
    attrs = attributes_of("desom_map", rows=2, columns=2, galactic_extinction=True, ebv_scale=1.0, **prepared)
    artefacts.write(folder / "map.h5", "desom_map", data, artefacts.Provenance(), attrs)
    write_node_labels(folder / "node_labels.h5", rows=2, columns=2)
