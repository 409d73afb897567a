"""What an autoencoder of line cubes is, without its weights."""

from dataclasses import asdict, dataclass
from typing import Any

from mangrove.errors import TrainingError

#: The two networks: the autoencoder and the variational one.
AE, VAE = "ae", "vae"
CODED, PUBLISHED = "coded", "published"
SCALED, ASINH, NATIVE = "scaled", "asinh", "native"
NONE, LAYER = "none", "layer"
FLOAT32 = "float32"
_WORDS = {"network": (AE, VAE), "decoder": (CODED, PUBLISHED), "flux": (SCALED, ASINH, NATIVE), "norm": (NONE, LAYER)}


@dataclass(frozen=True)
class CubeDesign:
    """Sizes and options of an autoencoder of line cubes.

    With ``decoder`` published, ``flux`` native, ``norm`` layer and no principal component it is close to the published
    network; docs/autoencoders.md lists what still differs.

    Attributes
    ----------
    network : {"ae", "vae"}
        Which bottleneck; all else is the same.
    n_line, n_pixel, side : int
        Lines, wavelength pixels of each, rows and columns of a cube.
    latent : int
    input_filters, filters : tuple of int
        Filters of the convolutions of single slices, and of the convolutional LSTMs; each of these halves the image.
    kernel : int
        Width of the convolutions, odd.
    dense : int
        Size of the dense layers before and after the latents.
    decoder : {"coded", "published"}
        Whether each slice of the reconstruction has a learned code of its line and pixel, or all come from the latents
        alone, and are equal.
    slice_code : int
        Numbers in the code of a slice.
    flux : {"scaled", "asinh", "native"}
        The network's units: flux over the cube's mean absolute flux, the asinh of that, or flux.
    norm : {"none", "layer"}
        Layer normalisation over the channels, after each block of convolutions but the last.
    n_component : int
        Principal components that run beside the network, at most as many as latents; 0 for none.
    rematerialise : bool
        Whether the activations within an LSTM are computed again for the gradient.
    """

    network: str
    n_line: int
    n_pixel: int
    side: int
    latent: int = 128
    input_filters: tuple[int, ...] = (8, 8)
    filters: tuple[int, ...] = (16, 32, 64)
    kernel: int = 3
    dense: int = 64
    decoder: str = CODED
    slice_code: int = 16
    flux: str = SCALED
    norm: str = NONE
    n_component: int = 0
    rematerialise: bool = True

    def __post_init__(self) -> None:
        for name, known in _WORDS.items():
            if getattr(self, name) not in known:
                raise TrainingError(f"{name} is {getattr(self, name)!r}; known are {', '.join(known)}.")
        halved = 2 ** len(self.filters)
        if self.side % halved:
            raise TrainingError(
                f"cubes of {self.side} x {self.side} spaxels cannot be halved {len(self.filters)} times: give "
                "autoencoder.filters fewer entries."
            )

    @property
    def n_slice(self) -> int:
        """Wavelength slices of a cube."""
        return self.n_line * self.n_pixel

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of one cube: lines, wavelength pixels, rows, columns."""
        return (self.n_line, self.n_pixel, self.side, self.side)

    @property
    def n_value(self) -> int:
        """Values of a cube."""
        return self.n_slice * self.side**2

    @property
    def deepest(self) -> tuple[int, int, int]:
        """Rows, columns and channels of a slice after the last LSTM."""
        side = self.side // 2 ** len(self.filters)
        return (side, side, self.filters[-1])

    def plain(self) -> dict[str, Any]:
        """Its values as JSON has them."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @classmethod
    def of_plain(cls, values: dict[str, Any]) -> "CubeDesign":
        """Of the values of :meth:`plain`."""
        return cls(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})
