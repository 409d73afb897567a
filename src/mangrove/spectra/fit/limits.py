"""Limits of what a fit varies, as its settings and a guide say."""

from mangrove.spectra.fit.bounds import SIGMA_STAR_BOUND
from mangrove.spectra.fit.settings import FitSettings, Guide


def star_bounds(settings: FitSettings, guide: Guide | None) -> list[tuple[float, float]]:
    """Limits of the stars' velocity and dispersion, km/s."""
    limits = [(-settings.velocity_bound, settings.velocity_bound), SIGMA_STAR_BOUND]
    if guide is None or guide.half_width == 0:
        return limits
    around = zip((guide.v, guide.sigma), limits, strict=True)
    return [(max(low, x - guide.half_width), min(high, x + guide.half_width)) for x, (low, high) in around]
