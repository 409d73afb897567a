"""A map of spectra whose labels change smoothly over it, as the artefacts that its figures read."""

import json

import numpy as np
from attributes import attributes_of
from scipy.stats import spearmanr
from small_export import random_data

from mangrove import artefacts
from mangrove.codes import FitStatus, Split, TrainingCut
from mangrove.data_model import KINDS, LABEL

LEVELS = np.array([0.025, 0.16, 0.5, 0.84, 0.975])
N_BIN, N_PIT, N_LATENT = 20, 10, 16
MIN_BAXELS = 20
NORM_BAND = (4050.0, 4150.0)
#: Label at the left and right end, or the lower and upper end, of the map: 'x' runs along the columns, 'y' up the rows.
FIELDS = {
    "log_age_lw": ("x", 8.6, 10.0),
    "metallicity_lw": ("y", -0.8, 0.2),
    "log_age_mw": ("x", 9.2, 10.1),
    "metallicity_mw": ("y", -0.7, 0.3),
    "log_ml_r": ("x", -0.5, 0.6),
    "ebv_star": ("y", 0.02, 0.5),
    "ebv_gas": ("y", 0.05, 0.8),
    "log_sfr_density": ("x", -1.5, -4.0),
    "log_mass_density": ("x", 7.5, 9.0),
    "log_ssfr": ("x", -9.0, -12.5),
    "d_bpt": ("x", -0.6, 0.5),
}


def place_of_nodes(rows, columns):
    """Row and column of the nodes from 0."""
    return np.divmod(np.arange(rows * columns), columns)


def node_values(rows, columns):
    """The true labels of the nodes, shape (n_node, n_label)."""
    row, column = place_of_nodes(rows, columns)
    part = {"x": column / max(columns - 1, 1), "y": row / max(rows - 1, 1)}
    return np.stack([low + (high - low) * part[way] for way, low, high in FIELDS.values()], axis=-1)


def node_spectra(wave, values):
    """Normalised spectra of nodes, shape (n_node, n_wave): redder and with a break where old, with Halpha where active."""
    age = (values[:, [0]] - 8.6) / 1.4
    flux = (wave / 4100.0) ** (-1.4 + 2.6 * age) * (1.0 - 0.45 * age * (wave < 4000.0))
    for centre, strength in ((6564.6, 3.0), (5008.2, 1.5), (4862.7, 1.0), (3728.5, 1.5)):
        flux += strength * np.clip(1.0 - age, 0, None) ** 2 * np.exp(-0.5 * ((wave - centre) / 4.0) ** 2)
    return flux / flux[:, (wave > NORM_BAND[0]) & (wave < NORM_BAND[1])].mean(axis=1, keepdims=True)


def drawn_baxels(rows, columns, n_galaxy, n_each, rng, empty):
    """Node, galaxy and baxel of baxels; each galaxy keeps to a part of the map and none lies on the empty nodes."""
    row, column = place_of_nodes(rows, columns)
    centre = rng.uniform([0, 0], [rows - 1, columns - 1], (n_galaxy, 2))
    place = centre[:, None] + rng.normal(0, 0.2 * max(rows, columns), (n_galaxy, n_each, 2))
    distance = (place[..., None, 0] - row) ** 2 + (place[..., None, 1] - column) ** 2
    distance[..., empty] = np.inf
    node = np.argmin(distance, axis=-1).ravel()
    return node, np.repeat(np.arange(n_galaxy), n_each), np.tile(np.arange(n_each), n_galaxy)


def write(folder, kind, data, **attrs):
    path = folder / f"{kind}.h5"
    artefacts.write(path, kind, data, artefacts.Provenance(), attributes_of(kind, **attrs))
    return str(path)


def quantiles(values):
    return np.quantile(values, LEVELS, axis=0) if len(values) else np.full((len(LEVELS), len(FIELDS)), np.nan)


