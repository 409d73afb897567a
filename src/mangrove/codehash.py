"""The hash of the code that a rule runs, so that a change of meaning reruns it and a change of words does not."""

import ast
import hashlib
import io
import tokenize
from functools import cache
from pathlib import Path

from mangrove.data_model import SCHEMA_VERSION
from mangrove.resources import resource

#: Modules that do not change what a rule computes; the schema version stands for the artefact layout.
LEAVES = frozenset(
    f"mangrove.{m}"
    for m in (
        *(
            "artefacts",
            "data_model",
            "data_model_attributes",
            "data_model_desom",
            "data_model_autoencoders",
            "data_model_fields",
            "data_model_line_cube_truth",
            "logs",
            "errors",
            "whole_files",
        ),
        *("config", "config_maps", "config_autoencoders", "config_values", "config_files", "moved_keys"),
        # What training tells people; nothing is computed from it.
        "models.training.reporting",
        # Which fits are finished is compared with what they are made of, this hash included.
        "spectra.fit.batched.kept",
    )
)

#: Of this module only the classes count that a rule imports by name: a code for one step says nothing of another.
CODES = "mangrove.codes"

_PACKAGE = Path(__file__).resolve().parent


def code_hash(script: str | Path, package: Path = _PACKAGE) -> str:
    """Hash of a script, of all mangrove modules that it imports, directly or not, and of the resources these open.

    Comments, docstrings and blank lines do not count, nor do the :data:`LEAVES`; of :data:`CODES`, the imported classes
    do. The result is the same on every Python version, as it is made from the source text. A module opens a resource by
    ``resource("name")``.

    Parameters
    ----------
    script : path-like
        The rule's script.
    package : Path
        Folder of the mangrove package.
    """
    digest = hashlib.sha256(f"schema {SCHEMA_VERSION}\n".encode())
    digest.update(essential_source(Path(script)).encode())
    modules = {module: _module_file(module, package) for module in sorted(closure(script, package))}
    codes = frozenset().union(*map(_codes_of, (Path(script), *modules.values())))
    for module, path in modules.items():
        source = essential_source(path, codes if module == CODES else None)
        digest.update(f"# {module}\n{source}".encode())
    for name in sorted(set().union(*map(_resources_of, modules.values()))):
        digest.update(f"# {name} {_content(resource(name))}\n".encode())
    return digest.hexdigest()[:16]


@cache
def essential_source(path: Path, classes: frozenset[str] | None = None) -> str:
    """The source of a file without comments, docstrings, and blank lines outside of strings.

    Parameters
    ----------
    path : Path
    classes : frozenset of str, optional
        Leave out all classes but these and those that they name: bases, and whose values they take.
    """
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    lines = [line.encode() for line in source.splitlines()]
    for node in _docstrings(tree):
        _cut(lines, node)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1].decode()[:column].encode()
    if classes is not None:
        kept = _with_what_they_name(tree, classes)
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and node.name not in kept:
                lines[node.lineno - 1 : node.end_lineno] = [b""] * (node.end_lineno - node.lineno + 1)
    inside = _lines_that_end_in_a_string(tree)
    kept = [line if i in inside else line.rstrip() for i, line in enumerate(lines) if i in inside or line.strip()]
    return b"\n".join(kept).decode() + "\n"


def _with_what_they_name(tree: ast.Module, classes: frozenset[str]) -> set[str]:
    """Names of classes of a module, those included that their definitions name, directly or not."""
    defined = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    found, waiting = set(), set(classes) & set(defined)
    while waiting:
        found |= waiting
        named = {n.id for name in waiting for n in ast.walk(defined[name]) if isinstance(n, ast.Name)}
        waiting = named & set(defined) - found
    return found


def imported_modules(path: Path, package: Path = _PACKAGE) -> set[str]:
    """Dotted names of the mangrove modules that a file imports, anywhere in it, leaves excepted."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            candidates = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            candidates = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        found.update(c for c in candidates if c.split(".")[0] == "mangrove" and _module_file(c, package))
    return found - LEAVES


def closure(script: str | Path, package: Path = _PACKAGE) -> set[str]:
    """Dotted names of the mangrove modules that a script imports, directly or not, :data:`LEAVES` excepted."""
    seen: set[str] = set()
    waiting = imported_modules(Path(script), package)
    while waiting:
        module = waiting.pop()
        seen.add(module)
        waiting |= _imports_of(module, package) - seen
    return seen


@cache
def _imports_of(module: str, package: Path) -> frozenset[str]:
    return frozenset(imported_modules(_module_file(module, package), package))


def _module_file(module: str, package: Path) -> Path | None:
    path = package.joinpath(*module.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _docstrings(tree: ast.AST) -> list[ast.Expr]:
    """The docstrings of a module and of all that it defines."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or not node.body:
            continue
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            found.append(first)
    return found


def _cut(lines: list[bytes], node: ast.AST) -> None:
    """Take a node out of its lines, and leave what shares them."""
    first, last = node.lineno - 1, node.end_lineno - 1
    before, after = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
    lines[first : last + 1] = [before + after, *[b""] * (last - first)]


def _lines_that_end_in_a_string(tree: ast.AST) -> set[int]:
    """Lines (from 0) whose end belongs to a string: blank ones and blanks at their end have a meaning."""
    docstrings = {id(node.value) for node in _docstrings(tree)}
    strings = (
        node
        for node in ast.walk(tree)
        if id(node) not in docstrings
        and (isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)))
    )
    return {i for node in strings for i in range(node.lineno - 1, node.end_lineno - 1)}


@cache
def _codes_of(path: Path) -> frozenset[str]:
    """Names that a file imports from :data:`CODES`."""
    nodes = (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom))
    return frozenset(alias.name for node in nodes if node.module == CODES for alias in node.names)


@cache
def _resources_of(path: Path) -> frozenset[str]:
    """Names of the resources that a file opens."""
    calls = (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))
    return frozenset(
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "resource" and isinstance(call.args[0], ast.Constant)
    )


@cache
def _content(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
