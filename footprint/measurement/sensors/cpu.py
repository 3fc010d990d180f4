"""The processor where no counter tells: watts by how busy its threads are, and by what its socket is rated at."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from footprint.errors import SensorLost, SensorUnavailable
from footprint.formulas import node
from footprint.measurement.sensors import cgroups, host
from footprint.measurement.sensors.base import MODEL_PERIOD_S, Clock
from footprint.measurement.sensors.ratings import Rating, rating
from footprint.values import Finding, Meter, Range, Sample

if TYPE_CHECKING:
    from footprint.catalog import Catalog

__all__ = ["CpuLoadSensor", "Sockets"]

METER = "cpu"
MOMENT_S = 0.1
"""The kernel counts in hundredths of a second: over less than this a load says nothing."""
SLOW_S = 0.0001
"""A read of /proc/stat may take a millisecond on a large host, which sums its interrupts; /proc/uptime never does."""
_LINE_BYTES, _FIELDS = 512, 8
_UNUSED = ("idle", "iowait", "steal")

Times = Callable[[], tuple[float, float]]
"""Seconds that threads were busy, and seconds that they were there."""


@dataclass(frozen=True, slots=True)
class Sockets:
    """The sockets that a job runs on, and its part of them."""

    rating: Rating
    sockets_count: int
    share: float
    told: str  # how many of which threads

    @property
    def tdp_w(self) -> float:
        """Of all sockets together."""
        return self.rating.tdp_w * self.sockets_count


def sockets(processor: host.Processor, found: Rating, threads_count: float, a_thread_w: float) -> Sockets:
    """The part of the sockets that a job's threads are: of a guest, those that its virtual processors need.

    Parameters
    ----------
    processor : of this host
    found : what one socket is rated at; of an unknown part, all threads that this host sees
    threads_count : what the job may use of this host's threads
    a_thread_w : the usual rating of a thread, for a guest on a part whose threads nobody knows
    """
    seen = processor.threads_count
    if not found.is_known and found.threads_count == seen:
        return Sockets(found, 1, min(threads_count / seen, 1.0), f"{threads_count:g} of {seen} threads")
    if not processor.is_guest:
        count = processor.sockets_count
        share = min(node.socket_share(threads_count, count, seen / count), 1.0)
        return Sockets(found, count, share, f"{threads_count:g} of {seen} threads of {count} x {found.tdp_w:g} W")
    a_socket = found.threads_count or max(round(found.tdp_w / a_thread_w), 1)
    count = math.ceil(threads_count / a_socket)
    share = min(node.socket_share(threads_count, count, a_socket), 1.0)
    told = f"a virtual machine: {threads_count:g} of {count * a_socket} threads of {count} x {found.tdp_w:g} W"
    return Sockets(found, count, share, told)


class CpuLoadSensor:
    """Modelled watts of the sockets at the load of this job's threads; `Meter.share` is its part of them.

    A reading is the mean since the one before.

    Parameters
    ----------
    environment : not read; every sensor is made the same way
    clock : the host's monotonic clock
    proc, sys : where the kernel tells of the host
    catalog : for ratings and the model's constants; the shipped one where None
    """

    name = "cpu-load"
    period_s: float | None = None
    is_model = True

    def __init__(
        self,
        environment: Mapping[str, str] = MappingProxyType({}),
        clock: Clock = time.monotonic,
        *,
        proc: Path = host.PROC,
        sys: Path = host.SYS,
        catalog: Catalog | None = None,
    ) -> None:
        self._clock, self._proc, self._sys, self._given = clock, proc, sys, catalog
        self._file: int | None = None
        self._times: Times | None = None
        self._before = (0.0, 0.0)
        self._load_share = 0.0
        self._threads = 1.0
        self._watts: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)
        self._lost = ""

    @property
    def _catalog(self) -> Catalog:
        from footprint.catalog import open_catalog

        return self._given if self._given is not None else open_catalog()

    def _part(self) -> tuple[host.Processor, cgroups.CpuLimit | None, Sockets]:
        """This host's processor, the limit of this job, and its part of the sockets."""
        processor = host.processor(self._proc, self._sys)
        limit = cgroups.cpu_limit(self._proc, self._sys)
        if limit is not None and limit.threads_count >= processor.threads_count:
            limit = None
        threads = limit.threads_count if limit else float(processor.threads_count)
        found = rating(processor.name, processor.identity, processor.threads_count, self._catalog)
        return processor, limit, sockets(processor, found, threads, self._catalog.constant("cpu_thread_w").mid)

    def available(self) -> Finding:
        """What the model takes this host for; a line to set an unknown processor right."""
        processor, limit, mine = self._part()
        try:
            self._start(processor, limit)
        except (OSError, ValueError) as error:
            return Finding(self.name, False, f"nothing tells how busy the processor is: {error}")
        finally:
            self._stop()
        name = processor.name or "a processor without a name"
        told = f"models {name} by its load, {mine.told}, as {mine.rating.source} has it"
        fix = "" if mine.rating.is_known else f"add the rating of {name} to processors.csv in the folder FOOTPRINT_DATA"
        return Finding(self.name, True, told, fix)

    def open(self) -> tuple[Meter, ...]:
        """One meter: all sockets.

        Raises
        ------
        SensorUnavailable
            When nothing tells how busy the processor is.
        """
        processor, limit, mine = self._part()
        self.close()
        try:
            self._start(processor, limit)
            assert self._times is not None
            self._before = self._times()
        except (OSError, ValueError) as error:
            self.close()
            raise SensorUnavailable(self.name, f"nothing tells how busy the processor is: {error}") from error
        idle, full = (self._catalog.constant(f"cpu_{state}_ratio").mid for state in ("idle", "full"))
        exponent = self._catalog.constant("cpu_load_exponent").mid
        self._watts = mine.tdp_w, idle, full, exponent
        self._threads = limit.threads_count if limit else float(processor.threads_count)
        return (
            Meter(
                id=METER,
                component="cpu",
                name=processor.name or "processor",
                sensor=self.name,
                scope="package",
                origin="modelled",
                period_s=MODEL_PERIOD_S,
                source=mine.rating.source,
                idle_w=node.cpu_power_w(mine.tdp_w, 0.0, idle, full, exponent),
                max_w=node.cpu_power_w(mine.tdp_w, 1.0, idle, full, exponent),
                true_over_read_ratio=_both(
                    self._catalog.constant("cpu_model_ratio"), mine.rating.true_over_rated_ratio
                ),
                share=mine.share,
                note=mine.told + ("; limited by its control group" if limit else ""),
            ),
        )

    def _start(self, processor: host.Processor, limit: cgroups.CpuLimit | None) -> None:
        """Choose what is read: this job's own time where it is limited, else the host's."""
        if limit is not None:
            try:
                self._open_file(limit.usage)
                self._times = self._group_times(limit)
                self._times()
            except (OSError, ValueError):
                self._stop()
            else:
                return
        if not (self._proc / "stat").exists():
            self._times = _other_times()
            return
        self._open_file(self._proc / "stat")
        self._times = self._host_times
        before_s = time.perf_counter()
        self._times()
        if time.perf_counter() - before_s > SLOW_S and (self._proc / "uptime").exists():
            self._stop()
            self._open_file(self._proc / "uptime")
            self._times = self._uptimes(processor.threads_count)

    def _open_file(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def _text(self) -> bytes:
        """The file in place (`pread`): a forked child may go on reading it."""
        if self._file is None:
            raise OSError("not open")
        return os.pread(self._file, _LINE_BYTES, 0)

    def _host_times(self) -> tuple[float, float]:
        """Of all threads; time that the hypervisor took is neither busy nor lost from the whole."""
        user, nice, system, idle, wait, irq, soft, stolen = map(int, self._text().split(None, 9)[1:9])
        busy = user + nice + system + irq + soft
        return busy / _TICKS_PER_S, (busy + idle + wait + stolen) / _TICKS_PER_S

    def _uptimes(self, threads_count: int) -> Times:
        """The same from the sum of idle time, in which waiting for disks counts as busy."""

        def times() -> tuple[float, float]:
            up, idle = map(float, self._text().split()[:2])
            return up * threads_count - idle, up * threads_count

        return times

    def _group_times(self, limit: cgroups.CpuLimit) -> Times:
        def times() -> tuple[float, float]:
            number = self._text().partition(limit.usage_key)[2] if limit.usage_key else self._text()
            return int(number.split(None, 1)[0]) * limit.s_per_unit, self._clock() * limit.threads_count

        return times

    def read(self) -> Sequence[Sample]:
        """Watts at the mean load since the reading before.

        Raises
        ------
        SensorLost
            When the kernel tells the load no more.
        """
        at_s = self._clock()
        try:
            if self._times is None:
                raise OSError("not open")
            busy_s, there_s = self._times()
        except (OSError, ValueError, IndexError) as error:
            self._lost = f"nothing tells how busy the processor is any more: {error}"
            raise SensorLost(self.name, self._lost) from error
        self._lost = ""
        if there_s - self._before[1] >= MOMENT_S * self._threads:
            load = (busy_s - self._before[0]) / (there_s - self._before[1])
            self._load_share = min(max(load, 0.0), 1.0)
            self._before = busy_s, there_s
        tdp_w, idle, full, exponent = self._watts
        watts = node.cpu_power_w(tdp_w, self._load_share, idle, full, exponent)
        return (Sample(METER, at_s, power_w=watts, utilization=self._load_share),)

    def read_counters(self) -> Sequence[Sample]:
        """Nothing: there is no counter."""
        return ()

    def lost(self) -> tuple[tuple[str, str], ...]:
        """The meter, while the kernel does not tell its load."""
        return ((METER, self._lost),) if self._lost else ()

    def _stop(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file = self._times = None

    def close(self) -> None:
        """Close the file."""
        self._stop()
        self._lost, self._load_share = "", 0.0


_TICKS_PER_S = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 1.0


def _other_times() -> Times:
    """Where there is no /proc."""
    import psutil

    def times() -> tuple[float, float]:
        spent = psutil.cpu_times()._asdict()
        unused = sum(spent.get(state, 0.0) for state in _UNUSED)
        counted = sum(value for state, value in spent.items() if not state.startswith("guest"))
        return counted - unused, counted

    return times


def _both(one: Range, other: Range) -> Range:
    """Two independent factors of 1 in the middle, multiplied: their logarithms add in quadrature."""
    low = math.exp(-math.hypot(math.log(one.low), math.log(other.low)))
    high = math.exp(math.hypot(math.log(one.high), math.log(other.high)))
    return Range(low, 1.0, high)
