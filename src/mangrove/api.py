"""What a notebook uses: fit a spectrum, place it on a map, read a run (docs/python.md). No rule imports it."""

from mangrove.notebook.label_gradients import LabelGradient, label_gradients
from mangrove.notebook.runs import Run, open_run
from mangrove.notebook.spectrum_file import SpectrumFile, read_spectrum
from mangrove.notebook.spectrum_fit import LabelValue, SpectrumFit, fit_spectrum
from mangrove.notebook.spectrum_map import SpectrumMap, open_map
from mangrove.notebook.spectrum_place import NodeLabel, NodePlace, SpectrumPlace

__all__ = [
    "LabelGradient",
    "LabelValue",
    "NodeLabel",
    "NodePlace",
    "Run",
    "SpectrumFile",
    "SpectrumFit",
    "SpectrumMap",
    "SpectrumPlace",
    "fit_spectrum",
    "label_gradients",
    "open_map",
    "open_run",
    "read_spectrum",
]
