"""Whether the artefacts and models of a run are unchanged, and were made from the inputs that are there now."""

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from mangrove import artefacts, config_files, model_files, staleness
from mangrove.data_model import FIT, LABELS
from mangrove.errors import ArtefactError
from mangrove.logs import first_of


class Verification(NamedTuple):
    """Outcome: number of artefacts and models, and a line for each problem."""

    checked: int
    problems: list[str]


class WorkflowComparison(NamedTuple):
    """Lines for artefacts that would be made differently now, and what they were compared with."""

    problems: list[str]
    note: str


def artefact_files(run: Path) -> list[Path]:
    """All artefacts of a run, sorted."""
    return [p for p in sorted(run.rglob("*.h5")) if ".snakemake" not in p.parts]


def is_run(folder: Path) -> bool:
    """Whether a folder holds an artefact, or logs of jobs that failed before the first one."""
    return any(folder.rglob("*.h5")) or any((folder / "logs").rglob("*.log"))


def verify_run(run: Path) -> Verification:
    """Recompute the hashes of every artefact and model, and compare the recorded hashes of inputs with the inputs.

    Finds damage, hand edits, and artefacts made from an input that has changed since. Inputs that are gone
    (temporary cubes) are not counted as problems.
    """
    files, models = artefact_files(run), model_files.model_folders(run)
    problems = [problem for path in files for problem in _check(path)]
    problems += [
        f"{fault}. Delete {folder} and run again." for folder in models if (fault := model_files.damage(folder))
    ]
    return Verification(len(files) + len(models), problems)


def against_workflow(run: Path, config: list[Path] | None = None) -> WorkflowComparison:
    """Compare the params and the code of a run's artefacts with those that the workflow would use now.

    Parameters
    ----------
    run : Path
        Folder of the run.
    config : list of Path, optional
        Its configuration files over config.yaml; by default the file of configs/ whose key ``run`` is the folder's name.

    Raises
    ------
    ConfigError
        If the configuration is wrong, or the workflow cannot be read with it.
    """
    root = staleness.checkout_of(run)
    if root is None:
        return WorkflowComparison(
            [],
            "Not compared with the workflow: there is no Snakefile here or above the run. Run this command in a checkout.",
        )
    files = config or staleness.config_of(root, run.resolve().name)
    if files is None:
        name = run.resolve().name
        return WorkflowComparison(
            [],
            f"Not compared with the workflow: no file of configs/, or more than one, has 'run: {name}'. Give --config.",
        )
    # Read here first: errors name what is wrong, which Snakemake's do not.
    given = config_files.load([root / "config.yaml", *files]).run
    stale = staleness.stale_artefacts(run, staleness.ask_workflow(root, files))
    problems = [
        f"{one.path}: a run would make it differently now (rule {one.rule}): {', '.join(one.why)}." for one in stale
    ]
    shown = " and ".join(["config.yaml", *(os.path.relpath(file, root) for file in files)])
    other = f", the configuration of run '{given}'" if given != run.resolve().name else ""
    advice = " Snakemake remakes them if it has a record of them; otherwise use --forcerun RULE." if problems else ""
    return WorkflowComparison(problems, f"Compared with what the workflow would use now ({shown}{other}).{advice}")


def check_chain(run: Path, inputs_of_labels: Mapping[str, str], extract: Path, extract_hash: str) -> None:
    """Refuse bins that are not those of the labels: labels are made from fits, and fits from extracts.

    Parameters
    ----------
    run : Path
        Folder of the run.
    inputs_of_labels : mapping of str to str
        Content hashes that the artefact 'labels' has recorded.
    extract : Path
        Artefact 'extract' of a galaxy.
    extract_hash : str
        Its content hash.

    Raises
    ------
    ArtefactError
        If the fit is gone or is not the one of the labels, or the extract is not the one of the fit; the text has the
        command that mends it.
    """
    labels, fit = run / LABELS.path, run / FIT.path.format(plateifu=extract.stem)
    if not fit.is_file():
        raise ArtefactError(
            f"{fit} does not exist, so nothing says whether {labels} belongs to {extract}. {_remake(labels, fit)}"
        )
    with artefacts.opened(fit, "fit") as f:
        inputs_of_fit, fit_hash = json.loads(f.attrs["inputs"]), str(f.attrs["content_hash"])
    check_made_from(labels, inputs_of_labels, fit, fit_hash, labels)
    check_made_from(fit, inputs_of_fit, extract, extract_hash, labels)


