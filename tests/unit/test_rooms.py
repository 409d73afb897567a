"""The rooms of the package: what may import what (docs/developing.md)."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "mangrove"
#: Rooms by height: a module imports from its own and from lower ones. Flat modules that open rooms stand above all.
HEIGHT = {
    "physics": 1,
    "files": 1,
    "ssp": 2,
    "survey": 3,
    "spectra": 4,
    "models": 5,
    "analysis": 6,
    "validation": 7,
    "report": 8,
    "export": 8,
    "notebook": 9,
    "explorer": 10,
    "doctor": 11,
}
ABOVE_ALL = {"api", "cli", "__main__", "runs", "generate", "explore_command"}
MODULES = sorted(p.relative_to(PACKAGE) for p in PACKAGE.rglob("*.py"))


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def height(module: str) -> int:
    room = room_of(module)
    return 11 if room in ABOVE_ALL else HEIGHT.get(room, 0)


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports relatively"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == "mangrove"}


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_run_one_way(path):
    own = ".".join(["mangrove", *path.with_suffix("").parts])
    wrong = {
        name
        for name in imports(path)
        if height(name) > height(own) or (0 < height(name) == height(own) < 11 and room_of(name) != room_of(own))
    }
    assert not wrong


def test_rooms_are_those_of_the_tree():
    rooms = {p.parts[0] for p in MODULES if len(p.parts) > 1}
    assert rooms == set(HEIGHT)
    page = (PACKAGE.parents[1] / "docs" / "developing.md").read_text(encoding="utf-8")
    tree = page.split("```")[1]
    folders = {p.parent.name for p in PACKAGE.rglob("*.*") if p.is_file() and p.suffix != ".pyc"} - {PACKAGE.name}
    assert {
        line.split()[0].rstrip("/") for line in tree.splitlines()[2:] if "/  " in line or line.endswith("/")
    } == folders


def test_packages_import_nothing():
    for path in MODULES:
        if path.name == "__init__.py":
            assert not (PACKAGE / path).read_text(encoding="utf-8"), path


def test_no_two_classes_have_one_name():
    """Of private classes too: a name says what a class is, wherever it is met."""
    places = {}
    for path in MODULES:
        for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name.lstrip("_"), []).append(str(path))
    assert not {name: paths for name, paths in places.items() if len(paths) > 1}
