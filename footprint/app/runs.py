"""The runs: the ledger with its filters and totals, what runs now, and the page of one run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from dash import Dash, Input, Output, State, callback_context, dcc, html, no_update

from footprint.app import answers, parts, pictures
from footprint.app.books import Books
from footprint.app.pictures import Drawn, Screen
from footprint.errors import FootprintError, InputError
from footprint.report import run_listing, run_sections, run_tables
from footprint.report.result import Result
from footprint.report.run_wording import card, duration, percent, remarks, subtitle, title
from footprint.report.tables import Table
from footprint.report.wording import plain, show_range
from footprint.store.entries import GROUPS, IMPORTED, KINDS, PLANNED, RUN, Entry, Filter
from footprint.units import MILLISECONDS_PER_S, show
from footprint.values import STATUSES, Footprint, Forecast, Run

ROWS = 50
MEASURED = (RUN, IMPORTED)
_MOST_LIVE = 12
_DRAWN_EVERY = 5
"""Refreshes of the numbers for one of the picture."""

_MOST_GAPS = 12
_TEXTS = {"name": "Name (* and ? stand for letters)", "project": "Project", "tag": "Tag",
          "since": "Since (2026-11-03)", "until": "Until"}  # fmt: skip
_CHOICES = {
    "status": ("Status", {"": "all", **{s: s for s in (*STATUSES, PLANNED)}}),
    "kind": ("Kind", {"": "all", **dict(zip(KINDS, ("measured", "imported", "plans"), strict=True))}),
    "by": ("Add up by", {"": "one by one", **{g: g for g in GROUPS}}),
}


def wanted(said: dict[str, str]) -> Filter:
    """The filter that the inputs say.

    Raises
    ------
    InputError
        For a moment that is none.
    """
    return Filter(
        name=said.get("name") or None,
        project=said.get("project") or None,
        tags=tuple(filter(None, (said.get("tag"),))),
        status=said.get("status") if said.get("status") in (*STATUSES, PLANNED) else None,
        kinds=tuple(kind for kind in KINDS if kind == said.get("kind")),
        since=_moment("since", said.get("since")),
        until=_moment("until", said.get("until"), is_end=True),
    )


def _moment(field: str, text: str | None, is_end: bool = False) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise InputError(field, text, "is no day", "write 2026-11-03, or 2026-11-03T08:00 (UTC)") from error
    day = timedelta(days=1) if is_end and len(text.strip()) == len("2026-11-03") else timedelta()
    return (found.replace(tzinfo=UTC) if found.tzinfo is None else found) + day


# the list


def page(said: dict[str, str], books: Books) -> list[Any]:
    """The ledger."""
    choices = [
        html.Div(
            [html.Span(label), parts.choice(f"runs-{name}", label, options, said.get(name, ""))], className="chosen"
        )
        for name, (label, options) in _CHOICES.items()
    ]
    has_history = bool(pictures.known(pictures.RUNS))
    return [
        html.H1("Runs"),
        html.Div(live(books), id="runs-live"),
        html.Form(
            [parts.search(f"runs-{name}", label, said.get(name, "")) for name, label in _TEXTS.items()],
            className="filters", **{"aria-label": "Which runs"},
        ),
        *choices,
        html.Div(listing(said, books), id="runs-list"),
        *([pictures.place("runs-graph")] if has_history else []),
        *(dcc.Store(id=f"runs-{name}", data=said.get(name, "")) for name in _CHOICES),
        dcc.Store(id="runs-page", data=said.get("page", "1")),
        dcc.Store(id="listed", data={"fresh": True, "pairs": list(said.items())}),
        dcc.Interval(id="runs-every", interval=books.refresh_s * MILLISECONDS_PER_S),
    ]  # fmt: skip


def history(said: dict[str, str], on: Screen, books: Books) -> Drawn:
    """Many runs over months."""
    try:
        filtered = wanted(said)
        filtered = replace(filtered, kinds=filtered.kinds or MEASURED)
        return pictures.draw(next(iter(pictures.RUNS)), on, books.history(filtered))
    except FootprintError as error:
        return pictures.blank(str(error))


def listing(said: dict[str, str], books: Books) -> list[Any]:
    """The runs that are meant, a page of them, and the sum of all."""
    try:
        filtered, by = wanted(said), said.get("by", "")
        told = books.look()
        whole = books.totals(None, filtered)
        if by in GROUPS:
            body: list[Any] = [parts.table(run_listing.totals(books.totals(by, filtered), by, True), name="Totals")]
        else:
            body = _entries(books.list(filtered), books.handles(), said.get("page", "1"))
    except FootprintError as error:
        return [parts.problem(str(error))]
    summary = run_listing.summary(whole)
    notes = [*told, *run_listing.remarks(whole, by or None)]
    return [
        html.P(summary, id="runs-sum", className="sum") if summary else None,
        *body,
        html.Ul([html.Li(note) for note in notes], className="notes") if notes else None,
    ]


def _entries(found: Sequence[Entry], handles: dict[str, str], page: str) -> list[Any]:
    if not found:
        return [html.P("No such run; one is recorded by: footprint track -- COMMAND", className="quiet")]
    pages = -(-len(found) // ROWS)
    at = min(max(int(page) if page.isdecimal() else 1, 1), pages)
    shown = found[(at - 1) * ROWS : at * ROWS]
    listed = run_listing.entries(shown, handles, True)
    links = [link(one.id) for one in shown]
    first = (at - 1) * ROWS
    told = f"{first + 1} to {first + len(shown)} of {len(found)}"
    return [
        parts.table(listed, links=links, name="Runs"),
        parts.pager("runs-page", at, pages, told) if pages > 1 else None,
    ]


def link(run_id: str) -> str:
    """The address of a run's page: its id in letters that mean nothing in an address."""
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else _percent(c) for c in run_id)
    return f"/runs?run={safe}"