def make_maps(folder, rows=6, columns=6, n_galaxy=14, n_each=60, n_wave=256, n_bad=5):
    """Write the artefacts and the metrics of a run into a folder; their paths by the names of the rule's inputs.

    The labels of :data:`FIELDS` scatter about those of the nodes. The last node is empty. Of each galaxy the last
    ``n_bad`` baxels are too faint for the training. Splits go round: of four galaxies two train, one is for validation,
    one for the test.
    """
    rng = np.random.default_rng(2)
    n_node, place = rows * columns, place_of_nodes(rows, columns)
    truth = node_values(rows, columns)
    node, galaxy, baxel = drawn_baxels(rows, columns, n_galaxy, n_each, rng, [n_node - 1])
    n = node.size
    label = truth[node] + 0.06 * np.ptp(truth, axis=0) * rng.standard_normal((n, len(FIELDS)))
    split = np.array([Split.TRAIN, Split.VALIDATION, Split.TRAIN, Split.TEST])[galaxy % 4]
    cut = np.where(baxel < n_each - n_bad, TrainingCut.KEPT, TrainingCut.LOW_SNR)
    snr = rng.uniform(12, 60, n) * np.where(cut == TrainingCut.KEPT, 1.0, 0.1)
    kept, train, test = (cut == TrainingCut.KEPT), split == Split.TRAIN, split == Split.TEST
    names = {"plateifu": np.array([f"{8000 + k}-{1900 + k}" for k in range(n_galaxy)])}
    names["mangaid"] = np.array([f"1-{k}" for k in range(n_galaxy)])
    nodes = {"node_row": place[0], "node_column": place[1]}
    grid = {"rows": rows, "columns": columns}
    radius = rng.uniform(0.05, 2.0, n)
    paths = {}

    distance = rng.chisquare(8, n) ** 0.5
    assigned = {"node": node, "second_node": np.clip(node + 1, 0, n_node - 1), "distance": distance}
    assigned |= {"second_distance": 1.3 * distance, "mse": 1.5 / snr**2 + 1e-3}
    assigned["typicality"] = np.mean(distance < distance[:, None], axis=1)
    every = names | {"galaxy": galaxy, "baxel": baxel, "split": split, "cut": cut, "radius_re": radius, "snr": snr}
    paths["assignments"] = write(folder, "desom_assignments", every | assigned, **grid)

    wave = np.geomspace(3650.0, 8950.0, n_wave)
    spectra = node_spectra(wave, truth)
    order = np.lexsort([rng.uniform(size=n), ~kept])
    noise = rng.standard_normal((n, n_wave)) / snr[:, None]
    training = random_data(
        "training_spectra",
        {"row": n, "wave": n_wave, "plateifu": n_galaxy, "candidate": n},
        wave=wave,
        flux=(spectra[node] + noise)[order],
        mask=np.zeros((n, n_wave)),
        **{name: every[name][order] for name in ("galaxy", "baxel", "split", "cut", "radius_re", "snr")},
        norm=np.ones(n),
        candidate_galaxy=galaxy,
        candidate_baxel=baxel,
        candidate_cut=cut,
        **names,
    )
    paths["training_spectra"] = write(folder, "training_spectra", training, norm_band=NORM_BAND)

    rows_of_labels = random_data(
        "labels",
        {"row": n, "plateifu": n_galaxy, "line": 2, "spaxel_status": 5},
        **names,
        galaxy=galaxy,
        baxel=baxel,
        chi2_reduced=np.ones(n),
        status=np.zeros(n),
        snr=snr,
        **{name: label[:, k] for k, name in enumerate(FIELDS)},
        **{f"{name}_err": np.full(n, 0.05) for name in FIELDS},
    )
    paths["labels"] = write(folder, "labels", rows_of_labels, templates="mastar")

    own = np.bincount(node[kept & train], minlength=n_node)
    per_split = np.stack([np.bincount(node[kept & (split == one)], minlength=n_node) for one in Split], axis=-1)
    count = np.repeat(own[:, None], n_wave, axis=1)
    template = np.where(count > 0, spectra + 0.002 * rng.standard_normal(spectra.shape), np.nan)
    of_map = nodes | {
        "wave": wave,
        "prototype_latent": rng.standard_normal((n_node, N_LATENT)),
        "prototype_flux": spectra,
        "template_flux": template,
        "template_scatter": np.where(count > 1, 0.05 * spectra, np.nan),
        "template_count": count,
        "lsf": np.full(n_wave, 1.3),
        "n_baxel": per_split,
        "n_galaxy": np.minimum(own, n_galaxy),
        "quantile": LEVELS,
        "distance_quantile": np.quantile(distance, LEVELS),
    }
    paths["map"] = write(folder, "desom_map", of_map, **grid, norm_band=NORM_BAND)

    paths["node_labels"] = write(
        folder,
        "node_labels",
        nodes | of_nodes(label, node, kept & train, kept & test, place),
        **grid,
        min_baxels=MIN_BAXELS,
    )
    per_node = artefacts.read(paths["node_labels"], "node_labels")
    paths["quality"] = write(
        folder, "desom_quality", judged(label, node, kept & test, per_node), **grid, **map_quality(own)
    )

    fitted = truth + 0.05 * np.ptp(truth, axis=0) * rng.standard_normal(truth.shape)
    fits = nodes | {
        "label": np.array(list(FIELDS)),
        "status": np.where(own > 0, FitStatus.OK, FitStatus.ALL_MASKED),
        "chi2_reduced": np.ones(n_node),
        "snr": np.full(n_node, 100.0),
        "value": np.where(own[:, None] > 0, fitted, np.nan),
        "error": np.full(truth.shape, 0.02),
        "flag": np.zeros(truth.shape),
    }
    paths["template_labels"] = write(folder, "template_labels", fits, **grid, templates="mastar")

    counts = np.zeros((n_galaxy, n_node), int)
    np.add.at(counts, (galaxy[kept], node[kept]), 1)
    total = np.zeros((n_galaxy, n_node))
    np.add.at(total, (galaxy[kept], node[kept]), radius[kept])
    prints = (
        names
        | nodes
        | {
            "split": np.array([split[galaxy == k][0] for k in range(n_galaxy)]),
            "counts": counts,
            "weight": counts,
            "normalised": counts / counts.max(axis=1, keepdims=True),
            "mean_radius": np.divide(total, counts, out=np.full(total.shape, np.nan), where=counts > 0),
            "n_baxel": counts.sum(axis=1),
            "n_patch": np.ones(n_galaxy),
            "patch_spread": np.zeros(n_galaxy),
            "node_limit": counts.max(axis=0),
        }
    )
    paths["fingerprints"] = write(folder, "fingerprints", prints, **grid, weighting="count", clip_percentile=99.9)

    paths["metrics"] = str(folder / "metrics.jsonl")
    epochs = [json.dumps(one) for one in history()]
    (folder / "metrics.jsonl").write_text("\n".join(epochs) + "\n", encoding="utf-8")
    return paths


