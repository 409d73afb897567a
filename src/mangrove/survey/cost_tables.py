"""The tables of docs/scaling.md: what galaxies and baxels cost, and what that makes for a data release."""

from collections.abc import Callable, Sequence

from mangrove.config import Config
from mangrove.survey import costs, releases
from mangrove.survey.plan import autoencoder_hours, map_hours, on_gpu_hours, plan

#: Cores of the machines of the projections, and whether they have a GPU.
MACHINES = {"8 cores": (8, False), "64 cores": (64, False), "8 cores and one H200": (8, True)}
_RELEASES = ("dr15", "dr17")
#: Of the time of the batched engine over that of the other.
MAX_RATIO = 0.5


def per_galaxy() -> str:
    """Costs of a galaxy by step."""
    rows = [
        (f"`{one.step}`", *map(_plain, one.seconds), f"{one.memory:.2g}", *map(_plain, one.disk))
        for one in costs.PER_GALAXY
    ]
    head = ("step", "core seconds, median", "largest", "memory of a job (GB)", "disk (MB), median", "largest")
    return _table(head, rows)


def per_baxel() -> str:
    """Costs of a fit by template library and engine."""
    rows = [
        (
            one.templates,
            f"{one.batched:.3f} s",
            f"{one.ppxf:.3f} s",
            _held(one.batched / one.ppxf),
            f"{one.plain:.2f} s",
            f"{1000.0 * one.gpu:.2f} ms",
        )
        for one in costs.PER_BAXEL
    ]
    head = ("templates", "`batched`", "`ppxf`", f"ratio (limit {MAX_RATIO:g})", "plain pPXF", "one H200")
    return _table(head, rows)


def releases_fitted() -> str:
    """Fits of whole releases, by library and engine."""
    rows = []
    for one in costs.PER_BAXEL:
        for name in _RELEASES:
            n = releases.release(name).n_cube * costs.BAXELS_PER_GALAXY
            hours = [n * s / 3600.0 for s in (one.ppxf, one.batched, one.batched / 64, one.gpu)]
            rows.append((f"{name.upper()}, {one.templates.partition(',')[0]}", *map(_time, hours)))
    return _table(("fits of", "one core, `ppxf`", "one core, `batched`", "64 cores, `batched`", "one H200"), rows)


def releases_computed() -> str:
    """Wall time of each step of whole releases, by machine."""
    rows = []
    for name in _RELEASES:
        for machine, (cores, has_gpu) in MACHINES.items():
            hours = hours_of(Config(), releases.release(name).n_cube, cores, has_gpu)
            rows.append((f"{name.upper()}, {machine}", *map(_time, (*hours, sum(hours)))))
    head = ("run on", "extracts and the rest", "fits", "map of spectra", "autoencoders", "together")
    return _table(head, rows)


def hours_of(config: Config, n_galaxy: int, cores: int, has_gpu: bool) -> tuple[float, float, float, float]:
    """Hours of the extracts with all that is small, the fits, the map of spectra and the autoencoders of a run.

    Parameters
    ----------
    config : Config
    n_galaxy : int
        Cubes; the share of MaNGA's that lies near enough has a line cube.
    cores : int
    has_gpu : bool
        Whether an H200 fits and trains.
    """
    cost = plan([""] * n_galaxy, config.survey, config.fit)
    n_line_cube = round(costs.LINE_CUBE_SHARE * n_galaxy)
    other = n_galaxy * costs.OTHER_S / 3600.0
    if has_gpu:
        return other / cores, *on_gpu_hours(config, cost.n_fit, n_line_cube)
    training = min(cores, costs.TRAINING_CORES)
    trained = map_hours(config.desom) / training, autoencoder_hours(config, n_line_cube) / training
    return other / cores, (cost.core_hours - other) / cores, *trained


#: Tables by the names that docs give.
TABLES: dict[str, Callable[[], str]] = {
    "per_galaxy": per_galaxy,
    "per_baxel": per_baxel,
    "releases_fitted": releases_fitted,
    "releases_computed": releases_computed,
}


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def _held(ratio: float) -> str:
    return f"{ratio:.2f}{', missed' if ratio > MAX_RATIO else ''}"


def _plain(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:.3g}"


def _time(hours: float) -> str:
    """Days, hours or minutes."""
    if hours >= 48.0:
        return f"{hours / 24.0:.1f} d"
    return f"{hours:.1f} h" if hours >= 1.0 else f"{60.0 * hours:.0f} min"
