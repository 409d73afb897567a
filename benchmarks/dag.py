"""How long Snakemake takes to see what a survey needs: nothing built, all built, one key or one galaxy changed.

    python benchmarks/dag.py [--galaxies 10000] [--engine ppxf]

A copy of the workflow in a temporary folder gets a sample sheet of so many galaxies, small valid outputs, and
Snakemake's own metadata for every output. Wall time and peak memory of the commands go to standard output as JSON
lines, with the limits where there are some. A wrong plan or an exceeded limit ends with an error.
"""

import argparse
import gzip
import io
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
from astropy.io import fits
from PIL import Image
from support.checkout import copy_workflow, environment
from support.results import print_result
from support.sheets import galaxies
from support.snakemake_records import record

from mangrove import artefacts
from mangrove.config import Fit
from mangrove.data_model import KINDS
from mangrove.spectra.fit.batched.membership import chunks
from mangrove.survey.sample import write_sheet

CONFIG = Path("configs/bench.yaml")
SHEET = Path("samples/bench.tsv")
PER_GALAXY = ("extract", "fit", "line_cube")
# At 10,000 galaxies, where the survey is built and nothing changed.
LIMITS = {"s": 60.0, "GB": 2.0}

report = partial(print_result, "dag")


def main() -> None:
    """Build the folder, record the metadata, time the commands."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--galaxies", type=int, default=10_000)
    parser.add_argument("--engine", choices=["batched", "ppxf"], default=Fit().engine, help="what fits the galaxies")
    parser.add_argument("--record", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.record:
        record(CONFIG, write_outputs)
        return
    with tempfile.TemporaryDirectory(prefix="mangrove-dag-") as folder:
        os.chdir(folder)
        benchmark(options.galaxies, options.engine)


def benchmark(n: int, engine: str) -> None:
    """All measurements, in the current folder."""
    make_workflow(n, engine)
    n_fit = n if engine == "ppxf" else len(chunks([one.plateifu for one in galaxies(n)], Fit().chunk))
    nothing_built = Counter(dict.fromkeys(("download", *PER_GALAXY), n) | {"fit": n_fit})
    measure("dry_run_nothing_built", n, nothing_built, "--dry-run")
    start = time.perf_counter()
    subprocess.run([sys.executable, __file__, "--record"], env=environment() | {"PYTHONPATH": "src"}, check=True)
    report("record_metadata", time.perf_counter() - start, "s", galaxies=n)
    measure("dry_run_all_built", n, Counter(), "--dry-run", limits=LIMITS)
    measure("run_all_built", n, Counter(), limits=LIMITS)
    measure("dry_run_edited_key", n, Counter(fit=n_fit), "--dry-run", "--config", "fit={'polynomial_degree': 9}")
    write_sheet(SHEET, galaxies(n, first_z=0.06))
    measure("dry_run_edited_galaxy", n, Counter(PER_GALAXY), "--dry-run")


def make_workflow(n: int, engine: str) -> None:
    """The workflow, a configuration and a sample sheet."""
    copy_workflow(Path())
    CONFIG.parent.mkdir()
    text = f"run: bench\nsurvey: {{source: sdss, base: archive}}\nfit: {{engine: {engine}}}\n"
    CONFIG.write_text(text, encoding="utf-8")
    write_sheet(SHEET, galaxies(n))


def measure(metric: str, n: int, expected: Counter, *arguments: str, limits: dict[str, float] | None = None) -> None:
    """Time one command; its plan must hold the expected jobs per galaxy and no others of those rules."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", str(CONFIG), *arguments]
    with tempfile.TemporaryFile("w+") as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, env=environment(), stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        wall, cpu, memory = time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e9
        output.seek(0)
        text = output.read()
    if status or planned(text) != expected:
        sys.exit(f"{metric}: expected {dict(expected)}, planned {dict(planned(text))}.\n{text[-3000:]}")
    for name, value, unit in (("wall", wall, "s"), ("cpu", cpu, "s"), ("memory", memory, "GB")):
        limit = (limits or {}).get(unit)
        report(f"{metric}_{name}", value, unit, limit=limit, galaxies=n)
        if limit and value > limit:
            sys.exit(f"{metric}_{name} is {value:.3g} {unit}, above the limit of {limit:g} {unit}.")


def planned(text: str) -> Counter:
    """Jobs of the rules that run per galaxy in what snakemake printed."""
    table = re.search(r"^Job stats:\n.*?^total ", text, re.DOTALL | re.MULTILINE)
    if not table and "Nothing to be done" not in text:
        sys.exit(text)
    rows = re.findall(r"^(\w+) +(\d+)$", table[0], re.MULTILINE) if table else []
    counts: Counter = Counter()
    for rule, count in rows:
        # Chunks of galaxies have a rule each.
        counts[re.sub("^fit_batched_.*", "fit", rule)] += int(count)
    return Counter({rule: counts[rule] for rule in ("download", *PER_GALAXY) if counts[rule]})


def write_outputs(jobs: list) -> None:
    """Write small outputs of all jobs."""
    placeholders = Placeholders()
    for job in jobs:
        for path in job.output:
            placeholders.write(Path(path))


class Placeholders:
    """Tiny valid files: artefacts without rows, cubes without spaxels, figures of one pixel, tables without rows."""

    def __init__(self):
        self.artefacts = {name: self._artefact(name) for name in KINDS}
        self.ends = {name: re.compile(re.sub(r"\{\w+\}", "[^/]+", kind.path) + "$") for name, kind in KINDS.items()}
        self.others = {".fits.gz": self._cube(), ".png": self._figure(), ".npz": self._arrays()}
        self.others |= {".csv": b"name\n", ".json": b"{}\n", ".jsonl": b"{}\n", ".html": b"<p></p>\n"}

    def write(self, path: Path) -> None:
        """Write the placeholder that belongs to a path."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".h5":
            content = next(self.artefacts[name] for name, ends in self.ends.items() if ends.search(path.as_posix()))
        else:
            content = next(content for end, content in self.others.items() if path.name.endswith(end))
        path.write_bytes(content)

    @staticmethod
    def _artefact(kind: str) -> bytes:
        data = {name: np.zeros([0] * len(field.dims), field.dtype) for name, field in KINDS[kind].fields.items()}
        attrs = {name: np.zeros(spec.shape, spec.dtype) for name, spec in KINDS[kind].attributes.items()}
        attrs |= {"status": "empty", "reason": "placeholder"}
        with tempfile.NamedTemporaryFile(suffix=".h5") as file:
            artefacts.write(file.name, kind, data, artefacts.Provenance(), attrs)
            return Path(file.name).read_bytes()

    @staticmethod
    def _figure() -> bytes:
        Image.new("L", (1, 1)).save(file := io.BytesIO(), "png")
        return file.getvalue()

    @staticmethod
    def _arrays() -> bytes:
        np.savez(file := io.BytesIO(), empty=np.zeros(0))
        return file.getvalue()

    @staticmethod
    def _cube() -> bytes:
        return gzip.compress(fits.PrimaryHDU().header.tostring().encode())


if __name__ == "__main__":
    main()
