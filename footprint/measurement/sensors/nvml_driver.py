"""NVIDIA's management library as far as the sensor needs it; its error codes become ours here alone.

The library is loaded when it is first needed. What is asked each second goes past nvidia-ml-py, on function pointers
of our own (its own are shared with whatever else the process runs) into buffers made once; the rest goes through it.
"""

from __future__ import annotations

import ctypes
import os
import struct
import threading
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from footprint.errors import SensorUnavailable
from footprint.measurement.sensors.devices import Instance, Present
from footprint.units import BYTES_PER_GB, MILLIWATTS_PER_W

__all__ = ["FATAL", "NOT_SUPPORTED", "UNINITIALIZED", "Driver", "Facts", "Field", "Fields", "preload", "told"]

NAME = "nvml"
UNINITIALIZED, NOT_SUPPORTED, NO_PERMISSION, INSUFFICIENT_SIZE, DRIVER_NOT_LOADED, LIBRARY_NOT_FOUND = 1, 3, 4, 7, 9, 12
GPU_IS_LOST, RESET_REQUIRED, VERSION_MISMATCH, GPU_NOT_FOUND = 15, 16, 18, 28
FATAL = frozenset((NO_PERMISSION, DRIVER_NOT_LOADED, GPU_IS_LOST, RESET_REQUIRED, VERSION_MISMATCH, GPU_NOT_FOUND))
"""Codes after which a device does not come back by asking again at once."""

TOTAL_ENERGY, POWER_AVERAGE, POWER_INSTANT, ENERGY = 83, 185, 186, 191  # fields
SCOPE_GPU, SCOPE_MODULE = 0, 1
_SM_CLOCK = 1
_ARCHITECTURES = {
    2: "kepler", 3: "maxwell", 4: "pascal", 5: "volta", 6: "turing", 7: "ampere", 8: "ada", 9: "hopper",
}  # fmt: skip
_GA100 = (8, 0)
_NEEDED = ("nvmlInit", "nvmlShutdown", "nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex", "NVMLError")
_LIBRARY = "libnvidia-ml.so.1"
_SHUTDOWN_S = 1.0  # a driver that hangs does not hold up the end
_TOLD = {
    NOT_SUPPORTED: "is not supported by this device or driver",
    NO_PERMISSION: "is not allowed to this user",
    DRIVER_NOT_LOADED: "the NVIDIA driver is not loaded",
    10: "did not answer in time",
    GPU_IS_LOST: "the device is lost: it fell off the bus",
    RESET_REQUIRED: "the device must be reset",
    17: "the operating system has blocked the call",
    VERSION_MISMATCH: "NVIDIA's driver and library are of different versions",
    GPU_NOT_FOUND: "the device is gone",
}
_FIX = {
    NO_PERMISSION: "give this user access to /dev/nvidiactl and /dev/nvidia*",
    DRIVER_NOT_LOADED: "load it with: sudo modprobe nvidia",
    VERSION_MISMATCH: "reboot: the driver was updated while it ran",
    17: "let this job's cgroup reach /dev/nvidia*",
}


def told(code: int) -> str:
    """What an error code says, in words."""
    return _TOLD.get(code, f"NVML error {code}")


def preload() -> None:
    """Import the package where it is installed."""
    with suppress(ImportError):
        _package()


def _package() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the deprecated package says so on import; `warning` tells it
        import pynvml
    return pynvml


@dataclass(frozen=True, slots=True)
class Facts:
    """What a device is, as far as a meter tells it."""

    handle: int
    name: str
    architecture: str  # an id of data/sensors.csv, or a name that it does not have
    memory_gb: float | None
    limit_w: float | None


@dataclass(frozen=True, slots=True)
class Field:
    """One field value: what it is, in its own unit, and the host's time in microseconds since 1970."""

    code: int
    value: float
    at_us: int


