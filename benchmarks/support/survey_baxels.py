"""The baxels of a simulated survey's tables: labels, lines and kinematics by laws of type, mass and radius.

With the type t, the mass m = log M - 10.5 and the radius r in effective radii:

- log10 of age, light-weighted: 9.95 - 0.45 t - (0.05 + 0.25 t) r, scatter 0.1; by mass 0.25 more, up to 10.1
- [M/H]: -0.05 + 0.25 m - 0.2 r, scatter 0.08
- surface density of mass: an exponential disc, 9.4 + 0.7 m - 0.73 r
- star formation per mass: -12.2 + 2.6 sqrt(t) - 0.15 |r - 0.5|, scatter 0.2
- E(B-V) of the gas: 0.5 exp(-r) (0.3 + 0.7 t); of the stars 0.44 of it (Calzetti et al. 2000)
- EW of Halpha: star formation per mass, 10 Angstrom at 10^-10.2 yr-1, and 0.8 Angstrom by old stars
- the BPT diagram: star-forming gas lies 0.12 dex below the curve of Kauffmann et al. (2003), where its metallicity puts
  it; an active nucleus draws it towards the Seyferts within half an effective radius, old stars towards the LINERs
- rotation: 200 km/s (M / 10^10.5)^0.25 tanh(2 r), seen at the angle of the axis ratio

Errors follow from the S/N, 60 exp(-r), and values are drawn by them.
"""

from typing import NamedTuple

import numpy as np
from support.survey_galaxies import PIXEL_SCALE, Galaxies

from mangrove.codes import DBptClass, FitStatus, GasModel, LabelFlag, LineStatus
from mangrove.data_model import LABEL
from mangrove.physics.bpt import BPT_LINES, KAUFFMANN, MIN_LINE_SNR, bpt_class, bpt_distance, bpt_ratios, d_bpt_class
from mangrove.physics.dust import cardelli
from mangrove.physics.lines import LineList, fit_lines

#: Radius up to which a galaxy has baxels, effective radii.
OUTER_RADIUS = 1.8
_GOLDEN_ANGLE = np.pi * (3.0 - np.sqrt(5.0))
#: Parts of the baxels whose fit fails, and whose reduced chi2 is too high.
_FAILED, _POOR = 0.004, 0.01
#: Flux of lines over that of Halpha before dust, of all but the lines of the BPT diagram and of its doublets.
_RATIO_TO_HALPHA = {
    **{"OII_3727": 0.40, "OII_3730": 0.50, "Hbeta_4863": 1 / 2.86, "Hgamma_4342": 0.164, "Hdelta_4103": 0.091},
    **{"Hepsilon_3971": 0.056, "Hzeta_3890": 0.037, "Heta_3836": 0.026, "Htheta_3799": 0.019, "SII_6718": 0.18},
    **{"SII_6733": 0.13, "OI_6302": 0.03, "OI_6366": 0.01, "NeIII_3870": 0.03, "NeIII_3969": 0.009, "HeI_5877": 0.035},
    **{"HeII_4687": 0.004, "OIII_4364": 0.003},
}
_DOUBLETS = {"NII_6550": ("NII_6585", 0.3279), "OIII_4960": ("OIII_5008", 0.3356)}
_SEYFERT, _LINER = (0.05, 0.85), (0.10, 0.25)


class BaxelBlock(NamedTuple):
    """Baxels of some galaxies, galaxy by galaxy.

    Attributes
    ----------
    galaxy : ndarray of int, shape (n,)
        Index among the galaxies of the block.
    columns : dict of ndarray, shape (n, ...)
        Datasets of the artefact 'labels' along its rows, but galaxy.
    """

    galaxy: np.ndarray
    columns: dict[str, np.ndarray]


def draw_baxels(galaxies: Galaxies, rng: np.random.Generator) -> BaxelBlock:
    """The baxels of some galaxies, as many as each has."""
    galaxy = np.repeat(np.arange(len(galaxies.n_baxel)), galaxies.n_baxel)
    baxel = np.arange(galaxy.size) - (np.cumsum(galaxies.n_baxel) - galaxies.n_baxel)[galaxy]
    own = galaxies.of(galaxy)
    place = _places(own, baxel)
    radius = place["radius_re"].astype(float)
    snr = 60.0 * np.exp(-radius) * rng.lognormal(0.0, 0.1, radius.size)
    failed = rng.random(radius.size) < _FAILED
    chi2 = np.where(rng.random(radius.size) < _POOR, 2.5, rng.normal(1.0, 0.08, radius.size))
    truth = _true_labels(own, radius, rng)
    lines = _lines(own, truth, radius, snr, rng)
    columns = place | _kinematics(own, baxel, radius, snr, rng) | lines | _labels(truth, lines, snr, chi2, rng)
    columns |= {"baxel": baxel, "snr": snr, "chi2_reduced": chi2}
    columns |= {"status": np.zeros(radius.size, np.int8), "gas_model": np.full(radius.size, GasModel.ONE_GAUSSIAN)}
    return BaxelBlock(galaxy, _without_fits(columns, failed))


