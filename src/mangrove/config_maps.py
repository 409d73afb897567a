"""The configuration's sections of the two self-organising maps: of spectra (DESOM-1) and of galaxies (DESOM-2).

Sizes and schedules are those of Teimoorinia et al. (2022) unless a description says otherwise.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from mangrove.config_values import Section, conflict


class SomSection(Section):
    """How the prototypes of both maps move."""

    update: Literal["batch", "gradient"] = Field(
        "batch",
        description="batch: Kohonen's batch rule, towards the weighted mean of the latents of each batch; gradient: Adam on the loss, as published, which leaves most nodes empty in short trainings",
    )
    step: float = Field(0.05, gt=0, le=1, description="update batch: part of the way to that mean in a training step")
    distance: Literal["manhattan", "published"] = Field(
        "manhattan",
        description="distance of two nodes on the grid: manhattan, or the faulty one of the published code (docs/desom.md)",
    )


class _MapSection(Section):
    """What the sections of both maps share."""

    name: ClassVar[str]

    @model_validator(mode="after")
    def _cooling(self):
        if self.cooling_iterations > self.iterations:
            raise conflict(
                f"{self.name}.cooling_iterations {self.cooling_iterations} must not exceed {self.name}.iterations {self.iterations}",
                [f"{self.name}.iterations", f"{self.name}.cooling_iterations"],
                (f"{self.name}.cooling_iterations", max(2, self.iterations * 10 // 13)),
            )
        if self.temperature_end > self.temperature_start:
            raise conflict(
                f"{self.name}.temperature_end {self.temperature_end:g} must not exceed {self.name}.temperature_start {self.temperature_start:g}",
                [f"{self.name}.temperature_start", f"{self.name}.temperature_end"],
                (f"{self.name}.temperature_end", 0.7),
            )
        return self


class DesomSection(_MapSection):
    """The map of spectra: a convolutional autoencoder and a self-organising map of its latents (DESOM-1)."""

    name: ClassVar[str] = "desom"

    enabled: bool = Field(True, description="train and use the maps of spectra and of galaxies in this run")
    rows: int = Field(15, ge=2, le=100, description="rows of the map")
    columns: int = Field(15, ge=2, le=100, description="columns of the map")
    latent: int = Field(256, ge=2, description="number of latents")
    filters: list[Annotated[int, Field(ge=1)]] = Field(
        [64, 64, 64, 64], description="filters of each convolution; each halves the wavelength axis"
    )
    kernel: int = Field(6, ge=2, le=64, description="width of the convolutions, wavelength bins")
    batch_size: int = Field(128, ge=1, description="spectra per training step; all of them if there are fewer")
    iterations: int = Field(65_000, ge=2, description="training steps")
    cooling_iterations: int = Field(50_000, ge=2, description="steps over which the temperature falls")
    temperature_start: float = Field(15.0, gt=0, description="first temperature: width of the neighbourhood in nodes")
    temperature_end: float = Field(0.7, gt=0, description="last temperature")
    gamma: float = Field(5e-3, ge=0, description="weight of the map in the loss; 5e-4 as published")
    learning_rate: float = Field(1e-3, gt=0, description="learning rate of Adam, at first; 5e-5 as published")
    schedule: Literal["constant", "cosine"] = Field(
        "cosine", description="course of the learning rate: constant as published, or falling to zero along a cosine"
    )
    pretraining: int = Field(
        0,
        ge=0,
        description="training steps of the autoencoder alone, before the map's, which is none of the published steps",
    )
    input_scale: Literal["flux", "asinh", "standard", "balanced"] = Field(
        "asinh",
        description="what the network sees: the normalised flux as published, its asinh, its deviation from the mean spectrum in standard deviations per wavelength (standard) or over the square roots of these (balanced)",
    )
    linear: Literal["none", "pca"] = Field(
        "none",
        description="what runs beside the autoencoder: nothing as published, or principal components of the spectra (pca), from which training starts and to which the autoencoder adds",
    )
    loss_weights: Literal["none", "ivar"] = Field(
        "ivar",
        description="weights of the spectra in the loss: none as published, or by the square of their S/N, up to 50",
    )
    input_noise: float = Field(
        0.5,
        ge=0,
        description="noise added to what the network sees in training, in units of the spectrum's own (flux over S/N), so that it learns to ignore it; 0 as published",
    )
    latent_scale: Literal["none", "layer", "whiten"] = Field(
        "none",
        description="latents whose distances the map uses: as they are (published), normalised per spectrum, or whitened over the sample",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="arithmetic of the network; bfloat16 is faster on accelerators, far slower on a CPU"
    )
    min_baxels: int = Field(
        50, ge=1, description="nodes with fewer baxels pool those of their neighbours for the distributions of labels"
    )
    n_bootstrap: int = Field(
        200, ge=2, description="resamplings of the galaxies, from which the errors of node medians are estimated"
    )


class GalaxyMapSection(_MapSection):
    """The map of galaxies by their fingerprints on the map of spectra (DESOM-2)."""

    name: ClassVar[str] = "galaxy_map"

    rows: int = Field(10, ge=2, le=100, description="rows of the map")
    columns: int = Field(10, ge=2, le=100, description="columns of the map")
    latent: int = Field(128, ge=2, description="number of latents")
    filters: int = Field(16, ge=1, description="filters of the convolutions")
    kernel: int = Field(3, ge=2, le=15, description="width of the convolutions, nodes of the map of spectra")
    batch_size: int = Field(1024, ge=1, description="galaxies per training step; all of them if there are fewer")
    iterations: int = Field(40_000, ge=2, description="training steps")
    cooling_iterations: int = Field(35_000, ge=2, description="steps over which the temperature falls")
    temperature_start: float = Field(15.0, gt=0, description="first temperature: width of the neighbourhood in nodes")
    temperature_end: float = Field(0.5, gt=0, description="last temperature")
    gamma: float = Field(8e-6, ge=0, description="weight of the map in the loss")
    learning_rate: float = Field(1e-4, gt=0, description="learning rate of Adam")
    weighting: Literal["count", "radius"] = Field(
        "count",
        description="weight of a baxel in its galaxy's fingerprint: 1 as published, or by its radius, so that outskirts count as much as centres",
    )
    clip_percentile: float = Field(
        99.9, gt=0, le=100, description="percentile of the training galaxies' weights at which each node is clipped"
    )
