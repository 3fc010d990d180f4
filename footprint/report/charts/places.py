"""The charts of where and when: one plan on a map and in the clouds' regions, and the hours of a clean grid."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.colors import sample_colorscale
from plotly.subplots import make_subplots

from footprint.report.charts.style import (
    FAINT,
    INK,
    PAPER,
    bars,
    escaped,
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
from footprint.report.wording import THIRD_PARTY, show_range
from footprint.studies import ByPlace, PlaceFootprint, Profile
from footprint.units import round_to, show_number
from footprint.values import Range, Run

SCALE = "Cividis"
CARBON = "total_location_kgco2e"
LADDER = (1, 2, 5)
MOST_CLASSES = 8
MOST_REGIONS = 8
ROW_PX, PANEL_PX, EDGE_PX = 24, 90, 170
MOST_DAYS = 62
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAY_HOURS = 24
OWN = "#D55E00"
INTERVALS = "Bars: 5th to 95th percentile"


def world(result: ByPlace) -> go.Figure:
    """The same plan in every country, coloured by its tonnes: drawn from shapes that lie beside this file."""
    figure = go.Figure()
    by_iso = {place.iso3: place for place in result.places if place.iso3}
    kg, unit = unit_for(CARBON, [place.total_location_kgco2e for place in by_iso.values()])
    edges = _classes([place.total_location_kgco2e.mid / kg for place in by_iso.values()])
    colors = _colors(max(len(edges) - 1, 1))
    for iso, shape in _shapes().items():
        place = by_iso.get(iso)
        number = None if place is None else _class_of(place.total_location_kgco2e.mid / kg, edges)
        _add_country(figure, shape, place, {
            "color": FAINT if number is None else colors[number],
            "is_own": iso == result.own_zone,
        })  # fmt: skip
    for number, color in enumerate(colors):
        figure.add_scatter(
            x=[None], y=[None], mode="markers", name=_class_name(edges, number), hoverinfo="skip",
            marker={"symbol": "square", "size": 14, "color": color, "line": {"width": 1, "color": INK}},
        )  # fmt: skip
    hidden = {"visible": False, "showgrid": False}
    figure.update_xaxes(hidden)
    figure.update_yaxes(hidden | {"scaleanchor": "x", "scaleratio": 1})
    figure.update_layout(
        legend={
            "orientation": "h", "x": 0, "y": 0, "yanchor": "top", "traceorder": "normal",
            "title": {"text": f"CO2e total ({unit})", "side": "top"}, "itemclick": False, "itemdoubleclick": False,
        },
        hovermode="closest",
    )  # fmt: skip
    absent = sum(iso not in by_iso for iso in _shapes())
    assumed = (
        "Place alone changes: hardware, PUE and hours stay those of the plan; yearly mean of each country's grid",
        f"Grey: no data ({absent}). Framed: the plan's own country" if result.own_zone in by_iso else "Grey: no data",
        "Shapes: Natural Earth, on an equal-area projection",
        *result.notes,
    )
    finish(figure, _finding(result), _detail(result), assumed, result.catalog_digest, result.version)
    figure.update_annotations(selector={"name": "footnote"}, xshift=0)
    return figure.update_layout(margin={"l": 12, "r": 12})


def regions(result: ByPlace) -> go.Figure:
    """The regions of each cloud provider in which the plan emits least, with intervals."""
    providers = list(dict.fromkeys(sorted(place.provider for place in result.places if place.provider)))
    chosen = {name: _best(result, name) for name in providers}
    heights = [len(own) + 1 for own in chosen.values()] or [1]
    figure = make_subplots(
        rows=len(heights), cols=1, shared_xaxes=True, row_heights=heights,
        vertical_spacing=1 / (8 * len(heights)),
        subplot_titles=[f"{named(name)}: {_of(result, name)}" for name in providers],
    )  # fmt: skip
    every = [place.total_location_kgco2e for own in chosen.values() for place in own]
    kg, unit = unit_for(CARBON, every)
    for row, own in enumerate(chosen.values(), 1):
        values = [place.total_location_kgco2e for place in own]
        names = [_region_name(place) for place in own]
        symbols = ["star" if place.region == result.own_region else look(0).symbol for place in own]
        figure.add_scatter(
            x=mids(values, kg), y=names, error_x=bars(values, kg), mode="markers", showlegend=False,
            marker=marker(look(0), 10) | {
                "symbol": symbols, "color": [OWN if s == "star" else look(0).color for s in symbols],
            },
            text=[_place_hover(place) for place in own], hovertemplate="%{text}<extra></extra>", row=row, col=1,
        )  # fmt: skip
        figure.update_yaxes(autorange="reversed", automargin=True, type="category", row=row, col=1)
    ends = [over(value, kg) for value in every]
    figure.update_xaxes(log_ticks(ends, 6))
    figure.update_xaxes(title={"text": f"CO2e total ({unit})"}, row=len(heights), col=1)
    figure.update_layout(height=ROW_PX * sum(heights) + PANEL_PX * len(heights) + EDGE_PX)
    figure.update_annotations(x=0, xanchor="left", font={"size": 14})
    assumed = (
        INTERVALS,
        "Each region with its own grid, PUE and prices, as far as they are known; axis in powers",
        f"The {MOST_REGIONS} with the least of each provider" + ("; star: the plan's own" if result.own_region else ""),
        *result.notes,
    )
    return finish(figure, _finding(result), _detail(result), assumed, result.catalog_digest, result.version)


def profile(result: Profile, run: Run | None = None) -> go.Figure:
    """A zone's usual intensity by hour of the day: by month, or by the days of a run, which is laid on it."""
    cells = {(cell.month, cell.hour_utc): cell.location_intensity_g_per_kwh for cell in result.cells}
    drawn = sorted(run.hourly_it_energy_kwh) if run is not None else []
    days = sorted({_day(utc_s) for utc_s, _ in drawn})
    by_day = bool(days) and (days[-1] - days[0]).days < MOST_DAYS
    if by_day:
        first, count = days[0], (days[-1] - days[0]).days + 1
        rows = [datetime.fromordinal(first.toordinal() + i) for i in range(count)]
        labels, months = [f"{row:%Y-%m-%d}" for row in rows], [row.month for row in rows]
    else:
        labels, months = list(MONTHS), list(range(1, len(MONTHS) + 1))
    hours = list(range(DAY_HOURS))
    figure = go.Figure(
        go.Heatmap(
            x=hours, y=labels, z=[[cells.get((month, hour)) for hour in hours] for month in months],
            colorscale=SCALE, reversescale=True, xgap=1, ygap=1, hoverongaps=False,
            colorbar={"title": {"text": "g/kWh", "side": "top"}, "thickness": 14},
            hovertemplate="%{y}, %{x}:00 UTC: %{z:.0f} g/kWh<extra></extra>", name="usual intensity",
        )
    )  # fmt: skip
    if drawn:
        _add_run(figure, drawn, by_day)
    figure.update_xaxes(
        title={"text": "hour of the day (UTC)"}, tickvals=hours[::3], showgrid=False, range=[-0.5, DAY_HOURS - 0.5]
    )
    title = "day (date, UTC)" if by_day else "month (UTC)"
    figure.update_yaxes(title={"text": title}, autorange="reversed", type="category", showgrid=False, automargin=True)
    assumed = (
        f"Usual hourly shape of {result.year} about the yearly mean of {result.location_intensity_g_per_kwh:.0f} g/kWh",
        "Circles: the run's IT energy in that hour, by area" if drawn else "",
        f"Source: {result.source}",
    )
    detail = "" if run is None else f"{named(run.name or run.id)} laid on the zone's usual hours"
    return finish(
        figure, _profile_finding(result, drawn, cells), detail, assumed, result.catalog_digest, result.version
    )