def of_nodes(label, node, train, test, place):
    """What 'node_labels' says; a node with few baxels takes those of neighbours up to the distance that is enough."""
    row, column = place
    n_node, n_label = row.size, len(FIELDS)
    edge = np.linspace(label.min(axis=0), label.max(axis=0), N_BIN + 1).T
    out = {"label": np.array(list(FIELDS)), "label_unit": np.array([LABEL[name][0] for name in FIELDS])}
    out |= {"quantile": LEVELS, "edge": edge, "sample_value": quantiles(label[train]).T}
    shape = (n_node, n_label)
    out |= {"value": np.full((*shape, len(LEVELS)), np.nan), "histogram": np.zeros((*shape, N_BIN))}
    out["ring_weight"] = np.ones(shape)
    out |= {name: np.zeros(shape, int) for name in ("n_baxel", "n_own", "n_galaxy", "pool_radius", "n_test")}
    out |= {name: np.full(shape, np.nan) for name in ("median", "median_err", "own_median", "test_median")}
    for k in range(n_node):
        steps = abs(row - row[k]) + abs(column - column[k])
        radius = next(r for r in range(100) if np.isin(node, np.flatnonzero(steps <= r))[train].sum() >= MIN_BAXELS)
        values = label[train & np.isin(node, np.flatnonzero(steps <= radius))]
        own, held_out = (label[some & (node == k)] for some in (train, test))
        out["value"][k], out["median"][k] = quantiles(values).T, np.median(values, axis=0)
        out["median_err"][k] = 0.01
        out["histogram"][k] = [np.histogram(values[:, j], edge[j])[0] for j in range(n_label)]
        out["n_baxel"][k], out["n_own"][k] = len(values), len(own)
        out["pool_radius"][k], out["n_test"][k], out["n_galaxy"][k] = radius, len(held_out), 3
        for name, some in (("own_median", own), ("test_median", held_out)):
            if len(some):
                out[name][k] = np.median(some, axis=0)
    return out


