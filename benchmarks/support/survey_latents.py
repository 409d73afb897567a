"""What autoencoders say of the line cubes of a simulated survey: latents, anomalies, maps, neighbours, active nuclei.

Latents are a random linear map of five numbers of a galaxy (type, mass, inclination, size, nucleus) with little noise.
The maps that stand in for UMAP are a bent sheet: type along it, mass across it, active nuclei at a distance. Scores are
normal with a scatter of 1; one cube in a hundred has 4 to 12, by a spot of residuals off its centre.
"""

import hashlib

import numpy as np
from support.survey_cubes import LINES, SIDE, in_field, noiseless_cubes
from support.survey_galaxies import Galaxies, is_train
from support.survey_tables import LATENTS, Survey

from mangrove.analysis.active_nuclei import BptPlaces, active_nuclei, groups
from mangrove.analysis.anomaly_reasons import place_in_words, reason
from mangrove.analysis.anomaly_run import percentiles, ranks, typical_and_highest
from mangrove.analysis.anomaly_scores import SCORES
from mangrove.analysis.latent_embedding import principal_components
from mangrove.analysis.latent_neighbours import neighbour_tables, repeats_among_neighbours
from mangrove.artefacts import Artefact
from mangrove.codes import AnomalyCause

NETWORKS = ("ae", "vae")
_N_LATENT, _N_COMPONENT, _N_NEIGHBOUR, _N_SHOWN, _N_SEED = 16, 8, 10, 12, 3
_ANOMALOUS = 0.01
#: Median of each score and its factor on a standard deviation.
_SCALES = np.array([(0.0, 1.0), (0.15, 0.03), (0.22, 0.04), (4.5, 1.2)])


def write_network(survey: Survey, number: int, galaxies: Galaxies, places: BptPlaces) -> None:
    """Write the artefacts of one of the networks.

    Parameters
    ----------
    survey : Survey
    number : int
        Of the network in :data:`NETWORKS`.
    galaxies : Galaxies
        Those with line cubes.
    places : BptPlaces
        Of these.
    """
    network, rng = NETWORKS[number], survey.random(LATENTS, number)
    names = {name: getattr(galaxies, name) for name in ("plateifu", "mangaid", "split")}
    attrs = {"network": network, "model_hash": hashlib.sha256(f"{network} {survey.seed}".encode()).hexdigest()}

    def write(kind: str, data: dict, more: dict | None = None) -> None:
        cubes = [survey.path("line_cube_set")]
        survey.write(kind, data, attrs | (more or {}), cubes, network=network)

    latents = _latents(galaxies, network, rng)
    write("latents", names | latents)
    scores = _anomalies(galaxies, rng)
    write("anomalies", names | scores)
    embedding = _embedding(galaxies, latents["value"], survey.seed, rng)
    about = {"umap_neighbours": 15, "min_dist": 0.1, "umap_version": "simulated"}
    write("latent_embedding", names | embedding, about)
    found, measures = neighbour_tables(latents["value"], latents["invariant"], embedding["umap_3d"], _N_NEIGHBOUR)
    measures["repeats_among_neighbours"] = repeats_among_neighbours(galaxies.mangaid, found["latent_neighbour"])
    write("neighbours", names | found, measures | {"copies_among_neighbours": float("nan")})
    sheet = galaxies.sheet()
    nuclei = active_nuclei(sheet, Artefact("anomalies", scores, {}, ""), found["latent_neighbour"], places)
    write("agn", nuclei | groups(sheet, scores["value"]))


def _latents(galaxies: Galaxies, network: str, rng: np.random.Generator) -> dict[str, np.ndarray]:
    own = np.stack(
        [galaxies.kind, galaxies.log_mass - 10.5, galaxies.ba, np.log10(galaxies.r_e / 7.0), galaxies.has_nucleus],
        axis=1,
    )
    value = own @ rng.standard_normal((own.shape[1], _N_LATENT))
    value += 0.05 * rng.standard_normal(value.shape)
    found = {"value": value, "invariant": value + 0.02 * rng.standard_normal(value.shape)}
    if network == "vae":
        found["log_variance"] = -5.0 + 0.2 * rng.standard_normal(value.shape)
    return found | {"flux_scale": 0.1 * 10 ** (0.4 * (galaxies.log_mass - 10.5)), "active": np.ones(_N_LATENT, np.int8)}


def _embedding(galaxies: Galaxies, value: np.ndarray, seed: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    found = principal_components(value[is_train(galaxies)], _N_COMPONENT)
    bend = 3.0 * galaxies.kind
    across = 2.0 * (galaxies.log_mass - 10.5) + 0.2 * rng.standard_normal(bend.size)
    height = 3.0 * galaxies.has_nucleus + 0.1 * rng.standard_normal(bend.size)
    sheet = np.stack([6.0 * np.cos(bend) + height, across, 6.0 * np.sin(bend) + height], axis=1)
    n_seed = np.arange(_N_SEED)
    return {
        **{name: getattr(found, name) for name in ("mean", "direction", "explained")},
        "principal": found.of(value),
        "umap_3d": sheet,
        "umap_2d": np.stack([4.0 * bend + 0.3 * height, across + height], axis=1),
        "seed": seed + n_seed,
        "seed_overlap": np.where(n_seed == 0, 1.0, 0.5),
    }


def _anomalies(galaxies: Galaxies, rng: np.random.Generator) -> dict[str, np.ndarray]:
    n = galaxies.kind.size
    odd = rng.random(n) < _ANOMALOUS
    score = np.where(odd, rng.uniform(4.0, 12.0, n), rng.standard_normal(n))
    spread = score[:, None] + 0.3 * rng.standard_normal((n, len(SCORES)))
    spread[:, 0] = score
    value = _SCALES[:, 0] + _SCALES[:, 1] * spread
    line_value = _SCALES[:, 0, None] + _SCALES[:, 1, None] * (
        spread[:, :, None] + rng.standard_normal((n, 1, len(LINES)))
    )
    spot, line = rng.integers(6, SIDE - 6, (n, 2)), rng.integers(len(LINES), size=n)
    shown = typical_and_highest(value[:, 0], _N_SHOWN)
    return {
        "score": np.array(SCORES),
        "value": value,
        "percentile": percentiles(value),
        "line": np.array(LINES),
        "line_value": line_value,
        "line_percentile": percentiles(line_value),
        "rank": ranks(value[:, 0]),
        "cause": np.where(rng.random(n) < 0.02, AnomalyCause.SKY_RESIDUAL, 0),
        "reason": np.array([_reason(*one) for one in zip(score, np.array(LINES)[line], spot, strict=True)]),
        "spaxel_score": _spaxel_scores(galaxies, odd, score, spot, rng),
        "shown": shown,
        "reconstruction": noiseless_cubes(galaxies.of(shown)),
    }


def _reason(score: float, line: str, spot: np.ndarray) -> str:
    return reason(score, f"{line} {place_in_words(*spot, SIDE)}", [])


def _spaxel_scores(galaxies: Galaxies, odd, score, spot, rng: np.random.Generator) -> np.ndarray:
    """Residuals over expected errors, float32, shape (n, side, side): about 1, and at the spot of an anomaly its score."""
    image = 1.0 + 0.15 * rng.standard_normal((odd.size, SIDE, SIDE), dtype=np.float32)
    y, x = np.mgrid[:SIDE, :SIDE]
    for i in np.flatnonzero(odd):
        image[i] += score[i] * np.exp(-0.5 * ((y - spot[i, 0]) ** 2 + (x - spot[i, 1]) ** 2) / 4.0)
    return np.where(in_field(galaxies), image, np.float32(np.nan))
