"""Reading files of the configuration, and saying what is wrong with them: where, and how to mend it."""

import difflib
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from mangrove.config import CONFLICT, Config, is_section
from mangrove.errors import ConfigError

_ABSENT = object()
#: Plain words for what pydantic says, by the type of its error.
_PLAIN = {
    "string_pattern_mismatch": "must be of letters, digits, _ . - only, a letter or digit first",
    "string_type": "must be text",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "list_type": "must be a list: [first, second]",
    "model_type": "must hold keys of its own, one a line, indented",
}


def load(files: list[str | Path]) -> Config:
    """Read and validate configuration files, later ones over earlier ones.

    Raises
    ------
    ConfigError
        With the key, the file that sets it, and how to mend it.
    """
    merged: dict[str, Any] = {}
    for file in files:
        _merge(merged, _parse(file))
    return validate(merged, files)


def validate(values: dict[str, Any], files: list[str | Path] = ()) -> Config:
    """Validate a merged configuration; ``files`` are named in the error (see :func:`load`)."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        problems = [_explain(e, files) for e in _one_per_key(error.errors())]
        raise ConfigError("the configuration is wrong.\n" + "\n".join(problems)) from None


def check(config: Config, files: list[str | Path]) -> None:
    """Refuse what a merged configuration does not show: faults of its files, and tables that are not there.

    Raises
    ------
    ConfigError
        If a file cannot be read or gives a key twice, or the emulator's table does not exist.
    """
    for file in files:
        _parse(file)
    emulator = config.emulator
    if emulator.enabled and emulator.source == "desi" and not Path(emulator.desi_file).is_file():
        raise ConfigError(
            f"emulator.desi_file {emulator.desi_file} does not exist; see docs/emulator.md (mangrove desi-table)."
        )


class _Loader(yaml.SafeLoader):
    """YAML in which no key of a mapping is given twice."""

    def construct_mapping(self, node, deep=False):
        first: dict[str, yaml.ScalarNode] = {}
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if first.setdefault(key.value, key) is not key:
                line = first[key.value].start_mark.line + 1
                problem = f"the key '{key.value}' is there twice, first in line {line}; keep one of them"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
        return super().construct_mapping(node, deep)


def _parse(file: str | Path) -> dict[str, Any]:
    try:
        content = yaml.load(Path(file).read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError:
        raise ConfigError(f"the configuration file {file} does not exist; see configs/ for examples.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is not UTF-8 text; save it as UTF-8.") from None
    except OSError as error:
        raise ConfigError(f"{file} cannot be read as a configuration file ({error.strerror}).") from None
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{file}{line}: not valid YAML: {error.problem}.") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{file} is not valid YAML: {str(error).splitlines()[0]}.") from None
    if content is not None and not isinstance(content, dict):
        raise ConfigError(f"{file} must hold 'key: value' lines, for example 'run: myrun'.")
    return content or {}


def _merge(base: dict, over: dict) -> None:
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value


def _one_per_key(problems: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first problem of every key, with the words of the others: pydantic has one per member of a union."""
    kept: dict[tuple, dict[str, Any]] = {}
    for problem in problems:
        words = _PLAIN.get(problem["type"], problem["msg"].removeprefix("Value error, "))
        words = words.replace("Input should", "must").replace("List should", "must").replace(" after validation", "")
        keys = tuple(_place(problem)[1]) if problem["type"] != CONFLICT else problem["msg"]
        if keys not in kept:
            kept[keys] = {**problem, "msg": words}
        elif words not in kept[keys]["msg"]:
            kept[keys]["msg"] += f", or {words.removeprefix('must be ')}"
    return list(kept.values())


def _place(problem: dict[str, Any]) -> tuple[type[BaseModel], list[str]]:
    """The section of a problem and its key, with the sections above it.

    pydantic appends the tried member of a union ('float') to the location; only real keys name the place.
    """
    section, keys = Config, []
    for part in map(str, problem["loc"]):
        keys.append(part)
        field = section.model_fields.get(part)
        if field is None or not is_section(field.annotation):
            break
        section = field.annotation
    return section, keys


def _explain(problem: dict[str, Any], files) -> str:
    if problem["type"] == CONFLICT:
        return _explain_conflict(problem, files)
    section, keys = _place(problem)
    where = _setter(keys, files)
    key = ".".join(keys)
    if problem["type"] == "extra_forbidden":
        known = list(section.model_fields)
        near = difflib.get_close_matches(keys[-1], known, n=1)
        mend = f"did you mean '{near[0]}'?" if near else f"known keys here: {', '.join(known)}."
        return f"- unknown key '{key}'{where}; {mend}"
    if problem["type"] == "model_type" and problem["input"] is None:
        return f"- {key}{where} is empty; give it keys, or delete the line."
    return f"- {key}{where}: {problem['msg']} (given: {problem['input']!r}).{_example(section, keys[-1])}"


def _explain_conflict(problem: dict[str, Any], files) -> str:
    """A rule between keys: which files set them, and a line that mends it."""
    keys, (mended, value) = problem["ctx"]["keys"], problem["ctx"]["mend"]
    places = ", ".join(key + _setter(key.split("."), files) for key in keys)
    section, key = mended.split(".")
    return f"- {problem['msg']} ({places}).\n    for example, below '{section}:':  {_line(key, value)}"


def _setter(keys: list[str], files) -> str:
    for file in reversed(list(files)):
        node: Any = _parse(file)
        for key in keys:
            node = node.get(key, _ABSENT) if isinstance(node, dict) else _ABSENT
        if node is not _ABSENT:
            return f" in {file}"
    return ""


def _example(section: type[BaseModel], key: str) -> str:
    field = section.model_fields.get(key)
    if field is None or is_section(field.annotation):
        return ""
    choices = [c for c in get_args(field.annotation) if isinstance(c, str)]
    return f"\n    {field.description}\n    for example:  {_line(key, field.default)}" + (
        f"   (one of: {', '.join(choices)})" if choices else ""
    )


def _line(key: str, value) -> str:
    """A line of a configuration file."""
    return yaml.safe_dump({key: value}, default_flow_style=True, width=1000).strip().strip("{}")
