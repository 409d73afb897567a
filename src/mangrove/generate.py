"""Files that are generated from code: config.yaml, its JSON schema, the tables in docs/."""

import json
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal, Union, get_args, get_origin

import yaml
from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from mangrove import paths
from mangrove.config import Config
from mangrove.config_values import RUN_NAME, is_section, rising_wavelengths
from mangrove.data_model import KINDS, SCHEMA_VERSION


def default_config() -> str:
    """The default configuration file: every key with its description."""
    lines = [
        "# The default run of mangrove: all of MaNGA in DR17. Files in configs/ contain only what differs;",
        "# use one with 'snakemake --configfile configs/NAME.yaml'. Generated from src/mangrove/config.py by 'make generate'.",
        "# yaml-language-server: $schema=workflow/schemas/config.schema.json",
        "",
    ]
    for name, field in Config.model_fields.items():
        if is_section(field.annotation):
            lines += ["", f"# {field.annotation.__doc__}", f"{name}:"]
            lines += [f"  {line}" for key, f in field.annotation.model_fields.items() for line in _entry(key, f)]
        else:
            lines += _entry(name, field)
    return "\n".join(lines) + "\n"


def config_schema() -> str:
    """The JSON schema of the configuration, for editors."""
    return json.dumps(Config.model_json_schema(), indent=2) + "\n"


def config_table() -> str:
    """The documentation page of the configuration."""
    lines = [
        "# Configuration",
        "",
        "Generated from `src/mangrove/config.py` by `make generate`. An unknown key is an error; for a key that has moved, the",
        "error gives the new place and the lines to paste.",
        "",
        "**Paths**: `~` and `$NAME` are expanded in every key, a relative path starts from the working folder (the one in which",
        "`snakemake` or `mangrove` is started), and an absolute path may begin with `file:///`. An *address* is a path, or",
        "begins with `https://` or `http://`. If the column `path` of a sample sheet or one of the two catalogues of",
        "`mangrove select` is relative, it is looked up below `survey.base`.",
        "",
        "**Text**: a value that YAML would misread is an error that names the line: `017`, `1:30` and `1_000` (read as 15, 90",
        "and 1000), dates, and `no` or `on` where text or a number is expected. In quotes, all of them are text.",
        "",
    ]
    lines += ["| key | default | allowed | meaning |", "|---|---|---|---|"]
    for name, field in Config.model_fields.items():
        if is_section(field.annotation):
            for key, f in field.annotation.model_fields.items():
                lines.append(_row(f"{name}.{key}", f))
        else:
            lines.append(_row(name, field))
    return "\n".join(lines) + "\n"


def data_model() -> str:
    """The data-model page."""
    lines = [
        "# Data model",
        "",
        f"Schema version {SCHEMA_VERSION}. Generated from `src/mangrove/data_model.py` by `make generate`.",
        "Every artefact is HDF5 with named dimensions, which h5py, xarray (engine h5netcdf) and netCDF4 read. Its",
        "attributes hold `kind`, `schema_version`, `status` and `reason`, the rule's `params`, the hashes of its `inputs`",
        "and its `content_hash`. An artefact whose `status` is not `ok` has no rows; `reason` says why.",
        "",
        "A dimension is named after what lies along it. A dataset with the name of its only dimension (`wave`, `line`,",
        "`band`, `plateifu`) is the coordinate of that dimension, and xarray selects by its values:",
        "",
        "```python",
        "import xarray as xr",
        "",
        'extract = xr.open_dataset("results/demo/spectra/extract/9000-12701.h5")',
        'extract.flux.sel(wave=5000, method="nearest")  # of every baxel, observed wavelength',
        'extract.window_flux.sel(line="Halpha_6565")  # the native pixels around a line',
        'fit = xr.open_dataset("results/demo/spectra/fit/9000-12701.h5")',
        'fit.line_flux.sel(line="Halpha_6565", baxel=0)',
        "```",
        "",
        "The other dimensions have no coordinate and are counted from 0: `baxel` (the number that `bin_id` gives a spaxel),",
        "`row` (a baxel in a table of many galaxies; `galaxy` and `baxel` say which), `spaxel_y` and `spaxel_x`,",
        "`window_pixel`, `template`, ... In HDF5 each of them is a dataset without values of that name, as netCDF asks.",
        "Where a docstring gives an axis the length `n_wave`, the dimension is `wave`; `(ny, nx)` are `spaxel_y`, `spaxel_x`.",
    ]
    for name, kind in KINDS.items():
        lines += ["", f"## {name}", "", f"`results/<run>/{kind.path}`: {kind.description}", ""]
        lines += ["| dataset | dims | type | unit | meaning |", "|---|---|---|---|---|"]
        for key, f in kind.fields.items():
            flags = "; ".join(f"{value} {meaning}" for value, meaning in f.flags.items())
            meaning = f.meaning + (f" ({flags})" if flags else "")
            lines.append(f"| `{key}` | {', '.join(f.dims)} | {f.dtype} | {f.unit} | {_cell(meaning)} |")
    return "\n".join(lines) + "\n"


