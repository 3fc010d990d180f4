"""NVIDIA devices through NVML: energy by the counter where there is one, else power with its own timestamps.

Each reading is one call for the fields of a device and one for its utilization, into buffers made when the sensor
is opened. Devices are told by UUID. What a reading means, windows and the sensor's own error, is in
`data/sensors.csv`.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from footprint.errors import SensorLost, SensorUnavailable
from footprint.measurement.sensors.base import Clock, Pids
from footprint.measurement.sensors.devices import Chosen, Selection, mine
from footprint.measurement.sensors.nvml_counts import Counts
from footprint.measurement.sensors.nvml_driver import FATAL, NAME, NOT_SUPPORTED, UNINITIALIZED, Driver, number, told
from footprint.measurement.sensors.nvml_meters import Reading, meter_of, period_of, probe
from footprint.measurement.sensors.nvml_processes import ProcessShares
from footprint.units import MICROSECONDS_PER_S, MILLIJOULES_PER_J, MILLIWATTS_PER_W, PERCENT_PER_SHARE
from footprint.values import Finding, Meter, Sample

__all__ = ["NvmlSensor"]

_RETRY_S = 10.0  # between questions to a device that is lost, or to a library that was shut down
_TIMES_SILENT = 3  # in a row, and a device is told as silent though it may answer again
_PROCESSES_S = 7.5  # between questions for the processes of a device, a dear call: at each reading 8 or 10 s after
_UTILIZATION_S = 0.5  # at most so often: sensors that must be read fast need no more
_CLOSE_S = 1.0  # for a call in flight
_EARLY_S, _LATE_S = 0.1, 10.0  # a timestamp further from now is no timestamp
_UNSIGNED, _LOW_HALF = 1, 0xFFFFFFFF


class _Device:
    """A device that is read: its buffers, and what it last said."""

    def __init__(self, uuid: str, handle: int, reading: Reading, meters: tuple[Meter, ...], pids: Pids) -> None:
        self.uuid, self.handle, self.reading = uuid, handle, reading
        self.ids = tuple(meter.id for meter in meters)
        self.has_counter = meters[0].has_counter
        self.fields = reading.fields
        self.load = (ctypes.c_uint * 2)()
        self.load_address: int | None = ctypes.addressof(self.load)
        self.energy_room = ctypes.c_ulonglong()
        self.usage_room = ctypes.c_uint()
        self.utilization: float | None = None
        self.utilization_due_s = self.processes_due_s = -1.0
        self.attributed: float | None = None
        self.shares: ProcessShares | None = ProcessShares(pids) if meters[0].id == uuid else None  # no instance
        self.last_at_s = -1.0
        self.failures = 0
        self.retry_s: float | None = None  # not None: lost, until then


class NvmlSensor:
    """NVIDIA devices of this process or job.

    Parameters
    ----------
    environment : variables that tell which devices are mine
    clock : the host's monotonic clock
    pids : the processes that are mine, their children aside
    wall : seconds since 1970 by the host's clock, in which NVML stamps its readings
    driver : the library, or a test's
    """

    name = NAME

    def __init__(
        self,
        environment: Mapping[str, str],
        clock: Clock,
        *,
        pids: Pids = lambda: (os.getpid(),),
        wall: Clock = time.time,
        driver: Any = None,
        root: Path = Path("/"),
    ) -> None:
        self._environment, self._clock, self._pids, self._wall = environment, clock, pids, wall
        self._driver: Any = driver if driver is not None else Driver(environment, root)
        self.period_s: float | None = None
        self._pid = 0
        self._lock = threading.Lock()
        self._is_open = False
        self._must_restart = False
        self._restart_due_s = -1.0
        self._devices: tuple[_Device, ...] = ()
        self._meters: tuple[Meter, ...] = ()
        self._silent: dict[str, str] = {}
        self._counts: Counts | None = None

    # opening and closing

    def available(self) -> Finding:
        """What can be read here, or the line that would let it be read. Never raises."""
        try:
            meters = self.open()
        except SensorUnavailable as error:
            return Finding(self.name, False, error.told, error.fix)
        counted = sum(meter.has_counter for meter in meters)
        names = sorted({meter.name for meter in meters})
        how = "energy counter" if counted == len(meters) else "power, integrated"
        how = f"energy counter on {counted}, power on the rest" if 0 < counted < len(meters) else how
        by = f", by {self._selection.decided_by}" if self._selection.decided_by else ""
        notes = "".join(f"; {note}" for note in (*self._selection.notes, *self._driver_notes))
        warning, fix = self._driver.warning
        told_all = f"{len(meters)} x {', '.join(names)}{by}: {how}{notes}" + (f"; {warning}" if warning else "")
        return Finding(self.name, True, told_all, fix)

    def open(self) -> tuple[Meter, ...]:
        """Load the library, find the devices that are mine, and try what each of them answers.

        Raises
        ------
        SensorUnavailable
            When the library is missing or refuses, or no device is mine, or none can be read.
        """
        if self._is_open and self._pid == os.getpid():
            return self._meters
        self._driver.start()
        self._pid, self._lock = os.getpid(), threading.Lock()
        try:
            self._find()
        except SensorUnavailable:
            self._driver.stop()
            raise
        self._is_open = True
        return self._meters

    @property
    def has_host_inside(self) -> bool:
        """Whether whole modules are read, processor and memory of the host among them."""
        return any(meter.scope == "module" for meter in self._meters)

    def _find(self) -> None:
        present, self._driver_notes = self._driver.present()
        self._selection: Selection = mine(self._environment, present, _asked_of_torch)
        if not present:
            seen = self._driver_notes[0] if self._driver_notes else "the driver shows no device"
            raise SensorUnavailable(self.name, seen, "see what `nvidia-smi` says")
        if not self._selection.chosen:
            why = "; ".join((f"none of {len(present)} devices is mine", *self._selection.notes))
            raise SensorUnavailable(self.name, why, f"by {self._selection.decided_by or 'MIG mode'}: set it otherwise")
        by_device: dict[str, list[Chosen]] = {}
        for one in self._selection.chosen:
            by_device.setdefault(one.device.uuid, []).append(one)
        self._silent = {self.name: "; ".join(self._driver_notes)} if self._driver_notes else {}
        devices: list[_Device] = []
        meters: dict[str, Meter] = {}
        version = self._driver.version
        for uuid, chosen in by_device.items():
            facts = self._driver.facts(chosen[0].device)
            reading = probe(self._driver, facts)
            if reading is None:
                self._silent.update((one.id, f"power {told(NOT_SUPPORTED)} ({facts.name})") for one in chosen)
                continue
            own = tuple(meter_of(one, facts, reading, version, self._selection.notes) for one in chosen)
            devices.append(_Device(uuid, facts.handle, reading, own, self._pids))
            meters.update((meter.id, meter) for meter in own)
        if not devices:
            why = "; ".join(sorted(set(self._silent.values())))
            raise SensorUnavailable(self.name, why, "a virtual GPU shows its power to the host alone: measure there")
        self._devices, self._counts = tuple(devices), None
        self._meters = tuple(meters[one.id] for one in self._selection.chosen if one.id in meters)
        self.period_s = period_of(self._meters)

    def close(self) -> None:
        """Shut the library down, unless a call hangs in it: then it is left as it is."""
        if not self._is_open:
            return
        self._is_open = False
        if self._pid != os.getpid():
            return
        if self._lock.acquire(timeout=_CLOSE_S):
            try:
                self._driver.stop()
            finally:
                self._lock.release()

    # reading

    def read(self) -> Sequence[Sample]:
        """Energy, power and utilization of each device that answers.

        Raises
        ------
        SensorLost
            When none does any more, or the sensor is closed.
        """
        self._check()
        with self._lock:
            now_s = self._clock()
            offset_s = now_s - self._wall()
            samples: list[Sample] = []
            for device in self._devices:
                if device.retry_s is None or now_s >= device.retry_s:
                    self._read_device(device, offset_s, samples)
            self._restart_if_due(now_s)
        return self._answered(samples)

    def read_counters(self) -> Sequence[Sample]:
        """Energy alone, of devices that count it.

        Raises
        ------
        SensorLost
            When none answers any more, or the sensor is closed.
        """
        self._check()
        samples: list[Sample] = []
        with self._lock:
            for device in self._devices:
                if not device.has_counter or device.retry_s is not None:
                    continue
                if device.reading.has_function:
                    energy, code = self._energy_by_call(device)
                else:
                    fields = device.fields
                    code = self._driver.fields(device.handle, 1, fields.address)
                    _, kind, own, bits, *_ = fields.unpack(fields.buffer)
                    code, energy = code or own, bits if kind != _UNSIGNED else bits & _LOW_HALF
                at_s = self._clock()
                if code or energy is None:
                    continue  # the next full reading tells it
                for meter in device.ids:
                    samples.append(Sample(meter, at_s, energy / MILLIJOULES_PER_J))
        return samples

    def count(self) -> Sequence[int]:
        """Millijoules of each meter as `read` orders them; nothing where a device does not answer."""
        counts = self._counts
        if counts is None:
            retries_s = [one.retry_s for one in self._devices if one.retry_s is not None]
            if retries_s and self._clock() >= min(retries_s):
                return ()  # time to ask in full whether a device that was lost is back
            counts = Counts(self._driver, [one for one in self._devices if one.retry_s is None])
            self._counts = None if retries_s else counts
        return counts.read()

    def lost(self) -> tuple[tuple[str, str], ...]:
        """Devices that do not answer, or never did, with the reason."""
        return tuple(self._silent.items())

    def _check(self) -> None:
        if not self._is_open:
            raise SensorLost(self.name, "is closed", "open it first")
        pid = os.getpid()
        if pid != self._pid:  # forked: neither the library's state nor a lock that a thread held is worth anything
            self._pid, self._lock, self._must_restart, self._restart_due_s = pid, threading.Lock(), True, -1.0
            self._restart_if_due(self._clock())

    def _answered(self, samples: list[Sample]) -> list[Sample]:
        if not samples and all(device.retry_s is not None for device in self._devices):
            raise SensorLost(self.name, "; ".join(sorted(set(self._silent.values()))))
        return samples

    def _read_device(self, device: _Device, offset_s: float, samples: list[Sample]) -> None:
        energy_mj = power_mw = None
        stamp_us = 0
        fields = device.fields
        code = self._driver.fields(device.handle, fields.count, fields.address) if fields.count else 0
        if fields.count and not code:
            _, kind, code, bits, stamp_us, power_kind, power_code, power_bits = fields.unpack(fields.buffer)
            if not code:
                energy_mj = bits & _LOW_HALF if kind == _UNSIGNED else number(kind, bits)
            if not power_code:
                power_mw = power_bits & _LOW_HALF if power_kind == _UNSIGNED else number(power_kind, power_bits)
            code = power_code if power_code in FATAL or not device.has_counter else code
        if device.reading.energy_by_call:
            energy_mj, code = self._energy_by_call(device)
        if device.reading.usage_by_call:
            stamp_us = 0
            code = self._driver.usage(device.handle, ctypes.addressof(device.usage_room)) or 0
            power_mw = None if code else device.usage_room.value
        at_s = self._clock()  # after the calls: one that had to wait tells of its end, not of its begin
        if energy_mj is None and power_mw is None:
            self._fail(device, code or NOT_SUPPORTED, at_s)
            return
        if device.failures or device.retry_s is not None:
            device.failures, device.retry_s, self._counts = 0, None, None
            for meter in device.ids:
                self._silent.pop(meter, None)
        if at_s >= device.utilization_due_s:
            self._read_load(device, at_s)
        if not device.has_counter:
            at_s = _moment(stamp_us, offset_s, at_s, device)
        energy_j = None if energy_mj is None or not device.has_counter else energy_mj / MILLIJOULES_PER_J
        power_w = None if power_mw is None else power_mw / MILLIWATTS_PER_W
        for meter in device.ids:
            samples.append(Sample(meter, at_s, energy_j, power_w, device.utilization, device.attributed))

    def _energy_by_call(self, device: _Device) -> tuple[float | None, int]:
        code = self._driver.energy(device.handle, ctypes.addressof(device.energy_room))
        return (None, code) if code else (device.energy_room.value, 0)

    def _read_load(self, device: _Device, now_s: float) -> None:
        """Utilization, and now and then whose it is."""
        device.utilization_due_s = now_s + _UTILIZATION_S
        if device.load_address is not None and self._driver.utilization is not None:
            code = self._driver.utilization(device.handle, device.load_address)
            device.utilization = None if code else device.load[0] / PERCENT_PER_SHARE
            if code == NOT_SUPPORTED:
                device.load_address = None
        if device.shares is not None and now_s >= device.processes_due_s:
            device.processes_due_s = now_s + _PROCESSES_S
            device.attributed = device.shares.share(self._driver, device.handle)

    def _fail(self, device: _Device, code: int, now_s: float) -> None:
        device.failures += 1
        if code == UNINITIALIZED:
            self._must_restart = True
        if code in FATAL:
            device.retry_s, self._counts = now_s + _RETRY_S, None
        if code in FATAL or device.failures >= _TIMES_SILENT:
            self._silent.update((meter, told(code)) for meter in device.ids)

    def _restart_if_due(self, now_s: float) -> None:
        """Initialise again where somebody shut the library down, or this is a forked child."""
        if not self._must_restart or now_s < self._restart_due_s:
            return
        self._restart_due_s = now_s + _RETRY_S
        try:
            self._driver.start()
        except SensorUnavailable as error:
            self._silent.update((meter, error.told) for device in self._devices for meter in device.ids)
            return
        self._must_restart = False
        for device in self._devices:
            device.handle = self._driver.handle(device.uuid)
        self._counts = None


def _moment(stamp_us: int, offset_s: float, now_s: float, device: _Device) -> float:
    """When a reading was made, on the monotonic clock: its own time where that can be, and never backwards."""
    at_s = stamp_us / MICROSECONDS_PER_S + offset_s
    if not now_s - _LATE_S <= at_s <= now_s + _EARLY_S:
        at_s = now_s
    device.last_at_s = max(min(at_s, now_s), device.last_at_s)
    return device.last_at_s


def _asked_of_torch() -> Sequence[str]:
    """The devices that torch has made visible, where it is imported and has started; it is never imported here."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    try:
        if cuda is None or not cuda.is_initialized():
            return ()
        return tuple(f"GPU-{cuda.get_device_properties(index).uuid}" for index in range(cuda.device_count()))
    except (AttributeError, RuntimeError, AssertionError):
        return ()
