"""A copy of the checkout with a run of two galaxies in it, and what tests ask of it."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: How long a workflow or a command of a minute may take before a test fails, seconds: machines are shared.
PATIENCE = 3600
REGULAR, TOO_FAINT, ADDED = "9001-1902", "9004-1901", "9002-1901"
#: Warnings are errors in the scripts, which run as __main__, and in the package, module by module as Python asks.
MODULES = [".".join(p.relative_to(ROOT / "src").with_suffix("").parts) for p in (ROOT / "src").rglob("*.py")]
STRICT = ",".join(f"error:::{name.removesuffix('.__init__')}" for name in ["__main__", *sorted(MODULES)])
CONFIG = """\
run: tiny
survey:
  source: simulated
extract:
  target_snr: 40
fit:
  engine: ppxf
  rest_range: [4800, 5200]
  polynomial_degree: 1
training_spectra:
  n_wave: 512
  min_snr: 5
desom:
  rows: 2
  columns: 2
  latent: 4
  filters: [2, 2]
  batch_size: 4
  iterations: 8
  cooling_iterations: 6
galaxy_map:
  rows: 2
  columns: 2
  latent: 4
  filters: 2
  iterations: 8
  cooling_iterations: 6
autoencoder:
  lines: [OIII_5008, Halpha_6565]
  latent: 2
  input_filters: [2]
  filters: [2, 2]
  dense: 4
  slice_code: 2
  epochs: 1
embedding:
  n_seed: 1
emulator:
  hidden: [8]
  members: 1
  epochs: 1
  learning_curve: []
report:
  examples: 1
  truth_spectra: 8
"""


class Plan(NamedTuple):
    """What a dry run would do: jobs per rule, and the messages of the jobs ('fit 9001-1902')."""

    rules: dict[str, int]
    messages: set[str]


class Workspace:
    """A folder that holds a checkout; runs snakemake and mangrove in it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.run = folder / "results" / "tiny"

    def snakemake(self, *arguments: str, config: str = "configs/tiny.yaml", check: bool = True):
        """Run snakemake; its output and errors are in ``stdout``."""
        done = subprocess.run(self.command(*arguments, config=config), **self.process(), timeout=PATIENCE)
        assert not check or done.returncode == 0, done.stdout
        return done

    def command(self, *arguments: str, config: str = "configs/tiny.yaml") -> list[str]:
        """The command line of snakemake."""
        return [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", config, *arguments]

    def process(self) -> dict:
        """Where and how commands run: here, knowing nothing of the package that the tests import."""
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return {
            "cwd": self.folder,
            "env": env | {"MPLBACKEND": "agg", "PYTHONWARNINGS": STRICT},
            "stdout": subprocess.PIPE,
            "stderr": subprocess.STDOUT,
            "text": True,
        }

    def mangrove(self, *arguments: str):
        """Run the command ``mangrove`` of this checkout."""
        options = self.process()
        options["env"] = options["env"] | {"PYTHONPATH": str(self.folder / "src")}
        code = "from mangrove.cli import main; main()"
        return subprocess.run([sys.executable, "-c", code, *arguments], **options, timeout=PATIENCE)

    def planned(self, *arguments: str, config: str = "configs/tiny.yaml") -> Plan:
        """What ``snakemake --dry-run`` says it would do."""
        text = self.snakemake("--dry-run", *arguments, config=config).stdout
        table = re.search(r"^Job stats:\njob +count\n[- ]+\n(.*?)^total ", text, re.DOTALL | re.MULTILINE)
        assert table or "Nothing to be done" in text, text
        rows = [line.split() for line in table[1].splitlines()] if table else []
        rules = {rule: int(count) for rule, count in rows if rule != "all"}
        return Plan(rules, set(re.findall(r"^Job \d+: (.*)$", text, re.MULTILINE)))

    def write(self, name: str, text: str) -> None:
        """Write a text file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    @contextmanager
    def edited(self, name: str, change: Callable[[str], str]) -> Iterator[None]:
        """Change a text file for the length of the block."""
        with self.restored(name) as path:
            before = path.read_text(encoding="utf-8")
            after = change(before)
            assert after != before, f"the edit of {name} found nothing to change"
            path.write_text(after, encoding="utf-8")
            yield

    @contextmanager
    def restored(self, name: str) -> Iterator[Path]:
        """Give a file back as it was, its time stamp too, after the block."""
        path = self.folder / name
        content, stat = path.read_bytes(), path.stat()
        try:
            yield path
        finally:
            path.write_bytes(content)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    def artefacts(self) -> dict[str, bytes]:
        """Contents of everything that is made from content alone: artefacts and simulated cubes."""
        files = [*self.run.rglob("*.h5"), *self.run.rglob("*.fits.gz")]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in files}


def pytest_configure(config):
    """Make the mark of pytest-xdist known where that is not installed."""
    config.addinivalue_line("markers", "xdist_group(name): tests that one worker runs")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """All tests of this folder share two workspaces, so one worker runs them."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("workflow"))


def checkout_files() -> list[str]:
    """Names of the files that git holds or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def sheet(*galaxies: str) -> str:
    """A sample sheet with the rows that these galaxies have in the demo's."""
    header, *rows = (ROOT / "samples/demo.tsv").read_text(encoding="utf-8").splitlines()
    by_name = {row.split("\t")[0]: row for row in rows}
    return "\n".join([header, *(by_name[name] for name in galaxies)]) + "\n"


def make_workspace(folder: Path) -> Workspace:
    """Copy the checkout and add the configuration of the tiny run."""
    for name in checkout_files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    workspace = Workspace(folder)
    workspace.write("configs/tiny.yaml", CONFIG)
    workspace.write("samples/tiny.tsv", sheet(REGULAR, TOO_FAINT))
    return workspace


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Workspace:
    """A workspace with a finished run of two galaxies; tests leave it as they found it."""
    workspace = make_workspace(tmp_path_factory.mktemp("finished"))
    workspace.snakemake()
    return workspace


@pytest.fixture(scope="session")
def fresh(tmp_path_factory) -> Workspace:
    """A workspace in which nothing has run; tests leave it as they found it."""
    return make_workspace(tmp_path_factory.mktemp("fresh"))


def rules_of(name: str) -> Counter:
    """Names of the rules in a file of rules/."""
    return Counter(
        re.findall(r"^rule (\w+):", (ROOT / "rules" / f"{name}.smk").read_text(encoding="utf-8"), re.MULTILINE)
    )
