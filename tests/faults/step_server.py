"""Runs steps of the workflow, each in a forked process, so that what they import is imported once.

Started in a checkout, with the compiled ``faulty_writes.c`` in LD_PRELOAD, as ``step_server.py JOBS``: a file as
``list_jobs.py`` writes it. Reads a request from each line of standard input and answers with a line:

    {"job": 3, "nth": 7, "error": 28, "lasting": false, "seconds": 60, "log": "step.log"}
    {"exit": 1, "writes": 7, "processor": 0.4}

Writes below the checkout count. ``exit`` is as of ``subprocess``; null where the step had not ended in time. ``writes`` is
null of a killed step; ``processor`` is what the step took of a processor, seconds.
"""

import ctypes
import gc
import importlib.util
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path


class Named(dict):
    """Values by name, as items and as attributes."""

    __getattr__ = dict.__getitem__


SHIM = ctypes.CDLL(None)
SCRIPTS = {}


def script(name: str):
    """A script of the workflow as a module."""
    if name not in SCRIPTS:
        spec = importlib.util.spec_from_file_location(Path(name).stem, Path("workflow/scripts") / name)
        SCRIPTS[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(SCRIPTS[name])
    return SCRIPTS[name]


def run(job: dict, request: dict, told: int) -> None:
    """The step, in this process: its messages go to a file, its number of writes to a pipe."""
    messages = os.open(request["log"], os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(messages, 1)
    os.dup2(messages, 2)
    SHIM.fault_arm(f"{Path.cwd()}/".encode(), request["nth"], request["error"], int(request["lasting"]))
    try:
        script(job["script"]).main(*(Named(job[of]) for of in ("inputs", "outputs", "params")), job["log"], 1)
    finally:
        os.write(told, str(SHIM.fault_count()).encode())


def answer(job: dict, request: dict) -> dict:
    """Fork, wait, tell."""
    script(job["script"])
    # What is here already need not be looked through, and so copied, when the forked process collects its garbage.
    gc.freeze()
    told, tells = os.pipe()
    child = os.fork()
    if not child:
        run(job, request, tells)
        # The interpreter ends as that of a job does, with all that it does then.
        sys.exit(0)
    os.close(tells)
    status, used = ended(child, request["seconds"])
    writes = os.read(told, 32)
    os.close(told)
    return {"exit": status, "writes": int(writes) if writes else None, "processor": used.ru_utime + used.ru_stime}


def ended(child: int, seconds: float) -> tuple[int | None, resource.struct_rusage]:
    """Exit status of a process, None where it did not end in time and was killed, and what it used."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pid, status, used = os.wait4(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status), used
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    return None, os.wait4(child, 0)[2]


def main(listed: str) -> None:
    """Serve until standard input ends."""
    jobs = json.loads(Path(listed).read_text(encoding="utf-8"))
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(answer(jobs[request["job"]], request)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
