"""Make the pictures of the explorer in README and docs from a finished run.

    python tools/explorer_pictures.py [results/demo] [docs/pictures/explorer]

Each is what a window of 1366 x 900 pixels shows of a page in Chromium, made smaller. The folder holds nothing else
afterwards.
"""

import shutil
import sys
import tempfile
import threading
from pathlib import Path

from docs_pictures import BROWSERS, richest_galaxy, shrink
from playwright.sync_api import sync_playwright

from mangrove.explorer.server import bound

#: Window of the browser, pixels, and how long a page has to draw itself, ms.
WINDOW, PATIENCE = {"width": 1366, "height": 900}, 60_000


def main(run: Path, target: Path) -> None:
    """Make all pictures of ``run`` in the folder ``target``."""
    server = bound(run, "127.0.0.1", 0)
    threading.Thread(target=server.run, daemon=True).start()
    address = f"http://127.0.0.1:{server.effective_port}"
    with tempfile.TemporaryDirectory() as folder:
        for name, place in pages(richest_galaxy(run)).items():
            picture = Path(folder, f"{name}.png")
            take(address + place, picture)
            shrink(picture, picture)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder, target)
    print(f"{len(list(target.iterdir()))} pictures of {run} in {target}")


def pages(galaxy: str) -> dict[str, str]:
    """Places in the explorer by the names of their pictures."""
    return {
        "spectral-map": "/spectral-map?label=log_age_lw&node=12",
        "galaxy": f"/galaxy/{galaxy}?baxel=3",
        "anomalies": "/anomalies",
        "emulator": "/emulator?row=17",
    }


def take(address: str, picture: Path) -> None:
    """Write what the window shows of a page once its figures are drawn."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit(f"no Chromium here; looked for {', '.join(BROWSERS)}.")
    arguments = ["--no-sandbox", "--disable-background-networking"]
    with sync_playwright() as tool, tool.chromium.launch(executable_path=browser, args=arguments) as chromium:
        page = chromium.new_page(viewport=WINDOW)
        page.goto(address, wait_until="networkidle", timeout=PATIENCE)
        page.wait_for_selector(".js-plotly-plot .main-svg", timeout=PATIENCE)
        page.wait_for_load_state("networkidle", timeout=PATIENCE)
        page.wait_for_timeout(2000)
        page.screenshot(path=picture)


if __name__ == "__main__":
    if len(sys.argv) > 3:
        sys.exit(__doc__)
    arguments = [Path(argument) for argument in sys.argv[1:]]
    main(*arguments, *[Path("results/demo"), Path("docs/pictures/explorer")][len(arguments) :])
