"""Measures processes that run already, from outside: `footprint track --pid`."""

from __future__ import annotations

import errno
import os
import select
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

from footprint.cli.tracked import Summary, say
from footprint.errors import InputError

_ENDING = {signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}
_DEVICE_VARIABLES = (
    "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "NVIDIA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "SLURM_STEP_GPUS", "SLURM_JOB_GPUS",
)  # fmt: skip
_TICK_S = 0.2


def attach(pids: list[int], words: dict[str, Any], summary: Summary) -> None:
    """Measure processes until the last of them ends, or until Ctrl-C; they are not touched."""
    processes = [_Process(pid) for pid in pids]
    environment, notes = _environment_of(pids[0])
    from footprint.measurement.tracker.doors import track as tracked

    tracker = tracked(**words, environment=environment, pids=lambda: pids)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        run = tracker.start()
        for note in notes:
            run.note(note)
            say(f"note: {note}")
        while any(process.lives() for process in processes):
            if signal.sigtimedwait(_ENDING, _TICK_S) is not None:
                run.note("tracking ended before the process did")
                break
        tracker.stop("finished")
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    with suppress(KeyboardInterrupt):
        summary.show(run)


class _Process:
    """Another process: whether it still is, and not another under its number."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._handle: int | None = None
        if not hasattr(os, "pidfd_open"):
            raise InputError("pid", pid, "can be measured on Linux alone", "start it by: footprint track -- COMMAND")
        try:
            self._handle = os.pidfd_open(pid)
        except (OSError, OverflowError) as error:
            if getattr(error, "errno", errno.ESRCH) != errno.ENOSYS or not self._is_there():
                raise InputError("pid", pid, "is no process that runs", "see: ps -e") from error

    def lives(self) -> bool:
        """False once it has ended."""
        if self._handle is None:  # a kernel before 5.3
            return self._is_there()
        return not select.select([self._handle], [], [], 0)[0]

    def _is_there(self) -> bool:
        try:
            os.kill(self._pid, 0)
        except PermissionError:
            return True  # another user's
        except (OSError, OverflowError):
            return False
        return True


def _environment_of(pid: int) -> tuple[dict[str, str], tuple[str, ...]]:
    """Ours, with the devices that a process sees by its own; what cannot be read is said."""
    environment = dict(os.environ)
    try:
        pairs = [pair.partition(b"=") for pair in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")]
    except OSError as error:
        told = f"the environment of process {pid} cannot be read ({error.strerror or error})"
        return environment, (f"{told}: devices are those that this shell sees",)
    theirs = {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}
    for name in _DEVICE_VARIABLES:
        environment.pop(name, None)
        if name in theirs:
            environment[name] = theirs[name]
    return environment, ()
