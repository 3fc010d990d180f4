"""What a device answers when it is tried, and the meter that comes of it."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from footprint.catalog import Row, open_catalog
from footprint.measurement.sensors.devices import Chosen
from footprint.measurement.sensors.nvml_driver import (
    ENERGY,
    NAME,
    POWER_AVERAGE,
    POWER_INSTANT,
    SCOPE_GPU,
    SCOPE_MODULE,
    TOTAL_ENERGY,
    Facts,
    Field,
    Fields,
)
from footprint.values import Meter, Range

__all__ = ["Reading", "meter_of", "period_of", "probe", "traits"]

_AVERAGE_FIRST = ("hopper", "nvidia-other")  # without a counter: there the instant field sees a quarter of the time
_FULL_WINDOW_S = 1.0  # a mean over so long needs one reading in so long
_LEAST_PERIOD_S = 0.02  # readings have their cost too
_SAME_WINDOW_SINCE = 535  # drivers before showed another window by nvmlDeviceGetPowerUsage
_OTHER = "nvidia-other"
_ASKED = (
    (TOTAL_ENERGY, SCOPE_GPU), (ENERGY, SCOPE_GPU), (POWER_AVERAGE, SCOPE_GPU), (POWER_INSTANT, SCOPE_GPU),
    (ENERGY, SCOPE_MODULE), (POWER_AVERAGE, SCOPE_MODULE), (POWER_INSTANT, SCOPE_MODULE),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """How a device is read: the fields asked, energy first, or functions where fields do not answer."""

    fields: Fields
    scope: str  # gpu or module
    has_counter: bool
    power: str  # average, instant, usage, or nothing
    energy_by_call: bool = False
    usage_by_call: bool = False
    has_function: bool = False  # for that counter alone, which is quicker than its field


def probe(driver: Any, facts: Facts) -> Reading | None:
    """Try the counter and the kinds of power; None where a device has neither."""
    answers = _ask(driver, facts.handle, *_ASKED)
    power = {a: answers.get(a) for a in _ASKED}
    gpu_w = power[POWER_AVERAGE, SCOPE_GPU] or power[POWER_INSTANT, SCOPE_GPU]
    module_w = power[POWER_AVERAGE, SCOPE_MODULE] or power[POWER_INSTANT, SCOPE_MODULE]
    # A module's other parts draw too: equal readings come of a driver that does not know scopes. On Blackwell two
    # devices share a module, so it would be counted twice.
    is_module = facts.architecture == "hopper" and module_w is not None and module_w > (gpu_w or 0.0)
    scope = SCOPE_MODULE if is_module else SCOPE_GPU
    energies = [(ENERGY, scope)] if is_module else [(TOTAL_ENERGY, scope), (ENERGY, scope)]
    energy = next((asked for asked in energies if answers.get(asked)), None)
    if is_module and energy and answers[energy] in (answers.get((TOTAL_ENERGY, 0)), answers.get((ENERGY, 0))):
        energy = None  # the device's own counter again
    called = None if is_module else _called(driver.energy, facts.handle, ctypes.c_ulonglong())
    by_call = energy is None and bool(called)
    has_counter = energy is not None or by_call
    kinds = [("average", POWER_AVERAGE), ("instant", POWER_INSTANT)]
    if not has_counter and not is_module and facts.architecture not in _AVERAGE_FIRST:
        kinds.reverse()
    kind, field = next(((k, f) for k, f in kinds if (f, scope) in answers), ("", 0))
    usage = not kind and _called(driver.usage, facts.handle, ctypes.c_uint()) is not None
    if not (has_counter or kind or usage):
        return None
    asked = [energy or (TOTAL_ENERGY, scope), (field or POWER_INSTANT, scope)] if energy or kind else []
    return Reading(
        fields=Fields(*asked),
        scope="module" if is_module else "gpu",
        has_counter=has_counter,
        power=kind or ("usage" if usage else ""),
        energy_by_call=by_call,
        usage_by_call=usage,
        has_function=by_call or (called is not None and _is_meanwhile(called, energy, answers, driver, facts.handle)),
    )


def _is_meanwhile(
    called: float, asked: tuple[int, int] | None, before: dict[tuple[int, int], float], driver: Any, handle: int
) -> bool:
    """Whether the function told what the field did, which has been asked before it and is asked again now."""
    return asked is not None and before[asked] <= called <= _ask(driver, handle, asked).get(asked, 0.0)


def _ask(driver: Any, handle: int, *asked: tuple[int, int]) -> dict[tuple[int, int], float]:
    """What the fields say; those without an answer are left out, and a counter that stands at nothing too."""
    if driver.fields is None:
        return {}
    room = Fields(*asked)
    if driver.fields(handle, room.count, room.address):
        return {}
    answered: dict[tuple[int, int], float] = {}
    told: Field
    for one, told in zip(asked, room.all(), strict=True):
        if not told.code and (told.value > 0 or one[0] in (POWER_AVERAGE, POWER_INSTANT)):
            answered[one] = told.value
    return answered


def _called(function: Any, handle: int, room: Any) -> float | None:
    if function is None or function(handle, ctypes.addressof(room)):
        return None
    return float(room.value)


def traits(architecture: str) -> Row:
    """What `data/sensors.csv` says of an architecture's sensor, or of any other."""
    rows = {row["id"]: row for row in open_catalog().rows("sensors")}
    return rows.get(architecture) or rows[_OTHER]


