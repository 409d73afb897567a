"""The artefacts of the two self-organising maps: of spectra (folder desom) and of galaxies (folder galaxy_map)."""

from mangrove.codes import FitStatus, LabelFlag, Split, TrainingCut
from mangrove.data_model_attributes import MAP_QUALITY, MODEL_HASH, NODE_GRID, TRAINING_SPECTRA, Attribute
from mangrove.data_model_fields import Field, Kind

_NODE, _ROW, _GALAXY, _LABEL = ("node",), ("row",), ("plateifu",), ("label",)
_NODE_LABEL, _NODE_WAVE, _NODE_SPLIT = ("node", "label"), ("node", "wave"), ("node", "split")
_OF_LABEL = "unit of the label"

_PLACES = {
    "node_row": Field(_NODE, "i4", "1", "row of the node on the map, from 0 at the bottom"),
    "node_column": Field(_NODE, "i4", "1", "column of the node on the map, from 0"),
}
_NAMES = {
    "plateifu": Field(_GALAXY, "str", "1", "galaxies, in the order of the sample sheet"),
    "mangaid": Field(_GALAXY, "str", "1", "MaNGA identifier; repeats share it"),
}
_DISTANCE_QUANTILES = {
    "quantile": Field(("quantile",), "f8", "1", "levels of distance_quantile"),
    "distance_quantile": Field(
        ("quantile",), "f8", "1", "quantiles of the distance of the training set from their best-matching units"
    ),
}


def _assigned(dims: tuple[str, ...], what: str) -> dict[str, Field]:
    """What a map says of each of its objects."""
    return {
        "node": Field(dims, "i4", "1", f"best-matching unit of the {what}; -1 if it could not be assigned"),
        "second_node": Field(dims, "i4", "1", "second best node; -1 if not assigned"),
        "distance": Field(dims, "f4", "1", "Euclidean distance of the latents from the best-matching unit"),
        "second_distance": Field(dims, "f4", "1", "the same from the second best node"),
        "typicality": Field(
            dims, "f4", "1", "fraction of the training set that lies farther from its node: 0 is strange"
        ),
        "mse": Field(dims, "f4", "1", "mean square of reconstruction minus input, unmasked values"),
    }


DESOM_ASSIGNMENTS = Kind(
    "desom/assignments.h5",
    "The node of every baxel on the map of spectra, also of those that the cuts keep out of the training.",
    {
        **_NAMES,
        "galaxy": Field(_ROW, "i4", "1", "index of the galaxy in plateifu"),
        "baxel": Field(_ROW, "i4", "1", "index of the baxel in its galaxy; rows lie galaxy by galaxy"),
        "split": Field(
            _ROW,
            "i1",
            "1",
            "split of the galaxy's spectra; test if it, and its repeats, have none (in fingerprints it goes by mangaid)",
            Split,
        ),
        "cut": Field(_ROW, "i1", "1", "the cut that keeps the baxel out of the training spectra", TrainingCut),
        "radius_re": Field(_ROW, "f4", "1", "elliptical radius of the baxel in effective radii; NaN if R_e is unknown"),
        "snr": Field(_ROW, "f4", "1", "S/N per native pixel"),
        **_assigned(_ROW, "baxel"),
    },
    NODE_GRID | MODEL_HASH,
)

DESOM_MAP = Kind(
    "desom/map.h5",
    "The map of spectra node by node: prototypes, and templates co-added from the training spectra.",
    {
        "wave": Field(("wave",), "f8", "Angstrom", "rest wavelength, vacuum, log-linear"),
        **_PLACES,
        "prototype_latent": Field(("node", "latent"), "f4", "1", "prototype in the latent space"),
        "prototype_flux": Field(
            _NODE_WAVE, "f4", "1", "the prototype decoded: flux over its mean in the normalisation band"
        ),
        "template_flux": Field(_NODE_WAVE, "f4", "1", "mean of the node's training spectra; NaN where there is none"),
        "template_scatter": Field(_NODE_WAVE, "f4", "1", "their standard deviation; NaN of fewer than two"),
        "template_count": Field(_NODE_WAVE, "i4", "1", "training spectra with data there"),
        "lsf": Field(
            ("wave",), "f4", "Angstrom", "mean line spread (Gaussian sigma, rest frame) of the training spectra"
        ),
        "n_baxel": Field(_NODE_SPLIT, "i4", "1", "baxels on the node that pass the cuts, by split"),
        "n_galaxy": Field(_NODE, "i4", "1", "galaxies of the training set on the node"),
        **_DISTANCE_QUANTILES,
    },
    # How the spectra were prepared, as those that are to be placed on the map must be.
    NODE_GRID | MODEL_HASH | TRAINING_SPECTRA,
)

