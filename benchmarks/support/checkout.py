"""A copy of the workflow in which nothing has run, and the environment of commands in it."""

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PARTS = ("Snakefile", "config.yaml", "rules", "workflow", "src", "profiles", "envs", "resources", "samples")


def copy_workflow(folder: Path) -> None:
    """Copy what a run needs, the package included, into a folder."""
    for part in _PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, folder / part)


def environment() -> dict[str, str]:
    """The environment of the commands: mangrove is the copy's own, linear algebra has one thread as by make."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return kept | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
