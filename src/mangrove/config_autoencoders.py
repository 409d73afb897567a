"""The configuration's sections of the autoencoders of emission-line cubes, their augmentation and what is made of the latents.

The published networks are convolutional LSTMs; sizes that the publication leaves open are the project's choice.
"""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from mangrove.config_values import Section


class AugmentationSection(Section):
    """Turned, flipped, shifted and noisier copies of the line cubes that the autoencoders are trained on."""

    copies: int = Field(3, ge=0, le=100, description="random copies of each cube beside itself")
    max_shift: int = Field(5, ge=0, description="largest shift along each axis, spaxels")
    noise_scale: float = Field(
        1.0,
        ge=0,
        description="standard deviation of the added noise over that of the cube's own (from IVAR); 0 for none",
    )


class AutoencoderSection(Section):
    """The autoencoders of emission-line cubes: plain (ae) and variational (vae); all else is the same."""

    enabled: bool = Field(True, description="train and use the autoencoders in this run")
    networks: list[Literal["ae", "vae"]] = Field(
        ["ae", "vae"], min_length=1, description="which to train: ae, vae, or both"
    )
    lines: list[str] = Field(
        [], description="names of the lines that the networks see, of those of the line cubes; empty for all"
    )
    latent: int = Field(128, ge=2, description="number of latents")
    input_filters: list[Annotated[int, Field(ge=1)]] = Field(
        [8, 8],
        min_length=1,
        description="filters of the convolutions of single wavelength slices, before the first LSTM",
    )
    filters: list[Annotated[int, Field(ge=1)]] = Field(
        [16, 32, 64], min_length=1, description="filters of each convolutional LSTM; each halves the image"
    )
    kernel: int = Field(3, ge=1, le=9, description="width of the convolutions, spaxels; an odd number")
    dense: int = Field(64, ge=1, description="size of the dense layers before and after the latents")
    decoder: Literal["coded", "published"] = Field(
        "coded",
        description="coded: each slice of the reconstruction has a learned code of its line and pixel; published: all slices come from the latents alone, and are equal (docs/autoencoders.md)",
    )
    slice_code: int = Field(16, ge=1, description="decoder coded: numbers in the code of a slice")
    flux: Literal["scaled", "asinh", "native"] = Field(
        "scaled",
        description="what the networks see: the cube over its mean absolute flux, whose logarithm joins the latents; the asinh of that; or the flux itself, as published",
    )
    norm: Literal["none", "layer"] = Field(
        "none",
        description="layer: layer normalisation after each block, as published, which divides a galaxy's flux out",
    )
    linear: Literal["pca", "none"] = Field(
        "pca",
        description="pca: the principal components of the training cubes, as many as latents, run beside the network, which learns what they miss; none as published",
    )
    loss: Literal["mse", "mae"] = Field(
        "mse", description="reconstruction loss over valid spaxels: mean square or absolute error"
    )
    optimiser: Literal["adagrad", "adam"] = Field("adagrad", description="optimiser; adagrad as published")
    learning_rate: float = Field(
        0.003, gt=0, description="learning rate of the optimiser, to which it rises over the first 50 steps"
    )
    epochs: int = Field(30, ge=1, description="number of passes over the cubes and their copies")
    batch_size: int = Field(16, ge=1, description="cubes per training step; all of them if there are fewer")
    keep_best: bool = Field(
        True,
        description="keep the epoch with the lowest validation loss; false: keep the last one, if there are too few validation galaxies to choose by",
    )
    kl_weight: float = Field(
        1e-3,
        ge=0,
        description="network vae: weight of the Kullback-Leibler divergence, mean over latents, beside the reconstruction loss",
    )
    kl_warmup: int = Field(0, ge=0, description="network vae: epochs over which that weight rises from 0")
    rematerialise: bool = Field(
        True,
        description="on accelerators: compute the LSTMs' activations again for the gradient instead of keeping them, for less memory; a CPU always does",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="arithmetic of the network; bfloat16 is faster on accelerators, far slower on a CPU"
    )

    @field_validator("lines", "networks")
    @classmethod
    def _once(cls, value: list[str]) -> list[str]:
        if twice := sorted({name for name in value if value.count(name) > 1}):
            raise ValueError(f"named more than once: {', '.join(twice)}")
        return value

    @field_validator("kernel")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError(f"{value} is even; take {value + 1}")
        return value


class EmbeddingSection(Section):
    """What is made of the latents: principal components, UMAP, neighbours."""

    components: int = Field(
        50,
        ge=2,
        description="principal components of the latents that UMAP sees; at most as many as latents, fewer than training galaxies",
    )
    umap_neighbours: int = Field(
        15, ge=2, description="UMAP: neighbours of a galaxy that shape its surroundings; at most half of the galaxies"
    )
    min_dist: float = Field(0.1, ge=0, le=1, description="UMAP: smallest distance between points")
    n_seed: int = Field(5, ge=1, le=20, description="seeds of UMAP between which its neighbours are compared")
    n_neighbour: int = Field(10, ge=1, description="nearest neighbours that are listed of each galaxy")
    n_reconstruction: int = Field(
        12,
        ge=0,
        le=200,
        description="galaxies whose reconstructions are kept: half of them typical, half the most anomalous",
    )
