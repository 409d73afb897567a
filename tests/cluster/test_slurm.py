"""The workflow on a real Slurm of one node, through the profile for clusters."""

import re
import subprocess

import pytest
from small_chunks import make_chunks
from workflow.conftest import PATIENCE, REGULAR, TOO_FAINT, Workspace

from .cluster_run import COMMAND, command

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]

# No IFU has ten fibres: the job that simulates this galaxy fails.
BROKEN = "9004-1001"
CUBE = f"data/tiny/manga-{REGULAR}-LOGCUBE.fits.gz"
TRUTH = f"results/tiny/archive/truth/{BROKEN}.h5"


def snakemake(workspace: Workspace, *targets: str) -> tuple[int, str]:
    """Exit status and output of snakemake with the profile for clusters."""
    done = subprocess.run([*COMMAND, *targets], **workspace.process(), timeout=PATIENCE)
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def sent(slurm, workspace):
    """Exit status, output and Slurm's jobs (per rule and galaxy) of a run with a good and a broken galaxy."""
    sheet = (workspace.folder / "samples/tiny.tsv").read_text(encoding="utf-8")
    workspace.write("samples/tiny.tsv", sheet.replace(TOO_FAINT, BROKEN))
    status, text = snakemake(workspace, CUBE, TRUTH)
    jobs = {}
    # "Job 3: simulate 9001-1902", then "Job 3 has been submitted with SLURM jobid 12_1", one or more times. The logs of
    # failed jobs, which stand between, number theirs anew.
    said = r"^Job (\d+)(?:: (\w+) ([\d-]+)$| has been submitted with SLURM jobid (\S+) )"
    of_job = {}
    for number, rule, galaxy, in_slurm in re.findall(said, text, re.M):
        if in_slurm:
            jobs.setdefault(of_job[number], []).append(slurm.job(in_slurm))
        else:
            of_job[number] = rule, galaxy
    assert jobs, text + slurm.logs()
    return status, text, jobs


def test_jobs_run_under_slurm_and_their_results_arrive(workspace, sent):
    _, text, jobs = sent
    good = {rule: [job["JobState"] for job in jobs[rule, REGULAR]] for rule in ("simulate", "download")}
    assert good == {"simulate": ["COMPLETED"], "download": ["COMPLETED"]}, text
    assert (workspace.folder / CUBE).is_file()


@pytest.mark.parametrize(
    ("rule", "memory", "time"), [("simulate", "1500M", "00:10:00"), ("download", "500M", "01:00:00")]
)
def test_slurm_knows_memory_and_time_of_the_rule(sent, rule, memory, time):
    (job,) = sent[2][rule, REGULAR]
    assert (job["MinMemoryNode"], job["TimeLimit"], job["NumCPUs"]) == (memory, time, "1")


def test_a_job_that_fails_is_sent_again_with_more_and_then_reported(workspace, sent):
    status, text, jobs = sent
    assert [(job["JobState"], job["MinMemoryNode"], job["TimeLimit"]) for job in jobs["simulate", BROKEN]] == [
        ("FAILED", "1500M", "00:10:00"),
        ("FAILED", "3000M", "00:20:00"),
    ]
    assert status != 0 and not (workspace.folder / TRUTH).exists()
    assert f"1 x simulate: mangrove.errors.SampleError: '{BROKEN}': IFU 1001 has none of" in text


@pytest.mark.usefixtures("sent")
def test_what_the_cluster_made_is_current(workspace):
    status, text = snakemake(workspace, CUBE)
    assert status == 0 and "Nothing to be done" in text
    assert not workspace.planned(CUBE).rules, "the profile for one machine sees it differently"


#: No more than the node has, for all chunks by one name; without a second try.
FITS = ["--set-threads", "fit_batched=1", "--set-resources", "fit_batched:mem_mb=1000", "fit_batched:runtime=5"]
# What the command line says of resources takes the place of all that the profile says of them.
FITS += ["fit_batched:gpu=1"]
FITS += ["--retries", "0", "--slurm-init-seconds-before-status-checks", "3"]


def test_a_failed_chunk_of_fits_keeps_what_it_has_finished(slurm, workspace):
    chunks = make_chunks(workspace)
    chunks.run("--until", "simulate_spectra")
    names = [row[0] for row in chunks.rows()]
    fit = [*command("configs/chunks.yaml"), *FITS, "--", f"results/chunks/spectra/fit/{names[0]}.h5"]
    with workspace.restored(f"results/chunks/spectra/extract/{names[0]}.h5") as extract:
        extract.write_bytes(b"no HDF5")
        done = subprocess.run(fit, **workspace.process(), timeout=PATIENCE)
    number = re.search(r"with SLURM jobid (\d+) \(log: \S+/rule_fit_batched_all/", done.stdout)[1]
    job = slurm.job(number)
    asked = job["JobState"], job["MinMemoryNode"], job["TimeLimit"], job["NumCPUs"]
    assert asked == ("FAILED", "1000M", "00:05:00", "1") and job["TresPerJob"] == "gres:gpu:1"
    assert f"1 of 6 galaxies could not be fitted (the others are kept): {names[0]}: " in done.stdout
    assert chunks.told() == sorted(names[1:])
    done = subprocess.run(fit, **workspace.process(), timeout=PATIENCE)
    assert done.returncode == 0, done.stdout
    assert chunks.told() == sorted(names) and set(chunks.content()) == set(names)
