"""The figure of one fitted spectrum."""

import numpy as np

from mangrove.report.limits import robust_limits

_COLOURS = {"flux": "0.35", "model": "#d7301f", "stars": "#2c7fb8", "gas": "#41ab5d"}
_LABELS = {"flux": "data", "model": "stars + gas", "stars": "stars", "gas": "gas"}


def draw_fit(fit):
    """Data, model and components above, the residual over the error below; pixels that did not count are left out.

    Parameters
    ----------
    fit : mangrove.api.SpectrumFit

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib import pyplot as plt  # chooses a backend, which only a user's own session should do

    figure, (upper, lower) = plt.subplots(
        2, 1, sharex=True, figsize=(11.0, 5.0), height_ratios=(3, 1), layout="constrained"
    )
    spectrum, used = fit.spectrum, np.asarray(fit.spectrum["used"])
    wave = spectrum["rest_wave"].value
    shown = {name: np.asarray(spectrum[name].value, float) for name in _COLOURS}
    shown["flux"] = np.where(used, shown["flux"], np.nan)
    for name, values in shown.items():
        upper.plot(wave, values, color=_COLOURS[name], lw=0.8, label=_LABELS[name])
    residual = (shown["flux"] - shown["model"]) / np.asarray(spectrum["error"].value)
    lower.plot(wave, residual, color="0.35", lw=0.6)
    lower.axhline(0.0, color=_COLOURS["model"], lw=0.8)
    if used.any():
        upper.set(xlim=(wave[used][0], wave[used][-1]), ylim=with_zero(shown["flux"]))
    lower.set(ylim=(-6.0, 6.0), ylabel="residual\n/ error", xlabel="rest wavelength, vacuum (Å)")
    upper.set_ylabel(f"flux density\n({spectrum['flux'].unit.to_string('latex_inline')})")
    upper.set_title(_title(fit), loc="left", fontsize=11)
    upper.legend(ncols=4, fontsize=9, frameon=False, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)
    return figure


def with_zero(flux) -> tuple[float, float]:
    """Limits with zero and the continuum in sight; the strongest lines may leave the panel."""
    low, high = robust_limits(flux, 0.5, 99.5)
    return min(low, 0.0), 1.25 * high if high > 0 else 1.0


def _title(fit) -> str:
    status = f"status: {fit.status.replace('_', ' ')}"
    if not np.isfinite(fit["v_star"].value):
        return status
    numbers = (("V star", "v_star"), ("σ star", "sigma_star"), ("V gas", "v_gas"), ("σ gas", "sigma_gas"))
    kinematics = "    ".join(f"{text} {fit[name].value:.0f} ± {fit[name + '_err'].value:.0f}" for text, name in numbers)
    return f"{kinematics} km/s    χ² {fit['chi2_reduced'].value:.2f}    {status}"
