"""What an address of the emulator's view says: the preset, the continuum that the sliders make, the colours of the maps."""

import math
import shlex
from typing import NamedTuple

import numpy as np

from mangrove.explorer.address import Address
from mangrove.explorer.continuum_table import (
    Continuum,
    bin_edges,
    continuum,
    lines_of,
    luminosity_range,
    mean_flux,
    n_row,
    presets,
    shown_rows,
    slider_range,
)
from mangrove.explorer.emulator_figures import MapColour, bin_colour, ew_colour, line_name
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.line_emulator import INTERVAL, predicted_rows, uses_luminosity

#: The line by which presets go, and that colours the maps at first.
FIRST_LINE = "Halpha_6565"
#: A colour of the maps that is no line's.
BIN_COLOUR = "colour"
_DIGITS = 4
#: Relative fluxes and log luminosities beyond which an address is nonsense.
_MOST_FLUX, _LUMINOSITIES = 1e3, (20.0, 60.0)


class EmulatorInput(NamedTuple):
    """What the emulator is asked.

    Attributes
    ----------
    preset : Continuum
        The row of the table that the sliders start from.
    flux_bins : ndarray, shape (n_bin,)
    log_luminosity : float or None
        None where the model uses none.
    is_preset : bool
        Whether the sliders stand where the preset is.
    """

    preset: Continuum
    flux_bins: np.ndarray
    log_luminosity: float | None
    is_preset: bool

    @property
    def shape(self) -> np.ndarray:
        """Flux over the mean of the preset, shape (n_bin,): a bin that is moved leaves the others as they are."""
        return self.flux_bins / mean_flux(self.preset.flux_bins)


def input_of(run: ExploredRun, address: Address) -> EmulatorInput:
    """The continuum of an address: ``row``, and ``flux`` (over the preset's mean) and ``luminosity`` where sliders were moved.

    What is no number, or no row of the table, is ignored.
    """
    preset = continuum(run, address.whole("row", first_row(run), n_row(run)))
    shape = _fluxes(address.query.get("flux", ""), preset.flux_bins.size)
    luminosity = _luminosity(address) if uses_luminosity(run) else None
    moved = shape is not None or luminosity is not None
    if luminosity is None and uses_luminosity(run):
        luminosity = preset.log_luminosity
    flux_bins = preset.flux_bins if shape is None else shape * mean_flux(preset.flux_bins)
    return EmulatorInput(preset, flux_bins, luminosity, not moved)


def first_row(run: ExploredRun) -> int:
    """The row that is shown first: of medium strength in the first line."""
    known = dict(presets(run, FIRST_LINE))
    return known.get("median", next(iter(known.values()), 0))


def slider_values(run: ExploredRun, asked: EmulatorInput) -> list[float]:
    """Where the sliders stand: relative flux of each bin within their range and, where it is used, the luminosity."""
    low, high = slider_range(run)
    values = [round(float(np.clip(value, low, high)), 3) if np.isfinite(value) else low for value in asked.shape]
    if uses_luminosity(run):
        least, most = luminosity_range(run)
        known = asked.log_luminosity is not None and math.isfinite(asked.log_luminosity)
        values.append(round(float(np.clip(asked.log_luminosity, least, most)), 3) if known else least)
    return values


def moved(run: ExploredRun, address: Address, values: list[float | None]) -> Address:
    """The address after sliders were moved to ``values``; the same where they stand as it says.

    What no slider has moved keeps its value, also one that sliders cannot reach; a flux that no continuum has (not
    positive, unknown), with which nothing can be predicted, becomes what its slider shows.
    """
    asked = input_of(run, address)
    stand = slider_values(run, asked)
    if len(values) != len(stand):
        return address
    changes = [value is not None and abs(value - at) > 1e-6 for value, at in zip(values, stand, strict=True)]
    if not any(changes):
        return address
    n_bin = asked.flux_bins.size
    query = {}
    if any(changes[:n_bin]):
        kept = [value if _can_be_written(value) else stand[k] for k, value in enumerate(asked.shape.tolist())]
        shape = [values[k] if changes[k] else value for k, value in enumerate(kept)]
        query["flux"] = ",".join(f"{value:.{_DIGITS}f}" for value in shape)
    if any(changes[n_bin:]):
        query["luminosity"] = f"{values[n_bin]:.3f}"
    return address.changed(**query)


