"""Print which params of the workflow's jobs are not plain values, as JSON: ``walk_params.py CONFIG [TARGET ...]``."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, Quietness, ResourceSettings

PLAIN = (str, int, float, bool, type(None))


def strange_types(value) -> Iterator[str]:
    """Names of the types within a value that are not plain."""
    if type(value) is dict:
        for item in [*value, *value.values()]:
            yield from strange_types(item)
    elif type(value) is list:
        for item in value:
            yield from strange_types(item)
    elif type(value) not in PLAIN:
        yield type(value).__name__


def jobs(config: Path, targets: set[str]) -> Iterator:
    """All jobs of the graph of the workflow that lies here."""
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow_api = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(configfiles=[config]),
            snakefile=Path("Snakefile"),
        )
        workflow_api.dag(DAGSettings(targets=frozenset(targets)))
        # Snakemake keeps the graph to itself; these are the steps of its own 'printdag'.
        workflow = workflow_api._workflow
        workflow._prepare_dag(forceall=False, ignore_incomplete=True, lock_warn_only=True)
        workflow._build_dag()
        yield from workflow.dag.jobs


def main(config: str, *targets: str) -> None:
    """Walk the params of every job."""
    rules, faults = set(), set()
    for job in jobs(Path(config), set(targets)):
        rules.add(job.rule.name)
        faults |= {(job.rule.name, name, kind) for name, value in job.params.items() for kind in strange_types(value)}
    print(json.dumps({"rules": sorted(rules), "faults": sorted(faults)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
