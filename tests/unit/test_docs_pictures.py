"""The pictures of README and of the gallery: which figures they are, and their size."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pictures():
    spec = importlib.util.spec_from_file_location("docs_pictures", ROOT / "tools" / "docs_pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(tmp_path):
    names = (
        "galaxies/1-1-maps",
        "galaxies/1-1-lines",
        "galaxies/1-2-maps",
        "galaxies/1-2-lines",
        "bpt",
        "emulator/umap",
        "galaxy_map/three_nodes",
        "autoencoder/ae/scores",
        "autoencoder/vae/scores",
    )
    for name in names:
        path = tmp_path / "report" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 4)).save(path)
    return tmp_path


def test_figures_of_one_galaxy_and_of_the_survey(pictures, run):
    figures = pictures.report_figures(run, "1-2")
    of_networks = ["autoencoder-ae-scores", "bpt", "emulator-umap"]
    assert sorted(figures) == [*of_networks, "galaxy-lines", "galaxy-map-three-nodes", "galaxy-maps"]
    assert figures["galaxy-maps"].name == "1-2-maps.png"


def test_the_galaxy_with_the_most_baxels_is_shown(pictures, run, monkeypatch):
    baxels = {"1-1.h5": 3, "1-2.h5": 5}
    monkeypatch.setattr(pictures.artefacts, "read", lambda path, *_: {"snr": np.ones(baxels[path.name])})
    assert pictures.richest_galaxy(run) == "1-2"


def test_a_run_without_figures_is_refused(pictures, tmp_path):
    with pytest.raises(SystemExit, match="Run 'make demo' first"):
        pictures.richest_galaxy(tmp_path)


def test_wide_figures_are_made_smaller_in_proportion(pictures, tmp_path):
    Image.new("RGBA", (2400, 1000), "red").save(tmp_path / "wide.png")
    pictures.shrink(tmp_path / "wide.png", tmp_path / "small.png")
    with Image.open(tmp_path / "small.png") as small:
        assert small.size == (1200, 500)
        assert small.convert("RGB").getpixel((600, 250)) == (255, 0, 0)


def test_a_picture_beyond_the_limit_is_refused(pictures, tmp_path):
    noise = np.random.default_rng(1).integers(0, 256, (1000, 1200, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    with pytest.raises(SystemExit, match="the limit is 400000"):
        pictures.shrink(tmp_path / "noise.png", tmp_path / "small.png")


def test_without_a_browser_the_picture_of_the_first_page_stands_for_it(pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pictures, "BROWSERS", ("no-such-browser",))
    assert pictures.report_page(tmp_path, tmp_path / "page.png") == tmp_path / "report" / "overview.png"
    assert "no Chromium here" in capsys.readouterr().err
