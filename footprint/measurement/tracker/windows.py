"""Windows of a training, as seconds inside each: opening and closing one takes no reading and no lock to speak of."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

__all__ = ["MOST_NAMES", "Window", "WindowClock"]

MOST_NAMES = 1000
"""Windows of further names count under the name around them: memory stays bounded."""


class WindowClock:
    """How long a process has been inside the windows of each name since it was last asked.

    Energy between two readings is shared out by these seconds: the straight line between readings, without keeping
    the windows.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.RLock()  # a signal's handler may open a window inside one that is being opened
        self._closed: dict[str, tuple[int, float]] = {}
        self._open: dict[int, tuple[str, float]] = {}
        self._stacks = threading.local()
        self._names: set[str] = set()
        self._next = 0

    def window(self, name: str) -> Window:
        """A window by name, below the windows that this thread is inside."""
        return Window(self, name)

    def enter(self, name: str) -> tuple[int, list[str]]:
        """Open a window; the key closes it."""
        stack: list[str] = getattr(self._stacks, "names", None) or []
        self._stacks.names = stack
        path = f"{stack[-1]}/{name}" if stack else name
        if path not in self._names:
            if len(self._names) >= MOST_NAMES:
                path = stack[-1] if stack else "others"
            self._names.add(path)
        stack.append(path)
        with self._lock:
            self._next += 1
            key = self._next
            self._open[key] = (path, self._clock())
        return key, stack

    def leave(self, key: int, stack: list[str]) -> None:
        """Close a window."""
        if stack:
            stack.pop()
        with self._lock:
            found = self._open.pop(key, None)
            if found is None:
                return
            path, since_s = found
            count, seconds = self._closed.get(path, (0, 0.0))
            self._closed[path] = (count + 1, seconds + max(self._clock() - since_s, 0.0))

    def forget(self) -> None:
        """In a forked child: no thread is left that could let go of the lock."""
        self._lock = threading.RLock()
        self._closed, self._open = {}, {}

    def has_any(self) -> bool:
        """Whether any is open, or was closed since the last call of `take`."""
        return bool(self._closed or self._open)

    def take(self, now_s: float) -> dict[str, tuple[int, float]]:
        """Closed windows and seconds inside since the last call, by name; open windows go on from `now_s`."""
        with self._lock:
            taken, self._closed = self._closed, {}
            for key, (path, since_s) in self._open.items():
                count, seconds = taken.get(path, (0, 0.0))
                taken[path] = (count, seconds + max(now_s - since_s, 0.0))
                self._open[key] = (path, max(now_s, since_s))
        return taken


class Window:
    """A context manager; the same one may be entered again."""

    __slots__ = ("_clock", "_entered", "_name")

    def __init__(self, clock: WindowClock, name: str) -> None:
        self._clock, self._name = clock, name
        self._entered: list[tuple[int, list[str]]] = []

    def __enter__(self) -> Window:
        self._entered.append(self._clock.enter(self._name))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._entered:
            self._clock.leave(*self._entered.pop())