def surface_brightness(log_mass_density: np.ndarray) -> np.ndarray:
    """Mean stellar continuum, 1e-17 erg s-1 cm-2 Angstrom-1 spaxel-1, of a surface density, log10 of M_sun kpc-2."""
    return 0.4 * 10 ** (0.4 * (log_mass_density - 9.0))


def line_columns() -> tuple[LineList, dict[str, int]]:
    """The fitted lines, and the column of each."""
    lines = fit_lines()
    return lines, {name: i for i, name in enumerate(lines.name)}


def _places(own: Galaxies, baxel: np.ndarray) -> dict[str, np.ndarray]:
    """Where the baxels lie: evenly over the ellipse, from the centre outwards along a spiral of golden angles."""
    radius = OUTER_RADIUS * np.sqrt((baxel + 0.5) / own.n_baxel)
    angle, pa = baxel * _GOLDEN_ANGLE, np.deg2rad(own.pa)
    along, across = radius * own.r_e * np.cos(angle), radius * own.r_e * np.sin(angle) * own.ba
    north, east = along * np.cos(pa) - across * np.sin(pa), along * np.sin(pa) + across * np.cos(pa)
    area = np.pi * own.ba * (OUTER_RADIUS * own.r_e) ** 2 / own.n_baxel
    extent = np.sqrt(area / (2 * np.pi))
    return {
        "ra": own.ra + east / 3600 / np.cos(np.deg2rad(own.dec)),
        "dec": own.dec + north / 3600,
        "x": own.half_width - east / PIXEL_SCALE,
        "y": own.half_width + north / PIXEL_SCALE,
        "radius": radius * own.r_e,
        "radius_re": radius,
        "extent": extent,
        "extent_re": extent / own.r_e,
        "area": area,
        "n_spaxel": np.maximum(1, np.rint(area / PIXEL_SCALE**2)).astype(int),
    }


