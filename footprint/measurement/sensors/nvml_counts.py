"""Energy counters of all devices, and nothing else: read each second, so one loop of calls into one buffer."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any, Protocol

from footprint.measurement.sensors.nvml_driver import Fields
from footprint.measurement.sensors.nvml_meters import Reading

__all__ = ["Counts"]

_LARGE = frozenset((2, 3))  # types of a number that fills all eight bytes


class _Device(Protocol):
    handle: int
    reading: Reading
    ids: tuple[str, ...]
    has_counter: bool


class Counts:
    """The counters of some devices.

    Parameters
    ----------
    driver : the library
    devices : all with a counter, by the function or by its field; else nothing is counted
    """

    def __init__(self, driver: Any, devices: Sequence[_Device]) -> None:
        self._told: Callable[[], Sequence[int]]
        self._calls: Sequence[tuple[Callable[..., int], tuple[int, ...]]] = ()
        if all(device.reading.has_function for device in devices):
            self._by_function(driver, devices)
        elif all(device.has_counter and not device.reading.energy_by_call for device in devices):
            self._by_field(driver, devices)
        else:
            devices, self._told = (), tuple
        places = [place for place, device in enumerate(devices) for _ in device.ids]
        self._places = places if len(places) > len(devices) else None

    def _by_function(self, driver: Any, devices: Sequence[_Device]) -> None:
        room = (ctypes.c_ulonglong * len(devices))()
        address, size = ctypes.addressof(room), ctypes.sizeof(ctypes.c_ulonglong)
        self._calls = [(driver.energy, (one.handle, address + place * size)) for place, one in enumerate(devices)]
        self._told = memoryview(room).cast("B").cast("Q").tolist

    def _by_field(self, driver: Any, devices: Sequence[_Device]) -> None:
        room = Fields(*(one.reading.fields.asked[0] for one in devices))
        unpack = Struct("=" + "24xIIQ" * room.count).unpack_from  # type, code and bits of each
        self._calls = [(driver.fields, (one.handle, 1, room.address_of(place))) for place, one in enumerate(devices)]

        def told() -> Sequence[int]:
            flat = unpack(room.buffer)
            return () if any(flat[1::3]) or not _LARGE.issuperset(flat[::3]) else flat[2::3]

        self._told = told

    def read(self) -> Sequence[int]:
        """Millijoules of each meter, a device's instances one after another; nothing where a device does not answer."""
        for function, arguments in self._calls:
            if function(*arguments):
                return ()
        found = self._told()
        return [found[place] for place in self._places] if self._places and found else found
