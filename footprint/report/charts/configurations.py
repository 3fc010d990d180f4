"""The chart of measured configurations: the MFU predicted for each without its source, against the measured one."""

from __future__ import annotations

import math

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from footprint.report.charts.style import BAND, GREY, KINDS, Kind, escaped, finish, hover, kind_of, marker
from footprint.units import show_number
from footprint.values import MeasuredPoint, Measurements, Range

PANELS = {"dense": "dense", "moe": "mixture of experts", "early": "software before fused attention"}
TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2)


def throughput(result: Measurements) -> go.Figure:
    """Predicted against measured MFU of every measured configuration, in one panel for each interval."""
    bands = [(kind, band) for kind, band in result.interval_ratio if any(p.kind == kind for p in result.points)]
    titles = [f"{PANELS.get(kind, kind)} ({_count(result, kind)})" for kind, _ in bands] or ["none"]
    figure = make_subplots(
        rows=1, cols=len(titles), shared_yaxes=True, subplot_titles=titles, horizontal_spacing=0.02,
        x_title="measured MFU (share of the dense 16-bit peak)",
    )  # fmt: skip
    reached = [mfu for point in result.points for mfu in (point.measured_mfu, point.searched_mfu)]
    ends = [min(reached, default=1.0) / 1.3, max(reached, default=1.0) * 1.3]
    seen: set[Kind] = set()
    for column, (kind, band) in enumerate(bands, start=1):
        _add_band(figure, band, ends, column)
        own = [point for point in result.points if point.kind == kind]
        for drawn in sorted({kind_of(point.accelerator) for point in own}, key=KINDS.index):
            _add_points(figure, drawn, [p for p in own if kind_of(p.accelerator) == drawn], column, drawn not in seen)
            seen.add(drawn)
    axis = {"type": "log", "range": [math.log10(end) for end in ends], "tickvals": TICKS, "ticktext": TICKS}
    figure.update_xaxes(axis)
    figure.update_yaxes(axis)
    figure.update_yaxes(title={"text": "predicted MFU, source unseen"}, col=1)
    figure.update_layout(legend={"title": {"text": "accelerator"}, "itemsizing": "constant"})
    intervals = "; ".join(f"{PANELS.get(kind, kind)} {band.low:.2f} to {band.high:.2f}" for kind, band in bands)
    assumed = (
        "Each source left out of the fit that predicts it, on the fastest layout that is found, not the one it states",
        "errors: each row counts by 1/sqrt(the rows of its source)",
        f"bands: 90 % interval of measured over predicted ({intervals})",
    )
    sources = len({point.source_id for point in result.points})
    detail = f"{len(result.points)} configurations of {sources} sources; nine in ten within x {result.p90_error_ratio:.2f}"
    return finish(figure, finding(result), detail, assumed, result.catalog_digest, result.version)


def finding(result: Measurements) -> str:
    """What the chart shows, in one line."""
    if not result.points:
        return "No measured configuration could be predicted"
    return (
        "Steady throughput is predicted for sources that the fit has not seen: "
        f"half of it within a factor of {result.median_error_ratio:.2f}"
    )


def _count(result: Measurements, kind: str) -> int:
    return sum(point.kind == kind for point in result.points)


def _add_band(figure: go.Figure, band: Range, ends: list[float], column: int) -> None:
    """Measured over predicted lies in the band: the predicted MFU, which is drawn upwards, in its inverse."""
    figure.add_scatter(
        x=[*ends, *reversed(ends)],
        y=[ends[0] / band.low, ends[1] / band.low, ends[1] / band.high, ends[0] / band.high],
        mode="lines", fill="toself", fillcolor=BAND, line={"width": 0.5, "color": GREY, "dash": "dot"},
        hoverinfo="skip", name="90 % interval", showlegend=column == 1, legendrank=2000, row=1, col=column,
    )  # fmt: skip
    figure.add_scatter(
        x=ends, y=ends, mode="lines", line={"color": GREY, "dash": "dash", "width": 1.5}, hoverinfo="skip",
        name="equal", showlegend=column == 1, legendrank=1999, row=1, col=column,
    )  # fmt: skip


def _add_points(figure: go.Figure, kind: Kind, points: list[MeasuredPoint], column: int, in_legend: bool) -> None:
    figure.add_scatter(
        x=[point.measured_mfu for point in points],
        y=[point.searched_mfu for point in points],
        mode="markers",
        marker=marker(kind, 8, 0.75),
        name=kind.name,
        legendgroup=kind.name,
        showlegend=in_legend,
        text=[point_hover(point) for point in points],
        hovertemplate="%{text}<extra></extra>",
        row=1,
        col=column,
    )


def point_hover(point: MeasuredPoint) -> str:
    """Everything that a reader needs to find the measurement again."""
    count = "" if point.accelerator_count is None else f"{point.accelerator_count:,} x "
    length = "" if point.seq_len is None else f", length {point.seq_len:,}"
    batch = "" if point.batch_tokens is None else f"{show_number(point.batch_tokens)} tokens a step"
    return hover(
        f"<b>{escaped(point.model)}</b>",
        f"{count}{escaped(point.accelerator)}, {escaped(point.precision)}{length}",
        batch,
        f"measured MFU {point.measured_mfu:.3f} of the 16-bit peak",
        f"predicted {point.searched_mfu:.3f} on the layout found, {point.stated_mfu:.3f} on the one stated",
        escaped(point.source),
    )
