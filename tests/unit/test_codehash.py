"""The code hash changes with the meaning of what a script runs, and with nothing else."""

import ast
import json
from pathlib import Path

import pytest

from mangrove import codehash, source_files, source_gists

SCRIPT = '''\
"""A script."""

from mangrove.direct import work


def main():
    return work(1)
'''
PACKAGE = {
    "__init__.py": "",
    "resources.py": "def resource(name): ...\n",
    "direct.py": '''\
"""What the script imports."""

from mangrove import artefacts, distant
from mangrove.codes import Wanted
from mangrove.resources import resource


def work(x):
    """Work."""
    from mangrove.local.helper import late

    label = "colour # red"  # why
    return distant.FACTOR * x, late(), label, open_table()


def open_table(): """Open the table."""; return resource("table.txt"), TEXT


TEXT = """
first

last
"""
''',
    "distant.py": "FACTOR = 2\n",
    "local/__init__.py": "",
    "local/helper.py": "def late():\n    return 1\n",
    "artefacts.py": "from mangrove import behind_leaf\n",
    "behind_leaf.py": "VALUE = 1\n",
    "unused.py": "VALUE = 1\n",
    "codes.py": '''\
"""Codes."""


class Code(int):
    """A base.

    With a list.
    """


class Wanted(Code):
    """In use."""

    A = 0


class Other(Code):
    B = 1
''',
}


class Project:
    """A script and a package on disk; edits give the new hash."""

    def __init__(self, folder: Path):
        self.script, self.package = folder / "script.py", folder / "mangrove"
        self.script.write_text(SCRIPT, encoding="utf-8")
        for name, text in PACKAGE.items():
            (self.package / name).parent.mkdir(parents=True, exist_ok=True)
            (self.package / name).write_text(text, encoding="utf-8")

    def hash(self) -> str:
        """The hash as another process would compute it."""
        for cached in (
            *(codehash._imports_of, codehash._content, source_gists.gist, source_gists._memory),
            *(source_files.read_source, source_files.essential_source),
        ):
            cached.cache_clear()
        return codehash.code_hash(self.script, self.package)

    def after(self, name: str, old: str, new: str) -> str:
        """The hash after an edit of a module, or of the script."""
        path = self.script if name == "script.py" else self.package / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
        return self.hash()


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "table.txt").write_text("1", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(codehash, "resource", lambda name: tmp_path / name)
    return Project(tmp_path)


#: Signs that begin no comment, beside some that do.
SIGNS = """\
a = "# no"  # yes
b = f"{a} # no {'#'}"  # \N{GREEK SMALL LETTER MU} yes
c = b"#", '\N{GREEK SMALL LETTER MU}#'  # yes # and on
# yes "
def d():
    \'\'\'Words # no
    # no\'\'\'
    return a, "#"
"""
PARTS = """\
e = (
    "# no"  # yes
    # yes
    "more"
)
"""


@pytest.mark.parametrize("text", [SIGNS, SIGNS + PARTS], ids=["lines", "parts of a string"])
def test_comments_begin_where_the_tokens_say(tmp_path, text):
    path = tmp_path / "signs.py"
    path.write_text(text, encoding="utf-8")
    source = source_files.read_source(path)
    assert source_files._comments(source) == source_files._comments_among_tokens(text)
    left = source_files.essential_source(path)
    assert "yes" not in left and left.count("no") == text.count("no") - 2


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("script.py", "A script.", "The script\n\nin more words."),
        ("script.py", "    return", "    # because\n\n    return"),
        ("direct.py", "# why", "# why not"),
        ("direct.py", "  # why", ""),
        ("direct.py", "    return", "\n    return"),
        ("direct.py", '    """Work."""\n', ""),
        ("direct.py", '"""Open the table."""', '"""Read\n    the table."""'),
        ("distant.py", "FACTOR", "# Of two.\nFACTOR"),
    ],
)
def test_words_do_not_count(project, name, old, new):
    before = project.hash()
    assert project.after(name, old, new) == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("script.py", "work(1)", "work(2)"),
        ("direct.py", "* x", "+ x"),
        ("direct.py", "colour # red", "colour # blue"),
        ("direct.py", "first\n\nlast", "first\nlast"),
        ("direct.py", "first\n", "first  \n"),
        ("direct.py", '"""; return', '"""; return not'),
        ("distant.py", "2", "3"),
        ("local/helper.py", "return 1", "return 2"),
        ("__init__.py", "", "import os\n"),
    ],
    ids=[
        "script",
        "import",
        "hash sign in a string",
        "blank line in a string",
        "blanks in a string",
        "beside a docstring",
        "import of an import",
        "import in a function",
        "package",
    ],
)
def test_code_counts_wherever_it_is_imported_from(project, name, old, new):
    before = project.hash()
    assert project.after(name, old, new) != before


def test_the_resources_that_it_opens_count(project, tmp_path):
    before = project.hash()
    (tmp_path / "table.txt").write_text("2", encoding="utf-8")
    assert project.hash() != before


@pytest.mark.parametrize("name", ["unused.py", "artefacts.py", "behind_leaf.py"])
def test_leaves_and_what_is_not_imported_do_not_count(project, name):
    before = project.hash()
    assert project.after(name, (project.package / name).read_text(), "VALUE = 2\n") == before


def test_of_the_codes_those_count_that_are_imported(project):
    """A network's new code must not extract a survey again."""
    before = project.hash()
    assert project.after("codes.py", "    B = 1", "    B = 2\n    C = 3") == before
    with_class = project.after("codes.py", "class Other", "class New(Code):\n    D = 1\n\n\nclass Other")
    assert with_class == before
    changed = project.after("codes.py", "    A = 0", "    A = 1")
    assert changed != before
    of_base = project.after("codes.py", '    With a list.\n    """\n', '    With a list.\n    """\n\n    factor = 2\n')
    assert of_base != changed
    assert project.after("direct.py", "import Wanted", "import Other, Wanted") != of_base


