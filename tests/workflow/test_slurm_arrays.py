"""Arrays of Slurm (workflow/slurm_arrays.py) without a Slurm; tests/cluster has them on a real one."""

import importlib.util
import subprocess
from types import SimpleNamespace

import pytest
import snakemake_executor_plugin_slurm as plugin
from conftest import ROOT


@pytest.fixture(scope="module")
def arrays():
    """The module."""
    spec = importlib.util.spec_from_file_location("slurm_arrays", ROOT / "workflow/slurm_arrays.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Executor:
    """Notes what it is given to submit."""

    max_array_size = 3

    def __init__(self):
        self.alone, self.arrays, self.told = [], [], []
        self._job_submission_executor = SimpleNamespace(submit=lambda _, __, part: self.arrays.append(part))

    def _submit_job(self, job):
        self.alone.append(job)

    def run_job_pre(self, job):
        self.told.append(job)


def job(name: str, mem_mb: int = 1500, threads: int = 1, tmpdir: str = "/tmp"):
    """A job of a rule."""
    resources = {"mem_mb": mem_mb, "runtime": 10, "tmpdir": tmpdir}
    return SimpleNamespace(output=[name], threads=threads, resources=resources)


def names(jobs) -> list[str]:
    return [one.output[0] for one in jobs]


def test_jobs_that_ask_for_other_memory_or_cores_are_in_no_array_with_others(arrays):
    """As those do that are sent again, whose memory has grown."""
    executor = Executor()
    jobs = [job("d"), job("a", 3000), job("c", tmpdir="/scratch"), job("b", 3000), job("e", threads=2)]
    arrays.submit_alike(executor, jobs)
    assert [names(part) for part in executor.arrays] == [["a", "b"], ["c", "d"]]
    assert names(executor.alone) == ["e"] and names(executor.told) == ["a", "b", "c", "d"]


def test_no_array_has_more_tasks_than_the_limit(arrays):
    executor = Executor()
    arrays.submit_alike(executor, [job(name) for name in "gfedcba"])
    assert [names(part) for part in executor.arrays] == [["a", "b", "c"], ["d", "e", "f"]]
    assert names(executor.alone) == ["g"]


@pytest.mark.parametrize("task", [1, 2, 12])
def test_a_task_runs_its_own_command(arrays, task):
    script = arrays.script_of([f"cd / &&  echo 'task {i}' \"$0\"" for i in range(1, 13)])
    done = subprocess.run(
        ["sh", "-c", script, "x"], env={"SLURM_ARRAY_TASK_ID": str(task)}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, f"task {task} x\n")


def test_a_task_that_fails_says_so(arrays):
    script = arrays.script_of(["true", "cd / && exit 3"])
    assert subprocess.run(["sh", "-c", script], env={"SLURM_ARRAY_TASK_ID": "2"}).returncode == 3


def test_what_is_mended_is_there_in_the_plugin_and_mended(arrays):
    """A release of the plugin that names these things otherwise would go on unmended."""
    used = {*plugin.Executor.run_jobs.__code__.co_names, *plugin.Executor.check_active_jobs.__code__.co_names}
    assert {"pending_jobs_for_rule", "_submit_array_jobs", "query_job_status_sacct"} <= used
    assert "JobIdRaw" in plugin.query_job_status_sacct("run")
    copy = SimpleNamespace(Executor=type("Copy", (), {}), query_job_status_sacct=plugin.query_job_status_sacct)
    arrays.mend(copy)
    assert copy.Executor._submit_array_jobs is arrays.submit_alike and copy.pending_jobs_for_rule(None, "fit") == 0
    # A task by the name that the plugin knows it by, and not by the number of its array's last task.
    assert "--format=JobID,State" in copy.query_job_status_sacct("run")
