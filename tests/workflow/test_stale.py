"""Results whose making Snakemake does not remember: 'mangrove verify' and the start of a run tell what is stale."""

import os
import re
import shutil
from contextlib import contextmanager

import pytest
from conftest import REGULAR, TOO_FAINT

CONFIG = "configs/tiny.yaml"
COPIED = 1_700_000_000


@contextmanager
def without_metadata(workspace, tmp_path):
    """A results folder as if copied: Snakemake's own record is away, and all files are of one age."""
    for path in workspace.folder.glob("*/**/*"):
        if path.is_file() and {"results", "data"} & set(path.parts):
            os.utime(path, (COPIED, COPIED), follow_symlinks=False)
    shutil.move(workspace.folder / ".snakemake", tmp_path / "record")
    try:
        yield
    finally:
        shutil.rmtree(workspace.folder / ".snakemake", ignore_errors=True)
        shutil.move(tmp_path / "record", workspace.folder / ".snakemake")


def stale(report) -> dict[str, str]:
    """What a report of verify says of each stale artefact, by its path in the run."""
    found = re.findall(r"results/tiny/(\S+): a run would make it differently now \(rule \w+\): (.*)\.$", report, re.M)
    return dict(found)


def edit_snr(text):
    return text.replace("target_snr: 40", "target_snr: 30")


EXTRACTS = {f"spectra/extract/{name}.h5": "target_snr 30.0 (was 40.0)" for name in (REGULAR, TOO_FAINT)}
#: An edit, what it makes stale and why, and the line of the warning.
EDITS = {
    "key": (CONFIG, edit_snr, EXTRACTS, "2 x extract: target_snr 30.0 (was 40.0)"),
    "constant": (
        "src/mangrove/spectra/labels/populations.py",
        lambda text: text.replace("LIGHT_BAND = (5000.0, 6000.0)", "LIGHT_BAND = (5000.0, 6100.0)"),
        {"spectra/labels.h5": "code", "desom/template_labels.h5": "code"},
        "1 x labels: code",
    ),
    "emulator": (
        CONFIG,
        lambda text: text.replace("members: 1\n  epochs: 1", "members: 1\n  epochs: 2"),
        {"emulator/model/model.json": "epochs 2 (was 1)"},
        "1 x emulator_train: epochs 2 (was 1)",
    ),
    "galaxy": (
        "samples/tiny.tsv",
        lambda text: re.sub(rf"(?m)^({TOO_FAINT}\t[^\t]*)\t[^\t]*", r"\1\t0.0301", text),
        dict.fromkeys(f"spectra/{kind}/{TOO_FAINT}.h5" for kind in ("extract", "fit")),
        "1 x fit: z 0.0301",
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_copied_run_is_not_taken_for_current_silently(finished, tmp_path, edit):
    """Snakemake has nothing to do; verify names what is stale, and the run warns of it."""
    name, change, expected, line = EDITS[edit]
    with without_metadata(finished, tmp_path), finished.edited(name, change):
        report = finished.mangrove("verify", "tiny")
        run = finished.snakemake().stdout
    assert report.returncode == 1
    found = stale(report.stdout)
    assert set(found) == set(expected)
    assert all(why is None or found[path] == why for path, why in expected.items())
    assert "Nothing to be done" in run
    assert line in run and "WARNING: results/tiny" in run and "mangrove verify tiny" in run


def test_a_copied_run_that_is_current_is_silent(finished, tmp_path):
    with without_metadata(finished, tmp_path):
        assert "WARNING" not in finished.snakemake().stdout
        report = finished.mangrove("verify", "tiny")
    assert report.returncode == 0 and "(config.yaml and configs/tiny.yaml)" in report.stdout


def test_what_snakemake_remembers_it_remakes_without_a_warning(finished):
    with finished.edited(CONFIG, edit_snr):
        plan, report = finished.snakemake("--dry-run").stdout, finished.mangrove("verify", "tiny")
    assert "WARNING" not in plan and re.search(r"^extract +2$", plan, re.M)
    assert stale(report.stdout) == EXTRACTS


def test_verify_takes_the_configuration_that_it_is_given(finished):
    finished.write("elsewhere/tiny.yaml", edit_snr((finished.folder / CONFIG).read_text(encoding="utf-8")))
    report = finished.mangrove("verify", "tiny", "--config", "elsewhere/tiny.yaml")
    assert stale(report.stdout) == EXTRACTS
    finished.write("elsewhere/bad.yaml", "run: tiny\nextract: {target_snrr: 3}\n")
    report = finished.mangrove("verify", "tiny", "--config", "elsewhere/bad.yaml")
    assert report.returncode == 1 and "did you mean 'target_snr'" in report.stdout and "Traceback" not in report.stdout