def _finding(result: ByPlace) -> str:
    name = named(result.name) + (f" · {THIRD_PARTY}" if result.is_third_party else "")
    if not result.places:
        return f"{name}: no place with a known grid"
    least, most = result.places[0], result.places[-1]

    def told(place: PlaceFootprint) -> str:
        return show_range(CARBON, place.total_location_kgco2e, bounds=False)

    own = show_range(CARBON, result.total_location_kgco2e, bounds=False)
    return f"{name}: {told(least)} in {_short(least)}, {told(most)} in {_short(most)}; {own} where it is planned"


def _short(place: PlaceFootprint) -> str:
    return named(place.region or place.name)


def _detail(result: ByPlace) -> str:
    where = named(result.own_region or result.own_zone)
    return f"Planned in {where}: {show_range(CARBON, result.total_location_kgco2e)}"


def _classes(values: Sequence[float]) -> list[float]:
    """Edges of classes at 1, 2 and 5 times powers of ten; at powers of ten alone where there would be too many."""
    if not values or min(values) <= 0:
        return [0.0, max(values, default=1.0)]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    for steps in (LADDER, LADDER[:1]):
        ladder = [step * 10.0**power for power in range(low, high + 1) for step in steps]
        first = max(i for i, edge in enumerate(ladder) if edge <= min(values))
        last = next((i for i, edge in enumerate(ladder) if edge > max(values)), len(ladder) - 1)
        if last - first <= MOST_CLASSES:
            break
    return ladder[first : last + 1]


def _class_of(value: float, edges: Sequence[float]) -> int:
    return max((i for i, edge in enumerate(edges[:-1]) if value >= edge), default=0)


def _class_name(edges: Sequence[float], number: int) -> str:
    low, high = edges[number], edges[number + 1]
    return f"{low:,.10g} – {high:,.10g}"


def _colors(count: int) -> list[str]:
    """From light to dark, so that greyscale keeps the order."""
    scale = [1 - i / max(count - 1, 1) for i in range(count)]
    return [_hex(color) for color in sample_colorscale(SCALE, scale)]


def _hex(color: str) -> str:
    parts = [int(float(part)) for part in color.removeprefix("rgb(").removesuffix(")").split(",")]
    return "#" + "".join(f"{part:02X}" for part in parts)


