"""Tables and figures of a whole survey, from the small datasets of every galaxy's artefacts."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from mangrove import artefacts
from mangrove.data_model import FIT_STATUS, LINE_STATUS, SPAXEL_STATUS, SPLIT, TRAINING_CUT
from mangrove.report.drawing import BPT_COLOURS, bpt_axes, new_figure, note
from mangrove.spectra.bpt import AGN, BPT_CLASS, COMPOSITE, STAR_FORMING, bpt_class, bpt_ratios

#: S/N of the four lines above which a baxel is in the BPT diagram.
BPT_SNR = 3.0

#: What the names of statuses and cuts mean, in words.
MEANING = {
    "spaxel": {
        "binned": "member of a baxel",
        "outside_field": "no good pixel in the whole spectrum",
        "foreground_star": "a star of the Milky Way covers it",
        "masked": "less than half of the continuum range is good",
        "below_min_snr": "signal to noise below extract.min_snr",
    },
    "baxel": {
        "ok": "fitted",
        "too_few_pixels": "too few good pixels for a fit",
        "all_masked": "no good pixel in the fitted range",
        "not_converged": "the fit gave no finite solution",
        "velocity_at_bound": "velocity of stars or gas at the bound: wrong redshift, or nothing to fit",
        "sigma_star_at_bound": "stellar dispersion at its upper bound",
        "sigma_below_line_spread": "stellar dispersion smaller than its correction for line spread",
        "no_stellar_continuum": "no template of stars has weight",
        "sigma_gas_at_bound": "gas dispersion at its upper bound: lines too faint or broad",
    },
    "line": {
        "ok": "measured (not necessarily detected)",
        "outside_range": "not in the fitted range",
        "masked": "more than half of its pixels are masked",
        "no_fit": "the baxel has no fit",
    },
    "training spectrum": {
        "kept": "in the training spectra",
        "too_few_good_pixels": "fewer good bins than training_spectra.min_good_fraction",
        "low_snr": "signal to noise below training_spectra.min_snr",
        "no_normalisation": "no positive flux in the normalisation band",
        "lowest_minimum": "among the lowest minima of the sample",
        "highest_maximum": "among the highest maxima of the sample, emission lines apart",
    },
}

#: Rows that stand for all training spectra; they lie in hashed order, so the first are a random sample.
SAMPLE_ROWS = 2000
_N_EXAMPLES = 4
_EXAMPLE_SHIFT = 2.0
_DENSITY_FROM = 3000
_OK_GALAXY = "has baxels"


class Baxels(NamedTuple):
    """Columns over all baxels of the survey, shape (n_baxel,).

    Attributes
    ----------
    status : ndarray of int
        A key of FIT_STATUS.
    snr, n_spaxel, chi2_reduced : ndarray
    sigma_star_err, sigma_gas_err : ndarray
        km/s.
    log_nii_ha, log_oiii_hb : ndarray
        NaN unless all four lines have S/N above :data:`BPT_SNR`.
    """

    status: np.ndarray
    snr: np.ndarray
    n_spaxel: np.ndarray
    chi2_reduced: np.ndarray
    sigma_star_err: np.ndarray
    sigma_gas_err: np.ndarray
    log_nii_ha: np.ndarray
    log_oiii_hb: np.ndarray


class Survey(NamedTuple):
    """What the tables and figures need of all galaxies.

    Attributes
    ----------
    galaxies : Counter of (status, reason)
    spaxels, lines : Counter of int
        By key of SPAXEL_STATUS and of LINE_STATUS.
    n_baxel : ndarray of int, shape (n_galaxy,)
    target_snr : float
    baxels : Baxels
    """

    galaxies: Counter
    spaxels: Counter
    lines: Counter
    n_baxel: np.ndarray
    target_snr: float
    baxels: Baxels


class StatusRow(NamedTuple):
    """One row of the table of statuses."""

    what: str
    status: str
    meaning: str
    count: int


def read_survey(extracts: Iterable[str], fits: Iterable[str]) -> Survey:
    """Read the small datasets of every galaxy, one galaxy at a time; never its spectra.

    Parameters
    ----------
    extracts, fits : iterable of path
        Artefacts of the same galaxies in the same order.
    """
    galaxies, spaxels, lines, parts, target = Counter(), Counter(), Counter(), [], np.nan
    for extract_path, fit_path in zip(extracts, fits, strict=True):
        extract = artefacts.read(extract_path, "extract", ["spaxel_status", "n_spaxel"])
        fit = artefacts.read(fit_path, "fit", _FIT_DATASETS)
        worst = fit if extract.ok else extract
        galaxies[(worst.attrs["status"], worst.attrs["reason"])] += 1
        _count(spaxels, extract["spaxel_status"])
        _count(lines, fit["line_status"])
        parts.append(_baxels(extract, fit))
        target = json.loads(extract.attrs["params"]).get("target_snr", np.nan)
    n_baxel = np.array([len(part.snr) for part in parts])
    return Survey(galaxies, spaxels, lines, n_baxel, float(target), _joined(parts))


def status_table(survey: Survey, training_spectra: str, line_cube_set: str) -> list[StatusRow]:
    """Counts per status of galaxies, spaxels, baxels, lines, training spectra and line cubes.

    Parameters
    ----------
    training_spectra, line_cube_set : path
        Artefacts of the survey.
    """
    rows = [StatusRow("galaxy", s, reason or _OK_GALAXY, n) for (s, reason), n in sorted(survey.galaxies.items())]
    fits = Counter(survey.baxels.status.astype(int).tolist())
    cuts = Counter(artefacts.read(training_spectra, "training_spectra", ["candidate_cut"])["candidate_cut"].tolist())
    rows += _status_rows("spaxel", SPAXEL_STATUS, survey.spaxels)
    rows += _status_rows("baxel", FIT_STATUS, fits)
    rows += _status_rows("line", LINE_STATUS, survey.lines)
    rows += _status_rows("training spectrum", TRAINING_CUT, cuts)
    n_cube = len(artefacts.read(line_cube_set, "line_cube_set", ["split"])["split"])
    without = survey.n_baxel.size - n_cube
    return [
        *rows,
        StatusRow("line cube", "ok", "in the set of line cubes", n_cube),
        StatusRow("line cube", "all_masked", "no spaxel near the centre has data at any of the lines", without),
    ]


def bpt_figure(survey: Survey) -> Figure:
    """All baxels whose four lines have S/N above :data:`BPT_SNR`, by class, with the fraction in each class."""
    figure = new_figure(9, 8)
    axes = figure.subplots()
    bpt_axes(axes)
    x, y = survey.baxels.log_nii_ha, survey.baxels.log_oiii_hb
    use = np.isfinite(x)
    kind = bpt_class(x[use], y[use])
    if use.sum() > _DENSITY_FROM:
        extent = (*axes.get_xlim(), *axes.get_ylim())
        shown = axes.hexbin(x[use], y[use], gridsize=90, extent=extent, bins="log", cmap="viridis", mincnt=1)
        figure.colorbar(shown, ax=axes, pad=0.02).set_label("baxels per cell")
    for code in (STAR_FORMING, COMPOSITE, AGN):
        name, inside = BPT_CLASS[code], kind == code
        # Where a density is drawn the classes have their entry in the legend only.
        drawn = inside & (use.sum() <= _DENSITY_FROM)
        share = f"{name}: {100 * inside.mean():.1f} %" if kind.size else f"{name}: none"
        axes.plot(x[use][drawn], y[use][drawn], "o", ms=4, alpha=0.6, mew=0, color=BPT_COLOURS[name], label=share)
    if not kind.size:
        note(axes, f"no baxel with S/N > {BPT_SNR:g} in all four lines")
    axes.set_title(f"{kind.size} of {use.size} baxels with S/N > {BPT_SNR:g} in all four lines")
    axes.legend(loc="lower left", fontsize=10)
    return figure


def quality_figure(survey: Survey) -> Figure:
    """Reduced chi2, S/N reached against the target, errors of the dispersions against S/N, baxels per galaxy."""
    figure = new_figure(14, 10)
    axes = figure.subplots(2, 2)
    _chi2_panel(axes[0, 0], survey.baxels)
    _snr_panel(axes[0, 1], survey)
    _error_panel(axes[1, 0], survey.baxels)
    axes[1, 1].hist(survey.n_baxel, bins=min(30, max(5, survey.n_baxel.size)), color="#4c78a8")
    axes[1, 1].set(xlabel="baxels per galaxy", ylabel="galaxies")
    counts = survey.n_baxel
    axes[1, 1].set_title(f"{counts.size} galaxies, {np.sum(counts == 0)} without baxels, {counts.sum()} baxels")
    return figure


def training_figure(path: str) -> Figure:
    """Normalised training spectra: median and scatter, examples, counts per cut and per side of the split.

    Parameters
    ----------
    path : path
        Artefact 'training_spectra'; of its spectra only the first :data:`SAMPLE_ROWS` are read.
    """
    with artefacts.opened(path, "training_spectra") as f:
        wave, flux, snr = f["wave"][...], f["flux"][:SAMPLE_ROWS], f["snr"][:SAMPLE_ROWS]
        split, cut = f["split"][...], f["candidate_cut"][...]
    figure = new_figure(15, 11)
    grid = figure.add_gridspec(3, 2, height_ratios=[1, 1, 0.7])
    upper, middle = figure.add_subplot(grid[0, :]), figure.add_subplot(grid[1, :])
    if len(flux):
        _scatter_panel(upper, wave, flux)
        _example_panel(middle, wave, flux, snr)
    else:
        note(upper, "no training spectra")
        note(middle, "no training spectra")
    upper.set_title(f"{len(split)} training spectra; shown: {len(flux)}")
    _bars(figure.add_subplot(grid[2, 0]), TRAINING_CUT, cut, "baxels by cut")
    _bars(figure.add_subplot(grid[2, 1]), SPLIT, split, "training spectra by side of the split")
    return figure


_FIT_DATASETS = [
    "status",
    "snr",
    "chi2_reduced",
    "sigma_star_err",
    "sigma_gas_err",
    "line",
    "line_status",
    "line_flux",
    "line_flux_err",
]


def _count(counter: Counter, codes) -> None:
    values, counts = np.unique(codes, return_counts=True)
    counter.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))


def _baxels(extract, fit) -> Baxels:
    ratios = bpt_ratios(fit["line_flux"], fit["line_flux_err"], fit["line"], BPT_SNR)
    names = ("chi2_reduced", "sigma_star_err", "sigma_gas_err")
    return Baxels(fit["status"], fit["snr"], extract["n_spaxel"], *(fit[name] for name in names), *ratios)


def _joined(parts: list[Baxels]) -> Baxels:
    return Baxels(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _status_rows(what: str, names: dict[int, str], counts: Counter) -> list[StatusRow]:
    return [StatusRow(what, name, MEANING[what][name], counts[code]) for code, name in names.items()]


def _chi2_panel(axes: Axes, baxels: Baxels) -> None:
    chi2 = baxels.chi2_reduced[np.isfinite(baxels.chi2_reduced)]
    axes.hist(np.clip(chi2, 0.0, 3.0), bins=np.linspace(0.0, 3.0, 76), color="#4c78a8")
    axes.axvline(1.0, color="k", lw=1)
    axes.set(xlabel="reduced χ² (last bar: 3 and above)", ylabel="baxels", xlim=(0, 3))
    if chi2.size:
        axes.set_title(f"reduced χ²: median {np.median(chi2):.2f}, {100 * np.mean(chi2 < 2):.1f} % below 2")


def _snr_panel(axes: Axes, survey: Survey) -> None:
    snr, many = survey.baxels.snr, survey.baxels.n_spaxel > 1
    top = max(2.0 * survey.target_snr if np.isfinite(survey.target_snr) else 40.0, 1.0)
    bins = np.linspace(0.0, top, 61)
    parts = [np.clip(snr[many], 0, top), np.clip(snr[~many], 0, top)]
    axes.hist(parts, bins=bins, stacked=True, color=["#4c78a8", "#f2a65a"], label=["several spaxels", "one spaxel"])
    axes.axvline(survey.target_snr, color="k", lw=1, label=f"target {survey.target_snr:g}")
    axes.set(xlabel=f"S/N reached per pixel (last bar: {top:g} and above)", ylabel="baxels", xlim=(0, top))
    if many.any():
        axes.set_title(f"S/N of baxels of several spaxels: median {np.median(snr[many]):.1f}")
    axes.legend(fontsize=10)


def _error_panel(axes: Axes, baxels: Baxels) -> None:
    for values, label, colour in (
        (baxels.sigma_star_err, "stars", "#2c7fb8"),
        (baxels.sigma_gas_err, "gas", "#41ab5d"),
    ):
        use = np.isfinite(values) & (values > 0) & (baxels.snr > 0)
        snr, error = baxels.snr[use], values[use]
        if use.sum() > _DENSITY_FROM:
            _median_band(axes, snr, error, label, colour)
        else:
            axes.plot(snr, error, ".", ms=4, alpha=0.6, color=colour, label=label)
    axes.set(xscale="log", yscale="log", xlabel="S/N per pixel", ylabel="error of σ (km/s)")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_title("error of the velocity dispersions")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=10)


def _median_band(axes: Axes, snr, error, label: str, colour: str) -> None:
    """Median and 16-84 % of the errors in bins of S/N that hold at least 20 baxels."""
    edges = np.geomspace(snr.min(), snr.max() * 1.001, 25)
    which = np.digitize(snr, edges) - 1
    full = np.flatnonzero(np.bincount(which) >= 20)
    low, middle, high = np.array([np.percentile(error[which == k], [16, 50, 84]) for k in full]).T
    centre = np.sqrt(edges[full] * edges[full + 1])
    axes.fill_between(centre, low, high, color=colour, alpha=0.25, lw=0)
    axes.plot(centre, middle, color=colour, label=label)


def _scatter_panel(axes: Axes, wave, flux) -> None:
    low, middle, high = np.percentile(flux, [16, 50, 84], axis=0)
    axes.fill_between(wave, low, high, color="#9ecae1", lw=0, label="16-84 %")
    axes.plot(wave, middle, color="#08519c", lw=0.9, label="median")
    axes.set(xlim=(wave[0], wave[-1]), xlabel="rest wavelength, vacuum (Å)", ylabel="flux / mean in the band")
    axes.set_ylim(0, 1.15 * float(np.percentile(high, 99.5)))
    axes.legend(loc="upper left", fontsize=10)


def _example_panel(axes: Axes, wave, flux, snr) -> None:
    """The first rows, each shifted up."""
    rows = range(min(_N_EXAMPLES, len(flux)))
    for k in rows:
        axes.plot(wave, flux[k] + _EXAMPLE_SHIFT * k, lw=0.6)
        end = float(flux[k][-50:].mean()) + _EXAMPLE_SHIFT * k
        axes.text(1.003, end, f"S/N {snr[k]:.0f}", transform=axes.get_yaxis_transform(), va="center", fontsize=9)
    top = np.percentile(flux[: len(rows)] + _EXAMPLE_SHIFT * np.arange(len(rows))[:, None], 99.7)
    axes.set(xlim=(wave[0], wave[-1]), ylim=(0, 1.05 * top), xlabel="rest wavelength, vacuum (Å)")
    axes.set_ylabel(f"flux / mean in the band\n+ {_EXAMPLE_SHIFT:g} per spectrum")
    axes.set_title("examples")


def _bars(axes: Axes, names: dict[int, str], codes, title: str) -> None:
    counts = [int(np.sum(codes == code)) for code in names]
    labels = [name.replace("_", " ") for name in names.values()]
    bars = axes.barh(labels, counts, color="#4c78a8")
    axes.bar_label(bars, padding=4, fontsize=10)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set(title=title, xlabel="number")
