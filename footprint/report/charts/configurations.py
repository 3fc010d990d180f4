"""The chart of measured configurations: the MFU predicted for each without its source, against the measured one."""

from __future__ import annotations

import math

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from footprint.report.charts.style import BAND, GREY, KINDS, Kind, escaped, finish, hover, kind_of, marker
from footprint.studies import MeasuredPoint, Measurements
from footprint.units import show
from footprint.values import Range

PLACES = ((1, 1), (1, 2), (2, 2))
PANELS = {"dense": "dense", "moe": "mixture of experts", "early": "software before fused attention"}
TICKS = ("0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1", "2")


def throughput(result: Measurements) -> go.Figure:
    """Predicted against measured MFU of every measured configuration: a panel, and a band, for each interval."""
    bands = [(kind, band) for kind, band in result.interval_ratio if _of_kind(result, kind)]
    titles = [f"{PANELS.get(kind, kind)} ({len(_of_kind(result, kind))})" for kind, _ in bands]
    figure = make_subplots(
        rows=2, cols=2, specs=[[{"rowspan": 2}, {}], [None, {}]], column_widths=[0.6, 0.4],
        horizontal_spacing=1 / 14, vertical_spacing=1 / 4, subplot_titles=titles,
    )  # fmt: skip
    seen: set[Kind] = set()
    for panel, (kind, band) in zip(PLACES, bands, strict=False):
        own = _of_kind(result, kind)
        reached = [mfu for point in own for mfu in (point.measured_mfu, point.searched_mfu)]
        ends = [min(reached) / 1.3, max(reached) * 1.3]
        _add_band(figure, band, ends, panel)
        for drawn in sorted({kind_of(point.accelerator) for point in own}, key=KINDS.index):
            _add_points(figure, drawn, [p for p in own if kind_of(p.accelerator) == drawn], panel, drawn not in seen)
            seen.add(drawn)
        _set_axes(figure, ends, panel)
    for row, column in PLACES[len(bands) :]:
        figure.update_xaxes(visible=False, row=row, col=column)
        figure.update_yaxes(visible=False, row=row, col=column)
    figure.update_layout(
        legend={
            "x": 5 / 9, "xanchor": "right", "y": 0, "yanchor": "bottom", "font": {"size": 14},
            "bgcolor": "rgba(0,0,0,0)",
        }
    )  # fmt: skip
    intervals = "; ".join(f"{PANELS.get(kind, kind)} {band.low:.2f} to {band.high:.2f}" for kind, band in bands)
    sources = len({point.source_id for point in result.points})
    detail = f"{len(result.points)} configurations of {sources} sources, each a point, measured while nothing failed"
    assumed = (
        "Each source is left out of the fit that predicts it; the layout is the fastest that is found, not the one "
        "that the source states",
        "In the errors a row counts by 1/sqrt(the rows of its source)",
        f"Bands: 90 % interval of measured over predicted ({intervals})",
    )
    return finish(figure, finding(result), detail, assumed, result.catalog_digest, result.version)


def finding(result: Measurements) -> str:
    """What the chart shows, in one line."""
    if not result.points:
        return "No measured configuration could be predicted"
    return (
        f"MFU predicted without the row's own source: half within a factor of {result.median_error_ratio:.2f}, "
        f"nine in ten within {result.p90_error_ratio:.2f}"
    )


def _of_kind(result: Measurements, kind: str) -> list[MeasuredPoint]:
    return [point for point in result.points if point.kind == kind]


def _set_axes(figure: go.Figure, ends: list[float], panel: tuple[int, int]) -> None:
    row, column = panel
    log_ends = [math.log10(end) for end in ends]
    axis = {"type": "log", "range": log_ends, "tickvals": [float(tick) for tick in TICKS], "ticktext": TICKS}
    told = " (share of the dense 16-bit peak)" if panel == (1, 1) else ""
    figure.update_xaxes(axis | {"title": {"text": f"measured MFU{told}"}}, row=row, col=column)
    figure.update_yaxes(axis | {"title": {"text": f"predicted MFU{told}"}}, row=row, col=column)


def _add_band(figure: go.Figure, band: Range, ends: list[float], panel: tuple[int, int]) -> None:
    """Measured over predicted lies in the band: the predicted MFU, which is drawn upwards, in its inverse."""
    figure.add_scatter(
        x=[*ends, *reversed(ends)],
        y=[ends[0] / band.low, ends[1] / band.low, ends[1] / band.high, ends[0] / band.high],
        mode="lines", fill="toself", fillcolor=BAND, line={"width": 0.5, "color": GREY, "dash": "dot"},
        hoverinfo="skip", name="90 % interval", showlegend=panel == (1, 1), legendrank=2000, row=panel[0],
        col=panel[1],
    )  # fmt: skip
    figure.add_scatter(
        x=ends, y=ends, mode="lines", line={"color": GREY, "dash": "dash", "width": 1.5}, hoverinfo="skip",
        name="equal", showlegend=panel == (1, 1), legendrank=1999, row=panel[0], col=panel[1],
    )  # fmt: skip


def _add_points(
    figure: go.Figure, kind: Kind, points: list[MeasuredPoint], panel: tuple[int, int], in_legend: bool
) -> None:
    figure.add_scatter(
        x=[point.measured_mfu for point in points],
        y=[point.searched_mfu for point in points],
        mode="markers",
        marker=marker(kind, 8, 0.7),
        name=kind.name,
        legendgroup=kind.name,
        legendrank=KINDS.index(kind),
        showlegend=in_legend,
        text=[point_hover(point) for point in points],
        hovertemplate="%{text}<extra></extra>",
        row=panel[0],
        col=panel[1],
    )


def point_hover(point: MeasuredPoint) -> str:
    """Everything that a reader needs to find the measurement again."""
    count = "" if point.accelerator_count is None else f"{point.accelerator_count:,} x "
    length = "" if point.seq_len is None else f", length {point.seq_len:,}"
    batch = "" if point.batch_tokens is None else f"{show('batch_tokens', point.batch_tokens)} tokens a step"
    return hover(
        f"<b>{escaped(point.model)}</b>",
        f"{count}{escaped(point.accelerator)}, {escaped(point.precision)}{length}",
        batch,
        f"measured MFU {point.measured_mfu:.3f} of the 16-bit peak",
        f"predicted {point.searched_mfu:.3f} on the layout found, {point.stated_mfu:.3f} on the one stated",
        escaped(point.source),
    )
