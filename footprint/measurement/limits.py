"""When a reading is a gap, a stall or impossible: the catalog's constants, as metering takes them."""

from __future__ import annotations

from footprint.catalog import Catalog
from footprint.measurement.metering import Limits

__all__ = ["limits"]


def limits(catalog: Catalog) -> Limits:
    """Of live and past readings alike."""
    return Limits(
        stalled_utilization=catalog.constant("stalled_utilization").mid,
        gap_ratio=catalog.constant("gap_ratio").mid,
        period_s=catalog.constant("counter_period_s").mid,
        overshoot_ratio=catalog.constant("overshoot_ratio").mid,
    )
