"""A run whose fits are made in chunks of galaxies, by an engine that fits nothing and tells what it was given."""

from contextlib import contextmanager

CONFIG = "configs/chunks.yaml"
SHEET = "samples/chunks.tsv"
LABELS = "--until", "labels"
TEXT = """\
run: chunks
survey: {source: simulated_spectra, simulated_galaxies: 7, simulated_baxels: 2}
fit: {engine: batched, rest_range: [4800, 5200], polynomial_degree: 1, n_draw: 2}
report: {examples: 1}
"""
ENGINE = '''\
"""Fits nothing; adds the galaxies that it is given to a file."""

import os
import time
from typing import Any, NamedTuple

import numpy as np

from mangrove.codes import FitStatus
from mangrove.spectra.fit.results import no_fit
from mangrove.spectra.fit.two_steps import GuidedFits


class Member(NamedTuple):
    galaxy: Any
    spectra: Any
    snr: Any
    x: Any
    y: Any


def fit_group(members, n_device=None, n_process=1):
    time.sleep(1.0 if os.path.exists("slow") else 0.0)
    with open("fitted", "a") as f:
        f.writelines(f"{member.galaxy.z}\\n" for member in members)
    return [GuidedFits([none(m.galaxy)] * len(m.spectra), np.full(len(m.spectra), -1)) for m in members]


def none(galaxy):
    return no_fit(FitStatus.NOT_CONVERGED, 0, galaxy.stars, galaxy.lines, galaxy.settings)
'''


class Chunks:
    """The workspace, and what tests ask of it."""

    def __init__(self, workspace):
        self.workspace = workspace
        self.folder = workspace.folder
        self.fits = self.folder / "results/chunks/spectra/fit"

    def run(self, *arguments, check=True):
        """Remake the labels and what they need."""
        return self.workspace.snakemake(*LABELS, *arguments, config=CONFIG, check=check)

    def planned(self, *arguments) -> dict[str, int]:
        """Jobs, those of chunks under one name."""
        rules = self.workspace.planned(*LABELS, *arguments, config=CONFIG).rules
        chunks = sum(count for name, count in rules.items() if name.startswith("fit_batched_"))
        others = {name: count for name, count in rules.items() if not name.startswith("fit_batched_")}
        return others | ({"fit_batched": chunks} if chunks else {})

    def fitted(self, *arguments) -> list[str]:
        """Names of the galaxies that a run fits again."""
        (self.folder / "fitted").unlink(missing_ok=True)
        self.run(*arguments)
        return self.told()

    def told(self) -> list[str]:
        """Names of the galaxies that the engine was given."""
        path = self.folder / "fitted"
        by_z = {row[2]: row[0] for row in self.rows()}
        return sorted(by_z[z] for z in path.read_text().split()) if path.exists() else []

    def rows(self) -> list[list[str]]:
        """Rows of the sample sheet."""
        lines = (self.folder / SHEET).read_text().splitlines()[1:]
        return [line.split("\t") for line in lines if not line.startswith("#")]

    def content(self) -> dict[str, bytes]:
        """Of the artefacts of the galaxies in the sample sheet."""
        paths = [self.fits / f"{row[0]}.h5" for row in self.rows()]
        return {path.stem: path.read_bytes() for path in paths if path.exists()}

    @contextmanager
    def sheet(self, change):
        """Other rows in the sample sheet."""
        with self.workspace.restored(SHEET) as path:
            header = path.read_text().splitlines()[0]
            path.write_text("\n".join([header, *("\t".join(row) for row in change(self.rows()))]) + "\n")
            yield


def make_chunks(workspace) -> Chunks:
    """Add a run of six galaxies of different redshifts to a copy of the checkout, and a row for a seventh."""
    workspace.write(CONFIG, TEXT)
    workspace.write("src/mangrove/spectra/fit/batched/engine.py", ENGINE)
    path = workspace.folder / "src/mangrove/spectra/fit/batched/chunk.py"
    one_by_one = path.read_text().replace(
        "GROUP_BATCHES, GROUP_BYTES = 4, 1 << 30", "GROUP_BATCHES, GROUP_BYTES = 4, 1"
    )
    assert one_by_one != path.read_text()
    path.write_text(one_by_one)
    made = workspace.mangrove("select", "--config", CONFIG)
    assert made.returncode == 0, made.stdout
    found = Chunks(workspace)
    rows = found.rows()
    for i, row in enumerate(rows):
        row[2] = f"0.0{i + 2}1"
    header = (found.folder / SHEET).read_text().splitlines()[0]
    workspace.write(SHEET, "\n".join([header, *("\t".join(row) for row in rows[:6])]) + "\n")
    workspace.write("seventh", "\t".join(rows[6]))
    return found
