"""Arrays of Slurm whose tasks are jobs of their own.

The arrays of snakemake-executor-plugin-slurm 2.8.0 cannot be relied on: a batch of jobs that is smaller than what is
ready is dropped without a word, and the run waits for ever
(https://github.com/snakemake/snakemake-executor-plugin-slurm/issues/473); every task looks for the outputs of the
first, so that the others fail (issue 447); all ask for what the first asks for, so that a job that is sent again
among others may get no more memory; and sacct is asked for numbers by which it does not know tasks. So the plugin
keeps what is said here of it: which rules (``--slurm-array-jobs``), how many tasks (``--slurm-array-limit``), the
options of sbatch, the accounts and partitions; the script of the array is ours.
"""

import subprocess
from collections.abc import Sequence
from types import ModuleType

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo


def mend(plugin: ModuleType) -> None:
    """Let the plugin for Slurm submit arrays as this module does."""
    # It would wait for jobs that the scheduler has not chosen, and forget those that it has.
    plugin.pending_jobs_for_rule = lambda dag, rule: 0
    plugin.Executor._submit_array_jobs = submit_alike
    ask = plugin.query_job_status_sacct
    # Tasks by the names that they have in squeue, 12_3; other jobs have one number.
    plugin.query_job_status_sacct = lambda run: ask(run).replace("JobIdRaw", "JobID")


def submit_alike(executor, jobs: Sequence) -> None:
    """Submit jobs of one rule in the order of their outputs, those that ask for the same in arrays."""
    alike: dict[str, list] = {}
    for job in sorted(jobs, key=lambda job: [*map(str, job.output)]):
        alike.setdefault(repr((job.threads, sorted(asked(job).items()))), []).append(job)
    for group in alike.values():
        for start in range(0, len(group), executor.max_array_size):
            part = group[start : start + executor.max_array_size]
            if len(part) == 1:
                executor._submit_job(part[0])
                continue
            for job in part:
                executor.run_job_pre(job)
            executor._job_submission_executor.submit(submit_array, executor, part)


def asked(job) -> dict[str, str]:
    """Resources of a job, without the folder for its temporary files, which differs from job to job at some sites."""
    return {name: str(value) for name, value in job.resources.items() if name != "tmpdir"}


def submit_array(executor, jobs: Sequence) -> None:
    """Submit jobs as one array, and have them watched; if that fails, they have failed."""
    folder = executor.slurm_logdir / f"rule_{jobs[0].name}"
    try:
        number = sbatch(executor, jobs, folder)
    except Exception as error:
        for job in jobs:
            executor._report_job_error_threadsafe(SubmittedJobInfo(job), f"The array was not submitted: {error}\n")
        return
    # To cancel the jobs, Snakemake must know whether they are elsewhere.
    elsewhere = [jobs[0].resources.get(name) for name in ("cluster", "clusters", "slurm_cluster")]
    executor._submitted_job_clusters.update(filter(None, elsewhere))
    for task, job in enumerate(jobs, 1):
        log = folder / f"{number}_{task}.log"
        executor.logger.info(f"Job {job.jobid} has been submitted with SLURM jobid {number}_{task} (log: {log}).")
        executor._report_job_submission_threadsafe(
            SubmittedJobInfo(job, external_jobid=f"{number}_{task}", aux={"slurm_logfile": log})
        )


def sbatch(executor, jobs: Sequence, folder) -> str:
    """Number of the array that sbatch has taken; its tasks are the jobs from 1 on.

    Raises
    ------
    RuntimeError
        If sbatch refuses it; the text is what it says.
    """
    import snakemake_executor_plugin_slurm as plugin

    first = jobs[0]
    folder.mkdir(parents=True, exist_ok=True)
    for job in jobs:
        plugin.validate_slurm_extra(job)
    about = {
        "run_uuid": executor.run_uuid,
        "slurm_logfile": folder / "%A_%a.log",
        "comment_str": f"rule_{first.name}",
        "account": next(executor.get_account_arg(first)),
        "partition": executor.get_partition_arg(first),
        "workdir": executor.workflow.workdir_init,
    }
    settings = executor.workflow.executor_settings
    command = plugin.get_submit_command(first, about, settings=settings, failed_nodes=executor._failed_nodes)
    command += f"{plugin.set_gres_string(first)} --array=1-{len(jobs)} /dev/stdin"
    script = script_of([executor.format_job_exec(job) for job in jobs])
    done = subprocess.run(command, shell=True, text=True, input=script, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{done.stderr.strip()} ({command})")
    return plugin.validate_or_get_slurm_job_id(done.stdout.strip().split(";")[0], done.stdout)


def script_of(commands: Sequence[str]) -> str:
    """A script that runs the command of its task."""
    cases = "\n".join(f"{task})\n{command}\n;;" for task, command in enumerate(commands, 1))
    return f'#!/bin/sh\ncase "$SLURM_ARRAY_TASK_ID" in\n{cases}\nesac\n'
