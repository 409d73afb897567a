"""The recipe of the container: built where a builder is, and its commands are those that CI runs."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "envs/Containerfile"
BUILDERS = ("podman", "docker", "buildah")


def installs(text: str, python: str) -> list[str]:
    """The calls of pip in a text, as arguments, without what only keeps images small."""
    calls = re.findall(rf"{re.escape(python)} -m pip install (.*)", text)
    return [" ".join(word for word in call.split() if word != "--no-cache-dir") for call in calls]


def test_packages_are_installed_as_by_make_env():
    recipe, makefile = (path.read_text(encoding="utf-8") for path in (RECIPE, ROOT / "Makefile"))
    assert installs(recipe, "python") == installs(makefile, "$(BIN)/python")
    assert "--require-hashes -r envs/requirements.txt" in installs(recipe, "python")[0]


def test_the_container_is_not_root_and_holds_no_results():
    lines = RECIPE.read_text(encoding="utf-8").splitlines()
    users = [line for line in lines if line.startswith("USER ")]
    assert users and users[-1] != "USER root"
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert {".git", ".venv", ".snakemake", "results", "data"} <= set(ignored)


def working_builder() -> tuple[str, str]:
    """The first builder that answers, and why the others are none."""
    reasons = []
    for name in BUILDERS:
        if shutil.which(name) is None:
            reasons.append(f"{name} is not installed")
            continue
        asked = subprocess.run([name, "info"], capture_output=True, text=True, timeout=60)
        if asked.returncode == 0:
            return name, ""
        reasons.append(f"'{name} info' fails: {(asked.stderr.strip().splitlines() or ['no message'])[-1]}")
    return "", "; ".join(reasons)


def test_the_image_builds_and_runs():
    builder, why = working_builder()
    if not builder:
        pytest.skip(f"no builder of containers: {why}")
    subprocess.run([builder, "build", "-f", RECIPE, "-t", "mangrove-test", ROOT], check=True, timeout=1200)
    run = [builder, "run", "--rm", "mangrove-test", "mangrove", "doctor", "environment", "devices"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120)
    assert "JAX computes on cpu" in done.stdout, done.stdout + done.stderr
