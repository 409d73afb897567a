"""The page of a galaxy: the lines that give the same numbers without the explorer."""

import shlex

from dash.development.base_component import Component

from mangrove.explorer.address import Address
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.galaxy_data import SeenGalaxy, line_cube_index
from mangrove.explorer.galaxy_selection import selection_of
from mangrove.explorer.panels import same_numbers
from mangrove.explorer.views import galaxy_fits as fits
from mangrove.notebook.label_rows import MAPPED_OF_LINES
from mangrove.report.autoencoder_sample import NETWORK_TITLE


def code_of(run: ExploredRun, seen: SeenGalaxy, address: Address) -> Component:
    """Python lines and commands that give the numbers of a galaxy's page."""
    chosen = selection_of(seen, address)
    name = seen.plateifu
    if chosen.baxel is None:
        return same_numbers(_code_without_baxels(run, name), _command(run, name))
    line = f', line="{chosen.line}"' if chosen.quantity in MAPPED_OF_LINES else ""
    lines = [
        "from mangrove.api import fit_spectrum, open_run",
        "",
        f"run = open_run({str(run.folder)!r})",
        f'labels, lines = run.labels("{name}"), run.lines("{name}")',
        f'image = run.map("{name}", "{chosen.quantity}"{line})',
        f'spectrum = run.spectrum("{name}", {chosen.baxel})  # data, stars, gas, model',
        "print(labels[spectrum.baxel], float(image.max()))",
    ]
    settings = fits.settings_in_python(run, seen, address)
    if settings:
        lines.append(f'refit = fit_spectrum(**run.fit_arguments("{name}", {chosen.baxel}) | {settings})')
        lines.append("print(refit.labels)")
    return same_numbers("\n".join(lines), _command(run, name))


def _code_without_baxels(run: ExploredRun, name: str) -> str:
    """Lines for the images of a line cube, or for what became of a galaxy of which there is no spectrum either."""
    if line_cube_index(run, name) is None:
        return f"from mangrove.api import open_run\n\nprint(open_run({str(run.folder)!r}).about({name!r}))"
    return "\n".join(
        [
            "import h5py",
            "import numpy as np",
            "",
            f"with h5py.File({str(run.path('line_cube_set'))!r}) as file:",
            '    lines = file["line"].asstr()[:].tolist()',
            f'    galaxy = file["plateifu"].asstr()[:].tolist().index({name!r})',
            '    wave, flux, valid = (file[part][galaxy] for part in ("window_wave", "flux", "valid"))',
            "step = np.gradient(wave, axis=1)[..., None, None]  # Angstrom",
            "images = np.where(valid.any(axis=1), np.sum(flux * step * (valid > 0), axis=1), np.nan)",
            "for line, image in zip(lines, images):  # 1e-17 erg s-1 cm-2 spaxel-1",
            "    print(line, np.nansum(image))",
        ]
    )


def _command(run: ExploredRun, name: str) -> str:
    """Those that print the galaxies alike, by each network that knows this one."""
    known = [
        network
        for network in NETWORK_TITLE
        if run.has("neighbours", network=network) and name in run.column("neighbours", "plateifu", network=network)
    ]
    folder = shlex.quote(str(run.folder))
    return "\n".join(f"mangrove neighbours {name} {folder} --network {network}" for network in known)
