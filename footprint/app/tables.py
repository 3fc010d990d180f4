"""Models and data: the tables of the catalog, searched and paged."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from dash import Dash, Input, Output, State, callback_context, dcc, html

from footprint.app import parts, pictures
from footprint.app.pictures import Drawn, Screen
from footprint.catalog import Catalog, Row
from footprint.errors import FootprintError
from footprint.report import listing
from footprint.report.tables import Table

ROWS = 50
MODELS = {"models": "Presets", "runs": "Published runs", "stages": "Stages", "scores": "Scores"}
DATA = {
    "accelerators": "Accelerators",
    "zones": "Grid zones",
    "regions": "Cloud regions",
    "prices": "Prices",
    "electricity": "Electricity",
    "facilities": "Facilities",
    "nodes": "Nodes",
    "constants": "Constants",
    "throughput": "Measured MFU",
    "sources": "Sources",
}
PAGES: dict[str, tuple[str, Mapping[str, str]]] = {"models": ("Models", MODELS), "data": ("Data", DATA)}
_ALWAYS = ("source", "as_of", "provenance")
"""Where a row comes from and when it was read stands beside it, whatever else is left out."""


def page(place: str, said: dict[str, str], catalog: Catalog) -> list[Any]:
    """One of the two pages."""
    heading, tables = PAGES[place]
    chosen = said["table"] if said.get("table") in tables else next(iter(tables))
    kinds = pictures.known(pictures.MODELS) if place == "models" else {}
    return [
        html.H1(heading),
        parts.choice("rows-table", "Which table", tables, chosen),
        html.Form([parts.search("rows-words", "Search", said.get("words", ""))], className="filters"),
        html.Div(rows(chosen, said.get("words", ""), said.get("page", "1"), catalog), id="rows-shown"),
        *([html.H2("Quality against footprint"), pictures.place("models-graph")] if kinds else []),
        dcc.Store(id="rows-table", data=chosen),
        dcc.Store(id="rows-page", data=said.get("page", "1")),
        dcc.Store(id="listed", data={"fresh": True, "pairs": []}),
    ]


def rows(table: str, words: str, page: str, catalog: Catalog) -> list[Any]:
    """A page of the rows that hold every word."""
    if table not in MODELS and table not in DATA:
        return [parts.problem(f"there is no table {table}")]
    try:
        found = [row for part in listing.sources(table) for row in catalog.find(part, words)]
    except FootprintError as error:
        return [parts.problem(str(error))]
    if not found:
        return [html.P(f"No row of {table} holds {words}", className="quiet", role="status")]
    pages = -(-len(found) // ROWS)
    at = min(max(int(page) if page.isdecimal() else 1, 1), pages)
    shown = found[(at - 1) * ROWS : at * ROWS]
    told = f"{(at - 1) * ROWS + 1:,} to {(at - 1) * ROWS + len(shown):,} of {len(found):,}"
    links = [f"/?model={row['id']}" for row in shown] if table == "models" else []
    return [parts.pager("rows-page", at, pages, told), parts.table(_with_origin(table, shown), links=links, name=table)]


def _with_origin(table: str, shown: list[Row]) -> Table:
    """The main columns as the command line lists them, every year of a zone, then origin and date."""
    brief = listing.brief(table if table != "zones" else "grid_open", shown) if table != "zones" else _zones(shown)
    have = {" ".join(name.split()) for name in brief.columns}
    added = [name for name in _ALWAYS if name.replace("_", " ") not in have and name in shown[0]]
    body = tuple((*cells, *(row[name] for name in added)) for cells, row in zip(brief.rows, shown, strict=True))
    return Table((*brief.columns, *(name.replace("_", " ") for name in added)), body, right=brief.right)


def _zones(shown: list[Row]) -> Table:
    columns = ("zone", "name", "year", "intensity_g_per_kwh", "basis", "scope", "source")
    body = tuple(
        tuple(str(row[name]) if name == "year" else row[name] for name in columns) for row in shown
    )  # fmt: skip
    names = tuple(name.replace("_", " ") for name in columns)
    return Table(names, body, right=frozenset({"intensity g per kwh", "year"}))


def connect(app: Dash, catalog: Catalog, data: Any) -> None:
    """The callbacks of both pages."""

    def found(table: Any, words: Any, page: Any) -> tuple[Any, Any]:
        if callback_context.triggered_id != "rows-page":
            page = "1"
        said = {"table": str(table), "words": str(words or ""), "page": str(page or "1")}
        pairs = [[k, v] for k, v in said.items() if v and (k, v) != ("page", "1")]
        return rows(said["table"], said["words"], said["page"], catalog), {"pairs": pairs}

    app.callback(
        Output("rows-shown", "children"), Output("listed", "data", allow_duplicate=True),
        Input("rows-table", "data"), Input("rows-words", "value"), Input("rows-page", "data"),
        prevent_initial_call=True,
    )(found)  # fmt: skip

    @lru_cache(maxsize=4)
    def quality(on: Screen) -> Drawn:
        try:
            return pictures.draw("quality", on, data=data)
        except FootprintError as error:
            return pictures.blank(str(error))

    if pictures.known(pictures.MODELS):
        app.callback(
            *pictures.outputs("models-graph"), Input("screen", "data"), State("models-graph-kind", "data"),
        )(lambda told, kind: pictures.show("models-graph", quality(pictures.screen(told)), kind))  # fmt: skip
