"""The demo from nothing, its report included: wall time and peak memory of all its processes.

    python benchmarks/demo.py [--config configs/demo.yaml] [--cores N]

It runs in a temporary copy of the workflow. Ends with an error where the run fails or a limit is missed. Memory is the
sum of what the processes have resident, looked at five times a second: an upper bound, as they share pages.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import psutil
import yaml
from support.checkout import ROOT, copy_workflow, environment
from support.results import print_result

#: Seconds, and GB, of the demo.
MOST_TIME, MOST_MEMORY = 300.0, 4.0
INTERVAL = 0.2

report = partial(print_result, "demo")


def main() -> int:
    """Print the results as JSON lines; 1 if the run fails or a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "demo.yaml")
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mangrove-demo-") as name:
        folder = Path(name)
        copy_workflow(folder)
        shutil.copy(options.config, folder / "run.yaml")
        status, wall, memory = measured(command(folder, options.cores), folder)
    if status:
        return 1
    about = {"run": options.config.stem, "cores": options.cores}
    report("wall time from nothing", wall, "s", limit=MOST_TIME, **about)
    report("peak memory of all processes", memory, "GB", limit=MOST_MEMORY, **about)
    return int(wall > MOST_TIME or memory > MOST_MEMORY)


def command(folder: Path, cores: int) -> list[str]:
    """The command of 'make demo'."""
    run = yaml.safe_load((folder / "run.yaml").read_text(encoding="utf-8"))["run"]
    page = ["--report", f"results/{run}/report.html", "--report-after-run"]
    return [sys.executable, "-m", "snakemake", "--cores", str(cores), "--configfile", "run.yaml", *page]


def measured(command: list[str], folder: Path) -> tuple[int, float, float]:
    """Exit status, seconds and peak memory (GB) of a command; what it prints is shown where it fails."""
    with tempfile.TemporaryFile("w+") as output:
        start, peak = time.perf_counter(), 0
        process = psutil.Popen(command, cwd=folder, env=environment(), stdout=output, stderr=subprocess.STDOUT)
        while process.poll() is None:
            peak = max(peak, resident(process))
            time.sleep(INTERVAL)
        wall = time.perf_counter() - start
        if process.returncode:
            output.seek(0)
            sys.stderr.write(output.read())
    return process.returncode, wall, peak / 1e9


def resident(process: psutil.Process) -> int:
    """Bytes that a process and its descendants have resident; those that end meanwhile do not count."""
    total = 0
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for member in family:
        try:
            total += member.memory_info().rss
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return total


if __name__ == "__main__":
    sys.exit(main())
