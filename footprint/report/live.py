"""A run while it goes on, on one screen: how far, what it draws now, what it has cost, what it will cost."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from footprint.report.live_power import MeterNow, Screen, bar, power
from footprint.report.run_wording import done_share, duration
from footprint.report.terminal import render
from footprint.report.wording import plain, show_range
from footprint.units import H_PER_DAY, PERCENT_PER_SHARE, S_PER_H, show, show_number
from footprint.values import Forecast, Impact, Progress, Range, Run

_COLORS = {"running": "green", "finished": "bold green", "failed": "bold red"}
_OTHER_COLOR = "yellow"
_SEPARATOR = " · "
_MOST_NOTES = 3
_LONG_WORD = 12  # what wrapping leaves empty at a line's end
_FOR_BOUNDS = 76  # columns that two amounts with their bounds need
_ROWS = {
    "it_energy_kwh": "IT energy",
    "facility_energy_kwh": "Facility energy",
    "operational_location_kgco2e": "CO2e",
    "electricity_usd": "Electricity",
}


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


def text(now: Now, screen: Screen | None = None, color: bool = False) -> str:
    """The same as plain text, for a pipe or a file."""
    screen = screen or Screen()
    return render([view(now, screen)], screen.columns, color)


def view(now: Now, screen: Screen) -> RenderableType:
    """What the terminal shows."""
    parts: list[list[RenderableType]] = [
        [_title(now, screen)],
        _progress(now, screen),
        power(now.meters, _total(now), screen),
        [_amounts(now, screen)],
        _budgets(now, screen),
        _remarks(now, screen),
    ]
    items: list[RenderableType] = []
    for part in parts:
        items += [Text(), *part] if items and part else part
    return Group(*items)


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
        hint = "how far it is, nobody told" if now.run.status == "running" else ""
        return _flow((*counts, hint), screen, "dim")
    share = f" {show_number(done * PERCENT_PER_SHARE, 3)} %"
    line = Text.assemble(
        (bar(done, screen.columns - len(share) - 1, screen.is_ascii), "cyan"), (share, "bold"), overflow="crop"
    )
    return [line, *_flow((*counts, _ends(now)), screen, "dim")]


def _counts(progress: Progress) -> list[str]:
    """'step 120 of 400', '1.2B of 2B tokens'."""
    words = []
    if progress.steps_count or progress.total_steps_count:
        words.append(f"step {progress.steps_count:,.0f}" + _of(progress.total_steps_count, "{:,.0f}"))
    if progress.tokens or progress.total_tokens:
        total = f" of {show('tokens', progress.total_tokens)}" if progress.total_tokens else ""
        words.append(f"{show('tokens', progress.tokens)}{total} tokens")
    if progress.epochs_count or progress.total_epochs_count:
        words.append(f"epoch {progress.epochs_count:.1f}" + _of(progress.total_epochs_count, "{:,g}"))
    return words


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


def _total(now: Now) -> Text:
    watts = [m.power_w for m in now.meters if m.power_w is not None]
    if not watts or now.run.status != "running":
        return Text("Power at the end" if watts else "Power", style="bold")
    facility = f", {show('power_w', now.facility_power_w)} with the facility" if now.facility_power_w else ""
    return Text.assemble(("Power now ", "bold"), f"{show('power_w', math.fsum(watts))}", (facility, "dim"))


def _amounts(now: Now, screen: Screen) -> RenderableType:
    """What it has cost, and what it will have cost in the end."""
    facility, forecast = now.run.footprint.facility, now.forecast
    has_forecast = forecast is not None and now.run.status == "running"
    grid = Grid(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    grid.add_column("", no_wrap=True)
    grid.add_column("so far", no_wrap=True)
    if has_forecast:
        grid.add_column("in the end", no_wrap=True)
    bounds = screen.columns >= _FOR_BOUNDS or not has_forecast
    for field, label in _ROWS.items():
        so_far: Range | None = getattr(facility, field)
        if so_far is None:
            continue
        end: Range | None = getattr(forecast, field, None)
        cells = [Text(label), Text(show_range(field, so_far, bounds), style="bold")]
        if has_forecast:
            cells.append(Text(show_range(field, end, bounds) if end else ""))
        grid.add_row(*cells)
    return grid


def _budgets(now: Now, screen: Screen) -> list[RenderableType]:
    """A bar a budget, and how much of it the run will have used."""
    items: list[RenderableType] = []
    for field, most in now.budgets:
        so_far: Range | None = getattr(now.run.footprint.facility, field, None)
        if so_far is None or most <= 0:
            continue
        end: Range | None = getattr(now.forecast, field, None) if now.run.status == "running" else None
        used, will = so_far.mid / most, (end or so_far).mid / most
        label = Text(f"Budget {_ROWS.get(field, field).split()[-1].casefold()} ")
        told = f" {used:.0%} of {show(field, most)}" + (f", {will:.0%} in the end" if end else "")
        width = max(8, screen.columns - label.cell_len - len(told))
        color = "red" if will > 1 else "green"
        drawn = bar(used, width, screen.is_ascii)
        items.append(Text.assemble(label, (drawn, color), (told, f"bold {color}"), overflow="crop", no_wrap=True))
    return items


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
    items = _flow(words, screen)
    if run.planned is not None:
        items += _flow(_against(now, run.planned.facility), screen, "dim")
    shown = list(dict.fromkeys(run.notes))
    items += [_cut(Text(f"note: {plain(note)}", style="dim"), screen, lines=2) for note in shown[-_MOST_NOTES:]]
    if len(shown) > _MOST_NOTES:
        items.append(Text(f"and {len(shown) - _MOST_NOTES} more: footprint runs show", style="dim"))
    return items


def _against(now: Now, planned: Impact) -> tuple[str, str]:
    """'planned 20 kWh and 3.1 kgCO2e', '1.04 of it by forecast'."""
    fields = ("facility_energy_kwh", "operational_location_kgco2e")
    told = " and ".join(show_range(field, getattr(planned, field), bounds=False) for field in fields)
    end = now.forecast.facility_energy_kwh if now.forecast else now.run.footprint.facility.facility_energy_kwh
    by = "by forecast" if now.forecast else "so far"
    return f"planned {told}", f"{show_number(end.mid / planned.facility_energy_kwh.mid, 2)} of the energy {by}"


def _flow(words: Iterable[str], screen: Screen, style: str = "") -> list[RenderableType]:
    """Words side by side, on as many lines as they need."""
    lines: list[str] = []
    for word in filter(None, words):
        joined = f"{lines[-1]}{_SEPARATOR}{word}" if lines else word
        if lines and cell_len(joined) <= screen.columns:
            lines[-1] = joined
        else:
            lines.append(word)
    return [_cut(Text(line, style=style), screen) for line in lines]


def _cut(line: Text, screen: Screen, lines: int = 1) -> Text:
    """On one line, or on so many."""
    if cell_len(line.plain) > screen.columns * lines:
        line.truncate(screen.columns * lines - (lines - 1) * _LONG_WORD, overflow="ellipsis")
    line.no_wrap = lines == 1
    return line
