"""The hash of the code that a rule runs, so that a change of meaning reruns it and a change of words does not."""

import ast
import hashlib
import io
import tokenize
from functools import cache
from pathlib import Path

from mangrove.data_model import SCHEMA_VERSION

#: Modules that do not change what a rule computes; the schema version stands for the artefact layout.
LEAVES = frozenset(f"mangrove.{m}" for m in ("artefacts", "data_model", "config", "logs", "errors"))

_PACKAGE = Path(__file__).resolve().parent


def code_hash(script: str | Path, package: Path = _PACKAGE) -> str:
    """Hash of a script and of all mangrove modules that it imports, directly or not.

    Comments, docstrings and blank lines do not count, nor do the :data:`LEAVES`. The result is the same on every
    Python version, as it is made from the source text.

    Parameters
    ----------
    script : path-like
        The rule's script.
    package : Path
        Folder of the mangrove package.
    """
    digest = hashlib.sha256(f"schema {SCHEMA_VERSION}\n".encode())
    digest.update(essential_source(Path(script)).encode())
    for module in sorted(_closure(Path(script), package)):
        digest.update(f"# {module}\n{essential_source(_module_file(module, package))}".encode())
    return digest.hexdigest()[:16]


@cache
def essential_source(path: Path) -> str:
    """The source of a file without comments, docstrings and blank lines."""
    source = path.read_text(encoding="utf-8")
    lines = [line.encode() for line in source.splitlines()]
    for first, last in _docstrings(source):
        for i in range(first, last + 1):
            lines[i] = b""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1].decode()[:column].encode()
    return "\n".join(line.decode().rstrip() for line in lines if line.strip()) + "\n"


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


def _closure(script: Path, package: Path) -> set[str]:
    seen: set[str] = set()
    waiting = imported_modules(script, package)
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


def _docstrings(source: str) -> list[tuple[int, int]]:
    """First and last line (from 0) of every docstring that stands alone on its lines."""
    spans = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or not node.body:
            continue
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            spans.append((first.lineno - 1, first.end_lineno - 1))
    return spans