def _true_labels(own: Galaxies, radius: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The labels before the errors of a fit."""
    kind, mass = own.kind, own.log_mass - 10.5
    age = np.minimum(9.95 - 0.45 * kind - (0.05 + 0.25 * kind) * radius + rng.normal(0, 0.1, radius.size), 10.1)
    metallicity = -0.05 + 0.25 * mass - 0.2 * radius + rng.normal(0, 0.08, radius.size)
    density = 9.4 + 0.7 * mass - 0.73 * radius
    ssfr = -12.2 + 2.6 * np.sqrt(kind) - 0.15 * np.abs(radius - 0.5) + rng.normal(0, 0.2, radius.size)
    dust = 0.5 * np.exp(-radius) * (0.3 + 0.7 * kind) * rng.lognormal(0.0, 0.2, radius.size)
    return {
        "log_age_lw": age,
        "metallicity_lw": metallicity,
        "log_age_mw": np.minimum(age + 0.25, 10.1),
        "metallicity_mw": metallicity + 0.05,
        "log_ml_r": 0.35 + 0.7 * (age - 9.8),
        "ebv_star": 0.44 * dust,
        "ebv_gas": dust,
        "log_sfr_density": ssfr + density,
        "log_mass_density": density,
        "log_ssfr": ssfr,
    }


def _lines(own: Galaxies, truth: dict, radius: np.ndarray, snr: np.ndarray, rng: np.random.Generator) -> dict:
    """Fluxes and equivalent widths of the fitted lines, shape (n, n_line)."""
    lines, column = line_columns()
    continuum = surface_brightness(truth["log_mass_density"])
    halpha = (0.8 + 10.0 * 10 ** (truth["log_ssfr"] + 10.2)) * continuum
    nii, oiii = _bpt_place(own, truth, radius, rng)
    flux = np.empty((radius.size, len(lines.name)))
    for name, i in column.items():
        flux[:, i] = halpha * _RATIO_TO_HALPHA.get(name, 1.0)
    flux[:, column["NII_6585"]] = halpha * 10**nii
    flux[:, column["OIII_5008"]] = halpha / 2.86 * 10**oiii
    for name, (partner, ratio) in _DOUBLETS.items():
        flux[:, column[name]] = ratio * flux[:, column[partner]]
    curve = cardelli(lines.wave)
    flux *= 10 ** (-0.4 * truth["ebv_gas"][:, None] * (curve - curve[column["Halpha_6565"]]))
    # A line is as wide as six pixels of 1.5 Angstrom, and its error adds up over them.
    error = np.repeat((continuum * 1.5 * np.sqrt(6.0) / snr)[:, None], len(lines.name), axis=1)
    flux += error * rng.standard_normal(flux.shape)
    zero = np.zeros(flux.shape, np.int8)
    values = {"line_flux": flux, "line_flux_sum": flux + 0.3 * error * rng.standard_normal(flux.shape)}
    values |= {"line_flux_err": error, "line_flux_sum_err": 1.2 * error}
    values |= {"line_ew": flux / continuum[:, None], "line_ew_err": error / continuum[:, None]}
    return values | {"line_status": zero + LineStatus.OK, "line_flag": zero.astype(np.uint32)}


def _bpt_place(own: Galaxies, truth: dict, radius: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Both ratios of the diagram before noise, dex: star-forming gas, drawn towards Seyferts or LINERs."""
    nii = np.clip(-0.55 + 0.7 * truth["metallicity_lw"] + rng.normal(0, 0.06, radius.size), -1.2, -0.25)
    oiii = 0.61 / (nii - KAUFFMANN.limit) + KAUFFMANN.offset - 0.12 + rng.normal(0, 0.05, radius.size)
    nuclear = own.has_nucleus * np.exp(-((radius / 0.5) ** 2))
    old = 1.0 / (1.0 + 10 ** (2.0 * (truth["log_ssfr"] + 11.3)))
    for share, (x, y) in ((old, _LINER), (nuclear, _SEYFERT)):
        nii, oiii = nii + share * (x - nii), oiii + share * (y - oiii)
    return nii, oiii


def _kinematics(own: Galaxies, baxel, radius: np.ndarray, snr: np.ndarray, rng: np.random.Generator) -> dict:
    """Velocities and dispersions of stars and gas, km/s, with errors and flags."""
    amplitude = 200.0 * 10 ** (0.25 * (own.log_mass - 10.5)) * np.tanh(2 * radius) * np.sqrt(1 - own.ba**2)
    v = amplitude * np.cos(baxel * _GOLDEN_ANGLE)
    hot = (60.0 + 140.0 * (1 - own.kind)) * np.exp(-0.4 * radius)
    found = {}
    for name, value, error in (
        ("v_star", 0.85 * v, 150.0 / snr),
        ("sigma_star", hot, 200.0 / snr),
        ("v_gas", v, 80.0 / snr),
        ("sigma_gas", 25.0 + 0.3 * hot, 120.0 / snr),
    ):
        drawn = value + error * rng.standard_normal(radius.size)
        found |= {name: np.maximum(drawn, 1.0) if name.startswith("sigma") else drawn, f"{name}_err": error}
        found[f"{name}_flag"] = np.zeros(radius.size, np.uint32)
    return found


def _labels(truth: dict, lines: dict, snr: np.ndarray, chi2: np.ndarray, rng: np.random.Generator) -> dict:
    """The labels as measured, with errors, flags and classes."""
    found, names = {}, line_columns()[0].name
    for name, values in truth.items():
        error = 0.02 + 1.5 / snr
        found |= {name: values + error * rng.standard_normal(snr.size), f"{name}_err": error}
    for name in ("ebv_star", "ebv_gas"):
        found[name] = np.maximum(found[name], 0.0)
    ratios = bpt_ratios(lines["line_flux"], lines["line_flux_err"], names, MIN_LINE_SNR)
    found |= {"bpt_class": bpt_class(*ratios), "d_bpt_class": d_bpt_class(*ratios)}
    found |= {"d_bpt": bpt_distance(*ratios), "d_bpt_err": 0.02 + 1.0 / snr}
    bright = {name: _detected(lines, name) for name in BPT_LINES}
    flags = {name: np.where(chi2 >= 2, LabelFlag.POOR_FIT, 0).astype(np.uint32) for name in LABEL}
    _raise_flag(flags, "d_bpt", LabelFlag.LOW_SNR, np.isnan(found["d_bpt"]))
    _raise_flag(flags, "ebv_gas", LabelFlag.LOW_SNR, ~(bright["Halpha_6565"] & bright["Hbeta_4863"]))
    for name in ("log_sfr_density", "log_ssfr"):
        _raise_flag(flags, name, LabelFlag.NOT_STAR_FORMING, found["d_bpt_class"] > DBptClass.STAR_FORMING)
        _raise_flag(flags, name, LabelFlag.UPPER_LIMIT, ~bright["Halpha_6565"])
        found[name][~bright["Halpha_6565"]] = np.nan
    found["log_sfr_density_limit"] = np.where(bright["Halpha_6565"], np.nan, truth["log_sfr_density"] + 0.3)
    return found | {f"{name}_flag": bits for name, bits in flags.items()}


def _raise_flag(flags: dict[str, np.ndarray], name: str, flag: LabelFlag, where: np.ndarray) -> None:
    flags[name][where] |= np.uint32(flag)


def _detected(lines: dict, name: str) -> np.ndarray:
    i = line_columns()[1][name]
    return lines["line_flux"][:, i] > MIN_LINE_SNR * lines["line_flux_err"][:, i]


def _without_fits(columns: dict[str, np.ndarray], failed: np.ndarray) -> dict[str, np.ndarray]:
    """The columns where some fits have failed: no values, and flags that say why."""
    place = ("ra", "dec", "x", "y", "radius", "radius_re", "extent", "extent_re", "area", "snr")
    for name, values in columns.items():
        if values.dtype.kind == "f" and name not in place:
            values[failed] = np.nan
        elif name.endswith("_flag"):
            values[failed] = LabelFlag.NO_FIT
    codes = {"status": FitStatus.NOT_CONVERGED, "line_status": LineStatus.NO_FIT, "gas_model": GasModel.NONE}
    for name, code in codes.items():
        columns[name][failed] = code
    for name in ("bpt_class", "d_bpt_class"):
        columns[name][failed] = 0
    return columns
