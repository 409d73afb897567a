"""What a run will cost, before it starts."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mangrove import paths
from mangrove.config import Config, Fit, Survey
from mangrove.config_maps import DesomSection
from mangrove.errors import SampleError
from mangrove.survey import costs, releases
from mangrove.survey.galaxy import Galaxy
from mangrove.survey.releases import split_plateifu
from mangrove.survey.sample import read_sheet

#: Runs of at least this many galaxies print their planned cost before they start.
LARGE = 100


class Plan(NamedTuple):
    """Core hours, gigabytes to fetch, gigabytes that stay on disk, and the number of fits."""

    core_hours: float
    download_gb: float
    disk_gb: float
    n_fit: int


def plan(names: Iterable[str], survey: Survey, fit: Fit) -> Plan:
    """Time and disk of a run from nothing without a GPU, for the galaxies of these names (plateifus)."""
    fit_s = fit_seconds(fit)
    if survey.source == "simulated_spectra":
        n_baxel = survey.simulated_baxels * len(list(names))
        return Plan(n_baxel * (fit_s + costs.SIMULATE_S) / 3600.0, 0.0, n_baxel * costs.BAXEL_BYTES / 1e9, n_baxel)
    if survey.source == "simulated_line_cubes":
        n_cube = len(list(names))
        return Plan(n_cube * costs.SIMULATE_CUBE_S / 3600.0, 0.0, n_cube * costs.LINE_CUBE_BYTES / 1e9, 0)
    cubes = [cube_bytes(name) for name in names]
    n_fit = costs.BAXELS_PER_GALAXY * len(cubes)
    seconds = n_fit * fit_s + len(cubes) * costs.OTHER_S
    disk = len(cubes) * costs.ARTEFACT_BYTES + sum(cubes) * survey.keep_cubes
    return Plan(seconds / 3600.0, sum(cubes) / 1e9, disk / 1e9, n_fit)


def fit_seconds(fit: Fit) -> float:
    """Core seconds of a fit by the engine chosen, reading and compiling included."""
    return costs.RESERVE * getattr(_fit_cost(fit), fit.engine)


def _fit_cost(fit: Fit) -> costs.FitCost:
    """Of the embedded templates, or of the larger libraries of users."""
    return costs.PER_BAXEL[fit.templates != Fit().templates]


def without_baxels(survey: Survey) -> bool:
    """Whether the run is the autoencoders on simulated line cubes alone."""
    return survey.source == "simulated_line_cubes"


def map_hours(desom: DesomSection) -> float:
    """Core hours of the training of the map of spectra without a GPU; 0 where the run has no maps.

    For a network of the default sizes and whole batches: a smaller network, or fewer spectra than a batch, takes less.
    """
    return _spectra_seen(desom) * costs.MAP_S / 3600.0


def autoencoder_hours(config: Config, n_cube: int) -> float:
    """Core hours of training the autoencoders without a GPU; 0 where the run has none.

    For networks of the default sizes on all lines: smaller ones, or fewer lines, take less.
    """
    return _cubes_seen(config, n_cube) * costs.CUBE_S / 3600.0


def on_gpu_hours(config: Config, n_fit: int, n_cube: int) -> tuple[float, float, float]:
    """Hours of the fits, of training the map of spectra and of training the autoencoders, all on one H200.

    With fit.engine: ppxf, the fits are those of the batched engine all the same.
    """
    seconds = (
        n_fit * _fit_cost(config.fit).gpu,
        _spectra_seen(config.desom) * costs.MAP_GPU_S,
        _cubes_seen(config, n_cube) * costs.CUBE_GPU_S,
    )
    return tuple(each / 3600.0 for each in seconds)


def _spectra_seen(desom: DesomSection) -> int:
    """Spectra of all training steps of the map."""
    return (desom.pretraining + desom.iterations) * desom.batch_size if desom.enabled else 0


def _cubes_seen(config: Config, n_cube: int) -> int:
    """Cubes, copies among them, of all training steps of all autoencoders."""
    section = config.autoencoder
    steps = len(section.networks) * section.epochs * (1 + config.augmentation.copies) * n_cube
    return steps if section.enabled else 0


def describe(config: Config, cores: int, rate: float, addresses: bool = False) -> list[str]:
    """What a run fetches, keeps and computes, in words.

    Parameters
    ----------
    config : Config
        Without a sample sheet, the whole data release is described.
    cores : int
        Processor cores.
    rate : float
        Of the download, MB/s.
    addresses : bool
        Whether to list the address of every cube, instead of the first and the last.
    """
    survey, release = config.survey, releases.release(config.survey.release)
    if survey.source == "none":
        return [f"run '{config.run}': no cubes (survey.source is none), the emulator on {config.emulator.desi_file}"]
    if survey.source in ("simulated_spectra", "simulated_line_cubes"):
        return _describe_without_cubes(config, cores)
    if survey.source == "sdss" and not config.sheet.is_file():
        names = (config.sample.plateifus or [""] * release.n_cube)[: config.sample.limit]
        cost, n_cube = plan(names, survey, config.fit), round(costs.LINE_CUBE_SHARE * len(names))
        what = f"about {len(names)} cubes of {release.name.upper()}; {config.sheet} is not written yet"
        urls = [releases.address(survey.base, f"{release.folder}/PLATE/stack/manga-PLATE-IFU-LOGCUBE.fits.gz")]
    else:
        galaxies = read_sheet(config)
        cost, n_cube = plan(galaxies, survey, config.fit), line_cubes_of(galaxies)
        what = f"{len(galaxies)} cubes of {len({g.mangaid for g in galaxies.values()})} galaxies"
        urls = [paths.below(survey.base, g.path or release.cube_path(g.plateifu)) for g in galaxies.values()]
    shown = urls if addresses or len(urls) == 1 else [urls[0], "...", urls[-1]]
    where = ["cubes      simulated on this machine"]
    if survey.source != "simulated":
        where = [f"catalogue  {releases.address(survey.base, release.drpall_path)}"] * (survey.source == "sdss")
        where += [f"cube       {url}" for url in shown]
        where += [
            f"download   about {cost.download_gb:.1f} GB, {_time(cost.download_gb / 3.6 / rate)} at {rate:g} MB/s"
        ]
    return [
        f"run '{config.run}': {what}",
        *where,
        f"disk       about {cost.disk_gb:.1f} GB (keep_cubes: {str(survey.keep_cubes).lower()})",
        *_computing(cost, config, n_cube, cores),
    ]


def line_cubes_of(galaxies: Mapping[str, Galaxy]) -> int:
    """Number of the galaxies of a sample sheet that are of the autoencoders' sample."""
    return sum(galaxy.convlstm for galaxy in galaxies.values())


