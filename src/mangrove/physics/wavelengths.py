"""Wavelength scales: vacuum and air, log-linear grids, flux-conserving rebinning, velocities."""

import numpy as np

C_KMS = 299792.458
SIGMA_TO_FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))


def air_to_vacuum(wave):
    """Vacuum wavelength of an air wavelength (Ciddor 1996, in the form of the VALD inverse by N. Piskunov).

    Parameters
    ----------
    wave : array_like
        Air wavelength, Angstrom, above 2000.
    """
    wave = np.asarray(wave, float)
    s2 = (1e4 / wave) ** 2
    n = 1.0 + 8.336624212083e-5 + 2.408926869968e-2 / (130.1065924522 - s2) + 1.599740894897e-4 / (38.92568793293 - s2)
    return wave * n


def log_grid(low: float, high: float, n: int) -> np.ndarray:
    """Centres, shape (n,), of ``n`` bins of equal width in log wavelength that span low to high (edges)."""
    edges = np.linspace(np.log(low), np.log(high), n + 1)
    return np.exp(0.5 * (edges[1:] + edges[:-1]))


def log_edges(wave) -> np.ndarray:
    """Edges, shape (n_wave + 1,), of the pixels of a log-linear scale of centres, shape (n_wave,)."""
    ln = np.log(np.asarray(wave, float))
    step = (ln[-1] - ln[0]) / (ln.size - 1)
    return np.exp(np.concatenate([ln - 0.5 * step, [ln[-1] + 0.5 * step]]))


def linear_edges(wave) -> np.ndarray:
    """Edges of pixels, shape (n_wave + 1,), half-way between their centres."""
    wave = np.asarray(wave)
    middle = 0.5 * (wave[1:] + wave[:-1])
    return np.concatenate([[2 * wave[0] - middle[0]], middle, [2 * wave[-1] - middle[-1]]])


def off_log_linear(wave) -> np.ndarray:
    """Distance of each wavelength from the log-linear scale between the first and the last, pixels, shape (n_wave,)."""
    ln = np.log(wave)
    return np.abs(ln - np.linspace(ln[0], ln[-1], ln.size)) * (ln.size - 1) / (ln[-1] - ln[0])


def overlap_matrix(edges_in, edges_out):
    """Fractions of the output pixels that the input pixels cover.

    Parameters
    ----------
    edges_in : ndarray, shape (n_in + 1,)
    edges_out : ndarray, shape (n_out + 1,)
        Increasing, same unit.

    Returns
    -------
    scipy.sparse.csr_array, shape (n_out, n_in)
        Element (j, i) is the part of output pixel j that lies in input pixel i. Applied to a flux density
        it conserves the integrated flux; rows sum to 1 where the input covers the pixel. Applied with its
        squares to variances it propagates independent errors.
    """
    from scipy import sparse

    edges_in, edges_out = np.asarray(edges_in, float), np.asarray(edges_out, float)
    # Every piece between two successive edges of either grid belongs to one pixel of each.
    cuts = np.union1d(edges_in, edges_out)
    low = max(edges_in[0], edges_out[0])
    high = min(edges_in[-1], edges_out[-1])
    cuts = cuts[(cuts >= low) & (cuts <= high)]
    if cuts.size < 2:
        return sparse.csr_array((edges_out.size - 1, edges_in.size - 1))
    middle = 0.5 * (cuts[1:] + cuts[:-1])
    i = np.searchsorted(edges_in, middle, side="right") - 1
    j = np.searchsorted(edges_out, middle, side="right") - 1
    weight = np.diff(cuts) / np.diff(edges_out)[j]
    return sparse.csr_array((weight, (j, i)), shape=(edges_out.size - 1, edges_in.size - 1))


def smoothing_of_pixels(matrix, centre) -> np.ndarray:
    """By what rebinning widens a line at each new pixel, a mean over old ones: standard deviation of their centres.

    Nothing where it is one old pixel, half a pixel where it is the mean of two, width / sqrt(12) where it is one of many.
    It changes from pixel to pixel, as one spectrum needs it; :func:`mean_smoothing` is what its square is in the mean.

    Parameters
    ----------
    matrix : csr_array, shape (n_out, n_in)
        Of :func:`overlap_matrix`.
    centre : ndarray, shape (n_in,)
        Of the old pixels, Angstrom.

    Returns
    -------
    ndarray, shape (n_out,)
        Angstrom.
    """
    total = matrix.sum(axis=1)
    known = total > 0
    weight = np.where(known, total, 1.0)
    # About the middle of the range: squares of wavelengths would lose digits.
    offset = centre - centre.mean()
    mean = matrix @ offset / weight
    return np.sqrt(np.clip(matrix @ offset**2 / weight - mean**2, 0.0, None))


def mean_smoothing(edges_in, edges_out, wave) -> np.ndarray:
    """By what rebinning widens a line, in the mean over the places of old pixels in new ones: standard deviation.

    A new pixel takes its light as spread evenly over the old ones, and is a mean over its own width. It is smooth in
    wavelength, as a line spread that many spectra share must be; :func:`smoothing_of_pixels` is that of each pixel.

    Parameters
    ----------
    edges_in : ndarray, shape (n_in + 1,)
    edges_out : ndarray, shape (n_out + 1,)
        Increasing, Angstrom.
    wave : ndarray, shape (n_out,)
        Centres of the new pixels, Angstrom.

    Returns
    -------
    ndarray, shape (n_out,)
        Angstrom.
    """
    old = np.interp(wave, 0.5 * (edges_in[1:] + edges_in[:-1]), np.diff(edges_in))
    return np.hypot(old, np.diff(edges_out)) / np.sqrt(12.0)


def velocity_to_redshift(velocity, z_reference):
    """Redshift of a velocity c ln((1 + z)/(1 + z_reference)), km/s: pPXF's convention (Cappellari 2017, equation 8)."""
    return (1.0 + z_reference) * np.exp(np.asarray(velocity) / C_KMS) - 1.0
