"""The pages name commands, targets, keys and pictures that there are (their links are checked by 'make docs')."""

import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

from mangrove.cli import app
from mangrove.config import Config
from mangrove.config_values import is_section

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
#: Bytes that no picture exceeds.
PICTURE_SIZE = 400_000

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def code(text: str) -> list[str]:
    """Lines of fenced code, and code within lines, which may go on in the next; continued commands are one line."""
    fences = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    lines = "".join(fences).replace("\\\n", " ").splitlines()
    return [*lines, *(" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose))]


def commands(page: Path, program: str) -> list[list[str]]:
    """Arguments of each call of a program on a page, comments left out."""
    lines = [line for line in code(page.read_text(encoding="utf-8")) if re.match(rf"{program} [a-z-]", line)]
    return [shlex.split(part, comments=True)[1:] for line in lines for part in line.split("&&")]


def problems(arguments: list[str]) -> list[str]:
    """What is wrong with the arguments of a call of mangrove: the command, or its options."""
    name, *rest = arguments
    known = typer.main.get_command(app).commands
    if name.startswith("-"):
        return []
    if name not in known:
        return [f"mangrove {name}"]
    options = {option for param in known[name].params for option in param.opts + param.secondary_opts} | {"--help"}
    return [f"mangrove {name} {word}" for word in rest if word.startswith("--") and word not in options]


@pages
def test_commands_of_the_pages_exist_with_their_options(page):
    assert [fault for arguments in commands(page, "mangrove") for fault in problems(arguments)] == []


def test_a_command_or_option_that_is_not_there_is_found():
    assert problems(["slect", "--config", "x"]) == ["mangrove slect"]
    assert problems(["select", "--cnfig", "x"]) == ["mangrove select --cnfig"]


def test_pages_call_the_commands():
    called = {arguments[0] for page in PAGES for arguments in commands(page, "mangrove")}
    assert {"select", "plan", "export", "verify", "digest", "doctor"} <= called


@pages
def test_targets_of_the_pages_exist(page):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {arguments[0] for arguments in commands(page, "make")} <= targets


@pytest.mark.parametrize(
    "page", [p for p in PAGES if p.stem != "python"], ids=lambda page: page.stem
)  # attributes there
def test_keys_of_the_pages_exist(page):
    sections = {name: field.annotation for name, field in Config.model_fields.items() if is_section(field.annotation)}
    named = re.findall(rf"`({'|'.join(sections)})\.([a-z_]+)(?::[^`]*)?`", page.read_text(encoding="utf-8"))
    files = {"html"}  # `report.html` is no key
    unknown = [f"{section}.{key}" for section, key in named if key not in sections[section].model_fields.keys() | files]
    assert unknown == []


@pages
def test_configurations_of_the_pages_exist(page):
    own = {"mine", "ten", "abell478"}  # those that a page tells the reader to write
    named = set(re.findall(r"\bconfigs/([a-z0-9-]+)\.yaml", page.read_text(encoding="utf-8"))) - own
    assert named <= {path.stem for path in (ROOT / "configs").glob("*.yaml")}


def test_every_picture_is_small_and_shown():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    there = {str(path.relative_to(ROOT / "docs")): path for path in (ROOT / "docs" / "pictures").rglob("*.png")}
    assert {name: path.stat().st_size for name, path in there.items() if path.stat().st_size > PICTURE_SIZE} == {}
    assert set(re.findall(r"\((?:docs/)?(pictures/[^)]+)\)", text)) == set(there), (
        "each picture stands on a page: docs/gallery.md needs a sentence for a new figure"
    )


def test_entry_of_the_workflow_catalogue():
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text(encoding="utf-8"))["usage"]
    flags = usage["mandatory-flags"]["flags"].split()
    assert flags[0] == "--configfile" and (ROOT / flags[1]).is_file()
    assert set(usage["software-stack-deployment"]) == {"conda", "apptainer", "apptainer+conda", "report"}


def test_galaxies_that_pages_open_in_the_demo_are_in_it():
    sheet = (ROOT / "samples" / "demo.tsv").read_text(encoding="utf-8")
    named = {name for page in PAGES for name in re.findall(r"\b9\d{3}-\d{4,5}\b", page.read_text(encoding="utf-8"))}
    assert named, "the pages name no galaxy of the demo"
    assert [name for name in sorted(named) if f"\n{name}\t" not in sheet] == []
