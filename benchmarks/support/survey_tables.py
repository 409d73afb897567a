"""The tables of a simulated survey with a row for each baxel, written block by block: labels, nodes, continua."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from support.survey_baxels import BaxelBlock, draw_baxels, surface_brightness
from support.survey_copies import Copied, path_of
from support.survey_galaxies import Galaxies
from support.survey_prototypes import BINS, Nodes, node_of

from mangrove import artefacts
from mangrove.analysis.active_nuclei import BptPlaces, bpt_places
from mangrove.codes import SpaxelStatus, TrainingCut
from mangrove.models.emulator.emission_lines import LINES, PARTS
from mangrove.physics.dust import calzetti
from mangrove.physics.lines import fit_lines

#: Galaxies whose baxels are in memory at a time.
BLOCK = 200
#: Smallest S/N of the training spectra, as in config.yaml.
MIN_SNR = 10.0
#: What artefacts say of their outcome.
OK = {"status": "ok", "reason": ""}
#: First numbers of the generators of each purpose; 0 is that of the galaxies.
BAXELS, NODES, TEMPLATES, GALAXY_NODES, CUBES, LATENTS, EMULATOR = range(1, 8)
#: Levels of the quantiles of distances that come nearest to all.
_FARTHEST = 1.0 - 1e-6


@dataclass(frozen=True)
class Survey:
    """What all artefacts of a run are made from.

    Attributes
    ----------
    folder : Path
    galaxies : Galaxies
        Those copied first.
    copied : Copied or None
    nodes : Nodes
    unit : float
        Distance in the latent space that 63 % of the baxels do not exceed.
    model_hash : str
        Of the map of spectra.
    seed : int
    """

    folder: Path
    galaxies: Galaxies
    copied: Copied | None
    nodes: Nodes
    unit: float
    model_hash: str
    seed: int

    @property
    def params(self) -> dict[str, int]:
        """What the artefacts say they were made from."""
        return {"n_galaxy": len(self.galaxies.n_baxel), "n_baxel": int(self.galaxies.n_baxel.sum()), "seed": self.seed}

    def path(self, kind: str, **wildcards: str) -> Path:
        """Where an artefact lies."""
        return path_of(self.folder, kind, **wildcards)

    def provenance(self, path: Path, inputs: list | None = None) -> artefacts.Provenance:
        """Provenance of an artefact."""
        return artefacts.provenance(path, self.params, inputs or [])

    def write(self, kind: str, data: dict, attrs: dict, inputs: list[Path], **wildcards: str) -> None:
        """Write a whole artefact."""
        path = self.path(kind, **wildcards)
        artefacts.write(path, kind, data, self.provenance(path, inputs), OK | attrs)

    def random(self, *what: int) -> np.random.Generator:
        """A generator of its own for each purpose and block."""
        return np.random.default_rng([self.seed, *what])

    @property
    def grid(self) -> dict[str, int]:
        """Attributes of artefacts by node."""
        return {"rows": self.nodes.grid.rows, "columns": self.nodes.grid.columns}


def distance_quantiles(levels: np.ndarray, unit: float) -> np.ndarray:
    """Quantiles of the distances of baxels from their nodes: a fraction exp(-(d / unit)^2) lies beyond d."""
    return unit * np.sqrt(-np.log1p(-np.minimum(levels, _FARTHEST)))


def write_tables(survey: Survey, fits: list[Path]) -> BptPlaces:
    """Write the artefacts 'labels', 'desom_assignments' and 'emulator_table' side by side; places in the BPT diagram.

    Parameters
    ----------
    survey : Survey
    fits : list of Path
        Those copied, which the labels are made from.
    """
    places, row = [], 0
    with ExitStack() as stack:
        files = {kind: stack.enter_context(writer) for kind, writer in _writers(survey, fits).items()}
        for kind, columns in _of_galaxies(survey).items():
            for name, values in columns.items():
                files[kind][name][...] = values
        for of, block in _blocks(survey):
            part = slice(row, row + block.galaxy.size)
            for kind, columns in _of_baxels(survey, of, block).items():
                for name, values in columns.items():
                    files[kind][name][part] = values
            places.append(_bpt_places(block, survey.galaxies.plateifu[of]))
            row = part.stop
    return BptPlaces(*(np.concatenate(parts) for parts in zip(*places, strict=True)))


def _writers(survey: Survey, fits: list[Path]) -> dict:
    """The open artefacts by their kind."""
    n = survey.params
    sizes = {"plateifu": n["n_galaxy"], "row": n["n_baxel"], "object": n["n_baxel"], "spaxel_status": len(SpaxelStatus)}
    of_emulator = sizes | {"line": len(LINES), "wave": BINS.n_bin, "edge": BINS.n_bin + 1}
    of_map = survey.grid | {"model_hash": survey.model_hash}
    continua = set(artefacts.declared_names("emulator_table")) - {"log_luminosity", "published_ew"}

    def writer(kind: str, dims: dict, attrs: dict, inputs: list[Path], only: set | None = None):
        path = survey.path(kind)
        return artefacts.writer(path, kind, dims, survey.provenance(path, inputs), OK | attrs, only)

    return {
        "labels": writer("labels", sizes | {"line": len(fit_lines().name)}, {"templates": "mastar"}, fits),
        "desom_assignments": writer("desom_assignments", sizes, of_map, []),
        "emulator_table": writer("emulator_table", of_emulator, {}, [], continua),
    }


def _of_galaxies(survey: Survey) -> dict[str, dict[str, np.ndarray]]:
    """Datasets without a row for each baxel, by kind."""
    galaxies, lines = survey.galaxies, fit_lines()
    faint = galaxies.n_baxel == 0
    names = {name: getattr(galaxies, name).astype(object) for name in ("plateifu", "mangaid")}
    labels = {
        "z": galaxies.z,
        "galaxy_status": np.where(faint, "too_faint", "ok").astype(object),
        "galaxy_reason": np.where(faint, "no spaxel is bright enough", "").astype(object),
        "n_baxel_of_galaxy": galaxies.n_baxel,
        "spaxel_count": _spaxel_counts(survey),
        "line": np.array(lines.name, object),
        "line_wave": lines.wave,
    }
    table = {"bin_edge": np.array(BINS.edges), "wave": BINS.centres, "line": np.array(LINES, object)}
    return {"labels": names | labels, "desom_assignments": names, "emulator_table": table}


def _spaxel_counts(survey: Survey) -> np.ndarray:
    """Spaxels by status, shape (n_galaxy, n_status): of those drawn, a hexagon in its square, 85 % of it in baxels."""
    square = (2 * survey.galaxies.half_width + 1) ** 2
    counts = np.zeros((square.size, len(SpaxelStatus)), int)
    field = (0.65 * square).astype(int)
    counts[:, SpaxelStatus.OUTSIDE_FIELD] = square - field
    counts[:, SpaxelStatus.BINNED] = np.where(survey.galaxies.n_baxel > 0, 0.85 * field, 0)
    counts[:, SpaxelStatus.BELOW_MIN_SNR] = field - counts[:, SpaxelStatus.BINNED]
    if survey.copied is not None:
        counts[: len(survey.copied.spaxel_count)] = survey.copied.spaxel_count
    return counts


def _blocks(survey: Survey) -> Iterator[tuple[slice, BaxelBlock]]:
    """Galaxies by blocks with their baxels: those copied, then those drawn."""
    n, first = len(survey.galaxies.n_baxel), 0
    if survey.copied is not None:
        first = len(survey.copied.galaxies.n_baxel)
        yield slice(0, first), survey.copied.baxels
    for start in range(first, n, BLOCK):
        of = slice(start, min(start + BLOCK, n))
        yield of, draw_baxels(survey.galaxies.of(of), survey.random(BAXELS, start))


def _of_baxels(survey: Survey, of: slice, block: BaxelBlock) -> dict[str, dict[str, np.ndarray]]:
    """The rows of a block of galaxies, by kind."""
    own, rng = survey.galaxies.of(of.start + block.galaxy), survey.random(NODES, of.start)
    galaxy = {"galaxy": of.start + block.galaxy}
    assigned = _assigned(survey, block, own.split, rng)
    continua = {
        "identifier": own.mangaid.astype(object),
        "plateifu": own.plateifu.astype(object),
        "split": own.split,
        "baxel": block.columns["baxel"],
        "flux_bins": _continua(survey.nodes, block, assigned["node"], rng),
        **_equivalent_widths(block.columns),
    }
    return {"labels": block.columns | galaxy, "desom_assignments": assigned | galaxy, "emulator_table": continua}


def _assigned(survey: Survey, block: BaxelBlock, split: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """What the map of spectra says of each baxel."""
    columns, grid = block.columns, survey.nodes.grid
    node = node_of(columns["log_age_lw"], columns["metallicity_lw"], grid)
    placed = node >= 0
    distance = distance_quantiles(rng.random(node.size), survey.unit)
    beside = np.where(node % grid.columns < grid.columns - 1, node + 1, node - 1)
    cut = np.where(columns["snr"] < MIN_SNR, TrainingCut.LOW_SNR, TrainingCut.KEPT)
    values = {
        "distance": distance,
        "second_distance": distance * (1.0 + 0.3 * rng.random(node.size)),
        "typicality": np.exp(-((distance / survey.unit) ** 2)),
        "mse": (0.02 + columns["snr"].astype(float) ** -2.0) * rng.lognormal(0.0, 0.1, node.size),
    }
    return {
        "baxel": columns["baxel"],
        "split": split,
        "cut": np.where(placed, cut, TrainingCut.NO_NORMALISATION),
        "radius_re": columns["radius_re"],
        "snr": columns["snr"],
        "node": node,
        "second_node": np.where(placed, beside, -1),
        **{name: np.where(placed, of, np.nan) for name, of in values.items()},
    }


def _continua(nodes: Nodes, block: BaxelBlock, node: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Stellar continuum in the emulator's bins, shape (n, n_bin): that of the node, behind dust, errors of 1 %."""
    columns = block.columns
    brightness = surface_brightness(columns["log_mass_density"])
    dust = 10 ** (-0.4 * columns["ebv_star"][:, None] * (calzetti(BINS.centres) - calzetti(5500.0)))
    flux = nodes.continuum[node] * brightness[:, None] * dust * rng.normal(1.0, 0.01, (node.size, BINS.n_bin))
    return np.where((node >= 0)[:, None], flux, np.nan)


def _equivalent_widths(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Equivalent widths of the emulator's lines and their inverse variances, shape (n, n_line)."""
    name = fit_lines().name
    parts = [[name.index(part) for part in PARTS[line]] for line in LINES]
    ew = np.stack([columns["line_ew"][:, of].sum(axis=1) for of in parts], axis=1)
    variance = np.stack([(columns["line_ew_err"][:, of] ** 2).sum(axis=1) for of in parts], axis=1)
    return {"ew": ew, "ew_ivar": np.where(np.isfinite(variance), 1.0 / variance, 0.0)}


def _bpt_places(block: BaxelBlock, plateifu: np.ndarray) -> BptPlaces:
    line = np.array(fit_lines().name)
    return bpt_places(block.columns | {"plateifu": plateifu, "galaxy": block.galaxy, "line": line}, plateifu)
