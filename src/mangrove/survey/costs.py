"""What the steps of a run cost: the figures that ``mangrove plan`` and the tables of docs/scaling.md are made from."""

from typing import NamedTuple


class StepCost(NamedTuple):
    """Of one galaxy in one step.

    Attributes
    ----------
    step : str
    seconds : tuple of float
        On a processor: median of the galaxies, and the largest.
    memory : float
        Peak of a job, GB.
    disk : tuple of float
        Of what it leaves, MB: median of the galaxies, and the largest.
    """

    step: str
    seconds: tuple[float, float]
    memory: float
    disk: tuple[float, float]


class FitCost(NamedTuple):
    """Of one baxel with errors, 16 noisy copies and labels.

    Attributes
    ----------
    templates : str
    batched, ppxf : float
        By each engine on one core, seconds.
    plain : float
        By pPXF in one call, without errors of populations, on one core, seconds.
    gpu : float
        By the batched engine on one H200, seconds.
    """

    templates: str
    batched: float
    ppxf: float
    plain: float
    gpu: float


#: Snakemake's benchmark files and the artefacts of the demo's fourteen galaxies, of 0-189 baxels; the largest has 127
#: fibres, 74 x 74 spaxels and a cube of 131 MB. Cubes were linked, not fetched.
PER_GALAXY = (
    StepCost("download", (0.7, 1.0), 0.08, (0.0, 0.0)),
    StepCost("extract", (1.5, 3.0), 0.62, (2.4, 10.3)),
    StepCost("fit", (3.3, 13.5), 2.0, (0.17, 0.52)),
    StepCost("line_cube", (0.2, 0.3), 0.07, (0.52, 0.80)),
    StepCost("galaxy_figures", (5.1, 5.3), 0.27, (0.0, 0.0)),
)
#: Embedded templates, and a library of about 130 (benchmarks/fit_batched.py). The last column was measured with the embedded
#: templates (benchmarks/recorded/fit-batched-gpu.jsonl); the other takes as many times more as in a prototype on an H100.
PER_BAXEL = (
    FitCost("MaStar, 54", 0.067, 0.343, 0.92, 3.80e-3),
    FitCost("E-MILES, 128", 0.161, 0.458, 2.03, 3.80e-3 * 1.28 / 0.48),
)
#: Factor on the measured times of fits, for reading and compiling.
RESERVE = 1.1
#: DR15: 1,170,539 baxels of 4,682 cubes (Teimoorinia et al. 2022).
BAXELS_PER_GALAXY = 250
#: Cubes below a redshift of 0.08, over all of DR17: about 9,000 of 10,700 (Mantha et al. 2026).
LINE_CUBE_SHARE = 0.84
#: Core seconds of a galaxy beside its fit. No cube of MaNGA was timed: three and a half times what the demo's largest takes.
OTHER_S = 15.0
#: Bytes of a cube of the archive by number of fibres: 20 MB (34 x 34 spaxels) to 170 MB (76 x 76), in between by area.
CUBE_BYTES = {19: 20e6, 37: 45e6, 61: 77e6, 91: 115e6, 127: 170e6}
#: Of a cube without MaNGA's plateifu, and of the artefacts of a galaxy.
TYPICAL_CUBE_BYTES, ARTEFACT_BYTES = 80e6, 18e6
#: The same of a simulated spectrum without a cube: making it, core seconds, and its artefacts, bytes.
SIMULATE_S, BAXEL_BYTES = 0.01, 60e3
#: The same of a simulated line cube of 190 channels, 32 x 32 spaxels.
SIMULATE_CUBE_S, LINE_CUBE_BYTES = 0.29, 2e6
#: Cores that a training uses.
TRAINING_CORES = 2
#: A spectrum in a step of training the map of spectra: core seconds (7 ms on two cores, benchmarks/desom.py), and seconds
#: on one H200 in float32 (65,000 steps of 128 in 3.51 min, benchmarks/recorded/desom-gpu.jsonl).
MAP_S, MAP_GPU_S = 0.014, 25.3e-6
#: A cube of 190 channels, 32 x 32 spaxels, in a step of training an autoencoder: core seconds (benchmarks/convlstm.py, and
#: a quarter more), and seconds on one H200 in float32 (36,000 in 137.7 s, benchmarks/recorded/convlstm-gpu.jsonl).
CUBE_S, CUBE_GPU_S = 0.9, 3.83e-3
