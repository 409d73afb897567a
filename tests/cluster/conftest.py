"""A Slurm of one node, and a checkout with a run of two galaxies that is sent to it."""

import pytest
from workflow.conftest import make_workspace

from .slurm import alone, hindrance, one_node_slurm


@pytest.fixture(scope="session")
def slurm(required, absent):
    """A running Slurm; set up only where MANGROVE_REQUIRE names 'cluster', since that changes this machine."""
    if "cluster" not in required:
        pytest.skip("sets up a Slurm on this machine, as root; MANGROVE_REQUIRE=cluster asks for it")
    with alone():
        if reason := hindrance():
            absent("cluster", reason)
        with one_node_slurm() as slurm:
            yield slurm


@pytest.fixture(scope="session")
def workspace(tmp_path_factory):
    """A workspace in which nothing has run."""
    return make_workspace(tmp_path_factory.mktemp("cluster"))
