"""The hash of the code that a rule runs, so that a change of meaning reruns it and a change of words does not."""

import ast
import hashlib
import io
import tokenize
from functools import cache
from pathlib import Path
from typing import NamedTuple

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
    codes = frozenset().union(*(_read(path).codes for path in (Path(script), *modules.values())))
    for module, path in modules.items():
        source = essential_source(path, codes if module == CODES else None)
        digest.update(f"# {module}\n{source}".encode())
    for name in sorted(set().union(*(_read(path).resources for path in modules.values()))):
        digest.update(f"# {name} {_content(resource(name))}\n".encode())
    return digest.hexdigest()[:16]


class _SourceFile(NamedTuple):
    """A file, and what one walk over its syntax tree finds: this is read again whenever a run is planned.

    Attributes
    ----------
    text : str
    tree : ast.Module
    docstrings : list of ast.Expr
        Of the module and of all that it defines.
    strings : list of ast.expr
        Strings, f-strings and bytes, docstrings included.
    imports : frozenset of str
        Dotted names that may be modules.
    codes : frozenset of str
        Names that it imports from :data:`CODES`.
    resources : frozenset of str
        Names of the resources that it opens.
    """

    text: str
    tree: ast.Module
    docstrings: list[ast.Expr]
    strings: list[ast.expr]
    imports: frozenset[str]
    codes: frozenset[str]
    resources: frozenset[str]


@cache
def _read(path: Path) -> _SourceFile:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    docstrings, strings, imports, codes, resources = [], [], set(), set(), set()
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str() | bytes()) | ast.JoinedStr():
                strings.append(node)
            case ast.Import():
                imports.update(alias.name for alias in node.names)
            case ast.ImportFrom(module=str(), level=0):
                imports.update((node.module, *(f"{node.module}.{alias.name}" for alias in node.names)))
                codes.update(alias.name for alias in node.names if node.module == CODES)
            case ast.Call(func=ast.Name(id="resource"), args=[ast.Constant(value=name), *_]):
                resources.add(name)
            case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                match node.body:
                    case [ast.Expr(value=ast.Constant(value=str())) as first, *_]:
                        docstrings.append(first)
    return _SourceFile(text, tree, docstrings, strings, frozenset(imports), frozenset(codes), frozenset(resources))


@cache
def essential_source(path: Path, classes: frozenset[str] | None = None) -> str:
    """The source of a file without comments, docstrings, and blank lines outside of strings.

    Parameters
    ----------
    path : Path
    classes : frozenset of str, optional
        Leave out all classes but these and those that they name: bases, and whose values they take.
    """
    source = _read(path)
    lines = [line.encode() for line in source.text.splitlines()]
    for node in source.docstrings:
        _cut(lines, node)
    for row, column in _comments(source):
        lines[row] = lines[row][:column]
    if classes is not None:
        kept = _with_what_they_name(source.tree, classes)
        for node in source.tree.body:
            if isinstance(node, ast.ClassDef) and node.name not in kept:
                lines[node.lineno - 1 : node.end_lineno] = [b""] * (node.end_lineno - node.lineno + 1)
    inside = _lines_that_end_in_a_string(source)
    kept = [line if i in inside else line.rstrip() for i, line in enumerate(lines) if i in inside or line.strip()]
    return b"\n".join(kept).decode() + "\n"


def _comments(source: _SourceFile) -> list[tuple[int, int]]:
    """Line (from 0) and byte of each comment; the slow tokens are asked only where a string of several lines has a #."""
    lines = [line.encode() for line in source.text.splitlines()]
    docstrings = {id(node.value) for node in source.docstrings}
    spans = {}
    for node in source.strings:
        rows = range(node.lineno - 1, node.end_lineno)
        if len(rows) > 1 and id(node) not in docstrings and any(b"#" in lines[i] for i in rows):
            # Comments may stand between the parts of a string.
            return _comments_among_tokens(source.text)
        for i in rows:
            first = node.col_offset if i == rows[0] else 0
            last = node.end_col_offset if i == rows[-1] else len(lines[i])
            spans.setdefault(i, []).append(range(first, last))
    signs = (
        (i, place)
        for i, line in enumerate(lines)
        if b"#" in line
        for place, sign in enumerate(line)
        if sign == ord("#")
    )
    outside = [(i, place) for i, place in signs if not any(place in span for span in spans.get(i, ()))]
    return sorted({i: (i, place) for i, place in reversed(outside)}.values())


def _comments_among_tokens(text: str) -> list[tuple[int, int]]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = (token for token in tokens if token.type == tokenize.COMMENT)
    return [(token.start[0] - 1, len(token.line[: token.start[1]].encode())) for token in comments]


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
    ours = (name for name in _read(path).imports if name.split(".")[0] == "mangrove")
    return {name for name in ours if _module_file(name, package)} - LEAVES


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


def _cut(lines: list[bytes], node: ast.AST) -> None:
    """Take a node out of its lines, and leave what shares them."""
    first, last = node.lineno - 1, node.end_lineno - 1
    before, after = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
    lines[first : last + 1] = [before + after, *[b""] * (last - first)]


def _lines_that_end_in_a_string(source: _SourceFile) -> set[int]:
    """Lines (from 0) whose end belongs to a string: blank ones and blanks at their end have a meaning."""
    docstrings = {id(node.value) for node in source.docstrings}
    strings = (node for node in source.strings if id(node) not in docstrings)
    return {i for node in strings for i in range(node.lineno - 1, node.end_lineno - 1)}


@cache
def _content(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
