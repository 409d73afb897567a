"""Reading configuration files, and saying what is wrong with them, where, and how to mend it."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import yaml
from pydantic import BaseModel, ValidationError

from mangrove import moved_keys, yaml_files
from mangrove.config import Config
from mangrove.config_values import CONFLICT, NOT_BOOLEAN, is_section
from mangrove.errors import ConfigError

#: Most mistakes that an error lists: one wrong indentation may make dozens.
_SHOWN = 8
#: Most characters of a value that an error gives back.
_LONG = 200
#: Plain words for what pydantic says, by the type of its error.
_PLAIN = {
    "string_pattern_mismatch": "must consist of letters, digits, _ . - and begin with a letter or digit",
    "string_type": "must be text",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "list_type": "must be a list: [first, second]",
    "model_type": "must contain keys of its own, one per line, indented",
}


def load(files: Sequence[str | Path]) -> Config:
    """Read and validate configuration files, later ones over earlier ones.

    Raises
    ------
    ConfigError
        With the key, the file and line that set it, and how to mend it.
    """
    merged: dict[str, Any] = {}
    for file in files:
        _merge(merged, yaml_files.parse(file))
    return validate(merged, files)


def validate(
    values: dict[str, Any], files: Sequence[str | Path] = (), given: Mapping[str, Any] | None = None
) -> Config:
    """Validate a merged configuration.

    Parameters
    ----------
    values : dict
    files : sequence of path-like
        Where they are from, later ones over earlier ones; their text is checked first, as a merged configuration does not
        show all faults, and errors name them.
    given : mapping, optional
        What ``--config`` on the command line sets over the files.

    Raises
    ------
    ConfigError
        See :func:`load`.
    """
    places = _Places(files, given or {})
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        problems = _one_per_key(error.errors())
        moved = moved_keys.explain(_old_key(p, places) for p in problems if _has_moved(p))
        others = [_explain(p, places) for p in problems if not _has_moved(p)]
        if len(others) > _SHOWN:
            others[_SHOWN:] = [f"And {len(others) - _SHOWN} more: correct these first."]
        raise ConfigError("the configuration is wrong.\n" + "\n".join([*others, *moved])) from None


def check(config: Config) -> None:
    """Refuse a configuration whose table for the emulator does not exist.

    Raises
    ------
    ConfigError
        With the key and what to do.
    """
    emulator = config.emulator
    if emulator.enabled and emulator.source == "desi" and not Path(emulator.desi_file).is_file():
        raise ConfigError(
            f"emulator.desi_file {emulator.desi_file} does not exist; docs/emulator.md says how to get it (mangrove desi-table)."
        )


def shown(file: str | Path) -> str:
    """A path as errors name it: from the working folder if it lies there."""
    path = Path(file).absolute()
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


class _KeyPlace(NamedTuple):
    """Where a key is set: the file ('--config' for the command line, empty for nowhere), the line, the node of its value."""

    file: str = ""
    line: int = 0
    node: yaml.Node | None = None

    def __str__(self) -> str:
        """' in FILE, line N', to go behind a key; empty for nowhere."""
        return (f" in {self.file}" if self.file else "") + (f", line {self.line}" if self.line else "")


class _Places:
    """Where the keys of a configuration are set."""

    def __init__(self, files: Sequence[str | Path], given: Mapping[str, Any]):
        self._nodes = [(file, yaml_files.compose(file)) for file in files]
        self._given = yaml.compose(yaml.safe_dump(_plain(given)), yaml.SafeLoader)

    def find(self, keys: Sequence) -> _KeyPlace:
        """The last place that sets a key."""
        node, _ = yaml_files.find(self._given, keys)
        if node is not None:
            return _KeyPlace(moved_keys.COMMAND_LINE, node=node)
        for file, top in reversed(self._nodes):
            node, line = yaml_files.find(top, keys)
            if node is not None:
                return _KeyPlace(str(file), line, node)
        return _KeyPlace()


def _plain(value):
    """Mappings and lists as YAML's writer knows them."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


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


def _has_moved(problem: dict[str, Any]) -> bool:
    return problem["type"] == "extra_forbidden" and ".".join(_place(problem)[1]) in moved_keys.MOVED


def _old_key(problem: dict[str, Any], places: _Places) -> moved_keys.OldKey:
    keys = _place(problem)[1]
    place = places.find(keys)
    return moved_keys.OldKey(".".join(keys), place.file, place.line, problem["input"])


def _explain(problem: dict[str, Any], places: _Places) -> str:
    if problem["type"] == CONFLICT:
        return _explain_conflict(problem, places)
    section, keys = _place(problem)
    place = places.find([*keys, *(part for part in problem["loc"][len(keys) :] if isinstance(part, int))])
    key = ".".join(keys)
    if problem["type"] == "extra_forbidden":
        known = list(section.model_fields)
        near = difflib.get_close_matches(keys[-1], known, n=1)
        mend = f"did you mean '{near[0]}'?" if near else f"the keys here are: {', '.join(known)}."
        return f"- unknown key '{key}'{place}; {mend}"
    if problem["type"] == "model_type" and problem["input"] is None:
        return f"- {key}{place} is empty; add keys below it, or delete the line."
    return f"- {key}{place}: {problem['msg']} ({_given(problem, place.node)}).{_example(section, keys[-1])}"


def _given(problem: dict[str, Any], node: yaml.Node | None) -> str:
    """The value of a key as it was read and, where text was wanted or looks like something else, as it was written."""
    text = f"given: {_shortened(repr(problem['input']))}"
    bare = isinstance(node, yaml.ScalarNode) and node.style is None and node.value
    if not bare or problem["type"] not in ("string_type", "string_pattern_mismatch", NOT_BOOLEAN):
        return text
    if isinstance(problem["input"], str):
        return text
    return f"{text}, which is how YAML reads {node.value}; in quotes it is text: '{node.value}'"


def _shortened(text: str) -> str:
    """A text, or the beginning of a long one."""
    return text if len(text) <= _LONG else f"{text[:_LONG]}..."


def _explain_conflict(problem: dict[str, Any], places: _Places) -> str:
    """A rule between keys: where they are set, and a line that mends it."""
    keys, (mended, value) = problem["ctx"]["keys"], problem["ctx"]["mend"]
    named = "; ".join(f"{key}{places.find(key.split('.'))}" for key in keys)
    section, key = mended.split(".")
    return f"- {problem['msg']} ({named}).\n    for example, below '{section}:':  {_line(key, value)}"


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
