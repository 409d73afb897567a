"""Attributes of the artefacts that tests make."""

import numpy as np

from mangrove.data_model import KINDS
from mangrove.spectra.fit.settings import FitSettings


def attributes_of(kind, **given):
    """All that a kind declares: those given, the default settings of a fit, and 0, False or nothing for the others."""
    empty = {name: np.zeros(spec.shape, spec.dtype) for name, spec in KINDS[kind].attributes.items()}
    settings = FitSettings()._asdict() if kind == "fit" else {}
    return {"status": "ok", "reason": ""} | empty | settings | given
