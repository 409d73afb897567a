"""The environment for conda is the lock list."""

import re
from pathlib import Path

import yaml

ENVS = Path(__file__).resolve().parents[2] / "envs"


def test_conda_installs_what_the_lock_list_pins():
    locked = re.findall(r"^([a-z].*?) *\\$", (ENVS / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    environment = yaml.safe_load((ENVS / "mangrove.yaml").read_text(encoding="utf-8"))
    assert environment["dependencies"][-1] == {"pip": locked}, "run 'make lock'"
