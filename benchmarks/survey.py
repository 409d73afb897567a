"""A survey of tiny galaxies through the whole workflow, at several sizes: what each step costs, and how that grows.

    python benchmarks/survey.py [--galaxies 100 1000 10000] [--folder FOLDER]

The artefacts of each galaxy (extract, fit, line cube) are written directly and recorded as made; all else is run:
'mangrove plan', Snakemake's plan, the run (merges, both maps, an autoencoder, anomalies, figures), a run with
nothing to do, one galaxy more with its merges, the report, the explorer. Networks are tiny and see each spectrum or cube
a fixed number of times at most. JSON lines give time, memory and disk of each step, and the power of the number of
galaxies with which they grow between the two largest surveys; ends with 1 where one grows faster than it may.
"""

import argparse
import io
import multiprocessing
import os
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import redirect_stderr
from functools import partial
from pathlib import Path

from support.checkout import copy_workflow
from support.explorer_client import Explorer, Visitor
from support.results import print_result, seconds
from support.survey_steps import FLOOR, RULE_FLOOR, Cost, commanded, disk, job_costs, slope

CONFIG, SHEET, RUN = Path("configs/survey.yaml"), Path("samples/survey.tsv"), Path("results/survey")
#: Settings of tiny networks; line cubes are those of support/survey_originals.py.
SETTINGS = """\
run: survey
survey: {source: sdss, base: archive}
extract: {window_pixels: 4}
line_cube: {size: 8}
report: {examples: 2}
desom:
  {rows: 4, columns: 4, latent: 8, filters: [4, 4, 4, 4], batch_size: 64, iterations: 60, cooling_iterations: 50,
   pretraining: 20, temperature_start: 4.0, min_baxels: 5, n_bootstrap: 20}
galaxy_map:
  {rows: 3, columns: 3, latent: 4, filters: 2, batch_size: 64, iterations: 60, cooling_iterations: 50,
   temperature_start: 3.0}
augmentation: {copies: 1, max_shift: 2}
autoencoder:
  {networks: [ae], lines: [OIII_5008, Halpha_6565, NII_6585], latent: 4, input_filters: [2], filters: [2, 2], dense: 4, slice_code: 2,
   epochs: 1, keep_best: false, rematerialise: false}
embedding: {umap_neighbours: 5, n_neighbour: 5, n_seed: 2}
emulator: {enabled: false}
"""
PER_GALAXY = ("download", "extract", "fit", "line_cube")
MERGES = ("labels", "training_spectra", "line_cube_set")
#: Largest powers: of time and disk, of memory, and of the memory of what streams.
MAX_POWER = {"s": 1.15, "GB on disk": 1.05, "GB": 1.0}
MAX_STREAM_POWER = 0.25

report = partial(print_result, "survey")


def main() -> int:
    """Print the results as JSON lines; 1 where something grows faster than it may."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--galaxies", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--folder", type=Path, help="where the surveys are left; by default they are deleted")
    options = parser.parse_args()
    values: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    with tempfile.TemporaryDirectory(prefix="mangrove-survey-") as temporary:
        for n in sorted(options.galaxies):
            folder = (options.folder or Path(temporary)) / str(n)
            for step, value, unit in measured(folder.absolute(), n):
                report(step, value, unit, galaxies=n)
                values[step, unit][n] = value
    kept = [holds(step, unit, by_size) for (step, unit), by_size in values.items() if len(by_size) > 1]
    return 0 if all(kept) else 1


def holds(step: str, unit: str, by_size: dict[int, float]) -> bool:
    """Report with which power of the number of galaxies a step's cost grows, and whether it may, if there is a limit."""
    limit = MAX_STREAM_POWER if unit == "GB" and step.partition(" ")[0] in MERGES else MAX_POWER.get(unit)
    floor = RULE_FLOOR if unit == "s" and step.endswith("(rule)") else FLOOR.get(unit, 0.0)
    power = slope(by_size, floor)
    sizes = sorted(by_size)[-2:]
    report(f"{step}, power of the number of galaxies", power, unit, limit=limit, galaxies=sizes)
    return limit is None or power <= limit


