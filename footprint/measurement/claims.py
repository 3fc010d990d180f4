"""Who counts a device: one claim a device and host, whatever the number of processes, trackers or tools.

A claim is a lock on a file in a folder that all processes of the host share. The kernel drops it with the process,
so a killed run never keeps a device from the next one. Reading a device needs no claim: a claim says who counts it.
"""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from weakref import WeakSet

try:
    import fcntl
except ImportError:  # Windows: nothing is locked, each tracker counts what it reads
    fcntl = None  # type: ignore[assignment]

__all__ = ["Claims", "claims_folder"]

FOLDER_VARIABLE = "FOOTPRINT_CLAIMS"
_MOST_BYTES = 512
_HELD = (errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK)
_open_claims: WeakSet[Claims] = WeakSet()


def claims_folder(environment: Mapping[str, str] = MappingProxyType({})) -> Path:
    """Where claims lie: FOOTPRINT_CLAIMS, else a folder of the system's temporary one, open to every user."""
    named = environment.get(FOLDER_VARIABLE)
    return Path(named) if named else Path(tempfile.gettempdir()) / "footprint-claims"


class Claims:
    """The devices that one tracker counts.

    Parameters
    ----------
    folder : the host's folder of claims; made when it is not there
    run_id : told to whoever asks for a device that is held
    """

    def __init__(self, folder: Path, run_id: str) -> None:
        self.folder, self.run_id = folder, run_id
        self._held: dict[str, int] = {}
        _open_claims.add(self)

    def claim(self, meter_id: str) -> str | None:
        """None when the device is mine from now on, else the run that holds it ("" when that cannot be told).

        Where nothing can be locked (no such system call, a folder that cannot be written) the device is mine.
        """
        if fcntl is None or meter_id in self._held:
            return None
        try:
            handle = self._open(meter_id)
        except OSError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            try:
                return self._holder(handle) if error.errno in _HELD else None
            finally:
                os.close(handle)
        self._held[meter_id] = handle
        self._sign(handle)
        return None

    def holds(self, meter_id: str) -> bool:
        """Whether this tracker counts the device."""
        return meter_id in self._held

    def release(self) -> None:
        """Let go of every device."""
        for handle in self._held.values():
            _close(handle)
        self._held.clear()

    def _open(self, meter_id: str) -> int:
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o1777)
        path = self.folder / (re.sub(r"[^\w.-]", "_", meter_id)[:128] + ".lock")
        shared = os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            handle = os.open(path, os.O_RDWR | shared, 0o666)
        except PermissionError:  # another user's: a lock needs no right to write
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        return handle

    def _sign(self, handle: int) -> None:
        with suppress(OSError):  # another user's file, or a file system without modes
            os.fchmod(handle, 0o666)
        with suppress(OSError):  # held all the same; who asks learns no name
            os.ftruncate(handle, 0)
            os.pwrite(handle, self.run_id.encode()[:_MOST_BYTES], 0)

    def _holder(self, handle: int) -> str:
        try:
            return os.pread(handle, _MOST_BYTES, 0).decode(errors="replace")
        except OSError:
            return ""

    def forget(self) -> None:
        """In a forked child: the parent's locks are not the child's to hold open."""
        self.release()


def _close(handle: int) -> None:
    with suppress(OSError):
        os.close(handle)


def _forget_all() -> None:
    for claims in list(_open_claims):
        claims.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
