"""Where the explorer is, as its address says: a view, what is selected in it, and links that go there."""

from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl, quote, unquote, urlencode


@dataclass(frozen=True)
class Address:
    """A place in the explorer: ``/galaxy/7443-12703?baxel=3``.

    Attributes
    ----------
    path : str
        '/galaxy/7443-12703': the view, and for a view of one thing its name.
    query : dict
        {'baxel': '3'}: selection and choices as text; what a view does not know, it leaves alone.
    """

    path: str
    query: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parsed(cls, path: str | None, search: str | None) -> Self:
        """From the browser's pathname and search ('?baxel=3'); of a key that stands twice, the last."""
        return cls(unquote(path or "/"), dict(parse_qsl((search or "").removeprefix("?"))))

    @property
    def view(self) -> str:
        """First part of the path, '' for the first page."""
        return self.path.strip("/").split("/")[0]

    @property
    def name(self) -> str:
        """What follows the view in the path ('7443-12703'), '' if nothing does."""
        return self.path.strip("/").partition("/")[2]

    @property
    def search(self) -> str:
        """The query as the browser writes it, '' if there is none."""
        return f"?{urlencode(self.query)}" if self.query else ""

    def changed(self, **query: str | int | None) -> "Address":
        """The same place with some of the query set anew, or removed where the value is None."""
        merged = self.query | {key: "" if value is None else str(value) for key, value in query.items()}
        return Address(self.path, {key: value for key, value in merged.items() if value})

    def whole(self, key: str, default: int, below: int) -> int:
        """A whole number of the query from 0 up to, not including, ``below``; the default where it is none."""
        text = self.query.get(key, "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 and int(text) < below else default

    def one_of(self, key: str, known, default: str) -> str:
        """A word of the query that is one of those known; the default where it is not."""
        return self.query.get(key, "") if self.query.get(key, "") in known else default


def link(view: str, name: str = "", **query: str | int) -> str:
    """The address of a view as a link: ``link('galaxy', '7443-12703', baxel=3)``."""
    path = f"/{view}/{quote(name, safe='')}" if name else f"/{view}"
    return path + Address(path, {key: str(value) for key, value in query.items()}).search
