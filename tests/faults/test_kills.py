"""A run killed with SIGKILL again and again as it advances ends as one that nothing disturbed.

MANGROVE_KILLS sets the number of kills; their moments are seeded. Without it two come before the map of spectra is made.
"""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Collection

from mini_run import MiniRun, demand_equal

KILLS = int(os.environ.get("MANGROVE_KILLS", "0"))
UNTIL = () if KILLS else ("--until", "desom_maps")
#: Jobs at the end of the run at which nothing is killed: the last kill must come before the run is over.
LAST_JOBS = 8
#: Seconds after a job's end or start within which a kill comes.
LATEST = 6.0
#: Part of the kills that wait for a job to be running; the others may come while the workflow starts.
AMID_JOBS = 0.75
#: Seconds between the starts of two workflows in one folder: less than either takes to plan.
BETWEEN = 0.5


def test_a_run_killed_at_any_moment_ends_as_an_undisturbed_one(mini, tmp_path):
    killed = MiniRun.in_new_checkout(tmp_path)
    n_job = sum(killed.planned(*UNTIL).rules.values())
    moments = random.Random(f"{KILLS} kills")
    # The first kill comes when jobs have ended, so that there is a lock to find.
    jobs = sorted(moments.randint(1, n_job - LAST_JOBS) for _ in range(KILLS or 2))
    n_amid = 0
    for i, n_ended in enumerate(jobs):
        before = scripts(killed)
        process = started(killed) if i else started_twice(killed)
        wait_until(process, has_finished, killed, n_ended)
        if moments.random() < AMID_JOBS:
            wait_until(process, scripts, killed, before)
        time.sleep(moments.uniform(0, LATEST))
        n_amid += bool(scripts(killed, before))
        os.killpg(process.pid, signal.SIGKILL)
        output = process.communicate()[0]
        assert process.returncode == -signal.SIGKILL, f"over before it was killed:\n{output[-2000:]}"
        if i == 0:
            doctor = killed.mangrove("doctor", "locks")
            assert doctor.returncode == 1 and "snakemake --unlock" in doctor.stdout
        killed.snakemake("--unlock")
    assert "no lock" in killed.mangrove("doctor", "locks").stdout
    killed.snakemake(*UNTIL)
    assert killed.planned(*UNTIL).rules == {}
    made, undisturbed = killed.products(), mini.products()
    demand_equal(
        made, {name: content for name, content in undisturbed.items() if name in made} if UNTIL else undisturbed
    )
    print(f"{len(jobs)} kills survived, {n_amid} of them amid jobs, at {jobs} of {n_job} finished jobs")
    assert n_amid >= len(jobs) // 2


def has_finished(run: MiniRun, n_job: int) -> bool:
    """Whether so many jobs have ended well."""
    return sum(1 for _ in (run.run / "benchmarks").rglob("*.tsv")) >= n_job


def scripts(run: MiniRun, before: Collection[str] = ()) -> set[str]:
    """Names of the scripts of jobs that run, or that were killed, without those that were there before."""
    return {path.name for path in (run.folder / ".snakemake/scripts").glob("*")} - {*before}


def wait_until(process: subprocess.Popen, holds: Callable, *arguments) -> None:
    """Wait until a function of these arguments gives something true, while the process runs."""
    while not holds(*arguments):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)


def started(run: MiniRun) -> subprocess.Popen:
    """The workflow as a process group of its own."""
    return subprocess.Popen(run.command(*UNTIL), **run.process(), start_new_session=True)


def started_twice(run: MiniRun) -> subprocess.Popen:
    """The workflow, started twice at once: one of them goes on, the other is refused, and told how locks are lifted."""
    pair = [started(run)]
    time.sleep(BETWEEN)
    pair.append(started(run))
    while all(process.poll() is None for process in pair):
        time.sleep(0.05)
    refused, other = sorted(pair, key=lambda process: process.poll() is None)
    output = refused.communicate()[0]
    assert refused.returncode != 0 and other.poll() is None
    assert "cannot be locked" in output and "--unlock" in output
    return other
