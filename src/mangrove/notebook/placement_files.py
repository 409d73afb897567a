"""Spectra in files placed on a map of spectra, and what is printed and written of them: ``mangrove assign``."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from astropy.table import Table

from mangrove import outputs
from mangrove.errors import CatalogueError, OutputError, SpectrumError
from mangrove.files.bounded_headers import demand_bounded_headers
from mangrove.notebook.spectrum_file import read_spectrum
from mangrove.notebook.spectrum_map import SpectrumMap
from mangrove.notebook.spectrum_place import NodeLabel, SpectrumPlace
from mangrove.physics.wavelengths import SIGMA_TO_FWHM
from mangrove.survey import text_tables

#: Marks a file as one of placements.
CREATOR = "mangrove assign"
_TABLES = {".ecsv": "ascii.ecsv", ".fits": "fits", ".csv": "ascii.csv"}
_JSON = ".json"
_NUMBERS = (
    *("distance", "second_distance", "typicality", "mse", "filled", "snr", "resolving_power", "map_resolving_power"),
)
_OK, _REFUSED = "ok", "refused"


class Outcome(NamedTuple):
    """What became of a file: its place, or the reason why it has none."""

    spectrum: str
    place: SpectrumPlace | None
    reason: str


class Options(NamedTuple):
    """What the files do not say: redshift and line spread (FWHM, Angstrom) in place of theirs, Galactic E(B-V), air."""

    z: float | None = None
    ebv: float | None = None
    fwhm: float | None = None
    air: bool | None = None


def place_files(spectrum_map: SpectrumMap, paths: Iterable, options: Options) -> Iterator[Outcome]:
    """Place the spectra of files, one after the other; a bad one does not stop the others.

    Parameters
    ----------
    spectrum_map : SpectrumMap
    paths : iterable of path-like
        See :func:`mangrove.notebook.spectrum_file.read_spectrum`.
    options : Options
    """
    for path in paths:
        try:
            yield Outcome(str(path), _placed(spectrum_map, path, options), "")
        except SpectrumError as error:
            # Errors of reading begin with the path, which stands before the reason anyway.
            yield Outcome(str(path), None, str(error).removeprefix(str(path)).lstrip(": "))


def _placed(spectrum_map: SpectrumMap, path, options: Options) -> SpectrumPlace:
    read = read_spectrum(path)
    z = read.z if options.z is None else options.z
    lsf = read.lsf if options.fwhm is None else options.fwhm / SIGMA_TO_FWHM
    air = read.air if options.air is None else options.air
    # A redshift that the user gives is not the one that the file warns of.
    about = {"ebv": options.ebv, "air": air, "z_doubtful": read.z_doubtful and options.z is None}
    return spectrum_map.place(read.wave, read.flux, read.ivar, z, lsf=lsf, mask=read.mask, **about)


def summary(outcome: Outcome, spectrum_map: SpectrumMap) -> list[str]:
    """Lines that people read."""
    place = outcome.place
    if place is None:
        return [f"{outcome.spectrum}: refused: {outcome.reason}"]
    power, snr = ("unknown" if np.isnan(value) else f"{value:.0f}" for value in (place.resolving_power, place.snr))
    units = spectrum_map.label_units
    width = max(map(len, units.values()), default=0)
    return [
        f"{outcome.spectrum}: row {place.node.row}, column {place.node.column} of {spectrum_map.rows} x "
        f"{spectrum_map.columns} (distance {place.distance:.3g}); second best row {place.second_node.row}, column "
        f"{place.second_node.column} ({place.second_distance:.3g})",
        f"  {100 * place.typicality:.0f} % of the training set lie farther from their nodes; {100 * place.filled:.1f} % of "
        f"the bins filled; S/N {snr}; resolving power {power}, the map's {place.map_resolving_power:.0f}",
        *([f"  flags: {', '.join(place.flags)}"] if place.flags else []),
        f"  {'label':18s}{'16 %':>10s}{'median':>10s}{'84 %':>10s}  {'unit':{width}s}  baxels",
        *(_label_line(name, label, f"{units[name]:{width}s}") for name, label in place.labels.items()),
    ]


def _label_line(name: str, label: NodeLabel, unit: str) -> str:
    numbers = "".join(f"{value.value:10.3f}" for value in (label.low, label.median, label.high))
    steps = f"{label.pool_radius} step{'s' if label.pool_radius > 1 else ''}"
    # The baxels weigh 1 but for those of the outermost ring, and so does what the histogram holds of them.
    weight = f"weight {np.sum(label.histogram):.0f} of " if label.pool_radius else ""
    pooled = f" up to {steps} away" if label.pool_radius else ""
    return f"  {name:18s}{numbers}  {unit}  {weight}{label.n_baxel}{pooled}"


def as_table(outcomes: list[Outcome], spectrum_map: SpectrumMap) -> Table:
    """A row per file: node (0 where there is none), numbers, flags, and median, 16 and 84 % of every label."""
    places = [outcome.place for outcome in outcomes]
    table = Table({"spectrum": _texts(o.spectrum for o in outcomes)})
    table["status"] = _texts(_REFUSED if place is None else _OK for place in places)
    table["reason"] = _texts(o.reason for o in outcomes)
    for prefix, name in (("", "node"), ("second_", "second_node")):
        for part in ("row", "column"):
            table[f"{prefix}{part}"] = np.array(
                [0 if p is None else getattr(getattr(p, name), part) for p in places], int
            )
    for name in _NUMBERS:
        table[name] = np.array([np.nan if p is None else getattr(p, name) for p in places], float)
    table["flags"] = _texts("" if p is None else " ".join(p.flags) for p in places)
    for name, unit in spectrum_map.label_units.items():
        for end, field in (("p16", "low"), ("p50", "median"), ("p84", "high")):
            column = f"{name}_{end}"
            values = [np.nan if p is None else getattr(p.labels[name], field).value for p in places]
            table[column] = np.array(values, float)
            table[column].description = f"{end[1:]} % of the node's baxels have less, {unit}"
        table[f"{name}_n"] = np.array([0 if p is None else p.labels[name].n_baxel for p in places], int)
    table.meta |= {"CREATOR": CREATOR, "ROWS": spectrum_map.rows, "COLUMNS": spectrum_map.columns}
    return table


def _texts(values: Iterable[str]) -> np.ndarray:
    return np.array(list(values), dtype=str)


def as_json(outcomes: list[Outcome], spectrum_map: SpectrumMap) -> dict[str, Any]:
    """The same as plain values, with the whole distribution of every label; what is not known is None."""
    about = {"creator": CREATOR, "model": str(spectrum_map.folder)}
    grid = {"rows": spectrum_map.rows, "columns": spectrum_map.columns}
    levels = {"quantile_levels": _plain(spectrum_map.levels)}
    return about | grid | levels | {"spectra": [_object(outcome, spectrum_map.label_units) for outcome in outcomes]}


def _object(outcome: Outcome, units: Mapping[str, str]) -> dict[str, Any]:
    place = outcome.place
    if place is None:
        return {"spectrum": outcome.spectrum, "status": _REFUSED, "reason": outcome.reason}
    nodes = {name: getattr(place, name)._asdict() for name in ("node", "second_node")}
    numbers = {name: _plain(getattr(place, name)) for name in _NUMBERS}
    labels = {name: {"unit": units[name]} | _label_object(label) for name, label in place.labels.items()}
    about = {"spectrum": outcome.spectrum, "status": _OK}
    return about | nodes | numbers | {"flags": list(place.flags), "labels": labels}


def _label_object(label: NodeLabel) -> dict[str, Any]:
    values = label._asdict()
    return {name: _plain(getattr(value, "value", value)) for name, value in values.items()}


def _plain(values) -> Any:
    """Numbers as JSON knows them: None for what is not finite."""
    values = np.asarray(values)
    if values.ndim:
        return [_plain(value) for value in values]
    return values.item() if np.isfinite(values) else None


def check_name(path: Path) -> None:
    """Refuse a name whose end tells of no format.

    Raises
    ------
    OutputError
    """
    if path.suffix.lower() not in (*_TABLES, _JSON):
        raise OutputError(f"{path}: the name must end in {', '.join((*_TABLES, _JSON))}. Rename it.")


def is_own(path: Path) -> bool:
    """Whether a file is one that :func:`write` wrote."""
    try:
        if path.suffix.lower() == _JSON:
            return json.loads(path.read_text(encoding="utf-8")).get("creator") == CREATOR
        kind = _TABLES[path.suffix.lower()]
        if kind == "ascii.csv":
            with path.open(encoding="utf-8") as file:
                return file.readline().startswith("spectrum,status,reason,row,column,")
        if kind == "ascii.ecsv":
            table = text_tables.read(path)
        else:
            demand_bounded_headers(path)
            table = Table.read(path, format=kind)
        return table.meta.get("CREATOR") == CREATOR
    except (OSError, ValueError, KeyError, TypeError, AttributeError, CatalogueError):
        return False


def write(path: Path, outcomes: list[Outcome], spectrum_map: SpectrumMap) -> None:
    """Write placements to a file: a table (ECSV, FITS, CSV) or JSON, told by the end of its name.

    Raises
    ------
    OutputError
        If the format is not known or the file cannot be written.
    """
    check_name(path)
    with outputs.replacing(path) as part:
        if path.suffix.lower() == _JSON:
            text = json.dumps(as_json(outcomes, spectrum_map), indent=1, allow_nan=False)
            part.write_text(text + "\n", encoding="utf-8")
        else:
            as_table(outcomes, spectrum_map).write(part, format=_TABLES[path.suffix.lower()])
