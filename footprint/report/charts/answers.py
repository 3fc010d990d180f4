"""The charts of one footprint: its parts, the bridge between the conventions, what moves it, and its count."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from footprint.report.charts.style import (
    GREY,
    INK,
    above,
    bars,
    field_name,
    finish,
    hatched,
    hover,
    log_ticks,
    look,
    marker,
    mids,
    named,
    over,
    unit_for,
)
from footprint.report.wording import (
    LABELS,
    THIRD_PARTY,
    drivers,
    hardware,
    is_third_party,
    place,
    show_days,
    show_range,
)
from footprint.studies import Answer, ByCount, CountPoint, Part
from footprint.units import H_PER_DAY, PERCENT_PER_SHARE, show_number
from footprint.values import Footprint, Range

INTERVALS = "Bars: 5th to 95th percentile"
MOST_DRIVERS = 12
CARBON, ENERGY = "total_location_kgco2e", "facility_energy_kwh"


def answer(result: Answer) -> go.Figure:
    """Energy and carbon of a footprint by part, operational beside embodied, with intervals."""
    footprint = result.footprint
    whole = Part(
        "total", footprint.facility.facility_energy_kwh, footprint.facility.operational_location_kgco2e,
        footprint.embodied_kgco2e, footprint.total_location_kgco2e,
    )  # fmt: skip
    rows = [whole, *result.parts]
    figure = make_subplots(rows=2, cols=1, vertical_spacing=1 / 5)
    names = [named(part.name) for part in rows]
    kwh, energy_unit = unit_for(ENERGY, [whole.facility_energy_kwh])
    kg, carbon_unit = unit_for(CARBON, [whole.total_location_kgco2e])
    energies = [part.facility_energy_kwh for part in rows]
    figure.add_bar(
        x=mids(energies, kwh), y=names, orientation="h", marker=hatched(look(0)), error_x=bars(energies, kwh),
        name="energy", showlegend=False, hovertemplate="%{text}<extra></extra>", textposition="none",
        text=[f"<b>{n}</b>: {show_range(ENERGY, e)}" for n, e in zip(names, energies, strict=True)], row=1, col=1,
    )  # fmt: skip
    told = [_part_hover(name, part) for name, part in zip(names, rows, strict=True)]
    totals = [part.total_location_kgco2e for part in rows]
    for place_, (label, values) in enumerate(
        (
            ("operational", [part.operational_location_kgco2e for part in rows]),
            ("embodied", [part.embodied_kgco2e for part in rows]),
        )
    ):
        figure.add_bar(
            x=[0.0 if value is None else value for value in mids(values, kg)], y=names, orientation="h",
            marker=hatched(look(place_)), name=label, text=told, textposition="none",
            hovertemplate="%{text}<extra></extra>", row=2, col=1,
        )  # fmt: skip
    figure.add_scatter(
        x=mids(totals, kg), y=names, mode="markers", marker={"symbol": "line-ns-open", "size": 12, "color": INK},
        error_x=bars(totals, kg), name="both, with interval", text=told, hovertemplate="%{text}<extra></extra>",
        row=2, col=1,
    )  # fmt: skip
    figure.update_xaxes(title={"text": f"facility energy ({energy_unit})"}, rangemode="tozero", row=1, col=1)
    figure.update_xaxes(title={"text": f"CO2e, location-based ({carbon_unit})"}, rangemode="tozero", row=2, col=1)
    figure.update_yaxes(autorange="reversed", automargin=True, showgrid=False)
    figure.update_layout(barmode="stack", bargap=0.4)
    above(figure)
    assumed = (
        INTERVALS,
        "Parts add up to the total at their middles; their ends do not, since not all err at once",
        result.split[:1].upper() + result.split[1:],
        "Cooling: what the facility draws beyond its IT, PUE - 1",
    )
    return finish(figure, answer_finding(footprint), _where(footprint), assumed, *_stamp(footprint))


def answer_finding(footprint: Footprint) -> str:
    """What the chart shows, in one line."""
    energy = show_range(ENERGY, footprint.facility.facility_energy_kwh)
    return f"{_title(footprint)}: {show_range(CARBON, footprint.total_location_kgco2e)}, {energy}"


def bridge(result: Answer) -> go.Figure:
    """From what a model card would state, TDP x hours x PUE, to what the building's meter reads."""
    footprint = result.footprint
    card, facility = footprint.model_card, footprint.facility
    divisor, unit = unit_for(ENERGY, [facility.facility_energy_kwh, card.facility_energy_kwh])
    energies = {part.name: part.facility_energy_kwh.mid for part in result.parts if part.facility_energy_kwh}
    nameplate, cooling = card.it_energy_kwh.mid, card.facility_energy_kwh.mid - card.it_energy_kwh.mid
    steps: list[tuple[str, float]] = [("below TDP" if energies["accelerators"] <= nameplate else "above TDP",
                                       energies["accelerators"] - nameplate)]  # fmt: skip
    steps += [(name, energies[name]) for name in energies if name not in ("accelerators", "cooling")]
    steps.append(("cooling of these", energies["cooling"] - cooling))
    names = [
        "model card:<br>TDP x hours x PUE",
        *(f"{name}" for name, _ in steps),
        "facility:<br>IT power x hours x PUE",
    ]
    values = [card.facility_energy_kwh.mid, *(step for _, step in steps), facility.facility_energy_kwh.mid]
    figure = go.Figure()
    figure.add_waterfall(
        orientation="h", y=names, x=[value / divisor for value in values],
        measure=["absolute", *["relative"] * len(steps), "total"],
        text=[_signed(value, divisor, 0 < i < len(values) - 1) for i, value in enumerate(values)],
        textposition=["inside", *["outside"] * len(steps), "inside"], insidetextanchor="start", cliponaxis=False,
        connector={"line": {"color": GREY, "width": 1, "dash": "dot"}},
        increasing={"marker": {"color": look(3).color, "line": {"color": INK, "width": 1}}},
        decreasing={"marker": {"color": look(4).color, "line": {"color": INK, "width": 1}}},
        totals={"marker": {"color": look(0).color, "line": {"color": INK, "width": 1}}},
        hovertemplate="%{y}: %{text} " + unit + "<extra></extra>", name="energy", showlegend=False,
    )  # fmt: skip
    ends = [card.facility_energy_kwh, facility.facility_energy_kwh]
    figure.add_scatter(
        y=[names[0], names[-1]], x=mids(ends, divisor), error_x=bars(ends, divisor), mode="markers",
        marker={"symbol": "line-ns-open", "size": 14, "color": INK}, showlegend=False, name="interval",
        text=[show_range(ENERGY, end) for end in ends], hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title={"text": f"energy ({unit})"}, rangemode="tozero")
    figure.update_yaxes(autorange="reversed", automargin=True, showgrid=False)
    ratio = _ratio(facility.facility_energy_kwh.mid, card.facility_energy_kwh.mid)
    finding = (
        f"{_title(footprint)}: the facility draws {ratio} what the model card's convention gives"
        if ratio
        else f"{_title(footprint)}: no nameplate energy is known"
    )
    assumed = (
        INTERVALS,
        "Steps at their middles: accelerators draw less than TDP, host and network come on top, and PUE holds for all",
        result.split[:1].upper() + result.split[1:],
    )
    return finish(figure, finding, _where(footprint), assumed, *_stamp(footprint))


