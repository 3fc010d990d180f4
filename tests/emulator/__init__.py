"""An emulated NVML for the tests: GPUs whose true energy between any two moments is known."""

from emulator.control import Client, Counts, Event
from emulator.machine import Emulator, build, compiler, uuid_of
from emulator.presets import DEFAULTS, PRESETS
from emulator.waves import Constant, Sine, Square, Trace, Trapezoid, Wave

__all__ = [
    "DEFAULTS",
    "PRESETS",
    "Client",
    "Constant",
    "Counts",
    "Emulator",
    "Event",
    "Sine",
    "Square",
    "Trace",
    "Trapezoid",
    "Wave",
    "build",
    "compiler",
    "uuid_of",
]
