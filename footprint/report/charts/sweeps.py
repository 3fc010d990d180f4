"""The charts of many scenarios: a quantity over two swept words, and dollars against tonnes and days."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from footprint.errors import InputError, UnknownName
from footprint.report.charts.style import (
    GREY,
    INK,
    above,
    bars,
    field_name,
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
from footprint.report.wording import LABELS, show_days, show_range
from footprint.studies import Scenario, Scenarios
from footprint.units import show, show_number
from footprint.values import Range

OUTPUTS = (
    "total_location_kgco2e", "facility_energy_kwh", "rental_on_demand_usd", "wall_clock_h", "accelerator_hours",
)  # fmt: skip
SCALE = "Cividis"
MOST_WRITTEN = 120
"""Cells, beyond which numbers would overlap."""
SMALLEST_PX, LARGEST_PX = 8, 24
DOLLARS, CARBON = "rental_on_demand_usd", "total_location_kgco2e"


def heatmap(result: Scenarios, output: str = CARBON) -> go.Figure:
    """One quantity of the plan over two swept words, what does not fit in memory hatched out.

    Raises
    ------
    UnknownName
        For a quantity that scenarios do not hold.
    """
    if output not in OUTPUTS:
        raise UnknownName("output", output, OUTPUTS, "known: " + ", ".join(OUTPUTS))
    across, down = result.inputs[:2]
    by_place = {tuple(value for _, value in one.inputs): one for one in result.scenarios}
    columns, rows = (list(dict.fromkeys(one.inputs[i][1] for one in result.scenarios)) for i in (0, 1))
    grid = [[by_place.get((column, row)) for column in columns] for row in rows]
    values = [_value(one, output) for one in result.scenarios if one.fits]
    divisor, unit = unit_for(output, values)
    drawn = [[_number(one, output, divisor) for one in row] for row in grid]
    is_written = len(columns) * len(rows) <= MOST_WRITTEN
    figure = go.Figure(
        go.Heatmap(
            x=[_told(across, value) for value in columns], y=[_told(down, value) for value in rows], z=drawn,
            text=[["" if z is None else show_number(z, 2) for z in row] for row in drawn] if is_written else None,
            texttemplate="%{text}" if is_written else None, colorscale=SCALE, reversescale=True, xgap=1, ygap=1,
            hoverongaps=False, customdata=[[_hover(one) for one in row] for row in grid],
            hovertemplate="%{customdata}<extra></extra>",
            colorbar={"title": {"text": f"{LABELS[output]}<br>({unit})", "side": "top"}, "thickness": 14},
        )
    )  # fmt: skip
    figure.update_xaxes(title={"text": _axis(across)}, type="category", showgrid=False)
    figure.update_yaxes(title={"text": _axis(down)}, type="category", showgrid=False, automargin=True)
    unfit = sum(not one.fits for one in result.scenarios)
    assumed = (
        "Middle estimates, without ranges",
        f"Blank: does not fit in memory ({unfit})" if unfit else "",
        *result.notes,
    )
    finding = _heatmap_finding(result, output)
    return finish(figure, finding, "", assumed, result.catalog_digest, result.version)


def pareto(result: Scenarios) -> go.Figure:
    """Dollars against tonnes of every choice, its days by the marker's size, those that none beats joined by a line."""
    priced = [one for one in result.scenarios if one.rental_on_demand_usd is not None]
    if not priced:
        raise InputError("pareto", result.name, "has no choice with a known price", "name accelerators that are rented")
    front, kept = front_of(priced), front_of(priced, by_days=True)
    usd, usd_unit = unit_for(DOLLARS, [one.rental_on_demand_usd for one in priced])
    kg, kg_unit = unit_for(CARBON, [one.total_location_kgco2e for one in priced])
    longest = max((_hours(one) for one in priced), default=0.0) or 1.0
    figure = go.Figure()
    dollars, tonnes = [one.rental_on_demand_usd for one in front], [one.total_location_kgco2e for one in front]
    figure.add_scatter(
        x=mids(dollars, usd), y=mids(tonnes, kg), error_x=bars(dollars, usd) | {"color": GREY, "thickness": 1},
        error_y=bars(tonnes, kg) | {"color": GREY, "thickness": 1}, mode="lines", hoverinfo="skip",
        line={"color": INK, "width": 1.5, "dash": "dash", "shape": "hv"}, name="none is cheaper and cleaner",
    )  # fmt: skip
    for place, group in enumerate(dict.fromkeys(str(one.inputs[0][1]) for one in priced)):
        own = [one for one in priced if str(one.inputs[0][1]) == group]
        one = look(place)
        sizes = [SMALLEST_PX + (LARGEST_PX - SMALLEST_PX) * math.sqrt(_hours(s) / longest) for s in own]
        figure.add_scatter(
            x=mids([s.rental_on_demand_usd for s in own], usd), y=mids([s.total_location_kgco2e for s in own], kg),
            mode="markers+text", name=_told(result.inputs[0], own[0].inputs[0][1]),
            marker=marker(one) | {"size": sizes, "opacity": [1.0 if s in kept else 0.4 for s in own]},
            text=[_label(s) if s in front else "" for s in own], textposition="top right", textfont={"size": 12},
            hovertext=[_hover(s) for s in own], hoverinfo="text",
        )  # fmt: skip
    figure.update_xaxes(
        log_ticks([over(s.rental_on_demand_usd, usd) for s in priced], 6)
        | {"title": {"text": f"rental on demand ({usd_unit})"}}
    )
    figure.update_yaxes(
        log_ticks([over(s.total_location_kgco2e, kg) for s in priced], 8)
        | {"title": {"text": f"CO2e total ({kg_unit})"}}
    )
    above(figure)
    unpriced = len(result.scenarios) - len(priced)
    assumed = (
        "Bars: 5th to 95th percentile; choices share most of what is uncertain, so their order is surer than they look",
        "Larger markers take longer; faint: another choice is no worse in dollars, tonnes and days; axes in powers",
        f"Without a known price, not drawn: {unpriced}" if unpriced else "",
        *result.notes,
    )
    return finish(figure, _pareto_finding(result, front), "", assumed, result.catalog_digest, result.version)


