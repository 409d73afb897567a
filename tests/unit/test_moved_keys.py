"""Keys of the configuration at their old places: an error names the new one, and its lines, pasted, are right."""

import re

import pytest
import yaml

from mangrove.config import Config
from mangrove.config_files import load, validate
from mangrove.errors import ConfigError
from mangrove.moved_keys import MOVED


def value_at(run, key):
    section, name = key.split(".")
    return getattr(getattr(run, section), name)


def complaint(values, files=(), given=None):
    with pytest.raises(ConfigError) as error:
        validate(values, files, given)
    return str(error.value)


@pytest.mark.parametrize(("old", "new"), MOVED.items())
def test_an_old_key_is_named_with_its_line_and_the_lines_that_replace_it(tmp_path, old, new):
    section, name = old.split(".")
    path = tmp_path / "mine.yaml"
    path.write_text(f"run: mine\n{section}:\n  {name}: 0.25\n")
    with pytest.raises(ConfigError) as error:
        load([path])
    said, lines = str(error.value).split("delete the old lines and add:\n")
    assert f"- {old} in {path}, line 3: this key is now {new}.\n" in said
    path.write_text("run: mine\n" + lines)
    assert value_at(load([path]), new) == 0.25


@pytest.mark.parametrize(("old", "new"), MOVED.items())
def test_keys_moved_to_a_place_that_exists_from_one_that_does_not(old, new):
    value_at(Config(), new)
    with pytest.raises(AttributeError):
        value_at(Config(), old)


def test_the_keys_of_a_file_are_replaced_in_one_step(tmp_path):
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text("fit: {sky_half_width: 5, ebv_scale: 0.86, n_draw: 4}\n")
    second.write_text("training_spectra: {test_fraction: 0.3}\nfit: {n_draws: 3}\n")
    text = complaint(
        {"fit": {"sky_half_width": 5, "ebv_scale": 0.86, "n_draws": 3}, "training_spectra": {"test_fraction": 0.3}},
        [first, second],
    )
    blocks = text.split("delete the old lines and add:\n")[1:]
    pasted = [yaml.safe_load(block.partition("\n- ")[0]) for block in blocks]
    assert pasted == [{"preprocessing": {"sky_half_width": 5, "ebv_scale": 0.86}}, {"split": {"test_fraction": 0.3}}]
    assert f"unknown key 'fit.n_draws' in {second}, line 2; did you mean 'n_draw'?" in text, (
        "other mistakes are told too"
    )


def test_an_old_key_on_the_command_line_gets_words_for_the_command_line():
    given = {"fit": {"ebv_scale": "0.86", "sky_half_width": 5}}
    text = complaint(given, given=given)
    assert "- fit.ebv_scale in --config: this key is now preprocessing.ebv_scale." in text
    assert "'" not in text.partition("give:")[2]
    name, keys = re.search(r'--config "(\w+)=(\{.*\})"', text).groups()
    run = validate({name: yaml.safe_load(keys)})
    assert (run.preprocessing.ebv_scale, run.preprocessing.sky_half_width) == (0.86, 5)
