"""Reading files of the configuration, and saying what is wrong with them: where, and how to mend it."""

import difflib
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from mangrove.config import CONFLICT, Config, is_section
from mangrove.errors import ConfigError

_ABSENT = object()


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
        problems = [_explain(e, files) for e in error.errors()]
        raise ConfigError("the configuration is wrong.\n" + "\n".join(problems)) from None


def _parse(file: str | Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"the configuration file {file} does not exist; see configs/ for examples.") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{file} is not valid YAML: {error}") from None
    if content is not None and not isinstance(content, dict):
        raise ConfigError(f"{file} must hold 'key: value' lines, for example 'run: myrun'.")
    return content or {}


def _merge(base: dict, over: dict) -> None:
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value


def _explain(problem: dict[str, Any], files) -> str:
    if problem["type"] == CONFLICT:
        return _explain_conflict(problem, files)
    # pydantic appends the tried member of a union ('float') to the location; only real keys name the place.
    section, keys = Config, []
    for part in map(str, problem["loc"]):
        keys.append(part)
        field = section.model_fields.get(part)
        if field is None or not is_section(field.annotation):
            break
        section = field.annotation
    where = _setter(keys, files)
    key = ".".join(keys)
    if problem["type"] == "extra_forbidden":
        known = list(section.model_fields)
        near = difflib.get_close_matches(keys[-1], known, n=1)
        mend = f"did you mean '{near[0]}'?" if near else f"known keys here: {', '.join(known)}."
        return f"- unknown key '{key}'{where}; {mend}"
    message = problem["msg"].removeprefix("Value error, ")
    return f"- {key}{where}: {message} (given: {problem['input']!r}).{_example(section, keys[-1])}"


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
