"""What a view of the explorer is."""

from collections.abc import Callable
from dataclasses import dataclass

from dash import Dash
from dash.development.base_component import Component

from mangrove.explorer.address import Address
from mangrove.explorer.explored_run import ExploredRun


@dataclass(frozen=True)
class View:
    """A page of the explorer.

    Attributes
    ----------
    name : str
        First part of its path: 'spectral-map'. Ids of its components begin with it.
    title : str
        As the navigation names it.
    missing : callable
        ``missing(run)``: '' if the run has what the view shows, else what it lacks and how to get it, as a sentence.
    page : callable
        ``page(run, address)``: the page for an address, complete with its figures.
    register : callable
        ``register(app, run)``: adds the view's callbacks. They take the address from ``Input('url', 'search')`` and
        select by writing it to ``Output('url', 'search')``, so that every selection has an address.
    prepare : callable
        ``prepare(run)``: loads what callbacks of the view need beyond its page; called in the background, of a run that
        has what the view shows.
    """

    name: str
    title: str
    missing: Callable[[ExploredRun], str]
    page: Callable[[ExploredRun, Address], Component]
    register: Callable[[Dash, ExploredRun], None]
    prepare: Callable[[ExploredRun], None] = lambda run: None