def tornado(footprint: Footprint) -> go.Figure:
    """How far each uncertain input alone moves the carbon, from its low end to its high end."""
    label, movers = drivers(footprint)
    movers = movers[:MOST_DRIVERS]
    output = movers[0].output if movers else CARBON
    whole = _output(footprint, output)
    divisor, unit = unit_for(output, [whole])
    names = [field_name(mover.field) for mover in movers]
    repeated = {name for name in names if names.count(name) > 1}
    names = [named(m.field) if n in repeated else n for m, n in zip(movers, names, strict=True)]
    figure = go.Figure()
    for place_, (end, field) in enumerate((("low", "output_at_low_ratio"), ("high", "output_at_high_ratio"))):
        moved = [(getattr(mover, field) - 1) * whole.mid for mover in movers]
        figure.add_bar(
            x=[value / divisor for value in moved], y=names, base=whole.mid / divisor, orientation="h",
            marker=hatched(look(place_)), name=f"input at its {end} end", textposition="none",
            text=[
                hover(f"<b>{name}</b> at its {end} end", f"{show_range(output, Range.exactly(whole.mid + value))}",
                      f"{value / whole.mid:+.0%}" if whole.mid else "")
                for name, value in zip(names, moved, strict=True)
            ],
            hovertemplate="%{text}<extra></extra>",
        )  # fmt: skip
    figure.add_vline(x=whole.mid / divisor, line={"color": INK, "width": 1.5})
    figure.update_layout(barmode="overlay", bargap=0.3)
    figure.update_xaxes(title={"text": f"{label or LABELS[CARBON]} ({unit})"})
    figure.update_yaxes(autorange="reversed", automargin=True, showgrid=False)
    above(figure)
    first = movers[0] if movers else None
    finding = (
        f"{_title(footprint)}: {names[0]} moves {label} the most, from "
        f"{show_number(whole.mid * min(first.output_at_low_ratio, first.output_at_high_ratio) / divisor, 2)} to "
        f"{show_number(whole.mid * max(first.output_at_low_ratio, first.output_at_high_ratio) / divisor, 2)} {unit}"
        if first
        else f"{_title(footprint)}: no uncertain input moves the answer visibly"
    )
    assumed = (
        f"Each input alone at its 5th and 95th percentile, the rest at the middle ({show_range(output, whole)})",
        "Inputs that move it by less than 1 % are left out",
    )
    return finish(figure, finding, _where(footprint), assumed, *_stamp(footprint))


