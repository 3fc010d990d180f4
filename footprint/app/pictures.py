"""Which charts stand where: one table a page. A chart that is not there is left out."""

from __future__ import annotations

from dataclasses import dataclass
from html import unescape
from typing import Any

from dash import Output, dcc, html

from footprint import charts
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
_NARROW_LEFT, _NARROW_FONT = 56, 12

Drawn = tuple[dict[str, Any], dict[str, Any], list[Any], str]
"""A figure, its style, what stands above it and what below it."""


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


def outputs(name: str) -> tuple[Output, Output, Output, Output]:
    """Where a drawn picture goes."""
    return (
        Output(name, "figure"), Output(name, "style"), Output(f"{name}-head", "children"),
        Output(f"{name}-foot", "children"),
    )  # fmt: skip


def place(name: str) -> html.Figure:
    """Where a picture will be: the finding above, what it rests on below, both as text."""
    figure, style, head, foot = blank("One moment")
    config = {"displaylogo": False, "displayModeBar": False, "responsive": True}
    return html.Figure(
        [
            html.Div(head, id=f"{name}-head"),
            dcc.Graph(id=name, figure=figure, style=style, config=config, className="picture", responsive=True),
            html.Figcaption(foot, id=f"{name}-foot", className="quiet"),
        ]
    )


def draw(kind: str, on: Screen, *subject: Any, **words: Any) -> Drawn:
    """A chart as plain data."""
    drawn = charts.draw(kind, *subject, **words)
    meta = drawn.layout.meta or {}
    height = int(drawn.layout.height or 0) or (_NARROW_HEIGHT if on.is_narrow else _HEIGHT)
    plain: dict[str, Any] = themed(bare(drawn), THEMES[on.is_dark]).to_plotly_json()
    plain["layout"].pop("height", None)
    if on.is_narrow:
        _narrow(plain["layout"])
    head = [html.H3(unescape(meta.get("finding", ""))), html.P(unescape(meta.get("detail", "")), className="quiet")]
    return plain, {"height": f"{height}px"}, head, str(meta.get("assumed", ""))


def _narrow(layout: dict[str, Any]) -> None:
    """Smaller letters, fewer ticks and the legend below, for a phone."""
    layout["font"] = {**layout.get("font", {}), "size": _NARROW_FONT}
    margin = layout.get("margin", {})
    layout["margin"] = {**margin, "l": min(_NARROW_LEFT, margin.get("l", _NARROW_LEFT)), "r": 10}
    for name, axis in layout.items():
        if name.startswith("xaxis") and not axis.get("tickvals"):
            axis.update(nticks=5, tickangle=0)
    if layout.get("legend", {}).get("orientation") != "h":
        layout["legend"] = {**layout.get("legend", {}), "orientation": "h", "x": 0, "xanchor": "left", "y": -0.2,
                            "yanchor": "top"}  # fmt: skip


def blank(told: str) -> Drawn:
    """A sentence in the place of a picture."""
    axis = {"visible": False}
    clear = "rgba(0,0,0,0)"
    layout = {"xaxis": axis, "yaxis": axis, "paper_bgcolor": clear, "plot_bgcolor": clear}
    return {"data": [], "layout": layout}, {"height": "40px"}, [html.P(told, className="quiet")], ""
