"""Which devices are mine, from the environment and what is present: pure, no driver is asked.

CUDA_VISIBLE_DEVICES is read as CUDA reads it [1]: whole numbers in CUDA's order, or UUIDs that may be cut short,
or MIG instances [2]; the first entry that names nothing ends the list, and one that stands twice empties it.
Where it is not set, SLURM's allocation [3], GPU_DEVICE_ORDINAL and NVIDIA_VISIBLE_DEVICES [4] count, in this order.

1. docs.nvidia.com/cuda/cuda-programming-guide, environment variables
2. docs.nvidia.com/datacenter/tesla/mig-user-guide, device names and enumeration
3. slurm.schedmd.com/sbatch.html, output environment variables
4. docs.nvidia.com/datacenter/cloud-native/container-toolkit, GPU enumeration
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Chosen", "Instance", "Present", "Selection", "mine", "visible_integers"]

_INTEGER = re.compile(r"\s*([+-]?[0-9]{1,18})")  # as C reads one: what follows it does not matter
_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_MIG_BY_PARENT = re.compile(r"MIG-(GPU-[0-9a-f-]*)/([0-9]{1,9})/([0-9]{1,9})", re.IGNORECASE)
_MIG_BY_INDEX = re.compile(r"([0-9]{1,9}):([0-9]{1,9})")
_MOST_IDS = 4096  # of a range in SLURM's variables: more names no devices


@dataclass(frozen=True, slots=True)
class Instance:
    """A MIG instance: a part of a device that programs see as a device."""

    uuid: str
    gpu_instance: int
    compute_instance: int
    slices_count: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Present:
    """A device as the driver shows it."""

    index: int
    uuid: str
    name: str = ""
    bus_id: str = ""
    minor: int | None = None
    speed: tuple[float, ...] = ()  # greater is faster; compared only where names differ
    is_partitioned: bool = False  # in MIG mode
    instances: tuple[Instance, ...] = ()
    slices_count: int = 1


@dataclass(frozen=True, slots=True)
class Chosen:
    """A device that is mine, or an instance on it."""

    device: Present
    instance: Instance | None = None

    @property
    def id(self) -> str:
        """The UUID of what is mine."""
        return self.instance.uuid if self.instance else self.device.uuid

    @property
    def share(self) -> float:
        """Mine of the device: slices of all, a model of who draws what."""
        if self.instance is None:
            return 1.0
        return min(self.instance.slices_count / max(self.device.slices_count, 1), 1.0)


@dataclass(frozen=True, slots=True)
class Selection:
    """The devices that are mine, the variable that says so, and what was unclear."""

    chosen: tuple[Chosen, ...]
    decided_by: str = ""
    notes: tuple[str, ...] = ()


def mine(
    environment: Mapping[str, str],
    present: Sequence[Present],
    asked: Callable[[], Sequence[str]] = tuple,
) -> Selection:
    """The devices of this process or job.

    Parameters
    ----------
    environment : of the process
    present : devices that the driver lets this process see, MIG instances under their parents
    asked : called where CUDA's order cannot be known: UUIDs of what CUDA has already made visible here, if any
    """
    devices = sorted(present, key=lambda d: (d.bus_id, d.index))
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return _by_cuda(visible, environment.get("CUDA_DEVICE_ORDER", ""), devices, asked)
    for variable in ("SLURM_STEP_GPUS", "SLURM_JOB_GPUS"):
        if text := environment.get(variable, "").strip():
            return _by_slurm(variable, text, devices)
    if text := environment.get("GPU_DEVICE_ORDINAL", "").strip():
        named = _by_ordinal(text, devices)
        if named is not None:
            return Selection(_whole(named), "GPU_DEVICE_ORDINAL", _partition_notes(named))
    if text := environment.get("NVIDIA_VISIBLE_DEVICES", "").strip():
        return _by_container(text, devices)
    return Selection(_whole(devices), "", _partition_notes(devices))


def visible_integers(text: str) -> list[int] | None:
    """The whole numbers of a list up to the first entry that is none or negative; None where one stands twice."""
    found: list[int] = []
    for entry in text.split(","):
        match = _INTEGER.match(entry)
        if match is None or int(match[1]) < 0:
            break
        if int(match[1]) in found:
            return None
        found.append(int(match[1]))
    return found


def _by_cuda(text: str, order: str, devices: list[Present], asked: Callable[[], Sequence[str]]) -> Selection:
    variable, notes = "CUDA_VISIBLE_DEVICES", []
    first = text.strip().upper()
    if first.startswith(("GPU-", "MIG-")):
        found: list[Chosen] = []
        for entry in text.split(","):
            one = _by_uuid(entry.strip(), devices)
            if one is None:
                notes.append(f"{variable}: {entry.strip()[:80]!r} names no device here and ends the list")
                break
            if one in found:
                return Selection((), variable, (f"{variable} names a device twice: CUDA then shows none",))
            found.append(one)
        named = _first_instances(found)
        notes += _partition_notes([one.device for one in found if one.instance is None])
        if len(named) > 1 and any(one.instance for one in named):
            notes.append("CUDA shows a single process its first MIG instance; all that are named are counted")
        return Selection(named, variable, tuple(notes))
    integers = visible_integers(text)
    if integers is None:
        return Selection((), variable, (f"{variable} names a device twice: CUDA then shows none",))
    is_mixed = len({d.name for d in devices}) > 1 and order.strip().upper() != "PCI_BUS_ID"
    if is_mixed and integers and not set(range(len(devices))) <= set(integers):
        known = [one for uuid in asked() if (one := _by_uuid(uuid, devices)) is not None]
        if len(known) == len(integers) and len({one.id for one in known}) == len(known):
            return Selection(tuple(known), variable)
        notes.append(
            "the devices differ and CUDA_DEVICE_ORDER is not PCI_BUS_ID: their order, fastest first, is approximated"
        )
    ordered = sorted(devices, key=lambda d: d.speed, reverse=True) if is_mixed else devices
    chosen: list[Present] = []
    for number in integers:
        if number >= len(ordered):
            notes.append(f"{variable}: there is no device {number} here, which ends the list")
            break
        chosen.append(ordered[number])
    return Selection(_whole(chosen), variable, (*notes, *_partition_notes(chosen)))


def _by_uuid(entry: str, devices: Iterable[Present]) -> Chosen | None:
    """The one device or instance that a UUID, or the beginning of one, names; None for none or several."""
    wanted = entry.casefold()
    if wanted.startswith("mig-"):
        if by_parent := _MIG_BY_PARENT.fullmatch(entry):
            parent = _by_uuid(by_parent[1], devices)
            ids = (int(by_parent[2]), int(by_parent[3]))
            for one in parent.device.instances if parent else ():
                if (one.gpu_instance, one.compute_instance) == ids:
                    return Chosen(parent.device, one) if parent else None
        found = [Chosen(d, one) for d in devices for one in d.instances if one.uuid.casefold().startswith(wanted)]
    elif wanted.startswith("gpu-"):
        found = [Chosen(d) for d in devices if d.uuid.casefold().startswith(wanted)]
    else:
        found = []
    exact = [one for one in found if one.id.casefold() == wanted]
    found = exact or found
    return found[0] if len(found) == 1 else None


def _by_slurm(variable: str, text: str, devices: list[Present]) -> Selection:
    """SLURM's numbers are the host's, whatever part of it a job sees: by device file where the driver tells it."""
    numbers = _numbers(text)
    everything = Selection(_whole(devices), variable, _partition_notes(devices))
    if numbers is None:
        note = f"{variable} is not understood: all devices here are counted"
        return Selection(everything.chosen, "", (note, *everything.notes))
    if len(numbers) >= len(devices):
        return everything  # the job sees no more than it was given
    if any(d.is_partitioned for d in devices):
        note = f"{variable} numbers MIG instances in an order that is not told: all devices here are counted"
        return Selection(everything.chosen, "", (note, *everything.notes))
    by_minor = {d.minor: d for d in devices if d.minor is not None}
    by_index = {d.index: d for d in devices}
    by_number: Mapping[int, Present] = by_minor if len(by_minor) == len(devices) else by_index
    if not all(number in by_number for number in numbers):
        note = f"{variable} names a device that is not here: all devices here are counted"
        return Selection(everything.chosen, "", (note, *everything.notes))
    return Selection(_whole([by_number[number] for number in numbers]), variable)


def _by_ordinal(text: str, devices: list[Present]) -> list[Present] | None:
    numbers = visible_integers(text)
    if not numbers or len(numbers) != len(text.split(",")) or max(numbers) >= len(devices):
        return None
    return [devices[number] for number in numbers]


def _by_container(text: str, devices: list[Present]) -> Selection:
    """What a container was given. The runtime has hidden the rest, unless it runs with privileges or not at all."""
    variable, word = "NVIDIA_VISIBLE_DEVICES", text.casefold()
    everything = Selection(_whole(devices), "", _partition_notes(devices))
    if word == "none":
        return Selection((), variable)
    if word in ("all", "void"):  # void: set beside devices that came in by the container device interface
        return everything
    entries = [entry.strip() for entry in text.split(",")]
    found: list[Chosen] = []
    for entry in entries:
        one = _by_uuid(entry, devices) or _by_position(entry, devices, len(entries))
        if one is not None and one not in found:
            found.append(one)
    if not found:
        return everything  # numbers of the host, or names of another kind
    named = _first_instances(found)
    return Selection(named, variable, _partition_notes([one.device for one in found if one.instance is None]))


def _by_position(entry: str, devices: Sequence[Present], count: int) -> Chosen | None:
    """A number, or parent:instance; the host's numbers, so only where more is seen than was given."""
    if match := _MIG_BY_INDEX.fullmatch(entry):
        for device in devices:
            if device.index == int(match[1]) and int(match[2]) < len(device.instances):
                return Chosen(device, device.instances[int(match[2])])
        return None
    if count < len(devices) and re.fullmatch(r"[0-9]{1,9}", entry):
        return next((Chosen(device) for device in devices if device.index == int(entry)), None)
    return None


