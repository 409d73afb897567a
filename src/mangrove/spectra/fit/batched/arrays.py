"""Galaxies and spectra as the arrays of a batch, padded so that few shapes are compiled.

Spectra are padded with pixels that are not good, and galaxies with templates without light.
"""

from collections.abc import Sequence

import numpy as np
from scipy import fft

from mangrove.physics.lines import BROAD_LINES, LineList
from mangrove.physics.wavelengths import C_KMS
from mangrove.spectra.fit.batched.batch import LEAST_LINE_WINDOW, BatchLayout, Galaxies, Lines, Spectra
from mangrove.spectra.fit.bounds import START_SIGMA_STAR
from mangrove.spectra.fit.component_names import MAIN, SECOND
from mangrove.spectra.fit.galaxy import GalaxyFit
from mangrove.spectra.fit.limits import star_bounds
from mangrove.spectra.fit.line_coverage import fitted_lines
from mangrove.spectra.fit.regularisation import second_differences
from mangrove.spectra.fit.settings import Guide
from mangrove.spectra.fit.shape import legendre, relative_curve
from mangrove.spectra.fit.spectrum import Spectrum

#: Pixels of data are padded to a multiple of this.
_PIXEL_STEP = 64
#: What holds a line reaches to so many sigma of the line spread at least.
_LINE_REACH = 5.0


def layout_of(
    galaxies: Sequence[GalaxyFit], spectra: Sequence[Spectrum], components: Sequence[int] = (MAIN,)
) -> BatchLayout:
    """The layout of galaxies with spectra; galaxies of one survey share it, or a few do.

    Parameters
    ----------
    components : sequence of int
        Of the gas, indices in :data:`mangrove.spectra.fit.component_names.COMPONENTS`.
    """
    ((attenuation, degree),) = {galaxy.settings.continuum[:2] for galaxy in galaxies}
    # Galaxies of a survey have templates of one length. The transforms have that of fit.templates.broaden: where stars are
    # broadened by less than a pixel, what comes back from the ends of the templates depends on it.
    n_template_wave = max(galaxy.stars.wave.size for galaxy in galaxies)
    n_fft = fft.next_fast_len(n_template_wave + 1, real=True)
    # The model is cut from what the transforms give back: of few pixels, the next step may be more than they have.
    n_wave = min(_padded(max(spectrum.wave.size for spectrum in spectra)), n_fft)
    one = BatchLayout(n_wave, n_fft, (), (), attenuation, degree)
    one = one._replace(line_window=_line_window(spectra, n_fft))
    return with_gas(one, galaxies[0].lines, components)


def with_gas(layout: BatchLayout, lines: LineList, components: Sequence[int]) -> BatchLayout:
    """The same layout with other components of the gas."""
    free = np.flatnonzero(lines.partner == np.arange(len(lines.name)))
    broad = np.isin(free, [lines.index(name) for name in BROAD_LINES])
    columns = [(int(line), c) for c in components for line in (free if c in (MAIN, SECOND) else free[broad])]
    return layout._replace(gas_line=tuple(line for line, _ in columns), gas_component=tuple(c for _, c in columns))


def lines_of(layout: BatchLayout, lines: LineList) -> Lines:
    """The line list as arrays, with the lines tied to each template of the gas."""
    # A flux ratio is a ratio of pixel sums times wavelength, as pixels widen with wavelength.
    scale = lines.ratio * lines.wave[lines.partner] / lines.wave
    tied = lines.partner[:, None] == np.array(layout.gas_line)
    broad = np.isin(lines.name, BROAD_LINES)
    return Lines(lines.wave, lines.ratio, lines.partner.astype(np.int32), broad, tied * scale[:, None])


def galaxies_of(layout: BatchLayout, galaxies: Sequence[GalaxyFit], spectra: Sequence[Spectrum]) -> Galaxies:
    """Templates of galaxies as arrays.

    Parameters
    ----------
    spectra : sequence of Spectrum
        One of each galaxy, for its wavelengths.
    """
    n_star = max(galaxy.stars.flux.shape[1] for galaxy in galaxies)
    rows = [_of_galaxy(layout, galaxy, one, n_star) for galaxy, one in zip(galaxies, spectra, strict=True)]
    return Galaxies(*(np.stack(values) for values in zip(*rows, strict=True)))