NODE_LABELS = Kind(
    "desom/node_labels.h5",
    "The labels of the training galaxies' baxels on each node: median, quantiles, histogram; medians of the test galaxies.",
    {
        **_PLACES,
        "label": Field(_LABEL, "str", "1", "names of the labels"),
        "label_unit": Field(_LABEL, "str", "1", "their units"),
        "median": Field(_NODE_LABEL, "f4", _OF_LABEL, "weighted median over the baxels; NaN without any"),
        "median_err": Field(_NODE_LABEL, "f4", _OF_LABEL, "its error, from resampling the galaxies"),
        "quantile": Field(("quantile",), "f8", "1", "levels of value"),
        "value": Field(("node", "label", "quantile"), "f4", _OF_LABEL, "weighted quantiles over the baxels"),
        "edge": Field(("label", "bin_edge"), "f8", _OF_LABEL, "edges of the bins of the histogram"),
        "histogram": Field(
            ("node", "label", "bin"), "f4", "1", "weight of the baxels by bin; the outer bins take what lies beyond"
        ),
        "n_baxel": Field(_NODE_LABEL, "i4", "1", "baxels with the label, those of pooled nodes included"),
        "n_own": Field(_NODE_LABEL, "i4", "1", "baxels with the label on the node itself"),
        "n_galaxy": Field(_NODE_LABEL, "i4", "1", "galaxies among n_baxel"),
        "pool_radius": Field(_NODE_LABEL, "i4", "1", "grid distance up to which neighbours were pooled; 0: none were"),
        "ring_weight": Field(
            _NODE_LABEL, "f4", "1", "weight of the baxels at pool_radius; the others in the pool weigh 1"
        ),
        "own_median": Field(
            _NODE_LABEL,
            "f4",
            _OF_LABEL,
            "median over the baxels on the node itself, no neighbours pooled; NaN without any",
        ),
        "test_median": Field(_NODE_LABEL, "f4", _OF_LABEL, "median over the test galaxies' baxels on the node itself"),
        "n_test": Field(_NODE_LABEL, "i4", "1", "baxels of test galaxies with the label on the node itself"),
        "sample_value": Field(("label", "quantile"), "f4", _OF_LABEL, "quantiles over the whole training set"),
    },
    NODE_GRID
    | MODEL_HASH
    | {"min_baxels": Attribute("i8", "", "nodes with fewer baxels than this pool their neighbours")},
)

DESOM_QUALITY = Kind(
    "desom/quality.h5",
    "How good the map of spectra is, on held-out galaxies: order, smoothness, reconstruction, calibration of its labels.",
    {
        "label": Field(_LABEL, "str", "1", "names of the labels"),
        "n": Field(_LABEL, "i4", "1", "baxels of test galaxies with the label"),
        "rho": Field(
            _LABEL,
            "f8",
            "1",
            "Spearman correlation of their labels with the medians of their nodes, neighbours pooled as in node_labels",
        ),
        "rho_of_compared": Field(_LABEL, "f8", "1", "the same for the test spectra that are compared with clusters"),
        "rho_kmeans_latent": Field(
            _LABEL, "f8", "1", "the same for these with k-means clusters of the latents, as many as nodes"
        ),
        "rho_kmeans_pca": Field(
            _LABEL, "f8", "1", "the same for these with k-means clusters of the best whitened components"
        ),
        "rho_train_test": Field(
            _LABEL, "f8", "1", "Spearman correlation over nodes of training and test medians, no neighbours pooled"
        ),
        "morans_i": Field(
            _LABEL,
            "f8",
            "1",
            "Moran's I of the training medians, no neighbours pooled (queen contiguity): 1 smooth, 0 random",
        ),
        "bias": Field(_LABEL, "f8", _OF_LABEL, "median of node median minus label"),
        "scatter": Field(_LABEL, "f8", _OF_LABEL, "1.4826 times the median absolute deviation of that difference"),
        "coverage": Field(_LABEL, "f8", "1", "fraction of the labels in the 16-84 % interval of their node"),
        "width": Field(_LABEL, "f8", "1", "median width of that interval over that of the whole training set"),
        "pit": Field(
            ("label", "pit_bin"), "i4", "1", "labels by their quantile in the node's distribution, equal bins"
        ),
        "pca_component": Field(("pca_component",), "i4", "1", "numbers of principal components"),
        "pca_mse": Field(
            ("pca_component",), "f8", "1", "mean square error of the test spectra, noise included, that they give back"
        ),
    },
    NODE_GRID
    | MAP_QUALITY
    | {"mse_of_compared": Attribute("f8", "", "mse of the test spectra that are compared with components")},
)

