"""Every attribute of every artefact: type, unit and meaning (:mod:`mangrove.data_model` has the datasets).

Attributes are what there is one of: the galaxy's redshift, the side of a spaxel, the settings of a fit. What later steps
compute with is declared here and read from here. The attribute ``params`` is a record: it says what the rule was given,
so that a change of it is found (``mangrove verify``), and nothing is computed from it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

#: NumPy kinds of the values that an attribute of some kind takes: a whole number will do for a floating one.
_TAKEN = {"U": "U", "b": "b", "i": "i", "f": "fiu"}


@dataclass(frozen=True)
class Attribute:
    """One attribute: NumPy type ('str' for text), unit ('' for none), meaning, and shape, () for a single value.

    Every artefact of its kind has it; what is not known is NaN, -9999 or empty text, as the meaning says.
    """

    dtype: str
    unit: str
    meaning: str
    shape: tuple[int, ...] = ()

    def typed(self, value: Any) -> Any:
        """A value as plain Python: str, bool, int or float, and a tuple of these where the shape is not ().

        Raises
        ------
        TypeError
            If the value is of another type or shape.
        """
        values = np.asarray(value)
        if values.dtype.kind not in _TAKEN[np.dtype(self.dtype).kind] or values.shape != self.shape:
            of = f" of shape {self.shape}" if self.shape else ""
            raise TypeError(f"{value!r} is not of type {self.dtype}{of}")
        plain = values.astype(self.dtype).tolist()
        return tuple(plain) if self.shape else plain


#: What the contract itself writes into every artefact.
PROVENANCE = {
    "kind": Attribute("str", "", "kind of the artefact"),
    "schema_version": Attribute("i8", "", "version of the data model"),
    "params": Attribute("str", "", "JSON object: what the rule was given, hash of its code included; a record"),
    "inputs": Attribute("str", "", "JSON object: content hash of each input, by its path from the artefact's folder"),
    "content_hash": Attribute("str", "", "sha256 over datasets and attributes, provenance left out"),
}

#: What every step says about its result.
OUTCOME = {
    "status": Attribute("str", "", "ok, or a word for why there is no result"),
    "reason": Attribute("str", "", "the same in a sentence; empty if ok"),
}

_NAME = {"plateifu": Attribute("str", "", "PLATE-IFUDESIGN, or the name in the sample sheet")}
_GALAXY = {
    **_NAME,
    "mangaid": Attribute("str", "", "MaNGA identifier; repeats share it"),
    "z": Attribute("f8", "", "redshift of the sample sheet, the zero of velocities"),
}
_CUBE = {
    "instrument": Attribute("str", "", "what took the data"),
    "pixel_scale": Attribute("f8", "arcsec", "side of a spaxel"),
}
_EBV_GALACTIC = {"ebv_galactic": Attribute("f8", "mag", "Galactic E(B-V) of the sample sheet")}

TRUTH = _NAME

EXTRACT = {
    **_GALAXY,
    **_EBV_GALACTIC,
    **_CUBE,
    "drpver": Attribute("str", "", "version of the pipeline that made the cube; empty if it does not say"),
    "notes": Attribute("str", "", "what the reader did that a user of the data must know"),
    "psf_fwhm": Attribute(
        "f8", "arcsec", "full width at half maximum of the point-spread function in r; NaN if not known"
    ),
    "r_e": Attribute("f8", "arcsec", "effective radius along the major axis; -9999 if not known"),
    "pa": Attribute("f8", "deg", "position angle, east of north; -9999 if not known"),
    "ba": Attribute("f8", "", "axis ratio; -9999 if not known"),
    "wcs": Attribute("str", "", "FITS header of columns and rows on the sky (J2000); empty without a celestial frame"),
    "x_centre": Attribute("f8", "spaxel", "column of the object's centre, from 0; -9999 where it has no pixel"),
    "y_centre": Attribute("f8", "spaxel", "row of the object's centre, from 0; -9999 where it has no pixel"),
    "centre_in_field": Attribute("bool", "", "whether the object's centre lies in the field"),
}

#: The settings of a fit, named as in :class:`mangrove.spectra.fit.settings.FitSettings`.
FIT_SETTINGS = {
    "rest_range": Attribute("f8", "Angstrom", "fitted range, rest frame, vacuum", (2,)),
    "polynomial_degree": Attribute("i8", "", "degree of the multiplicative polynomial"),
    "sky_half_width": Attribute("f8", "Angstrom", "half width of the masks on sky lines, observed frame"),
    "velocity_bound": Attribute("f8", "km s-1", "largest velocity from the redshift"),
    "min_good_fraction": Attribute("f8", "", "smallest fraction of good pixels in the fitted range"),
    "rescale_noise": Attribute("bool", "", "whether the errors were scaled by the residuals of a first fit"),
    "attenuation": Attribute("str", "", "dust of the stars: calzetti (a curve), or polynomial (its shape)"),
    "calibration_error": Attribute(
        "f8", "", "expected size of the polynomial's coefficients beside a dust curve; 0: no limit"
    ),
    "regularisation": Attribute("f8", "", "smoothness of the weights over age and [M/H], as pPXF's regul; 0: none"),
    "clip_sigma": Attribute("f8", "", "residuals beyond this many robust sigma were left out; 0: none were"),
    "n_draw": Attribute("i8", "", "noisy copies of each fit's model"),
    "age_limit": Attribute("bool", "", "whether templates older than the universe at z were left out"),
    "stellar_kinematics": Attribute("str", "", "of baxels below bright_snr: free, bounded or fixed"),
    "bright_snr": Attribute("f8", "", "S/N above which the stellar kinematics of a baxel guide others"),
    "kinematics_range": Attribute("f8", "km s-1", "half width of the bounds of bounded stellar kinematics"),
    "gas_components": Attribute("i8", "", "Gaussians that each emission line may have"),
    "broad_lines": Attribute("bool", "", "whether the Balmer lines may have a broad component beside them"),
}

_TEMPLATES = {"templates": Attribute("str", "", "library of stellar populations: mastar, or a path")}

FIT = {
    **_GALAXY,
    **_CUBE,
    **_EBV_GALACTIC,
    "ebv_scale": Attribute("f8", "", "factor on ebv_galactic; the extinction by their product was removed"),
    **_TEMPLATES,
    "seed": Attribute("i8", "", "seed of the run, from which the noisy copies of the model are drawn"),
    "engine": Attribute("str", "", "what fitted: batched (many spectra at once, in JAX) or ppxf (each by pPXF)"),
    **FIT_SETTINGS,
}

#: All fits of a table of labels used one library.
LABELS = _TEMPLATES

LINE_CUBE = {
    **_GALAXY,
    "pixel_scale": _CUBE["pixel_scale"],
    "r_e": EXTRACT["r_e"],
    "centre_in_field": EXTRACT["centre_in_field"],
}

TRAINING_SPECTRA = {
    "norm_band": Attribute("f8", "Angstrom", "band, rest frame, in which the mean of the unmasked flux is 1", (2,)),
    "min_good_fraction": Attribute("f8", "", "smallest fraction of good bins of a spectrum that passes the cuts"),
    "min_snr": Attribute("f8", "", "smallest S/N per native pixel of a spectrum that passes the cuts"),
    "sky_half_width": Attribute("f8", "Angstrom", "half width of the masks on sky lines, observed frame"),
    "galactic_extinction": Attribute("bool", "", "whether the extinction by the Milky Way's dust was removed"),
    "ebv_scale": Attribute("f8", "", "factor on the Galactic E(B-V) that was removed"),
}

#: The grid of a self-organising map.
NODE_GRID = {
    "rows": Attribute("i8", "", "rows of the map; node k lies in row k // columns"),
    "columns": Attribute("i8", "", "columns of the map"),
}

#: Of which trained map of spectra an artefact is, so that files of different ones are not taken together.
MODEL_HASH = {"model_hash": Attribute("str", "", "sha256 of the trained model's arrays")}

#: Measures of a map, on the test set (docs/desom.md has the definitions).
MAP_QUALITY = {
    "quantisation_error": Attribute("f8", "", "mean distance of the latents from their best-matching units"),
    "topographic_error_8": Attribute(
        "f8", "", "fraction whose two best nodes are not among the 8 neighbours of one another"
    ),
    "topographic_error_4": Attribute("f8", "", "the same with 4 neighbours"),
    "trustworthiness": Attribute(
        "f8", "", "whether neighbours on the map are neighbours in the latent space; 1 is best"
    ),
    "neighbourhood_preservation": Attribute(
        "f8", "", "whether neighbours in the latent space are so on the map; 1 is best"
    ),
    "occupation_entropy": Attribute(
        "f8", "", "entropy of the training set over the nodes, over that of an even spread"
    ),
    "n_empty": Attribute("i8", "", "nodes without a member of the training set"),
    "mse": Attribute("f8", "", "mean square error of the reconstruction, unmasked values"),
}

AUGMENTATION = {
    "seed": Attribute("i8", "", "seed of the run, from which the copies are drawn"),
    "noise_scale": Attribute("f8", "", "standard deviation of the added noise over that of the cube's own"),
}

#: Which of the autoencoders of line cubes an artefact is of.
NETWORK = {"network": Attribute("str", "", "ae: the autoencoder; vae: the variational one")}

#: Whether the invariant latents of copies of a cube agree: median distances, NaN if not known.
COPIES = {
    "copy_noise": Attribute("f8", "", "between two copies of a cube that differ by added noise alone"),
    "copy_turned": Attribute("f8", "", "between two that are also flipped and turned, each in its own way"),
    "copy_galaxies": Attribute("f8", "", "between a galaxy and its nearest neighbour"),
}

#: How the maps of the latents were made, so that they can be made again.
EMBEDDING = {
    "umap_neighbours": Attribute(
        "i8", "", "neighbours of a galaxy that shape its surroundings; 0 where there is no map"
    ),
    "min_dist": Attribute("f8", "", "smallest distance between points"),
    "umap_version": Attribute("str", "", "version of umap-learn"),
}
