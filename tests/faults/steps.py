"""Single steps of the finished mini run, run again with writes that fail."""

import errno
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from list_jobs import paths
from mini_run import CONFIG, TIMED, MiniRun

from mangrove import artefacts
from mangrove.spectra.fit.batched.kept import FOLDER as FINISHED

HERE = Path(__file__).parent
#: Seconds after which a step hangs.
PATIENCE = 240.0


class Fault(NamedTuple):
    """What happens to the n-th write of a step (none for 0), and whether to all later ones too."""

    nth: int = 0
    error: int = 0
    lasting: bool = False

    @property
    def kind(self) -> str:
        """What happens."""
        what = errno.errorcode[self.error] if self.error else "SIGKILL"
        return f"{what}{' from then on' if self.lasting else ''}"

    @property
    def name(self) -> str:
        """For messages."""
        return f"write {self.nth}: {self.kind}"


NO_FAULT = Fault()
#: Errors of a disk: one that is full from then on, one that is full once, one that fails once.
ERRORS = (Fault(0, errno.ENOSPC, True), Fault(0, errno.ENOSPC), Fault(0, errno.EIO))
KILL = Fault(0, 0)


def compiled_shim(folder: Path) -> Path:
    """Compile ``faulty_writes.c``."""
    library = folder / "faulty_writes.so"
    source = HERE / "faulty_writes.c"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-Wall", "-o", library, source, "-ldl"], check=True)
    return library


class Steps:
    """The steps of a finished mini run, each of which can be run again.

    Attributes
    ----------
    jobs : list of dict
        As ``list_jobs.py`` writes them, in the order of the run.
    """

    def __init__(self, mini: MiniRun, server: subprocess.Popen, jobs: list[dict]):
        self._mini, self._server, self.jobs = mini, server, jobs
        self._healed: set[tuple] = set()
        # Beside the checkout, where writes are not counted.
        self._log = mini.folder.with_name(f"{mini.folder.name}-step.log")

    def named(self, rule: str) -> int:
        """Index of the first job of a rule."""
        return next(i for i, job in enumerate(self.jobs) if job["rule"] == rule)

    def label(self, job: int) -> str:
        """Rule and wildcards, for messages."""
        return f"{self.jobs[job]['rule']} {self.jobs[job]['of']}".strip()

    def outputs(self, job: int) -> list[Path]:
        """Files that a job makes."""
        return [self._mini.folder / path for path in paths(self.jobs[job]["outputs"])]

    def inputs(self, job: int) -> list[Path]:
        """Files that a job reads."""
        return [self._mini.folder / path for path in paths(self.jobs[job]["inputs"])]

    @staticmethod
    def lasting(path: Path) -> bool:
        """Whether two runs have a file alike."""
        return path.name not in TIMED

    def ask(self, job: int, fault: Fault = NO_FAULT, remove: bool = True) -> dict:
        """Run a job as the workflow does, its outputs removed before; the answer of ``step_server.py``."""
        for path in self.outputs(job) if remove else ():
            path.unlink(missing_ok=True)
        request = {"job": job, "seconds": PATIENCE, "log": str(self._log), **fault._asdict()}
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        return json.loads(self._server.stdout.readline())

    def messages(self) -> str:
        """What the last job said."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    @contextmanager
    def kept(self, job: int) -> Iterator[dict[Path, bytes]]:
        """Contents of a job's outputs, which are there again after the block, with their times."""
        aside = self._mini.folder / "aside"
        aside.mkdir()
        kept = {path: aside / str(i) for i, path in enumerate(self.outputs(job))}
        for path, copy in kept.items():
            shutil.copy2(path, copy, follow_symlinks=False)
        try:
            yield {path: path.read_bytes() for path in kept}
        finally:
            for path, copy in kept.items():
                path.unlink(missing_ok=True)
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(copy, path, follow_symlinks=False)
            shutil.rmtree(aside)

    def survive(self, job: int, fault: Fault) -> dict:
        """A fault in a job: nothing partial bears a final name, nothing else is touched, and a rerun heals it.

        What a rerun makes depends on nothing but the files that it finds: it is left out where an earlier fault of the job
        left the same ones, byte for byte. Returns the answer to the run with the fault, and in ``reruns`` their number.
        """
        before = {*self._everything()}
        others = {path: path.stat().st_mtime_ns for path in self._files() if path not in self.outputs(job)}
        with self.kept(job) as whole:
            told = self.ask(job, fault)
            place = f"{self.label(job)}, {fault.name}: exit {told['exit']}\n{self.messages()[-2000:]}"
            assert told["exit"] is not None, f"hangs: {place}"
            made = {path for path in whole if path.exists()}
            assert told["exit"] != 0 or made == {*whole}, f"ends well, without its outputs: {place}"
            partial = [str(p) for p in made if self.lasting(p) and p.read_bytes() != whole[p]]
            partial += [str(p) for p, final in self._waiting().items() if p.read_bytes() != whole[final]]
            assert not partial, f"partial {partial}: {place}"
            assert {*self._files()} <= {*others, *whole}, f"files with new names: {place}"
            artefacts.sweep(self._mini.run)
            left = sorted({*self._everything()} - before)
            found = (job, digest(left))
            told["reruns"] = int(found not in self._healed)
            if told["reruns"]:
                told["processor"] += self._demand_healing(job, whole, {*others}, place)
                self._healed.add(found)
            else:
                for path in reversed(left):
                    path.rmdir() if path.is_dir() else path.unlink()
        changed = [str(p) for p, stamp in others.items() if not p.exists() or p.stat().st_mtime_ns != stamp]
        assert not changed, f"changed {changed}: {place}"
        return told

    def _demand_healing(self, job: int, whole: dict[Path, bytes], others: set[Path], place: str) -> float:
        """A rerun makes what was there before the fault, and leaves nothing else; gives what it took, seconds."""
        again = self.ask(job)
        assert again["exit"] == 0, f"not healed by a rerun: {place}\n{self.messages()[-2000:]}"
        other = [str(p) for p in whole if self.lasting(p) and p.read_bytes() != whole[p]]
        assert not other, f"made otherwise by the rerun {other}: {place}"
        assert {*self._files()} - {*whole} == others, f"left behind: {place}"
        return again["processor"]

    def _everything(self) -> list[Path]:
        """Files and folders of the run but logs."""
        return [path for path in self._mini.run.rglob("*") if "logs" not in path.parts]

    def _waiting(self) -> dict[Path, Path]:
        """Finished fits that wait for the rest of their chunk, with the final name of each."""
        waiting = [path for path in self._mini.run.rglob(f"{FINISHED}/*") if not path.name.endswith(".part")]
        return {path: path.parent.parent / f"{path.name}.h5" for path in waiting}

    def _files(self) -> list[Path]:
        """Files of the run but logs, parts of files, checkpoints of trainings that go on, and fits that wait for others."""
        files = [path for path in self._mini.run.rglob("*") if path.is_file() and "logs" not in path.parts]
        hidden = ("checkpoints", "checkpoints.done", FINISHED)
        return [p for p in files if not any(part in hidden or part.endswith(".part") for part in p.parts)]