class Fields:
    """Room for the answer to one question for field values, made once.

    Parameters
    ----------
    asked : pairs of a field and its scope
    """

    _ONE = struct.Struct("=IIqqIIQ")  # field, scope, time, latency, type, code, value

    def __init__(self, *asked: tuple[int, int]) -> None:
        self.asked, self.count = asked, len(asked)
        self.buffer = ctypes.create_string_buffer(self._ONE.size * self.count)
        for i, (field, scope) in enumerate(asked):
            self._ONE.pack_into(self.buffer, i * self._ONE.size, field, scope, 0, 0, 0, NOT_SUPPORTED, 0)
        self.address = ctypes.addressof(self.buffer)
        self.unpack = struct.Struct("=" + "8xq8xIIQ" * self.count).unpack_from
        """Of the buffer: time, type, code and bits of each field."""

    def address_of(self, place: int) -> int:
        """Of one field in the buffer."""
        return self.address + place * self._ONE.size

    def all(self) -> tuple[Field, ...]:
        """Each answer in full."""
        flat = self.unpack(self.buffer)
        return tuple(Field(flat[i + 2], number(flat[i + 1], flat[i + 3]), flat[i]) for i in range(0, 4 * self.count, 4))


_UNSIGNED, _UNSIGNED_LONG, _UNSIGNED_LONG_LONG, _SIGNED_LONG_LONG = 1, 2, 3, 4
_FORMATS = {0: "d", _UNSIGNED: "I", _UNSIGNED_LONG: "L", _SIGNED_LONG_LONG: "q", 5: "i", 6: "H"}


def number(kind: int, bits: int) -> float:
    """The number that a value's eight bytes hold, by NVML's type of it."""
    if kind == _UNSIGNED_LONG_LONG:
        return bits
    found: float = struct.unpack_from("@" + _FORMATS.get(kind, "Q"), struct.pack("=Q", bits))[0]
    return found


