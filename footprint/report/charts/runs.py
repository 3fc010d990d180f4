"""The chart of published runs: reported against estimated hours."""

from __future__ import annotations

import math
from statistics import median

import plotly.graph_objects as go

from footprint.report.charts.style import BAND, GREY, KINDS, Kind, escaped, finish, hover, kind_of, marker
from footprint.report.wording import show_range
from footprint.studies import Backtest, BacktestRow
from footprint.values import Range


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
        fillcolor=BAND,
        line={"width": 0},
        hoverinfo="skip",
        name="within a factor of 2",
    )
    figure.add_scatter(
        x=ends, y=ends, mode="lines", line={"color": GREY, "dash": "dash"}, hoverinfo="skip", name="exact"
    )
    grouped: dict[Kind, list[BacktestRow]] = {}
    for row in result.rows:
        grouped.setdefault(kind_of(row.accelerator), []).append(row)
    for kind in sorted(grouped, key=KINDS.index):
        _add_points(figure, kind, grouped[kind])
    log_ends = [math.log10(end) for end in ends]
    axis = {"type": "log", "exponentformat": "SI", "separatethousands": False, "dtick": 1, "range": log_ends}
    figure.update_layout(
        xaxis=axis | {"title": {"text": "reported (accelerator-hours)"}},
        yaxis=axis | {"title": {"text": "estimated without them (accelerator-hours)"}},
        legend={"title": {"text": "accelerator"}},
    )
    assumed = (
        "Each run from its size, tokens, device, count and year alone",
        "Bars: 90 % interval set by the other organizations",
    )
    return finish(figure, finding(result), "", assumed, result.catalog_digest, result.version)


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


def _add_points(figure: go.Figure, kind: Kind, rows: list[BacktestRow]) -> None:
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
        marker=marker(kind),
        name=kind.name,
        text=[_hover(row) for row in rows],
        hovertemplate="%{text}<extra></extra>",
    )


def _hover(row: BacktestRow) -> str:
    reported = show_range("accelerator_hours", Range.exactly(row.reported_accelerator_hours))
    return hover(
        f"<b>{escaped(row.model)}</b> ({escaped(row.organization)})",
        f"{escaped(row.accelerator)}, {escaped(row.kind)}, {escaped(row.tier)}",
        f"reported {reported}",
        f"estimated {show_range('accelerator_hours', row.estimated_accelerator_hours)}",
        f"off by a factor of {_error(row):.2f}" + ("" if row.inside else ", outside the interval"),
    )


def _error(row: BacktestRow) -> float:
    ratio = row.estimated_accelerator_hours.mid / row.reported_accelerator_hours
    return max(ratio, 1 / ratio)
