"""Charts: one function that returns a Figure and one line in a table each."""

from __future__ import annotations

from collections.abc import Callable

import plotly.graph_objects as go

from footprint.report.charts.answers import answer, bridge, hours, tornado
from footprint.report.charts.comparisons import compare, quality
from footprint.report.charts.configurations import throughput
from footprint.report.charts.measured import components, idle, power
from footprint.report.charts.places import profile, regions, world
from footprint.report.charts.plans import layout, scaling
from footprint.report.charts.progress import cumulative, history, planned
from footprint.report.charts.runs import backtest
from footprint.report.charts.style import bare, themed
from footprint.report.charts.sweeps import heatmap, pareto
from footprint.report.charts.writing import page, write

__all__ = [
    "CHARTS",
    "answer",
    "backtest",
    "bare",
    "bridge",
    "compare",
    "components",
    "cumulative",
    "heatmap",
    "history",
    "hours",
    "idle",
    "layout",
    "page",
    "pareto",
    "planned",
    "power",
    "profile",
    "quality",
    "regions",
    "scaling",
    "themed",
    "throughput",
    "tornado",
    "world",
    "write",
]

CHARTS: dict[str, Callable[..., go.Figure]] = {
    "answer": answer,
    "bridge": bridge,
    "tornado": tornado,
    "hours": hours,
    "compare": compare,
    "quality": quality,
    "world": world,
    "regions": regions,
    "profile": profile,
    "heatmap": heatmap,
    "pareto": pareto,
    "power": power,
    "components": components,
    "cumulative": cumulative,
    "planned": planned,
    "idle": idle,
    "history": history,
    "throughput": throughput,
    "scaling": scaling,
    "layout": layout,
    "backtest": backtest,
}
"""Each takes its value first, some a second one."""
