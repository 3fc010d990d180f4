"""Energy counters of all devices, and nothing else: read each second, so one loop of calls into one buffer."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Any, Protocol

from footprint.measurement.sensors.nvml_driver import SCOPE_GPU, TOTAL_ENERGY, Fields
from footprint.measurement.sensors.nvml_meters import Reading
from footprint.units import MICROJOULES_PER_MJ

__all__ = ["Counts"]

_NONE = ((TOTAL_ENERGY, SCOPE_GPU),)
_LARGE = frozenset((2, 3))  # types of a number that fills all eight bytes


class _Device(Protocol):
    handle: int
    reading: Reading
    ids: tuple[str, ...]
    has_counter: bool
    retry_s: float | None


class Counts:
    """The counters of some devices.

    Parameters
    ----------
    driver : the library
    devices : all of them with a counter; else nothing is counted
    """

    def __init__(self, driver: Any, devices: Sequence[_Device]) -> None:
        self._devices = devices if all(device.has_counter for device in devices) else ()
        asked = [device.reading.fields.asked[:1] or _NONE for device in self._devices]
        self._room = room = Fields(*(first for (first,) in asked))
        self._unpack = Struct("=" + "24xIIQ" * room.count).unpack_from  # type, code and bits of each
        self._calls = [
            (driver.energy, (device.handle, room.for_a_call(place)))
            if device.reading.energy_by_call
            else (driver.fields, (device.handle, 1, room.address_of(place)))
            for place, device in enumerate(self._devices)
        ]
        self._meters = [len(device.ids) for device in self._devices]
        self._has_instances = any(count != 1 for count in self._meters)

    def read(self) -> Sequence[int]:
        """Microjoules of each meter, a device's instances one after another; nothing where a device does not answer."""
        for device in self._devices:
            if device.retry_s is not None:
                return ()
        for function, arguments in self._calls:
            if function(*arguments):
                return ()
        flat = self._unpack(self._room.buffer)
        if any(flat[1::3]) or not _LARGE.issuperset(flat[::3]):
            return ()
        found = [millijoules * MICROJOULES_PER_MJ for millijoules in flat[2::3]]
        if self._has_instances:
            return [one for one, count in zip(found, self._meters, strict=True) for _ in range(count)]
        return found
