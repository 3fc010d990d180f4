"""What recording and reading a run both need to know of the data and of the host."""

from __future__ import annotations

from pathlib import Path

from footprint.catalog import Catalog
from footprint.measurement.metering import Limits

__all__ = ["boot_id", "limits"]


def limits(catalog: Catalog) -> Limits:
    """When a reading is a gap, a stall or impossible."""
    return Limits(
        stalled_utilization=catalog.constant("stalled_utilization").mid,
        gap_ratio=catalog.constant("gap_ratio").mid,
        period_s=catalog.constant("counter_period_s").mid,
        overshoot_ratio=catalog.constant("overshoot_ratio").mid,
    )


def boot_id() -> str:
    """The host's start: what its monotonic clock counts from."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