def judged(label, node, test, per_node):
    """What 'desom_quality' says of the labels of test baxels."""
    found, expected = label[test], per_node["median"][node[test]]
    difference = expected - found
    low, high = per_node["value"][..., 1], per_node["value"][..., 3]
    inside = (found > low[node[test]]) & (found < high[node[test]])
    uniform = np.random.default_rng(5).uniform(size=found.shape)
    both = np.isfinite(per_node["test_median"][:, 0]) & np.isfinite(per_node["own_median"][:, 0])
    n_label = len(FIELDS)
    return {
        "label": np.array(list(FIELDS)),
        "n": np.full(n_label, test.sum()),
        "rho": np.array([spearmanr(found[:, j], expected[:, j])[0] for j in range(n_label)]),
        "rho_of_compared": np.full(n_label, 0.92),
        "rho_kmeans_latent": np.full(n_label, 0.9),
        "rho_kmeans_pca": np.full(n_label, 0.9),
        "rho_train_test": np.array(
            [spearmanr(per_node["own_median"][both, j], per_node["test_median"][both, j])[0] for j in range(n_label)]
        ),
        "morans_i": np.full(n_label, 0.8),
        "bias": np.median(difference, axis=0),
        "scatter": 1.4826 * np.median(np.abs(difference - np.median(difference, axis=0)), axis=0),
        "coverage": inside.mean(axis=0),
        "width": np.median(high - low, axis=0) / (per_node["sample_value"][:, 3] - per_node["sample_value"][:, 1]),
        "pit": np.array([np.histogram(uniform[:, j], N_PIT, (0, 1))[0] for j in range(n_label)]),
        "pca_component": np.array([1, 2, 4, 8, 16, 32]),
        "pca_mse": 4e-3 * np.array([4.0, 2.5, 1.5, 1.05, 1.1, 1.3]),
    }


def map_quality(own):
    """Measures of a map with the given numbers of training baxels on its nodes."""
    part = own[own > 0] / own.sum()
    entropy = float(-np.sum(part * np.log(part)) / np.log(own.size))
    given = {
        "topographic_error_8": 0.08,
        "topographic_error_4": 0.21,
        "mse": 3.8e-3,
        "mse_of_compared": 3.9e-3,
        "quantisation_error": 2.7,
    }
    given |= {"trustworthiness": 0.95, "neighbourhood_preservation": 0.93}
    return given | {"occupation_entropy": entropy, "n_empty": int(np.sum(own == 0))}


def history(n_epoch=40, steps=10):
    """Epochs of a training."""
    step = steps * np.arange(1, n_epoch + 1)
    falling = np.exp(-step / 80.0)
    parts = {"loss": 4e-3 + 0.1 * falling, "reconstruction": 3.8e-3 + 0.09 * falling, "som": 0.4 + 20.0 * falling}
    parts |= {"validation_loss": 4.5e-3 + 0.1 * falling, "temperature": 6.0 * (0.7 / 6.0) ** np.clip(step / 300, 0, 1)}
    return [
        {"epoch": k, "step": int(step[k])} | {name: float(values[k]) for name, values in parts.items()}
        for k in range(n_epoch)
    ]


def write_empty(folder, reason="fewer spectra than nodes"):
    """The artefacts of a run whose map could not be trained; their paths by the names of the rule's inputs."""
    kinds = {"assignments": "desom_assignments", "map": "desom_map", "quality": "desom_quality"}
    kinds |= {name: name for name in ("node_labels", "template_labels", "fingerprints", "galaxy_map")}
    paths = {"metrics": str(folder / "metrics.jsonl"), "labels": "", "training_spectra": ""}
    (folder / "metrics.jsonl").write_text("", encoding="utf-8")
    for name, kind in kinds.items():
        given = {"status": "no_model", "reason": reason, "rows": 6, "columns": 6}
        paths[name] = write(folder, kind, no_rows(kind), **given)
    return paths


def no_rows(kind):
    """The datasets of a kind, all empty."""
    return random_data(kind, dict.fromkeys((dim for field in KINDS[kind].fields.values() for dim in field.dims), 0))
