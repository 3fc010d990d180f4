"""A run while it goes on, on one screen: how far, what it draws now, what it has cost, what it will cost."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from footprint.report.terminal import render
from footprint.report.wording import plain, show_range
from footprint.units import H_PER_DAY, PERCENT_PER_SHARE, S_PER_H, S_PER_MINUTE, show, show_number
from footprint.values import COMPONENTS, Forecast, Impact, Meter, Progress, Range, Run

WIDE_COLUMNS = 110
"""From so many columns on devices stand two in a row where they are many."""

_COLORS = {"running": "green", "finished": "bold green", "failed": "bold red"}
_OTHER_COLOR = "yellow"
_EIGHTHS, _SPARKS = " ▏▎▍▌▋▊▉█", "▁▂▃▄▅▆▇█"
_ASCII_SPARKS = "_.,-=+*#"
_LABEL, _WATTS, _SHARE = 26, 7, 5
_BESIDE_DEVICES = 17
"""Lines that are no devices."""
_FEW_DEVICES = 8
_MOST_NOTES = 3
_ROWS = {
    "it_energy_kwh": "IT energy",
    "facility_energy_kwh": "Facility energy",
    "operational_location_kgco2e": "CO2e",
    "electricity_usd": "Electricity",
}


@dataclass(frozen=True, slots=True)
class MeterNow:
    """What a meter shows now, and what it showed before."""

    host: str
    meter: Meter
    power_w: float | None = None
    utilization: float | None = None
    trace_w: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Now:
    """A run at one moment."""

    run: Run
    at_utc_s: float
    meters: tuple[MeterNow, ...] = ()
    facility_power_w: float | None = None
    forecast: Forecast | None = None
    tokens_per_s: float | None = None
    joules_per_token: float | None = None
    budgets: tuple[tuple[str, float], ...] = ()  # a field of `Impact`, and the most that it may be


@dataclass(frozen=True, slots=True)
class Screen:
    """What may be drawn on."""

    columns: int = 80
    lines: int | None = None  # None: as many as are needed
    is_ascii: bool = False


def text(now: Now, screen: Screen | None = None, color: bool = False) -> str:
    """The same as plain text, for a pipe or a file."""
    screen = screen or Screen()
    return render([view(now, screen)], screen.columns, color)


def view(now: Now, screen: Screen) -> RenderableType:
    """What the terminal shows."""
    parts: list[list[RenderableType]] = [
        [_title(now, screen)],
        _progress(now, screen),
        _power(now, screen),
        [_amounts(now, screen)],
        _remarks(now, screen),
    ]
    items: list[RenderableType] = []
    for part in parts:
        items += [Text(), *part] if items and part else part
    return Group(*items)


def duration(seconds: float) -> str:
    """'45 s', '12 min', '3 h 05 min', '2 d 4 h'."""
    if seconds < S_PER_MINUTE:
        return f"{seconds:.0f} s"
    minutes = int(seconds // S_PER_MINUTE)
    hours, minutes = divmod(minutes, int(S_PER_H // S_PER_MINUTE))
    days, rest = divmod(hours, int(H_PER_DAY))
    if days:
        return f"{days} d {rest} h"
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def bar(share: float, width: int, is_ascii: bool = False) -> str:
    """A horizontal bar, to an eighth of a cell."""
    filled = min(1.0, max(0.0, share)) * width
    if is_ascii:
        return ("#" * round(filled)).ljust(width, ".")
    whole = int(filled)
    part = _EIGHTHS[int((filled - whole) * (len(_EIGHTHS) - 1))] if whole < width else ""
    return ("█" * whole + part.strip()).ljust(width, "░")


def spark(values: Sequence[float], most: float, width: int, is_ascii: bool = False) -> str:
    """The last values as a line of small columns, the newest at the right."""
    signs = _ASCII_SPARKS if is_ascii else _SPARKS
    top = most if most > 0 else 1.0
    places = (min(1.0, max(0.0, value / top)) * (len(signs) - 1) for value in values[-width:])
    return "".join(signs[round(place)] for place in places).rjust(width)


def _title(now: Now, screen: Screen) -> Text:
    run = now.run
    status = Text(run.status, style=_COLORS.get(run.status, _OTHER_COLOR))
    elapsed = duration(max(0.0, (now.at_utc_s if run.status == "running" else run.ended_utc_s) - run.started_utc_s))
    where = [plain(host) for host in run.hosts[:1]] + (
        [f"and {len(run.hosts) - 1} hosts more"] if run.hosts[1:] else []
    )
    end = Text.assemble(" · ", status, f" · {elapsed}", (f" · {' '.join(where)}" if where else "", "dim"))
    name = Text(plain(run.name) or run.id, style="bold")
    name.truncate(max(8, screen.columns - end.cell_len), overflow="ellipsis")
    return _cut(name + end, screen)


def _progress(now: Now, screen: Screen) -> list[RenderableType]:
    done = now.forecast.done_share if now.forecast else done_share(now.run.progress)
    counts = _counts(now.run.progress)
    if done is None:
        told = f"{counts} · " if counts else ""
        hint = "how far it is, nobody told" if now.run.status == "running" else ""
        return [_cut(Text((told + hint).removesuffix(" · "), style="dim"), screen)] if told + hint else []
    share = f" {show_number(done * PERCENT_PER_SHARE, 3)} %"
    line = Text.assemble(
        (bar(done, screen.columns - len(share) - 1, screen.is_ascii), "cyan"), (share, "bold"), overflow="crop"
    )
    ends = _ends(now)
    return [line, _cut(Text(" · ".join(words for words in (counts, ends) if words), style="dim"), screen)]


def done_share(progress: Progress) -> float | None:
    """Of the first of steps, tokens and epochs whose total is known."""
    for done, total in (
        (progress.steps_count, progress.total_steps_count),
        (progress.tokens, progress.total_tokens),
        (progress.epochs_count, progress.total_epochs_count),
    ):
        if total:
            return min(1.0, done / total)
    return None


def _counts(progress: Progress) -> str:
    """'step 120 of 400 · 1.2B of 2B tokens'."""
    words = []
    if progress.steps_count or progress.total_steps_count:
        words.append(f"step {progress.steps_count:,.0f}" + _of(progress.total_steps_count, "{:,.0f}"))
    if progress.tokens or progress.total_tokens:
        total = f" of {show('tokens', progress.total_tokens)}" if progress.total_tokens else ""
        words.append(f"{show('tokens', progress.tokens)}{total} tokens")
    if progress.epochs_count or progress.total_epochs_count:
        words.append(f"epoch {progress.epochs_count:.1f}" + _of(progress.total_epochs_count, "{:,g}"))
    return " · ".join(words)


def _of(total: float | None, pattern: str) -> str:
    return f" of {pattern.format(total)}" if total else ""


def _ends(now: Now) -> str:
    """'ends at 18:40 (18:31 – 18:55)', with the day where it is another one."""
    if now.forecast is None or now.run.status != "running":
        return ""
    when = now.forecast.ended_utc_s
    far = abs(when.high - now.at_utc_s) > H_PER_DAY * S_PER_H / 2
    low, middle, high = (time.strftime("%a %d %b %H:%M" if far else "%H:%M", time.localtime(t)) for t in _ordered(when))
    left = duration(max(0.0, when.mid - now.at_utc_s))
    return f"ends {middle} ({low} – {high}), in {left}" if low != high else f"ends {middle}, in {left}"


def _ordered(value: Range) -> tuple[float, float, float]:
    return value.low, value.mid, value.high


def _power(now: Now, screen: Screen) -> list[RenderableType]:
    """A line a device, or a line a host where they are too many; then the rest of the host."""
    if not now.meters:
        return []
    devices = [m for m in now.meters if m.meter.component == "accelerator"]
    others = [m for m in now.meters if m.meter.component != "accelerator"]
    room = math.inf if screen.lines is None else max(1, screen.lines - _BESIDE_DEVICES - _kinds(others))
    are_wide = screen.columns >= WIDE_COLUMNS and len(devices) > _FEW_DEVICES
    if len(devices) > room * (2 if are_wide else 1):
        devices, are_wide = _by_host(devices), False
    shown = devices if len(devices) <= room * (2 if are_wide else 1) else devices[: int(room)]
    columns = 2 if are_wide else 1
    width = (screen.columns - 2 * (columns - 1)) // columns
    names = _names(shown)
    lines = [_device(one, name, width, screen) for one, name in zip(shown, names, strict=True)]
    items: list[RenderableType] = [_total(now), *_side_by_side(lines, columns)]
    if len(shown) < len(devices):
        items.append(Text(f"and {len(devices) - len(shown)} more", style="dim"))
    for component in COMPONENTS:
        same = [m for m in others if m.meter.component == component]
        if same:
            items.append(_device(_sum(same, component), f"{component}, {same[0].meter.origin}", screen.columns, screen))
    return items


def _kinds(meters: Sequence[MeterNow]) -> int:
    return len({m.meter.component for m in meters})


def _total(now: Now) -> Text:
    watts = [m.power_w for m in now.meters if m.power_w is not None]
    if not watts or now.run.status != "running":
        return Text("Power at the end" if watts else "Power", style="bold")
    facility = f", {show('power_w', now.facility_power_w)} with the facility" if now.facility_power_w else ""
    return Text.assemble(("Power now ", "bold"), f"{show('power_w', math.fsum(watts))}", (facility, "dim"))


def _names(meters: Sequence[MeterNow]) -> list[str]:
    """A number and a name a device; the host's too where there are several."""
    hosts = {m.host for m in meters}
    counts: dict[str, int] = {}
    names = []
    for one in meters:
        place = counts.setdefault(one.host, 0)
        counts[one.host] += 1
        host = f"{plain(one.host)} " if len(hosts) > 1 else ""
        names.append(f"{host}{place} {plain(one.meter.name).removeprefix('NVIDIA ')}")
    return names


