"""What earlier runs left: Snakemake's lock, files that were being written, results that would be made differently now."""

import os
from base64 import urlsafe_b64decode
from binascii import Error as NoBase64
from collections.abc import Iterator
from pathlib import Path

from mangrove import staleness
from mangrove.doctor.findings import Examined, Finding, counted, program, shell
from mangrove.doctor.patients import ConfiguredRun, Patients
from mangrove.errors import ConfigError
from mangrove.runs import usable_config
from mangrove.spectra.fit.batched.kept import FOLDER
from mangrove.verification import locked_runs

_LOCKS = Path(".snakemake/locks")
_INCOMPLETE = Path(".snakemake/incomplete")
#: More paths than these are not spelled out in a command.
_FEW = 20
_IF_ALONE = "If no Snakemake is running in this folder (on another machine neither)"


def locks(patients: Patients) -> Examined:
    """Snakemake's lock, and whether the Snakemake that made it still runs here."""
    runs = locked_runs(Path())
    if runs is None:
        return Examined("no lock")
    if running := snakemakes_here():
        return Examined(f"locked by a Snakemake that is running (process {', '.join(map(str, running))})")
    what = f" by run {', '.join(runs)}" if runs else ""
    given = next((run.files for run in patients.runs if run.wanted and run.config and run.galaxies), None)
    files = given or usable_config(runs)
    # Snakemake removes its lock only with a configuration that it would start with.
    command = shell(*program("snakemake"), "--unlock", "--configfile", *files) if files else shell("rm", "-r", _LOCKS)
    text = (
        f"Snakemake's folder is locked{what}. {_IF_ALONE}, one that was killed left the lock. Remove it, and start again: "
        "incomplete files will be remade."
    )
    return Examined("locked", (Finding(text, command),))


def leftovers(patients: Patients) -> Examined:
    """Files of writers that were killed: parts, downloads, fits that wait, outputs that are marked as incomplete."""
    if running := snakemakes_here():
        return Examined(f"not looked for: a Snakemake is running (process {', '.join(map(str, running))})")
    folders = [*patients.folders, *_data_folders(patients)]
    findings = [finding for folder in folders for finding in (*_parts(folder), *_downloads(folder))]
    findings += [finding for folder in patients.folders for finding in _waiting_fits(folder)]
    findings += _incomplete(patients)
    return Examined(counted(len(findings), "kind") + " of leftovers" if findings else "none", tuple(findings))


def artefacts(patients: Patients) -> Examined:
    """Results that the workflow would make differently now."""
    findings, n_run = [], 0
    for folder in patients.folders:
        run = patients.run_of(folder)
        if run is not None:
            findings += _stale(folder, run)
            n_run += 1
    return Examined(f"{counted(n_run, 'run')} compared with the workflow", tuple(findings))


def snakemakes_here() -> list[int]:
    """Processes of this machine that are Snakemake and work in this folder; none where the system does not tell."""
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if _is_snakemake_here(path)]


def _is_snakemake_here(process: Path) -> bool:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
        # Snakemake itself or 'python -m snakemake'; an editor that shows a file of that name is none.
        is_one = any(Path(os.fsdecode(word)).name == "snakemake" for word in words[:3])
        return is_one and (process / "cwd").samefile(Path.cwd())
    except OSError:
        return False


def _data_folders(patients: Patients) -> list[Path]:
    """Where runs keep cubes, as far as these folders are there and not within the results."""
    named = {Path(run.config.survey.data_folder) for run in patients.runs if run.config}
    return sorted(path for path in named if path.is_dir() and Path("results").absolute() not in path.absolute().parents)


def _parts(folder: Path) -> Iterator[Finding]:
    parts = sorted(folder.rglob(".*.part"))
    if parts:
        size = sum(_size(path) for path in parts)
        yield Finding(
            f"{folder} holds {counted(len(parts), 'part')} of writers that were killed, {size / 1e6:.1f} MB. {_IF_ALONE}, "
            "delete them:",
            shell("find", folder, "-depth", "-name", ".*.part", "-exec", "rm", "-r", "{}", "+"),
            stops=False,
        )


def _downloads(folder: Path) -> Iterator[Finding]:
    begun = sorted(folder.rglob(".*.partial"))
    if begun:
        size = sum(_size(path) for path in begun)
        yield Finding(
            f"{folder} holds {counted(len(begun), 'download')} that {'was' if len(begun) == 1 else 'were'} cut, "
            f"{size / 1e6:.1f} MB. The next run goes on with what it needs of them; to fetch from the start instead:",
            shell("find", folder, "-name", ".*.partial*", "-delete"),
            stops=False,
        )


def _waiting_fits(folder: Path) -> Iterator[Finding]:
    waiting = folder / "spectra/fit" / FOLDER
    fits = [path for path in waiting.glob("*") if not path.name.startswith(".")]
    if fits:
        yield Finding(
            f"{waiting} holds {counted(len(fits), 'finished fit')} of a job that was killed. The next run takes "
            "those that are current; to fit these galaxies again instead:",
            shell("rm", "-r", waiting),
            stops=False,
        )


def _incomplete(patients: Patients) -> Iterator[Finding]:
    """Outputs that were being written when Snakemake ended, by run."""
    marked = [path for marker in sorted(_INCOMPLETE.glob("*")) if (path := _marked(marker)) and path.exists()]
    for folder in patients.folders:
        own = [path for path in marked if folder in path.parents]
        run = patients.run_of(folder)
        if not own:
            continue
        few = own if len(own) <= _FEW else []
        yield Finding(
            f"{counted(len(own), 'file')} of {folder} may be incomplete: Snakemake ended while {own[0]}"
            f"{' and others were' if len(own) > 1 else ' was'} written. The next run remakes them; or now:",
            shell(*program("snakemake"), "--cores", _cores(), "--rerun-incomplete", *few, *run.options) if run else "",
        )


def _marked(marker: Path) -> Path | None:
    """The file that a marker of Snakemake stands for; None where its name is not one of Snakemake's."""
    try:
        return Path(urlsafe_b64decode(marker.name).decode())
    except (NoBase64, UnicodeDecodeError):
        return None


def _stale(folder: Path, run: ConfiguredRun) -> list[Finding]:
    try:
        stale = list(staleness.stale_artefacts(folder, staleness.ask_workflow(Path.cwd(), run.files)))
    except ConfigError as error:
        return [Finding(f"{folder} cannot be compared with the workflow: {error}")]
    if not stale:
        return []
    rules = sorted({one.rule for one in stale})
    kinds = dict.fromkeys(f"{one.rule}: {', '.join(one.why)}" for one in stale)
    shown = "; ".join(list(kinds)[:6]) + (" ..." if len(kinds) > 6 else "")
    return [
        Finding(
            f"{folder} holds {counted(len(stale), 'result')} that would be made differently now ({shown}). 'mangrove verify "
            f"{folder.name}' names each. Remake them, and what is made from them:",
            shell(*program("snakemake"), "--cores", _cores(), "--forcerun", *rules, *run.options),
        )
    ]


def _cores() -> int:
    return os.cpu_count() or 1


def _size(path: Path) -> int:
    try:
        files = path.rglob("*") if path.is_dir() else [path]
        return sum(file.stat().st_size for file in files if file.is_file())
    except OSError:
        return 0
