"""What the explorer's server refuses, and what it tells browsers to refuse."""

import ipaddress
from urllib.parse import urlsplit

from dash import Dash
from flask import Response, abort, request

#: Files that people bring are at most so large, bytes.
UPLOAD_BYTES = 20 * 1024 * 1024
#: Bodies of requests are: an upload comes in base64 (four bytes for three), and something for the rest of a callback.
BODY_BYTES = UPLOAD_BYTES // 3 * 4 + 2 * 1024 * 1024
#: Sites that pages may show pictures of: the public archive of MaNGA.
PICTURES = "https://*.sdss.org"


def protect(app: Dash, host: str) -> None:
    """Have a server refuse what is not meant for it, and send headers that keep browsers to it.

    Refused are bodies above :data:`BODY_BYTES` (413), requests that a page of another site sends (403), and, while it
    listens on loopback, names that are not this machine's (403): a site whose name is made to mean 127.0.0.1 ("DNS
    rebinding") would otherwise read the run. To be called when all callbacks are registered.

    Parameters
    ----------
    host : str
        The address that the server listens on.
    """
    app.server.config["MAX_CONTENT_LENGTH"] = BODY_BYTES
    names = {"localhost", "127.0.0.1", "[::1]", host} if is_loopback(host) else None
    policy = _content_policy(app.csp_hashes())

    @app.server.before_request
    def refuse() -> None:
        asked = urlsplit(f"//{request.host}")
        if names is not None and _name(asked.netloc) not in names:
            abort(403, f"This explorer answers to {', '.join(sorted(names))} only.")
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != asked.netloc:
            abort(403, "Another site's page sent this request.")

    @app.server.after_request
    def tell(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        return response


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens on an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _name(netloc: str) -> str:
    """A host without its port: 'localhost', '[::1]'."""
    return netloc.lower() if netloc.endswith("]") else netloc.lower().rpartition(":")[0] or netloc.lower()


def _content_policy(script_hashes) -> str:
    """Everything from this server; styles stand in elements (Dash, plotly), scripts in the page only with their hash.

    Clouds of many points (``Scattergl``) compile what they draw with, which is 'unsafe-eval': without it they stay empty.
    """
    rules = {
        "default-src": "'self'",
        "script-src": " ".join(["'self'", "'unsafe-eval'", *script_hashes]),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": f"'self' data: blob: {PICTURES}",
        "font-src": "'self' data:",
        "worker-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())