def meter_of(one: Chosen, facts: Facts, reading: Reading, version: str, notes: Sequence[str]) -> Meter:
    """The meter of a device, or of an instance on it."""
    row = traits(_OTHER if reading.scope == "module" else facts.architecture)
    told = [str(row["note"])] if row["id"] == _OTHER else []
    kind = reading.power
    if kind == "usage" and _major(version) < _SAME_WINDOW_SINCE and row["instant_window_s"] is not None:
        kind = "instant"
    window_s, period_s = (_seconds(row[f"{kind}_{what}_s"]) if kind else None for what in ("window", "period"))
    if reading.has_counter:
        period_s = _seconds(row["counter_period_s"])
    else:
        told.append("no energy counter: power is integrated")
    if reading.scope == "module":
        told.append("of the whole module: the processor beside the accelerator and its memory are in it")
    if one.instance is not None:
        told.append(
            f"modelled share: {one.instance.slices_count} of {one.device.slices_count} slices of {one.device.uuid}, "
            "which alone is measured"
        )
    how = "total energy" if reading.has_counter else f"power, {reading.power}"
    meter = Meter(
        id=one.id,
        component="accelerator",
        name=one.device.name,
        sensor=NAME,
        scope=reading.scope,
        origin="measured",
        source=f"NVML, driver {version or 'of unknown version'}: {how}",
        has_counter=reading.has_counter,
        period_s=period_s,
        window_s=window_s,
        max_w=facts.limit_w if reading.scope == "gpu" else None,
        true_over_read_ratio=_range(row),
        share=one.share,
        memory_gb=facts.memory_gb,
    )
    return replace(meter, note="; ".join((*told, *notes)))


def period_of(meters: Sequence[Meter]) -> float | None:
    """How often power must be read where nothing counts energy: each window where they meet; else twice a period, so
    that a busy host, which reads late, misses none."""
    needed = []
    for meter in (one for one in meters if not one.has_counter):
        if (meter.window_s or 0.0) >= _FULL_WINDOW_S:
            needed.append(meter.window_s)
        elif meter.period_s is not None:
            needed.append(max(meter.period_s / 2, _LEAST_PERIOD_S))
    return min((period_s for period_s in needed if period_s is not None), default=None)


def _range(row: Row) -> Range:
    low, mid, high = (row[f"true_over_read_{end}ratio"] for end in ("low_", "", "high_"))
    return Range(float(low or 1.0), float(mid or 1.0), float(high or 1.0))


def _seconds(cell: Any) -> float | None:
    return None if cell is None else float(cell)


def _major(version: str) -> int:
    head = version.partition(".")[0]
    return int(head) if head.isascii() and head.isdigit() and len(head) < 6 else _SAME_WINDOW_SINCE
