"""What a run draws now: a line a device with a bar, watts, utilization and the last minutes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.table import Table as Grid
from rich.text import Text

from footprint.report.wording import plain
from footprint.values import COMPONENTS, Meter

WIDE_COLUMNS = 110
"""From so many columns on devices stand two in a row where they are many."""

_EIGHTHS, _SPARKS = " ▏▎▍▌▋▊▉█", "▁▂▃▄▅▆▇█"
_ASCII_SPARKS = "_.,-=+*#"
_LABEL, _WATTS, _SHARE = 28, 9, 5
_BESIDE_DEVICES = 17
"""Lines of a screen that are no devices."""
_FEW_DEVICES = 8


@dataclass(frozen=True, slots=True)
class MeterNow:
    """What a meter shows now, and what it showed before."""

    host: str
    meter: Meter
    power_w: float | None = None
    utilization: float | None = None
    trace_w: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Screen:
    """What may be drawn on."""

    columns: int = 80
    lines: int | None = None  # None: as many as are needed
    is_ascii: bool = False


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
    places = (min(1.0, max(0.0, value / top)) * (len(signs) - 1) for value in (values[-width:] if width else ()))
    return "".join(signs[round(place)] for place in places).rjust(width)


def power(meters: Sequence[MeterNow], heading: Text, screen: Screen) -> list[RenderableType]:
    """A line a device, or a line a host where they are too many; then the rest of the host."""
    if not meters:
        return []
    devices = [m for m in meters if m.meter.component == "accelerator"]
    others = [m for m in meters if m.meter.component != "accelerator"]
    room = math.inf if screen.lines is None else max(1, screen.lines - _BESIDE_DEVICES - _kinds(others))
    are_wide = screen.columns >= WIDE_COLUMNS and len(devices) > _FEW_DEVICES
    if len(devices) > room * (2 if are_wide else 1):
        devices, are_wide = _by_host(devices), False
        shown = devices if len(devices) <= room else devices[: int(room)]
        names = [f"{plain(one.host)} {plain(one.meter.name)}" for one in shown]
    else:
        shown, names = devices, _names(devices)
    columns = 2 if are_wide else 1
    width = (screen.columns - 2 * (columns - 1)) // columns
    lines = [_device(one, name, width, screen) for one, name in zip(shown, names, strict=True)]
    items: list[RenderableType] = [heading, *_side_by_side(lines, columns)]
    if len(shown) < len(devices):
        items.append(Text(f"and {len(devices) - len(shown)} more", style="dim"))
    for component in COMPONENTS:
        same = [m for m in others if m.meter.component == component]
        if same:
            items.append(_device(_sum(same, component), f"{component}, {same[0].meter.origin}", screen.columns, screen))
    return items


def _kinds(meters: Sequence[MeterNow]) -> int:
    return len({m.meter.component for m in meters})


def _names(meters: Sequence[MeterNow]) -> list[str]:
    """A number and a name a device; the host's too where there are several."""
    hosts = {m.host for m in meters}
    counts: dict[str, int] = {}
    names = []
    for one in meters:
        place = counts.setdefault(one.host, 0)
        counts[one.host] += 1
        host = f"{plain(one.host)} " if len(hosts) > 1 else ""
        names.append(f"{host}{place} {_short(one.meter.name)}")
    return names


def _by_host(meters: Iterable[MeterNow]) -> list[MeterNow]:
    hosts: dict[str, list[MeterNow]] = {}
    for one in meters:
        hosts.setdefault(one.host, []).append(one)
    return [_sum(same, f"{len(same)} × {_short(same[0].meter.name)}") for same in hosts.values()]


def _short(name: str) -> str:
    return plain(name).removeprefix("NVIDIA ")


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
    """Name, bar, watts, utilization, the last minutes. A bar only where the limit is known."""
    top = one.meter.max_w or 0.0
    label = Text(name)
    label.truncate(min(_LABEL, width // 3), overflow="ellipsis", pad=True)
    room = max(8, width - label.cell_len - _WATTS - _SHARE - 4)
    sparks = min(room // 2, 40)
    drawn = bar((one.power_w or 0.0) / top, room - sparks, screen.is_ascii) if top else " " * (room - sparks)
    watts = "lost" if one.power_w is None else f"{one.power_w:,.0f} W"
    share = "" if one.utilization is None else f"{one.utilization:.0%}"
    moves = len(set(one.trace_w)) > 1
    trace = spark(one.trace_w, top or max(one.trace_w), sparks, screen.is_ascii) if moves else ""
    return Text.assemble(
        label, " ", (drawn, "cyan"), " ", (watts.rjust(_WATTS), "bold red" if one.power_w is None else "bold"), " ",
        share.rjust(_SHARE), " ", (trace, "dim cyan"), overflow="crop", no_wrap=True,
    )  # fmt: skip


def _side_by_side(lines: list[Text], columns: int) -> list[RenderableType]:
    if columns == 1:
        return list(lines)
    half = -(-len(lines) // columns)
    grid = Grid.grid(padding=(0, 2, 0, 0))
    for place in range(half):
        grid.add_row(*(lines[place + half * i] for i in range(columns) if place + half * i < len(lines)))
    return [grid]
