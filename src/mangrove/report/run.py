"""What a run cost, what failed in it, and what it was made with."""

import csv
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mangrove.logs import failures

#: Packages whose versions may change results.
PACKAGES = (
    "mangrove",
    "numpy",
    "scipy",
    "astropy",
    "dust_extinction",
    "h5py",
    "pandas",
    "matplotlib",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "scikit-learn",
    "umap-learn",
    "ppxf",
    "powerbin",
    "vorbin",
    "pydantic",
    "snakemake",
)
_GIT_SECONDS = 10


class TimingRow(NamedTuple):
    """Time and memory of the jobs of a rule."""

    rule: str
    n_job: int
    total_s: float
    median_s: float
    max_s: float
    cpu_total_s: float
    peak_memory_MB: float


class FailureRow(NamedTuple):
    """A failure that jobs of a rule have in common."""

    rule: str
    message: str
    place: str
    count: int


def timing_table(folder: Path) -> list[TimingRow]:
    """Time and memory per rule, the longest total first, from Snakemake's benchmark files.

    Parameters
    ----------
    folder : Path
        Holds ``<rule>.tsv`` or ``<rule>/<galaxy>.tsv``; a repeated benchmark has a row per repeat.
    """
    jobs: dict[str, list[tuple[float, float, float]]] = {}
    for path in sorted(folder.rglob("*.tsv")):
        rule = path.relative_to(folder).parts[0].removesuffix(".tsv")
        jobs.setdefault(rule, []).extend(_benchmark(path))
    rows = [_timing_row(rule, np.array(values)) for rule, values in jobs.items() if values]
    return sorted(rows, key=lambda row: -row.total_s)


def failure_table(folder: Path) -> list[FailureRow]:
    """Unique failures in the logs under ``folder``, the most frequent first."""
    return [FailureRow(*key, count) for key, count in failures(folder).most_common()]


def provenance_record(config: Mapping[str, Any]) -> dict[str, Any]:
    """Configuration, package versions, machine, date and commit of a run, ready for JSON."""
    return {
        "config": dict(config),
        "packages": {name: _version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "date_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_commit": _commit(Path(__file__).parent),
    }


def _benchmark(path: Path) -> list[tuple[float, float, float]]:
    """Wall time (s), CPU time (s), peak memory (MB) of each row; NaN where Snakemake could not measure it."""
    with path.open(newline="", encoding="utf-8") as f:
        return [
            tuple(_number(row[key]) for key in ("s", "cpu_time", "max_rss"))
            for row in csv.DictReader(f, delimiter="\t")
        ]


def _number(text: str | None) -> float:
    # Jobs too short to be sampled have '-' or 'NA' instead of a number.
    return float("nan") if text in (None, "", "-", "NA") else float(text)


def _timing_row(rule: str, jobs: np.ndarray) -> TimingRow:
    wall, cpu, memory = jobs.T
    known = memory[np.isfinite(memory)]
    peak = float(known.max()) if known.size else float("nan")
    return TimingRow(
        rule=rule,
        n_job=len(wall),
        total_s=float(wall.sum()),
        median_s=float(np.median(wall)),
        max_s=float(wall.max()),
        cpu_total_s=float(np.nansum(cpu)),
        peak_memory_MB=peak,
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit(folder: Path) -> str | None:
    """Commit of the checkout that holds ``folder``, marked '+changes' if it has uncommitted ones; None outside git."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return f"{commit}+changes" if _git(folder, "status", "--porcelain") else commit
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=_GIT_SECONDS).stdout.strip()
