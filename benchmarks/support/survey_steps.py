"""What each step of a run over a survey costs: commands in processes of their own, and jobs by Snakemake's own account."""

import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from support.checkout import environment

#: Smallest values that slopes are taken of: below them, starting a process and Snakemake's looking at it are what is measured.
FLOOR = {"s": 2.0, "GB": 0.1}
#: The same of the time of a rule, s: once a job has taken a quarter of a minute, Snakemake looks at it every half minute.
RULE_FLOOR = 60.0
_MAXRSS = 1e9 if sys.platform == "darwin" else 1e6


class Cost(NamedTuple):
    """Of a step: seconds on the clock and on the processor, and the peak of memory of its largest process, GB."""

    wall: float
    processor: float
    memory: float


def commanded(command: Sequence[str], folder: Path) -> tuple[Cost, str]:
    """Cost and output of a command of the workflow in a folder, 'python -m' before it.

    Linux counts the memory of the process that starts a command as the command's, so that one must be small.

    Raises
    ------
    RuntimeError
        If it fails.
    """
    with tempfile.TemporaryFile("w+") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=folder,
            env=environment() | {"PYTHONPATH": "src"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
        output.seek(0)
        text = output.read()
    if process.returncode:
        raise RuntimeError(f"'{' '.join(command)}' failed in {folder}:\n{text[-5000:]}")
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / _MAXRSS), text


def job_costs(benchmarks: Path) -> dict[str, Cost]:
    """Cost of each rule, from Snakemake's benchmark files of a run: times of its jobs together, memory of the largest."""
    costs: dict[str, Cost] = {}
    for path in sorted(benchmarks.rglob("*.tsv")):
        rule = path.relative_to(benchmarks).parts[0].removesuffix(".tsv")
        with path.open(encoding="utf-8") as file:
            (row,) = csv.DictReader(file, delimiter="\t")
        one = Cost(_number(row["s"]), _number(row["cpu_time"]), _number(row["max_rss"]) * 1024**2 / 1e9)
        before = costs.get(rule, Cost(0.0, 0.0, 0.0))
        costs[rule] = Cost(before.wall + one.wall, before.processor + one.processor, max(before.memory, one.memory))
    return costs


def disk(folder: Path) -> float:
    """Size of the files in a folder, GB."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e9


def slope(values: Mapping[int, float], floor: float = 0.0) -> float:
    """Power of the number of galaxies with which a value grows, between the two largest surveys.

    Parameters
    ----------
    values : mapping of int to float
        By number of galaxies, two at least.
    floor : float
        Smaller values count as this.
    """
    small, large = sorted(values)[-2:]
    before, after = (max(values[n], floor) for n in (small, large))
    return float(np.log(after / before) / np.log(large / small))


def _number(text: str) -> float:
    """A value of a benchmark file; of a job too short to be looked at, 0."""
    return float(text) if text not in ("NA", "-") else 0.0
