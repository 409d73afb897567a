"""Jobs that Snakemake takes for done: their outputs are written by something else, and their making is recorded."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path


def record(config: Path, write: Callable[[list], None], is_recorded: Callable[[str], bool] | None = None) -> None:
    """Write the outputs of jobs, and through Snakemake's own interface the metadata of their making.

    In the current folder, the workflow's. The graph stays in memory until the process ends.

    Parameters
    ----------
    config : Path
        Configuration of the run.
    write : callable
        Gets all the jobs, in an order in which they could run, and writes what outputs are not there.
    is_recorded : callable, optional
        Says by the name of its rule whether a job is recorded as done; all jobs by default.
    """
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import (
        ConfigSettings,
        DAGSettings,
        ExecutionSettings,
        OutputSettings,
        Quietness,
        ResourceSettings,
    )

    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow_api = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(configfiles=[config]),
            snakefile=Path("Snakefile"),
        )
        workflow_api.dag(DAGSettings(max_checksum_file_size=_checksum_limit()))
        # Snakemake keeps the graph to itself; these are the steps of its own 'execute'.
        workflow = workflow_api._workflow
        workflow.execution_settings = ExecutionSettings()
        workflow._prepare_dag(forceall=False, ignore_incomplete=True, lock_warn_only=True)
        workflow._build_dag()
        jobs = [job for level in workflow.dag.toposorted() for job in level]
        if is_recorded is not None:
            jobs = [job for job in jobs if is_recorded(job.rule.name)]
        write(jobs)
        workflow.iocache.clear()
        for job in jobs:
            workflow.persistence.started(job)
            asyncio.run(workflow.persistence.finished(job))


def _checksum_limit() -> int:
    """The profile's size up to which inputs are compared by content."""
    return int(re.search(r"^max-checksum-file-size: (\d+)", Path("profiles/default/config.yaml").read_text(), re.M)[1])