def map_choices(run: ExploredRun) -> list[dict[str, str]]:
    """What the maps can be coloured by, as options of a menu."""
    options = []
    for line in lines_of(run):
        options += [
            {"value": f"{line}.{of}", "label": f"{line_name(line)} EW, {of}"} for of in ("measured", "predicted")
        ]
    edges = bin_edges(run)
    return [*options, {"value": BIN_COLOUR, "label": f"colour, {edges[0]:.0f} to {edges[-1]:.0f} Å"}]


def map_choice(run: ExploredRun, address: Address, side: str) -> str:
    """What the map on a side ('left', 'right') is coloured by."""
    known = [option["value"] for option in map_choices(run)]
    line = FIRST_LINE if FIRST_LINE in lines_of(run) else lines_of(run)[0]
    return address.one_of(side, known, f"{line}.{'measured' if side == 'left' else 'predicted'}")


def map_colour(run: ExploredRun, choice: str) -> MapColour:
    """The values of a choice of :func:`map_choices`; those predicted have the scale of those measured."""
    shown = shown_rows(run)
    if choice == BIN_COLOUR:
        return bin_colour(shown.flux_bins, bin_edges(run))
    line, _, of = choice.rpartition(".")
    k = lines_of(run).index(line)
    values = shown.ew[:, k] if of == "measured" else predicted_rows(run)[:, k]
    return ew_colour(values, shown.ew[:, k], f"{line_name(line)} EW (Å), {of}")


def code_of(run: ExploredRun, asked: EmulatorInput) -> tuple[str, str]:
    """Python lines and, for a preset, the command that give the same predictions."""
    folder, row = str(run.folder), asked.preset.row
    names = ["flux_bins", *(["log_luminosity"] if asked.log_luminosity is not None else [])]
    lines = [
        "import numpy as np",
        "",
        "from mangrove import artefacts",
        "from mangrove.models.emulator.emulator import load",
        "",
    ]
    lines += [f"folder = {folder!r}", 'model = load(f"{folder}/emulator/model")']
    given = ["flux_bins"]
    if asked.is_preset:
        lines += [f'table = artefacts.read(f"{{folder}}/emulator/table.h5", "emulator_table", {names!r})']
        given = [f'table["{name}"][{row}]' for name in names]
    else:
        lines += [f"flux_bins = np.array([{', '.join(map(_in_python, asked.flux_bins))}])"]
        given += [_in_python(asked.log_luminosity)] if asked.log_luminosity is not None else []
    lines += [f"prediction = model({', '.join(given)})", "listed = dict(zip(model.lines, np.asarray(prediction.ew)))"]
    lines += [f"low, high = (np.sinh(bound) for bound in prediction.mixture.interval({INTERVAL}))", "print(listed)"]
    where = shlex.quote(f"{folder}/emulator/model"), shlex.quote(f"{folder}/emulator/table.h5")
    command = f"mangrove predict-lines {where[0]} {where[1]} lines.fits  # row {row}, from 0, of lines.fits"
    return "\n".join(lines), command if asked.is_preset else ""


def _in_python(value: float) -> str:
    return f"{value:.8g}" if math.isfinite(value) else 'float("nan")'


def _can_be_written(flux: float) -> bool:
    """Whether a relative flux is one in an address, with the digits that it has there."""
    return 10.0**-_DIGITS <= flux < _MOST_FLUX


def _fluxes(text: str, n_bin: int) -> np.ndarray | None:
    values = [_number(part) for part in text.split(",")]
    if len(values) != n_bin or not all(value is not None and 0 < value < _MOST_FLUX for value in values):
        return None
    return np.array(values)


def _luminosity(address: Address) -> float | None:
    value = _number(address.query.get("luminosity", ""))
    return value if value is not None and _LUMINOSITIES[0] < value < _LUMINOSITIES[1] else None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