def test_no_module_imports_the_codes_as_a_whole():
    """Else its hash would miss them: classes count by the names that are imported."""
    package = Path(codehash.__file__).parent
    for path in package.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        whole = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module == "mangrove"]
        names = {alias.name for node in whole for alias in node.names}
        assert "codes" not in names or path.name == "generate.py", path


def test_a_new_import_counts(project):
    before = project.hash()
    with_import = project.after("distant.py", "FACTOR = 2", "from mangrove import unused\n\nFACTOR = 2")
    assert with_import != before
    assert project.after("unused.py", "1", "2") != with_import


def test_the_data_model_is_left_out_as_a_whole():
    """The schema version stands for it, and for every module of its tables; codes count by themselves."""
    package = Path(codehash.__file__).parent
    assert "mangrove.data_model" in codehash.LEAVES
    assert codehash.imported_modules(package / "data_model.py") == {"mangrove", "mangrove.codes"}
    assert all(package.joinpath(*leaf.split(".")[1:]).with_suffix(".py").is_file() for leaf in codehash.LEAVES)


def remembered(project) -> Path:
    """Where what was found is kept."""
    return project.package.with_name("cache") / "mangrove" / "sources.json"


def test_what_was_found_is_not_looked_for_again(project, monkeypatch):
    """But of the codes, whose classes count one by one."""
    before, read = project.hash(), []
    real = source_files.read_source
    monkeypatch.setattr(source_gists, "read_source", lambda path: read.append(path.name) or real(path))
    assert project.hash() == before and read == []
    assert project.after("distant.py", "2", "3") != before and read == ["distant.py"]
    assert project.after("distant.py", "3", "2") == before and read == ["distant.py"]


@pytest.mark.parametrize("damage", [b"", b"\n", b"0\n[]", b"\xff", None], ids=["empty", "line", "sign", "bytes", "bit"])
def test_damage_of_what_is_remembered_changes_nothing(project, damage):
    before = project.hash()
    kept = remembered(project).read_bytes()
    if damage is None:
        place = kept.index(b"mangrove.")
        damage = kept[:place] + b"n" + kept[place + 1 :]
    remembered(project).write_bytes(damage)
    assert project.hash() == before
    # In another order, perhaps, but whole again.
    assert len(remembered(project).read_bytes()) == len(kept)


def test_another_version_of_what_finds_it_looks_again(project, monkeypatch, tmp_path):
    project.hash()
    edited = tmp_path / "edited.py"
    edited.write_text(Path(source_files.__file__).read_text(encoding="utf-8") + "\nEDITED = 1\n", encoding="utf-8")
    monkeypatch.setattr(source_files, "__file__", str(edited))
    source_gists._memory.cache_clear()
    assert source_gists._memory().known == {}


def test_where_nothing_can_be_kept_the_hash_is_the_same(project, monkeypatch):
    before = project.hash()
    file = project.package.with_name("file")
    file.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    assert project.hash() == before


def test_the_last_ones_asked_for_are_kept(project, monkeypatch):
    before = project.hash()
    n_file = len(json.loads(remembered(project).read_text(encoding="ascii").split("\n", 1)[1]))
    monkeypatch.setattr(source_gists, "_MOST", n_file)
    for value in range(3, 8):
        project.after("distant.py", f"FACTOR = {value - 1}", f"FACTOR = {value}")
    known = json.loads(remembered(project).read_text(encoding="ascii").split("\n", 1)[1])
    assert len(known) == n_file
    assert project.after("distant.py", "FACTOR = 7", "FACTOR = 2") == before


def test_the_schema_version_stands_for_the_leaves(project, monkeypatch):
    before = project.hash()
    monkeypatch.setattr(codehash, "SCHEMA_VERSION", codehash.SCHEMA_VERSION + 1)
    assert project.hash() != before


def test_circular_imports_end(project):
    project.after("distant.py", "FACTOR = 2", "import mangrove.direct\n\nFACTOR = 2")
    assert project.after("direct.py", "* x", "+ x")


def test_mangrove_has_no_relative_imports():
    """They would escape the hash."""
    package = Path(codehash.__file__).parent
    relative = [
        f"{path.name}:{node.lineno}"
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


def test_mangrove_opens_its_resources_by_constant_names():
    """Other names would escape the hash."""
    fit = Path(codehash.__file__).parents[2] / "workflow/scripts/fit.py"
    modules = codehash.closure(fit)
    opened = set().union(*(source_gists.gist(codehash._module_file(m, codehash._PACKAGE)).resources for m in modules))
    assert opened == {"lines.ecsv", "mastar_ssp.h5", "sdss_r.ecsv"}


def test_a_fit_is_nothing_to_the_rules_that_come_before_it():
    scripts = Path(codehash.__file__).parents[2] / "workflow/scripts"
    for rule in ("simulate", "extract", "line_cube"):
        modules = codehash.closure(scripts / f"{rule}.py")
        assert not {f"mangrove.spectra.{name}" for name in ("fitting", "fit_galaxy", "composition")} & modules


def test_what_notebooks_use_is_in_no_hash():
    """mangrove.api and what belongs to it may change without remaking any result."""
    scripts = sorted((Path(codehash.__file__).parents[2] / "workflow/scripts").glob("*.py"))
    closures = {script.stem: codehash.closure(script) for script in scripts}
    assert closures["fit"] >= {"mangrove.spectra.fit.galaxy"}
    for_notebooks = ("mangrove.api", "mangrove.notebook")
    assert {name: m for name, modules in closures.items() for m in modules if m.startswith(for_notebooks)} == {}
