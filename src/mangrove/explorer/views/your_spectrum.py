"""View 6: a spectrum of one's own: its fit, its place on the map, its lines beside those that the emulator predicts."""

from collections.abc import Callable
from typing import Any

from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from mangrove.errors import MangroveError
from mangrove.explorer.address import Address
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.own_spectrum import AIR, FWHM, OF_FILE, POWER, VACUUM, fit_of, taken
from mangrove.explorer.panels import notice
from mangrove.explorer.reading_process import ReadingProcess
from mangrove.explorer.security import UPLOAD_BYTES
from mangrove.explorer.uploads import Upload, UploadStore, shown_name, too_large, uploaded
from mangrove.explorer.view import View
from mangrove.explorer.views.own_parts import file_facts, fit_part, labels_part, lines_part, numbers_part, place_part

_FILE, _SENT, _TOKEN, _ABOUT, _PROBLEM = (
    f"your-spectrum-{name}" for name in ("file", "sent", "token", "about", "problem")
)
_Z, _EBV, _RESOLUTION, _KIND, _MEDIUM, _GO = (
    f"your-spectrum-{name}" for name in ("z", "ebv", "resolution", "kind", "medium", "go")
)
_ASKED, _FITTED, _BUSY, _PLACING = (f"your-spectrum-{name}" for name in ("asked", "fitted", "busy", "placing"))
_FIT, _MAP, _LABELS, _LINES, _NUMBERS = (
    f"your-spectrum-{name}-part" for name in ("fit", "map", "labels", "lines", "numbers")
)
_FITTING = "Fitting your spectrum… The first fit takes ten seconds or more, while its programs are compiled; later ones a second or two."
_LOOKING = "Looking for its node…"
_GONE = "Your upload is no longer kept (for an hour, and only the latest ones): choose the file again."
#: A file that the browser does not even read, bytes: it would fill its memory.
_MOST_READ = 1 << 29
#: What is too large for the server (letters of base64) is refused in the browser, whose request would get no answer to show.
_CHECKED_SIZE = """(contents) => !contents ? [window.dash_clientside.no_update, window.dash_clientside.no_update] :
    contents.length > %d ? [null, "%s"] : [contents, null]"""
_KINDS = {POWER: "resolving power (λ/FWHM)", FWHM: "FWHM (Å)"}
_MEDIA = {OF_FILE: "as the file says", VACUUM: "vacuum", AIR: "air"}


def _page(run: ExploredRun, address: Address) -> Component:
    drop = html.Div(["drop a spectrum here, or ", html.Span("choose a file", style={"textDecoration": "underline"})])
    return html.Div(
        [
            # In the browser's tab, so that it is there when one comes back from another view; never in the address.
            dcc.Store(id=_TOKEN, storage_type="session"),
            dcc.Store(id=_ASKED, storage_type="session"),
            dcc.Store(id=_FITTED),
            dcc.Store(id=_SENT),
            html.Section(
                [
                    html.H2("Your spectrum"),
                    html.P(
                        f"A FITS table (SDSS spec-*.fits too), HDF5 or CSV, at most {UPLOAD_BYTES >> 20} MiB, with columns wave "
                        "and flux, and ivar or error for a fit (docs/desom.md). It stays in the memory of the machine where "
                        "the explorer runs, for an hour at most, and only this tab, or a duplicate of it, can ask for it."
                    ),
                    dcc.Upload(drop, id=_FILE, max_size=_MOST_READ, style=_DROP),
                    html.Div(id=_ABOUT),
                    _form(),
                    html.Div(id=_PROBLEM, role="alert"),
                ],
                className="panel wide",
            ),
            html.Div([html.Div(id=_PLACING), html.Div(id=_BUSY)], role="status"),
            *(html.Div(id=part, className="wide") for part in (_FIT, _MAP, _LABELS, _LINES, _NUMBERS)),
        ],
        className="panels",
    )


_DROP = {
    "border": "2px dashed var(--quiet)",
    "borderRadius": "6px",
    "padding": "0.9rem",
    "margin": "0 0 0.7rem",
    "cursor": "pointer",
}
_ROW = {"display": "flex", "flexWrap": "wrap", "gap": "0.6rem 1.2rem", "alignItems": "end", "margin": "0.7rem 0"}


def _form() -> Component:
    return html.Div(
        [
            _number(_Z, "redshift", "as the file says"),
            _number(_EBV, "Galactic E(B−V) (mag)", "none removed"),
            _number(_RESOLUTION, "resolution", "as the file says"),
            _choice(_KIND, "given as", _KINDS, POWER),
            _choice(_MEDIUM, "wavelengths in", _MEDIA, OF_FILE),
            html.Button("fit and place", id=_GO, disabled=True),
        ],
        style=_ROW,
    )


def _number(id: str, title: str, empty: str) -> Component:
    # Text, since a field of numbers hides from us what is none.
    field = dcc.Input(
        id=id,
        type="text",
        inputMode="decimal",
        placeholder=empty,
        maxLength=24,
        persistence=True,
        persistence_type="session",
        style={"width": "9.5rem"},
    )
    return html.Div([html.Label(title, htmlFor=id), field], style={"display": "flex", "flexDirection": "column"})