class Driver:
    """The library, started and stopped in pairs, and what it says of devices.

    Parameters
    ----------
    environment : to tell a container that was not given the library
    root : of the file system
    """

    def __init__(self, environment: Mapping[str, str], root: Path = Path("/")) -> None:
        self._environment, self._root = environment, root
        self._nvml: Any = None
        self._started_by = 0
        self.fields: Any = None
        self.utilization: Any = None
        self.energy: Any = None
        self.usage: Any = None
        self._running: Any = None
        self._running_count = ctypes.c_uint()

    # starting and stopping

    def start(self) -> None:
        """Load and initialise.

        Raises
        ------
        SensorUnavailable
            When the package, the library or the driver is missing, or may not be used.
        """
        self._load()
        try:
            self._nvml.nvmlInit()
        except self._nvml.NVMLError as error:
            raise self._unavailable(error.value) from error
        self._started_by = os.getpid()
        self._point()

    def stop(self) -> None:
        """Shut down what this process started; bounded in time even where the driver hangs."""
        if self._started_by != os.getpid():
            return  # a forked child holds nothing of its own
        self._started_by = 0
        thread = threading.Thread(target=self._shut_down, name="footprint-nvml-shutdown", daemon=True)
        thread.start()
        thread.join(_SHUTDOWN_S)

    def _shut_down(self) -> None:
        try:
            self._nvml.nvmlShutdown()
        except self._nvml.NVMLError:
            return  # somebody else has shut it down once too often

    def _load(self) -> None:
        if self._nvml is not None:
            return
        try:
            pynvml = _package()
        except ImportError as error:
            fix = "install it with: pip install nvidia-ml-py"
            raise SensorUnavailable(NAME, "the package nvidia-ml-py is not installed", fix) from error
        if missing := [name for name in _NEEDED if not hasattr(pynvml, name)]:
            place = getattr(pynvml, "__file__", None) or "pynvml"
            raise SensorUnavailable(
                NAME,
                f"{place} stands before nvidia-ml-py and has no {missing[0]}",
                "remove it, then: pip install --force-reinstall nvidia-ml-py",
            )
        self._nvml = pynvml

    @property
    def warning(self) -> tuple[str, str]:
        """What is wrong with the package though it works, and the line that mends it; empty where nothing is."""
        if self._nvml is not None and hasattr(self._nvml, "__path__"):
            return (
                "the deprecated package pynvml stands before nvidia-ml-py",
                "pip uninstall -y pynvml && pip install --force-reinstall nvidia-ml-py",
            )
        return "", ""

    def _point(self) -> None:
        library = ctypes.CDLL(getattr(getattr(self._nvml, "nvmlLib", None), "_name", None) or _LIBRARY)
        pointer, integer = ctypes.c_void_p, ctypes.c_int

        def function(name: str, *arguments: Any) -> Any:
            found = getattr(library, name, None)
            if found is not None:
                found.argtypes, found.restype = arguments, integer
            return found

        self.fields = function("nvmlDeviceGetFieldValues", pointer, integer, pointer)
        self.utilization = function("nvmlDeviceGetUtilizationRates", pointer, pointer)
        self.energy = function("nvmlDeviceGetTotalEnergyConsumption", pointer, pointer)
        self.usage = function("nvmlDeviceGetPowerUsage", pointer, pointer)
        self._running = function("nvmlDeviceGetComputeRunningProcesses_v3", pointer, pointer, pointer)

    def _unavailable(self, code: int) -> SensorUnavailable:
        if code == LIBRARY_NOT_FOUND:
            return self._without_library()
        fix = _FIX.get(code, "see what `nvidia-smi` and `dmesg | grep NVRM` say")
        return SensorUnavailable(NAME, told(code), fix)

    def _without_library(self) -> SensorUnavailable:
        given = self._environment.get("NVIDIA_DRIVER_CAPABILITIES", "")
        has_driver = (self._root / "proc/driver/nvidia/version").exists() or (self._root / "dev/nvidiactl").exists()
        if has_driver:
            told_of = f" (NVIDIA_DRIVER_CAPABILITIES={given})" if given else ""
            return SensorUnavailable(
                NAME,
                f"the NVIDIA driver is there but its library {_LIBRARY} is not{told_of}",
                "in a container, start it with NVIDIA_DRIVER_CAPABILITIES=compute,utility; else install the library",
            )
        return SensorUnavailable(
            NAME,
            f"no NVIDIA driver: {_LIBRARY} is not found",
            "if there is an NVIDIA device, install its driver; in a container, start it with --gpus all",
        )

    # what is there

    @property
    def version(self) -> str:
        """Of the driver; empty where it does not say."""
        return str(self.ask("nvmlSystemGetDriverVersion") or "")

    def ask(self, name: str, *arguments: Any) -> Any:
        """What one of the library's functions answers; None where it has no answer."""
        function = getattr(self._nvml, name, None)
        if function is None:
            return None
        refusals = (self._nvml.NVMLError, getattr(self._nvml, "NVMLLibraryMismatchError", self._nvml.NVMLError))
        try:
            found = function(*arguments)
        except (*refusals, ValueError):  # a driver older than the package; words that are no text
            return None
        return found.decode(errors="replace") if isinstance(found, bytes) else found

    def present(self) -> tuple[list[Present], list[str]]:
        """Devices that this process may see, and notes of those that do not answer.

        Raises
        ------
        SensorUnavailable
            When the devices cannot even be counted.
        """
        try:
            count = self._nvml.nvmlDeviceGetCount()
        except self._nvml.NVMLError as error:
            raise self._unavailable(error.value) from error
        found, notes = [], []
        for index in range(count):
            try:
                handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
                uuid = self._nvml.nvmlDeviceGetUUID(handle)
                uuid = uuid.decode() if isinstance(uuid, bytes) else str(uuid)
            except self._nvml.NVMLError as error:
                if error.value != NO_PERMISSION:  # another job's: CUDA does not number it either
                    notes.append(f"device {index} cannot be read: {told(error.value)}")
                continue
            found.append(self._present(index, uuid, handle))
        return found, notes

    def _present(self, index: int, uuid: str, handle: Any) -> Present:
        pci = self.ask("nvmlDeviceGetPciInfo", handle)
        bus = getattr(pci, "busId", "") or ""
        mode = self.ask("nvmlDeviceGetMigMode", handle)
        is_partitioned = bool(mode and mode[0])
        slices = int(self.ask("nvmlDeviceGetMaxMigDeviceCount", handle) or 0) if is_partitioned else 0
        capability = self.ask("nvmlDeviceGetCudaComputeCapability", handle) or (0, 0)
        clock = float(self.ask("nvmlDeviceGetMaxClockInfo", handle, _SM_CLOCK) or 0)
        cores = float(self.ask("nvmlDeviceGetNumGpuCores", handle) or 0)
        return Present(
            index=index,
            uuid=uuid,
            name=str(self.ask("nvmlDeviceGetName", handle) or "NVIDIA device"),
            bus_id=bus.decode() if isinstance(bus, bytes) else str(bus),
            minor=self.ask("nvmlDeviceGetMinorNumber", handle),
            speed=(cores * clock, *map(float, capability), clock),
            is_partitioned=is_partitioned,
            instances=tuple(self._instances(handle, slices)),
            slices_count=max(slices, 1),
        )

    def _instances(self, parent: Any, most: int) -> list[Instance]:
        found = []
        for index in range(most):
            handle = self.ask("nvmlDeviceGetMigDeviceHandleByIndex", parent, index)
            uuid = None if handle is None else self.ask("nvmlDeviceGetUUID", handle)
            if uuid is None:
                continue
            attributes = self.ask("nvmlDeviceGetAttributes_v2", handle)
            slices = getattr(attributes, "computeInstanceSliceCount", 0) or getattr(
                attributes, "gpuInstanceSliceCount", 0
            )
            gpu_instance = self.ask("nvmlDeviceGetGpuInstanceId", handle)
            compute_instance = self.ask("nvmlDeviceGetComputeInstanceId", handle)
            found.append(
                Instance(
                    uuid=uuid,
                    gpu_instance=-1 if gpu_instance is None else int(gpu_instance),
                    compute_instance=-1 if compute_instance is None else int(compute_instance),
                    slices_count=int(slices or 1),
                    name=str(self.ask("nvmlDeviceGetName", handle) or ""),
                )
            )
        return found

    def handle(self, uuid: str) -> int:
        """Of a device; 0 where it does not answer."""
        found = self.ask("nvmlDeviceGetHandleByUUID", uuid)
        return 0 if found is None else ctypes.cast(found, ctypes.c_void_p).value or 0

    def facts(self, device: Present) -> Facts:
        """What a device is."""
        found = self.ask("nvmlDeviceGetHandleByUUID", device.uuid)
        handle = 0 if found is None else ctypes.cast(found, ctypes.c_void_p).value or 0
        memory = self.ask("nvmlDeviceGetMemoryInfo", found)
        limit = self.ask("nvmlDeviceGetEnforcedPowerLimit", found)
        if not limit:
            limit = self.ask("nvmlDeviceGetPowerManagementLimit", found)
        capability = tuple(self.ask("nvmlDeviceGetCudaComputeCapability", found) or ())
        architecture = _ARCHITECTURES.get(self.ask("nvmlDeviceGetArchitecture", found) or 0, "nvidia-other")
        return Facts(
            handle=handle,
            name=device.name,
            architecture="ga100" if architecture == "ampere" and capability == _GA100 else architecture,
            memory_gb=memory.total / BYTES_PER_GB if memory else None,
            limit_w=limit / MILLIWATTS_PER_W if limit else None,
        )

    # processes

    def may_be_shared(self, handle: int) -> bool:
        """Whether more than one process computes on a device: their number alone, a call that is asked often."""
        if self._running is None:  # a driver before 510
            return True
        count = self._running_count
        count.value = 0
        return self._running(handle, ctypes.addressof(count), None) == INSUFFICIENT_SIZE and count.value > 1

    def processes(self, handle: int) -> list[int] | None:
        """Those that compute on a device; None where it does not say."""
        for version in ("", "_v2"):  # drivers before 510 have the second alone
            found = self.ask(f"nvmlDeviceGetComputeRunningProcesses{version}", ctypes.c_void_p(handle))
            if found is not None:
                return [int(process.pid) for process in found]
        return None

    def loads(self, handle: int, since_us: int) -> list[tuple[int, float, int]] | None:
        """(process, load of the multiprocessors, time) of the samples since a time; None where it does not say."""
        found = self.ask("nvmlDeviceGetProcessUtilization", ctypes.c_void_p(handle), since_us)
        return None if found is None else [(int(s.pid), float(s.smUtil), int(s.timeStamp)) for s in found]
