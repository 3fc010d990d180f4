"""Charts: one function that returns a Figure and one line in a table each."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from footprint.errors import InputError, MissingExtra
from footprint.report.charts.configurations import throughput
from footprint.report.charts.plans import layout, scaling
from footprint.report.charts.runs import backtest

__all__ = ["CHARTS", "backtest", "layout", "scaling", "throughput", "write"]

CHARTS: dict[str, Callable[[Any], go.Figure]] = {
    "throughput": throughput,
    "scaling": scaling,
    "layout": layout,
    "backtest": backtest,
}
_IMAGES = (".png", ".svg", ".pdf", ".jpg", ".webp")
_PAGE_HEIGHT = "96vh"  # the page has a margin: at full height it would scroll
_CONFIG = {"displaylogo": False, "displayModeBar": "hover", "responsive": True}


def write(figure: go.Figure, path: Path) -> None:
    """A chart as one .html file that needs no network, as .json, or as an image.

    Raises
    ------
    InputError
        When the extension names no known kind of file.
    MissingExtra
        When an image is asked for and kaleido is not installed.
    """
    suffix = path.suffix.lower()
    if suffix in (".html", ".htm"):
        page = figure.to_html(include_plotlyjs=True, full_html=True, config=_CONFIG, default_height=_PAGE_HEIGHT)
        path.write_text(page, encoding="utf-8")
    elif suffix == ".json":
        path.write_text(figure.to_json(), encoding="utf-8")
    elif suffix in _IMAGES:
        if importlib.util.find_spec("kaleido") is None:
            raise MissingExtra("kaleido", "images", f"writing a chart as {suffix}")
        figure.write_image(path, width=1200, height=800)
    else:
        known = " ".join((".html", ".json", *_IMAGES))
        raise InputError("chart", str(path), "names no known kind of chart file", f"end it in one of {known}")
