"""A whole run on a real Slurm, killed in its midst and resumed. It takes ten minutes: 'make soak' has it, with MANGROVE_SOAK."""

import os
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))

from mini_run import CONFIG, MiniRun, demand_equal

from .cluster_run import ClusterRun
from .test_slurm import FITS

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]

#: Jobs that have ended when the workflow is killed, of some forty.
N_ENDED = 15


@pytest.mark.skipif("MANGROVE_SOAK" not in os.environ, reason="takes ten minutes: 'make soak' runs it")
def test_a_whole_run_that_was_killed_and_resumed_is_that_of_one_machine(slurm, tmp_path):
    run, alone = (MiniRun.in_new_checkout(tmp_path / name) for name in ("cluster", "alone"))
    alone.snakemake()
    first = ClusterRun(run, slurm, "killed", *FITS, config=CONFIG)
    first.wait(lambda: sum(1 for _ in (run.run / "benchmarks").rglob("*.tsv")) >= N_ENDED, 900)
    os.killpg(first.process.pid, signal.SIGKILL)
    first.process.wait()
    slurm.ask("scancel", "--user=root")
    first.wait(lambda: not slurm.ask("squeue", "--noheader"), 60)
    run.snakemake("--unlock")
    again = ClusterRun(run, slurm, "resumed", *FITS, config=CONFIG)
    assert again.process.wait(1800) == 0, again.text()
    assert first.jobs() and again.jobs()
    assert run.planned().rules == {} and run.mangrove("verify", "mini").returncode == 0
    demand_equal(run.products(), alone.products())
