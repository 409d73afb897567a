"""A run killed with SIGKILL again and again as it advances ends as one that nothing disturbed.

MANGROVE_KILLS sets the number of kills; their moments are seeded. Without it two come before the map of spectra is made.
"""

import os
import random
import signal
import subprocess
import time

from mini_run import MiniRun, demand_equal

KILLS = int(os.environ.get("MANGROVE_KILLS", "0"))
UNTIL = () if KILLS else ("--until", "desom_maps")
#: Jobs at the end of the run at which nothing is killed: the last kill must come before the run is over.
LAST_JOBS = 8
#: Seconds after a job's end within which a kill comes: enough to plan, lock and start again, or to be amid the next job.
LATEST = 6.0


def test_a_run_killed_at_any_moment_ends_as_an_undisturbed_one(mini, tmp_path):
    killed = MiniRun.in_new_checkout(tmp_path)
    n_job = sum(killed.planned(*UNTIL).rules.values())
    moments = random.Random(f"{KILLS} kills")
    # The first kill comes when jobs have ended, so that there is a lock to find.
    jobs = sorted(moments.randint(1, n_job - LAST_JOBS) for _ in range(KILLS or 2))
    for i, n_ended in enumerate(jobs):
        process = subprocess.Popen(killed.command(*UNTIL), **killed.process(), start_new_session=True)
        wait_for_jobs(killed, n_ended, process)
        if i == 0:
            demand_refusal_of_a_second_run(killed)
        time.sleep(moments.uniform(0, LATEST))
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
    print(f"{len(jobs)} kills survived, at {jobs} of {n_job} finished jobs")


def finished_jobs(run: MiniRun) -> int:
    """Number of jobs that have ended well."""
    return sum(1 for _ in (run.run / "benchmarks").rglob("*.tsv"))


def wait_for_jobs(run: MiniRun, n: int, process: subprocess.Popen) -> None:
    """Wait until a number of jobs has ended, while the process runs."""
    while finished_jobs(run) < n:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)


def demand_refusal_of_a_second_run(run: MiniRun) -> None:
    """While a run goes on, another in the same folder is refused, and told how locks are lifted."""
    second = run.snakemake(check=False)
    assert second.returncode != 0
    assert "cannot be locked" in second.stdout and "--unlock" in second.stdout
