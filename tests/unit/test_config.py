from pathlib import Path

import pytest

from mangrove import config
from mangrove.errors import ConfigError
from mangrove.generate import GENERATED

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", GENERATED)
def test_generated_files_are_up_to_date(name):
    path = ROOT / name
    assert path.is_file() and path.read_text(encoding="utf-8") == GENERATED[name](), (
        f"{name} differs from the code it is generated from; run 'make generate'."
    )


def test_the_default_file_gives_the_defaults():
    assert config.load([ROOT / "config.yaml"]) == config.Config()


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.name)
def test_every_shipped_configuration_is_valid(path):
    run = config.load([ROOT / "config.yaml", path])
    assert run.run == path.stem, "a run is named after its file, so that users find its results"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("extract:\n  target_nsr: 3\n", ["extract.target_nsr", "did you mean 'target_snr'"]),
        ("surveys: {}\n", ["unknown key 'surveys'", "did you mean 'survey'"]),
        ("extract:\n  engine: voronoi\n", ["extract.engine", "'powerbin' or 'vorbin'", "'voronoi'"]),
        ("extract:\n  target_snr: -1\n", ["extract.target_snr", "greater than 0", "for example:  target_snr: 20.0"]),
        ("extract:\n  covariance: 0.5\n", ["extract.covariance", "at least 1"]),
        ("fit:\n  rest_range: [7400, 3650]\n", ["fit.rest_range", "lower end 7400 must be below"]),
        ("fit:\n  rest_range: [7400]\n", ["fit.rest_range"]),
        ("training_spectra:\n  n_wave: 100\n", ["training_spectra.n_wave", "the nearest is 128"]),
        ("training_spectra:\n  norm_band: [3000, 3100]\n", ["training_spectra", "must lie inside rest_range"]),
        ("training_spectra:\n  test_fraction: 0.95\n", ["training_spectra", "must be below 1"]),
        ("run: a/b\n", ["run", "pattern"]),
    ],
)
def test_mistakes_are_named_with_file_and_mend(tmp_path, text, parts):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        config.load([path])
    for part in [*parts, "mine.yaml"]:
        assert part in str(error.value)


def test_files_that_are_none(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        config.load([tmp_path / "none.yaml"])
    (tmp_path / "bad.yaml").write_text("a: [1,")
    with pytest.raises(ConfigError, match="not valid YAML"):
        config.load([tmp_path / "bad.yaml"])
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(ConfigError, match="key: value"):
        config.load([tmp_path / "list.yaml"])


def test_later_files_win_key_by_key(tmp_path):
    (tmp_path / "a.yaml").write_text("extract: {target_snr: 10, min_snr: 1}\n")
    (tmp_path / "b.yaml").write_text("extract: {target_snr: 30}\n")
    run = config.load([tmp_path / "a.yaml", tmp_path / "b.yaml"])
    assert (run.extract.target_snr, run.extract.min_snr) == (30, 1)