def spectra_of(
    layout: BatchLayout,
    galaxies: Sequence[GalaxyFit],
    which,
    spectra: Sequence[Spectrum],
    guides: Sequence[Guide | None],
) -> Spectra:
    """Spectra as arrays.

    Parameters
    ----------
    which : sequence of int
        The galaxy of each spectrum.

    Raises
    ------
    SpectrumError
        If no emission line lies in the range of a spectrum.
    """
    rows = [
        _of_spectrum(layout, galaxies[i], i, spectrum, guide)
        for i, spectrum, guide in zip(which, spectra, guides, strict=True)
    ]
    return Spectra(*(np.stack(values) for values in zip(*rows, strict=True)))


def _line_window(spectra: Sequence[Spectrum], n_fft: int) -> int:
    """Half width of what holds a line, pixels: one value for all usual instruments, wider for coarser ones."""
    window, widest = LEAST_LINE_WINDOW, max(np.max(one.lsf_sigma / one.wave / one.log_step) for one in spectra)
    while window < min(_LINE_REACH * widest, n_fft // 4):
        window *= 2
    return window


def _padded(n: int) -> int:
    return -(-n // _PIXEL_STEP) * _PIXEL_STEP


def _of_galaxy(layout: BatchLayout, galaxy: GalaxyFit, spectrum: Spectrum, n_star: int) -> Galaxies:
    stars, n, step = galaxy.stars, spectrum.wave.size, spectrum.log_step
    scale = float(np.median(np.abs(stars.flux)))
    flux = np.zeros((n_star, stars.wave.size))
    flux[: stars.flux.shape[1]] = stars.flux.T / scale
    wave = spectrum.wave[0] * np.exp(step * np.arange(layout.n_wave))
    wave[:n] = spectrum.wave
    polynomials = np.zeros((layout.degree, layout.n_wave))
    polynomials[:, :n] = legendre(n, layout.degree).T
    settings = galaxy.settings
    prior = settings.continuum.calibration_error
    return Galaxies(
        transform=fft.rfft(flux, layout.n_fft),
        scale=np.float64(scale),
        roughness=_roughness(galaxy, scale, n_star),
        wave=wave,
        curve=np.append(relative_curve(spectrum.wave), np.zeros(layout.n_wave - n)),
        legendre=polynomials,
        template_lsf=np.interp(wave, stars.wave, stars.lsf_sigma),
        pixel=np.float64(C_KMS * step),
        offset=np.float64(np.log(spectrum.wave[0] / stars.wave[0]) / step),
        line_place=np.log(galaxy.lines.wave / stars.wave[0]) / step,
        z=np.float64(galaxy.z),
        polynomial_hold=np.float64(prior**-2.0 if prior > 0 else 0.0),
        velocity_bound=np.float64(settings.velocity_bound),
        clip_sigma=np.float64(settings.clip_sigma),
        rescale_noise=np.bool_(settings.rescale_noise),
    )


def _roughness(galaxy: GalaxyFit, scale: float, n_star: int) -> np.ndarray:
    rows = second_differences(galaxy.stars, galaxy.settings.regularisation) / scale
    whole = np.zeros((n_star, n_star))
    whole[: rows.shape[1], : rows.shape[1]] = rows.T @ rows
    return whole


def _of_spectrum(
    layout: BatchLayout, galaxy: GalaxyFit, index: int, spectrum: Spectrum, guide: Guide | None
) -> Spectra:
    n = spectrum.wave.size

    def padded(values, fill):
        return np.append(values, np.full(layout.n_wave - n, fill))

    limits = np.array(star_bounds(galaxy.settings, guide))
    start = np.array([0.0, START_SIGMA_STAR]) if guide is None else np.array([guide.v, guide.sigma])
    if guide is not None and guide.half_width == 0:
        limits = np.column_stack([start, start])
    return Spectra(
        galaxy=np.int32(index),
        flux=padded(spectrum.flux, 0.0),
        error=padded(spectrum.error, 1.0),
        lsf=padded(spectrum.lsf_sigma, spectrum.lsf_sigma[-1]),
        good=padded(spectrum.good, False),
        n_wave=np.int32(n),
        use=fitted_lines(spectrum, galaxy.lines),
        norm=np.median(np.abs(spectrum.flux[spectrum.good])),
        seed=np.array([spectrum.seed >> 32 & 0xFFFFFFFF, spectrum.seed & 0xFFFFFFFF], np.uint32),
        start=start,
        low=limits[:, 0],
        high=limits[:, 1],
        guide=np.array(guide if guide is not None else [np.nan] * len(Guide._fields), float),
    )