#: Words for checks that are functions or patterns, and for the types of keys.
_CHECKS = {
    paths.local: "path",
    paths.address: "address",
    rising_wavelengths: "two numbers > 0, rising",
    RUN_NAME: "letters, digits, `_ . -`; a letter or digit first",
}
_TYPES = {bool: "true, false", int: "whole number", float: "number", str: "text", type(None): "null"}

GENERATED: dict[str, Callable[[], str]] = {
    "config.yaml": default_config,
    "workflow/schemas/config.schema.json": config_schema,
    "docs/configuration.md": config_table,
    "docs/data-model.md": data_model,
}


def generate(root: Path) -> list[str]:
    """Write all generated files under ``root``; returns the names of those that changed."""
    changed = []
    for name, make in GENERATED.items():
        path, text = root / name, make()
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(name)
    return changed


def _entry(key: str, field) -> list[str]:
    return [f"# {field.description}", f"{key}: {_default(field)}"]


def _row(key: str, field) -> str:
    allowed = _allowed(field.annotation, field.metadata)
    return f"| `{key}` | `{_default(field)}` | {_cell(allowed)} | {_cell(field.description)} |"


def _allowed(annotation, metadata: Sequence = ()) -> str:
    """What a key takes, in words, from its type and the limits beside it."""
    limits = [m for item in metadata for m in (item.metadata if isinstance(item, FieldInfo) else [item])]
    named = next((_CHECKS[check] for m in limits if (check := _check_of(m)) in _CHECKS), None)
    arguments, origin = get_args(annotation), get_origin(annotation)
    if named:
        return named
    if origin is Annotated:
        return _allowed(arguments[0], arguments[1:])
    if origin is Literal:
        return ", ".join(map(str, arguments))
    if origin in (types.UnionType, Union):
        return " or ".join(_allowed(part, () if part is type(None) else metadata) for part in arguments)
    if origin is list:
        return f"list of {_allowed(*arguments)}"
    return f"{_TYPES[annotation]} {_limits(limits)}".strip()


def _check_of(limit):
    """What a limit checks by: its function or its pattern."""
    return getattr(limit, "func", None) or getattr(limit, "pattern", None)


def _limits(limits: Sequence) -> str:
    """Lower and upper limits: '> 0, <= 1'."""
    signs = {Gt: ("gt", ">"), Ge: ("ge", ">="), Lt: ("lt", "<"), Le: ("le", "<=")}
    found = ((m, *signs[type(m)]) for m in limits if type(m) in signs)
    return ", ".join(f"{sign} {getattr(m, name):g}" for m, name, sign in found)


def _default(field) -> str:
    return yaml.safe_dump(field.default, default_flow_style=True).strip().removesuffix("...").strip()


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
