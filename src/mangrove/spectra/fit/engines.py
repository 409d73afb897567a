"""The fit of some spectra by the engine that the configuration names (``fit.engine``).

What imports this has the code of both engines in its code hash, so the rules that fit the galaxies of a survey do not.
"""

from collections.abc import Sequence

from mangrove.spectra.fit.galaxy import GalaxyFit
from mangrove.spectra.fit.results import FitResult
from mangrove.spectra.fit.spectrum import Spectrum


def fit_all(engine: str, galaxy: GalaxyFit, spectra: Sequence[Spectrum], n_process: int = 1) -> list[FitResult]:
    """Fit every spectrum, in order.

    Parameters
    ----------
    engine : str
        'batched' or 'ppxf'; only the one that is asked for is loaded.
    n_process : int
        Processes to use, by the engine 'ppxf'.

    Raises
    ------
    SpectrumError
        If no emission line lies in the range of a spectrum.
    """
    if engine == "ppxf":
        from mangrove.spectra.fit.ppxf import pool

        return pool.fit_all(galaxy, spectra, n_process)
    from mangrove.spectra.fit.batched import engine as batched

    return batched.fit_all(galaxy, spectra)