def _by_host(meters: Iterable[MeterNow]) -> list[MeterNow]:
    hosts: dict[str, list[MeterNow]] = {}
    for one in meters:
        hosts.setdefault(one.host, []).append(one)
    return [_sum(same, f"{len(same)} × {plain(same[0].meter.name)}") for same in hosts.values()]


def _sum(meters: Sequence[MeterNow], name: str) -> MeterNow:
    """Several meters as one."""
    if len(meters) == 1:
        return meters[0]
    first = meters[0].meter
    watts = [m.power_w for m in meters if m.power_w is not None]
    busy = [m.utilization for m in meters if m.utilization is not None]
    limits = [m.meter.max_w for m in meters]
    length = min(len(m.trace_w) for m in meters)
    traces = zip(*(m.trace_w[len(m.trace_w) - length :] for m in meters), strict=True)
    most = math.fsum(w for w in limits if w is not None) if None not in limits else None
    return MeterNow(
        meters[0].host,
        Meter(first.id, first.component, name, first.sensor, first.scope, first.origin, max_w=most),
        math.fsum(watts) if watts else None,
        math.fsum(busy) / len(busy) if busy else None,
        tuple(math.fsum(moment) for moment in traces),
    )


def _device(one: MeterNow, name: str, width: int, screen: Screen) -> Text:
    """Name, bar, watts, utilization, the last minutes."""
    top = one.meter.max_w or max((*one.trace_w, one.power_w or 0.0))
    label = Text(name)
    label.truncate(_LABEL, overflow="ellipsis", pad=True)
    room = max(4, width - _LABEL - _WATTS - _SHARE - 4)
    sparks = min(room // 2, 40) if len(one.trace_w) > 1 else 0
    length = room - sparks - (1 if sparks else 0)
    watts = "lost" if one.power_w is None else f"{one.power_w:,.0f} W"
    share = "" if one.utilization is None else f"{one.utilization:.0%}"
    drawn = bar((one.power_w or 0.0) / top if top else 0.0, length, screen.is_ascii)
    line = Text.assemble(
        label, " ", (drawn, "cyan"), " ", (watts.rjust(_WATTS), "bold red" if one.power_w is None else "bold"),
        " ", share.rjust(_SHARE), overflow="crop", no_wrap=True,
    )  # fmt: skip
    if sparks:
        line.append(" ").append(spark(one.trace_w, top, sparks, screen.is_ascii), style="dim cyan")
    return line


def _side_by_side(lines: list[Text], columns: int) -> list[RenderableType]:
    if columns == 1:
        return list(lines)
    half = -(-len(lines) // columns)
    grid = Grid.grid(padding=(0, 2, 0, 0))
    for place in range(half):
        grid.add_row(*(lines[place + half * i] for i in range(columns) if place + half * i < len(lines)))
    return [grid]


def _amounts(now: Now, screen: Screen) -> RenderableType:
    """What it has cost, what it will have cost in the end, and how much of the budget that is."""
    facility, forecast, budgets = now.run.footprint.facility, now.forecast, dict(now.budgets)
    has_forecast = forecast is not None and now.run.status == "running"
    grid = Grid(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    grid.add_column("", no_wrap=True)
    grid.add_column("so far", no_wrap=True)
    if has_forecast:
        grid.add_column("in the end", no_wrap=True)
    if budgets:
        grid.add_column("of the budget", no_wrap=True)
    bounds = screen.columns >= 80 or not has_forecast
    for field, label in _ROWS.items():
        so_far: Range | None = getattr(facility, field)
        if so_far is None:
            continue
        end: Range | None = getattr(forecast, field, None)
        cells = [Text(label), Text(show_range(field, so_far, bounds), style="bold")]
        if has_forecast:
            cells.append(Text(show_range(field, end, bounds) if end else ""))
        if budgets:
            cells.append(_budget(so_far, end if has_forecast else None, budgets.get(field)))
        grid.add_row(*cells)
    return grid


def _budget(so_far: Range, end: Range | None, most: float | None) -> Text:
    if not most:
        return Text()
    used, will = so_far.mid / most, end.mid / most if end else so_far.mid / most
    told = f"{used:.0%}" + (f", then {will:.0%}" if end else "")
    return Text(told, style="bold red" if will > 1 else "green")


def _remarks(now: Now, screen: Screen) -> list[RenderableType]:
    run = now.run
    words = []
    if run.mfu is not None:
        words.append(f"MFU {show_number(run.mfu, 2)}")
    if now.tokens_per_s:
        words.append(f"{show('tokens', now.tokens_per_s)} tokens/s")
    if now.joules_per_token:
        words.append(f"{show_number(now.joules_per_token, 3)} J/token")
    if run.stalled_it_energy_kwh and run.footprint.facility.it_energy_kwh.mid:
        words.append(f"{run.stalled_it_energy_kwh / run.footprint.facility.it_energy_kwh.mid:.0%} of it stalled")
    if run.usage.coverage_share is not None:
        words.append(f"measured {run.usage.coverage_share:.1%}")
    items: list[RenderableType] = [_cut(Text(" · ".join(words)), screen)] if words else []
    if run.planned is not None:
        items.append(_cut(Text(_against(now, run.planned.facility), style="dim"), screen))
    shown = list(dict.fromkeys(run.notes))
    items += [_cut(Text(f"note: {plain(note)}", style="dim"), screen) for note in shown[-_MOST_NOTES:]]
    if len(shown) > _MOST_NOTES:
        items.append(Text(f"and {len(shown) - _MOST_NOTES} notes more: footprint runs show", style="dim"))
    return items


def _against(now: Now, planned: Impact) -> str:
    """'planned 20 kWh and 3.1 kgCO2e; 1.04 of it by forecast'."""
    fields = ("facility_energy_kwh", "operational_location_kgco2e")
    told = " and ".join(show_range(field, getattr(planned, field), bounds=False) for field in fields)
    end = now.forecast.facility_energy_kwh if now.forecast else now.run.footprint.facility.facility_energy_kwh
    by = "by forecast" if now.forecast else "so far"
    return f"planned {told}; {show_number(end.mid / planned.facility_energy_kwh.mid, 2)} of it {by}"


def _cut(line: Text, screen: Screen) -> Text:
    """On one line."""
    if cell_len(line.plain) > screen.columns:
        line.truncate(screen.columns, overflow="ellipsis")
    line.no_wrap = True
    return line