def digest(paths: list[Path]) -> str:
    """Hash of the names and contents of files and of the names of folders."""
    state = hashlib.sha256()
    for path in paths:
        content = b"folder" if path.is_dir() else path.read_bytes()
        state.update(f"{path}\0{len(content)}\0".encode() + content)
    return state.hexdigest()


def kept_programs(folder: Path) -> dict[str, str]:
    """Variables that let JAX compile a program once and not once in each process; outside of what is counted."""
    return {
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


@contextmanager
def serving(mini: MiniRun, shim: Path) -> Iterator[Steps]:
    """The steps of a finished mini run."""
    options = mini.process() | {"stderr": None}
    options["env"] |= {"PYTHONPATH": str(mini.folder / "src"), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    # Arguments of main are the workflow's, whatever has run: a fresh plan of all jobs.
    listed = subprocess.run([sys.executable, HERE / "list_jobs.py", CONFIG], **options | {"stderr": subprocess.PIPE})
    assert listed.returncode == 0, listed.stderr
    mini.write("jobs.json", listed.stdout)
    options["env"] |= {"LD_PRELOAD": str(shim), **kept_programs(mini.folder.with_name(f"{mini.folder.name}-programs"))}
    command = [sys.executable, HERE / "step_server.py", "jobs.json"]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, **options)
    try:
        yield Steps(mini, server, json.loads(listed.stdout))
    finally:
        server.stdin.close()
        server.wait(30)
