"""``mangrove export``: where it works, and what it replaces. What it writes is tested in test_export.py."""

import json
from pathlib import Path

import pytest
from astropy.io import fits
from typer.testing import CliRunner

from mangrove import cli
from mangrove.config import Config
from mangrove.errors import MangroveError
from mangrove.survey.galaxy import Galaxy
from mangrove.survey.sample import read_sheet, write_sheet


def export(*arguments):
    return CliRunner().invoke(cli.app, ["export", *map(str, arguments)])


def refused(*arguments):
    error = export(*arguments).exception
    assert isinstance(error, MangroveError)
    return str(error)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder with a run 'mine', whose export is its sheet's names in the files' headers."""
    folder = tmp_path / "checkout"
    run = folder / "results/mine"
    (run / "logs/fit").mkdir(parents=True)
    (run / "logs/fit/a.log").write_text("")
    (folder / "config.yaml").write_text("run: mine\n")
    (folder / "c.yaml").write_text("fit: {clip_sigma: 3}\n")
    (run / "provenance.json").write_text(json.dumps({"config": Config(run="mine").model_dump()}))
    write_sheet(folder / "samples/mine.tsv", [Galaxy("8485-1901", "1-1", 0.03, 0.0, 1.0, 1.0)])

    def export_run(run_folder, config, out, maps):
        assert (run_folder / "provenance.json").is_file()
        files = [
            out / "galaxies.fits",
            out / "baxels.fits",
            *[out / "maps" / f"{n}-labels.fits" for n in read_sheet(config)],
        ]
        header = fits.Header({"ORIGIN": "mangrove", "RUN": config.run, "CLIP": config.fit.clip_sigma})
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
            fits.PrimaryHDU(header=header).writeto(file, overwrite=True)
        return files

    monkeypatch.setattr("mangrove.export.products.export_run", export_run)
    return folder


@pytest.mark.parametrize(
    ("work", "run"),
    [
        ("checkout", "mine"),
        ("checkout", "results/mine"),
        (".", "checkout/results/mine"),
        (".", "{folder}/results/mine"),
        ("checkout/samples", "../results/mine"),
        ("checkout/results/mine", "."),
        ("checkout/results/mine/logs", ".."),
    ],
)
@pytest.mark.parametrize("config", [False, True])
def test_a_run_is_exported_from_any_folder(checkout, tmp_path, monkeypatch, work, run, config):
    monkeypatch.chdir(tmp_path / work)
    before = Path.cwd()
    options = ["--config", checkout / "c.yaml"] if config else []
    assert export(run.format(folder=checkout), *options).exit_code == 0
    assert fits.getheader(checkout / "results/mine/export/maps/8485-1901-labels.fits")["CLIP"] == (3 if config else 5)
    assert export(run.format(folder=checkout), *options, "--out", "here").exit_code == 0
    assert (before / "here/galaxies.fits").is_file(), "paths of the command line are from where it is given"
    assert Path.cwd() == before


def test_files_of_a_folder_of_results_that_is_a_link(checkout, tmp_path, monkeypatch):
    monkeypatch.chdir(checkout)
    (checkout / "results").rename(tmp_path / "scratch")
    (checkout / "results").symlink_to(tmp_path / "scratch")
    assert export("mine").exit_code == 0


@pytest.mark.parametrize("name", ["galaxies.fits", "baxels.fits", "maps/8485-1901-labels.fits"])
@pytest.mark.parametrize("cards", [None, {}, {"ORIGIN": "mangrove", "RUN": "other"}, {"ORIGIN": "DESI", "RUN": "mine"}])
def test_an_export_replaces_exports_of_the_run_only(checkout, monkeypatch, name, cards):
    monkeypatch.chdir(checkout)
    assert export("mine", "--out", "out").exit_code == export("mine", "--out", "out").exit_code == 0
    foreign = checkout / "out" / name
    if cards is None:
        foreign.write_bytes(b"mine")
    else:
        fits.PrimaryHDU(header=fits.Header(cards)).writeto(foreign, overwrite=True)
    before = {path: path.read_bytes() for path in (checkout / "out").rglob("*.fits")}
    assert f"{name} already exists and is not an export of run 'mine'" in refused("mine", "--out", "out")
    assert {path: path.read_bytes() for path in before} == before
    assert export("mine", "--out", "out", "--force").exit_code == 0
    assert fits.getheader(foreign)["RUN"] == "mine"


def test_the_folder_of_an_export_is_no_file(checkout, monkeypatch):
    monkeypatch.chdir(checkout)
    assert "config.yaml is a file; give --out a folder" in refused("mine", "--out", "config.yaml")
