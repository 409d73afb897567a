"""Write tests/closures.toml: the modules in the code hash of each rule, as the scripts import them now."""

import re
from pathlib import Path

from mangrove import codehash

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "mangrove"
LISTED = ROOT / "tests" / "closures.toml"
_HEAD = """\
# Modules that each script of the workflow imports, directly or not: what its rule's code hash covers (docs/developing.md).
# An edit of a module reruns every rule that lists it. Written by 'make closures'; a longer list is a decision.
"""


def closures() -> dict[str, list[str]]:
    """Modules by script, without the leaves of the code hash and without packages, whose files are empty.

    Only scripts whose rule has a code hash (``code=code("name")``): 'download' has none.
    """
    rules = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "rules").glob("*.smk"))
    scripts = ROOT / "workflow" / "scripts"
    return {
        name: sorted(filter(_is_file, map(_short, codehash.closure(scripts / f"{name}.py"))))
        for name in sorted(re.findall(r'code=code\("(\w+)"\)', rules))
    }


def as_toml(modules: dict[str, list[str]]) -> str:
    """The list as text, a module a line."""
    parts = [_HEAD]
    for script, names in modules.items():
        parts.append("".join([f"{script} = [\n", *(f'    "{name}",\n' for name in names), "]\n"]))
    return "\n".join(parts)


def _short(module: str) -> str:
    return module.removeprefix("mangrove").removeprefix(".")


def _is_file(module: str) -> bool:
    return PACKAGE.joinpath(*module.split(".")).with_suffix(".py").is_file()


if __name__ == "__main__":
    LISTED.write_text(as_toml(closures()), encoding="utf-8")
