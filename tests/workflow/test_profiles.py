"""The profiles: what they share, and a dry run with the one for clusters."""

import re
import tomllib

import pytest
import yaml
from conftest import ROOT, rules_of

SHARED = ["rerun-triggers", "max-checksum-file-size", "rerun-incomplete", "keep-going"]
#: Its rules have no names of their own: those of chunks of galaxies.
CHUNKS = ROOT / "rules/fit_batched.smk"
PROFILES = ["slurm", "workstation", "workstation-gpu"]
#: Rules that import JAX for a module that has more than they need, and compute nothing with it.
IMPORT_JAX = {"emulator_table", "emulator_truth", "line_cube_components"}


def profile(name: str) -> dict:
    """The settings of a profile."""
    return yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text(encoding="utf-8"))


def all_rules() -> set[str]:
    """Names of the rules that run something."""
    return {rule for path in (ROOT / "rules").glob("*.smk") for rule in rules_of(path.stem)}


def test_chunks_of_fits_ask_for_memory_under_one_name():
    assert re.search(r"^        name:\n +f\"(\w+)_\{chunk\}\"", CHUNKS.read_text(), re.MULTILINE)[1] == "fit_batched"
    assert profile("slurm")["set-threads"] == {"fit_batched": 4}


def resources() -> dict[str, str]:
    """What each rule asks for, as its file says."""
    found = {"fit_batched": re.search(r"resources:\n((?: {12}.*\n)+)", CHUNKS.read_text())[1]}
    for path in (ROOT / "rules").glob("*.smk"):
        for one in re.split(r"^(?=rule )", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            asked = re.search(r"^    resources:\n((?: {8}.*\n)+)", one, re.MULTILINE)
            found[re.match(r"rule (\w+)", one)[1]] = asked[1] if asked else ""
    return found


def on_gpu() -> set[str]:
    """Rules that take the card, where there is one."""
    return {rule for rule, asked in resources().items() if re.search(r"^ +gpu=", asked, re.MULTILINE)}


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_agree_on_what_is_out_of_date(name):
    assert {key: profile(name)[key] for key in SHARED} == {key: profile("default")[key] for key in SHARED}


@pytest.mark.parametrize("name", ["default", "workstation", "workstation-gpu"])
def test_on_one_machine_no_two_jobs_take_the_card(name):
    assert "gpu=1" in profile(name)["resources"]


def test_all_rules_that_compute_with_jax_ask_for_the_card():
    """JAX takes three quarters of its memory at the first computation: a job that does not ask would not let others be."""
    computes = re.compile(r"^\s*(?:import|from) (?:jax|flax|optax)\b", re.MULTILINE)
    package = ROOT / "src/mangrove"
    jax = {path.relative_to(package) for path in package.rglob("*.py") if computes.search(path.read_text())}
    modules = {".".join(path.with_suffix("").parts) for path in jax}
    closures = tomllib.loads((ROOT / "tests/closures.toml").read_text(encoding="utf-8"))
    assert {rule for rule, imported in closures.items() if modules & {*imported}} == on_gpu() | IMPORT_JAX
    assert not on_gpu() & IMPORT_JAX


def test_slurm_says_of_every_rule_that_takes_a_gpu_whether_it_gets_one_by_one_number():
    """A site without GPUs changes one line; trainings and fits get one, what is done in minutes does not wait for one."""
    text = (ROOT / "profiles/slurm/config.yaml").read_text(encoding="utf-8")
    asked = {rule: one["gpu"] for rule, one in profile("slurm")["set-resources"].items() if "gpu" in one}
    assert {*asked} == on_gpu()
    assert {"fit_batched", "latents"} | {rule for rule in asked if "train" in rule} <= {r for r in asked if asked[r]}
    without = yaml.safe_load(text.replace("gpu: &gpus 1", "gpu: &gpus 0"))["set-resources"]
    assert {one.get("gpu", 0) for one in without.values()} == {0}


def test_jobs_of_a_galaxy_go_to_slurm_as_arrays():
    arrays = profile("slurm")["slurm-array-jobs"].split(",")
    text = {rule: body for path in (ROOT / "rules").glob("*.smk") for rule, body in bodies(path)}
    of_a_galaxy = {rule for rule, body in text.items() if re.search(r"benchmark:\n.*\{plate", body)}
    assert sorted(arrays) == sorted(of_a_galaxy)


def bodies(path) -> list[tuple[str, str]]:
    """Names and texts of the rules of a file that have a benchmark."""
    found = re.findall(r"^rule (\w+):\n((?:    .*\n|\n)+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return [(name, body) for name, body in found if "benchmark:" in body]


def test_all_profiles_hold_the_archive_to_four_connections():
    """The rule 'download' takes one of each; Snakemake knows no limit where a profile names none."""
    for name in ("default", *PROFILES):
        assert "downloads=4" in profile(name)["resources"]
    assert re.search(r"^rule download:.*?^        downloads=1,$", (ROOT / "rules/survey.smk").read_text(), re.S | re.M)


def test_every_rule_asks_the_cluster_for_its_memory_and_more_when_it_fails():
    """That of fits in chunks, which depends on the templates and the cores, is in the rule."""
    asked = profile("slurm")["set-resources"]
    needed = {
        rule: re.search(r"mem_mb=(\d+)", one)[1]
        for rule, one in resources().items()
        if "mem_mb=" in one and rule != "fit_batched"
    }
    assert set(asked) == all_rules() | {"fit_batched"} == set(needed) | {"fit_batched"}
    assert {rule: one["mem_mb"] for rule, one in asked.items() if "mem_mb" in one} == {
        rule: f"{mem} * attempt" for rule, mem in needed.items()
    }


def test_no_account_and_no_partition_is_baked_in():
    assert not {"slurm_account", "slurm_partition"} & set(profile("slurm")["default-resources"])


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_plans_the_run(fresh, name):
    assert fresh.planned("--workflow-profile", f"profiles/{name}") == fresh.planned()


def test_every_commented_line_of_the_slurm_profile_is_understood(fresh):
    """A user takes the # away from settings: lines of one word and a value, lists too."""
    text = (ROOT / "profiles/slurm/config.yaml").read_text(encoding="utf-8")
    offered = re.findall(r"^( *)# ([a-z_-]+: \S.*)$", text, re.MULTILINE)
    assert len(offered) == 6
    fresh.write("profiles/all/config.yaml", re.sub(r"^( *)# ([a-z_-]+: \S.*)$", r"\1\2", text, flags=re.MULTILINE))
    fresh.planned("--workflow-profile", "profiles/all")
