"""What the autoencoders make of a run's line cubes, as tables and arrays: latents, maps, neighbours, anomalies, active
nuclei."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

from mangrove import artefacts
from mangrove.artefacts import Artefact
from mangrove.codes import AnomalyCause, BptClass, Code, Split
from mangrove.data_model import KINDS
from mangrove.errors import ArtefactError
from mangrove.near_names import closest
from mangrove.survey.galaxy import AGN_FLAGS

if TYPE_CHECKING:
    import xarray as xr

#: Spaces in which galaxies have neighbours: latents, their mean over flips and turns, the map in three dimensions.
SPACES = ("latent", "invariant", "umap")
_NAMES = ("plateifu", "mangaid")


class LatentSpaceResults:
    """What the autoencoders of a run make of its line cubes; the run needs no spectra.

    All methods raise ArtefactError if the run has no such network (ae, vae), or lacks the artefact.

    Attributes
    ----------
    folder : Path
        results/RUN.
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)

    def latents(self, network: str) -> "xr.Dataset":
        """Latents of every line cube over (plateifu, latent).

        Returns
        -------
        Dataset
            value, invariant (mean over the 8 flips and quarter turns), flux_scale, active; of the variational network,
            log_variance too.
        """
        import xarray as xr  # slow to import, and the explorer does without it

        stored = self._read("latents", network)
        about = {name: ("plateifu", stored[name]) for name in _NAMES}
        about["split"] = ("plateifu", _words(stored, "split", Split))
        values = {
            name: (field.dims, stored[name], {"units": field.unit, "long_name": field.meaning})
            for name, field in KINDS["latents"].fields.items()
            if name in stored.data and name not in about
        }
        return xr.Dataset(values, about, {"network": network})

    def embedding(self, network: str) -> Table:
        """Places of the galaxies on the maps of the latents, one row per line cube.

        Columns: plateifu, mangaid, split, principal (components, as many numbers as there are), umap_3d, umap_2d; NaN
        where there is no map. Its ``meta`` has the variance that each component explains and the fraction of neighbours
        that maps of other seeds share. To place other latents see :func:`mangrove.analysis.latent_embedding.refit`.
        """
        stored = self._read("latent_embedding", network)
        table = Table({name: stored[name] for name in _NAMES} | {"split": _words(stored, "split", Split)})
        for name in ("principal", "umap_3d", "umap_2d"):
            table[name] = stored[name]
            table[name].description = KINDS["latent_embedding"].fields[name].meaning
        table.meta = {"explained": stored["explained"], "seed_overlap": stored["seed_overlap"]}
        return table

    def neighbours(self, plateifu: str, network: str = "ae", space: str = "latent", n: int = 10) -> Table:
        """The nearest galaxies of a galaxy, nearest first; at most as many as the run keeps (``embedding.n_neighbour``).

        Parameters
        ----------
        plateifu : str
        network : {"ae", "vae"}
        space : {"latent", "invariant", "umap"}
            Where distances are measured: latents, their mean over the 8 flips and quarter turns, or the map umap_3d.
        n : int

        Returns
        -------
        Table
            rank from 1, plateifu, mangaid, Euclidean distance, z, and percentile: the percentage of all galaxies that
            have a lower anomaly score, the recommended one. ``meta`` has the fraction of the neighbours by latents that
            are so on the map (overlap), and how many neighbours the run keeps (n_kept).

        Raises
        ------
        ArtefactError
            If the run has no such galaxy or space, the galaxy has no neighbours there, or files are of other networks.
        """
        if space not in SPACES:
            raise ArtefactError(f"no space '{space}'; neighbours are known in {', '.join(SPACES)}.")
        stored = self._read("neighbours", network)
        scores = self._read("anomalies", network, ["score", "percentile"])
        if stored.attrs["model_hash"] != scores.attrs["model_hash"]:
            raise ArtefactError(
                f"neighbours and anomalies of {self.folder} come from different trainings of '{network}'; finish the run "
                "with snakemake."
            )
        galaxy = self._index(stored, plateifu)
        index = stored[f"{space}_neighbour"][galaxy][:n]
        index = index[index >= 0]
        if not index.size:
            raise ArtefactError(self._why_none(stored, galaxy, space, network))
        z = artefacts.read(self.folder / KINDS["line_cube_set"].path, "line_cube_set", ["z"])["z"]
        table = Table({"rank": np.arange(1, index.size + 1)} | {name: stored[name][index] for name in _NAMES})
        table["distance"] = stored[f"{space}_distance"][galaxy][: index.size]
        table["z"] = z[index]
        table["percentile"] = scores["percentile"][index, 0]
        table["percentile"].description = f"percentage of galaxies with a lower score ({scores['score'][0]})"
        table.meta = {"overlap": float(stored["overlap"][galaxy]), "n_kept": stored[f"{space}_neighbour"].shape[1]}
        return table

    def anomalies(self, network: str = "ae", score: str | None = None) -> Table:
        """How anomalous each galaxy is, and why; the most anomalous first, those without data in the lines last.

        Parameters
        ----------
        network : {"ae", "vae"}
        score : str, optional
            By which they are ordered; by default the recommended one.

        Returns
        -------
        Table
            rank from 1, plateifu, mangaid, split; each score with its percentile; reason in words, and causes other than
            the galaxy, by name, which are empty where none was found.

        Raises
        ------
        ArtefactError
            If the run has no such score, or no model of the network.
        """
        stored = self._read("anomalies", network)
        names = stored["score"].tolist()
        if not stored.ok:
            raise ArtefactError(f"{self.folder} has no anomaly scores of '{network}': {stored.attrs['reason']}.")
        if score is not None and score not in names:
            raise ArtefactError(f"no anomaly score '{score}'; there are {', '.join(names)}.")
        value = stored["value"][:, names.index(score or names[0])]
        order = np.argsort(-np.nan_to_num(value, nan=-np.inf), kind="stable")
        table = Table({"rank": np.arange(1, order.size + 1)} | {name: stored[name][order] for name in _NAMES})
        table["split"] = _words(stored, "split", Split)[order]
        for i, name in enumerate(names):
            table[name], table[f"{name}_percentile"] = stored["value"][order, i], stored["percentile"][order, i]
        table["reason"] = stored["reason"][order]
        table["causes"] = np.array([AnomalyCause(int(bits)).words for bits in stored["cause"][order]], dtype=str)
        return table

    def active_nuclei(self, network: str) -> Table:
        """Galaxies that the sample sheet flags as active nuclei, the most anomalous first.

        Columns: plateifu, the flags and the class of a radio AGN; each anomaly score with its percentile; mean place in
        the BPT diagram and its class; names of the neighbours by latents. The table ``meta["groups"]`` has the number of
        galaxies, the median and the 95th percentile of each score for all galaxies, active nuclei, and each flag.
        """
        stored = self._read("agn", network)
        table = Table({name: stored[name] for name in ("plateifu", *AGN_FLAGS, "radio_class")})
        groups = Table({"group": stored["group"], "n": stored["group_size"]})
        for i, score in enumerate(stored["score"].tolist()):
            table[score], table[f"{score}_percentile"] = stored["value"][:, i], stored["percentile"][:, i]
            groups[f"{score}_median"] = stored["group_median"][:, i]
            groups[f"{score}_p95"] = stored["group_upper"][:, i]
        for name in ("log_nii_ha", "log_oiii_hb"):
            table[name] = stored[name]
            table[name].unit = "dex"
        table["bpt_class"] = _words(stored, "bpt_class", BptClass)
        table["neighbours"] = stored["neighbour_name"]
        table.meta = {"groups": groups}
        return table

    def _read(self, kind: str, network: str, only: list[str] | None = None) -> Artefact:
        path = self.folder / KINDS[kind].path.format(network=network)
        known = sorted(found.parent.name for found in path.parents[1].glob(f"*/{path.name}"))
        if known and network not in known:
            raise ArtefactError(f"{self.folder} has no autoencoder '{network}'; it has {', '.join(known)}.")
        if not known:
            raise ArtefactError(
                f"{path} does not exist: the run has no autoencoder, or has not finished. Finish it with snakemake; "
                "autoencoder.enabled in its configuration must be true."
            )
        return artefacts.read(path, kind, only)

    def _index(self, stored: Artefact, plateifu: str) -> int:
        names = stored["plateifu"].tolist()
        if plateifu not in names:
            near = f"; the nearest names are {', '.join(closest(plateifu, names))}" if names else ""
            raise ArtefactError(f"{self.folder} has no line cube of '{plateifu}'{near}.")
        return names.index(plateifu)

    def _why_none(self, stored: Artefact, galaxy: int, space: str, network: str) -> str:
        """Why a galaxy has no neighbours in a space."""
        plateifu = stored["plateifu"][galaxy]
        if space == "umap" and (reason := self._read("latent_embedding", network).attrs["reason"]):
            return f"{plateifu} has no neighbours on the map, for there is none: {reason}."
        if (stored[f"{space}_neighbour"] < 0).all():
            return f"no galaxy has neighbours: {stored.attrs['reason'] or 'fewer than two line cubes have latents'}."
        return f"{plateifu} has no neighbours: its line cube has no data in the lines of the network."


def _words(stored: Artefact, name: str, codes: type[Code]) -> np.ndarray:
    return np.array([codes(code).word for code in stored[name]], dtype=str)