def front_of(scenarios: Sequence[Scenario], by_days: bool = False) -> list[Scenario]:
    """Those that no other equals or beats in dollars and tonnes, or in days too, at once; the cheapest first."""

    def cost(one: Scenario) -> tuple[float, ...]:
        assert one.rental_on_demand_usd is not None
        found = (one.rental_on_demand_usd.mid, one.total_location_kgco2e.mid)
        return (*found, _hours(one)) if by_days else found

    costs = [cost(one) for one in scenarios]
    kept = [
        (own, one)
        for own, one in zip(costs, scenarios, strict=True)
        if not any(other != own and all(a <= b for a, b in zip(other, own, strict=True)) for other in costs)
    ]
    return [one for _, one in sorted(kept, key=lambda pair: pair[0])]


def _value(one: Scenario, output: str) -> Range | None:
    found: Range | None = getattr(one, output)
    return found


def _number(one: Scenario | None, output: str, divisor: float) -> float | None:
    found = None if one is None or not one.fits else _value(one, output)
    return None if found is None else found.mid / divisor


def _hours(one: Scenario) -> float:
    return one.wall_clock_h.mid if one.wall_clock_h is not None else 0.0


def _told(field: str, value: float | str) -> str:
    if isinstance(value, str):
        return named(value)
    told = f"{value:,.0f}" if field == "count" else show_range(field, Range.exactly(value))
    return told.replace(" ", "\u00a0")


def _axis(field: str) -> str:
    names = {"count": "accelerators (count)", "params": "parameters (count)", "tokens": "tokens (count)"}
    told = names.get(field) or field_name(field)
    return told if "(" in told else f"{told} (ratio)"


def _label(one: Scenario) -> str:
    choice = " ".join(_told(field, value) for field, value in one.inputs[1:]) or _told(*one.inputs[0])
    return f"{choice}, {show_days(one.wall_clock_h).split(' (', 1)[0]}" if one.wall_clock_h is not None else choice


def _hover(one: Scenario | None) -> str:
    if one is None:
        return ""
    return hover(
        "<b>" + ", ".join(f"{field_name(f)} {_told(f, value)}" for f, value in one.inputs) + "</b>",
        f"CO2e {show_range(CARBON, one.total_location_kgco2e)}",
        f"rental {show_range(DOLLARS, one.rental_on_demand_usd)}",
        f"{show_days(one.wall_clock_h)}, {show_range('accelerator_hours', one.accelerator_hours)}",
        "" if one.fits else "does not fit in memory",
    )


def _heatmap_finding(result: Scenarios, output: str) -> str:
    name = named(result.name)
    known = [(found.mid, one) for one in result.scenarios if one.fits and (found := _value(one, output)) is not None]
    if not known:
        return f"{name}: nothing fits"
    (low, least), (high, most) = (pick(known, key=lambda pair: pair[0]) for pick in (min, max))

    def where(one: Scenario) -> str:
        return ", ".join(f"{field_name(field)} {_told(field, value)}" for field, value in one.inputs)

    told = [show(output, value, 2) for value in (low, high)]
    return f"{name}: {LABELS[output]} from {told[0]} ({where(least)}) to {told[1]} ({where(most)})"


def _pareto_finding(result: Scenarios, front: Sequence[Scenario]) -> str:
    cheapest = front[0]
    cleanest = min(front, key=lambda one: one.total_location_kgco2e.mid)

    def told(one: Scenario) -> str:
        label = ", ".join(_told(field, value) for field, value in one.inputs)
        dollars = show_range(DOLLARS, one.rental_on_demand_usd, bounds=False)
        return f"{label} ({dollars}, {show_range(CARBON, one.total_location_kgco2e, bounds=False)})"

    if cheapest is cleanest:
        return f"{named(result.name)}: cheapest and cleanest is {told(cheapest)}"
    return f"{named(result.name)}: cheapest {told(cheapest)}, cleanest {told(cleanest)}"
