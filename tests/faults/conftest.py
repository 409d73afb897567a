"""The mini run, finished without disturbance, and its steps with writes that fail."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow"))

from mini_run import MiniRun
from steps import Steps, compiled_shim, serving


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """All tests of this folder share one finished run, so one worker runs them."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("faults"))


@pytest.fixture(scope="session")
def mini(tmp_path_factory) -> MiniRun:
    """A checkout with the finished mini run; tests leave it as they found it."""
    made = MiniRun.in_new_checkout(tmp_path_factory.mktemp("mini"))
    made.snakemake()
    return made


@pytest.fixture(scope="session")
def steps(mini, tmp_path_factory) -> Iterator[Steps]:
    """The steps of the mini run."""
    if sys.platform != "linux" or shutil.which("cc") is None:
        pytest.skip("faults are injected by a library that a C compiler makes for Linux's LD_PRELOAD")
    with serving(mini, compiled_shim(tmp_path_factory.mktemp("shim"))) as steps:
        yield steps
