"""The template libraries against each other: line spread, zero of velocity, kinematics, Balmer lines and ages.

REAL_DATA=FOLDER python benchmarks/libraries.py [--wheel FILE] [--spectra N]

E-MILES is read from REAL_DATA. With the wheel of sdss-mangadap 4.5.0 (pip download --no-deps sdss-mangadap==4.5.0), two
references take part: SSPs on ELODIE, of five times MaStar's resolution, and MaStar's stars as reduced later.
"""

import argparse
import os
from functools import partial
from pathlib import Path

import numpy as np
from support.line_spread import compare, elodie, mastar_stars
from support.results import print_result

from mangrove.codes import FitStatus
from mangrove.physics.cosmology import universe_age
from mangrove.physics.lines import fit_lines
from mangrove.physics.wavelengths import C_KMS
from mangrove.spectra.fit.galaxy import GalaxyFit
from mangrove.spectra.fit.ppxf.pool import fit_all
from mangrove.spectra.fit.preparation import prepare
from mangrove.spectra.fit.settings import FitSettings
from mangrove.spectra.fit.templates import match_lsf
from mangrove.spectra.labels.populations import population_labels, population_values, template_table
from mangrove.ssp.library import SspLibrary
from mangrove.ssp.loading import load_library, younger_than
from mangrove.survey.simulation.instrument import LOG_STEP
from mangrove.survey.simulation.spectra import MockSpectra, mock_spectra
from mangrove.validation.known_populations import on_step

LINES = fit_lines()
SETTINGS = FitSettings()
REDSHIFT, SNR, MAX_EBV, SEED = 0.03, 100.0, 0.6, 7
#: Populations that all references can match: at least 1 Gyr, [M/H] of at least -0.35.
LEAST_AGE, LEAST_METALLICITY = 1.0, -0.36
#: Case B fluxes over that of Hbeta, whose equivalent width is EW (Angstrom, rest frame); sigma of the gas, km/s.
BALMER = {"Hdelta_4103": 0.259, "Hgamma_4342": 0.468, "Hbeta_4863": 1.0, "Halpha_6565": 2.86}
EW, SIGMA_GAS = 5.0, 40.0
SIGMA_RANGES = ((70.0, 110.0), (110.0, 220.0))

report = partial(print_result, "libraries")