@lru_cache(maxsize=1)
def _shapes() -> dict[str, dict[str, Any]]:
    text = (Path(__file__).parent / "shapes.json").read_text(encoding="utf-8")
    shapes: dict[str, dict[str, Any]] = json.loads(text)["shapes"]
    return shapes


def _add_country(figure: go.Figure, shape: dict[str, Any], place: PlaceFootprint | None, how: dict[str, Any]) -> None:
    x: list[float | None] = []
    y: list[float | None] = []
    for ring in shape["rings"]:
        x += [*ring[::2], None]
        y += [*ring[1::2], None]
    figure.add_scatter(
        x=x[:-1], y=y[:-1], mode="lines", fill="toself", fillcolor=how["color"], hoveron="fills", showlegend=False,
        line={"width": 2.5, "color": OWN} if how["is_own"] else {"width": 0.5, "color": PAPER},
        text=f"{escaped(shape['name'])}: no data" if place is None else _place_hover(place), hoverinfo="text",
        zorder=1 if how["is_own"] else 0,
    )  # fmt: skip


def _place_hover(place: PlaceFootprint) -> str:
    where = " · ".join(word for word in (named(place.name), named(place.region), f"zone {named(place.zone)}") if word)
    return hover(
        f"<b>{where}</b>",
        f"CO2e {show_range(CARBON, place.total_location_kgco2e)}",
        f"of that operational {show_range('operational_location_kgco2e', place.operational_location_kgco2e)}",
        f"grid {show_range('location_intensity_g_per_kwh', place.location_intensity_g_per_kwh)}",
        f"PUE {show_range('pue', place.pue)}",
        f"rental on demand {show_range('rental_on_demand_usd', place.rental_on_demand_usd)}" if place.provider else "",
    )


def _region_name(place: PlaceFootprint) -> str:
    region = place.region.split("/", 1)[-1]
    return named(region or place.name)


def _best(result: ByPlace, provider: str) -> list[PlaceFootprint]:
    own = [place for place in result.places if place.provider == provider]
    kept = own[:MOST_REGIONS]
    planned = [place for place in own[MOST_REGIONS:] if place.region == result.own_region]
    return [*kept, *planned]


def _of(result: ByPlace, provider: str) -> str:
    count = sum(place.provider == provider for place in result.places)
    return f"{min(MOST_REGIONS, count)} of {count} regions"


def _day(utc_s: int) -> datetime:
    moment = datetime.fromtimestamp(utc_s, UTC)
    return datetime(moment.year, moment.month, moment.day)


def _add_run(figure: go.Figure, drawn: Sequence[tuple[int, float]], by_day: bool) -> None:
    placed: dict[tuple[str, int], float] = {}
    for utc_s, kwh in drawn:
        moment = datetime.fromtimestamp(utc_s, UTC)
        row = f"{moment:%Y-%m-%d}" if by_day else MONTHS[moment.month - 1]
        placed[row, moment.hour] = placed.get((row, moment.hour), 0.0) + kwh
    most = max(placed.values(), default=0.0) or 1.0
    figure.add_scatter(
        x=[hour for _, hour in placed], y=[row for row, _ in placed], mode="markers", name="the run",
        marker={
            "symbol": "circle", "color": PAPER, "opacity": 0.9, "line": {"width": 1.5, "color": INK},
            "size": [4 + 12 * math.sqrt(kwh / most) for kwh in placed.values()],
        },
        text=[f"{show_range('it_energy_kwh', Range.exactly(round_to(kwh, 3)))} of IT" for kwh in placed.values()],
        hovertemplate="%{y}, %{x}:00 UTC: %{text}<extra></extra>", showlegend=False,
    )  # fmt: skip


def _profile_finding(result: Profile, drawn: Sequence[tuple[int, float]], cells: dict[tuple[int, int], float]) -> str:
    zone, yearly = named(result.zone), result.location_intensity_g_per_kwh
    total = sum(kwh for _, kwh in drawn)
    if total > 0 and yearly > 0:
        moments = [(datetime.fromtimestamp(utc_s, UTC), kwh) for utc_s, kwh in drawn]
        mean = sum(kwh * cells.get((m.month, m.hour), yearly) for m, kwh in moments) / total
        side = "above" if mean >= yearly else "below"
        return f"The run's hours lie {abs(mean / yearly - 1):.0%} {side} the yearly intensity of {zone}"
    if not cells:
        return f"{zone}: no hourly profile"
    (low_month, low_hour), low = min(cells.items(), key=lambda pair: pair[1])
    (high_month, high_hour), high = max(cells.items(), key=lambda pair: pair[1])
    return (
        f"{zone}: from {show_number(low, 3)} g/kWh ({MONTHS[low_month - 1]}, {low_hour:02d}:00 UTC) to "
        f"{show_number(high, 3)} g/kWh ({MONTHS[high_month - 1]}, {high_hour:02d}:00 UTC)"
    )
