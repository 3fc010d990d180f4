"""One tracked run for a training loop of a framework: started once, told of progress, surely closed.

Few frameworks have a hook for exceptions. Where there is none, the loop's own frame is watched: once it has left its
thread's stack without the hook that ends a training, the run is closed as failed, whoever caught the exception.
"""

from __future__ import annotations

import atexit
import inspect
import math
import os
import re
import sys
import threading
from collections.abc import Callable, Mapping
from types import FrameType, TracebackType
from typing import Any, Self

from footprint.measurement.tracker.active import ActiveRun
from footprint.measurement.tracker.doors import Tracker, track
from footprint.report.run_result import RunResult

__all__ = ["LoopRun", "metrics", "name_of", "outermost_of", "trained_params"]

_LONGEST_NAME = 200
_LIVE = ("_tracker", "_watch", "_window", "run")
"""What a copy of a callback does not take along."""

LOOK_S = 0.5
"""A loop that was left is noticed after so long."""


def outermost_of(is_loop: Callable[[Any], bool]) -> tuple[FrameType, Any] | None:
    """The outermost frame of this thread whose `self` is the one that trains, and this one."""
    frame: FrameType | None = sys._getframe(1)
    found = None
    while frame is not None:
        owner = _self_of(frame)
        if owner is not None and is_loop(owner):
            found = frame, owner
        frame = frame.f_back
    return found


def _self_of(frame: FrameType) -> Any:
    """What a frame calls `self`. Before Python 3.13 its locals are a copy that would outlive what the user deletes."""
    names = frame.f_locals
    owner = names.get("self")
    if frame.f_code.co_flags & inspect.CO_OPTIMIZED and type(names) is dict:
        names.clear()
    return owner


def metrics(run: ActiveRun) -> dict[str, float]:
    """The run's keys for a log, without what a logger could choke on."""
    return {key: value for key, value in run.metrics().items() if math.isfinite(value)}


def name_of(text: Any) -> str | None:
    """A framework's name for a training, as a run may be named; None, for the script's own, where nothing is left."""
    return re.sub(r"[^\w. -]", "_", str(text or ""))[:_LONGEST_NAME].strip(" .") or None


def trained_params(module: Any) -> float | None:
    """A torch module's parameters, where all of them are trained: FLOP by 6 N D hold for nothing else."""
    parameters = getattr(module, "parameters", None)
    if not callable(parameters):
        return None
    counts = [(p.numel(), p.requires_grad) for p in parameters()]
    total = sum(count for count, _ in counts)
    return float(total) if total and all(trained for _, trained in counts) else None


class _Watch:
    """Tells once when a frame has left its thread's stack. Holds neither the frame nor anything in it."""

    def __init__(self, frame: FrameType, on_left: Callable[[BaseException | None], None]) -> None:
        self.code = frame.f_code
        self._frame_id, self._thread_id = id(frame), threading.get_ident()
        self._on_left = on_left
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look, name="footprint-loop", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """The loop has told its end."""
        self._stopped.set()

    def is_inside(self) -> bool:
        """Whether the loop still runs."""
        frame = sys._current_frames().get(self._thread_id)
        while frame is not None:
            if frame.f_code is self.code and id(frame) == self._frame_id:
                return True
            frame = frame.f_back
        return False

    def error(self) -> BaseException | None:
        """The exception that left the loop, where the interpreter remembers it."""
        error: BaseException | None = getattr(sys, "last_value", None)
        at = error.__traceback__ if error is not None else None
        while at is not None:
            if at.tb_frame.f_code is self.code:
                return error
            at = at.tb_next
        return None

    def _look(self) -> None:
        missed = 0
        while not self._stopped.wait(LOOK_S):
            missed = 0 if self.is_inside() else missed + 1
            if missed > 1:  # twice: a stack may change while it is walked
                self._on_left(self.error())
                return


class LoopRun:
    """What every callback has: the options of `footprint.track`, a run while the loop goes on, and its result.

    Also a context manager: around the whole training it tells the run of any exception at once.

    Raises
    ------
    InputError, UnknownName
        For options that `footprint.track` refuses.
    """

    def __init__(self, name: str | None = None, **options: Any) -> None:
        super().__init__()
        track(name, **options)  # what is wrong with them is told now, not when the training begins
        self._name, self._options = name, options
        self._tracker: Tracker | None = None
        self._watch: _Watch | None = None
        self._pid = 0
        self.run: ActiveRun | None = None

    @property
    def is_open(self) -> bool:
        """Whether a run goes on in this process."""
        return self._tracker is not None and self._pid == os.getpid()

    @property
    def result(self) -> RunResult | None:
        """The run: whole after the training, so far during it; None before."""
        return None if self.run is None else self.run.result

    def open_run(self, name: str | None, found: Mapping[str, Any], saved: Mapping[str, Any] | None = None) -> ActiveRun:
        """Start measuring.

        Parameters
        ----------
        name : where the user gave none
        found : options that the framework knows, beneath those that the user gave
        saved : what `ActiveRun.state_dict` said when a checkpoint was written: the same run goes on
        """
        options = {**{word: value for word, value in found.items() if value is not None}, **self._options}
        if saved and options.get("run_id"):  # the user knows better
            saved = {**saved, "run_id": options["run_id"]}
        elif saved and isinstance(saved.get("run_id"), str):
            options["run_id"] = saved["run_id"]
        self._tracker = track(self._name or name, **options)
        self._pid = os.getpid()
        self.run = self._tracker.start()
        if saved:
            self.run.load_state_dict(saved)
        atexit.register(self._at_exit)
        return self.run

    def watch(self, found: tuple[FrameType, Any] | None) -> None:
        """Close the run as failed once this frame is left without `close_run`."""
        if found is not None and self._watch is None:
            self._watch = _Watch(found[0], self._left)

    @property
    def is_inside(self) -> bool:
        """Whether the loop that is watched still runs."""
        return self._watch is not None and self._watch.is_inside()

    def close_run(self, status: str = "finished", error: BaseException | None = None) -> None:
        """Stop measuring; harmless twice."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()
        if self._tracker is not None and self._pid == os.getpid():
            atexit.unregister(self._at_exit)
            self._tracker.stop(status if error is None else "failed", error)
        self._tracker = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close_run(error=error)

    def _left(self, error: BaseException | None) -> None:
        if error is None and self.run is not None:
            self.run.note("the training loop was left before its end, by an exception that was caught")
        self.close_run("failed", error)

    def _at_exit(self) -> None:
        """The process ends inside the loop; without a loop to watch, the tracker closes what was forgotten."""
        if self._watch is not None:
            self._left(self._watch.error())

    def __getstate__(self) -> dict[str, Any]:
        """A copy, in this process or another, measures nothing until it trains."""
        return {name: None if name in _LIVE else value for name, value in vars(self).items()}
