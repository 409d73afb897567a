"""Small runs for the explorer's tests, laid out as the workflow lays them: one of line cubes, one with an emulator."""

import shutil
from pathlib import Path

import numpy as np
from attributes import attributes_of
from small_autoencoder_run import make_run

from mangrove import artefacts
from mangrove.data_model import KINDS
from mangrove.models.emulator.continuum_features import Bins, luminosity_of
from mangrove.models.emulator.emulator import Emulator
from mangrove.models.emulator.line_table import LineTable, stored
from mangrove.models.emulator.network import Architecture
from mangrove.models.emulator.scaled_network import Normalisation, ScaledNetwork

LINES = ("Hbeta_4863", "OIII_5008", "Halpha_6565", "NII_6585")


def cube_run(folder: Path, networks=("ae",), **options) -> Path:
    """A run of line cubes alone that autoencoders have scored; see :func:`small_autoencoder_run.make_run`."""
    (folder / "made").mkdir()
    for network in networks:
        made = make_run(folder / "made" / network, baxels=False, network=network, **options)
        kinds = {name: name for name in ("line_cube_set", "latents", "anomalies", "neighbours", "agn")}
        for name, kind in (kinds | {"embedding": "latent_embedding"}).items():
            place = folder / "run" / KINDS[kind].path.format(network=network)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(made[name], place)
    return folder / "run"


def emulator_run(folder: Path, n=40, luminosity=False, mapped=True) -> Path:
    """A run with the emulator's table, an untrained network of random weights, and a map of the inputs.

    The last row has no flux in its last bin, the first line of row 3 is not measured.
    """
    rng = np.random.default_rng(7)
    bins = Bins((4000.0, 5000.0, 6000.0, 7000.0))
    flux = np.exp(rng.normal(0.0, 0.3, (n, 3))).astype(np.float32)
    flux[-1, -1] = np.nan
    ew = np.exp(rng.normal(1.0, 0.5, (n, len(LINES)))).astype(np.float32)
    ew[3, 0] = np.nan
    redshift = rng.uniform(0.02, 0.1, n).astype(np.float32)
    bright = luminosity_of(flux, redshift) if luminosity else None
    names = np.array([f"1-{k // 2}" for k in range(n)])
    table = LineTable(bins, LINES, names, flux, bright, ew, np.full(ew.shape, 25.0, np.float32))
    data = stored(table, np.arange(n) % 3)
    if not luminosity:
        data |= {"plateifu": np.array([f"{8000 + k // 2}-1901" for k in range(n)]), "baxel": np.arange(n) % 2}
    _write(folder, "emulator_table", data)
    if mapped:
        row = rng.permutation(n - 1)
        place = rng.normal(size=(n - 1, 2))
        _write(folder, "emulator_embedding", {"row": row, "place": place, "identifier": names[row], "split": row % 3})
    inputs = table.take(np.arange(n - 1)).features(luminosity)
    normalisation = Normalisation.of(inputs, np.arcsinh(ew[: n - 1]))
    network = ScaledNetwork(Architecture(hidden=(8,), n_member=2), normalisation)
    Emulator(bins, LINES, network, network.first_state(3)).save(folder / "emulator" / "model", {})
    return folder


def _write(folder: Path, kind: str, data) -> None:
    artefacts.write(folder / KINDS[kind].path, kind, data, artefacts.Provenance(), attributes_of(kind))
