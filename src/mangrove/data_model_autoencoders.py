"""The artefacts of the autoencoders of emission-line cubes (folder autoencoder)."""

from mangrove.codes import AnomalyCause, BptClass, Split
from mangrove.data_model_attributes import AUGMENTATION, EMBEDDING, MODEL_HASH, NETWORK, Attribute
from mangrove.data_model_fields import Field, Kind

_GALAXY, _LINE, _LATENT = ("plateifu",), ("line",), ("latent",)
_SCORE, _GALAXY_SCORE = ("score",), ("plateifu", "score")
_GALAXY_LATENT, _GALAXY_NEIGHBOUR = ("plateifu", "latent"), ("plateifu", "neighbour")
_FLUX = "1e-17 erg s-1 cm-2 Angstrom-1 spaxel-1"

_NAMES = {
    "plateifu": Field(_GALAXY, "str", "1", "galaxies, in the order of the line cubes"),
    "mangaid": Field(_GALAXY, "str", "1", "MaNGA identifier; repeats share it"),
    "split": Field(_GALAXY, "i1", "1", "split, by mangaid", Split),
}
_SCORE_NAMES = {"score": Field(_SCORE, "str", "1", "names of the anomaly scores, the recommended one first")}

AUGMENTATION_TABLE = Kind(
    "autoencoder/augmentation.h5",
    "The copies of each line cube that the autoencoders are trained on: flipped, then turned, then shifted, then noise added.",
    {
        **_NAMES,
        "flip": Field(("plateifu", "copy"), "i1", "1", "1 where columns are reversed; copy 0 is the cube itself"),
        "quarter_turns": Field(
            ("plateifu", "copy"), "i1", "1", "turns by 90 degrees, rows towards columns (numpy.rot90)"
        ),
        "shift_y": Field(
            ("plateifu", "copy"), "i2", "spaxel", "shift towards higher rows; no data where nothing comes in"
        ),
        "shift_x": Field(("plateifu", "copy"), "i2", "spaxel", "shift towards higher columns"),
        "noise_seed": Field(("plateifu", "copy"), "u4", "1", "seed of the noise that is added; 0 for none"),
    },
    AUGMENTATION,
)

LATENTS = Kind(
    "autoencoder/{network}/latents.h5",
    "The latents of every line cube.",
    {
        **_NAMES,
        "value": Field(_GALAXY_LATENT, "f4", "1", "latents; of the variational network, the means"),
        "log_variance": Field(
            _GALAXY_LATENT, "f4", "1", "log of their variances; only the variational network has any", optional=True
        ),
        "invariant": Field(
            _GALAXY_LATENT, "f4", "1", "mean of the latents over the 8 flips and quarter turns of the centred cube"
        ),
        "flux_scale": Field(
            _GALAXY, "f4", _FLUX, "mean absolute flux over valid spaxels of the lines that the network sees"
        ),
        "active": Field(
            _LATENT,
            "i1",
            "1",
            "1 where the latent varies over the training cubes: its variance exceeds 0.01 of the prior's (vae) or of the largest one's (ae)",
        ),
    },
    NETWORK | MODEL_HASH,
)

ANOMALIES = Kind(
    "autoencoder/{network}/anomalies.h5",
    "How badly the network reconstructs each line cube, by which lines and spaxels, and what else than the galaxy may be the cause.",
    {
        **_NAMES,
        **_SCORE_NAMES,
        "value": Field(_GALAXY_SCORE, "f4", "1", "anomaly score; 'published' has the unit of flux"),
        "percentile": Field(_GALAXY_SCORE, "f4", "1", "percentage of all galaxies that have a lower score"),
        "line": Field(_LINE, "str", "1", "lines that the network sees"),
        "line_value": Field(("plateifu", "score", "line"), "f4", "1", "the same score over one line; NaN without data"),
        "line_percentile": Field(
            ("plateifu", "score", "line"), "f4", "1", "percentage of all galaxies that have a lower one"
        ),
        "rank": Field(_GALAXY, "i4", "1", "rank by the recommended score, 0 the most anomalous"),
        "cause": Field(_GALAXY, "i4", "1", "bits: causes other than the galaxy that were found", AnomalyCause),
        "reason": Field(_GALAXY, "str", "1", "in words: lines and spaxels that make the score, lines without data"),
        "spaxel_score": Field(
            ("plateifu", "spaxel_y", "spaxel_x"),
            "f4",
            "1",
            "root mean square of the residuals over their expected errors, all lines; NaN without data",
            packed=True,
        ),
        "shown": Field(("shown",), "i4", "1", "index of a galaxy whose reconstruction is kept: typical ones first"),
        "reconstruction": Field(
            ("shown", "line", "window_pixel", "spaxel_y", "spaxel_x"), "f4", _FLUX, "its reconstruction", packed=True
        ),
    },
    NETWORK | MODEL_HASH,
)

