"""The workflow's text: style, params, and what it says to a user who made a mistake."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import CONFIG, PATIENCE, ROOT, rules_of

from mangrove.staleness import ask_workflow

WALK = Path(__file__).with_name("walk_params.py")
SNAKEFILES = ["Snakefile", "rules"]
BAD_RULE = """

rule bad:
    output:
        f"{RESULTS}/bad.txt",
    params:
        where=Path("data"),
        section=CONFIG.extract,
        nested=[1, {"key": Path("value")}],
    shell:
        "touch {output}"
"""


def walk(workspace, *targets: str) -> dict:
    """Rules of the graph, and their params that are not plain."""
    command = [sys.executable, str(WALK), "configs/tiny.yaml", *targets]
    done = subprocess.run(command, cwd=workspace.folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_params_of_every_rule_are_plain_values(fresh):
    """Snakemake compares plain values only; a change of anything else would go unseen."""
    found = walk(fresh)
    parts = ("survey", "extract", "line_cubes", "fit", "spectra", "desom", "emulator", "convlstm", "report")
    everything = {"all", *(rule for part in parts for rule in rules_of(part))}
    assert everything == set(found["rules"])
    assert found["faults"] == []


@pytest.mark.parametrize("emulator", [True, False])
def test_every_job_of_the_science_is_done_before_the_digest(fresh, emulator):
    """Its timings and failures are those of the whole run."""
    settings = "--forceall", "--config", f"emulator={{'enabled': {emulator}}}"
    everything = fresh.planned(*settings).rules
    before = fresh.planned("results/tiny/report/timings.csv", *settings).rules
    assert before["digest"] == 1
    assert ("emulator_figures" in before) == emulator
    assert everything == {**before, "overview": 1, "provenance": 1}


def test_a_run_without_cubes_is_the_emulator_alone(fresh):
    fresh.write("table.h5", "")
    fresh.write(
        "configs/alone.yaml", "run: alone\nsurvey: {source: none}\nemulator: {source: desi, desi_file: table.h5}\n"
    )
    rules = fresh.planned(config="configs/alone.yaml").rules
    assert set(rules) == {*rules_of("emulator"), "digest", "overview", "provenance"} - {"emulator_truth"}


def test_simulated_spectra_need_no_cubes(fresh):
    """All else runs on them as on those of cubes, but for line cubes."""
    fresh.write(
        "configs/spectra.yaml",
        "run: spectra\nsurvey: {source: simulated_spectra, simulated_galaxies: 3}\nfit: {engine: ppxf}\nreport: {examples: 1}\n",
    )
    made = fresh.mangrove("select", "--config", "configs/spectra.yaml")
    assert made.returncode == 0, made.stdout
    rules = fresh.planned(config="configs/spectra.yaml").rules
    everything = {rule for part in ("fit", "spectra", "desom", "emulator", "report") for rule in rules_of(part)}
    assert set(rules) == {"simulate_spectra", "line_cube_set", *everything}
    assert rules["simulate_spectra"] == rules["fit"] == 3


def test_simulated_line_cubes_are_for_the_autoencoders_alone(fresh):
    """Of a run of that source, only the autoencoders and what judges them are planned."""
    text = "run: lines\nsurvey: {source: simulated_line_cubes, simulated_galaxies: 5}\nemulator: {enabled: false}\n"
    fresh.write("configs/lines.yaml", text)
    made = fresh.mangrove("select", "--config", "configs/lines.yaml")
    assert made.returncode == 0, made.stdout
    rules = fresh.planned(config="configs/lines.yaml").rules
    ours = {"simulate_line_cubes", *rules_of("convlstm"), *rules_of("autoencoder_truth")} - {"planted_anomalies"}
    assert set(rules) == {*ours, "digest", "overview", "provenance"}
    assert rules["autoencoder_truth"] == 2 and rules["line_cube_components"] == 1


def test_line_cubes_without_baxels_cannot_train_the_emulator(fresh):
    fresh.write("configs/lines.yaml", "run: lines\nsurvey: {source: simulated_line_cubes}\n")
    done = fresh.snakemake("--dry-run", config="configs/lines.yaml", check=False)
    assert done.returncode != 0
    assert "emulator.enabled must be false (or emulator.source desi)" in done.stdout
    assert_no_traceback(done.stdout)


def test_a_prepared_table_is_taken_as_it_is_whatever_the_run_says_of_baxels(fresh):
    """Bins, corrections and split are the table's own: no params, so that other values of them rerun nothing."""
    fresh.write("table.h5", "")
    alone = "run: alone\nsurvey: {source: none}\nemulator: {source: desi, desi_file: table.h5}\n"
    fresh.write("configs/alone.yaml", alone)
    desi = {one.rule: set(one.params) for one in ask_workflow(fresh.folder, [fresh.folder / "configs/alone.yaml"])}
    baxels = {one.rule: set(one.params) for one in ask_workflow(fresh.folder, [fresh.folder / "configs/tiny.yaml"])}
    assert desi["emulator_table"] == {"source", "code"}
    own = {"bin_range", "n_bin", "ebv_scale", "sky_half_width", "validation_fraction", "test_fraction", "seed"}
    assert baxels["emulator_table"] == desi["emulator_table"] | own
    # Baxels have no luminosity.
    assert desi["emulator_train"] - baxels["emulator_train"] == {"luminosity"}
    assert desi["emulator_embedding"] == {"luminosity", "seed", "code"}


