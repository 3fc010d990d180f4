"""The charts of what a run drew: power over time, energy by component, and what was drawn idle."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from footprint.report.charts.of_runs import added, moment, name_of, of_run
from footprint.report.charts.style import (
    BAND,
    GREY,
    INK,
    Look,
    above,
    bars,
    finish,
    hatched,
    look,
    mids,
    named,
    unit_for,
)
from footprint.report.run_wording import KINDS, kind_of, short, short_id
from footprint.report.wording import show_range
from footprint.studies import MeterSeries, RunSeries
from footprint.units import show
from footprint.values import MeterUsage, Run

MOST_LINES, MOST_BANDS, MOST_WINDOWS, MOST_ROWS = 16, 4, 6, 24
COMPONENTS = {
    "accelerator": "accelerators", "cpu": "processors", "ram": "memory", "node": "rest of the node",
}  # fmt: skip
KIND_LOOKS: dict[str, Look] = {kind: look(place) for place, kind in enumerate(KINDS.values())}
IT = "it_energy_kwh"
INTERVALS = "Bars: 5th to 95th percentile"
ROW_PX, EDGE_PX = 30, 320
_LEAST_ID = len("GPU-5f2c")


def power(series: RunSeries) -> go.Figure:
    """Power of each device over time, with the shares of time that windows of each name took below."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.8, 0.2], vertical_spacing=1 / 20)
    devices = [one for one in series.meters if one.meter.component == "accelerator"] or list(series.meters)
    lines = list(zip(_device_names(devices), devices, strict=True))
    if len(lines) > MOST_LINES:
        lines = _by_host(devices)
    count = max((len(one.mean_w) for _, one in lines), default=0)
    times = [moment(series.started_utc_s + (i + 0.5) * series.piece_s) for i in range(count)]
    has_bands = len(lines) <= MOST_BANDS
    peak = max((w for _, one in lines for w in one.high_w if w is not None), default=0.0)
    divisor, unit = unit_for("power_w", [peak])
    for place, (name, one) in enumerate(lines):
        if has_bands:
            _add_span(figure, times, one, divisor)
        own = look(place)
        figure.add_scatter(
            x=times, y=[None if w is None else w / divisor for w in one.mean_w], mode="lines", name=name,
            line={"color": own.color, "width": 1.5, "dash": own.dash}, connectgaps=False,
            hovertemplate="%{y:.3~g} " + unit + "<extra>" + name + "</extra>", row=1, col=1,
        )  # fmt: skip
    windows = sorted(series.windows, key=lambda one: -sum(one.inside_share))[:MOST_WINDOWS]
    windows.sort(key=lambda one: one.name)
    figure.add_heatmap(
        x=times, y=[named(one.name, 24) for one in windows], z=[list(one.inside_share) for one in windows],
        zmin=0, zmax=1, colorscale=[[0, "rgba(128,128,128,0)"], [1, GREY]], showscale=False, ygap=2,
        hovertemplate="inside %{y} for %{z:.0%} of the time<extra></extra>", name="windows", row=2, col=1,
    )  # fmt: skip
    figure.update_xaxes(type="date", showgrid=False)
    figure.update_xaxes(title={"text": "time (UTC)"}, row=2, col=1)
    figure.update_yaxes(title={"text": f"power ({unit})"}, rangemode="tozero", row=1, col=1)
    figure.update_yaxes(type="category", showgrid=False, automargin=True, visible=bool(windows), row=2, col=1)
    above(figure)
    assumed = (
        f"Means over {_seconds(series.piece_s)}, from {series.sample_count:,} readings"
        + (", with the lowest and highest reading as a band" if has_bands else ""),
        "Below: darker where more of the time was inside windows of that name" if windows else "No windows were marked",
    )
    return finish(figure, _power_finding(series, devices), "", assumed, "", series.version)


