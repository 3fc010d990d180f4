"""The charts of how runs go: what was emitted so far and will be, what was planned, and many runs over months."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import plotly.graph_objects as go

from footprint.report.charts.of_runs import added, moment, name_of, of_run
from footprint.report.charts.style import (
    BAND,
    GREY,
    INK,
    above,
    bars,
    finish,
    hatched,
    hover,
    look,
    marker,
    mids,
    named,
    over,
    unit_for,
)
from footprint.report.wording import LABELS, show_days, show_range
from footprint.studies import History
from footprint.units import S_PER_H
from footprint.values import Forecast, Range, Run

CARBON = "operational_location_kgco2e"
INTERVALS = "Bars: 5th to 95th percentile"
PLANNED = ("accelerator_hours", "wall_clock_h", "facility_energy_kwh", CARBON, "electricity_usd")


def cumulative(run: Run, forecast: Forecast | None = None) -> go.Figure:
    """CO2e so far, hour by hour, with its interval, and the band in which it will end."""
    hourly = sorted(run.hourly_it_energy_kwh)
    emitted, drawn = run.footprint.facility.operational_location_kgco2e, sum(kwh for _, kwh in hourly)
    ends = [emitted, *([forecast.operational_location_kgco2e] if forecast else [])]
    divisor, unit = unit_for(CARBON, ends)
    times = [moment(run.started_utc_s), *(moment(min(hour + S_PER_H, run.ended_utc_s)) for hour, _ in hourly)]
    shares = [0.0, *accumulate(kwh / drawn if drawn else 0.0 for _, kwh in hourly)]
    curve = [over(emitted, divisor / share) if share else Range.exactly(0.0) for share in shares]
    figure = go.Figure()
    _add_range(figure, times, [c for c in curve if c is not None], "interval")
    figure.add_scatter(
        x=times, y=mids(curve), mode="lines", name="so far", line={"color": look(0).color, "width": 3},
        text=[show_range(CARBON, over(c, 1 / divisor)) for c in curve], hovertemplate="%{x}: %{text}<extra></extra>",
    )  # fmt: skip
    if forecast is not None:
        now = over(emitted, divisor)
        end = over(forecast.operational_location_kgco2e, divisor)
        assert now is not None
        assert end is not None
        ahead = [moment(run.ended_utc_s), moment(forecast.ended_utc_s.mid)]
        _add_range(figure, ahead, [Range.exactly(now.mid), end], "forecast's interval")
        figure.add_scatter(
            x=ahead, y=[now.mid, end.mid], mode="lines+markers", name="forecast", marker=marker(look(3)),
            line={"color": look(3).color, "width": 2, "dash": "dash"},
            text=["", show_range(CARBON, forecast.operational_location_kgco2e)],
            hovertemplate="%{x}: %{text}<extra></extra>",
        )  # fmt: skip
    if run.planned is not None:
        planned = run.planned.facility.operational_location_kgco2e
        figure.add_hline(y=planned.mid / divisor, line={"color": GREY, "width": 1.5, "dash": "dot"})
        figure.add_annotation(
            x=0, xref="paper", xanchor="left", y=planned.mid / divisor, yanchor="bottom", showarrow=False,
            text=f"planned {show_range(CARBON, planned, bounds=False)}",
        )  # fmt: skip
    figure.update_xaxes(type="date", title={"text": "time (UTC)"})
    figure.update_yaxes(title={"text": f"operational CO2e, location-based ({unit})"}, rangemode="tozero")
    above(figure)
    told = f", {show_range(CARBON, forecast.operational_location_kgco2e)} when it is done" if forecast else ""
    so_far = f"so far{told}" if forecast or run.status == "running" else "in all"
    finding = f"{name_of(run)}: {show_range(CARBON, emitted)} {so_far}"
    assumed = (
        "Bands: 5th to 95th percentile; the run's mean intensity for every hour",
        "Forecast: the rest at the pace so far, its ends at the quickest and the slowest quarter's" if forecast else "",
    )
    return of_run(figure, finding, run, assumed)


def planned(run: Run) -> go.Figure:
    """Hours, time, energy, carbon and dollars over what was planned, both with their intervals."""
    pairs = [(field, _of(run, field, True), _of(run, field, False)) for field in PLANNED]
    known = [(field, plan, own) for field, plan, own in pairs if plan is not None and own is not None and plan.mid]
    names = [LABELS[field] for field, _, _ in known]
    figure = go.Figure()
    for place, (label, index) in enumerate((("planned", 0), ("actual", 1))):
        chosen = [(field, (plan, own)[index], plan.mid) for field, plan, own in known]
        ranges = [over(value, by) for _, value, by in chosen]
        texts = [_shown(field, value) for field, value, _ in chosen]
        one = look(place * 3)
        figure.add_scatter(
            x=mids(ranges), y=names, error_x=bars(ranges) | {"color": one.color}, mode="markers+text", name=label,
            marker=marker(one, 11), text=texts, hovertemplate="%{y}, " + label + ": %{text}<extra></extra>",
            textposition="top center" if index else "bottom center", textfont={"size": 12}, cliponaxis=False,
        )  # fmt: skip
    figure.add_vline(x=1, line={"color": GREY, "width": 1, "dash": "dot"})
    figure.update_xaxes(title={"text": "over the plan's middle (ratio)"}, rangemode="tozero")
    figure.update_yaxes(
        autorange="reversed", automargin=True, type="category", range=[len(names) - 0.4, -0.6], showgrid=False
    )
    above(figure)
    energy = next(((plan, own) for field, plan, own in known if field == "facility_energy_kwh"), None)
    if energy is None or energy[0] is None or energy[1] is None:
        finding = f"{name_of(run)}: no plan is known"
    else:
        inside = energy[0].low <= energy[1].mid <= energy[0].high
        where = "inside" if inside else "outside"
        ratio = energy[1].mid / energy[0].mid
        finding = f"{name_of(run)}: {ratio:.2f} times the energy planned, {where} the plan's interval"
    return of_run(figure, finding, run, (INTERVALS, "Each quantity over the middle of its plan"))


def history(result: History) -> go.Figure:
    """Many runs over months by project: tonnes or kilograms, stacked, with the interval of each month."""
    months = sorted({one.month for one in result.months})
    weight = {p: sum(o.total_location_kgco2e.mid for o in result.months if o.project == p) for p in _projects(result)}
    projects = sorted(weight, key=lambda name: -weight[name])
    by_month = [added(one.total_location_kgco2e for one in result.months if one.month == month) for month in months]
    divisor, unit = unit_for("total_location_kgco2e", by_month)
    figure = go.Figure()
    for place, project in enumerate(projects):
        own = {one.month: one for one in result.months if one.project == project}
        values = [own[month].total_location_kgco2e.mid / divisor if month in own else 0.0 for month in months]
        figure.add_bar(
            x=months, y=values, name=named(project) or "no project", marker=hatched(look(place)),
            text=[
                hover(
                    f"<b>{named(project) or 'no project'}</b>, {month}: {_counted(own[month].run_count, 'run')}",
                    f"CO2e {show_range('total_location_kgco2e', own[month].total_location_kgco2e)}",
                    f"facility energy {show_range('facility_energy_kwh', own[month].facility_energy_kwh)}",
                    f"electricity {show_range('electricity_usd', own[month].electricity_usd)}",
                ) if month in own else ""
                for month in months
            ],
            textposition="none", hovertemplate="%{text}<extra></extra>",
        )  # fmt: skip
    figure.add_scatter(
        x=months, y=mids(by_month, divisor), error_y=bars(by_month, divisor), mode="markers", name="interval",
        marker={"symbol": "line-ew-open", "size": 12, "color": INK}, hoverinfo="skip",
    )  # fmt: skip
    figure.update_xaxes(type="category", title={"text": "month (UTC)"}, showgrid=False)
    figure.update_yaxes(title={"text": f"CO2e total ({unit})"}, rangemode="tozero")
    figure.update_layout(barmode="stack", bargap=0.3)
    above(figure)
    whole = added(by_month)
    finding = "No run is known"
    if months:
        counts = f"{_counted(result.run_count, 'run')} over {_counted(len(months), 'month')}"
        finding = f"{counts}: {show_range('total_location_kgco2e', whole)}"
    if whole.mid and len(projects) > 1:
        finding += f"; {named(projects[0]) or 'no project'} emitted {weight[projects[0]] / whole.mid:.0%}"
    assumed = (
        "Bars: 5th to 95th percentile, added up as if all erred the same way",
        "Failed and interrupted runs count; a run over two months counts in each by its share",
    )
    return finish(figure, finding, "", assumed, result.catalog_digest, result.version)


def _add_range(figure: go.Figure, times: Sequence[str], ranges: Sequence[Range], name: str) -> None:
    figure.add_scatter(
        x=[*times, *reversed(times)], y=[*(r.high for r in ranges), *(r.low for r in reversed(ranges))],
        mode="lines", fill="toself", fillcolor=BAND, line={"width": 0.5, "color": GREY, "dash": "dot"},
        hoverinfo="skip", name=name,
    )  # fmt: skip


def _projects(result: History) -> list[str]:
    return list(dict.fromkeys(one.project for one in result.months))


def _of(run: Run, field: str, is_plan: bool) -> Range | None:
    footprint = run.planned if is_plan else run.footprint
    if footprint is None:
        return None
    for holder in (footprint.usage, footprint.facility):
        if hasattr(holder, field):
            found: Range | None = getattr(holder, field)
            return found
    return None


def _shown(field: str, value: Range | None) -> str:
    return show_days(value) if field == "wall_clock_h" else show_range(field, value, bounds=False)


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}" + ("" if count == 1 else "s")