TEMPLATE_LABELS = Kind(
    "desom/template_labels.h5",
    "Labels from fits of the co-added template of each node.",
    {
        **_PLACES,
        "label": Field(_LABEL, "str", "1", "names of the labels"),
        "status": Field(_NODE, "i1", "1", "outcome of the fit", FitStatus),
        "chi2_reduced": Field(_NODE, "f4", "1", "chi2 per degree of freedom"),
        "snr": Field(_NODE, "f4", "1", "median S/N per bin of the template"),
        "value": Field(_NODE_LABEL, "f4", _OF_LABEL, "label of the template; NaN if missing"),
        "error": Field(_NODE_LABEL, "f4", _OF_LABEL, "its error"),
        "flag": Field(_NODE_LABEL, "u4", "1", "bits: why it is missing or not to be trusted", LabelFlag),
    },
    NODE_GRID | {"templates": Attribute("str", "", "library of stellar populations: mastar, or a path")},
)

FINGERPRINTS = Kind(
    "desom/fingerprints.h5",
    "The fingerprint of every galaxy: its baxels on the nodes of the map of spectra.",
    {
        **_NAMES,
        **_PLACES,
        "split": Field(_GALAXY, "i1", "1", "split, by mangaid", Split),
        "counts": Field(("plateifu", "node"), "i4", "1", "baxels of the galaxy on the node"),
        "weight": Field(
            ("plateifu", "node"), "f4", "1", "their weights together (attribute weighting); counts if all weigh 1"
        ),
        "normalised": Field(
            ("plateifu", "node"), "f4", "1", "weight clipped at node_limit, over it, then scaled to 0-1 in each galaxy"
        ),
        "mean_radius": Field(("plateifu", "node"), "f4", "1", "mean radius of these baxels in R_e; NaN without any"),
        "n_baxel": Field(_GALAXY, "i4", "1", "baxels in the fingerprint"),
        "n_patch": Field(_GALAXY, "i4", "1", "separate patches of occupied nodes (8 neighbours)"),
        "patch_spread": Field(
            _GALAXY,
            "f4",
            "1",
            "root mean square grid distance of the patches' centres from their mean, baxels as weights",
        ),
        "node_limit": Field(
            _NODE, "f4", "1", "percentile of the training galaxies' weights at which a node is clipped"
        ),
    },
    NODE_GRID
    | {
        "weighting": Attribute("str", "", "count: every baxel weighs 1; radius: by its radius"),
        "clip_percentile": Attribute("f8", "", "percentile of node_limit"),
    },
)

GALAXY_MAP_ASSIGNMENTS = Kind(
    "galaxy_map/assignments.h5",
    "The node of every galaxy on the map of galaxies.",
    {
        **_NAMES,
        "split": Field(_GALAXY, "i1", "1", "split, by mangaid", Split),
        **_assigned(_GALAXY, "galaxy"),
        "repeat_first": Field(("repeat",), "i4", "1", "index of an observation of a galaxy observed more than once"),
        "repeat_second": Field(("repeat",), "i4", "1", "index of another observation of it; each pair once"),
        "repeat_distance": Field(
            ("repeat",), "i4", "1", "steps between their nodes, diagonal ones count as one; -1 if unknown"
        ),
    },
    NODE_GRID,
)

GALAXY_MAP = Kind(
    "galaxy_map/map.h5",
    "The map of galaxies node by node: prototypes, and what catalogues say of the galaxies there.",
    {
        **_PLACES,
        "prototype_latent": Field(("node", "latent"), "f4", "1", "prototype in the latent space"),
        "prototype_fingerprint": Field(
            ("node", "spectrum_node"), "f4", "1", "the prototype decoded: a normalised fingerprint"
        ),
        "n_galaxy": Field(_NODE_SPLIT, "i4", "1", "galaxies on the node, by split"),
        "example": Field(_NODE, "str", "1", "plateifu of the galaxy nearest to the prototype; empty without any"),
        "morphology": Field(("morphology",), "str", "1", "Hubble types of the sample sheet"),
        "morphology_fraction": Field(
            ("node", "morphology"), "f4", "1", "of the node's galaxies with a type; NaN without any"
        ),
        "n_morphology": Field(_NODE, "i4", "1", "the node's galaxies with a type"),
        "sersic_n": Field(_NODE, "f4", "1", "median Sersic index; NaN if unknown"),
        "sersic_ba": Field(_NODE, "f4", "1", "median axis ratio; NaN if unknown"),
        "n_sersic": Field(_NODE, "i4", "1", "the node's galaxies with a Sersic fit"),
        **_DISTANCE_QUANTILES,
    },
    NODE_GRID | MAP_QUALITY,
)

DESOM_KINDS: dict[str, Kind] = {
    "desom_assignments": DESOM_ASSIGNMENTS,
    "desom_map": DESOM_MAP,
    "node_labels": NODE_LABELS,
    "desom_quality": DESOM_QUALITY,
    "template_labels": TEMPLATE_LABELS,
    "fingerprints": FINGERPRINTS,
    "galaxy_map_assignments": GALAXY_MAP_ASSIGNMENTS,
    "galaxy_map": GALAXY_MAP,
}
