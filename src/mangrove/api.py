"""What a notebook uses: fit a spectrum, read a run (docs/python.md). No rule imports it, so no code hash knows it."""

from mangrove.notebook.runs import Run, open_run
from mangrove.notebook.spectrum_fit import LabelValue, SpectrumFit, fit_spectrum

__all__ = ["LabelValue", "Run", "SpectrumFit", "fit_spectrum", "open_run"]
