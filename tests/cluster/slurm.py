"""A Slurm of one node on this machine, for the length of a test session."""

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

# Slurm's commands inside a job forget SLURM_CONF (the plugin drops every SLURM_ variable): the default place it is.
CONF = Path("/etc/slurm/slurm.conf")
GPUS = CONF.with_name("gres.conf")
MARK = "# Written by the tests of mangrove; may be deleted."
PROGRAMS = ["munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "squeue", "scancel", "setpriv"]
TEXT = """\
{mark}
ClusterName=mangrove
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
# Plain processes: neither cgroups nor an accounting database are at hand everywhere.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
# Memory counts, and the node has what this file says.
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
# Schedule often; no waiting between a job's end and the next one's start.
SchedulerParameters=sched_interval=2,batch_sched_delay=0
ReturnToService=2
# A job that takes more memory than it asked for is killed, without cgroups: its processes are counted every second.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
# A GPU in name.
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=8000 Gres=gpu:1
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other process of the tests sets up a Slurm, and keep it so for the block."""
    with (Path(tempfile.gettempdir()) / "mangrove-slurm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def hindrance() -> str | None:
    """Why no Slurm can be set up on this machine; None where it can."""
    if os.geteuid() != 0:
        return "a Slurm is set up as root only"
    missing = [name for name in PROGRAMS if program(name) is None]
    if missing:
        return f"{', '.join(missing)} not found: apt-get install munge slurmctld slurmd slurm-client"
    if CONF.exists() and MARK not in CONF.read_text(encoding="utf-8"):
        return f"{CONF} belongs to a Slurm of this machine"
    running = [name.read_text().strip() for name in Path("/proc").glob("[0-9]*/comm") if readable(name)]
    if {"slurmctld", "slurmd"} & set(running):
        return "a Slurm is running on this machine"
    return None


def readable(path: Path) -> bool:
    """Whether a process is still there to be asked."""
    try:
        path.read_text()
    except OSError:
        return False
    return True


def program(name: str) -> str | None:
    """Path of a program, looked for where Debian keeps daemons as well."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))


def node_name() -> str:
    """What Slurm calls this machine."""
    return socket.gethostname().split(".")[0]


def free_ports(n: int) -> list[int]:
    """Ports of loopback that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


class Slurm:
    """What tests ask the Slurm; its daemons log to ``folder``."""

    def __init__(self, folder: Path):
        self.folder = folder

    def ask(self, *command: str) -> str:
        """Output of one of Slurm's commands."""
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout

    def job(self, job_id: str) -> dict[str, str]:
        """What the controller knows of a job (MinMemoryNode, TimeLimit, JobState ...)."""
        words = self.ask("scontrol", "show", "--oneliner", "job", job_id).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def idle(self) -> bool:
        """Whether the node is up and waits for work."""
        done = subprocess.run(["sinfo", "--noheader", "--format=%T"], capture_output=True, text=True, timeout=30)
        return done.stdout.strip() == "idle"

    def state(self, job_id: str) -> str:
        """State of a job, or of a task of an array ('12_3')."""
        return self.job(job_id)["JobState"]

    def drain(self) -> None:
        """Let the node start no more jobs."""
        self.ask("scontrol", "update", f"NodeName={node_name()}", "State=DRAIN", "Reason=test")

    def resume(self) -> None:
        """Let the node start jobs again."""
        self.ask("scontrol", "update", f"NodeName={node_name()}", "State=RESUME")

    def logs(self) -> str:
        """Last lines of the daemons' logs."""
        return "\n".join(f"{log.name}:\n{log.read_text()[-1500:]}" for log in sorted(self.folder.glob("*.log")))


@contextmanager
def one_node_slurm() -> Iterator[Slurm]:
    """Start munged, slurmctld and slurmd; stop them after the block.

    They run in the foreground and die with the process that started them, so that a killed test leaves no Slurm behind.
    """
    # Not pytest's folder: the path of a socket is short, and munged wants its folder open to all.
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    folder.chmod(0o755)
    slurm = Slurm(folder)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        write_conf(folder)
        stack.callback(CONF.unlink)
        stack.callback(GPUS.unlink)
        own = [f"--{kind}-file={folder}/munge.{kind}" for kind in ("key", "pid", "log", "seed")]
        stack.enter_context(daemon(folder, "munged", "--foreground", f"--socket={folder}/munge.socket", *own))
        wait_for((folder / "munge.socket").exists, slurm)
        stack.enter_context(daemon(folder, "slurmctld", "-D"))
        stack.enter_context(daemon(folder, "slurmd", "-D"))
        wait_for(slurm.idle, slurm)
        stack.callback(subprocess.run, ["scancel", "--user=root"], timeout=30)
        yield slurm


def write_conf(folder: Path) -> None:
    """Write slurm.conf, the folders that it names, and a key for munged."""
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.touch(0o600)
    key.write_bytes(os.urandom(128))
    host = node_name()
    CONF.parent.mkdir(exist_ok=True)
    CONF.write_text(TEXT.format(mark=MARK, host=host, ports=free_ports(2), folder=folder), encoding="utf-8")
    GPUS.write_text(f"{MARK}\nName=gpu File=/dev/null\n", encoding="utf-8")


@contextmanager
def daemon(folder: Path, name: str, *arguments: str) -> Iterator[None]:
    """Run a daemon in the foreground for the length of the block."""
    command = ["setpriv", "--pdeathsig", "KILL", program(name), *arguments]
    with (folder / f"{name}.out.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(done, slurm: Slurm, seconds: float = 20) -> None:
    """Wait until ``done()`` holds; the daemons' logs say why it does not."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"Slurm did not start.\n{slurm.logs()}"
        time.sleep(0.1)
