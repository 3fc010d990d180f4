"""What every sensor offers: what it sees, its meters, their readings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from footprint.values import Finding, Meter, Sample

__all__ = ["MODEL_PERIOD_S", "Clock", "Pids", "Sensor"]

Clock = Callable[[], float]
"""Seconds of the host's monotonic clock: `time.monotonic`, or a test's own."""

MODEL_PERIOD_S = 20.0
"""What is modelled, not measured, is read at least so often beside sensors that are read more often."""

Pids = Callable[[], Iterable[int]]
"""The processes that are mine at this moment; their children count with them."""


class Sensor(Protocol):
    """One way to read energy or power on this host. One thread at a time uses it."""

    name: str
    """As in `Meter.sensor`: "nvml", "rapl", "cpu-load", "ram-size", "amdsmi"."""
    period_s: float | None
    """`read` is due at least so often; None where any interval will do. Known after `open`.

    Two more are told where they hold, and asked for by name: `is_model`, where readings are modelled and their joules
    add up however rare they are; `count() -> Sequence[int]`, the quickest way to energy alone: millijoules of each
    meter in the order of `read`, nothing or fewer where one does not answer.
    """

    def available(self) -> Finding:
        """What can be read here, or the line that would let it be read. Cheap; never raises.

        A library that it starts stays up for `open`; `close` lets go of it.
        """
        ...

    def open(self) -> tuple[Meter, ...]:
        """Start reading; the meters keep their order in every later answer.

        Raises
        ------
        SensorUnavailable
            When nothing can be read; `available` says why and what to do.
        """
        ...

    def read(self) -> Sequence[Sample]:
        """One sample for each meter that answers; those that do not are left out and told by `lost`.

        Raises
        ------
        SensorLost
            When no meter answers any more.
        """
        ...

    def read_counters(self) -> Sequence[Sample]:
        """Energy alone, as cheap as it can be; nothing for meters without a counter.

        Raises
        ------
        SensorLost
            When no meter answers any more.
        """
        ...

    def lost(self) -> tuple[tuple[str, str], ...]:
        """Meters that have ceased to answer since `open`, each with its reason."""
        ...

    def close(self) -> None:
        """Let go of everything; harmless twice, bounded in time even when a call hangs, never raises."""
        ...
