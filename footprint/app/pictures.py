"""Which charts stand where: one table a page. A chart that is not there is left out."""

from __future__ import annotations

from typing import Any

from footprint import charts
from footprint.report.charts.style import THEMES, escaped, themed

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

_NO_GROUND = {"height": 120, "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)"}


def known(wanted: dict[str, str]) -> dict[str, str]:
    """Those that can be drawn."""
    return {kind: label for kind, label in wanted.items() if kind in charts.KINDS}


def draw(kind: str, is_dark: bool, *subject: Any, **words: Any) -> dict[str, Any]:
    """A chart as plain data, on a light or a dark ground."""
    drawn = themed(charts.draw(kind, *subject, **words), THEMES[bool(is_dark)])
    plain: dict[str, Any] = drawn.to_plotly_json()
    return plain


def blank(told: str) -> dict[str, Any]:
    """A sentence in the place of a picture."""
    note = {
        "text": escaped(told),
        "showarrow": False,
        "font": {"color": "#8a8a84"},
        "xref": "paper",
        "yref": "paper",
        "x": 0.5,
        "y": 0.5,
    }
    axis = {"visible": False}
    return {"data": [], "layout": {"annotations": [note], "xaxis": axis, "yaxis": axis, **_NO_GROUND}}
