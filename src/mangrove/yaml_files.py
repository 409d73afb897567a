"""Reading YAML as its author meant it: faults, and values that YAML would misread, are named with file and line."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from mangrove.errors import ConfigError

#: Numbers that every version of YAML reads alike.
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
#: An octal number of YAML 1.2, which the reader of YAML 1.1 takes for text.
_NEW_OCTAL = re.compile(r"[-+]?0o[0-7]+")
_TAG = "tag:yaml.org,2002:"
#: Levels and values that no configuration has; those of a file grow with its aliases (*name).
_DEEPEST, _MOST = 20, 10_000


def parse(file: str | Path) -> dict[str, Any]:
    """The content of a configuration file.

    Raises
    ------
    ConfigError
        If it cannot be read, is not valid, gives a key twice, or contains a value that YAML would misread (as another
        number or a date); the error names the line.
    """
    node = compose(file)
    if node is None:
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{file} must contain 'key: value' lines, for example 'run: myrun'.")
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise _invalid(file, error) from None
    except (ValueError, OverflowError) as error:  # of numbers with thousands of digits
        raise ConfigError(f"{file} holds a value that cannot be read ({error}).") from None


def compose(file: str | Path) -> yaml.Node | None:
    """The nodes of a configuration file with their lines; None where it is empty (see :func:`parse`)."""
    try:
        node = yaml.compose(Path(file).read_text(encoding="utf-8-sig"), yaml.SafeLoader)
    except FileNotFoundError:
        raise ConfigError(f"the configuration file {file} does not exist; see configs/ for examples.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is not UTF-8 text; save it as UTF-8.") from None
    except OSError as error:
        raise ConfigError(f"{file} cannot be read as a configuration file ({error.strerror}).") from None
    except yaml.MarkedYAMLError as error:
        raise _invalid(file, error) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{file} is not valid YAML: {str(error).splitlines()[0]}.") from None
    except RecursionError:
        raise _too_large(file) from None
    if node is not None:
        if _size(node, {}, _DEEPEST) > _MOST:
            raise _too_large(file)
        for problem, at in _problems(node, set()):
            raise ConfigError(f"{file}, line {at.start_mark.line + 1}: {problem}")
    return node


def find(node: yaml.Node | None, keys: Sequence[str | int]) -> tuple[yaml.Node | None, int]:
    """The value of a key in nested mappings, or an item by its number, and its line; None and 0 where it is not there."""
    line = 0
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            pair = _pair(node, str(key))
            if pair is None:
                return None, 0
            node, line = pair[1], pair[0].start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
            line = node.start_mark.line + 1
        else:
            return None, 0
    return node, line


def _pair(node: yaml.MappingNode, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    """A key of a mapping and its value, be they its own or merged (<<) into it."""
    for own in node.value:
        if own[0].tag != f"{_TAG}merge" and own[0].value == key:
            return own
    for name, value in node.value:
        if name.tag == f"{_TAG}merge":
            merged = value.value if isinstance(value, yaml.SequenceNode) else [value]
            found = (_pair(one, key) for one in merged if isinstance(one, yaml.MappingNode))
            if pair := next(filter(None, found), None):
                return pair
    return None


def _invalid(file, error: yaml.MarkedYAMLError) -> ConfigError:
    line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
    if "'\\t'" in str(error.problem):
        return ConfigError(f"{file}{line}: not valid YAML: there is a tab. Indent with spaces.")
    return ConfigError(f"{file}{line}: not valid YAML: {error.problem}.")


def _too_large(file) -> ConfigError:
    return ConfigError(
        f"{file} is nested more than {_DEEPEST} levels deep, or has more than {_MOST} values, by repetitions (*name) perhaps; "
        "a configuration is a list of sections with keys."
    )


def _size(node: yaml.Node, known: dict[int, int], levels: int) -> int:
    """Number of values in a tree of nodes with its repetitions written out; above the most if it is too deep."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if not levels:
        return _MOST + 1
    if id(node) not in known:
        pairs = isinstance(node, yaml.MappingNode)
        inner = [one for pair in node.value for one in pair] if pairs else node.value
        known[id(node)] = 1 + sum(_size(one, known, levels - 1) for one in inner)
    return known[id(node)]


def _problems(node: yaml.Node, seen: set[int]) -> Iterator[tuple[str, yaml.Node]]:
    """What is wrong in a tree of nodes, with the node that it is at."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        if problem := _misread(node):
            yield problem, node
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _problems(item, seen)
    else:
        first: dict[str, yaml.Node] = {}
        for key, value in node.value:
            yield from _key_problems(key, first)
            yield from _problems(value, seen)


def _key_problems(key: yaml.Node, first: dict[str, yaml.Node]) -> Iterator[tuple[str, yaml.Node]]:
    if key.tag == f"{_TAG}merge":
        return
    if key.tag != f"{_TAG}str":
        name = key.value if isinstance(key, yaml.ScalarNode) else "a list or mapping"
        yield f"YAML does not read the key '{name}' as text; correct it, or put it in quotes.", key
    elif first.setdefault(key.value, key) is not key:
        line = first[key.value].start_mark.line + 1
        yield f"not valid YAML: the key '{key.value}' appears twice, first in line {line}; keep only one.", key


def _misread(node: yaml.ScalarNode) -> str:
    """What is wrong with an unquoted value that YAML reads as something other than it looks; empty if nothing."""
    if node.style is not None or not node.tag.startswith(_TAG):
        return ""
    kind, text = node.tag.removeprefix(_TAG), node.value
    if kind == "timestamp":
        return f"YAML reads {text} as a date; write it in quotes: '{text}'."
    if kind == "str" and _NEW_OCTAL.fullmatch(text):
        return f"some YAML readers take {text} for a number, others for text; write {int(text, 8)}, or '{text}'."
    if (kind == "int" and not _WHOLE.fullmatch(text)) or (kind == "float" and not _DECIMAL.fullmatch(text)):
        number = yaml.safe_load(text)
        return (
            f"YAML reads {text} as {number!r}; write {number!r} if you mean that, {_plain(text)}or '{text}' in quotes if "
            "you mean text."
        )
    return ""


def _plain(text: str) -> str:
    """The number without its leading zeros, as a part of the advice."""
    return f"{int(text)} without the zeros if you mean that, " if re.fullmatch(r"[-+]?0[0-9]+", text) else ""
