"""Print the jobs of a run's graph as JSON, as a script's ``main`` takes them: ``list_jobs.py CONFIG``, in a checkout.

The order is that of the run: each job comes after those whose outputs it reads.
"""

import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "workflow"))

from walk_params import jobs


def named(values) -> dict:
    """Values that a rule names, as plain ones: a path, a list of paths, a param."""
    return {name: plain(value) for name, value in values.items() if name is not None}


def plain(value):
    """Paths as texts, lists of them as lists."""
    if isinstance(value, str):
        return str(value)
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def main(config: str) -> None:
    """Write one object for each job that runs a script."""
    scripted = [job for job in jobs(Path(config), set()) if job.rule.script]
    listed = [
        {
            "rule": job.rule.name,
            "of": ", ".join(map(str, job.wildcards_dict.values())),
            "script": Path(job.rule.script).name,
            "inputs": named(job.input),
            "outputs": named(job.output),
            "params": named(job.params),
            "log": str(job.log[0]),
        }
        for job in scripted
    ]
    json.dump(in_order(listed), sys.stdout)


def in_order(listed: list[dict]) -> list[dict]:
    """Jobs sorted so that inputs are made before they are read."""
    made_by = {path: i for i, job in enumerate(listed) for path in paths(job["outputs"])}
    ordered: dict[int, dict] = {}

    def add(i: int) -> None:
        for path in paths(listed[i]["inputs"]):
            if path in made_by and made_by[path] not in ordered:
                add(made_by[path])
        ordered.setdefault(i, listed[i])

    for i in range(len(listed)):
        add(i)
    return list(ordered.values())


def paths(values: dict) -> list[str]:
    """All paths among inputs or outputs."""
    return [path for value in values.values() for path in (value if isinstance(value, list) else [value])]


if __name__ == "__main__":
    main(*sys.argv[1:])
