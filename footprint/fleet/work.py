"""FLOP of a past job from the activity of its tensor pipes and its clocks: no training script needs a change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from footprint.accounting.metered import device_peak
from footprint.catalog import Catalog
from footprint.fleet.devices import Device
from footprint.fleet.energy import DeviceEnergy
from footprint.fleet.gathering import Batch, Interval
from footprint.fleet.meters import accelerator_of
from footprint.fleet.modelled import tensor_work
from footprint.fleet.prometheus import Prometheus
from footprint.values import Range, Usage

__all__ = ["Work", "work_of"]

_STEP_S = 30.0
_MOST_POINTS = 10_000_000
"""Of one query, within what servers load for one."""


@dataclass(frozen=True, slots=True)
class Work:
    """What the devices computed, and how sure that is."""

    flop: Range
    ratio: Range

    def ranged(self, usage: Usage) -> Usage:
        """The usage with the error of its FLOP, and of the MFU that follows."""

        def wide(value: Range | None) -> Range | None:
            r = self.ratio
            return None if value is None else Range(value.mid * r.low, value.mid * r.mid, value.mid * r.high)

        lines = tuple(replace(one, training_flop=wide(one.training_flop), mfu=wide(one.mfu)) for one in usage.lines)
        return replace(usage, lines=lines, training_flop=wide(usage.training_flop), update_flop=wide(usage.update_flop))


def work_of(
    batches: Sequence[Batch],
    results: Sequence[tuple[Device, DeviceEnergy]],
    job: Interval,
    server: Prometheus,
    catalog: Catalog,
    words: Mapping[str, Any],
) -> Work | None:
    """None where not every device tells, is wholly the job's and is in the catalog: a part would pass for the whole.

    FLOP = sum over devices of mean(activity x clock) / fastest clock x dense peak x seconds
    """
    if not results or any(one.usage.meter.share < 1 for _, one in results):
        return None
    most = max(len(batch.devices) for batch in batches)
    busy, fastest = tensor_work(batches, job, max(_STEP_S, job.duration_s * most / _MOST_POINTS), server)
    total = 0.0
    for device, _ in results:
        known = accelerator_of(device.model, catalog)
        peak = None if known is None else device_peak(known, words)
        if device.uuid not in busy or peak is None or not fastest:
            return None
        total += busy[device.uuid] / fastest * peak * job.duration_s
    ratio = catalog.constant("tensor_flop_ratio")
    return Work(Range(total * ratio.low, total * ratio.mid, total * ratio.high), ratio)
