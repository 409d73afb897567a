"""How well errors by derivatives (docs/derivatives.md) agree with the scatter of refits, and with the errors of the fit.

    python benchmarks/fit_derivatives.py [--galaxies N] [--baxels N] [--refits N]

Of simulated baxels of S/N 20-30, with the embedded templates and the default settings. Each is fitted again with noise on
top, of a fiftieth of its strength and of all of it. About two minutes of one core.
"""

import argparse
from collections.abc import Iterator

import numpy as np
from support.baxels import simulated_extracts
from support.results import print_result

from mangrove.api import fit_spectrum, label_gradients
from mangrove.artefacts import Artefact
from mangrove.notebook.spectrum_fit import SpectrumFit
from mangrove.spectra.fit.batched.engine import fit_all
from mangrove.spectra.fit.galaxy import as_columns
from mangrove.spectra.labels.table import label_columns

SNR = (20.0, 30.0)
#: Parts of the noise that are added: so little that the solution moves linearly, and all.
STRENGTHS = (0.02, 1.0)
LABELS = ("log_age_lw", "metallicity_lw", "log_age_mw", "log_ml_r", "ebv_star", "v_star", "sigma_star")
LINE = "Halpha_6565"
#: The median and the range of 68 %.
PERCENTILES = (50.0, 16.0, 84.0)
_SEED = 1


def main() -> None:
    """Print the ratios of each label as JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--galaxies", type=int, default=14)
    parser.add_argument("--baxels", type=int, default=2, help="of each galaxy")
    parser.add_argument("--refits", type=int, default=24)
    options = parser.parse_args()
    rng = np.random.default_rng(_SEED)
    fits = [fit for fit in sample(options.galaxies, options.baxels) if fit.ok]
    ratios = np.array([ratios_of(fit, options.refits, rng) for fit in fits])
    peers = [*(f"scatter of refits, {strength:.0%} more noise" for strength in STRENGTHS), "error of the fit"]
    for i, peer in enumerate(peers):
        for j, label in enumerate((*LABELS, LINE)):
            known = ratios[:, i, j][np.isfinite(ratios[:, i, j])]
            median, low, high = np.percentile(known, PERCENTILES).round(3)
            about = {"low": low, "high": high, "n": known.size, "refits": options.refits}
            print_result("fit_derivatives", f"{label}: error over {peer}", median, "1", **about)


def sample(n_galaxy: int, n_baxel: int) -> Iterator[SpectrumFit]:
    """Fits of simulated baxels."""
    for extract in simulated_extracts(n_galaxy, n_baxel, SNR):
        about = {"z": extract.attrs["z"], "ebv": extract.attrs["ebv_galactic"], "name": extract.attrs["plateifu"]}
        for i in range(n_baxel):
            spectrum = {name: extract[name][i] for name in ("flux", "ivar", "mask", "lsf")}
            yield fit_spectrum(extract["wave"], **spectrum, **about, baxel=i)


def ratios_of(fit: SpectrumFit, n_refit: int, rng: np.random.Generator) -> np.ndarray:
    """Errors by derivatives over the scatter of refits and over the errors of the fit, shape (n_strength + 1, n_label).

    The refits know the noise alone; what stands beside the errors of the fit has the calibration, and the noise as the
    draws scale it. NaN where there is no error, as of a label at a limit.
    """
    gradients = label_gradients(fit)
    noise, calibration = (
        np.array([getattr(gradients[name], of).value for name in (*LABELS, LINE)])
        for of in ("noise_error", "calibration_error")
    )
    scatters = [refitted(fit, strength, n_refit, rng).std(axis=0, ddof=1) / strength for strength in STRENGTHS]
    scale = (np.sqrt(fit["chi2_reduced"]) * fit["noise_scale"]).value
    with np.errstate(divide="ignore", invalid="ignore"):
        of_fit = np.hypot(scale * noise, calibration) / errors(fit)
        ratios = np.array([*(noise / scatter for scatter in scatters), of_fit])
    return np.where((noise > 0) & np.isfinite(ratios), ratios, np.nan)


def refitted(fit: SpectrumFit, strength: float, n_refit: int, rng: np.random.Generator) -> np.ndarray:
    """Labels of fits of the spectrum with more noise, shape (n_refit, n_label)."""
    galaxy, prepared, _, stored = fit.inputs
    noise = strength * prepared.error * rng.standard_normal((n_refit, prepared.wave.size))
    copies = [prepared._replace(flux=prepared.flux + one) for one in noise]
    columns = as_columns(fit_all(galaxy, copies), galaxy, np.full(n_refit, np.nan))
    known = columns | label_columns(Artefact("fit", columns, stored.attrs, ""))
    line = known["line_flux"][:, galaxy.lines.name.index(LINE)]
    return np.column_stack([*(known[name] for name in LABELS), line])


def errors(fit: SpectrumFit) -> np.ndarray:
    """Errors of the labels as the fit gives them, shape (n_label,)."""
    of_labels = (fit.labels[name].error if name in fit.labels else fit[f"{name}_err"] for name in LABELS)
    return np.array([*(error.value for error in of_labels), fit.lines.loc[LINE]["flux_err"].value])


if __name__ == "__main__":
    main()