def components(run: Run) -> go.Figure:
    """IT energy by component, each kind of knowing hatched in its own way: measured, modelled, assumed."""
    groups = {name: [m for m in run.meters if m.meter.component == name] for name in COMPONENTS}
    groups = {name: own for name, own in groups.items() if own}
    names = [COMPONENTS[name] for name in groups]
    totals = [added(one.it_energy_kwh for one in own) for own in groups.values()]
    whole = sum(total.mid for total in totals)
    divisor, unit = unit_for(IT, totals)
    figure = go.Figure()
    for kind, own_look in KIND_LOOKS.items():
        parts = [added(one.it_energy_kwh for one in own if kind_of(one) == kind) for own in groups.values()]
        if not any(part.mid for part in parts):
            continue
        figure.add_bar(
            x=mids(parts, divisor), y=names, orientation="h", marker=hatched(own_look), name=kind,
            text=[f"{part.mid / whole:.0%}" if part.mid and whole else "" for part in parts],
            textposition="outside" if len(names) == len(run.meters) else "none", cliponaxis=False,
            hovertext=[f"<b>{n}</b>, {kind}: {show_range(IT, part)}" for n, part in zip(names, parts, strict=True)],
            hoverinfo="text",
        )  # fmt: skip
    figure.add_scatter(
        x=mids(totals, divisor), y=names, error_x=bars(totals, divisor), mode="markers", name="interval",
        marker={"symbol": "line-ns-open", "size": 12, "color": INK}, hoverinfo="skip",
    )  # fmt: skip
    figure.update_xaxes(title={"text": f"IT energy ({unit})"}, rangemode="tozero")
    figure.update_yaxes(autorange="reversed", automargin=True, showgrid=False, type="category")
    figure.update_layout(barmode="stack", bargap=0.4)
    above(figure)
    share = run.usage.coverage_share
    known = f", {share:.0%} of it measured" if share is not None else ""
    first = f"; {names[0]} drew {totals[0].mid / whole:.0%}" if whole else ""
    finding = f"{name_of(run)}: {show_range(IT, run.usage.it_energy_kwh)} of IT energy{known}{first}"
    assumed = (INTERVALS, "IT energy: before the facility's overhead (PUE)")
    return of_run(figure, finding, run, assumed)