def _numbers(text: str) -> list[int] | None:
    """Numbers of a list such as 0,2-3; None where it is none."""
    found: list[int] = []
    for entry in text.split(","):
        match = _RANGE.fullmatch(entry.strip())
        if match is None:
            return None
        first, last = int(match[1]), int(match[2] or match[1])
        if last - first > _MOST_IDS or len(found) > _MOST_IDS:
            return None
        found += [number for number in range(first, last + 1) if number not in found]
    return found


def _whole(devices: Iterable[Present]) -> tuple[Chosen, ...]:
    return _first_instances(Chosen(device) for device in devices)


def _first_instances(found: Iterable[Chosen]) -> tuple[Chosen, ...]:
    """A device in MIG mode named as a whole stands for its first instance, and for nothing where it has none."""
    chosen: list[Chosen] = []
    for one in found:
        if one.instance is None and one.device.is_partitioned:
            if not one.device.instances:
                continue
            one = Chosen(one.device, one.device.instances[0])
        if one not in chosen:
            chosen.append(one)
    return tuple(chosen)


def _partition_notes(devices: Iterable[Present]) -> tuple[str, ...]:
    notes = []
    for device in devices:
        if device.is_partitioned and not device.instances:
            notes.append(f"device {device.index} is in MIG mode and has no instance for this process")
        elif len(device.instances) > 1:
            notes.append(f"device {device.index} is in MIG mode: CUDA shows a process the first of its instances")
    return tuple(notes)
