"""Who counts a device: one claim a device and host, whatever the number of processes, trackers or tools.

A claim is a lock on a file in a folder that all processes of the host share. The kernel drops it with the process,
so a killed run never keeps a device from the next one. Reading a device needs no claim: a claim says who counts it.
"""

from __future__ import annotations

import errno
import os
import re
import tempfile
import time
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
_UNSIGNED_S = 0.2
"""Who has just locked a device may not have signed yet: waited for so long in all."""

_LOOK_S = _UNSIGNED_S / 64

_open_claims: WeakSet[Claims] = WeakSet()


def claims_folder(environment: Mapping[str, str] = MappingProxyType({})) -> Path:
    """Where claims lie: FOOTPRINT_CLAIMS, else a folder of the system's temporary one, open to every user.

    Not the process's own temporary folder: launchers give each job, or each rank, one of its own.
    """
    named = environment.get(FOLDER_VARIABLE)
    if named:
        return Path(named)
    common = Path("/tmp")
    return (common if os.access(common, os.W_OK) else Path(tempfile.gettempdir())) / "footprint-claims"


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
        self._patience_s = _UNSIGNED_S
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
            while not _locked(handle):
                holder, is_signed = _holder(handle)
                if is_signed or self._patience_s <= 0:
                    _close(handle)
                    return holder
                time.sleep(_LOOK_S)
                self._patience_s -= _LOOK_S
        except OSError:
            _close(handle)
            return None
        self._held[meter_id] = handle
        self._sign(handle)
        return None

    def holds(self, meter_id: str) -> bool:
        """Whether this tracker counts the device."""
        return meter_id in self._held

    def rename(self, run_id: str) -> None:
        """Hold them for another run from now on."""
        self.run_id = run_id
        for handle in self._held.values():
            self._sign(handle)

    def release(self) -> None:
        """Let go of every device."""
        for handle in self._held.values():
            with suppress(OSError):
                os.ftruncate(handle, 0)
        self.forget()

    def _open(self, meter_id: str) -> int:
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o1777)
        path = self.folder / (re.sub(r"[^\w.-]", "_", meter_id)[:128] + ".lock")
        safe = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a planted pipe must not hold up a start
        with suppress(OSError):  # one that is there is opened as such: to make another user's anew may be forbidden
            return os.open(path, os.O_RDWR | safe)
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | safe, 0o666)
        except PermissionError:  # a lock needs no right to write
            return os.open(path, os.O_RDONLY | safe)

    def _sign(self, handle: int) -> None:
        with suppress(OSError):  # another user's file, or a file system without modes
            os.fchmod(handle, 0o666)
        with suppress(OSError):  # held all the same; who asks learns no name
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()} {self.run_id}".encode()[:_MOST_BYTES], 0)

    def forget(self) -> None:
        """In a forked child: the parent's locks are not the child's to hold open."""
        for handle in self._held.values():
            _close(handle)
        self._held.clear()


def _locked(handle: int) -> bool:
    """Whether the lock is mine now; raises OSError where nothing can be locked."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _HELD:
            raise
        return False
    return True


def _holder(handle: int) -> tuple[str, bool]:
    """The run that signed, and whether that process lives: else the name may be that of an earlier holder."""
    try:
        pid, _, run_id = os.pread(handle, _MOST_BYTES, 0).decode(errors="replace").partition(" ")
    except OSError:
        return "", False
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        return run_id, True  # it lives, and is another user's
    except (OSError, ValueError, OverflowError):
        return run_id, False
    return run_id, True


def _close(handle: int) -> None:
    with suppress(OSError):
        os.close(handle)


def _forget_all() -> None:
    for claims in list(_open_claims):
        claims.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
