"""The layout of a chart on a phone: smaller letters, fewer ticks, one panel below the other, the legend below them.

A page carries it beside the wide one and takes either, so that no page works one out.
"""

from __future__ import annotations

import json
import math
import textwrap
from typing import Any

import plotly.graph_objects as go
from plotly.utils import PlotlyJSONEncoder

FONT_PX, NAME_PX, LEFT_PX, RIGHT_PX = 12, 10, 56, 10
TICKS = 5
LONG = 34
"""Characters of an axis's name that stand in one line."""

PANEL_PX, EDGES_PX = 300, 240
_GAP_SHARE = 0.5  # of a panel, for its ticks, its axis's name and the next one's title
_LOWER = -0.2
_BELOW = {"orientation": "h", "x": 0, "xanchor": "left", "y": _LOWER, "yanchor": "top"}


def narrow(figure: go.Figure) -> dict[str, Any]:
    """The layout of a bare figure for a screen less than 640 pixels wide."""
    layout: dict[str, Any] = figure.to_plotly_json()["layout"]
    layout["font"] = {**layout.get("font", {}), "size": FONT_PX}
    margin = layout.get("margin", {})
    layout["margin"] = {**margin, "l": min(LEFT_PX, margin.get("l", LEFT_PX)), "r": RIGHT_PX}
    layout["annotations"] = [dict(note) for note in layout.get("annotations", ()) if note.get("name") != "cell"]
    legend = {**layout.get("legend", {}), "font": {"size": FONT_PX}}
    layout["legend"] = legend if legend.get("orientation") == "h" else legend | _BELOW
    panels = _panels(layout)
    if any(panel["x"][0] > 0 for panel in panels):
        _stack(layout, panels)
    for name, axis in layout.items():
        if name.startswith(("xaxis", "yaxis")) and axis.get("title", {}).get("text"):
            axis["title"] = {**axis["title"], "text": "<br>".join(textwrap.wrap(axis["title"]["text"], LONG))}
        if name.startswith("yaxis"):
            axis["automargin"] = True
            axis.update({"tickfont": {"size": NAME_PX}} if axis.get("type") == "category" else {})
        if name.startswith("xaxis"):
            axis.update({"tickangle": 0} if axis.get("tickvals") else {"tickangle": 0, "nticks": TICKS})
    return layout


def both(figure: go.Figure) -> str:
    """A figure's JSON with the narrow layout beside the wide one, as `narrow`."""
    layout = json.dumps(narrow(figure), cls=PlotlyJSONEncoder)
    return f'{figure.to_json()[:-1]}, "narrow": {layout}}}'


def _panels(layout: dict[str, Any]) -> list[dict[str, Any]]:
    """Pairs of axes with what they take of the picture, those on the left first, the upper ones first."""
    found = []
    for name, axis in layout.items():
        if name.startswith("xaxis") and axis.get("visible") is not False and axis.get("domain"):
            other = layout.get("yaxis" + str(axis.get("anchor", "y")).removeprefix("y"), {})
            found.append({"x": axis["domain"], "y": other.get("domain", (0.0, 1.0)), "axes": (axis, other)})
    return sorted(found, key=lambda one: (one["x"][0], -one["y"][1]))


def _stack(layout: dict[str, Any], panels: list[dict[str, Any]]) -> None:
    """One panel below the other, each as wide as the picture, with its title above it, and the legend below all."""
    height = 1 / (len(panels) + (len(panels) - 1) * _GAP_SHARE)
    for place, panel in enumerate(panels):
        top = 1 - place * height * (1 + _GAP_SHARE)
        across, up = panel["axes"]
        middle = sum(panel["x"]) / 2
        for note in layout["annotations"]:
            if note.get("xref") == "paper" and _stands_at(note, middle, panel["y"][1]):
                note |= {"x": 0.5, "y": top, "font": {"size": FONT_PX + 2}}
                break
        across["domain"], up["domain"] = (0.0, 1.0), (max(top - height, 0.0), top)
    layout["height"] = PANEL_PX * len(panels) + EDGES_PX
    layout["legend"] |= {"y": _LOWER / len(panels)}


def _stands_at(note: dict[str, Any], x: float, y: float) -> bool:
    return math.isclose(note.get("x", -1.0), x) and math.isclose(note.get("y", -1.0), y)
