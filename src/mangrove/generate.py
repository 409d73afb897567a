"""Files that are generated from code: config.yaml, its JSON schema, pages and tables of codes in docs/."""

import json
import re
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Union, get_args, get_origin

import yaml
from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from mangrove import codes, paths
from mangrove.config import Config
from mangrove.config_values import RUN_NAME, is_section, rising_wavelengths
from mangrove.data_model import KINDS, SCHEMA_VERSION
from mangrove.data_model_attributes import OUTCOME, PROVENANCE, Attribute
from mangrove.physics.lines import LineList, fit_lines, window_lines
from mangrove.survey.cost_tables import TABLES


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
        f"Schema version {SCHEMA_VERSION}. Generated from `src/mangrove/data_model.py` and `data_model_attributes.py` by",
        "`make generate`. Every artefact is HDF5 with named dimensions, which h5py, xarray (engine h5netcdf) and netCDF4 read.",
        "An artefact whose `status` is not `ok` has no rows; `reason` says why.",
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
        'extract.attrs["pixel_scale"]  # what there is one of: an attribute',
        'fit = xr.open_dataset("results/demo/spectra/fit/9000-12701.h5")',
        'fit.line_flux.sel(line="Halpha_6565", baxel=0)',
        "```",
        "",
        "The other dimensions have no coordinate and are counted from 0: `baxel` (the number that `bin_id` gives a spaxel),",
        "`row` (a baxel in a table of many galaxies; `galaxy` and `baxel` say which), `spaxel_y` and `spaxel_x`,",
        "`window_pixel`, `template`, ... In HDF5 each of them is a dataset without values of that name, as netCDF asks.",
        "Where a docstring gives an axis the length `n_wave`, the dimension is `wave`; `(ny, nx)` are `spaxel_y`, `spaxel_x`.",
        *_lines(),
    ]
    lines += [
        "",
        "## Attributes of all",
        "",
        "What there is one of is an attribute of the file, of the unit given here. Every artefact has these, and each kind has",
        "its own besides:",
        "",
        *_attribute_table(OUTCOME | PROVENANCE),
    ]
    for name, kind in KINDS.items():
        lines += ["", f"## {name}", "", f"`results/<run>/{kind.path}`: {kind.description}", ""]
        lines += ["| dataset | dims | type | unit | meaning |", "|---|---|---|---|---|"]
        for key, f in kind.fields.items():
            link = f" ([{f.codes.__name__}](#{f.codes.__name__.lower()}))" if f.codes else ""
            lines.append(f"| `{key}` | {', '.join(f.dims)} | {f.dtype} | {f.unit} | {_cell(f.meaning)}{link} |")
        lines += ["", *_attribute_table(kind.attributes)] if kind.attributes else []
    lines += ["", "## Codes", "", "What the whole numbers of statuses, classes and flags stand for (`mangrove.codes`)."]
    for used in dict.fromkeys(f.codes for kind in KINDS.values() for f in kind.fields.values() if f.codes):
        lines += ["", f"### {used.__name__}", "", used.__doc__.partition("\n")[0], "", code_table(used)]
    return "\n".join(lines) + "\n"


def code_table(kind: codes.Enumeration, as_cards: bool = False) -> str:
    """A table of the members of an enumeration; of bits with their number, from 0.

    Parameters
    ----------
    as_cards : bool
        Whether the names are written as in the cards of FITS headers, in capitals.
    """
    of_bits = issubclass(kind, codes.Bits)
    columns = ["value", "bit", "name", "meaning"] if of_bits else ["value", "name", "meaning"]
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    for code in kind:
        number = f"{code.value} | {code.bit_length() - 1}" if of_bits else f"{code.value}"
        lines.append(f"| {number} | `{code.name if as_cards else code.word}` | {_cell(code.meaning)} |")
    return "\n".join(lines)


def with_code_tables(page: str) -> str:
    """A page with its tables of codes and costs rewritten, by the name in the comment above each.

    They stand between ``<!-- codes: LabelFlag -->``, ``<!-- cards: LabelFlag -->`` for names as in FITS headers, or
    ``<!-- costs: per_baxel -->`` (:data:`mangrove.survey.cost_tables.TABLES`), and ``<!-- end -->``.
    """

    def table(found: re.Match) -> str:
        begin, way, name, end = found.groups()
        rows = TABLES[name]() if way == "costs" else code_table(getattr(codes, name), as_cards=way == "cards")
        return f"{begin}\n\n{rows}\n\n{end}"

    return _MARKED.sub(table, page)


def _attribute_table(attributes: Mapping[str, Attribute]) -> list[str]:
    lines = ["| attribute | type | unit | meaning |", "|---|---|---|---|"]
    for name, spec in attributes.items():
        several = "".join(f" ({n})" for n in spec.shape)
        lines.append(f"| `{name}` | {spec.dtype}{several} | {spec.unit} | {_cell(spec.meaning)} |")
    return lines


def _lines() -> list[str]:
    """The lines of the line list, beside their names in the DAP."""
    names = {**_named(fit_lines()), **_named(window_lines())}
    rows = [f"| `{name}` | {wave:.2f} | {label} | `{dap_name}` |" for name, (wave, label, dap_name) in names.items()]
    return [
        "",
        "## Lines",
        "",
        "Every dataset `line` holds these names: ion, and vacuum wavelength in whole Angstrom. The emulator's `OII_3728` is the",
        "sum of the [OII] doublet. Beside each stands the name in the channels of the DAP of MaNGA (`mangrove export`; of a line",
        "that the DAP does not fit, as it would form it).",
        "",
        "| name | vacuum wavelength (Angstrom) | label | DAP |",
        "|---|---|---|---|",
        *sorted(rows, key=lambda row: float(row.split("|")[2])),
    ]


def _named(lines: LineList) -> dict[str, tuple[float, str, str]]:
    return {name: of for name, *of in zip(lines.name, lines.wave, lines.label, lines.dap_name, strict=True)}


#: Words for checks that are functions or patterns, and for the types of keys.
_CHECKS = {
    paths.local: "path",
    paths.address: "address",
    rising_wavelengths: "two numbers > 0, rising",
    RUN_NAME: "letters, digits, `_ . -`; a letter or digit first",
}
_TYPES = {bool: "true, false", int: "whole number", float: "number", str: "text", type(None): "null"}

#: A table of codes in a page, its class and how names are written; or one of costs.
_MARKED = re.compile(r"(<!-- (codes|cards|costs): (\w+) -->).*?(<!-- end -->)", re.DOTALL)
#: Pages that people write, with such tables in them.
WITH_CODE_TABLES = ("docs/labels.md", "docs/products.md", "docs/emulator.md", "docs/desom.md", "docs/scaling.md")

GENERATED: dict[str, Callable[[], str]] = {
    "config.yaml": default_config,
    "workflow/schemas/config.schema.json": config_schema,
    "docs/configuration.md": config_table,
    "docs/data-model.md": data_model,
}


def generate(root: Path) -> list[str]:
    """Write all generated files under ``root``; returns the names of those that changed."""
    changed = []
    texts = {name: make() for name, make in GENERATED.items()}
    texts |= {name: with_code_tables((root / name).read_text(encoding="utf-8")) for name in WITH_CODE_TABLES}
    for name, text in texts.items():
        path = root / name
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
