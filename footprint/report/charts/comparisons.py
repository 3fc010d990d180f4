"""The charts of several footprints: side by side, and their published quality against their carbon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from footprint.report.charts.style import (
    Look,
    above,
    bars,
    finish,
    hover,
    log_ticks,
    look,
    marker,
    mids,
    named,
    over,
    unit_for,
)
from footprint.report.comparison import BENCHMARKS
from footprint.report.wording import LABELS, THIRD_PARTY, is_third_party, plain, show_days, show_range
from footprint.studies import Score
from footprint.units import PERCENT_PER_SHARE, show_number
from footprint.values import Footprint, Range

COMPARED = ("accelerator_hours", "facility_energy_kwh", "total_location_kgco2e", "rental_on_demand_usd")
DECADE = 10.0
"""Above so large a ratio the axes are in powers."""
OPEN, CLOSED = look(0), look(3)
INTERVALS = "Bars: 5th to 95th percentile"
ROW_PX, PANEL_PX, EDGE_PX, LEAST_PX = 26, 70, 200, 420
SCORES_PX = 300

Scores = Mapping[str, Sequence[Score]]


def compare(footprints: Sequence[Footprint]) -> go.Figure:
    """Hours, energy, carbon and dollars of several plans or models, each with its interval."""
    figure = make_subplots(rows=len(COMPARED), cols=1, vertical_spacing=1 / 12)
    names = _names(footprints)
    groups = [(OPEN, "from stated facts", False), (CLOSED, THIRD_PARTY, True)]
    for row, field in enumerate(COMPARED, 1):
        values = [_value(one, field) for one in footprints]
        divisor, unit = unit_for(field, values)
        for one, label, is_closed in groups:
            own = [i for i, f in enumerate(footprints) if is_third_party(f) == is_closed]
            if not own:
                continue
            ranges = [values[i] for i in own]
            figure.add_scatter(
                x=mids(ranges, divisor), y=[names[i] for i in own], error_x=bars(ranges, divisor), mode="markers",
                marker=marker(one, 11), name=label, legendgroup=label, showlegend=row == 1,
                text=[_hover(footprints[i], names[i]) for i in own], hovertemplate="%{text}<extra></extra>",
                row=row, col=1,
            )  # fmt: skip
        axis = log_ticks([over(v, divisor) for v in values], 6) if _is_wide(values) else {"rangemode": "tozero"}
        title = {"text": f"{LABELS[field]} ({unit})"}
        figure.update_xaxes(axis | {"title": title}, row=row, col=1)
    figure.update_yaxes(
        automargin=True, categoryorder="array", categoryarray=list(reversed(names)), type="category",
        range=[-0.5, len(names) - 0.5],
    )  # fmt: skip
    above(figure)
    figure.update_layout(height=max(LEAST_PX, len(COMPARED) * (ROW_PX * len(names) + PANEL_PX) + EDGE_PX))
    assumed = (INTERVALS, "CO2e: location-based, operational and embodied", "Rental: list prices on demand")
    digest, version = _stamp(footprints)
    return finish(figure, compare_finding(footprints), "", assumed, digest, version)


def compare_finding(footprints: Sequence[Footprint]) -> str:
    """What the chart shows, in one line."""
    ordered = sorted(footprints, key=lambda one: one.total_location_kgco2e.mid)
    if len(ordered) < 2 or not ordered[0].total_location_kgco2e.mid:
        return f"{len(ordered)} footprint side by side"
    least, most = ordered[0], ordered[-1]
    ratio = most.total_location_kgco2e.mid / least.total_location_kgco2e.mid
    overlap = most.total_location_kgco2e.low <= least.total_location_kgco2e.high
    first = f"{named(most.name)} emits {show_number(ratio, 2)} times as much CO2e as {named(least.name)}"
    return first + ("; their intervals overlap" if overlap else "")


def quality(footprints: Sequence[Footprint], scores: Scores) -> go.Figure:
    """Published scores on three benchmarks against tonnes, closed models marked as third-party estimates."""
    figure = make_subplots(rows=len(BENCHMARKS), cols=1, shared_xaxes=True, vertical_spacing=1 / 40)
    carbon = [one.total_location_kgco2e for one in footprints]
    divisor, unit = unit_for("total_location_kgco2e", carbon)
    names = _names(footprints)
    for row, benchmark in enumerate(BENCHMARKS, 1):
        for place, footprint in enumerate(footprints):
            score = _score(scores.get(footprint.name, ()), benchmark)
            if score is None:
                continue
            one, is_closed = look(place), is_third_party(footprint)
            figure.add_scatter(
                x=mids([carbon[place]], divisor), y=[_percent(score)], error_x=bars([carbon[place]], divisor),
                mode="markers", marker=marker(one, 13) | _closed(one, is_closed), legendgroup=names[place],
                name=f"{names[place]} · {THIRD_PARTY}" if is_closed else names[place], legendrank=1000 + place,
                showlegend=benchmark == _first(scores.get(footprint.name, ())), cliponaxis=False,
                hovertext=_quality_hover(footprint, names[place], score), hoverinfo="text", row=row, col=1,
            )  # fmt: skip
        figure.update_xaxes(log_ticks([over(v, divisor) for v in carbon], 6), row=row, col=1)
        figure.update_yaxes(title={"text": f"{benchmark} (%)"}, row=row, col=1)
    figure.update_xaxes(title={"text": f"CO2e total ({unit})"}, row=len(BENCHMARKS), col=1)
    figure.update_layout(height=len(BENCHMARKS) * SCORES_PX)
    above(figure)
    assumed = (
        INTERVALS,
        "Hollow: closed models, third-party estimates",
        "Scores as published, each in its own setting (hover): settings differ, so compare with care",
        "CO2e: location-based, operational and embodied, axis in powers",
        _unscored(names, footprints, scores),
    )
    digest, version = _stamp(footprints)
    return finish(figure, quality_finding(footprints, scores), "", assumed, digest, version)


def quality_finding(footprints: Sequence[Footprint], scores: Scores) -> str:
    """What the chart shows, in one line."""
    scored = [(f, s) for f in footprints if (s := _score(scores.get(f.name, ()), BENCHMARKS[0])) is not None]
    if len(scored) < 2:
        return f"{len(scored)} model with a published score on {BENCHMARKS[0]}"
    best = max(scored, key=lambda pair: pair[1].score_share)
    least = min(scored, key=lambda pair: pair[0].total_location_kgco2e.mid)
    told = [
        f"{_percent(score):g} % {word} {show_range('total_location_kgco2e', f.total_location_kgco2e, bounds=False)}"
        for (f, score), word in ((best, "for"), (least, "for"))
    ]
    if best is least:
        return f"{named(best[0].name)} leads on {BENCHMARKS[0]} and emits least: {told[0]}"
    return f"{BENCHMARKS[0]}: {named(best[0].name)} reaches {told[0]}, {named(least[0].name)} {told[1]}"


def _names(footprints: Sequence[Footprint]) -> list[str]:
    """One name each; those that share one are numbered."""
    plain_names = [named(one.name, 32) for one in footprints]
    return [
        f"{name} ({plain_names[: i + 1].count(name)})" if plain_names.count(name) > 1 else name
        for i, name in enumerate(plain_names)
    ]


def _value(footprint: Footprint, field: str) -> Range | None:
    found: Range | None
    if field == "accelerator_hours":
        return footprint.usage.accelerator_hours
    if field == "facility_energy_kwh":
        return footprint.facility.facility_energy_kwh
    found = getattr(footprint, field)
    return found


def _is_wide(values: Sequence[Range | None]) -> bool:
    known = [v for v in values if v is not None and v.low > 0]
    return bool(known) and max(v.high for v in known) > DECADE * min(v.low for v in known)


def _score(scores: Sequence[Score], benchmark: str) -> Score | None:
    return next((s for s in scores if s.benchmark.casefold() == benchmark.casefold()), None)


def _first(scores: Sequence[Score]) -> str | None:
    """The first benchmark that a model has a score on."""
    return next((name for name in BENCHMARKS if _score(scores, name) is not None), None)


def _closed(one: Look, is_closed: bool) -> dict[str, Any]:
    """A hollow marker for a model whose maker published nothing of its training."""
    return {"symbol": f"{one.symbol}-open", "line": {"width": 2.5, "color": one.color}} if is_closed else {}


def _percent(score: Score) -> float:
    return round(score.score_share * PERCENT_PER_SHARE, 3)


def _unscored(names: Sequence[str], footprints: Sequence[Footprint], scores: Scores) -> str:
    without = [n for n, f in zip(names, footprints, strict=True) if not scores.get(f.name)]
    return f"Without published scores: {', '.join(without)}" if without else ""


def _stamp(footprints: Sequence[Footprint]) -> tuple[str, str]:
    return (footprints[0].catalog_digest, footprints[0].version) if footprints else ("", "")


def _hover(footprint: Footprint, name: str) -> str:
    told = [f"{LABELS[field]} {show_range(field, _value(footprint, field))}" for field in COMPARED]
    mark = THIRD_PARTY if is_third_party(footprint) else ""
    return hover(f"<b>{name}</b>", mark, *told, f"duration {show_days(footprint.usage.wall_clock_h)}")


def _quality_hover(footprint: Footprint, name: str, score: Score) -> str:
    return hover(
        f"<b>{name}</b>",
        THIRD_PARTY if is_third_party(footprint) else "",
        f"{named(score.benchmark)} {_percent(score):g} %, {named(score.setting)}",
        named(plain(score.source)),
        f"CO2e {show_range('total_location_kgco2e', footprint.total_location_kgco2e)}",
    )
