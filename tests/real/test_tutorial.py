"""The tutorial, word for word: its configuration, its commands, its figure."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from .conftest import ROOT

#: What is there before the tutorial begins to run: these commands set up a clone.
SET_UP = ("make env", ". .venv/bin/activate", "python tools/real_data.py")

pytestmark = [pytest.mark.real, pytest.mark.slow]


def blocks(language: str) -> list[str]:
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def clone(tmp_path_factory, real_data):
    """A folder with the files of the checkout, the real data, and what the tutorial says to write."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("Snakefile", "config.yaml", "rules", "workflow", "src", "samples", "profiles", "resources", "envs"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "configs").mkdir()
    (folder / "configs" / "real-muse.yaml").symlink_to(ROOT / "configs" / "real-muse.yaml")
    (folder / "data").mkdir()
    (folder / "data" / "real").symlink_to(real_data)
    (configuration,), (drawing,) = blocks("yaml"), blocks("python")
    (folder / "configs" / "abell478.yaml").write_text(configuration, encoding="utf-8")
    (folder / "abell478.py").write_text(drawing, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def said(clone):
    """What each command of the tutorial printed."""
    commands = [line for block in blocks("bash") for line in block.splitlines() if not line.startswith(SET_UP)]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = os.environ | {"PATH": path, "MPLBACKEND": "agg", "PYTHONPATH": str(clone / "src")}
    return {command: run(command, clone, env) for command in commands}


def run(command: str, folder: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


def test_every_product_is_ok(said):
    lines = said["mangrove digest abell478"].splitlines()
    assert len(lines) == 6
    assert all(line.endswith(": ok") for line in lines)


def test_the_figure_shows_what_the_page_shows(clone, said):
    assert "python abell478.py" in said
    drawn, shown = (imread(path)[..., :3] for path in (clone / "abell478.png", ROOT / "docs/pictures/abell478.png"))
    assert drawn.shape == shown.shape
    # The picture of the page has a palette, and fonts differ from machine to machine.
    assert np.mean(np.abs(drawn - shown) > 0.1) < 0.02


def test_tables_are_exported(clone, said):
    assert "wrote" in said["mangrove export abell478"]
    assert (clone / "results/abell478/export/baxels.fits").is_file()