def test_params_of_a_learning_curve_and_of_published_networks_are_those_that_count(fresh):
    fresh.write("configs/lines.yaml", CONFIG.replace("emulator:\n", "emulator:\n  architecture: per_line\n"))
    found = {one.rule: set(one.params) for one in ask_workflow(fresh.folder, [fresh.folder / "configs/lines.yaml"])}
    assert found["emulator_learning_curve"] == {"learning_curve", "code"}
    assert not {"hidden", "n_component"} & found["emulator_train"]


def test_a_run_without_cubes_and_without_a_table_is_refused(fresh):
    done = fresh.snakemake("--dry-run", "--config", "survey={'source': 'none'}", check=False)
    assert done.returncode != 0
    assert "survey.source is none, so emulator.source must be desi" in done.stdout
    assert_no_traceback(done.stdout)


def test_an_autoencoder_of_unknown_lines_is_refused(fresh):
    done = fresh.snakemake("--dry-run", "--config", "autoencoder={'lines': ['Halpha']}", check=False)
    assert done.returncode != 0
    assert "autoencoder.lines: unknown line Halpha; known are OII_3727," in done.stdout
    assert_no_traceback(done.stdout)


def test_a_param_that_is_no_plain_value_is_found(fresh):
    with fresh.edited("Snakefile", lambda text: text + BAD_RULE):
        faults = walk(fresh, "results/tiny/bad.txt")["faults"]
    assert faults == [["bad", "nested", "PosixPath"], ["bad", "section", "Extract"], ["bad", "where", "PosixPath"]]


def test_lint_is_clean(fresh):
    assert "your workflow is in a good condition" in fresh.snakemake("--lint").stdout


def test_snakefmt_is_clean():
    command = [sys.executable, "-m", "snakefmt", "--check", *SNAKEFILES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_missing_sheet_names_the_two_ways_on(fresh):
    done = fresh.snakemake("--dry-run", "--config", "run=elsewhere", check=False)
    assert done.returncode != 0
    assert "the sample sheet samples/elsewhere.tsv of run 'elsewhere' does not exist" in done.stdout
    assert "mangrove select --config" in done.stdout
    assert "make demo" in done.stdout
    assert_no_traceback(done.stdout)


def test_a_mistyped_key_gets_a_suggestion(fresh):
    done = fresh.snakemake("--dry-run", "--config", "extract={'target_nsr': 20}", check=False)
    assert done.returncode != 0
    assert "unknown key 'extract.target_nsr' in --config; did you mean 'target_snr'?" in done.stdout
    assert_no_traceback(done.stdout)


def assert_no_traceback(text: str) -> None:
    """Neither Python's traceback nor Snakemake's list of places."""
    assert "Traceback" not in text
    assert "common.smk" not in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("extract:\n  target_snr: -3\n", "extract.target_snr in configs/mine.yaml, line 5: must be greater than 0"),
        ("extract:\n  target_snr: 017\n", "configs/mine.yaml, line 5: YAML reads 017 as 15"),
        ("extract:\n  target_nsr: 3\n", "unknown key 'extract.target_nsr' in configs/mine.yaml, line 5; did you mean"),
        ("sample:\n  z_min: 0.5\n", "sample.z_min in configs/mine.yaml, line 5; sample.z_max in config.yaml, line"),
        ("run: 2024-01-31\n", "configs/mine.yaml, line 4: YAML reads 2024-01-31 as a date"),
        ("extract:\n\ttarget_snr: 3\n", "tab"),
    ],
)
def test_errors_of_a_users_file_name_that_file_and_line(fresh, text, said):
    fresh.write("configs/mine.yaml", "# comment\nsurvey:\n  source: simulated\n" + text)
    done = fresh.snakemake("--dry-run", config="configs/mine.yaml", check=False)
    assert done.returncode != 0 and said in done.stdout
    assert "Traceback" not in done.stdout


def test_errors_of_values_on_the_command_line_name_it(fresh):
    done = fresh.snakemake("--dry-run", "--config", "fit={clip_sigma: -1}", check=False)
    assert "fit.clip_sigma in --config: must be greater than or equal to 0" in done.stdout


def test_the_command_of_the_doctor_works_in_a_fresh_clone(fresh):
    """Without a sample sheet of the default run, the command without a configuration does not."""
    fresh.write(".snakemake/locks/0.output.lock", "results/demo/a.h5\n")
    try:
        doctor = fresh.mangrove("doctor", "locks").stdout
        command = next(line for line in doctor.splitlines() if "--unlock" in line)
        assert command.endswith("snakemake --unlock --configfile configs/demo.yaml")
        bare = subprocess.run([sys.executable, "-m", "snakemake", "--unlock"], **fresh.process(), timeout=PATIENCE)
        assert bare.returncode != 0 and "samples/dr17.tsv" in bare.stdout
        done = subprocess.run(["bash", "-c", command], **fresh.process(), timeout=PATIENCE)
        assert done.returncode == 0, done.stdout
        assert "no lock" in fresh.mangrove("doctor", "locks").stdout
    finally:
        shutil.rmtree(fresh.folder / ".snakemake/locks", ignore_errors=True)