def _percent(letter: str) -> str:
    return "".join(f"%{byte:02X}" for byte in letter.encode("utf-8", "replace"))


def live(books: Books) -> list[Any]:
    """What runs now: how far, what it draws, what it has cost so far."""
    try:
        books.look()
        running = books.list(Filter(status="running"))[:_MOST_LIVE]
    except FootprintError as error:
        return [parts.problem(str(error))]
    return [_live(one, books) for one in running]


def _live(one: Entry, books: Books) -> html.Div:
    watts = [shown.power_w for shown in books.follow(one) if shown.power_w is not None]
    ahead = books.forecast(one)
    facts = {
        "Power now": show("power_w", sum(watts)) if watts else "not known",
        "So far": duration(max(one.ended_utc_s - one.started_utc_s, 0.0)),
        "Facility energy": show_range("facility_energy_kwh", one.facility_energy_kwh, bounds=False),
        "CO2e total": show_range("total_location_kgco2e", one.total_location_kgco2e, bounds=False),
        **({} if ahead is None else _ahead(ahead)),
    }
    return html.Div(
        [
            html.A(plain(one.name)[:80] or one.id, href=link(one.id), **{"data-inside": "yes"}),
            html.Span("running", className="mark"),
            html.Dl([html.Div([html.Dt(k), html.Dd(v)]) for k, v in facts.items()], className="boxes"),
        ],
        className="live", **{"data-run": one.id},
    )  # fmt: skip


def _ahead(forecast: Forecast) -> dict[str, str]:
    """How far it is, how long it will go on, and what it will have used by then."""
    return {
        "Done": percent(forecast.done_share),
        "Time left": duration(max(forecast.ended_utc_s.mid - time.time(), 0.0)),
        "In the end": show_range("facility_energy_kwh", forecast.facility_energy_kwh),
    }


# one run


def run_page(word: str, books: Books) -> list[Any]:
    """The page of one run or plan."""
    back = html.A("All runs", href="/runs", **{"data-inside": "yes"})
    try:
        books.look()
        entry, found, _ = books.get(word)
    except FootprintError as error:
        return [back, html.H1("No such run"), parts.problem(str(error))]
    if isinstance(found, Footprint):
        return [
            back,
            html.H1("A plan"),
            html.Div([*answers.panel("a", Result.of(found)), *answers.more(Result.of(found))], className="answer"),
        ]
    kinds = pictures.known(pictures.RUN)
    if found.planned is None:
        kinds.pop("planned", None)
    chosen = next(iter(kinds), "")
    is_live = entry.status == "running"
    return [
        back,
        html.Div(one_run(found), id="run-shown"),
        *(
            [
                parts.choice("run-picture", "Which picture", kinds, chosen),
                pictures.place("run-graph"),
                dcc.Store(id="run-picture", data=chosen),
            ]
            if kinds
            else []
        ),
        html.Div(run_tables_of(found), id="run-more"),
        dcc.Store(id="run-id", data=entry.id),
        dcc.Interval(id="run-every", interval=books.refresh_s * MILLISECONDS_PER_S, disabled=not is_live),
    ]


