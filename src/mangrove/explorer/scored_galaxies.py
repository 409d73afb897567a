"""The galaxies of a run that an autoencoder has scored: scores, causes, active nuclei, redshifts, masses."""

from typing import NamedTuple

import numpy as np
from astropy.table import Table

from mangrove.data_model import KINDS
from mangrove.explorer.downloads import measured
from mangrove.explorer.explored_run import ExploredRun
from mangrove.physics.cosmology import COSMOLOGY
from mangrove.report.autoencoder_sample import AGN_CLASSES, NETWORK_TITLE, causes


class ScoredGalaxies(NamedTuple):
    """The galaxies of a network's artefact 'anomalies', in its order, with what the view of anomalies shows of them.

    Attributes
    ----------
    network : str
        'ae' or 'vae'.
    plateifu, mangaid : ndarray of str, shape (n,)
    scores : tuple of str, length n_score
        The recommended one first.
    value, percentile : ndarray of float32, shape (n, n_score)
        Anomaly scores, and the percentage of all galaxies that have a lower one; NaN without data in the lines.
    cause : ndarray of int, shape (n,)
        Bits of :class:`mangrove.codes.AnomalyCause`.
    reason : ndarray of str, shape (n,)
    agn : ndarray of bool, shape (n, 4), or None
        Active nucleus by each flag of the sample sheet; None where the run has no such table.
    z : ndarray, shape (n,), or None
        Catalogue redshift.
    log_mass : ndarray, shape (n,), or None
        See :func:`field_masses`; None in a run without fits.
    """

    network: str
    plateifu: np.ndarray
    mangaid: np.ndarray
    scores: tuple[str, ...]
    value: np.ndarray
    percentile: np.ndarray
    cause: np.ndarray
    reason: np.ndarray
    agn: np.ndarray | None
    z: np.ndarray | None
    log_mass: np.ndarray | None

    def score(self, name: str) -> np.ndarray:
        """Values of a score, shape (n,)."""
        return self.value[:, self.scores.index(name)]

    def percentile_of(self, name: str) -> np.ndarray:
        """Percentage of all galaxies that have a lower value of a score, shape (n,)."""
        return self.percentile[:, self.scores.index(name)]

    def index(self, plateifu: str) -> int | None:
        """Where a galaxy stands; None if it has no line cube."""
        found = np.flatnonzero(self.plateifu == plateifu)
        return int(found[0]) if found.size else None

    def agn_words(self, galaxy: int) -> str:
        """Classes of the active nucleus by commas; empty without."""
        if self.agn is None:
            return ""
        return ", ".join(kind.word for kind, flag in zip(AGN_CLASSES.values(), self.agn[galaxy], strict=True) if flag)

    def table(self, rows: np.ndarray) -> Table:
        """The table of some galaxies, shape (n,) of indices: as downloads have it, with units."""
        units = {"published": KINDS["latents"].fields["flux_scale"].unit}
        made = Table({"plateifu": self.plateifu[rows], "mangaid": self.mangaid[rows]})
        for name in self.scores:
            made[name] = measured(self.score(name)[rows], units.get(name, "1"))
            made[f"{name}_percentile"] = self.percentile_of(name)[rows]
        made["reason"] = self.reason[rows]
        made["causes"] = np.array([causes(bits) for bits in self.cause[rows]], dtype=str)
        if self.agn is not None:
            made["agn"] = np.array([self.agn_words(k) for k in rows], dtype=str)
        if self.z is not None:
            made["z"] = self.z[rows]
        if self.log_mass is not None:
            made["log_mass"] = measured(self.log_mass[rows], "dex(Msun)")
        return made


def networks(run: ExploredRun) -> list[str]:
    """The networks that have scored galaxies of the run, the plain autoencoder first."""
    return [network for network in NETWORK_TITLE if run.has("anomalies", network=network)]


def scored_galaxies(run: ExploredRun, network: str) -> ScoredGalaxies:
    """What a network of the run says of its galaxies, read once.

    Raises
    ------
    ArtefactError
        If the artefacts are missing, damaged or of another version of mangrove.
    """
    return run.kept(("scored_galaxies", network), lambda: _read(run, network))


def field_masses(run: ExploredRun) -> dict[str, float]:
    """log10 of the stellar mass over M_sun in the field of each galaxy, by plateifu.

    The sum over its baxels of the surface density of stellar mass from the fits times their area on the sky; baxels
    without a density are left out, and galaxies without any are NaN.
    """
    density, area = (run.column("labels", name) for name in ("log_mass_density", "area"))
    names, z, galaxy = (run.column("labels", name) for name in ("plateifu", "z", "galaxy"))
    known = np.isfinite(density) & np.isfinite(area)
    per_arcsec2 = np.bincount(galaxy[known], 10.0 ** density[known].astype(float) * area[known], minlength=names.size)
    kpc_per_arcsec = COSMOLOGY.kpc_proper_per_arcmin(z).value / 60.0
    mass = per_arcsec2 * kpc_per_arcsec**2
    log_mass = np.log10(np.where(mass > 0, mass, np.nan))
    return dict(zip(names.tolist(), log_mass.tolist(), strict=True))


def _read(run: ExploredRun, network: str) -> ScoredGalaxies:
    def column(name: str) -> np.ndarray:
        return run.column("anomalies", name, network=network)

    names = column("plateifu")
    return ScoredGalaxies(
        network=network,
        plateifu=names,
        mangaid=column("mangaid"),
        scores=tuple(column("score").tolist()),
        value=column("value"),
        percentile=column("percentile"),
        cause=column("cause"),
        reason=column("reason"),
        agn=_agn(run, network, names.size),
        z=run.column("line_cube_set", "z") if run.path("line_cube_set").is_file() else None,
        log_mass=_masses(run, names),
    )


def _agn(run: ExploredRun, network: str, n: int) -> np.ndarray | None:
    if not run.path("agn", network=network).is_file():
        return None
    found = np.zeros((n, len(AGN_CLASSES)), bool)
    galaxy = run.column("agn", "galaxy", network=network)
    for k, flag in enumerate(AGN_CLASSES):
        found[galaxy, k] = run.column("agn", flag, network=network) == 1
    return found


def _masses(run: ExploredRun, names: np.ndarray) -> np.ndarray | None:
    if not run.path("labels").is_file():
        return None
    known = run.kept("field_masses", lambda: field_masses(run))
    return np.array([known.get(name, np.nan) for name in names.tolist()])
