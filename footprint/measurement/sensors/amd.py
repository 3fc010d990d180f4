"""AMD devices through amdsmi, an optional package: energy by the counter where it agrees with the power, else power.

Dies and partitions that share a socket report on one of them; each of the others is a meter of its own on that
reading, with an equal share.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from footprint.catalog import open_catalog
from footprint.errors import SensorLost, SensorUnavailable
from footprint.measurement.sensors.base import Clock
from footprint.measurement.sensors.devices import visible_integers
from footprint.units import BYTES_PER_GB, MICROJOULES_PER_J, MICROWATTS_PER_W, MILLIJOULES_PER_J, PERCENT_PER_SHARE
from footprint.values import Finding, Meter, Range, Sample

__all__ = ["AmdSensor", "visible"]

_NAME = "amdsmi"
_TRIAL_S = 0.5  # over which the counter is held against the power
_AGREES_WITHIN = 2.0  # counted over integrated energy, or its inverse: broken counters are off by orders of magnitude
_MOST_W = 0xFFFF - 1  # what means "not available" begins here
_LEAST_UW = 10_000  # a cap above is in microwatts, as newer releases tell it
_TIMES_SILENT = 3
_CLOSE_S = 1.0


@dataclass(frozen=True, slots=True)
class _Found:
    """A device as amdsmi shows it."""

    handle: Any
    id: str
    serial: str
    name: str


@dataclass(slots=True)
class _Socket:
    """What reports: a device, and the meters that live on its reading."""

    handle: Any
    meters: tuple[Meter, ...]
    has_counter: bool
    failures: int = 0


class AmdSensor:
    """AMD devices of this process or job.

    Parameters
    ----------
    environment : variables that tell which devices are mine
    clock : the host's monotonic clock
    library : the package amdsmi, or a test's; None to import it when it is needed
    pause : lets seconds pass while the counter is tried
    root : of the file system, to see whether AMD's driver is there at all
    """

    name = _NAME
    period_s: float | None = None

    def __init__(
        self,
        environment: Mapping[str, str],
        clock: Clock,
        *,
        library: Any = None,
        pause: Callable[[float], None] = time.sleep,
        root: Path = Path("/"),
    ) -> None:
        self._environment, self._clock, self._pause, self._root = environment, clock, pause, root
        self._library = library
        self._pid = 0
        self._lock = threading.Lock()
        self._sockets: tuple[_Socket, ...] = ()
        self._meters: tuple[Meter, ...] = ()
        self._silent: dict[str, str] = {}

    # opening and closing

    def available(self) -> Finding:
        """What can be read here, or the line that would let it be read. Never raises."""
        try:
            mine = self._start()
        except SensorUnavailable as error:
            return Finding(self.name, False, error.told, error.fix)
        names = sorted({one.name for one in mine})
        return Finding(self.name, True, f"{len(mine)} x {', '.join(names)}")

    def open(self) -> tuple[Meter, ...]:
        """Find the devices that are mine, and hold their counters against their power for half a second.

        Raises
        ------
        SensorUnavailable
            When the package or the driver is missing, or no device is mine, or none can be read.
        """
        if self._meters and self._pid == os.getpid():
            return self._meters
        mine = {one.id for one in self._start()}
        groups = self._groups(self._devices())
        groups = [group for group in groups if any(one.id in mine for one in group)]
        trusted = self._trusted([group[0].handle for group in groups])
        sockets = [
            _Socket(group[0].handle, self._of_group(group, mine, has_counter), has_counter)
            for group, has_counter in zip(groups, trusted, strict=True)
        ]
        if not sockets:
            told = next(iter(self._silent.values()), "no device of mine reports power or energy")
            self.close()
            raise SensorUnavailable(self.name, told, "see what `amd-smi metric --power` says")
        self._sockets = tuple(sockets)
        self._meters = tuple(meter for socket in sockets for meter in socket.meters)
        return self._meters

    def close(self) -> None:
        """Shut the library down, unless a call hangs in it."""
        is_mine, self._sockets, self._meters = self._pid == os.getpid(), (), ()
        self._pid = 0
        if is_mine and self._lock.acquire(timeout=_CLOSE_S):
            try:
                self._ask(self._library.amdsmi_shut_down)
            finally:
                self._lock.release()

    def _start(self) -> list[_Found]:
        """The devices that are mine, the library being up."""
        if self._library is None:
            self._library = self._imported()
        if self._pid != os.getpid():
            try:
                self._library.amdsmi_init()
            except self._library.AmdSmiException as error:
                fix = "load AMD's driver (sudo modprobe amdgpu) and let this user into the groups video and render"
                raise SensorUnavailable(self.name, f"amdsmi does not start: {_words(error)}", fix) from error
            self._pid = os.getpid()
        devices = self._devices()
        mine, decided_by = visible(self._environment, [one.serial for one in devices])
        if not mine:
            told = f"none of {len(devices)} devices is mine" if devices else "the driver shows no device"
            fix = f"by {decided_by}: set it otherwise" if decided_by else ""
            self.close()
            raise SensorUnavailable(self.name, told, fix)
        return [devices[index] for index in mine]

    def _imported(self) -> Any:
        if not (self._root / "dev/kfd").exists():
            raise SensorUnavailable(self.name, "no AMD driver: /dev/kfd is not there")
        try:
            import amdsmi
        except ImportError as error:
            fix = "install it with: pip install 'footprint[amd]'"
            raise SensorUnavailable(self.name, "the package amdsmi is not installed", fix) from error
        except (
            OSError,
            AttributeError,
            KeyError,
        ) as error:  # without ROCm, or with an older one
            fix = "install ROCm, and amdsmi of the same release (in /opt/rocm/share/amd_smi)"
            raise SensorUnavailable(self.name, f"amdsmi finds no ROCm library of its release: {error}", fix) from error
        return amdsmi

    # what is there

    def _ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except (self._library.AmdSmiException, KeyError, TypeError):
            return None

    def _devices(self) -> list[_Found]:
        found: list[_Found] = []
        taken: set[str] = set()
        for index, handle in enumerate(self._ask(self._library.amdsmi_get_processor_handles) or ()):
            about = self._ask(self._library.amdsmi_get_gpu_asic_info, handle) or {}
            place = str(self._ask(self._library.amdsmi_get_gpu_device_bdf, handle) or index)
            uuid = str(self._ask(self._library.amdsmi_get_gpu_device_uuid, handle) or "")
            own = uuid if uuid and uuid not in taken else f"{uuid or 'amd'}@{place}"
            taken.add(own)
            serial = str(about.get("asic_serial", "")).casefold().removeprefix("0x").lstrip("0")
            found.append(_Found(handle, own, serial, str(about.get("market_name") or "AMD device")))
        return found

    def _groups(self, devices: Sequence[_Found]) -> list[list[_Found]]:
        """Each device that reports, with those behind it that do not: dies or partitions of the same socket."""
        groups: list[list[_Found]] = []
        for one in devices:
            if self._power_w(one.handle) is not None or self._energy_j(one.handle):
                groups.append([one])
            elif groups and groups[-1][0].name == one.name:
                groups[-1].append(one)
            else:
                self._silent[one.id] = f"{one.name} reports neither power nor energy"
        return groups

    def _trusted(self, handles: Sequence[Any]) -> list[bool]:
        """Whether each counter moves as the power says it should."""
        before = [(self._clock(), self._energy_j(handle), self._power_w(handle)) for handle in handles]
        if not any(energy for _, energy, _ in before):
            return [False] * len(before)
        self._pause(_TRIAL_S)
        trusted = []
        for handle, (at_s, energy_j, power_w) in zip(handles, before, strict=True):
            elapsed_s, later_j, later_w = self._clock() - at_s, self._energy_j(handle), self._power_w(handle)
            if energy_j is None or later_j is None:
                trusted.append(False)
                continue
            powers = [power for power in (power_w, later_w) if power is not None]
            due_j = elapsed_s * sum(powers) / len(powers) if powers else 0.0
            counted_j = later_j - energy_j
            trusted.append(
                counted_j > 0 and (not due_j or due_j / _AGREES_WITHIN <= counted_j <= due_j * _AGREES_WITHIN)
            )
        return trusted

    def _of_group(self, group: Sequence[_Found], mine: set[str], has_counter: bool) -> tuple[Meter, ...]:
        row = next(row for row in open_catalog().rows("sensors") if row["id"] == "amd")
        low, mid, high = (float(row[f"true_over_read_{end}ratio"] or 1.0) for end in ("low_", "", "high_"))
        period = row["counter_period_s" if has_counter else "usage_period_s"]
        cap = (self._ask(self._library.amdsmi_get_power_cap_info, group[0].handle) or {}).get("power_cap")
        limit_w = None
        if isinstance(cap, (int, float)) and cap > 0:
            limit_w = cap / MICROWATTS_PER_W if cap > _LEAST_UW else float(cap)
        notes = [str(row["note"])]
        if not has_counter:
            notes.append("the energy counter is missing or does not agree with the power: power is integrated")
        if len(group) > 1:
            notes.append(f"modelled share: one of {len(group)} dies or partitions that {group[0].id} reports for")
        return tuple(
            Meter(
                id=one.id,
                component="accelerator",
                name=one.name,
                sensor=self.name,
                scope="module" if len(group) > 1 else "gpu",
                origin="measured",
                source=f"amdsmi: {'energy count' if has_counter else 'socket power'}",
                has_counter=has_counter,
                period_s=None if period is None else float(period),
                max_w=limit_w,
                true_over_read_ratio=Range(low, mid, high),
                share=1.0 / len(group),
                memory_gb=self._memory_gb(one.handle),
                note="; ".join(notes),
            )
            for one in group
            if one.id in mine
        )

    def _memory_gb(self, handle: Any) -> float | None:
        kinds = getattr(self._library, "AmdSmiMemoryType", None)
        total = None if kinds is None else self._ask(self._library.amdsmi_get_gpu_memory_total, handle, kinds.VRAM)
        return total / BYTES_PER_GB if isinstance(total, (int, float)) and total > 0 else None

    # reading

    def _power_w(self, handle: Any) -> float | None:
        about = self._ask(self._library.amdsmi_get_power_info, handle) or {}
        for kind in ("current_socket_power", "average_socket_power", "socket_power"):
            power = about.get(kind)
            if isinstance(power, (int, float)) and 0 < power < _MOST_W:
                return float(power)
        return None

    def _energy_j(self, handle: Any) -> float | None:
        about = self._ask(self._library.amdsmi_get_energy_count, handle) or {}
        count, step_uj = about.get("energy_accumulator", about.get("power")), about.get("counter_resolution")
        if not isinstance(count, (int, float)) or not isinstance(step_uj, (int, float)) or count <= 0:
            return None
        return round(count * step_uj) / MICROJOULES_PER_J

    def read(self) -> Sequence[Sample]:
        """Energy, power and utilization of each device that answers.

        Raises
        ------
        SensorLost
            When none does any more, or the sensor is closed.
        """
        return self._read(counters_alone=False)

    def read_counters(self) -> Sequence[Sample]:
        """Energy alone, of devices that count it.

        Raises
        ------
        SensorLost
            When the sensor is closed.
        """
        return self._read(counters_alone=True)

    def count(self) -> Sequence[int]:
        """Millijoules of each meter that answers."""
        return [round(one.energy_j * MILLIJOULES_PER_J) for one in self.read_counters() if one.energy_j is not None]

    def _read(self, counters_alone: bool) -> list[Sample]:
        self._check()
        samples: list[Sample] = []
        with self._lock:
            for socket in self._sockets:
                if counters_alone and not socket.has_counter:
                    continue
                at_s = self._clock()
                energy_j = self._energy_j(socket.handle) if socket.has_counter else None
                power_w = None if counters_alone else self._power_w(socket.handle)
                if energy_j is None and power_w is None:
                    if not counters_alone:
                        self._fail(socket)
                    continue
                load = None if counters_alone else self._load(socket.handle)
                socket.failures = socket.failures if counters_alone else 0
                for meter in socket.meters:
                    self._silent.pop(meter.id, None)
                    samples.append(Sample(meter.id, at_s, energy_j, power_w, load))
        if not samples and not counters_alone and all(one.failures >= _TIMES_SILENT for one in self._sockets):
            raise SensorLost(self.name, "; ".join(sorted(set(self._silent.values()))))
        return samples

    def _load(self, handle: Any) -> float | None:
        busy = (self._ask(self._library.amdsmi_get_gpu_activity, handle) or {}).get("gfx_activity")
        return busy / PERCENT_PER_SHARE if isinstance(busy, (int, float)) and 0 <= busy <= PERCENT_PER_SHARE else None

    def _fail(self, socket: _Socket) -> None:
        socket.failures += 1
        if socket.failures >= _TIMES_SILENT:
            self._silent.update((meter.id, "answers neither power nor energy any more") for meter in socket.meters)

    def _check(self) -> None:
        if not self._sockets:
            raise SensorLost(self.name, "is closed", "open it first")
        if self._pid != os.getpid():  # forked: the library starts again; handles are numbers that stay
            self._pid, self._lock = os.getpid(), threading.Lock()
            self._ask(self._library.amdsmi_init)

    def lost(self) -> tuple[tuple[str, str], ...]:
        """Devices that do not answer, or never did, with the reason."""
        return tuple(self._silent.items())


def visible(environment: Mapping[str, str], serials: Sequence[str]) -> tuple[list[int], str]:
    """The places of the devices that are mine, and the variable that decided.

    ROCR_VISIBLE_DEVICES takes places and GPU-<serial>; HIP_VISIBLE_DEVICES, or CUDA_VISIBLE_DEVICES in its stead,
    counts in what is left. An entry that names nothing ends a list.
    """
    left, decided_by = list(range(len(serials))), ""
    text = environment.get("ROCR_VISIBLE_DEVICES")
    if text is not None:
        decided_by, left = "ROCR_VISIBLE_DEVICES", _by_runtime(text, serials)
    for variable in ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"):
        text = environment.get(variable)
        if text is not None:
            numbers = visible_integers(text) or []
            valid = numbers[: next((i for i, n in enumerate(numbers) if n >= len(left)), len(numbers))]
            return [left[number] for number in valid], variable
    return left, decided_by


def _by_runtime(text: str, serials: Sequence[str]) -> list[int]:
    found: list[int] = []
    for entry in (part.strip().casefold() for part in text.split(",")):
        if entry.startswith("gpu-"):
            serial = entry.removeprefix("gpu-").lstrip("0")
            place = next((i for i, own in enumerate(serials) if own and own == serial), None)
        else:
            place = int(entry) if entry.isascii() and entry.isdigit() and len(entry) < 6 else None
        if place is None or place >= len(serials):
            break
        if place not in found:
            found.append(place)
    return found


def _words(error: BaseException) -> str:
    about = getattr(error, "get_error_info", None)
    return str(about() if callable(about) else error)
