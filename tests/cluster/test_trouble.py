"""What goes wrong on a cluster: tasks of an array, nodes, memory, the workflow itself. On a real Slurm of one node."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from workflow.conftest import REGULAR, TOO_FAINT, make_workspace

from .cluster_run import ClusterRun

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]

# No IFU has ten fibres: simulating this galaxy fails. By name it is the second of three.
BROKEN = "9002-1001"
#: Two cores: two tasks run and one waits.
TASKS = [REGULAR, BROKEN, TOO_FAINT]
LATER = "9005-1902"


def truth(name: str) -> str:
    """What simulating a galaxy makes, beside its cube."""
    return f"results/tiny/archive/truth/{name}.h5"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A workspace in which nothing has run, for these galaxies."""
    workspace = make_workspace(tmp_path_factory.mktemp("trouble"))
    header, *rows = (workspace.folder / "samples/tiny.tsv").read_text(encoding="utf-8").splitlines()
    own = [f"{name}\t{rows[0].split(chr(9), 1)[1]}" for name in (*TASKS, LATER)]
    workspace.write("samples/tiny.tsv", "\n".join([header, *own]) + "\n")
    return workspace


@pytest.fixture(scope="module")
def array(slurm, workspace):
    """A run of an array, whose node is drained while two tasks run and whose last task is then cancelled."""
    run = ClusterRun(workspace, slurm, "array", *map(truth, TASKS))
    run.wait(lambda: len(run.jobs()) == 3)
    tasks = run.jobs()
    for task in tasks[:2]:
        run.wait_state(task, "RUNNING")
    slurm.drain()
    try:
        for task in tasks[:2]:
            run.wait_state(task, "COMPLETED", "FAILED")
        states = [slurm.state(task) for task in tasks]
    finally:
        slurm.resume()
    run.wait_state(tasks[2], "RUNNING")
    slurm.ask("scancel", tasks[2])
    status = run.process.wait(180)
    asked = [(job["JobState"], job["MinMemoryNode"], job["TimeLimit"]) for job in map(slurm.job, run.jobs())]
    return tasks, states, status, asked, run.text()


def test_jobs_of_a_rule_are_tasks_of_one_array(array):
    numbers = [task.split("_") for task in array[0]]
    assert len({number for number, _ in numbers}) == 1 and [task for _, task in numbers] == ["1", "2", "3"]


def test_on_a_node_that_is_drained_running_tasks_end_and_waiting_ones_wait_for_its_return(array):
    _, states, _, _, text = array
    assert states == ["COMPLETED", "FAILED", "PENDING"], text


def test_a_middle_task_that_fails_costs_the_others_nothing(workspace, array):
    _, _, status, _, text = array
    made = [(workspace.folder / truth(name)).is_file() for name in TASKS]
    assert made == [True, False, True] and status != 0, text
    assert f"1 x simulate: mangrove.errors.SampleError: '{BROKEN}': IFU 1001 has none of" in text


def test_tasks_that_fail_or_are_cancelled_are_sent_again_with_more(array):
    more = "3000M", "00:20:00"
    _, _, _, asked, text = array
    assert [(memory, minutes) for _, memory, minutes in asked[:3]] == [("1500M", "00:10:00")] * 3
    assert [state for state, *_ in asked[:3]] == ["COMPLETED", "FAILED", "CANCELLED"], text
    assert sorted(asked[3:]) == [("COMPLETED", *more), ("FAILED", *more)], text


def test_a_job_out_of_memory_gets_more_and_a_killed_workflow_is_resumed(slurm, workspace):
    """As docs/cluster.md says: no job may be left, then the command of 'mangrove doctor', then again."""
    run = ClusterRun(workspace, slurm, "killed", truth(LATER), "--set-resources", "simulate:mem_mb=100*attempt**4")
    run.wait(lambda: len(run.jobs()) == 2)
    first, second = run.jobs()
    killed = slurm.job(first)
    assert killed["MinMemoryNode"] == "100M" and killed["JobState"] != "COMPLETED"
    assert "exceeded memory limit" in Path(killed["StdOut"]).read_text(encoding="utf-8")
    assert slurm.job(second)["MinMemoryNode"] == "1600M"
    run.wait_state(second, "RUNNING")
    os.killpg(run.process.pid, signal.SIGKILL)
    run.process.wait()
    assert slurm.state(second) == "RUNNING"
    slurm.ask("scancel", second)
    run.wait_state(second, "CANCELLED")
    assert not (workspace.folder / truth(LATER)).exists()
    doctor = workspace.mangrove("doctor").stdout
    command = next(line for line in doctor.splitlines() if "--unlock" in line)
    done = subprocess.run(["bash", "-c", command], **workspace.process(), timeout=60)
    assert done.returncode == 0, done.stdout
    again = ClusterRun(workspace, slurm, "resumed", truth(LATER))
    assert again.process.wait(120) == 0, again.text()
    assert len(again.jobs()) == 1 and (workspace.folder / truth(LATER)).is_file()
