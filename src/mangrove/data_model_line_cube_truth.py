"""The artefacts about the truth of simulated emission-line cubes: what was put in, and how the autoencoders see it."""

from mangrove.data_model_attributes import COPIES, MODEL_HASH, NETWORK
from mangrove.data_model_fields import Field, Kind

_GALAXY = ("plateifu",)
_CUBE = ("plateifu", "line", "window_pixel", "spaxel_y", "spaxel_x")

LINE_CUBE_TRUTH = Kind(
    "archive/line_cube_truth.h5",
    "What the simulation put into line cubes; held_out_truth.h5 beside it, of galaxies that are no part of the run's sample.",
    {
        "plateifu": Field(_GALAXY, "str", "1", "galaxies, in the order of the line cubes"),
        "kind": Field(
            _GALAXY,
            "str",
            "1",
            "star_forming, seyfert, liner, passive or blueberry: what ionises the gas, and the stars",
        ),
        "anomaly": Field(
            _GALAXY,
            "str",
            "1",
            "planted anomaly: double_nucleus, offset_agn, blueberry or sky_residual; empty for none",
        ),
        "strength": Field(_GALAXY, "f4", "1", "strength of the anomaly (docs/autoencoders.md); NaN without one"),
        "sky_line": Field(_GALAXY, "f8", "Angstrom", "observed wavelength of a sky residual, vacuum; NaN without one"),
        "line": Field(("line",), "str", "1", "names of the lines"),
        "line_flux": Field(
            ("plateifu", "line"),
            "f4",
            "1e-17 erg s-1 cm-2",
            "flux over the cube's square before Galactic extinction; NaN of lines that are not simulated under this name",
        ),
        "noiseless": Field(
            _CUBE,
            "f4",
            "1e-17 erg s-1 cm-2 Angstrom-1 spaxel-1",
            "expectation of the flux, sky residual included; 0 beyond the field; only of galaxies held out",
            optional=True,
        ),
    },
)

_BASELINE = ("baseline", "line", "window_pixel", "spaxel_y", "spaxel_x")

LINE_CUBE_COMPONENTS = Kind(
    "autoencoder/line_cube_components.h5",
    "Principal components of the training line cubes over their mean absolute flux, which the networks are compared with.",
    {
        "baseline": Field(
            ("baseline",),
            "str",
            "1",
            "pca: components of the cubes as they are; pca_turned: of their 8 flips and quarter turns",
        ),
        "line": Field(("line",), "str", "1", "names of the lines"),
        "mean": Field(_BASELINE, "f4", "1", "mean of the cubes over valid values; 0 where none is valid"),
        "direction": Field(
            ("baseline", "principal_component", *_BASELINE[1:]),
            "f4",
            "1",
            "directions of the components, of unit length, largest variance first; 0 where the cubes have no more",
        ),
        "deviation": Field(
            ("baseline", "principal_component"), "f4", "1", "standard deviation of the cubes along each; 0 there"
        ),
    },
)

_MODEL_GALAXY, _MODEL_SCORE = ("model", "plateifu"), ("model", "score")
_AUC, _BINS = ("model", "planted", "score"), ("planted", "strength_bin")

AUTOENCODER_TRUTH = Kind(
    "autoencoder/{network}/autoencoder_truth.h5",
    "How well a network, and principal components in its place, find anomalies planted in galaxies that neither has seen.",
    {
        "plateifu": Field(_GALAXY, "str", "1", "galaxies held out, normal ones first"),
        "anomaly": Field(_GALAXY, "str", "1", "planted anomaly; empty for none"),
        "strength": Field(_GALAXY, "f4", "1", "its strength (docs/autoencoders.md); NaN without one"),
        "log_flux": Field(_GALAXY, "f4", "dex", "log10 of the mean absolute flux over valid spaxels"),
        "log_size": Field(_GALAXY, "f4", "dex", "log10 of the effective radius, arcsec"),
        "model": Field(("model",), "str", "1", "what reconstructs: the network, then pca and pca_turned"),
        "score": Field(("score",), "str", "1", "names of the anomaly scores, the recommended one first"),
        "value": Field(("model", "plateifu", "score"), "f4", "1", "anomaly scores"),
        "error_noisy": Field(
            _MODEL_GALAXY,
            "f4",
            "1",
            "squared error of the reconstruction over the squared flux, against the observed flux",
        ),
        "error_excess": Field(_MODEL_GALAXY, "f4", "1", "the same less what the noise alone gives"),
        "error_true": Field(_MODEL_GALAXY, "f4", "1", "the same against the flux without noise"),
        "planted": Field(("planted",), "str", "1", "kinds of anomalies"),
        "auc": Field(
            _AUC,
            "f4",
            "1",
            "probability that a galaxy with the anomaly has a higher score than a normal one alike in flux and size",
        ),
        "auc_error": Field(_AUC, "f4", "1", "its standard error, by bootstrap"),
        "auc_unmatched": Field(_AUC, "f4", "1", "the same with all normal galaxies"),
        "flux_offset": Field(
            ("planted",), "f4", "dex", "median distance in log flux of galaxies with the anomaly from their like"
        ),
        "size_offset": Field(("planted",), "f4", "dex", "the same in log size"),
        "strength_edge": Field(("planted", "edge"), "f4", "1", "edges of the bins of strength"),
        "bin_count": Field(_BINS, "i4", "1", "galaxies in each"),
        "bin_auc": Field((*_AUC, "strength_bin"), "f4", "1", "auc of the galaxies of each bin; NaN without any"),
        "flux_rho": Field(
            _MODEL_SCORE, "f4", "1", "Spearman's rho of the score with the mean absolute flux, normal galaxies"
        ),
        "space": Field(("space",), "str", "1", "latent: latents; invariant: invariant latents"),
        "same_anomaly": Field(
            ("space", "planted"), "f4", "1", "mean fraction of the first five neighbours that have the same anomaly"
        ),
        "same_rare": Field(
            ("space", "planted"),
            "f4",
            "1",
            "the same where at most 5 % of the galaxies have that anomaly and none another; NaN with too few galaxies",
        ),
    },
    NETWORK | MODEL_HASH | COPIES,
)

TRUTH_KINDS: dict[str, Kind] = {
    "line_cube_truth": LINE_CUBE_TRUTH,
    "line_cube_components": LINE_CUBE_COMPONENTS,
    "autoencoder_truth": AUTOENCODER_TRUTH,
}
