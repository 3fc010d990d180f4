"""The Dash app: its shell, which page an address shows, and all callbacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, dcc, html
from flask import Response, jsonify

from footprint.app import calculator, lists, parts, runs, tables
from footprint.app.answers import Answers
from footprint.app.books import Books
from footprint.app.settings import Settings
from footprint.catalog import open_catalog

NAV = {"/": "Calculator", "/runs": "Runs", "/models": "Models", "/data": "Data"}
_INDEX = """<!doctype html>
<html lang="en">
<head>
<meta name="color-scheme" content="light dark">
{%metas%}
<title>{%title%}</title>
<link rel="icon" href="data:,">
{%css%}
</head>
<body>
{%app_entry%}
LISTS
<footer>{%config%}{%scripts%}{%renderer%}</footer>
</body>
</html>
"""
_ENTRY = """<div id="react-entry-point">
<header class="bar">{nav}</header>
<main><p class="quiet" role="status">One moment.</p></main>
</div>"""


class App(Dash):  # type: ignore[misc]
    """A Dash app whose page has its frame before any script has run."""

    def interpolate_index(self, **kwargs: Any) -> str:
        """The page with its frame in the place that is filled later."""
        links = "".join(f'<a href="{path}">{name}</a>' for path, name in NAV.items())
        entry = _ENTRY.format(nav=f'<nav aria-label="Pages">{links}</nav>')
        return str(super().interpolate_index(**kwargs | {"app_entry": entry}))


def build(settings: Settings) -> tuple[App, Books]:
    """The app of these settings, with its ledger. Nothing is shared with another app but the catalog, which is read."""
    catalog, books = open_catalog(settings.data), Books(settings)
    answered = Answers(settings.data)
    offered = lists.offered(catalog)
    datalists = "".join(f'<datalist id="list-{name}"></datalist>' for name in offered)
    app = App(
        "footprint.app",
        assets_folder=str(Path(__file__).resolve().parent / "assets"),
        index_string=_INDEX.replace("LISTS", datalists),
        serve_locally=True,
        suppress_callback_exceptions=True,
        title="footprint",
        update_title="",
        add_log_handler=False,
    )
    app.layout = _shell()
    app.server.add_url_rule("/lists.json", "lists", lambda: _json(offered))
    app.clientside_callback(
        ClientsideFunction("footprint", "begin"),
        Output("address", "data"), Output("screen", "data"), Input("shell", "id"),
    )  # fmt: skip
    app.clientside_callback(
        ClientsideFunction("footprint", "told"),
        Output("told-seen", "data"), Input("a-told", "data"), Input("b-told", "data"),
    )  # fmt: skip
    app.clientside_callback(
        ClientsideFunction("footprint", "listed"), Output("listed-seen", "data"), Input("listed", "data")
    )
    app.callback(
        Output("page", "children"), Output("nav", "children"), Input("address", "data"), prevent_initial_call=True
    )(lambda address: (shown(address, answered, books, settings), nav(address)))
    calculator.connect(app, answered, settings.data)
    runs.connect(app, books)
    tables.connect(app, catalog, settings.data)
    return app, books


def _json(offered: dict[str, list[str]]) -> Response:
    return jsonify(offered)


def _shell() -> html.Div:
    return html.Div(
        [
            html.A("To the content", href="#page", className="skip"),
            html.Header(html.Nav(_links("/"), id="nav", **{"aria-label": "Pages"}), className="bar"),
            html.Main([html.P("One moment.", className="quiet", role="status")], id="page", tabIndex=-1),
            *(dcc.Store(id=name) for name in ("address", "told-seen", "listed-seen")),
            dcc.Store(id="screen"),
        ],
        id="shell",
    )


def _links(path: str) -> list[html.A]:
    return [
        html.A(name, href=to, **{"data-inside": "yes"}, **({"aria-current": "page"} if to == path else {}))
        for to, name in NAV.items()
    ]


def nav(address: Any) -> list[html.A]:
    """The ways to the pages, the one that is shown marked."""
    return _links(_path(address))


def shown(address: Any, answered: Answers, books: Books, settings: Settings) -> list[Any]:
    """The page that an address means."""
    path, pairs = _path(address), _pairs(address)
    said = dict(reversed(pairs))
    if path == "/":
        return calculator.page(pairs, answered)
    if path == "/runs":
        return runs.run_page(said["run"], books) if said.get("run") else runs.page(said, books)
    if path.removeprefix("/") in tables.PAGES:
        return tables.page(path.removeprefix("/"), said, open_catalog(settings.data))
    return [html.H1("There is no such page"), parts.problem("The pages are Calculator, Runs, Models and Data.")]


def _path(address: Any) -> str:
    path = str(address.get("path", "/")) if isinstance(address, dict) else "/"
    return path.rstrip("/") or "/"


def _pairs(address: Any) -> list[tuple[str, str]]:
    given = address.get("pairs", ()) if isinstance(address, dict) else ()
    return [
        (str(pair[0]), str(pair[1])) for pair in given if isinstance(pair, (list, tuple)) and len(pair) == 2
    ]  # fmt: skip
