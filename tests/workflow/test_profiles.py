"""The profiles: what they share, and a dry run with the one for clusters."""

import re

import yaml
from conftest import ROOT, rules_of

SHARED = ["rerun-triggers", "max-checksum-file-size", "rerun-incomplete", "keep-going"]
#: Its rules have no names of their own: those of chunks of galaxies.
CHUNKS = ROOT / "rules/fit_batched.smk"
SLURM = ["--workflow-profile", "profiles/slurm"]


def profile(name: str) -> dict:
    """The settings of a profile."""
    return yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text(encoding="utf-8"))


def all_rules() -> set[str]:
    """Names of the rules that run something."""
    return {rule for path in (ROOT / "rules").glob("*.smk") for rule in rules_of(path.stem)}


def test_chunks_of_fits_ask_for_memory_under_one_name():
    assert re.search(r"^        name:\n +f\"(\w+)_\{chunk\}\"", CHUNKS.read_text(), re.MULTILINE)[1] == "fit_batched"
    assert profile("slurm")["set-threads"] == {"fit_batched": 4}


def test_both_profiles_agree_on_what_is_out_of_date():
    assert {key: profile("slurm")[key] for key in SHARED} == {key: profile("default")[key] for key in SHARED}


def test_both_profiles_hold_the_archive_to_four_connections():
    """The rule 'download' takes one of each; Snakemake knows no limit where a profile names none."""
    for name in ("default", "slurm"):
        assert "downloads=4" in profile(name)["resources"]
    assert re.search(r"^rule download:.*?^        downloads=1,$", (ROOT / "rules/survey.smk").read_text(), re.S | re.M)


def test_every_rule_asks_the_cluster_for_its_memory_and_more_when_it_fails():
    asked = profile("slurm")["set-resources"]
    needed = {"fit_batched": re.search(r"mem_mb=(\d+)", CHUNKS.read_text())[1]}
    for path in (ROOT / "rules").glob("*.smk"):
        needed |= dict(re.findall(r"^rule (\w+):.*?mem_mb=(\d+)", path.read_text(), re.DOTALL | re.MULTILINE))
    assert set(asked) == all_rules() | {"fit_batched"} == set(needed)
    assert {rule: resources["mem_mb"] for rule, resources in asked.items()} == {
        rule: f"{mem} * attempt" for rule, mem in needed.items()
    }


def test_no_account_and_no_partition_is_baked_in():
    assert not {"slurm_account", "slurm_partition"} & set(profile("slurm")["default-resources"])


def test_the_slurm_profile_plans_the_run(fresh):
    assert fresh.planned(*SLURM) == fresh.planned()


def test_every_commented_line_of_the_slurm_profile_is_understood(fresh):
    """A user takes the # away from settings: lines of one word and a value, lists too."""
    text = (ROOT / "profiles/slurm/config.yaml").read_text(encoding="utf-8")
    offered = re.findall(r"^( *)# ([a-z_-]+: \S.*)$", text, re.MULTILINE)
    assert len(offered) == 6
    fresh.write("profiles/all/config.yaml", re.sub(r"^( *)# ([a-z_-]+: \S.*)$", r"\1\2", text, flags=re.MULTILINE))
    fresh.planned("--workflow-profile", "profiles/all")
