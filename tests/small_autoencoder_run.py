"""The artefacts of a run of an autoencoder of line cubes, of galaxies whose anomalies are known, as its figures read them."""

import json
from typing import NamedTuple

import numpy as np
from attributes import attributes_of
from small_export import FRAME, random_data

from mangrove import artefacts
from mangrove.codes import AnomalyCause, BptClass
from mangrove.data_model import LABEL
from mangrove.physics.lines import window_lines

LINES = ("OII_3727", "Hbeta_4863", "OIII_5008", "Halpha_6565", "NII_6585")
SCORES = ("relative", "published", "flux_normalised", "noise_weighted")
FLAGS = ("agn_wise", "agn_bat", "agn_radio", "agn_broad")
N_PIXEL, SIZE, N_LATENT, N_COMPONENT, N_NEIGHBOUR = 10, 16, 8, 5, 6
#: Side of the fields, and of a square of spaxels that is a bin.
FIELD, BIN = 20, 2


class Cubes(NamedTuple):
    """Line cubes and what a network makes of them, shape (n, line, pixel, y, x), and the wavelengths."""

    flux: np.ndarray
    ivar: np.ndarray
    valid: np.ndarray
    reconstruction: np.ndarray
    wave: np.ndarray


def names_of(n):
    return np.array([f"{8000 + k}-{1900 + k}" for k in range(n)])


def write(folder, kind, data, **attrs):
    path = folder / f"{kind}.h5"
    artefacts.write(path, kind, data, artefacts.Provenance(), attributes_of(kind, **attrs))
    return str(path)


def make_run(folder, n=24, n_agn=7, baxels=True, umap=True, network="ae"):
    """Write a run's artefacts and metrics into a folder; their paths by the names of the rule's inputs.

    Galaxy k is the worse reconstructed the larger k is: a second nucleus that the network misses, k / n as bright as
    the first. The AGN are the galaxies n - 1, n - 3 and so on, flags going round, the first with two. Without
    ``baxels`` there are no labels and no extracts; without ``umap`` no map of the latents.
    """
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(4)
    cubes = line_cubes(n, rng)
    names = {"plateifu": names_of(n), "mangaid": np.array([f"1-{k}" for k in range(n)]), "split": np.arange(n) % 3}
    of = {"network": network, "model_hash": "abc"}
    paths = {"line_cube_set": write_cubes(folder, names, cubes)}
    latent = rng.normal(0.0, 1.0, (n, N_LATENT)) * np.linspace(2.0, 0.2, N_LATENT)
    scale = np.abs(cubes.flux).mean(axis=(1, 2, 3, 4))
    given = names | {"value": latent, "invariant": latent, "flux_scale": scale, "log_variance": latent - 3.0}
    given["active"] = np.arange(N_LATENT) < 6
    paths["latents"] = write(folder, "latents", given, **of)
    judged = anomalies_of(names, cubes)
    paths["anomalies"] = write(folder, "anomalies", judged, **of)
    paths["embedding"] = write_embedding(folder, names, latent, umap, of)
    paths["neighbours"] = write_neighbours(folder, names, latent, umap, of)
    paths["agn"] = write_agn(folder, names, judged, n_agn, of)
    paths["metrics"] = write_metrics(folder, network)
    shown = names["plateifu"] if baxels else []
    for name in shown:
        write_extract(folder / "extract", name, rng)
    paths["extracts"] = str(folder / "extract") if baxels else ""
    paths["labels"] = write_labels(folder, names["plateifu"], rng) if baxels else []
    return paths


def write_empty(folder, reason, network="ae"):
    """The artefacts and the metrics of a run in which nothing was trained: no galaxy has latents."""
    paths = make_run(folder, n=3, n_agn=0, baxels=False, umap=False, network=network)
    for name, kind in (("latents", "latents"), ("anomalies", "anomalies"), ("neighbours", "neighbours")):
        made = artefacts.read(paths[name], kind)
        data = {key: np.full(v.shape, np.nan) if v.dtype.kind == "f" else v for key, v in made.data.items()}
        attrs = {key: made.attrs[key] for key in attributes_of(kind)} | {"status": "empty", "reason": reason}
        artefacts.write(paths[name], kind, data, artefacts.Provenance(), attrs)
    (folder / "metrics.jsonl").write_text("", encoding="utf-8")
    return paths


