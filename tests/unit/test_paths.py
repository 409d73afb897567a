"""Paths as users write them: one rule in every key, in sample sheets and in commands."""

from pathlib import Path

import pytest

from mangrove import paths
from mangrove.config import Config
from mangrove.config_files import load
from mangrove.errors import ConfigError, SampleError
from mangrove.survey.plan import describe
from mangrove.survey.sample import parse_sheet

LOCAL = [
    "survey.mirror",
    "survey.data_folder",
    "sample.sheet",
    "fit.templates",
    "emulator.desi_file",
    "report.truth_library",
]
ADDRESSES = ["survey.base", "sample.agn", "sample.morphology"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SCRATCH", str(tmp_path / "scratch"))
    monkeypatch.delenv("NOWHERE", raising=False)
    return tmp_path


def value(folder, key, text):
    """The value of a key that a file sets to a text."""
    section, name = key.split(".")
    (folder / "x.yaml").write_text(f"{section}:\n  {name}: '{text}'\n")
    return getattr(getattr(load([folder / "x.yaml"]), section), name)


@pytest.mark.parametrize("key", ADDRESSES)
@pytest.mark.parametrize("text", ["https://", "https://[::1", "http://host:99999/", "https:///sas", "http://host:x/"])
def test_an_address_names_a_server(home, key, text):
    with pytest.raises(ConfigError, match=r"must name a server"):
        value(home, key, text)
    assert value(home, key, "http://[::1]:8000/sas") == "http://[::1]:8000/sas"


@pytest.mark.parametrize("key", LOCAL + ADDRESSES)
def test_home_and_variables_are_expanded_in_every_key(home, key):
    assert value(home, key, "~/a b/c") == f"{home}/home/a b/c"
    assert value(home, key, "$SCRATCH/c") == value(home, key, "${SCRATCH}/c") == f"{home}/scratch/c"
    assert value(home, key, "data/c") == "data/c", "a relative path stays one, below the working folder"
    with pytest.raises(ConfigError, match=rf"{key} in \S*x.yaml, line 2: the variable \$NOWHERE is not set"):
        value(home, key, "$NOWHERE/c")
    with pytest.raises(ConfigError, match=r"there is no home folder ~nobody-of-this-name"):
        value(home, key, "~nobody-of-this-name/c")


@pytest.mark.parametrize("key", LOCAL + ADDRESSES)
@pytest.mark.parametrize("text", ["file://~/c", "file:///~/c", "file://localhost{home}/home/c", "file://{home}/home/c"])
def test_file_addresses_are_paths_from_the_root(home, key, text):
    path = home / "home/c"
    assert value(home, key, text.format(home=home)) == (str(path) if key in LOCAL else path.as_uri())
    with pytest.raises(ConfigError, match=r"file:// must be followed by an absolute path: file:///data/c"):
        value(home, key, "file://data/c")


@pytest.mark.parametrize("key", LOCAL + ADDRESSES)
def test_what_would_be_a_folder_of_an_odd_name_is_refused(home, key):
    for text in (" ~/c", "~/c ", " data"):
        with pytest.raises(ConfigError, match=rf"{key} in \S*x.yaml, line 2: must not begin or end with a space"):
            value(home, key, text)
    for text in ("file:/a/c", "file:c", "http:/x.org/c", "HTTPS:x.org"):
        with pytest.raises(ConfigError, match=rf"{key} in \S*x.yaml, line 2: must have two slashes after"):
            value(home, key, text)


def test_addresses_of_servers_only_where_something_is_fetched(tmp_path):
    for key in ADDRESSES:
        assert value(tmp_path, key, "https://x.org/~me/$a") == "https://x.org/~me/$a"
    for key in LOCAL:
        with pytest.raises(ConfigError, match="must be a path on this machine"):
            value(tmp_path, key, "https://x.org/a")
    with pytest.raises(ConfigError, match=r"survey.data_folder in \S*, line 2"):
        value(tmp_path, "survey.data_folder", "")


def test_every_key_that_is_a_path_is_tested_here():
    """A key whose words say path, folder, file, address or sheet is one of the lists above."""
    words = ("path", "folder", "address", "sample sheet;", "the table (HDF5)")
    keys = [
        f"{section}.{key}"
        for section, field in Config.model_fields.items()
        if hasattr(field.annotation, "model_fields")
        for key, f in field.annotation.model_fields.items()
        if f.annotation is str and any(word in f.description for word in words)
    ]
    assert set(keys) <= {*LOCAL, *ADDRESSES}
    assert len(keys) >= 7


def test_paths_of_a_sample_sheet(home):
    assert paths.below("data/", "a/b.fits") == "data/a/b.fits"
    assert paths.below("https://x.org/", "a.fits") == "https://x.org/a.fits"
    assert paths.below("data", "~/b.fits") == f"{home}/home/b.fits"
    assert paths.below("https://x.org", "/b.fits") == "/b.fits"
    header = "plateifu\tmangaid\tz\tebv\tra\tdec\tpath\n"
    (home / "s.tsv").write_text(f"{header}a\ta\t0.1\t0\t1\t1\t~/a.fits\n")
    config = Config.model_validate(
        {"survey": {"source": "files", "base": "data"}, "sample": {"sheet": str(home / "s.tsv")}}
    )
    assert f"cube       {home}/home/a.fits" in "\n".join(describe(config, 1, 1.0))
    with pytest.raises(SampleError, match=r"line 2: path of a, \$NOWHERE/a.fits: the variable \$NOWHERE is not set"):
        parse_sheet([header, "a\ta\t0.1\t0\t1\t1\t$NOWHERE/a.fits\n"], "s.tsv", files=True)


def test_the_default_paths_are_left_as_they_are():
    assert Path(Config().survey.data_folder) == Path("data")
    assert Config().fit.templates == "mastar"
