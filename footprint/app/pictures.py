"""Which charts stand where: one table a page. A chart that is not there is left out."""

from __future__ import annotations

from dataclasses import dataclass
from html import unescape
from typing import Any

from dash import Output, dcc, html, no_update

from footprint import charts
from footprint.report.charts.narrow import narrow
from footprint.report.charts.style import THEMES, bare, themed

ANSWER = {
    "answer": "The answer",
    "tornado": "What moves it",
    "bridge": "Model card to facility",
    "hours": "More and fewer",
    "world": "By country",
    "regions": "By cloud region",
    "scaling": "MFU by count",
    "layout": "Layouts",
}
"""Of one plan."""

OF_VALUE = ("answer", "tornado", "bridge")
"""Drawn from the answer itself; the others ask for more estimates, and take its words."""

SIDE_BY_SIDE = {"compare": "Side by side", **ANSWER}
RUN = {
    "power": "Power",
    "components": "Components",
    "cumulative": "CO2e over time",
    "planned": "Planned and measured",
    "idle": "Idle",
}
RUNS = {"history": "Over months"}
MODELS = {"quality": "Quality against footprint"}

_HEIGHT, _NARROW_HEIGHT = 500, 420


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture with its words: what is found above, what it rests on below, both as text that wraps on any screen."""

    kind: str
    finding: str
    detail: str = ""
    assumed: str = ""
    figure: dict[str, Any] | None = None
    height: int = _HEIGHT


@dataclass(frozen=True, slots=True)
class Screen:
    """What a picture is drawn on."""

    is_dark: bool = False
    is_narrow: bool = False


def screen(told: Any) -> Screen:
    """As the browser says it."""
    said = told if isinstance(told, dict) else {}
    return Screen(bool(said.get("dark")), bool(said.get("narrow")))


def known(wanted: dict[str, str]) -> dict[str, str]:
    """Those that can be drawn."""
    return {kind: label for kind, label in wanted.items() if kind in charts.KINDS}


def outputs(name: str) -> tuple[Output, ...]:
    """Where a picture goes: its words, a graph anew, or a figure into the graph that is there; and which kind it is."""
    return (
        Output(f"{name}-head", "children"), Output(f"{name}-slot", "children"), Output(f"{name}-graph", "figure"),
        Output(f"{name}-foot", "children"), Output(f"{name}-kind", "data"),
    )  # fmt: skip


def place(name: str) -> html.Figure:
    """Where a picture will be."""
    waiting = Drawn("", "One moment")
    return html.Figure(
        [
            html.Div(_words(waiting), id=f"{name}-head"),
            html.Div(_graph(name, waiting), id=f"{name}-slot", className="picture"),
            html.Figcaption(id=f"{name}-foot", className="quiet"),
            dcc.Store(id=f"{name}-kind", data=""),
        ],
        id=name,
    )


def show(name: str, drawn: Drawn, kind: Any) -> tuple[Any, ...]:
    """For `outputs`, where a picture of that kind is shown.

    A graph is kept from one picture to the next of the same kind; plotly turns a picture with one pair of axes into
    one with several not without faults.
    """
    words = (_words(drawn), drawn.assumed, f"{drawn.kind} {drawn.height}")
    if drawn.figure is not None and words[2] == kind:
        return words[0], no_update, drawn.figure, words[1], no_update
    return words[0], _graph(name, drawn), no_update, words[1], words[2]


def unmoved() -> tuple[Any, ...]:
    """For `outputs`, where nothing is to change."""
    return (no_update,) * 5


def _words(drawn: Drawn) -> list[Any]:
    if drawn.figure is None:
        return [html.P(drawn.finding, className="quiet")]
    return [html.H3(drawn.finding), html.P(drawn.detail, className="quiet") if drawn.detail else None]


def _graph(name: str, drawn: Drawn) -> dcc.Graph:
    config = {"displaylogo": False, "displayModeBar": False, "responsive": True}
    style = {"height": f"{drawn.height}px"} if drawn.figure is not None else {"display": "none"}
    figure = {} if drawn.figure is None else {"figure": drawn.figure}
    return dcc.Graph(id=f"{name}-graph", style=style, config=config, responsive=True, **figure)


def draw(kind: str, on: Screen, *subject: Any, **words: Any) -> Drawn:
    """A chart as plain data."""
    drawn = charts.draw(kind, *subject, **words)
    meta = drawn.layout.meta or {}
    height = int(drawn.layout.height or 0) or (_NARROW_HEIGHT if on.is_narrow else _HEIGHT)
    shown = themed(bare(drawn), THEMES[on.is_dark])
    plain: dict[str, Any] = shown.to_plotly_json()
    if on.is_narrow:
        plain["layout"] = narrow(shown)
        height = plain["layout"].get("height", height)
    plain["layout"].pop("height", None)
    finding, detail = unescape(meta.get("finding", "")), unescape(meta.get("detail", ""))
    return Drawn(kind, finding, detail, str(meta.get("assumed", "")), plain, height)


def blank(told: str) -> Drawn:
    """A sentence in the place of a picture."""
    return Drawn("", told)
