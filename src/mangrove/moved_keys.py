"""Keys of the configuration that have a new place, and what is said to a user whose file has them where they were."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import yaml

#: The new place of every key that has moved, by its old one.
MOVED: Mapping[str, str] = {
    "fit.ebv_scale": "preprocessing.ebv_scale",
    "fit.sky_half_width": "preprocessing.sky_half_width",
    "training_spectra.validation_fraction": "split.validation_fraction",
    "training_spectra.test_fraction": "split.test_fraction",
}
#: What stands for a file where the command line sets a key.
COMMAND_LINE = "--config"


class OldKey(NamedTuple):
    """A key at its old place: its name, the file and the line that set it (empty and 0 if not known), its value."""

    key: str
    file: str
    line: int
    value: object


def explain(found: Iterable[OldKey]) -> list[str]:
    """What has moved where and, for each file, the lines that take the place of the old ones."""
    by_file: dict[str, list[OldKey]] = {}
    for one in found:
        by_file.setdefault(one.file, []).append(one)
    return ["\n".join([*map(_moved, some), _mend(file, some)]) for file, some in by_file.items()]


def _moved(old: OldKey) -> str:
    where = f" in {old.file}" if old.file else ""
    line = f", line {old.line}" if old.line else ""
    return f"- {old.key}{where}{line}: this key is now {MOVED[old.key]}."


def _mend(file: str, some: list[OldKey]) -> str:
    sections: dict[str, dict] = {}
    for old in some:
        section, key = MOVED[old.key].split(".")
        sections.setdefault(section, {})[key] = old.value
    if file == COMMAND_LINE:
        given = " ".join(f'"{name}={_flow(keys)}"' for name, keys in sections.items())
        return f"    instead of the old keys, give:  --config {given}"
    # Not indented, so that they can be pasted as they are.
    return "    delete the old lines and add:\n" + yaml.safe_dump(sections, sort_keys=False).rstrip()


def _flow(keys: dict) -> str:
    """A section on one line, as the command line takes it; what comes from there is text, a number too."""
    values = {key: yaml.safe_load(value) if isinstance(value, str) else value for key, value in keys.items()}
    return yaml.safe_dump(values, default_flow_style=True, sort_keys=False, width=1000).strip()
