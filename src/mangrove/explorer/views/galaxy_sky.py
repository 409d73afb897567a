"""The page of a galaxy: what is known of it, its maps, its place among others."""

import re
from collections.abc import Sequence

import numpy as np
from dash import dcc, html
from dash.development.base_component import Component

from mangrove.codes import FitStatus, SpaxelStatus
from mangrove.errors import ArtefactError
from mangrove.explorer.address import link
from mangrove.explorer.bpt_figure import bpt_figure, n_shown
from mangrove.explorer.catalogue import survey_source
from mangrove.explorer.downloads import buttons
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.fingerprint_figure import fingerprint_figure
from mangrove.explorer.galaxy_data import SeenGalaxy, catalogue_facts
from mangrove.explorer.galaxy_maps import bpt_map, kinematic_maps, line_titles, quantity_titles, shown_map
from mangrove.explorer.galaxy_neighbours import KinOf, kin_of
from mangrove.explorer.galaxy_selection import GalaxySelection
from mangrove.explorer.line_cube_maps import line_images, line_images_figure
from mangrove.explorer.map_figure import image_figure, map_figure, maps_figure
from mangrove.explorer.panels import facts, figure_panel, notice
from mangrove.explorer.thumbnails import thumbnail
from mangrove.notebook.label_rows import MAPPED_OF_LINES
from mangrove.report.galaxy_images import picture_of
from mangrove.report.wording import counted, in_words
from mangrove.survey.releases import release, split_plateifu
from mangrove.survey.target import PLATEIFU

IMAGE, MAP, KINEMATICS, BPT_MAP, BPT = (f"galaxy-{name}" for name in ("image", "map", "kinematics", "bpt-map", "bpt"))
FINGERPRINT, QUANTITY, LINE = "galaxy-fingerprint", "galaxy-quantity", "galaxy-line"
#: Images of lines from a line cube, and the download of their spaxels.
LINE_IMAGES, SPAXELS = "galaxy-lines", "galaxy-lines-spaxels"
#: Figures of which baxels are selected, for a table; of a fingerprint, nodes are.
WITH_LASSO = (IMAGE, MAP, KINEMATICS, BPT_MAP, BPT)
#: The public pages of MaNGA, and the archive of its images.
_MARVIN = "https://dr17.sdss.org/marvin/galaxy/{plateifu}/"
_IMAGES = "https://data.sdss.org/{folder}/{plate}/images/{ifu}.png"


def baxels_of(figure: str) -> str:
    """Id of the download of the baxels that are selected in a figure."""
    return f"{figure}-baxels"


def head(run: ExploredRun, seen: SeenGalaxy) -> Component:
    """Name, catalogue, what became of the galaxy, and where else it is shown."""
    about = seen.about
    rows: list[tuple[str, str | Component]] = [
        ("MaNGA-ID", str(about["mangaid"])),
        ("redshift", f"{about['z']:.5f}" if np.isfinite(about["z"]) else "unknown"),
    ]
    outcome: list[tuple[str, str | Component]] = []
    if "galaxy_status" in about:
        outcome += [("status", _status_words(about)), ("spaxels", _spaxel_words(about["spaxel_count"]))]
    if seen.table is not None:
        outcome.append(("baxels", _baxel_words(seen)))
    known = catalogue_facts(run, seen.plateifu)
    columns = [facts(part) for part in (rows + outcome, known[:3], known[3:]) if part]
    parts = [html.H2(seen.plateifu), html.Div(columns, className="tables"), *_public(run, seen)]
    return html.Section(parts, className="panel wide")


