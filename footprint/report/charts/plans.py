"""The charts of a plan: its MFU on more and fewer accelerators, and on every layout."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from footprint.report.charts.configurations import point_hover
from footprint.report.charts.style import GREY, INK, escaped, finish, hover
from footprint.report.layout import in_words
from footprint.studies import LayoutCell, LayoutSearch, MeasuredPoint, Scaling, ScalingPoint
from footprint.units import show
from footprint.values import Range

STEADY, WHOLE_RUN = "#0072B2", "#D55E00"
STEADY_BAND, WHOLE_RUN_BAND = "rgba(0,114,178,0.30)", "rgba(213,94,0,0.13)"
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "star", "cross")
FILLS = ("#FFFFFF", "#BBBBBB", "#777777", "#222222", "#FFFFFF", "#777777")
EDGE = 1 / 50
"""Of a cell, left free around the grid so that its frame is not cut."""


def scaling(result: Scaling) -> go.Figure:
    """MFU against the number of accelerators, with the intervals, and what was measured of models nearby."""
    figure = go.Figure()
    counts = [point.accelerator_count for point in result.points]
    whole, steady = [p.mfu for p in result.points], [p.steady_mfu for p in result.points]
    _add_band(figure, counts, whole, ("90 % over a whole run", WHOLE_RUN, "dash"))
    _add_band(figure, counts, steady, ("90 % steady", STEADY, "solid"))
    texts = [_scaling_hover(point) for point in result.points]
    _add_line(figure, counts, steady, texts, ("steady, well tuned", STEADY, "solid"))
    _add_line(figure, counts, whole, texts, ("over a whole run", WHOLE_RUN, "dash"))
    for place, series in enumerate(result.measured):
        _add_measured(figure, series.points, place)
    figure.add_vline(x=result.accelerator_count, line={"color": GREY, "width": 1.5, "dash": "dot"})
    figure.add_annotation(
        x=math.log10(result.accelerator_count), y=1, yref="paper", yanchor="bottom", text="the plan", showarrow=False
    )
    measured = [p.accelerator_count for series in result.measured for p in series.points if p.accelerator_count]
    every = sorted({*counts, *measured})
    ticks = [2**power for power in range(30) if every and every[0] <= 2**power <= every[-1]]
    figure.update_xaxes(
        type="log",
        tickvals=ticks,
        ticktext=[f"{tick:,}" for tick in ticks],
        title={"text": "accelerators (count)"},
        range=[math.log10(every[0]) - 0.1, math.log10(every[-1]) + 0.1] if every else None,
    )
    peak = f"MFU (share of the dense {result.precision} peak)"
    figure.update_yaxes(rangemode="tozero", title={"text": peak}, tickformat=".2f")
    figure.update_layout(legend={"traceorder": "grouped", "tracegroupgap": 16})
    batch = show("batch_tokens", result.batch_tokens)
    kept = "grows with the count" if result.batch_follows else f"stays at {batch} tokens"
    detail = f"{_where(result)}; the batch {kept}"
    assumed = (
        "Lines: middle estimate on the fastest layout that fits each count; bands: 90 % intervals, from sources and "
        "organizations that the fit has not seen",
        "Markers: measured while nothing fails, each over the peak of its own precision and with its own batch",
        *(note for note in result.notes if note.endswith("not drawn")),
    )
    return finish(figure, scaling_finding(result), detail, assumed, result.catalog_digest, result.version)


def scaling_finding(result: Scaling) -> str:
    """What the chart shows, in one line."""
    if not result.points:
        return f"{escaped(result.name)} fits on none of these counts"
    own = min(result.points, key=lambda point: abs(point.accelerator_count - result.accelerator_count))
    last = result.points[-1]
    return (
        f"{escaped(result.name)}: steady MFU of {own.steady_mfu.mid:.2f} on {own.accelerator_count:,} accelerators, "
        f"{last.steady_mfu.mid:.2f} on {last.accelerator_count:,}"
    )


def layout(result: LayoutSearch) -> go.Figure:
    """MFU of the fastest layout of each tensor and pipeline size, the found one marked."""
    figure = go.Figure()
    columns, rows = (list(dict.fromkeys(getattr(c, name) for c in result.cells)) for name in ("tensor", "pipeline"))
    by_place = {(cell.pipeline, cell.tensor): cell for cell in result.cells}
    grid = [[by_place[pipeline, tensor] for tensor in columns] for pipeline in rows]
    figure.add_heatmap(
        x=list(range(len(columns))),
        y=list(range(len(rows))),
        z=[[cell.steady_mfu.mid if cell.steady_mfu else None for cell in row] for row in grid],
        text=[[f"{cell.steady_mfu.mid:.2f}" if cell.steady_mfu else "" for cell in row] for row in grid],
        customdata=[[_cell_hover(cell) for cell in row] for row in grid],
        texttemplate="%{text}",
        textfont={"size": 20},
        hovertemplate="%{customdata}<extra></extra>",
        hoverongaps=False,
        colorscale="Cividis",
        xgap=2,
        ygap=2,
        colorbar={"title": {"text": "steady<br>MFU", "side": "top"}, "tickformat": ".2f", "thickness": 14},
    )
    for y, row in enumerate(grid):
        for x, cell in enumerate(row):
            if cell.steady_mfu is None:
                _blank(figure, x, y, cell.reason)
    if result.found.fits and (result.found.pipeline, result.found.tensor) in by_place:
        _mark(figure, columns.index(result.found.tensor), rows.index(result.found.pipeline))
    for update, sizes, title in (
        (figure.update_xaxes, columns, "tensor parallelism (devices that share a layer)"),
        (figure.update_yaxes, rows, "pipeline parallelism (stages)"),
    ):
        update(
            title={"text": title}, tickvals=list(range(len(sizes))), ticktext=[str(size) for size in sizes],
            range=[-0.5 - EDGE, len(sizes) - 0.5 + EDGE], showgrid=False, zeroline=False,
        )  # fmt: skip
    ratios = (result.steady_mfu.low / result.steady_mfu.mid, result.steady_mfu.high / result.steady_mfu.mid)
    assumed = (
        f"Numbers: steady MFU over the dense {result.precision} peak, the best over context, expert, micro-batch, "
        "ZeRO stage and recomputation",
        f"90 % interval of the one found: x {ratios[0]:.2f} to {ratios[1]:.2f}",
        f"Framed: the layout found ({in_words(result.found)}); hatched: no layout is possible or fits in memory",
    )
    detail = f"{_where(result)}; {show('batch_tokens', result.batch_tokens)} tokens a step"
    return finish(figure, layout_finding(result), detail, assumed, result.catalog_digest, result.version)


def layout_finding(result: LayoutSearch) -> str:
    """What the chart shows, in one line."""
    own, name = result.found, escaped(result.name)
    reached = [cell.steady_mfu.mid for cell in result.cells if cell.steady_mfu]
    if not own.fits or not reached:
        return f"{name}: no layout that was searched fits in memory"
    best = f"{name} is fastest on tensor {own.tensor} x pipeline {own.pipeline}, at a steady MFU of {max(reached):.2f}"
    blank = len(result.cells) - len(reached)
    return best + (
        f"; {blank} of {len(result.cells)} pairs have no layout that fits"
        if blank
        else f"; the slowest pair: {min(reached):.2f}"
    )


def _where(result: Scaling | LayoutSearch) -> str:
    return (
        f"Stage {escaped(result.stage)} on {result.accelerator_count:,} x {escaped(result.accelerator)}, "
        f"{escaped(result.precision)}, length {result.seq_len:,}"
    )


def _add_band(figure: go.Figure, counts: Sequence[int], ranges: Sequence[Range], look: tuple[str, str, str]) -> None:
    """A filled band, whose edges are drawn so that two of them are told apart in greyscale."""
    name, color, dash = look
    fill = {STEADY: STEADY_BAND, WHOLE_RUN: WHOLE_RUN_BAND}[color]
    figure.add_scatter(
        x=[*counts, *reversed(counts)],
        y=[*(r.high for r in ranges), *(r.low for r in reversed(ranges))],
        mode="lines",
        fill="toself",
        fillcolor=fill,
        line={"width": 1, "color": color, "dash": dash},
        hoverinfo="skip",
        name=name,
        legendgroup="predicted",
        legendgrouptitle={"text": "predicted"},
    )


def _add_line(
    figure: go.Figure, counts: Sequence[int], ranges: Sequence[Range], texts: list[str], look: tuple[str, str, str]
) -> None:
    name, color, dash = look
    figure.add_scatter(
        x=list(counts), y=[r.mid for r in ranges], mode="lines", line={"color": color, "dash": dash, "width": 3},
        name=name, legendgroup="predicted", text=texts, hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip


def _add_measured(figure: go.Figure, points: Sequence[MeasuredPoint], place: int) -> None:
    first = points[0]
    size = show("active_params", first.active_params)
    figure.add_scatter(
        x=[point.accelerator_count for point in points],
        y=[point.own_peak_mfu for point in points],
        mode="markers",
        marker={
            "symbol": SYMBOLS[place % len(SYMBOLS)], "color": FILLS[place % len(FILLS)], "size": 10,
            "line": {"width": 1.5, "color": INK},
        },
        name=f"{escaped(first.model)} ({size})<br>{escaped(first.source_id)}, {escaped(first.accelerator)}",
        legendgroup="measured",
        legendgrouptitle={"text": "measured nearby"} if place == 0 else None,
        text=[point_hover(point) for point in points],
        hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip


def _scaling_hover(point: ScalingPoint) -> str:
    return hover(
        f"<b>{point.accelerator_count:,} accelerators</b>, {show('batch_tokens', point.batch_tokens)} tokens a step",
        f"steady MFU {_range(point.steady_mfu)}",
        f"over a whole run {_range(point.mfu)}, times goodput {_range(point.goodput)}",
        in_words(point.layout),
    )


def _cell_hover(cell: LayoutCell) -> str:
    if cell.steady_mfu is None or cell.layout is None:
        return escaped(cell.reason)
    largest = sorted(cell.layout.time_shares, key=lambda part: -part[1])[:4]
    return hover(
        f"<b>steady MFU {_range(cell.steady_mfu)}</b>",
        in_words(cell.layout),
        f"{show('step_s', cell.layout.step_s)} a step",
        "time: " + ", ".join(f"{escaped(name)} {share:.0%}" for name, share in largest),
    )


def _range(value: Range) -> str:
    return f"{value.mid:.3f} ({value.low:.3f} to {value.high:.3f})"


def _blank(figure: go.Figure, x: int, y: int, reason: str) -> None:
    """A cell without a number: hatched, with its reason."""
    corners = [(x - 0.5, y - 0.5), (x + 0.5, y - 0.5), (x + 0.5, y + 0.5), (x - 0.5, y + 0.5), (x - 0.5, y - 0.5)]
    figure.add_scatter(
        x=[corner[0] for corner in corners], y=[corner[1] for corner in corners], mode="lines", fill="toself",
        fillpattern={"shape": "/", "fgcolor": "#BBBBBB", "bgcolor": "#FFFFFF", "size": 9, "solidity": 0.2},
        line={"width": 1, "color": "#FFFFFF"}, hoverinfo="skip", showlegend=False,
    )  # fmt: skip
    figure.add_annotation(
        x=x,
        y=y,
        text=escaped(reason),
        showarrow=False,
        font={"size": 14, "color": INK},
        bgcolor="#FFFFFF",
        borderpad=2,
        name="cell",
    )


def _mark(figure: go.Figure, x: int, y: int) -> None:
    for width, color in ((7, "#FFFFFF"), (4, "#D55E00")):
        figure.add_shape(
            type="rect", x0=x - 0.5, x1=x + 0.5, y0=y - 0.5, y1=y + 0.5, line={"color": color, "width": width}
        )
