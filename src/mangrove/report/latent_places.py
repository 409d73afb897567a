"""Places of galaxies on the map of their latents."""

from typing import NamedTuple

import numpy as np

from mangrove.artefacts import Artefact

#: Number of axes of the map in three dimensions.
AXES_3D = 3


class LatentPlaces(NamedTuple):
    """Places of the galaxies, shape (n, 3) and (n, 2), NaN for none, and names of the axes."""

    in_3d: np.ndarray
    in_2d: np.ndarray
    name: str

    @property
    def known(self) -> np.ndarray:
        """True where a galaxy has a place, shape (n,)."""
        return np.isfinite(self.in_3d).all(axis=1)


def places_on_map(embedded: Artefact) -> LatentPlaces:
    """Places by UMAP; by the first principal components of the latents where there are too few galaxies for UMAP."""
    if np.isfinite(embedded["umap_3d"]).all(axis=1).any():
        return LatentPlaces(embedded["umap_3d"], embedded["umap_2d"], "UMAP")
    first = embedded["principal"][:, :AXES_3D]
    # A single component, or two, lie in a plane; without any, there is no place.
    filled = np.pad(first, ((0, 0), (0, AXES_3D - first.shape[1])), constant_values=0.0 if first.size else np.nan)
    return LatentPlaces(filled, filled[:, :2], "component")
