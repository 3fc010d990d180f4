"""The control file that every process under the emulator maps: the configuration's version, and counts of calls.
It mirrors `struct control` of emulator.h."""

from __future__ import annotations

import mmap
from ctypes import Structure, c_char, c_int64, c_uint64, sizeof
from dataclasses import dataclass
from pathlib import Path

EVENTS = {1: "init", 2: "shutdown", 3: "shutdown in flight", 4: "forked", 5: "uninitialized"}
S_PER_NS = 1e-9


class _Function(Structure):
    _fields_ = (("name", c_char * 64), ("calls", c_uint64), ("errors", c_uint64))


class _Client(Structure):
    _fields_ = (
        *((name, c_uint64) for name in ("pid", "calls", "inits", "shutdowns", "in_flight")),
        ("first_ns", c_int64),
        ("last_ns", c_int64),
    )


class _Event(Structure):
    _fields_ = (("at_ns", c_int64), ("pid", c_uint64), ("kind", c_uint64), ("value", c_uint64))


class _Control(Structure):
    _fields_ = (
        *((name, c_uint64) for name in ("size", "version", "inits", "shutdowns", "shutdowns_in_flight")),
        *((name, c_uint64) for name in ("uninitialized_calls", "forks", "most_in_flight", "reloads")),
        ("configuration_errors", c_uint64),
        ("events_count", c_uint64),
        ("message", c_char * 256),
        ("gpu_calls", c_uint64 * 64),
        ("functions", _Function * 128),
        ("clients", _Client * 256),
        ("events", _Event * 1024),
    )


@dataclass(frozen=True)
class Client:
    """A process that has called the library."""

    pid: int
    calls: int
    inits: int
    shutdowns: int
    in_flight: int
    first_s: float
    last_s: float


@dataclass(frozen=True)
class Event:
    at_s: float  # monotonic
    pid: int
    kind: str  # of EVENTS
    value: int  # references left, calls in flight, the parent's pid, the function's number


class Counts:
    """What the processes under an emulator have called."""

    def __init__(self, file: Path) -> None:
        with file.open("w+b") as opened:
            opened.truncate(sizeof(_Control))
            self._memory = mmap.mmap(opened.fileno(), sizeof(_Control))
        self._control = _Control.from_buffer(self._memory)

    def changed(self) -> None:
        """The configuration has: every process reads it again at its next call."""
        self._control.version += 1

    def calls(self, function: str = "") -> int:
        """Of a function and its versions (nvmlDeviceGetCount and ..._v2), or of all."""
        return sum(f.calls for f in self._functions(function))

    def errors(self, function: str = "") -> int:
        return sum(f.errors for f in self._functions(function))

    def by_function(self) -> dict[str, int]:
        return {f.name.decode(): f.calls for f in self._control.functions if f.calls}

    def _functions(self, function: str) -> list[_Function]:
        def named(name: str) -> bool:
            tail = name.removeprefix(function)
            return name == function or (name != tail and (tail.startswith("_v") or tail == "WithFlags"))

        return [f for f in self._control.functions if f.name and (not function or named(f.name.decode()))]

    def gpu_calls(self, gpu: int) -> int:
        return int(self._control.gpu_calls[gpu])

    @property
    def inits(self) -> int:
        return int(self._control.inits)

    @property
    def shutdowns(self) -> int:
        return int(self._control.shutdowns)

    @property
    def shutdowns_in_flight(self) -> int:
        """Shutdowns of the library while another thread of the process was inside a call."""
        return int(self._control.shutdowns_in_flight)

    @property
    def uninitialized_calls(self) -> int:
        """Calls before init, after shutdown, or in a forked child without an init of its own."""
        return int(self._control.uninitialized_calls)

    @property
    def forks(self) -> int:
        """Processes forked while the library was initialised in them."""
        return int(self._control.forks)

    @property
    def most_in_flight(self) -> int:
        """The most calls at once in one process."""
        return int(self._control.most_in_flight)

    @property
    def reloads(self) -> int:
        return int(self._control.reloads)

    @property
    def complaint(self) -> str:
        """Why a configuration could not be read; empty when all could."""
        return self._control.message.decode() if self._control.configuration_errors else ""

    @property
    def clients(self) -> list[Client]:
        return [
            Client(c.pid, c.calls, c.inits, c.shutdowns, c.in_flight, c.first_ns * S_PER_NS, c.last_ns * S_PER_NS)
            for c in self._control.clients
            if c.pid
        ]

    @property
    def in_flight(self) -> int:
        """Calls that have not returned, of all processes; of killed ones too."""
        return sum(client.in_flight for client in self.clients)

    @property
    def events(self) -> list[Event]:
        """The last thousand, in order."""
        count = self._control.events_count
        places = range(max(0, count - 1024), count)
        events = [self._control.events[place % 1024] for place in places]
        return [Event(e.at_ns * S_PER_NS, e.pid, EVENTS.get(e.kind, "?"), e.value) for e in events]