def main() -> None:
    """Print the results as JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheel", type=Path, help="wheel of sdss-mangadap 4.5.0")
    parser.add_argument("--spectra", type=int, default=48, help="spectra per pair of libraries")
    options = parser.parse_args()
    emiles = load_library(str(Path(os.environ.get("REAL_DATA", "../shared/data")) / "templates/emiles_kroupa_basti.h5"))
    mastar = load_library("mastar")
    windows(mastar, emiles)
    if options.wheel:
        sharp = elodie(options.wheel)
        windows(mastar, sharp)
        windows(on_step(emiles), sharp)
        windows(mastar, mastar_stars(options.wheel))
    for truth in (mastar, emiles):
        mock, fluxes = with_lines(mock_spectra(on_step(truth), options.spectra, SNR, REDSHIFT, SEED, MAX_EBV))
        for library in (mastar, emiles):
            systematics(mock, fluxes, truth, library)


def windows(library: SspLibrary, reference: SspLibrary) -> None:
    """Report one library's line spread and velocities against another's."""
    for w in compare(library, old_populations(library), reference):
        where = f"{library.name} fitted with {reference.name}, {w.low:.0f}-{w.high:.0f} Angstrom"
        report(f"{where}: velocity", w.velocity, "km/s", error=round(w.velocity_err, 2))
        report(f"{where}: excess variance", w.excess, "km2/s2", error=round(w.excess_err), rms=round(w.rms, 4))


def old_populations(library: SspLibrary) -> np.ndarray:
    """Spectra, shape (n, n_wave), of a library that others can match."""
    chosen = library.flux[library.metallicity > LEAST_METALLICITY][:, library.age >= LEAST_AGE]
    return chosen.reshape(-1, library.wave.size)


def with_lines(mock: MockSpectra) -> tuple[MockSpectra, dict[str, np.ndarray]]:
    """Spectra with Balmer lines at rest in the galaxy, and the fluxes put in, shape (n,) each."""
    near = np.abs(mock.wave / (1.0 + REDSHIFT) - 4862.68) < 60.0
    hbeta = EW * (1.0 + REDSHIFT) * np.median(mock.flux[:, near], axis=1)
    fluxes, flux = {name: ratio * hbeta for name, ratio in BALMER.items()}, mock.flux.copy()
    for name, strength in fluxes.items():
        centre = LINES.wave[LINES.index(name)] * (1.0 + REDSHIFT)
        width = np.hypot(np.interp(centre, mock.wave, mock.lsf), SIGMA_GAS / C_KMS * centre)
        profile = np.exp(-0.5 * ((mock.wave - centre) / width) ** 2) / (width * np.sqrt(2.0 * np.pi))
        flux += strength[:, None] * profile
    return mock._replace(flux=flux), fluxes


def systematics(mock: MockSpectra, fluxes: dict, truth: SspLibrary, library: SspLibrary) -> None:
    """Report measured minus true of spectra of one library fitted with another: every second one is of late type."""
    library = younger_than(library, universe_age(REDSHIFT))
    rest, nothing = mock.wave / (1.0 + REDSHIFT), np.zeros(mock.wave.size)
    stars = match_lsf(library, LOG_STEP, rest, mock.lsf / (1.0 + REDSHIFT), SETTINGS.rest_range)
    spectra = [
        prepare(mock.wave, f, e**-2.0, nothing, mock.lsf, REDSHIFT, nothing + 1.0, SETTINGS)
        for f, e in zip(mock.flux, mock.error, strict=True)
    ]
    results = fit_all(GalaxyFit(REDSHIFT, stars, LINES, SETTINGS), spectra, 1)
    good = np.isin([r.status for r in results], (FitStatus.OK, FitStatus.GAS_AT_BOUND))
    columns = {name: np.array([getattr(r, name) for r in results])[good] for name in NEEDED}
    kinds = {kind: np.flatnonzero(good) % 2 == i for i, kind in enumerate(("late types", "early types"))}
    true = {name: values[good] for name, values in mock.truth.items()}
    tell = partial(tell_offset, f"{truth.name} fitted with {library.name}")
    for low, high in SIGMA_RANGES:
        use = (true["sigma_star"] >= low) & (true["sigma_star"] < high)
        tell(f"sigma at {low:g}-{high:g} km/s", (columns["sigma_star"] - true["sigma_star"])[use], "km/s")
    table = template_table(library, stars.age, stars.metallicity)
    labels = population_labels(columns["weights"], population_values(columns["weights_draw"], table), table)
    for kind, use in kinds.items():
        tell(f"velocity, {kind}", (columns["v_star"] - true["v_star"])[use], "km/s")
        for name, flux in fluxes.items():
            i = LINES.index(name)
            # The continuum is the fit's; the flux put in is the truth.
            lost = (columns["line_flux"][:, i] - flux[good]) / columns["line_continuum"][:, i] / (1.0 + REDSHIFT)
            tell(f"equivalent width of {name}, {kind}", lost[use], "Angstrom")
        for name in ("log_age_lw", "metallicity_lw", "log_ml_r"):
            tell(f"{name}, {kind}", (labels[name].value - true[name])[use], "dex")
        tell(f"ebv_star, {kind}", (columns["ebv_star"] - true["ebv_star"])[use], "mag")


NEEDED = ("v_star", "sigma_star", "line_flux", "line_continuum", "weights", "weights_draw", "ebv_star")


def tell_offset(where: str, what: str, offset, unit: str) -> None:
    """Report a mean with its standard error, and the standard deviation."""
    scatter = float(np.std(offset, ddof=1))
    error = float(f"{scatter / np.sqrt(len(offset)):.2g}")
    report(f"{where}: {what}", float(np.mean(offset)), unit, error=error, scatter=float(f"{scatter:.3g}"))


if __name__ == "__main__":
    main()
