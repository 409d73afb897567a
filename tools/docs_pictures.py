"""Make the pictures of README and of the gallery from a finished run of the demo.

    python tools/docs_pictures.py [results/demo] [docs/pictures/demo]

They are the figures of the report, made smaller; of the galaxies it is the one with the most baxels. ``report.png`` is
the first page of the report, as Chromium shows it; without Chromium it is the picture on that page alone. The folder
holds nothing else afterwards.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from mangrove import artefacts
from mangrove.errors import MangroveError

#: Width, pixels, and size, bytes, that no picture exceeds.
WIDTH, SIZE = 1200, 400_000
#: Folders of the report with figures of networks; of the autoencoders the plain one stands for both.
NETWORKS = ("emulator", "desom", "galaxy_map", "autoencoder/ae")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
#: Window of the browser, pixels.
WINDOW = (1400, 987)


def main(run: Path, target: Path) -> None:
    """Make all pictures of ``run`` in the folder ``target``."""
    name = richest_galaxy(run)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "made")
        made.mkdir()
        for picture, figure in report_figures(run, name).items():
            shrink(figure, made / f"{picture}.png")
        shrink(report_page(run, Path(folder, "page.png")), made / "report.png")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(made, target)
    print(f"{len(list(target.iterdir()))} pictures of {run}, galaxy {name}, in {target}")


def richest_galaxy(run: Path) -> str:
    """The plateifu of most baxels among the galaxies that the report shows."""
    shown = sorted(path.name.removesuffix("-maps.png") for path in (run / "report" / "galaxies").glob("*-maps.png"))
    if not shown:
        sys.exit(f"{run} has no figures of galaxies. Run 'make demo' first, or name a finished run.")
    extracts = {name: run / "spectra" / "extract" / f"{name}.h5" for name in shown}
    return max(shown, key=lambda name: len(artefacts.read(extracts[name], "extract", ["snr"])["snr"]))


def report_figures(run: Path, name: str) -> dict[str, Path]:
    """Figures of the report by the name of their picture: those of one galaxy, of the survey, of each network."""
    report = run / "report"
    figures = {f"galaxy-{path.stem.removeprefix(name + '-')}": path for path in report.glob(f"galaxies/{name}-*.png")}
    figures |= {path.stem: path for path in report.glob("*.png")}
    networks = {f"{name}/{path.stem}": path for name in NETWORKS for path in report.glob(f"{name}/*.png")}
    return figures | {re.sub("[_/]", "-", name): path for name, path in networks.items()}


def shrink(figure: Path, target: Path) -> None:
    """Write a picture of at most :data:`WIDTH` pixels across, with a palette."""
    with Image.open(figure) as image:
        small = image.convert("RGB")
    if small.width > WIDTH:
        small = small.resize((WIDTH, round(small.height * WIDTH / small.width)), Image.Resampling.LANCZOS)
    small.quantize(256).save(target, optimize=True)
    if target.stat().st_size > SIZE:
        sys.exit(f"{figure} gives a picture of {target.stat().st_size} bytes; the limit is {SIZE}.")


def report_page(run: Path, figure: Path) -> Path:
    """The first page of the report as an image, which may be written to ``figure``."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        picture = run / "report" / "overview.png"
        print(f"no Chromium here (looked for {', '.join(BROWSERS)}): report.png is {picture}", file=sys.stderr)
        return picture
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars"]
    view = [f"--window-size={WINDOW[0]},{WINDOW[1]}", "--virtual-time-budget=60000", f"--screenshot={figure}"]
    page = (run / "report.html").absolute().as_uri()
    subprocess.run([browser, *quiet, *view, page], check=True, timeout=120, capture_output=True)
    with Image.open(figure) as image:
        shown = image.convert("RGB")
    # Chromium counts its own bars in the height of the window: the page ends where its side bar does.
    height = 1 + int(np.flatnonzero((np.asarray(shown)[:, 0] < 255).any(axis=1))[-1])
    shown.crop((0, 0, shown.width, height)).save(figure)
    return figure


if __name__ == "__main__":
    if len(sys.argv) > 3:
        sys.exit(__doc__)
    arguments = [Path(argument) for argument in sys.argv[1:]]
    try:
        main(*arguments, *[Path("results/demo"), Path("docs/pictures/demo")][len(arguments) :])
    except MangroveError as error:
        sys.exit(f"{type(error).__name__}: {error}")
