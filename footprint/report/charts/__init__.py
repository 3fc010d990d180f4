"""Charts: one function that returns a Figure and one line in a table each."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from pathlib import Path
from statistics import median

import plotly.graph_objects as go

from footprint.errors import InputError, MissingExtra
from footprint.report.wording import show_range
from footprint.values import Backtest, BacktestRow, Range

# Okabe and Ito's palette, told apart with any colour vision; the marker tells kinds apart a second time.
_KINDS: tuple[tuple[str, tuple[str, ...], str, str], ...] = (
    ("NVIDIA V100, T4 and older", ("v100", "p100", "k80", "t4"), "#999999", "x"),
    ("NVIDIA Ampere", ("a100", "a800", "a40", "a6000"), "#0072B2", "circle"),
    ("NVIDIA Hopper", ("h100", "h200", "h800", "h20", "gh200"), "#D55E00", "square"),
    ("NVIDIA Blackwell", ("b200", "b300", "gb200", "gb300"), "#CC79A7", "star"),
    ("Google TPU", ("tpu",), "#009E73", "diamond"),
    ("AMD Instinct", ("mi",), "#E69F00", "triangle-up"),
)
_OTHER = ("other", "#56B4E9", "cross")
_IMAGES = (".png", ".svg", ".pdf", ".jpg", ".webp")


def backtest(result: Backtest) -> go.Figure:
    """Reported against estimated accelerator-hours of published runs, with our intervals."""
    figure = go.Figure()
    hours = [h for row in result.rows for h in (row.reported_accelerator_hours, row.estimated_accelerator_hours.mid)]
    ends = [min(hours, default=1.0) / 3, max(hours, default=1.0) * 3]
    figure.add_scatter(
        x=[*ends, *reversed(ends)],
        y=[ends[0] * 2, ends[1] * 2, ends[1] / 2, ends[0] / 2],
        mode="lines",
        fill="toself",
        fillcolor="rgba(128,128,128,0.15)",
        line={"width": 0},
        hoverinfo="skip",
        name="within a factor of 2",
    )
    figure.add_scatter(
        x=ends, y=ends, mode="lines", line={"color": "#555555", "dash": "dash"}, hoverinfo="skip", name="exact"
    )
    grouped: dict[tuple[str, str, str], list[BacktestRow]] = {}
    for row in result.rows:
        grouped.setdefault(_kind(row.accelerator), []).append(row)
    order = [(name, color, symbol) for name, _, color, symbol in _KINDS] + [_OTHER]
    for kind in sorted(grouped, key=order.index):
        _add_points(figure, kind, grouped[kind])
    axis = {"type": "log", "title": {"text": ""}, "exponentformat": "SI", "dtick": 1, "range": _log_range(ends)}
    figure.update_layout(
        title={"text": finding(result)},
        template="plotly_white",
        xaxis=axis | {"title": {"text": "reported (accelerator-hours)"}},
        yaxis=axis | {"title": {"text": "estimated without them (accelerator-hours)"}},
        legend={"title": {"text": "accelerator"}},
        hoverlabel={"align": "left"},
    )
    return figure


CHARTS: dict[str, Callable[[Backtest], go.Figure]] = {"backtest": backtest}


def finding(result: Backtest) -> str:
    """What the chart shows, in one line."""
    if not result.rows:
        return "No published run could be estimated"
    errors = [_error(row) for row in result.rows]
    inside = sum(row.inside for row in result.rows) / len(result.rows)
    return (
        f"{len(errors)} published runs: half are estimated within a factor of {median(errors):.2f}, "
        f"{inside:.0%} lie inside their 90 % interval"
    )


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
        path.write_text(figure.to_html(include_plotlyjs=True, full_html=True), encoding="utf-8")
    elif suffix == ".json":
        path.write_text(figure.to_json(), encoding="utf-8")
    elif suffix in _IMAGES:
        if importlib.util.find_spec("kaleido") is None:
            raise MissingExtra("kaleido", "images", f"writing a chart as {suffix}")
        figure.write_image(path, width=1000, height=750)
    else:
        known = " ".join((".html", ".json", *_IMAGES))
        raise InputError("chart", str(path), "names no known kind of chart file", f"end it in one of {known}")


def _add_points(figure: go.Figure, kind: tuple[str, str, str], rows: list[BacktestRow]) -> None:
    name, color, symbol = kind
    estimates = [row.estimated_accelerator_hours for row in rows]
    figure.add_scatter(
        x=[row.reported_accelerator_hours for row in rows],
        y=[e.mid for e in estimates],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [e.high - e.mid for e in estimates],
            "arrayminus": [e.mid - e.low for e in estimates],
            "thickness": 1,
            "width": 2,
        },
        mode="markers",
        marker={"color": color, "symbol": symbol, "size": 9, "line": {"width": 0.5, "color": "#333333"}},
        name=name,
        text=[_hover(row) for row in rows],
        hovertemplate="%{text}<extra></extra>",
    )


def _hover(row: BacktestRow) -> str:
    reported = show_range("accelerator_hours", Range.exactly(row.reported_accelerator_hours))
    lines = (
        f"<b>{_escaped(row.model)}</b> ({_escaped(row.organization)})",
        f"{_escaped(row.accelerator)}, {_escaped(row.kind)}, {_escaped(row.tier)}",
        f"reported {reported}",
        f"estimated {show_range('accelerator_hours', row.estimated_accelerator_hours)}",
        f"off by a factor of {_error(row):.2f}" + ("" if row.inside else ", outside the interval"),
    )
    return "<br>".join(lines)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _error(row: BacktestRow) -> float:
    ratio = row.estimated_accelerator_hours.mid / row.reported_accelerator_hours
    return max(ratio, 1 / ratio)


def _kind(accelerator: str) -> tuple[str, str, str]:
    folded = accelerator.casefold()
    for name, prefixes, color, symbol in _KINDS:
        if folded.startswith(prefixes):
            return name, color, symbol
    return _OTHER


def _log_range(ends: list[float]) -> list[float]:
    return [math.log10(end) for end in ends]