def sky_panels(seen: SeenGalaxy, chosen: GalaxySelection) -> list[Component]:
    """The picture, and the map of what is chosen."""
    picture = picture_of(seen.bins)
    panels = []
    if picture is not None:
        panels.append(
            figure_panel(
                IMAGE,
                image_figure(seen.bins, picture, chosen.baxel, seen.centres),
                "Image",
                "From the g, r and i images of the cube (the continuum in grey where it has none), as the cube lies: the axes of "
                "this and of the maps say where north and east are. Dashed: effective radius. A click shows the spectrum of a baxel. Lasso or "
                "box: baxels for the buttons below.",
                _buttons(IMAGE),
            )
        )
    shown = shown_map(seen, chosen.quantity, chosen.line)
    panels.append(
        figure_panel(
            MAP,
            map_figure(seen.bins, shown, chosen.baxel, seen.centres),
            "Map",
            "A click shows the spectrum of a baxel, outlined here. Grey: unknown. Colours hold the 2nd to the 98th percentile; "
            "flagged values are shown. Lasso or box: baxels for the buttons below.",
            _choosers(seen, chosen),
            _buttons(MAP),
        )
    )
    return panels


def further_panels(run: ExploredRun, seen: SeenGalaxy, chosen: GalaxySelection) -> list[Component]:
    """Kinematics, the BPT diagram, and the fingerprint on the map of spectra."""
    panels: list[Component] = []
    if seen.has_maps:
        panels += [
            figure_panel(
                KINEMATICS,
                maps_figure(seen.bins, kinematic_maps(seen), chosen.baxel, seen.centres),
                "Kinematics of stars and gas",
                "Velocities from the catalogue's redshift; white is the median of the stars. Grey: unknown, or no line of the "
                "gas above its noise. Lasso or box: baxels for the buttons below.",
                _buttons(KINEMATICS),
                wide=True,
            ),
            figure_panel(
                BPT_MAP,
                map_figure(seen.bins, bpt_map(seen), chosen.baxel, seen.centres),
                "BPT classes on the sky",
                "Class of each baxel with all four lines above S/N 2, and their numbers. Grey: no class. Lasso or box: baxels for "
                "the buttons below.",
                _buttons(BPT_MAP),
            ),
        ]
    if seen.n_baxel:
        panels.append(
            figure_panel(
                BPT,
                bpt_figure(seen, chosen.baxel),
                "BPT diagram",
                f"{n_shown(seen)} of {counted(seen.n_baxel, 'baxel')} have all four lines above S/N 2, coloured by radius. "
                "A click shows the spectrum; a lasso chooses baxels for the buttons below.",
                _buttons(BPT),
            )
        )
    return panels + _fingerprint(run, seen)


def _buttons(figure: str) -> Component:
    return buttons(baxels_of(figure), "selected baxels")


def line_cube_panels(run: ExploredRun, seen: SeenGalaxy) -> list[Component]:
    """Images of the emission lines, of a galaxy that has no maps of baxels."""
    images = line_images(run, seen.plateifu)
    if not images:
        return []
    caption = (
        "Flux over the pixels around each line, its continuum included, from the galaxy's line cube; arcsec from its middle. "
        "Grey: no data. Lasso or box: spaxels for the buttons below."
    )
    figure = line_images_figure(run, seen.plateifu, images)
    saves = buttons(SPAXELS, "selected spaxels")
    return [figure_panel(LINE_IMAGES, figure, "Emission lines", caption, saves, wide=True)]


def neighbour_panel(run: ExploredRun, plateifu: str) -> Component:
    """Pictures of the galaxies that are most like one, by each measure, with links to their pages."""
    measures = kin_of(run, plateifu)
    if not measures:
        return notice("This run has neither autoencoders nor a map of galaxies, which find galaxies alike.")
    strips = [part for measure in measures for part in (html.H4(measure.title), _strip(run, measure))]
    return html.Section([html.H3("Galaxies like this one"), *strips], className="panel wide")