def _choice(id: str, title: str, names: dict[str, str], chosen: str) -> Component:
    options = [{"label": name, "value": value} for value, name in names.items()]
    pick = dcc.RadioItems(
        id=id, options=options, value=chosen, inline=True, persistence=True, persistence_type="session"
    )
    return html.Div([html.Span(title), pick], role="group", **{"aria-label": title})


def _register(app: Dash, run: ExploredRun) -> None:
    store, reading = UploadStore(), ReadingProcess()

    app.clientside_callback(
        _CHECKED_SIZE % (UPLOAD_BYTES // 3 * 4 + 200, str(too_large())),
        Output(_SENT, "data"),
        Output(_PROBLEM, "children", allow_duplicate=True),
        Input(_FILE, "contents"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output(_TOKEN, "data"),
        Output(_ASKED, "data", allow_duplicate=True),
        Output(_PROBLEM, "children", allow_duplicate=True),
        Output(_Z, "value"),
        Output(_EBV, "value"),
        Output(_FILE, "contents"),
        Input(_SENT, "data"),
        State(_FILE, "filename"),
        State(_TOKEN, "data"),
        running=[(Output(_BUSY, "children"), "Reading your spectrum…", "")],
        prevent_initial_call=True,
    )
    def bring(contents: Any, name: Any, before: Any):
        if contents is None:
            return (no_update,) * 6
        store.drop(before)
        shown = shown_name(name)
        try:
            spectrum = reading.read(uploaded(contents), shown)
        except MangroveError as error:
            return None, None, notice(str(error)), "", "", None
        # Redshift and extinction were those of another object; the page need not keep the file.
        return store.keep(Upload(shown, spectrum)), None, None, "", "", None

    @app.callback(Output(_ABOUT, "children"), Output(_GO, "disabled"), Input(_TOKEN, "data"))
    def tell(token: Any):
        upload = store.of(token)
        return (None, True) if upload is None else (file_facts(upload.name, upload.spectrum), False)

    @app.callback(
        Output(_ASKED, "data"),
        Output(_PROBLEM, "children"),
        Input(_GO, "n_clicks"),
        *(State(field, "value") for field in (_Z, _EBV, _RESOLUTION, _KIND, _MEDIUM)),
        State(_TOKEN, "data"),
        prevent_initial_call=True,
    )
    def ask(clicks: Any, z: Any, ebv: Any, resolution: Any, kind: Any, medium: Any, token: Any):
        upload = store.of(token)
        if not clicks or upload is None:
            return no_update, notice(_GONE) if clicks else no_update
        try:
            about = taken(upload.spectrum, z, ebv, resolution, kind, medium)
        except MangroveError as error:
            return None, notice(str(error))
        return {"token": token, "asked": upload.ask(about)}, None

    def asked(data: Any) -> Upload | None:
        """The upload that the page shows, if it is still the one that was asked about."""
        upload = store.of(data.get("token")) if isinstance(data, dict) else None
        return upload if upload is not None and upload.about is not None and upload.asked == data.get("asked") else None

    @app.callback(
        Output(_MAP, "children"),
        Output(_LABELS, "children"),
        Output(_NUMBERS, "children"),
        Input(_ASKED, "data"),
        running=[(Output(_PLACING, "children"), _LOOKING, "")],
        prevent_initial_call=True,
    )
    def place(data: Any):
        upload = asked(data)
        if upload is None:
            return notice(_GONE) if data else None, None, None
        part = _or_notice(lambda: place_part(run, upload))
        return part, _without_notice(lambda: labels_part(run, upload)), numbers_part(run, upload)

    @app.callback(
        Output(_FIT, "children"),
        Output(_FITTED, "data"),
        Output(_LINES, "children", allow_duplicate=True),
        Input(_ASKED, "data"),
        running=[(Output(_BUSY, "children"), _FITTING, "")],
        prevent_initial_call=True,
    )
    def fit(data: Any):
        upload = asked(data)
        if upload is None:
            return None, None, None
        try:
            about = upload.about
            found = upload.fit or fit_of(run, upload.spectrum, about)
        except MangroveError as error:
            return notice(str(error)), None, None
        if asked(data) is not upload:
            # Asked anew meanwhile: that answer is on its way.
            return no_update, no_update, no_update
        upload.fit = found
        return fit_part(upload, found), data, None

    @app.callback(
        Output(_LABELS, "children", allow_duplicate=True),
        Output(_LINES, "children"),
        Input(_FITTED, "data"),
        prevent_initial_call=True,
    )
    def compare(data: Any):
        upload = asked(data)
        if upload is None or upload.fit is None:
            return no_update, no_update
        beside = _without_notice(lambda: labels_part(run, upload))
        return beside, _or_notice(lambda: lines_part(run, upload, upload.fit))


def _or_notice(part: Callable[[], Component]) -> Component:
    try:
        return part()
    except MangroveError as error:
        return notice(str(error))


def _without_notice(part: Callable[[], Component]) -> Component | None:
    """A part that is left out where another one already says why."""
    try:
        return part()
    except MangroveError:
        return None


YOUR_SPECTRUM = View("your-spectrum", "Your spectrum", lambda run: "", _page, _register)
