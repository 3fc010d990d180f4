"""What a process has added up so far: one thread adds, any other asks at any moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from footprint.measurement.metering import HostIntegral, Limits
from footprint.measurement.tracker.tally import Tally
from footprint.values import Meter, Sample

LIMITS = Limits(stalled_utilization=0.05, gap_ratio=3.0, period_s=0.1, overshoot_ratio=1.5)
GPU = Meter("gpu", "accelerator", "H100", "nvml", "gpu", "measured", has_counter=True, period_s=0.1, max_w=700.0)


class Watched(dict[str, Any]):
    """Meters; the other thread is at it whenever one is looked for."""

    meanwhile: Callable[[], None] | None = None

    def __contains__(self, meter: object) -> bool:
        if self.meanwhile is not None:
            self.meanwhile()
        return super().__contains__(meter)


def test_a_reading_in_full_that_comes_while_another_thread_asks_disturbs_neither() -> None:
    host = HostIntegral((GPU,), 1.0, LIMITS, 0.0)
    tally = Tally(host, 0.0)
    tally.take(0.0, (Sample("gpu", 0.0, 1000.0, 300.0),), {})
    tally.settle()
    tally.newest = 1.0, ("gpu",), (1_300_000,)
    host.by_meter = watched = Watched(host.by_meter)
    later = (Sample("gpu", 2.0, 1600.0, 300.0),)
    watched.meanwhile = lambda: tally.take(2.0, later, {})
    tally.settle()
    tally.settle()
    assert host.live_j() == pytest.approx(600.0)