def one_run(run: Run) -> list[Any]:
    """The head of the page: the answer."""
    answer = run_tables.answer(run)
    columns = ("quantity", "mid (5th – 95th percentile)", "rests on")
    return [
        html.H1(title(run)),
        *(html.P(line, className="quiet") for line in subtitle(run)),
        html.P(f"Run {plain(run.id)}", className="quiet"),
        parts.table(Table(columns, answer.rows), caption="What it cost"),
        html.P(card(run), className="quiet"),
    ]


def run_tables_of(run: Run) -> list[Any]:
    """What follows the answer and the pictures."""
    told = remarks(run, _MOST_GAPS)
    return [
        *(parts.table(shown, caption=name) for name, shown in run_sections.sections(run) if shown.rows),
        html.H2("To know") if told else None,
        html.Ul([html.Li(line) for line in told], className="notes") if told else None,
        html.P(plain(f"footprint {run.version}, catalog {run.catalog_digest}"), className="quiet"),
    ]


def run_picture(run_id: str, kind: str, on: Screen, books: Books) -> Drawn:
    """A chart of a run; those of its samples read its journals."""
    try:
        _, found, _folders = books.get(run_id)
        if kind not in pictures.known(pictures.RUN) or not isinstance(found, Run):
            return pictures.blank("No picture")
        return pictures.draw(kind, on, books.series(found) if kind == "power" else found)
    except FootprintError as error:
        return pictures.blank(str(error))


# callbacks


def connect(app: Dash, books: Books) -> None:
    """The callbacks of both pages."""
    names = (*_TEXTS, *_CHOICES, "page")

    def listed(_: Any, *values: Any) -> tuple[Any, Any]:
        said = {name: str(value) for name, value in zip(names, values, strict=True) if value}
        if callback_context.triggered_id not in ("runs-page", "runs-every"):
            said.pop("page", None)
        told = no_update if callback_context.triggered_id == "runs-every" else {"pairs": list(said.items())}
        return listing(said, books), told

    inputs = [Input(f"runs-{name}", "value") for name in _TEXTS]
    stores = [Input(f"runs-{name}", "data") for name in (*_CHOICES, "page")]
    app.callback(
        Output("runs-list", "children"), Output("listed", "data", allow_duplicate=True),
        Input("runs-every", "n_intervals"), *inputs, *stores, prevent_initial_call=True,
    )(listed)  # fmt: skip
    app.callback(
        Output("runs-live", "children"), Input("runs-every", "n_intervals"), prevent_initial_call=True,
    )(lambda _: live(books))  # fmt: skip

    def moved(_: Any, run_id: Any) -> tuple[Any, Any, bool]:
        books.look()
        entry, found, _folders = books.get(str(run_id))
        if not isinstance(found, Run):
            return no_update, no_update, True
        return one_run(found), run_tables_of(found), entry.status != "running"

    app.callback(
        Output("run-shown", "children"), Output("run-more", "children"), Output("run-every", "disabled"),
        Input("run-every", "n_intervals"), State("run-id", "data"), prevent_initial_call=True,
    )(moved)  # fmt: skip

    def drawn(kind: Any, count: Any, screen: Any, run_id: Any, shown: Any) -> tuple[Any, ...]:
        if callback_context.triggered_id == "run-every" and int(count or 0) % _DRAWN_EVERY:
            return pictures.unmoved()
        picture = run_picture(str(run_id), str(kind), pictures.screen(screen), books)
        return pictures.show("run-graph", picture, shown)

    app.callback(
        *pictures.outputs("run-graph"), Input("run-picture", "data"), Input("run-every", "n_intervals"),
        Input("screen", "data"), State("run-id", "data"), State("run-graph-kind", "data"),
    )(drawn)  # fmt: skip
    if pictures.known(pictures.RUNS):
        app.callback(
            *pictures.outputs("runs-graph"), Input("listed", "data"), Input("screen", "data"),
            State("runs-graph-kind", "data"),
        )(lambda one, on, kind: pictures.show(
            "runs-graph", history(dict(one["pairs"]), pictures.screen(on), books), kind)
        )  # fmt: skip
