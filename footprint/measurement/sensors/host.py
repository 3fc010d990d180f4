"""What the kernel says of this host: its processor, its memory, whether it is a machine or a guest on one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from footprint.units import BYTES_PER_GB, BYTES_PER_KIB

__all__ = ["PROC", "SYS", "Processor", "count_of", "in_container", "memory_gb", "processor", "text_of"]

PROC, SYS = Path("/proc"), Path("/sys")
_FIRST_PROCESSOR_BYTES = 16384
"""More than /proc/cpuinfo writes of one thread; the others say the same, and each costs the kernel time."""

_GUEST_VENDORS = (
    "qemu", "kvm", "vmware", "innotek", "xen", "bochs", "parallels", "openstack", "amazon ec2",
    "alibaba cloud", "digitalocean", "google", "hetzner", "nutanix", "red hat",
)  # fmt: skip
_GUEST_PRODUCTS = ("virtual machine", "virtualbox", "kvm", "google compute engine", "hvm domu", "openstack")
_BARE_METAL = "metal"


@dataclass(frozen=True, slots=True)
class Processor:
    """The processor as the kernel names it, and how much of it this host sees."""

    name: str
    identity: str  # "AuthenticAMD 25 1", "0x41 0xd4f": vendor, family and model, or implementer and part
    sockets_count: int
    threads_count: int  # online on this host
    is_guest: bool  # the host is a virtual machine: its sockets belong to others too


def text_of(path: Path, most_bytes: int = -1) -> str | None:
    """A small file's text without what surrounds it, None where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(most_bytes).decode("utf-8", "replace").strip()
    except OSError:
        return None


def count_of(ranges: str | None) -> int:
    """How many numbers a list such as "0-3,8" names; 0 for none, or for what is no such list."""
    count = 0
    for part in (ranges or "").split(","):
        first, _, last = part.partition("-")
        if not first.strip().isdecimal() or (last and not last.strip().isdecimal()):
            return 0
        count += max(int(last or first) - int(first) + 1, 0)
    return count


def processor(proc: Path = PROC, sys: Path = SYS) -> Processor:
    """The processor of this host; its name is empty where nothing tells it."""
    facts = _cpuinfo(proc)
    cpus = sys / "devices/system/cpu"
    threads = count_of(text_of(cpus / "online")) or os.cpu_count() or 1
    siblings = facts.get("siblings", "")
    a_socket = int(siblings) if siblings.isdecimal() else count_of(text_of(cpus / "cpu0/topology/package_cpus_list"))
    return Processor(
        name=_name(facts),
        identity=_identity(facts),
        sockets_count=max(round(threads / a_socket), 1) if a_socket else 1,
        threads_count=threads,
        is_guest="hypervisor" in facts.get("flags", "").split() or _is_guest_by_board(sys / "class/dmi/id"),
    )


def _cpuinfo(proc: Path) -> dict[str, str]:
    """What /proc/cpuinfo says of its first thread."""
    first = (text_of(proc / "cpuinfo", _FIRST_PROCESSOR_BYTES) or "").partition("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, colon, value in pairs if colon}


def _name(facts: Mapping[str, str]) -> str:
    if not facts:  # no Linux
        import platform

        is_apple = platform.system() == "Darwin" and platform.machine() == "arm64"
        return "Apple" if is_apple else platform.processor()
    return facts.get("model name") or facts.get("cpu") or facts.get("Hardware") or ""


def _identity(facts: Mapping[str, str]) -> str:
    for keys in (("vendor_id", "cpu family", "model"), ("CPU implementer", "CPU part")):
        if all(facts.get(key) for key in keys):
            return " ".join(facts[key] for key in keys)
    return ""


def _is_guest_by_board(board: Path) -> bool:
    """What the firmware says; processors of Arm have no flag for it. Bare-metal instances say so."""
    vendor = (text_of(board / "sys_vendor") or "").casefold()
    product = (text_of(board / "product_name") or "").casefold()
    if _BARE_METAL in product:
        return False
    return vendor.startswith(_GUEST_VENDORS) or any(name in product for name in _GUEST_PRODUCTS)


def in_container(environment: Mapping[str, str], proc: Path = PROC, root: Path = Path("/")) -> bool:
    """Whether this process lives in a container, as far as the usual traces tell."""
    if (root / ".dockerenv").exists() or (root / "run/.containerenv").exists():
        return True
    if environment.get("KUBERNETES_SERVICE_HOST") or environment.get("container"):
        return True
    groups = text_of(proc / "1/cgroup") or ""
    return any(word in groups for word in ("docker", "kubepods", "containerd", "lxc", "libpod"))


def memory_gb(proc: Path = PROC) -> float | None:
    """The memory that this host has, None where nothing tells it."""
    for line in (text_of(proc / "meminfo", _FIRST_PROCESSOR_BYTES) or "").splitlines():
        words = line.split()
        if words[:1] == ["MemTotal:"] and len(words) > 1 and words[1].isdecimal():
            return int(words[1]) * BYTES_PER_KIB / BYTES_PER_GB
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / BYTES_PER_GB
    except (ValueError, OSError, AttributeError):
        return None
