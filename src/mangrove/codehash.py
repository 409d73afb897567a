"""The hash of the code that a rule runs, so that a change of meaning reruns it and a change of words does not."""

import hashlib
from functools import cache
from pathlib import Path

from mangrove.data_model import SCHEMA_VERSION
from mangrove.resources import resource
from mangrove.source_files import CODES, essential_source
from mangrove.source_gists import gist, hash_of, remember

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
            "user_cache",
            "whole_files",
        ),
        *("config", "config_maps", "config_autoencoders", "config_values", "config_files", "moved_keys"),
        # What training tells people; nothing is computed from it.
        "models.training.reporting",
        # Which fits are finished is compared with what they are made of, this hash included.
        "spectra.fit.batched.kept",
    )
)

_PACKAGE = Path(__file__).resolve().parent


def code_hash(script: str | Path, package: Path = _PACKAGE) -> str:
    """Hash of a script, of all mangrove modules that it imports, directly or not, and of the resources these open.

    Comments, docstrings and blank lines do not count, nor do the :data:`LEAVES`; of
    :data:`mangrove.source_files.CODES`, the imported classes do. The result is the same on every Python version, as it
    is made from the source text. A module opens a resource by ``resource("name")``.

    Parameters
    ----------
    script : path-like
        The rule's script.
    package : Path
        Folder of the mangrove package.
    """
    digest = hashlib.sha256(f"schema {SCHEMA_VERSION}\n".encode())
    digest.update(gist(Path(script)).essence.encode())
    modules = {module: _module_file(module, package) for module in sorted(closure(script, package))}
    codes = frozenset().union(*(gist(path).codes for path in (Path(script), *modules.values())))
    for module, path in modules.items():
        essence = hash_of(essential_source(path, codes)) if module == CODES else gist(path).essence
        digest.update(f"# {module} {essence}\n".encode())
    for name in sorted(set().union(*(gist(path).resources for path in modules.values()))):
        digest.update(f"# {name} {_content(resource(name))}\n".encode())
    remember()
    return digest.hexdigest()[:16]


def imported_modules(path: Path, package: Path = _PACKAGE) -> set[str]:
    """Dotted names of the mangrove modules that a file imports, anywhere in it, leaves excepted."""
    ours = (name for name in gist(path).imports if name.split(".")[0] == "mangrove")
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


@cache
def _content(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