def check_made_from(made: Path, inputs: Mapping[str, str], source: Path, source_hash: str, target: Path) -> None:
    """Refuse an artefact that was not made from a source as it is now.

    Parameters
    ----------
    made : Path
        The artefact.
    inputs : mapping of str to str
        Content hashes that it has recorded.
    source : Path
    source_hash : str
        Its content hash.
    target : Path
        What the user asks the workflow for, to have it made again.

    Raises
    ------
    ArtefactError
        If it was made from another version of the source, or without it.
    """
    expected = inputs.get(os.path.relpath(source, made.parent))
    if expected != source_hash:
        how = "without" if expected is None else "from another version of"
        raise ArtefactError(f"{made} was made {how} {source}. {_remake(target, made)}")


def count_statuses(run: Path) -> Counter:
    """Counts of (kind, status, reason) over the artefacts of a run; those that cannot be read are 'unreadable'."""
    counts: Counter = Counter()
    unreadable: dict[str, list[str]] = {}
    for path in artefact_files(run):
        try:
            with artefacts.opened(path) as f:
                counts[tuple(str(f.attrs[name]) for name in ("kind", "status", "reason"))] += 1
        except (ArtefactError, KeyError, OSError) as error:
            text = _fault(path, error)
            unreadable.setdefault(text.replace(str(path), ""), []).append(text)
    for texts in unreadable.values():
        counts["artefact", "unreadable", first_of(texts)] = len(texts)
    return counts


def locked_runs(work: Path) -> list[str] | None:
    """Names of the runs whose files Snakemake's lock in a folder names; None if it is not locked."""
    locks = [path for path in (work / ".snakemake/locks").glob("*") if path.is_file()]
    if not locks:
        return None
    lines = (Path(line.strip()).parts for lock in locks for line in lock.read_text(encoding="utf-8").splitlines())
    return sorted({parts[1] for parts in lines if len(parts) > 2 and parts[0] == "results"})


def _remake(target: Path, artefact: Path) -> str:
    """What remakes an artefact and all between it and a target, whatever the times of the files are."""
    return (
        f"Remake it, and what is made from it, with\n"
        f"  snakemake {target} --forcerun {artefact} --cores 8 --configfile configs/YOUR.yaml\n"
        "where YOUR.yaml is the configuration of the run."
    )


def _check(path: Path) -> list[str]:
    problems = []
    try:
        with artefacts.opened(path) as f:
            recorded, inputs = f.attrs["content_hash"], json.loads(f.attrs["inputs"])
            if artefacts.content_hash(f) != recorded:
                problems.append(f"{path}: content differs from its recorded hash. Delete it and run again.")
    except (ArtefactError, KeyError, OSError) as error:
        return [_fault(path, error)]
    for name, expected in inputs.items():
        source = path.parent / name
        if source.is_file() and _current_hash(source) != expected:
            problems.append(f"{path}: made from another version of {source}. Run the workflow again.")
    return problems


def _current_hash(source: Path) -> str:
    """Hash of an input as it is now; empty, and so never the recorded one, if it cannot be read.

    That of an artefact is the recorded one: whether it is right is said of the artefact itself.
    """
    try:
        return artefacts.recorded_hash(source) or artefacts.input_hash(source)
    except (ArtefactError, OSError):
        return ""


def _fault(path: Path, error: Exception) -> str:
    """Why an artefact cannot be read, with its path once."""
    text = str(error)
    return text if str(path) in text else f"{path}: {text}. Delete it and run again."
