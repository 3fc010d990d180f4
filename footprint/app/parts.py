"""Pieces of pages: tables, choices, pagers, pictures. All text is a text node: nothing in it is markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import dcc, html

from footprint.report.tables import Table, show_cell

_LONGEST_CELL = 160
_REM_PER_COLUMN = 7


def table(shown: Table, caption: str = "", links: Sequence[str] = (), name: str = "") -> html.Div:
    """A table that scrolls sideways by itself where it is too wide; `links` lead from the first cell of each row."""

    def cell(column: str, text: str, place: int, link: str) -> Any:
        style = "number" if column in shown.right else None
        inner = html.A(text, href=link, **{"data-inside": "yes"}) if link and place == 0 else text
        return html.Td(inner, className=style)

    def heading(column: str) -> Any:
        told = " ".join(column.split())
        style = "number" if column in shown.right else None
        return html.Th(told, scope="col", className=style) if told else html.Td("")

    head = [heading(column) for column in shown.columns]
    body = []
    for i, row in enumerate(shown.rows):
        link = links[i] if i < len(links) else ""
        body.append(html.Tr([
            cell(column, _cut(show_cell(value)), place, link)
            for place, (column, value) in enumerate(zip(shown.columns, row, strict=True))
        ]))  # fmt: skip
    label = caption or name
    inner = [html.Caption(caption)] if caption else []
    return html.Div(
        html.Table(
            [*inner, html.Thead(html.Tr(head)), html.Tbody(body)],
            style={"minWidth": f"{_REM_PER_COLUMN * len(shown.columns)}rem"} if len(shown.columns) > 4 else {},
        ),
        className="wide", tabIndex=0, role="group", **{"aria-label": label or "table"},
    )  # fmt: skip


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "…"


def choice(store: str, label: str, options: Mapping[str, str], value: str) -> html.Div:
    """Buttons of which one is pressed; it writes the store of that name."""
    buttons = [
        html.Button(
            text, type="button",
            **{"data-store": store, "data-value": key, "aria-pressed": "true" if key == value else "false"},
        )
        for key, text in options.items()
    ]  # fmt: skip
    return html.Div(buttons, className="choice", role="group", **{"aria-label": label})


def search(name: str, label: str, value: str = "", offers: str = "") -> html.Div:
    """One line of text with its label."""
    return html.Div(
        [
            html.Label(label, htmlFor=name),
            dcc.Input(
                id=name,
                type="text",
                value=value,
                autoComplete="off",
                spellCheck=False,
                **({"list": f"list-{offers}"} if offers else {}),
            ),
        ],
        className="field",
    )


def pager(store: str, page: int, pages: int, told: str) -> html.Div:
    """Where in a long table one is, and the ways to its neighbours."""

    def button(text: str, to: int, label: str) -> html.Button:
        return html.Button(
            text, type="button", disabled=not 1 <= to <= pages,
            **{"data-store": store, "data-value": str(to), "aria-label": label},
        )  # fmt: skip

    return html.Div(
        [button("‹", page - 1, "previous page"), html.Span(told, role="status"), button("›", page + 1, "next page")],
        className="pager",
    )


def problem(told: str) -> html.P:
    """Why something is not shown."""
    return html.P(told, className="problem", role="alert")
