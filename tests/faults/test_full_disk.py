"""A disk that is full, and results that may only be read."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mangrove import artefacts

FULL = bool(os.environ.get("MANGROVE_FAULTS"))
#: Steps of the tests of every day; all others as well with MANGROVE_FAULTS.
SOME = ("line_cube", "desom_train", "labels")
PAGE = 4096


def mount(*arguments: str) -> subprocess.CompletedProcess:
    """The command mount."""
    return subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)


def pages(size: int) -> int:
    """The least number of whole pages, in bytes, that hold a file: a file takes whole pages, a folder one."""
    return -(-size // PAGE) * PAGE


@contextmanager
def small_disk(folder: Path, room: int, kept: list[Path]) -> Iterator[None]:
    """A file system over a folder, with some of its files and room for some bytes; what it hides is there again later."""
    contents = {path: path.read_bytes() for path in kept}
    folders = {parent for path in kept for parent in path.parents if folder in parent.parents}
    size = room + sum(pages(len(content)) for content in contents.values()) + PAGE * (len(folders) + 1)
    done = mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    if done.returncode:
        pytest.skip(f"a small disk needs root and mount: {done.stderr.strip() or os.strerror(done.returncode)}")
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(autouse=True)
def can_mount():
    """Mounting is for root alone, and for Linux."""
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("a small disk needs root and the command mount")


def disk_of(steps, job: int) -> Path:
    """The folder that holds all outputs of a job."""
    folder = Path(os.path.commonpath([path.parent for path in steps.outputs(job)]))
    # A model folder is renamed as a whole: it lies in the folder of the disk.
    return folder.parent if folder.name == "model" else folder


def test_a_full_disk_leaves_nothing_partial_and_space_heals_it(steps):
    chosen = [job for job in range(len(steps.jobs)) if FULL or steps.jobs[job]["rule"] in SOME]
    assert {steps.jobs[job]["rule"] for job in chosen} >= {*SOME}
    for job in chosen:
        folder = disk_of(steps, job)
        whole = {path: path.read_bytes() for path in steps.outputs(job)}
        # Room for half of what it writes.
        room = max(PAGE, pages(sum(map(len, whole.values())) // 2))
        with small_disk(folder, room, [path for path in steps.inputs(job) if folder in path.parents]):
            told = steps.ask(job)
            made = [path for path in whole if path.exists()]
            place = f"{steps.label(job)}: {told}\n{steps.messages()[-2000:]}"
            assert told["exit"] != 0 or len(made) == len(whole), f"ends well, without its outputs: {place}"
            assert told["exit"] is not None, f"hangs: {place}"
            assert [p for p in made if steps.lasting(p) and p.read_bytes() != whole[p]] == [], place
            artefacts.sweep(folder)
            mount("-o", "remount,size=64M", str(folder))
            assert steps.ask(job)["exit"] == 0, f"not healed: {place}\n{steps.messages()[-2000:]}"
            assert [p for p in whole if steps.lasting(p) and p.read_bytes() != whole[p]] == [], place
    print(f"{len(chosen)} steps on a full disk")


def test_results_that_may_only_be_read_are_verified_and_left_alone(mini, steps):
    """Somebody else's run: it is looked at, no step changes it, and the error says why."""
    before, job = mini.products(), steps.named("line_cube")
    done = mount("--bind", str(mini.run), str(mini.run))
    if done.returncode:
        pytest.skip(f"this system binds no folders: {done.stderr.strip()}")
    try:
        assert mount("-o", "remount,ro,bind", str(mini.run)).returncode == 0
        verified = mini.mangrove("verify", "mini")
        assert verified.returncode == 0 and " 0 problems" in verified.stdout, verified.stdout
        assert steps.ask(job, remove=False)["exit"] == 1
        assert "Read-only file system" in steps.messages()
    finally:
        subprocess.run(["umount", str(mini.run)], check=True)
    assert mini.products() == before
