"""Make the pictures of README and of the gallery from a finished run of the demo.

    python tools/docs_pictures.py [results/demo] [docs/pictures/demo]

``galaxy.png`` is drawn from the artefacts of the galaxy with the most baxels among those that the report shows.
``report.png`` is the report with a page of that galaxy open, as Chromium shows it; without Chromium it is the figure of
that page alone. The others are the figures of the report, made smaller. The folder holds nothing else afterwards.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from mangrove import artefacts
from mangrove.artefacts import Artefact
from mangrove.lines import fit_lines
from mangrove.report import galaxy
from mangrove.report.drawing import DPI, robust_limits, save_png
from mangrove.report.label_style import STYLE, shown_limits, shown_values
from mangrove.report.sky import draw_borders, draw_map, label_grid, on_spaxels, sky_frame
from mangrove.spectra.label_table import galaxy_labels
from mangrove.spectra.model import fitted_spectra, stored_model

#: Width, pixels, and size, bytes, that no picture exceeds.
WIDTH, SIZE = 1200, 400_000
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
#: Window of the browser, pixels.
WINDOW = (1600, 900)
#: The figure of the galaxy that is open in the picture of the report.
PAGE = "labels"


def main(run: Path, target: Path) -> None:
    """Make all pictures of ``run`` in the folder ``target``."""
    name = richest_galaxy(run)
    with tempfile.TemporaryDirectory() as folder:
        made, drawn = Path(folder, "made"), Path(folder, "drawn.png")
        made.mkdir()
        for picture, figure in report_figures(run, name).items():
            shrink(figure, made / f"{picture}.png")
        save_png(galaxy_figure(run, name), drawn)
        shrink(drawn, made / "galaxy.png")
        shrink(report_page(run, name, drawn), made / "report.png")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(made, target)
    print(f"{len(list(target.iterdir()))} pictures of {run}, galaxy {name}, in {target}")


def richest_galaxy(run: Path) -> str:
    """The plateifu of most baxels among the galaxies that the report shows."""
    shown = sorted(path.name.removesuffix("-maps.png") for path in (run / "report" / "galaxies").glob("*-maps.png"))
    if not shown:
        sys.exit(f"{run} has no figures of galaxies. Run 'make demo' first, or name a finished run.")
    return max(shown, key=lambda name: len(artefacts.read(extract_path(run, name), "extract", ["snr"])["snr"]))


def extract_path(run: Path, name: str) -> Path:
    """Where the artefact 'extract' of a galaxy lies."""
    return run / "spectra" / "extract" / f"{name}.h5"


def report_figures(run: Path, name: str) -> dict[str, Path]:
    """Figures of the report by the name of their picture: those of one galaxy, of the survey, of the emulator."""
    report = run / "report"
    figures = {f"galaxy-{path.stem.removeprefix(name + '-')}": path for path in report.glob(f"galaxies/{name}-*.png")}
    figures |= {path.stem: path for path in report.glob("*.png")}
    return figures | {f"emulator-{path.stem}": path for path in report.glob("emulator/*.png")}


def shrink(figure: Path, target: Path) -> None:
    """Write a picture of at most :data:`WIDTH` pixels across, with a palette."""
    with Image.open(figure) as image:
        small = image.convert("RGB")
    if small.width > WIDTH:
        small = small.resize((WIDTH, round(small.height * WIDTH / small.width)), Image.Resampling.LANCZOS)
    small.quantize(256).save(target, optimize=True)
    if target.stat().st_size > SIZE:
        sys.exit(f"{figure} gives a picture of {target.stat().st_size} bytes; the limit is {SIZE}.")


def galaxy_figure(run: Path, name: str) -> Figure:
    """Light, motions, line and age of a galaxy, and the spectrum of its brightest baxel with the fit."""
    extract = artefacts.read(extract_path(run, name), "extract", galaxy.EXTRACT_DATASETS)
    fit_file = run / "spectra" / "fit" / f"{name}.h5"
    fit, labels = artefacts.read(fit_file, "fit"), galaxy_labels(fit_file).columns
    figure = Figure(figsize=(13.0, 5.8), dpi=DPI)
    maps = figure.add_gridspec(1, 4, left=0.06, right=0.94, bottom=0.55, top=0.95, wspace=0.55).subplots()
    below = figure.add_gridspec(2, 1, left=0.06, right=0.98, bottom=0.09, top=0.43, height_ratios=(3, 1), hspace=0.08)
    spectrum = below.subplots(sharex=True)
    draw_maps(maps, extract, fit, labels)
    draw_fit(spectrum, extract, fit)
    return figure


def draw_maps(axes, extract: Artefact, fit: Artefact, labels) -> None:
    """The maps of :func:`galaxy_figure`."""
    frame = sky_frame(extract)
    light = np.log10(np.where(extract["signal"] > 0, extract["signal"], np.nan))
    draw_map(axes[0], frame, light, "starlight and baxels", f"log flux [{galaxy.FLUX_UNIT} Å$^{{-1}}$]", "gray")
    draw_borders(axes[0], frame, extract["bin_id"])
    velocity = fit["v_star"] - np.nanmedian(fit["v_star"])
    half = robust_limits(np.abs(velocity))[1]
    draw_map(axes[1], frame, on_spaxels(extract, velocity), "velocity of the stars", "km/s", "RdBu_r", (-half, half))
    halpha = fit_lines().index("Halpha-6565")
    flux, error = fit["line_flux"][:, halpha], fit["line_flux_err"][:, halpha]
    detected = np.log10(np.where(flux > galaxy.MAP_SNR * error, flux, np.nan))
    draw_map(axes[2], frame, on_spaxels(extract, detected), "Hα", f"log flux [{galaxy.FLUX_UNIT}]", "magma")
    age = shown_values(labels, "log_age_lw")
    style, limits = STYLE["log_age_lw"], shown_limits(labels, "log_age_lw")
    draw_map(axes[3], frame, on_spaxels(extract, age), "age of the stars", style.axis, style.cmap, limits)
    label_grid(axes[None, :], frame)


def draw_fit(axes: tuple[Axes, Axes], extract: Artefact, fit: Artefact) -> None:
    """Data, model and residual of the baxel of highest S/N."""
    upper, lower = axes
    i = int(np.nanargmax(extract["snr"]))
    prepared, spectra = fitted_spectra(extract, fit)
    spectrum, model = spectra[i], stored_model(fit, i, prepared, spectra[i])
    data = np.where(spectrum.good, spectrum.flux, np.nan)
    upper.plot(spectrum.wave, data, color="0.35", lw=0.8, label="data")
    upper.plot(spectrum.wave, model.stars + model.gas, color="#d7301f", lw=0.9, label="stars + gas")
    upper.plot(spectrum.wave, model.stars, color="#2c7fb8", lw=0.9, label="stars")
    upper.set(ylabel="flux density", xlim=(spectrum.wave[0], spectrum.wave[-1]), ylim=(0, None))
    upper.legend(loc="upper left", ncols=3, fontsize=9)
    lower.plot(spectrum.wave, (data - model.stars - model.gas) / spectrum.error, color="0.35", lw=0.6)
    lower.axhline(0.0, color="#d7301f", lw=0.8)
    lower.set(ylim=(-6, 6), ylabel="residual\n/ error", xlabel="rest wavelength, vacuum (Å)")
    figure = upper.figure
    figure.align_ylabels(axes)


def report_page(run: Path, name: str, figure: Path) -> Path:
    """The report with the page :data:`PAGE` of a galaxy open, as an image; ``figure`` is where it may be written."""
    page = run / "report" / "galaxies" / f"{name}-{PAGE}.png"
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print(f"no Chromium here (looked for {', '.join(BROWSERS)}): report.png is the figure {page}", file=sys.stderr)
        return page
    opened = figure.with_name("report.html")
    opened.write_text((run / "report.html").read_text(encoding="utf-8") + open_page(name), encoding="utf-8")
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars"]
    view = [f"--window-size={WINDOW[0]},{WINDOW[1]}", "--virtual-time-budget=10000", f"--screenshot={figure}"]
    subprocess.run([browser, *quiet, *view, opened.as_uri()], check=True, timeout=120, capture_output=True)
    with Image.open(figure) as image:
        shown = image.convert("RGB")
    # Chromium counts its own bars in the height of the window: the page ends where its side bar does.
    height = 1 + int(np.flatnonzero((np.asarray(shown)[:, 0] < 255).any(axis=1))[-1])
    shown.crop((0, 0, shown.width, height)).save(figure)
    return figure


def open_page(name: str) -> str:
    """A script for the end of Snakemake's report: opens the list of galaxies and the figure :data:`PAGE` of one."""
    wanted = json.dumps(f"/galaxies/{name}-{PAGE}.png")
    return f"""<script>
const waiting = setInterval(() => {{
  if (app === undefined) return;
  clearInterval(waiting);
  const path = Object.keys(results).find((key) => key.endsWith({wanted}));
  app.showCategory("Galaxies");
  const show = () => app.setView({{content: "img", contentPath: results[path].data_uri, resultPath: path}});
  setTimeout(show, 100);
}}, 100);
</script>
"""


if __name__ == "__main__":
    if len(sys.argv) > 3:
        sys.exit(__doc__)
    arguments = [Path(argument) for argument in sys.argv[1:]]
    main(*arguments, *[Path("results/demo"), Path("docs/pictures/demo")][len(arguments) :])
