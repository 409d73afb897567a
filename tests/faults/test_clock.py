"""A clock that goes backwards: what is current stays, what is not is made again, and nothing says otherwise.

To a clock that was set back by a day, all files of a run are from tomorrow.
"""

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from mini_run import CONFIG, MiniRun, demand_equal
from workflow.conftest import PATIENCE

DAY = 86400 * 10**9


def files_of(run: MiniRun) -> list[Path]:
    """Files and links of results and data."""
    return [p for name in ("results", "data") for p in (run.folder / name).rglob("*") if p.is_symlink() or p.is_file()]


def move(files: list[Path], by: int) -> None:
    """Move time stamps, ns, each by as much; a file that a job has removed meanwhile needs none."""
    for path in files:
        with suppress(FileNotFoundError):
            stamp = path.lstat().st_mtime_ns
            os.utime(path, ns=(stamp + by, stamp + by), follow_symlinks=False)


@pytest.fixture
def of_tomorrow(mini, tmp_path) -> MiniRun:
    """A copy of the finished run, made by a clock that was a day ahead."""
    run = MiniRun(shutil.copytree(mini.folder, tmp_path / "run", symlinks=True))
    move(files_of(run), DAY)
    return run


def with_two_seeds(text: str) -> str:
    return text.replace("n_seed: 1", "n_seed: 2")


def stale_rules(report: str) -> set[str]:
    """Rules that 'mangrove verify' says would make a result differently."""
    return {line.split("(rule ")[1].split(")")[0] for line in report.splitlines() if "(rule " in line}


def test_after_the_clock_was_set_back_a_run_goes_on(of_tomorrow):
    run = of_tomorrow
    assert run.planned().rules == {}
    verified = run.mangrove("verify", "mini")
    assert verified.returncode == 0, verified.stdout

    with run.edited(CONFIG, with_two_seeds):
        planned = run.planned().rules
        assert planned["embedding"] == 1 and "autoencoder_train" not in planned
        assert stale_rules(run.mangrove("verify", "mini").stdout) == {"embedding"}
        # Ended between a result and what is made of it: the old figures must not pass for newer than the new result.
        said = run.snakemake("--until", "embedding").stdout
        assert "The clock was set back" in said
        assert all(path.lstat().st_mtime <= time.time() for path in files_of(run))
        left = run.planned().rules
        assert left == {rule: n for rule, n in planned.items() if rule != "embedding"}


@pytest.mark.skipif("MANGROVE_SOAK" not in os.environ, reason="takes minutes: 'make soak' runs it")
def test_a_clock_that_is_set_back_while_a_run_goes_on(mini, tmp_path):
    """Whether jobs that read files from tomorrow fail or not, the next start ends with what a right clock gives."""
    run = MiniRun(shutil.copytree(mini.folder, tmp_path / "run", symlinks=True))
    (benchmark,) = run.folder.glob("results/mini/benchmarks/latents/*.tsv")
    before = benchmark.stat().st_mtime_ns
    process = subprocess.Popen(run.command("--forcerun", "latents"), **run.process(), start_new_session=True)
    try:
        while benchmark.stat().st_mtime_ns == before:
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.05)
        move(files_of(run), DAY)
        print(process.communicate(timeout=PATIENCE)[0][-2000:])
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    print(f"with the clock set back, the run ended with {process.returncode}")
    run.snakemake()
    assert run.planned().rules == {}
    verified = run.mangrove("verify", "mini")
    assert verified.returncode == 0, verified.stdout
    demand_equal(run.products(), mini.products())


def test_a_clock_that_was_behind_remakes_nothing(mini):
    """Files from yesterday are as current as any, in whichever order their checkout or copy is."""
    move(files_of(mini), -DAY)
    assert mini.planned().rules == {}
    move(files_of(mini), DAY)