def idle(run: Run) -> go.Figure:
    """What each accelerator drew while next to nothing ran on it."""
    own = [one for one in run.meters if one.stalled_it_energy_kwh is not None]
    rows = [(_meter_name(one, run), one.it_energy_kwh.mid, one.stalled_it_energy_kwh or 0.0) for one in own]
    if len(rows) > MOST_ROWS:
        by_host: dict[str, tuple[float, float]] = {}
        for one in own:
            whole, stalled = by_host.get(one.host, (0.0, 0.0))
            by_host[one.host] = (whole + one.it_energy_kwh.mid, stalled + (one.stalled_it_energy_kwh or 0.0))
        rows = [(named(host), *pair) for host, pair in by_host.items()]
    divisor, unit = unit_for(IT, [whole for _, whole, _ in rows])
    names = [f"{name}: {stalled / whole:.0%}" if whole else name for name, whole, stalled in rows]
    figure = go.Figure()
    for place, (label, values) in enumerate(
        (("idle", [stalled for _, _, stalled in rows]), ("busy", [whole - stalled for _, whole, stalled in rows]))
    ):
        figure.add_bar(
            x=[value / divisor for value in values], y=names, orientation="h", name=label,
            marker=hatched(look(3 if place == 0 else 0)),
            text=[f"{v / row[1]:.0%} {label}" if row[1] else label for v, row in zip(values, rows, strict=True)],
            textposition="none", hovertemplate="%{y}: %{text}<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title={"text": f"IT energy of accelerators ({unit})"}, rangemode="tozero")
    figure.update_yaxes(autorange="reversed", automargin=True, showgrid=False, type="category")
    figure.update_layout(barmode="stack", bargap=0.3, height=max(ROW_PX * len(rows) + EDGE_PX, ROW_PX + EDGE_PX))
    above(figure)
    whole, stalled = sum(w for _, w, _ in rows), sum(s for _, _, s in rows)
    finding = (
        f"{name_of(run)}: {stalled / whole:.0%} of the accelerators' energy was drawn idle ({show(IT, stalled, 2)})"
        if whole
        else f"{name_of(run)}: no accelerator told how busy it was"
    )
    assumed = (
        "Idle, also beside each name: utilization, as the driver tells it, next to nothing",
        "IT energy: before the facility's overhead",
    )
    return of_run(figure, finding, run, assumed)


def _seconds(seconds: float) -> str:
    return show("piece_s", seconds, 2)


def _device_names(devices: Sequence[MeterSeries]) -> list[str]:
    """What tells devices apart, no longer than that asks for: legends are narrow on a phone."""
    hosts, ids = [one.host for one in devices], [short_id(one.meter.id) for one in devices]
    longest = max(map(len, ids), default=0)
    lengths = range(min(_LEAST_ID, longest), longest + 1)
    most = next((n for n in lengths if len({*zip(hosts, (i[:n] for i in ids), strict=True)}) == len(ids)), longest)
    own = [named(i[:most] if i != one.meter.id else i, 24) for one, i in zip(devices, ids, strict=True)]
    if len(set(hosts)) < 2:
        return own
    return [f"{named(host, 20)} {name.removeprefix('GPU-')}" for host, name in zip(hosts, own, strict=True)]


def _meter_name(one: MeterUsage, run: Run) -> str:
    where = f"{named(one.host, 20)} " if len(run.hosts) > 1 else ""
    return f"{where}{named(short_id(one.meter.id), 24)}"


def _by_host(devices: Sequence[MeterSeries]) -> list[tuple[str, MeterSeries]]:
    """Devices of a host added up: more lines than can be told apart say nothing."""
    hosts: dict[str, list[MeterSeries]] = {}
    for one in devices:
        hosts.setdefault(one.host, []).append(one)

    def added(columns: Sequence[tuple[float | None, ...]]) -> tuple[float | None, ...]:
        return tuple(
            sum(v for v in row if v is not None) if any(v is not None for v in row) else None
            for row in zip(*columns, strict=True)
        )

    return [
        (
            f"{named(host, 20)}, {len(own)} devices",
            MeterSeries(
                host, own[0].meter, added([o.mean_w for o in own]), added([o.low_w for o in own]),
                added([o.high_w for o in own]),
            ),
        )
        for host, own in list(hosts.items())[:MOST_LINES]
    ]  # fmt: skip


def _add_span(figure: go.Figure, times: Sequence[str], one: MeterSeries, divisor: float) -> None:
    known = [i for i, w in enumerate(one.low_w) if w is not None]
    low = [(one.low_w[i] or 0.0) / divisor for i in known]
    high = [(one.high_w[i] or 0.0) / divisor for i in known]
    at = [times[i] for i in known]
    figure.add_scatter(
        x=[*at, *reversed(at)], y=[*high, *reversed(low)], mode="lines", fill="toself", fillcolor=BAND,
        line={"width": 0}, hoverinfo="skip", showlegend=False, row=1, col=1,
    )  # fmt: skip


def _power_finding(series: RunSeries, devices: Sequence[MeterSeries]) -> str:
    name = named(series.name or series.run_id)
    means = [w for one in devices for w in one.mean_w if w is not None]
    if not means:
        return f"{name}: no power was read"
    is_accelerator = devices[0].meter.component == "accelerator"
    device = named(short(devices[0].meter.name)) if is_accelerator else "meter"
    count = len(devices)
    peak = max(w for one in devices for w in one.high_w if w is not None)
    most = devices[0].meter.max_w
    limit = f" of {show('max_w', most, 3)}" if most and is_accelerator else ""
    mean = show("mean_w", sum(means) / len(means), 2)
    return f"{name}: {count} x {device} drew {mean} each on average, {show('peak_w', peak, 2)}{limit} at most"