def hours(result: ByCount) -> go.Figure:
    """Accelerator-hours, days and dollars of a plan against the number of accelerators."""
    points = result.points
    counts = [point.accelerator_count for point in points]
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=1 / 25)
    days = [over(p.wall_clock_h, H_PER_DAY) for p in points]
    rows: tuple[tuple[str, str, Sequence[Range | None]], ...] = (
        ("accelerator_hours", "hours", [p.accelerator_hours for p in points]),
        ("", "duration", days),
        ("rental_on_demand_usd", "rental", [p.rental_on_demand_usd for p in points]),
    )
    told = [_count_hover(point) for point in points]
    for row, (field, label, values) in enumerate(rows, 1):
        divisor, unit = unit_for(field, values) if field else (1.0, "days")
        one = look(row - 1)
        figure.add_scatter(
            x=counts, y=mids(values, divisor), error_y=bars(values, divisor), mode="lines+markers", name=label,
            line={"color": one.color, "width": 2, "dash": one.dash}, marker=marker(one), showlegend=False, text=told,
            hovertemplate="%{text}<extra></extra>", row=row, col=1,
        )  # fmt: skip
        scaled = [over(value, divisor) for value in values]
        figure.update_yaxes(log_ticks(scaled) | {"title": {"text": f"{label} ({unit})"}}, row=row, col=1)
    figure.update_xaxes(type="log", tickvals=counts, ticktext=[f"{count:,}" for count in counts])
    figure.update_xaxes(title={"text": "accelerators (count)"}, row=len(rows), col=1)
    if result.accelerator_count in counts:
        figure.add_vline(x=result.accelerator_count, line={"color": GREY, "width": 1.5, "dash": "dot"})
    assumed = (
        f"{INTERVALS}. Dotted: the plan's own count" if result.accelerator_count in counts else INTERVALS,
        "Rental: list prices on demand; both axes in powers",
        *result.notes,
    )
    detail = f"On {named(result.accelerator)}, each count estimated anew: more devices finish sooner at a lower MFU"
    return finish(figure, hours_finding(result), detail, assumed, result.catalog_digest, result.version)


def hours_finding(result: ByCount) -> str:
    """What the chart shows, in one line."""
    name = named(result.name) + (f" · {THIRD_PARTY}" if result.is_third_party else "")
    timed = [point for point in result.points if point.wall_clock_h is not None]
    if len(timed) < 2:
        return f"{name}: {len(result.points)} count of accelerators"
    least, most = timed[0], timed[-1]
    assert least.wall_clock_h is not None
    assert most.wall_clock_h is not None
    more = most.accelerator_hours.mid / least.accelerator_hours.mid
    return (
        f"{name}: {_days(least.wall_clock_h)} on {least.accelerator_count:,} accelerators, "
        f"{_days(most.wall_clock_h)} on {most.accelerator_count:,} for {show_number(more, 2)} times the device-hours"
    )


def _days(value: Range) -> str:
    return show_days(value).split(" (", 1)[0]


def _signed(value: float, divisor: float, is_step: bool) -> str:
    sign = ("+" if value >= 0 else "-") if is_step else ""
    return sign + show_number(abs(value) / divisor, 2 if is_step else 3)


def _ratio(value: float, by: float) -> str:
    return f"{value / by:.2f} times" if by else ""


def _title(footprint: Footprint) -> str:
    name = named(footprint.name)
    return f"{name} · {THIRD_PARTY}" if is_third_party(footprint) else name


def _where(footprint: Footprint) -> str:
    return named(" · ".join(w for w in (hardware(footprint), place(footprint)) if w), int(PERCENT_PER_SHARE))


def _stamp(footprint: Footprint) -> tuple[str, str]:
    return footprint.catalog_digest, footprint.version


def _output(footprint: Footprint, output: str) -> Range:
    for holder in (footprint, footprint.facility, footprint.usage):
        found = getattr(holder, output, None)
        if isinstance(found, Range):
            return found
    return Range.exactly(0.0)


def _part_hover(name: str, part: Part) -> str:
    return hover(
        f"<b>{name}</b>: {show_range(CARBON, part.total_location_kgco2e)}",
        f"operational {show_range('operational_location_kgco2e', part.operational_location_kgco2e)}",
        f"embodied {show_range('embodied_kgco2e', part.embodied_kgco2e)}"
        if part.embodied_kgco2e
        else "no embodied part",
    )


def _count_hover(point: CountPoint) -> str:
    return hover(
        f"<b>{point.accelerator_count:,} accelerators</b>",
        f"{show_range('accelerator_hours', point.accelerator_hours)}, {show_days(point.wall_clock_h)}",
        f"rental {show_range('rental_on_demand_usd', point.rental_on_demand_usd)}",
        f"CO2e {show_range(CARBON, point.total_location_kgco2e)}",
    )
