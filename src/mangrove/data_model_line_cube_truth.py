"""The artefacts about the truth of simulated emission-line cubes: what was put in, and how the autoencoders see it."""

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

TRUTH_KINDS: dict[str, Kind] = {"line_cube_truth": LINE_CUBE_TRUTH}