LATENT_EMBEDDING = Kind(
    "autoencoder/{network}/embedding.h5",
    "The latents as principal components and as maps in which neighbours are alike (UMAP).",
    {
        **_NAMES,
        "mean": Field(_LATENT, "f4", "1", "mean of the latents of the training set"),
        "direction": Field(
            ("principal_component", "latent"),
            "f4",
            "1",
            "principal components of the training set's latents, rows of unit length",
        ),
        "explained": Field(("principal_component",), "f4", "1", "fraction of the variance that each explains"),
        "principal": Field(("plateifu", "principal_component"), "f4", "1", "principal components of the galaxies"),
        "umap_3d": Field(
            ("plateifu", "axis_3d"),
            "f4",
            "1",
            "place on the map in three dimensions; NaN where there are too few galaxies",
        ),
        "umap_2d": Field(("plateifu", "axis_2d"), "f4", "1", "the same in two"),
        "seed": Field(("seed",), "i8", "1", "seeds of UMAP, that of umap_3d first"),
        "seed_overlap": Field(
            ("seed",),
            "f4",
            "1",
            "mean fraction of the neighbours in umap_3d, umap_neighbours of them, that the map of that seed shares",
        ),
    },
    NETWORK | MODEL_HASH | EMBEDDING,
)

NEIGHBOURS = Kind(
    "autoencoder/{network}/neighbours.h5",
    "The nearest galaxies of each galaxy, in the latents and on the map in three dimensions (UMAP).",
    {
        **_NAMES,
        "latent_neighbour": Field(
            _GALAXY_NEIGHBOUR, "i4", "1", "index of the neighbours by latents, nearest first; -1 beyond the last"
        ),
        "latent_distance": Field(_GALAXY_NEIGHBOUR, "f4", "1", "their Euclidean distances"),
        "invariant_neighbour": Field(_GALAXY_NEIGHBOUR, "i4", "1", "the same by the invariant latents"),
        "invariant_distance": Field(_GALAXY_NEIGHBOUR, "f4", "1", "their distances"),
        "umap_neighbour": Field(_GALAXY_NEIGHBOUR, "i4", "1", "the same on the map umap_3d"),
        "umap_distance": Field(_GALAXY_NEIGHBOUR, "f4", "1", "their distances"),
        "overlap": Field(
            _GALAXY, "f4", "1", "fraction of the neighbours by latents that are neighbours on the map as well"
        ),
    },
    NETWORK
    | MODEL_HASH
    | {
        "trustworthiness": Attribute(
            "f8",
            "",
            "whether neighbours on the map umap_3d are neighbours in the latents, of at most 2000 galaxies; 1 is best, NaN if not known",
        ),
        "mean_overlap": Attribute("f8", "", "mean of overlap; NaN if not known"),
        "copies_among_neighbours": Attribute(
            "f8",
            "",
            "mean fraction of the 7 other flips and turns of a cube among the first 7 neighbours of its latents, of at most 500 galaxies; NaN if not known",
        ),
        "repeats_among_neighbours": Attribute(
            "f8",
            "",
            "mean fraction of the other observations of a galaxy (same mangaid) among its neighbours by latents; NaN without any",
        ),
    },
)

AGN = Kind(
    "autoencoder/{network}/agn.h5",
    "The active nuclei of the sample sheet among the line cubes: how anomalous, who their neighbours are, where in the BPT diagram.",
    {
        "plateifu": Field(
            _GALAXY, "str", "1", "galaxies with an active nucleus by any of the four flags, the most anomalous first"
        ),
        "galaxy": Field(_GALAXY, "i4", "1", "index in the line cubes"),
        "agn_wise": Field(_GALAXY, "i1", "1", "by infrared: 1, 0, -1 unknown"),
        "agn_bat": Field(_GALAXY, "i1", "1", "by X-ray"),
        "agn_radio": Field(_GALAXY, "i1", "1", "by radio"),
        "agn_broad": Field(_GALAXY, "i1", "1", "by broad lines"),
        "radio_class": Field(_GALAXY, "str", "1", "class of a radio AGN; empty for none"),
        **_SCORE_NAMES,
        "value": Field(_GALAXY_SCORE, "f4", "1", "anomaly scores"),
        "percentile": Field(_GALAXY_SCORE, "f4", "1", "percentage of all galaxies that have a lower score"),
        "neighbour_name": Field(_GALAXY_NEIGHBOUR, "str", "1", "plateifu of the neighbours by latents, nearest first"),
        "log_nii_ha": Field(
            _GALAXY,
            "f4",
            "dex",
            "mean log [NII]/Halpha of its baxels with all four lines, by Halpha flux; NaN without any",
        ),
        "log_oiii_hb": Field(_GALAXY, "f4", "dex", "mean log [OIII]/Hbeta of these"),
        "bpt_class": Field(_GALAXY, "i1", "1", "class of that mean place in the BPT diagram", BptClass),
        "group": Field(("group",), "str", "1", "all, agn, and each of the four flags by its name"),
        "group_size": Field(("group",), "i4", "1", "galaxies in the group"),
        "group_median": Field(("group", "score"), "f4", "1", "median score; NaN without a galaxy"),
        "group_upper": Field(("group", "score"), "f4", "1", "95th percentile of the score"),
    },
    NETWORK | MODEL_HASH,
)

AUTOENCODER_KINDS: dict[str, Kind] = {
    "augmentation": AUGMENTATION_TABLE,
    "latents": LATENTS,
    "anomalies": ANOMALIES,
    "latent_embedding": LATENT_EMBEDDING,
    "neighbours": NEIGHBOURS,
    "agn": AGN,
}