def measured(folder: Path, n: int) -> Iterator[tuple[str, float, str]]:
    """Step, value and unit of all that a survey of so many galaxies costs.

    Raises
    ------
    RuntimeError
        If a command fails, or Snakemake would run other jobs than it should.
    """
    folder.mkdir(parents=True)
    copy_workflow(folder)
    (folder / CONFIG).parent.mkdir()
    (folder / CONFIG).write_text(SETTINGS, encoding="utf-8")
    yield "galaxies written", apart(write, folder, n, 0), "s on the clock"
    yield "galaxies", disk(folder / RUN), "GB on disk"
    yield "jobs recorded", seconds(apart, record_galaxies, folder), "s on the clock"
    yield from of("mangrove plan", commanded(["mangrove", "plan", "--config", str(CONFIG)], folder)[0])
    yield from of("plan of the run", snakemake(folder, Counter(), "--dry-run"))
    yield from of("run", snakemake(folder, Counter()))
    for rule, cost in job_costs(folder / RUN / "benchmarks").items():
        yield from of(f"{rule} (rule)", cost)
    yield "run", disk(folder / RUN), "GB on disk"
    yield "Snakemake's records", disk(folder / ".snakemake"), "GB on disk"
    yield from of("run with nothing to do", snakemake(folder, Counter()))
    apart(write, folder, n + 1, n + 1)
    yield from of("plan of one galaxy more", snakemake(folder, Counter(PER_GALAXY), "--dry-run"))
    apart(write, folder, n + 1, n)
    apart(record_galaxies, folder)
    yield from of("merges with one galaxy more", snakemake(folder, Counter(), "--until", *MERGES))
    page = "--report", str(RUN / "report.html")
    yield from of("report", commanded(["snakemake", "--configfile", str(CONFIG), *page], folder)[0])
    yield "report", (folder / RUN / "report.html").stat().st_size / 1e9, "GB on disk"
    yield from explored(folder / RUN)


def of(step: str, cost: Cost) -> Iterator[tuple[str, float, str]]:
    """The values of a step; that of the clock, which other programs lengthen, has a unit of its own."""
    yield step, cost.wall, "s on the clock"
    yield step, cost.processor, "s"
    yield step, cost.memory, "GB"


def snakemake(folder: Path, expected: Counter, *arguments: str) -> Cost:
    """Run Snakemake, and see that it runs the jobs of single galaxies that are expected, and no others of these rules.

    Raises
    ------
    RuntimeError
        If it fails, or runs others.
    """
    cost, text = commanded(["snakemake", "--cores", "2", "--configfile", str(CONFIG), *arguments], folder)
    found = jobs_of_galaxies(text)
    if found != expected:
        raise RuntimeError(f"jobs of galaxies: expected {dict(expected)}, found {dict(found)}.\n{text[-3000:]}")
    return cost


def jobs_of_galaxies(text: str) -> Counter:
    """Jobs of the rules that run per galaxy, or per chunk of them, in what Snakemake printed of its plan."""
    counts: Counter = Counter()
    table = re.search(r"^Job stats:\n.*?^total ", text, re.DOTALL | re.MULTILINE)
    for rule, count in re.findall(r"^(\w+) +(\d+)$", table[0], re.MULTILINE) if table else []:
        rule = re.sub("^fit_batched_.*", "fit", rule)
        if rule in PER_GALAXY:
            counts[rule] += int(count)
    return counts


def apart(function, *arguments):
    """Call a function in a process of its own: the memory of this one would count as that of the commands it starts."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def write(folder: Path, n: int, first: int) -> float:
    """Write the sample sheet of so many galaxies, and the artefacts of all from the first on; seconds of the latter."""
    from support.sheets import galaxies
    from support.survey_originals import as_galaxies, originals, write_galaxies

    from mangrove.survey.sample import write_sheet

    known = originals(folder / "originals")
    rows = as_galaxies(galaxies(n), known)
    write_sheet(folder / SHEET, rows)
    return seconds(write_galaxies, folder / RUN, rows, known, first)


def record_galaxies(folder: Path) -> None:
    """Record the jobs of all galaxies as done; cubes that are not there become empty files."""
    from support.snakemake_records import record

    def touch(jobs: list) -> None:
        for path in (Path(path) for job in jobs for path in job.output if not Path(path).exists()):
            if path.suffix == ".h5":
                raise RuntimeError(f"{path} is not written")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    os.chdir(folder)
    os.environ |= {"PYTHONPATH": "src"}
    # The workflow would warn that it has no record of what is recorded here.
    with redirect_stderr(io.StringIO()):
        record(CONFIG, touch, lambda rule: rule in PER_GALAXY or rule.startswith("fit_batched_"))


def explored(run: Path) -> Iterator[tuple[str, float, str]]:
    """From the start of the explorer until its first page is there, and its memory."""
    with Explorer(run) as explorer:
        Visitor(explorer).visit("/")
        opened = time.perf_counter() - explorer.started
    yield "explorer opens", opened, "s on the clock"
    yield "explorer opens", explorer.memory, "GB"


if __name__ == "__main__":
    sys.exit(main())