def line_cubes(n, rng) -> Cubes:
    """Round galaxies of lines on a continuum, with noise; no data in a corner."""
    lines = window_lines()
    rest = lines.wave[[lines.index(name) for name in LINES]]
    wave = 1.03 * rest[:, None] * np.exp(1e-4 * np.log(10.0) * (np.arange(N_PIXEL) - N_PIXEL // 2))
    wave = np.broadcast_to(wave, (n, *wave.shape))
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE // 2
    line = np.exp(-0.5 * (np.arange(N_PIXEL) - N_PIXEL // 2) ** 2)[:, None, None]
    size, bright = rng.uniform(2.0, 4.0, n), rng.uniform(0.5, 3.0, n)
    strength = rng.uniform(0.3, 2.0, (n, len(LINES)))
    smooth = np.zeros((n, len(LINES), N_PIXEL, SIZE, SIZE))
    flux = np.zeros(smooth.shape)
    for k in range(n):
        disc = bright[k] * np.exp(-np.hypot(y, x) / size[k])
        second = k / n * bright[k] * np.exp(-0.5 * ((y - 4) ** 2 + (x - 3) ** 2) / 1.5)
        for i in range(len(LINES)):
            smooth[k, i] = (0.3 + strength[k, i] * line) * disc
            flux[k, i] = (0.3 + strength[k, i] * line) * (disc + second)
    valid = np.ones(flux.shape, np.int8)
    valid[..., :3, :4] = 0
    # The first galaxy lacks a line.
    valid[0, 0] = 0
    flux = np.where(valid, flux + rng.normal(0.0, 0.05, flux.shape), 0.0)
    return Cubes(flux, np.where(valid, 400.0, 0.0), valid, smooth, wave)


def write_cubes(folder, names, cubes):
    n = len(names["plateifu"])
    given = {name: getattr(cubes, name) for name in ("flux", "ivar", "valid")} | names
    given |= {"window_wave": cubes.wave, "line": np.array(LINES), "pixel_scale": np.full(n, 0.5)}
    sizes = {"plateifu": n, "line": len(LINES), "window_pixel": N_PIXEL, "spaxel_y": SIZE, "spaxel_x": SIZE}
    return write(folder, "line_cube_set", random_data("line_cube_set", sizes, **given))


def anomalies_of(names, cubes, n_shown=8):
    """Scores of the residuals; the half of the kept reconstructions are of galaxies in the middle."""
    n = len(names["plateifu"])
    residual = np.where(cubes.valid, cubes.flux - cubes.reconstruction, np.nan)
    flux = np.where(cubes.valid, cubes.flux, np.nan)
    per_line = np.stack([score_of(name, residual, flux, (2, 3, 4)) for name in SCORES], axis=1)
    value = np.stack([score_of(name, residual, flux, (1, 2, 3, 4)) for name in SCORES], axis=1)
    order = np.argsort(-value[:, 0], kind="stable")
    rank = np.empty(n, int)
    rank[order] = np.arange(n)
    half = min(n_shown, n) // 2
    shown = np.concatenate([order[n // 2 - half // 2 : n // 2 - half // 2 + half], order[:half]])
    cause = np.where(rank == 1, AnomalyCause.CROPPED_FIELD, 0)
    return names | {
        "score": np.array(SCORES),
        "value": value,
        "percentile": 100.0 * np.mean(value[:, None] > value, axis=1),
        "line": np.array(LINES),
        "line_value": per_line,
        "line_percentile": 100.0 * np.mean(per_line[:, None] > per_line, axis=1),
        "rank": rank,
        "cause": cause,
        "reason": np.array([f"Halpha_6565, {k} spaxels" for k in range(n)]),
        "spaxel_score": 20.0 * np.sqrt(np.nansum(residual**2, axis=(1, 2)) / 50.0),
        "shown": shown,
        "reconstruction": cubes.reconstruction[shown],
    }


def score_of(name, residual, flux, axis):
    """An anomaly score over some axes."""
    with np.errstate(invalid="ignore", divide="ignore"):
        square = np.nansum(residual**2, axis=axis) / np.sum(np.isfinite(residual), axis=axis)
        level = np.nansum(np.abs(flux), axis=axis) / np.sum(np.isfinite(flux), axis=axis)
        absolute = np.nansum(np.abs(residual), axis=axis) / np.sum(np.isfinite(residual), axis=axis)
        return {
            "relative": np.sqrt(square) / level,
            "published": absolute,
            "flux_normalised": absolute / level,
            "noise_weighted": np.sqrt(square) * 20.0,
        }[name]


def write_embedding(folder, names, latent, umap, of):
    n = len(latent)
    _, size, component = np.linalg.svd(latent - latent.mean(axis=0), full_matrices=False)
    place = latent[:, :3] if umap else np.full((n, 3), np.nan)
    given = names | {
        "mean": latent.mean(axis=0),
        "direction": component[:N_COMPONENT],
        "explained": (size**2 / np.sum(size**2))[:N_COMPONENT],
        "principal": (latent - latent.mean(axis=0)) @ component[:N_COMPONENT].T,
        "umap_3d": place,
        "umap_2d": place[:, :2],
        "seed": np.arange(3),
        "seed_overlap": np.array([1.0, 0.7, 0.8]) if umap else np.full(3, np.nan),
    }
    return write(folder, "latent_embedding", given, umap_neighbours=5 * umap, min_dist=0.1, **of)


def nearest(place):
    """Indices and distances of the nearest rows."""
    distance = np.sqrt(((place[:, None] - place) ** 2).sum(axis=-1))
    np.fill_diagonal(distance, np.inf)
    order = np.argsort(distance, axis=1)[:, :N_NEIGHBOUR]
    return order, np.take_along_axis(distance, order, axis=1)


def write_neighbours(folder, names, latent, umap, of):
    near, distance = nearest(latent)
    given = names | {f"{space}_neighbour": near for space in ("latent", "invariant")}
    given |= {f"{space}_distance": distance for space in ("latent", "invariant")}
    on_map, on_map_distance = nearest(latent[:, :3])
    shared = np.mean([[k in other for k in own] for own, other in zip(near, on_map, strict=True)], axis=1)
    given |= {
        "umap_neighbour": on_map if umap else np.full(near.shape, -1),
        "umap_distance": on_map_distance if umap else np.full(near.shape, np.nan),
        "overlap": shared if umap else np.full(len(latent), np.nan),
    }
    known = {"trustworthiness": 0.9, "mean_overlap": float(shared.mean())} if umap else {}
    known = {"trustworthiness": np.nan, "mean_overlap": np.nan} | known
    return write(
        folder, "neighbours", given, copies_among_neighbours=0.6, repeats_among_neighbours=np.nan, **known, **of
    )


def write_agn(folder, names, judged, n_agn, of):
    n = len(names["plateifu"])
    galaxy = np.arange(n)[::-1][: 2 * n_agn : 2]
    galaxy = galaxy[np.argsort(judged["rank"][galaxy])]
    flags = {flag: np.arange(galaxy.size) % 4 == k for k, flag in enumerate(FLAGS)}
    flags["agn_bat"][:1] = True
    members = {"all": np.arange(n), "agn": galaxy, **{flag: galaxy[flags[flag]] for flag in FLAGS}}
    value = judged["value"]
    empty = np.full(len(SCORES), np.nan)
    given = {
        "plateifu": names["plateifu"][galaxy],
        "galaxy": galaxy,
        **flags,
        "radio_class": np.where(flags["agn_radio"], "HERG", ""),
        "score": np.array(SCORES),
        "value": value[galaxy],
        "percentile": judged["percentile"][galaxy],
        "neighbour_name": np.full((galaxy.size, 3), "8001-1901"),
        "log_nii_ha": np.full(galaxy.size, -0.1),
        "log_oiii_hb": np.full(galaxy.size, 0.6),
        "bpt_class": np.full(galaxy.size, BptClass.SEYFERT),
        "group": np.array(list(members)),
        "group_size": np.array([len(rows) for rows in members.values()]),
        "group_median": np.array([np.median(value[r], axis=0) if len(r) else empty for r in members.values()]),
        "group_upper": np.array([np.percentile(value[r], 95, axis=0) if len(r) else empty for r in members.values()]),
    }
    return write(folder, "agn", given, **of)


def write_metrics(folder, network):
    path = folder / "metrics.jsonl"
    rows = []
    for epoch in range(6):
        row = {"epoch": epoch, "step": 3 * epoch + 3, "loss": 1.0 / (epoch + 1), "validation_loss": 1.2 / (epoch + 1)}
        row["reconstruction"] = 0.9 * row["loss"] if network == "vae" else row["loss"]
        rows.append(row | ({"divergence": 100.0 * row["loss"]} if network == "vae" else {}))
    path.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    return str(path)


def write_extract(folder, name, rng):
    """An extract with images in three bands, an effective radius and square bins."""
    y, x = np.mgrid[:FIELD, :FIELD] - FIELD / 2
    image = np.exp(-np.hypot(y, rng.uniform(1.0, 2.0) * x) / 3.0)
    row, column = np.mgrid[:FIELD, :FIELD] // BIN
    status = (np.hypot(y, x) > FIELD / 2).astype(np.int8)
    bins = row * (FIELD // BIN) + column
    n_baxel = int(bins.max()) + 1
    sizes = {"baxel": n_baxel, "spaxel_y": FIELD, "spaxel_x": FIELD, "band": 3, "wave": 4, "line": 2, "window_pixel": 2}
    given = {"bin_id": np.where(status, -1, bins), "spaxel_status": status, "signal": image}
    given |= {"band": np.array(["g", "r", "i"]), "image": np.stack([0.5 * image, image, 1.2 * image])}
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.h5"
    about = {"plateifu": name, "mangaid": "1-1", "z": 0.03, "pixel_scale": 0.5, "r_e": 4.0, "pa": 20.0, "ba": 0.6}
    about |= {"x_centre": FIELD / 2, "y_centre": FIELD / 2, "wcs": FRAME.to_header_string(), "psf_fwhm": 2.5}
    data = random_data("extract", sizes, **given)
    artefacts.write(path, "extract", data, artefacts.Provenance(), attributes_of("extract", **about))


def write_labels(folder, names, rng):
    """The table of labels: BPT classes of the bins of each galaxy, some without; galaxies in reverse order."""
    n_baxel = (FIELD // BIN) ** 2
    n = n_baxel * len(names)
    given = {"plateifu": names[::-1], "galaxy": np.repeat(np.arange(len(names)), n_baxel)}
    given |= {"baxel": np.tile(np.arange(n_baxel), len(names))}
    given |= {f"{name}_flag": np.zeros(n, np.uint32) for name in LABEL}
    given["d_bpt"] = np.where(rng.uniform(size=n) < 0.2, np.nan, 0.1)
    given["bpt_class"] = rng.integers(1, len(BptClass), n)
    sizes = {"row": n, "plateifu": len(names), "line": 2, "spaxel_status": 5}
    return write(folder, "labels", random_data("labels", sizes, **given), templates="mastar")


def write_truth(folder, network="ae"):
    """An artefact 'autoencoder_truth': areas under the curve that rise with the strength, higher ones of the network."""
    planted = ("double_nucleus", "offset_agn", "blueberry", "sky_residual")
    n_bin, n_each, n_normal = 4, 20, 50
    edge = np.geomspace(0.1, 1.0, n_bin + 1)
    rise = 0.5 + 0.5 * (edge[1:] / edge[-1]) ** 0.5
    model, score = np.array([0.0, 0.05, 0.03])[:, None, None, None], 0.03 * np.arange(len(SCORES))[:, None]
    bins = np.clip(rise - model - score - 0.02 * np.arange(len(planted))[:, None, None], 0.5, 1.0)
    given = {
        "model": np.array([network, "pca", "pca_turned"]),
        "score": np.array(SCORES),
        "planted": np.array(planted),
        "anomaly": np.array([""] * n_normal + [name for name in planted for _ in range(n_each)]),
        "strength_edge": np.tile(edge, (len(planted), 1)),
        "bin_count": np.full((len(planted), n_bin), n_each // n_bin),
        "bin_auc": bins,
        "auc": bins.mean(axis=-1),
        "auc_error": np.full(bins.shape[:-1], 0.02),
    }
    sizes = {"plateifu": n_normal + n_each * len(planted), "model": 3, "score": len(SCORES), "planted": len(planted)}
    sizes |= {"edge": n_bin + 1, "strength_bin": n_bin, "space": 2}
    return write(folder, "autoencoder_truth", random_data("autoencoder_truth", sizes, **given), network=network)
