"""Sources of Python as the code hash reads them: what they import and open, and their text without words for people."""

import ast
import io
import tokenize
from functools import cache
from pathlib import Path
from typing import NamedTuple

#: Of this module only the classes count that a rule imports by name: a code for one step says nothing of another.
CODES = "mangrove.codes"


class SourceFile(NamedTuple):
    """A file, and what one walk over its syntax tree finds.

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
def read_source(path: Path) -> SourceFile:
    """Read and parse a file.

    Raises
    ------
    SyntaxError
    """
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
    return SourceFile(text, tree, docstrings, strings, frozenset(imports), frozenset(codes), frozenset(resources))


@cache
def essential_source(path: Path, classes: frozenset[str] | None = None) -> str:
    """The source of a file without comments, docstrings, and blank lines outside of strings.

    Parameters
    ----------
    path : Path
    classes : frozenset of str, optional
        Leave out all classes but these and those that they name: bases, and whose values they take.
    """
    source = read_source(path)
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


def _comments(source: SourceFile) -> list[tuple[int, int]]:
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


def _cut(lines: list[bytes], node: ast.AST) -> None:
    """Take a node out of its lines, and leave what shares them."""
    first, last = node.lineno - 1, node.end_lineno - 1
    before, after = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
    lines[first : last + 1] = [before + after, *[b""] * (last - first)]


def _lines_that_end_in_a_string(source: SourceFile) -> set[int]:
    """Lines (from 0) whose end belongs to a string: blank ones and blanks at their end have a meaning."""
    docstrings = {id(node.value) for node in source.docstrings}
    strings = (node for node in source.strings if id(node) not in docstrings)
    return {i for node in strings for i in range(node.lineno - 1, node.end_lineno - 1)}