def _strip(run: ExploredRun, measure: KinOf) -> Component:
    if not measure.found:
        return notice(measure.lacks)
    cards = []
    for kin in measure.found:
        source = thumbnail(run, kin.plateifu)
        picture = html.Img(src=source, alt="", className="thumb") if source else html.Div("no image", className="thumb")
        words = [html.Span(kin.plateifu), html.Small(kin.near)]
        cards.append(dcc.Link([picture, *words], href=link("galaxy", kin.plateifu), className="kin"))
    return html.Div(cards, className="kins")


def _choosers(seen: SeenGalaxy, chosen: GalaxySelection) -> Component:
    quantities = [{"label": words, "value": name} for name, words in _plain(quantity_titles()).items()]
    lines = [{"label": words, "value": name} for name, words in line_titles(seen).items()]
    of_line = chosen.quantity in MAPPED_OF_LINES
    return html.Div(
        [
            html.Label("what the map shows", htmlFor=QUANTITY),
            dcc.Dropdown(quantities, chosen.quantity, id=QUANTITY, clearable=False, className="chooser"),
            html.Label("line", htmlFor=LINE),
            dcc.Dropdown(lines, chosen.line, id=LINE, clearable=False, disabled=not of_line, className="chooser short"),
        ],
        className="choosers",
    )


def _plain(titles: dict[str, str]) -> dict[str, str]:
    """Titles for a menu, which shows no tags."""
    return {name: re.sub(r"</?su[bp]>", "", words) for name, words in titles.items()}


def _fingerprint(run: ExploredRun, seen: SeenGalaxy) -> list[Component]:
    if not run.has("fingerprints"):
        return []
    try:
        found = run.results.fingerprint(seen.plateifu)
    except ArtefactError as error:
        return [notice(str(error))]
    if not found.attrs["n_baxel"]:
        return [notice(f"None of its {counted(seen.n_baxel, 'baxel')} has a place on the map of spectra.")]
    return [
        figure_panel(
            FINGERPRINT,
            fingerprint_figure(found),
            "Fingerprint on the map of spectra",
            f"Nodes of its {counted(found.attrs['n_baxel'], 'baxel')}, their number, and their mean radius as colour: centre "
            f"and outskirts apart show a gradient. {counted(found.attrs['n_patch'], 'patch', 'patches')}. A click opens the node. "
            "Lasso or box: nodes, whose baxels the buttons below download.",
            buttons(baxels_of(FINGERPRINT), "baxels of these nodes"),
        )
    ]


def _status_words(about) -> str:
    status = about["galaxy_status"].replace("_", " ")
    return f"{status}: {about['galaxy_reason']}" if about["galaxy_reason"] else status


def _spaxel_words(count: Sequence[int]) -> str:
    named = zip(SpaxelStatus, count, strict=True)
    return ", ".join(f"{int(n):,} {in_words(status)}" for status, n in named if n) or "none"


def _baxel_words(seen: SeenGalaxy) -> str:
    status = seen.rows["status"]
    counts = {code: int((status == code).sum()) for code in FitStatus}
    return f"{seen.n_baxel:,}; fits: " + ", ".join(f"{n:,} {in_words(code)}" for code, n in counts.items() if n)


def _public(run: ExploredRun, seen: SeenGalaxy) -> list[Component]:
    """The way to the public pages of a real galaxy, and its image, which the browser shows if it is reachable."""
    real = re.fullmatch(PLATEIFU, seen.plateifu) and survey_source(run) in ("", "sdss")
    if not real or run.path("truth", plateifu=seen.plateifu).is_file():
        return []
    plate, ifu = split_plateifu(seen.plateifu)
    address = _MARVIN.format(plateifu=seen.plateifu)
    image = _IMAGES.format(folder=release("dr17").folder, plate=plate, ifu=ifu)
    return [
        html.P(
            html.A("This galaxy in Marvin, the public pages of MaNGA", href=address, rel="noreferrer", target="_blank")
        ),
        html.Img(src=image, alt=f"SDSS image of {seen.plateifu} with the field of MaNGA", className="if-reachable"),
    ]
