"""Whether artefacts were made with the params and by the code that a run would use now.

Snakemake sees such changes as long as it has its own record of a file, in ``.snakemake/metadata``. A results folder that
was copied or restored has none, and what lies there counts as made. The artefacts know better: their attributes hold
the params of their rule, and the code hash among them.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import yaml

from mangrove.errors import ConfigError

#: Environment variable that names the file to which the workflow writes what it would use (rules/common.smk).
TELL = "MANGROVE_TELL_PARAMS"
_ABSENT = object()


class Expected(NamedTuple):
    """What a rule would write now.

    Attributes
    ----------
    rule : str
    params : dict
        Those that all its outputs share.
    files : dict of dict
        Params of each output's own, by its path in the folder of the run.
    """

    rule: str
    params: Mapping[str, Any]
    files: Mapping[str, Mapping[str, Any]]


class Stale(NamedTuple):
    """An artefact that a run would make differently; ``why`` says in what, params by name."""

    path: Path
    rule: str
    why: tuple[str, ...]


def stale_artefacts(run: Path, expected: Iterable[Expected]) -> Iterator[Stale]:
    """The artefacts of a run that would be made differently now, leaving out those that are absent or record nothing."""
    for one in expected:
        for name, own in one.files.items():
            recorded = recorded_params(run / name)
            why = () if recorded is None else differences(recorded, {**one.params, **own})
            if why:
                yield Stale(run / name, one.rule, why)


def recorded_params(path: Path) -> dict[str, Any] | None:
    """Params with which an artefact or a model folder was made; None if it is absent, unreadable or without a record."""
    try:
        if path.suffix == ".json":
            return json.loads(path.read_text(encoding="utf-8"))["training"]["made_from"]["params"]
        with h5py.File(path, "r") as f:
            return json.loads(f.attrs["params"])
    except (OSError, KeyError, TypeError, ValueError):
        return None


def differences(recorded: Mapping[str, Any], current: Mapping[str, Any]) -> tuple[str, ...]:
    """How two sets of params differ, in words ('target_snr 30.0 (was 40.0)'); code first."""
    current = json.loads(json.dumps(dict(current)))
    changed = [key for key in sorted({*recorded, *current}) if _get(recorded, key) != _get(current, key)]
    words = ["code"] if "code" in changed else []
    return (*words, *(f"{k} {_shown(current, k)} (was {_shown(recorded, k)})" for k in changed if k != "code"))


def ask_workflow(root: Path, files: list[Path]) -> list[Expected]:
    """Ask the workflow what it would use now: Snakemake reads its rules and makes no plan, in seconds for any survey.

    Parameters
    ----------
    root : Path
        The checkout: the folder of the Snakefile.
    files : list of Path
        Configuration files over config.yaml.

    Raises
    ------
    ConfigError
        If the workflow cannot be read with them.
    """
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "params.json"
        given = ["--configfile", *(str(file.resolve()) for file in files)] if files else []
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", "--list-rules", *given],
            cwd=root, env=os.environ | {TELL: str(target)}, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode or not target.is_file():
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise ConfigError("the workflow cannot be read:\n" + "\n".join(said[-12:]))
        return [Expected(*one) for one in json.loads(target.read_text(encoding="utf-8"))]


def write_expected(target: str, expected: Iterable[Expected]) -> None:
    """Write what :func:`ask_workflow` reads."""
    Path(target).write_text(json.dumps(list(expected)), encoding="utf-8")


def checkout_of(run: Path) -> Path | None:
    """The checkout that a run belongs to: the folder above its results/, else the current one; None if there is none."""
    for folder in (run.resolve().parent.parent, Path.cwd()):
        if (folder / "Snakefile").is_file() and (folder / "config.yaml").is_file():
            return folder
    return None


def config_of(root: Path, run: str) -> list[Path] | None:
    """The configuration file of a run by its key ``run``: one of configs/, or none where config.yaml has it.

    None if no file or more than one has that key.
    """
    named = [file for file in sorted((root / "configs").glob("*.y*ml")) if _run_of(file) == run]
    if not named and _run_of(root / "config.yaml") == run:
        return []
    return named if len(named) == 1 else None


def unrecorded_stale(run: Path, expected: Iterable[Expected], has_record) -> tuple[list[Stale], int]:
    """Stale artefacts that Snakemake has no record of, and how many without a record were looked at.

    Parameters
    ----------
    has_record : callable
        Whether Snakemake has a record of a path.
    """
    checked = 0
    unknown = []
    for one in expected:
        files = {n: own for n, own in one.files.items() if (run / n).is_file() and not has_record(str(run / n))}
        checked += len(files)
        unknown.append(one._replace(files=files))
    return list(stale_artefacts(run, unknown)), checked


def warning(run: Path, stale: list[Stale], checked: int) -> str:
    """What a run says at its start about artefacts that it takes as they are: by rule and by what has changed."""
    alike: dict[tuple, list[Stale]] = {}
    for one in stale:
        # Values of a galaxy's own differ from one to the next: the first stands for all with the same keys.
        alike.setdefault((one.rule, *(words.split(" ")[0] for words in one.why)), []).append(one)
    rules = dict.fromkeys(one.rule for one in stale)
    return "\n".join(
        [
            f"WARNING: {run} contains results that Snakemake has no record of (they were copied, or .snakemake was deleted) "
            f"and that would be made differently now: {len(stale)} of {checked} checked.",
            *(f"  {len(some)} x {some[0].rule}: {', '.join(some[0].why)}" for some in alike.values()),
            f"They are used as they are. 'mangrove verify {run.name}' checks all results; '--forcerun {' '.join(rules)}' "
            "remakes these and everything that depends on them.",
        ]
    )


def _get(params: Mapping[str, Any], key: str):
    return params.get(key, _ABSENT)


def _shown(params: Mapping[str, Any], key: str) -> str:
    return json.dumps(params[key], ensure_ascii=False) if key in params else "not set"


def _run_of(file: Path) -> str | None:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
    return content.get("run") if isinstance(content, dict) else None
