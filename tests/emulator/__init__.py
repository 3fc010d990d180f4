"""An emulated NVML for the tests: GPUs whose true energy between any two moments is known.

The fixture `emulator` (tests/conftest.py) makes hosts:

    host = emulator(gpus=8, preset="a100", wave=Square(100, 400, period_s=0.7), counter_period_ms=20)
    with host.in_process():                       # this process, through pynvml
        pynvml.nvmlInit()
    host.python("import pynvml; ...")             # a fresh Python; or any process with env=host.env
    host.true_energy_j(3, from_s, to_s)           # the truth between two moments of time.monotonic(); None: all GPUs
    host.shown_w(3, "average", at_s)              # what a sensor ought to show

While processes run (they follow at their next call):

    host.change(Constant(650), gpu=3)             # another load, from the moment it returns
    host.set(3, utilization=0.5, average=False)   # any setting of presets.DEFAULTS
    host.lose(3); host.reset_counter(); host.mig(0, slices=(3, 2, 1))
    host.fault("nvmlDeviceGetPowerUsage", gpu=3, error="unknown", probability=0.1)  # or hang=True, delay_us=5000
    host.clear_faults()                           # lets go of hung calls, too

Afterwards, `host.counts` tells calls by function, GPU and process, shutdowns during a call, and calls without an init.
"""

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