def _describe_without_cubes(config: Config, cores: int) -> list[str]:
    """The same of simulated spectra or line cubes."""
    galaxies = read_sheet(config)
    cost = plan(galaxies, config.survey, config.fit)
    each = "line cubes" if without_baxels(config.survey) else f"{config.survey.simulated_baxels} spectra each"
    return [
        f"run '{config.run}': {each} of {len(galaxies)} galaxies, simulated on this machine",
        f"disk       about {cost.disk_gb:.1f} GB",
        *_computing(cost, config, line_cubes_of(galaxies), cores),
    ]


def _computing(cost: Plan, config: Config, n_cube: int, cores: int) -> list[str]:
    """Time of the galaxies, and that of the trainings, on two cores whatever the run has."""
    lines = [f"computing  about {cost.core_hours:.1f} core hours, {_time(cost.core_hours / cores)} on {cores} cores"]
    fits, of_map, of_cubes = on_gpu_hours(config, cost.n_fit, n_cube)
    if cost.n_fit:
        hours = cost.n_fit * fit_seconds(config.fit) / 3600.0
        on_gpu = f"; on one H200 about {_time(fits)}" if config.fit.engine == "batched" else ""
        lines.append(f"fits       {cost.n_fit}, about {hours:.1f} of these core hours{on_gpu}")
    at_most = min(cores, costs.TRAINING_CORES)
    where = f"of training on {at_most} {'core' if at_most == 1 else 'cores'}; on one H200 about"
    if hours := 0.0 if without_baxels(config.survey) else map_hours(config.desom):
        lines.append(f"map        about {_time(hours / at_most)} {where} {_time(of_map)}")
    if hours := autoencoder_hours(config, n_cube):
        lines.append(f"line cubes about {_time(hours / at_most)} {where} {_time(of_cubes)}")
    return lines


def cube_bytes(name: str) -> float:
    """Expected size of a galaxy's cube; the IFU design begins with its number of fibres (12704: 127)."""
    try:
        ifu = split_plateifu(name)[1]
    except SampleError:
        return costs.TYPICAL_CUBE_BYTES
    return costs.CUBE_BYTES.get(ifu // 100, costs.TYPICAL_CUBE_BYTES)


def _time(hours: float) -> str:
    """In words; below an hour in minutes."""
    return f"{hours:.1f} hours" if hours >= 1.0 else f"{max(1, round(60.0 * hours))} min"
