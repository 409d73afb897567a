"""Snakemake with the profile for clusters, as tests start and watch it."""

import re
import subprocess
import sys
import time

#: Of Snakemake's log: Slurm's number of a job.
SENT = re.compile(r"Job \d+ has been submitted with SLURM jobid (\S+) ")


def command(config: str) -> list[str]:
    """The command line for a configuration.

    As on a cluster without accounting; the first look at the jobs is when the short ones of the tests have ended.
    """
    found = [sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/slurm", "--configfile", config]
    found += ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "15", "--retries", "1"]
    return found


#: That of the run of two galaxies.
COMMAND = command("configs/tiny.yaml")


class ClusterRun:
    """Snakemake with the profile for clusters, watched while it runs."""

    def __init__(self, workspace, slurm, name: str, *arguments: str, config: str = "configs/tiny.yaml"):
        self.slurm = slurm
        self.log = workspace.folder / f"{name}.log"
        quick = [*command(config), "--slurm-init-seconds-before-status-checks", "3"]
        with self.log.open("w") as log:
            options = workspace.process() | {"stdout": log}
            self.process = subprocess.Popen([*quick, *arguments], **options, start_new_session=True)

    def text(self) -> str:
        """What it has printed."""
        return self.log.read_text(encoding="utf-8")

    def jobs(self) -> list[str]:
        """Slurm's numbers of the jobs that it has submitted, in order."""
        return SENT.findall(self.text())

    def wait(self, what, seconds: float = 90) -> None:
        """Wait until ``what()`` holds."""
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, f"{self.text()}\n{self.slurm.logs()}"
            time.sleep(0.2)

    def wait_state(self, job: str, *states: str) -> None:
        """Wait until a job is in one of some states."""
        self.wait(lambda: self.slurm.state(job) in states)
