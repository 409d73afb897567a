"""The engines of the fit under one signature: tests of truth hold both to the same limits."""

from mangrove.spectra.fit.batched import engine as batched
from mangrove.spectra.fit.ppxf import pool

ENGINES = ("batched", "ppxf")


def fitted(engine, galaxy, spectra, guides=None):
    """Results of an engine for spectra of a galaxy, in order."""
    if engine == "ppxf":
        return pool.fit_all(galaxy, spectra, 1, guides)
    return batched.fit_all(galaxy, spectra, guides)
