"""Run all benchmarks one after the other: a description of the machine and their JSON lines go to a file too.

    python tools/run_benchmarks.py FILE

A benchmark that fails or misses a limit does not stop the others; the command then ends with an error that names it.
"""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import psutil

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
PACKAGES = ("jax", "ppxf", "numpy", "snakemake")


def machine() -> dict:
    """Processor, cores, memory, system, and the versions of Python and of the packages that figures depend on."""
    return {
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def cpu_model() -> str:
    """Name of the processor, as Linux or macOS tells it; else its architecture."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    if named:
        return named[0]
    if sys.platform == "darwin":
        return subprocess.check_output(["sysctl", "-n", "machdep.cpu.brand_string"], text=True).strip()
    return platform.processor() or platform.machine()


def run_all(scripts: Iterable[Path], target: Path) -> list[str]:
    """Run scripts, with their output on the terminal and in ``target``; names of those that failed."""
    failed = []
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8") as file:
        _tell(json.dumps({"machine": machine()}) + "\n", file)
        for script in scripts:
            with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as process:
                for line in process.stdout:
                    _tell(line, file)
            if process.returncode:
                failed.append(script.name)
    return failed


def _tell(line: str, file) -> None:
    for where in (sys.stdout, file):
        where.write(line)
        where.flush()


def main(target: str) -> None:
    """Run all benchmarks; an error where one failed."""
    failed = run_all(sorted(FOLDER.glob("*.py")), Path(target))
    if failed:
        sys.exit(f"failed, or missed a limit: {', '.join(failed)}. The results are in {target}.")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
