"""A small survey on a map of spectra: artefacts 'desom_assignments' and 'labels' whose labels follow from the nodes."""

from typing import NamedTuple

import numpy as np
from attributes import attributes_of
from small_export import random_data

from mangrove import artefacts
from mangrove.codes import LabelFlag, Split, TrainingCut
from mangrove.data_model import LABEL

ROWS, COLUMNS = 4, 5
N_NODE = ROWS * COLUMNS


class MappedSurvey(NamedTuple):
    """Columns of the baxels, shape (n,), as assigned, and their age."""

    galaxy: np.ndarray
    baxel: np.ndarray
    node: np.ndarray
    split: np.ndarray
    age: np.ndarray


def age_of_node(node):
    """What the baxels of a node have in common: smooth over the map."""
    return 8.0 + 0.3 * (node // COLUMNS) + 0.1 * (node % COLUMNS)


def mapped_survey(n_galaxy=60, n_baxel=40, scatter=0.1, of_galaxy=0.05, seed=1) -> MappedSurvey:
    """Baxels of galaxies, a quarter of them for tests, an eighth for validation."""
    rng = np.random.default_rng(seed)
    galaxy = np.repeat(np.arange(n_galaxy), n_baxel)
    node = rng.integers(N_NODE, size=galaxy.size)
    age = age_of_node(node) + scatter * rng.standard_normal(galaxy.size)
    age += (of_galaxy * rng.standard_normal(n_galaxy))[galaxy]
    split = np.array([Split.TEST, Split.TRAIN, Split.TRAIN, Split.VALIDATION] + 4 * [Split.TRAIN])
    split[4] = Split.TEST
    return MappedSurvey(galaxy, np.tile(np.arange(n_baxel), n_galaxy), node, split[galaxy % 8], age)


def names_of(n_galaxy):
    return np.array([f"{9000 + i}-1901" for i in range(n_galaxy)])


def write_assignments(path, mapped: MappedSurvey, status="ok", **columns):
    """Write the assignments; columns not given are made up."""
    n_galaxy = int(mapped.galaxy.max(initial=-1)) + 1
    given = {
        "plateifu": names_of(n_galaxy),
        "mangaid": np.array([f"1-{i}" for i in range(n_galaxy)]),
        "galaxy": mapped.galaxy,
        "baxel": mapped.baxel,
        "split": mapped.split,
        "cut": np.full(mapped.galaxy.size, TrainingCut.KEPT),
        "node": mapped.node,
        **columns,
    }
    data = random_data("desom_assignments", {"row": mapped.galaxy.size, "plateifu": n_galaxy}, **given)
    attrs = attributes_of("desom_assignments", rows=ROWS, columns=COLUMNS, status=status, model_hash="abc")
    artefacts.write(path, "desom_assignments", data, artefacts.Provenance(), attrs)


def write_spectra(path, mapped: MappedSurvey, flux, wave):
    """Write training spectra, rows in random order; one bin in twenty is masked."""
    rng = np.random.default_rng(9)
    order = rng.permutation(mapped.galaxy.size)
    n_galaxy = int(mapped.galaxy.max()) + 1
    given = {name: getattr(mapped, name)[order] for name in ("galaxy", "baxel", "split")}
    given |= {"plateifu": names_of(n_galaxy), "mangaid": np.array([f"1-{i}" for i in range(n_galaxy)])}
    given |= {"flux": flux[order], "mask": rng.random(flux.shape) < 0.05, "wave": wave, "norm": np.ones(order.size)}
    given |= {f"candidate_{name}": given[name] for name in ("galaxy", "baxel")}
    sizes = {"row": order.size, "candidate": order.size, "plateifu": n_galaxy, "wave": wave.size}
    data = random_data("training_spectra", sizes, **given)
    artefacts.write(path, "training_spectra", data, artefacts.Provenance(), attributes_of("training_spectra"))


def write_labels(path, mapped: MappedSurvey, flags=None, missing=(), names=None):
    """Write the table of labels, galaxies in reverse order, without those of ``missing``.

    Every label is the age; ``flags`` are bits of ``log_age_lw`` by row of ``mapped``; ``names`` of the galaxies.
    """
    n_galaxy = int(mapped.galaxy.max()) + 1
    left = [g for g in range(n_galaxy)[::-1] if g not in missing]
    rows = np.concatenate([np.flatnonzero(mapped.galaxy == g) for g in left])
    given = {"plateifu": (names_of(n_galaxy) if names is None else np.array(names))[left], "baxel": mapped.baxel[rows]}
    given["galaxy"] = np.array([left.index(g) for g in mapped.galaxy[rows]])
    given["n_baxel_of_galaxy"] = np.bincount(given["galaxy"], minlength=len(left))
    for name in LABEL:
        given |= {name: mapped.age[rows], f"{name}_flag": np.zeros(rows.size, np.uint32)}
    given["log_age_lw_flag"] = (np.zeros(mapped.galaxy.size) if flags is None else flags)[rows].astype(np.uint32)
    sizes = {"row": rows.size, "plateifu": len(left), "line": 2, "spaxel_status": 5}
    data = random_data("labels", sizes, **given)
    artefacts.write(path, "labels", data, artefacts.Provenance(), attributes_of("labels"))


def poor(which):
    """Flags of a poor fit at some rows."""
    return np.where(which, int(LabelFlag.POOR_FIT), 0)
