"""What a run needs before it starts: a configuration, galaxies, templates, the archive, room on disk."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx

from mangrove import config_files
from mangrove.doctor.findings import Examined, Finding, counted, program, shell
from mangrove.doctor.installation import bring_back
from mangrove.doctor.patients import ConfiguredRun, Patients
from mangrove.errors import MangroveError, TemplateError
from mangrove.ssp.loading import EMBEDDED, load_library
from mangrove.survey import plan, releases
from mangrove.survey.archive.download import local_path
from mangrove.survey.sample import read_sheet
from mangrove.user_cache import user_cache

#: Seconds for an answer of the archive.
_PATIENCE = 5.0


def configuration(patients: Patients) -> Examined:
    """Whether Snakemake would start: configuration, sample sheet, the emulator's table."""
    findings = [finding for run in patients.runs for finding in _of_config(run)]
    for folder in patients.unknown:
        text = f"no file of configs/, or more than one, has 'run: {folder.name}', so {folder} is not compared with anything."
        findings.append(Finding(f"{text} Name its configuration: mangrove doctor --config FILE.", stops=False))
    names = ", ".join(f"'{run.name}'" for run in patients.runs if run.wanted and run.config)
    nothing = "no run here, and no --config; looked at the defaults"
    return Examined(f"run {names}" if names else nothing, tuple(findings))


def templates(patients: Patients) -> Examined:
    """Whether the template libraries can be read."""
    named = {
        name: None
        for run in patients.runs
        if run.config
        for name in (run.config.fit.templates, run.config.report.truth_library)
        if name
    }
    findings = []
    for name in named:
        try:
            load_library(name)
        except TemplateError as error:
            mend = bring_back(["mastar_ssp.h5"]) if name == EMBEDDED else ""
            findings.append(Finding(f"{error}" + (" Bring it back:" if mend else ""), mend))
    return Examined(", ".join(named) or "none needed", tuple(findings))


def archive(patients: Patients) -> Examined:
    """Whether the files that runs still have to fetch are where the configuration says."""
    asked: dict[str, list[Finding]] = {}
    for run in patients.runs:
        for place in _places(run):
            asked.setdefault(place, list(_reach(place, run)))
    findings = tuple(finding for found in asked.values() for finding in found)
    return Examined(", ".join(asked) or "nothing to fetch", findings)


def disk(patients: Patients) -> Examined:
    """Whether there is room for what runs will write, and for the files that Snakemake keeps in the home directory."""
    findings = [finding for run in patients.runs if run.config for finding in _too_full(run)]
    free = shutil.disk_usage(_existing(Path("results"))).free
    return Examined(f"{free / 1e9:.1f} GB free for results", (*findings, *_cache()))


def _of_config(run: ConfiguredRun) -> Iterator[Finding]:
    if run.config is None:
        yield Finding(f"{run.error}")
        return
    if not run.wanted:
        return
    try:
        config_files.check(run.config)
        if run.config.survey.source != "none":
            read_sheet(run.config)
    except MangroveError as error:
        # 'mangrove select' makes a sheet where a catalogue says what there is; others are written by hand.
        absent = run.config.survey.source != "files" and not run.config.sheet.is_file()
        given = [word for file in run.files for word in ("--config", str(file))]
        yield Finding(f"{error}", shell(*program("mangrove"), "select", *given) if absent and given else "")


def _places(run: ConfiguredRun) -> list[str]:
    """Addresses and folders from which a run fetches what it lacks."""
    if run.config is None or run.config.survey.source not in ("sdss", "files"):
        return []
    if run.galaxies and not run.unfinished:
        return []
    survey = run.config.survey
    return [survey.base, *filter(None, [survey.mirror])]


def _reach(place: str, run: ConfiguredRun) -> Iterator[Finding]:
    folder = local_path(place)
    if folder is not None:
        if not folder.is_dir():
            yield Finding(
                f"the folder {folder} of run '{run.name}' does not exist. Mount it, or correct survey.base or survey.mirror.",
                stops=run.wanted,
            )
        return
    url = releases.address(place, releases.release(run.config.survey.release).folder + "/")
    if problem := _no_answer(url):
        yield Finding(
            f"{url}: {problem}. Check the connection, HTTPS_PROXY and SSL_CERT_FILE (docs/troubleshooting.md), or set "
            "survey.base or survey.mirror to a copy.",
            stops=run.wanted,
        )


def _no_answer(url: str) -> str:
    """Why an address cannot be had; empty if the server has it."""
    try:
        answer = httpx.head(url, timeout=_PATIENCE, follow_redirects=True)
    # Certificates, proxies and addresses that cannot be read raise errors of many kinds: all mean no answer.
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        return f"no answer ({error or type(error).__name__})"
    return f"the server answers {answer.status_code}" if answer.status_code >= httpx.codes.BAD_REQUEST else ""


def _too_full(run: ConfiguredRun) -> Iterator[Finding]:
    """File systems without room for what the galaxies that are not extracted yet need."""
    survey, names = run.config.survey, run.unfinished
    if survey.source in ("none", "files") or not names:
        return
    cost = plan.plan(names, survey, run.config.fit)
    cubes = cost.download_gb if survey.keep_cubes else 0.0
    needs: dict[int, float] = {}
    places: dict[int, Path] = {}
    for folder, need in ((Path("results"), cost.disk_gb - cubes), (Path(survey.data_folder), cubes)):
        place = _existing(folder)
        device = place.stat().st_dev
        needs[device] = needs.get(device, 0.0) + need
        places.setdefault(device, folder)
    for device, need in needs.items():
        free = shutil.disk_usage(_existing(places[device])).free / 1e9
        if need > free:
            yield Finding(
                f"run '{run.name}' will write about {need:.1f} GB for {counted(len(names), 'galaxy', 'galaxies')} to "
                f"{places[device]}, where {free:.1f} GB are free. Make room, or set survey.keep_cubes: false, "
                "survey.data_folder to another disk, or sample.limit."
            )


def _cache() -> Iterator[Finding]:
    """Snakemake and matplotlib keep files in the user's cache, and do not start without one."""
    place = user_cache()
    existing = _existing(place)
    if not (existing.is_dir() and os.access(existing, os.W_OK)):
        yield Finding(
            f"{place}, where Snakemake keeps files, cannot be written. Give it another place:",
            f"export XDG_CACHE_HOME={shell(Path.cwd() / '.snakemake/cache')}",
        )


def _existing(path: Path) -> Path:
    """A path, or the first above it that exists."""
    path = path.absolute()
    return next(one for one in (path, *path.parents) if one.exists())
