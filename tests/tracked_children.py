"""Many tracked processes for little: one Python imports footprint once, and each child is a fork of it before any run.

A child is a whole process of its own: it ends as an interpreter does, is killed, forks and tracks. What it tells with
`say(...)` is read with `told()`; what it printed is in `out` and `err`.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator

from footprint.measurement import journal
from footprint.units import J_PER_KWH
from footprint.values import MeterUsage, Run

MILLISECONDS_PER_S = 1000
LATE_S = 0.3
GAP_RATIO = 3

NURSERY = r"""
import json, os, sys, time, threading, signal, warnings

def serve():
    for line in sys.stdin:
        job = json.loads(line)
        if "wait" in job:
            until_s = time.monotonic() + job["timeout_s"]
            while True:
                pid, status = os.waitpid(job["wait"], os.WNOHANG)
                if pid or time.monotonic() > until_s:
                    break
                time.sleep(0.005)
            print(json.dumps(os.waitstatus_to_exitcode(status) if pid else None), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            return job
        print(pid, flush=True)
    os._exit(0)

import footprint, pynvml, psutil, numpy
import footprint.measurement.tracker.doors, footprint.measurement.tracker.reading
import footprint.measurement.sensors.nvml
_job = serve()
os.chdir(_job["folder"])
for _place, _name in ((0, os.devnull), (1, "out"), (2, "err")):
    _file = os.open(_name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(_file, _place)
    os.close(_file)
for _name in [n for n in os.environ if n.startswith(tuple(_job["forget"]))]:
    del os.environ[_name]
os.environ.update(_job["environment"])
sys.argv[:] = [_job["argv"]]

def say(value):
    file = os.open("told", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, (json.dumps(value) + "\n").encode())
    os.close(file)

exec(compile(_job["code"], "child", "exec"), globals())
"""
LAUNCHERS = (
    "TORCHELASTIC_", "SLURM_", "OMPI_", "PMI", "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE",
    "JOB_", "FOOTPRINT_", "CUDA_", "NVIDIA_",
)  # fmt: skip


@dataclass
class Child:
    """A process of the nursery; its folder is where it is."""

    nursery: Nursery
    pid: int
    folder: Path
    code: int | None = None

    def told(self) -> list[Any]:
        """Everything that it has said so far."""
        file = self.folder / "told"
        whole = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return [json.loads(line) for line in whole]

    def wait_for(self, count: int = 1, timeout_s: float = 30.0) -> list[Any]:
        """Until it has said so much."""
        until_s = time.monotonic() + timeout_s
        while len(self.told()) < count:
            if time.monotonic() > until_s:
                raise AssertionError(f"child {self.pid} has not spoken: {self.printed()}")
            time.sleep(0.01)
        return self.told()

    def kill(self, number: int = signal.SIGKILL) -> float:
        """When it was sent."""
        os.kill(self.pid, number)
        return time.monotonic()

    def wait(self, timeout_s: float = 30.0) -> int:
        """Its exit code, negative for a signal."""
        if self.code is None:
            self.code = self.nursery.wait(self.pid, timeout_s)
        if self.code is None:
            self.kill()
            raise AssertionError(f"child {self.pid} has not ended: {self.told()} {self.printed()}")
        return self.code

    def printed(self) -> str:
        """On both streams."""
        return "".join((self.folder / name).read_text(encoding="utf-8") for name in ("out", "err"))


class Nursery:
    """Starts children under the emulated library.

    Parameters
    ----------
    library : of the emulator; which host of GPUs a child sees is said when it is started
    folder : below it each child has its own
    """

    def __init__(self, library: Path, folder: Path) -> None:
        own = str(library.parent)
        paths = {
            name: os.pathsep.join(filter(None, (own, os.environ.get(name)))) for name in ("LD_LIBRARY_PATH", "PATH")
        }
        self.folder, self._count = folder, 0
        self._python = subprocess.Popen(
            [sys.executable, "-c", NURSERY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **paths},
        )  # fmt: skip

    def start(self, host: Any, code: str, *, name: str = "train.py", **environment: str | Path) -> Child:
        """A child that runs code, where `say`, `os`, `sys`, `time`, `threading`, `signal` and `footprint` are at hand.

        Runs go to `runs` below its folder and claims to `claims`, unless the environment says otherwise.
        """
        self._count += 1
        folder = self.folder / f"child-{self._count}"
        folder.mkdir()
        variables: dict[str, str] = {
            "FOOTPRINT_FOLDER": str(folder / "runs"), "FOOTPRINT_CLAIMS": str(folder / "claims"),
            "NVML_EMULATOR": str(host.config), **{key: str(value) for key, value in environment.items()},
        }  # fmt: skip
        job = {"code": code, "folder": str(folder), "environment": variables, "forget": LAUNCHERS, "argv": name}
        return Child(self, int(self._ask(job)), folder)

    def wait(self, pid: int, timeout_s: float) -> int | None:
        """A child's exit code; None while it goes on."""
        code: int | None = json.loads(self._ask({"wait": pid, "timeout_s": timeout_s}))
        return code

    def _ask(self, job: Mapping[str, Any]) -> str:
        assert self._python.stdin is not None
        assert self._python.stdout is not None
        self._python.stdin.write(json.dumps(job) + "\n")
        self._python.stdin.flush()
        answer = self._python.stdout.readline()
        if not answer:
            raise AssertionError(f"the children's first Python has ended with exit code {self._python.wait(10)}")
        return answer

    def close(self) -> None:
        """Children that still run are not ended by it."""
        assert self._python.stdin is not None
        assert self._python.stdout is not None
        self._python.stdin.close()
        self._python.wait(10)
        self._python.stdout.close()


# what a run says, and the truth


def runs_of(child: Child) -> list[Path]:
    """The folders of the runs that a child kept in its own."""
    return journal.run_folders(child.folder / "runs")


def only_run(child: Child) -> Path:
    """Of a child that kept one."""
    (found,) = runs_of(child)
    return found


def accelerators(run: Run) -> list[MeterUsage]:
    """What was metered of them."""
    return [meter for meter in run.meters if meter.meter.component == "accelerator"]


def joules(run: Run, *, here: bool = False, host: str = "") -> float:
    """Of the accelerators; `here`: without those that another run counts; `host`: of one."""
    own = [m for m in accelerators(run) if not (here and m.meter.counted_in) and host in ("", m.host)]
    return sum(m.it_energy_kwh.mid for m in own) * J_PER_KWH


@dataclass(frozen=True)
class Span:
    """When a meter was read, as far as the training ran: without what lies before its begin and after its end."""

    begun_s: float
    ended_s: float
    cut_s: float


def spans_of(files: Sequence[Path]) -> dict[str, Span]:
    """Of each meter that these journals hold readings of.

    A reading of power carries the time of the sensor's last update, up to a period ago: what was drawn since then
    counts too, up to the end of the training, or to the last line where there is none.
    """
    found: dict[str, Span] = {}
    for file in files:
        begun_s, ended_s, line_s = -math.inf, math.inf, -math.inf
        read: dict[str, tuple[float, float]] = {}
        for tick in journal.read(file).ticks():
            begun_s = begun_s if tick.begun_s is None else tick.begun_s
            ended_s = tick.at_s if tick.end else ended_s
            line_s = line_s if tick.is_edge else tick.at_s
            for sample in () if tick.is_edge else tick.samples:
                read[sample.meter] = (read.get(sample.meter, (sample.at_s,))[0], sample.at_s)
        header = journal.read(file).header
        counted = {meter.id for meter in header.meters if meter.has_counter}
        for meter, (first_s, last_s) in read.items():
            until_s = min(ended_s, line_s)
            if meter not in counted and until_s - last_s < GAP_RATIO * header.interval_s:
                last_s = max(last_s, until_s)
            cut_s = max(begun_s - first_s, 0) + max(last_s - ended_s, 0)
            own = Span(max(first_s, begun_s), min(last_s, ended_s), cut_s)
            had = found.get(meter, own)  # processes that cannot see one another read the same device
            found[meter] = Span(min(had.begun_s, own.begun_s), max(had.ended_s, own.ended_s), max(had.cut_s, cut_s))
    return found


def truth(host: Emulator, *starts: Sequence[Path], swing_w: float = 300.0) -> Any:
    """Joules of the GPUs over each start of a run, given by its journals; within what cannot be known.

    That is what a counter has not counted yet at either end, and how far power may swing in the moments between the
    first reading and the training's begin, and between its end and the last one.
    """
    gpus = {str(host.setting(gpu, "uuid")): gpu for gpu in range(host.gpus)}
    spans = [(meter, span) for files in starts for meter, span in spans_of(files).items() if meter in gpus]
    true_j = sum(host.true_energy_j(gpus[meter], span.begun_s, span.ended_s) for meter, span in spans)
    cut_s = sum(span.cut_s for _, span in spans)
    return pytest.approx(true_j, abs=len(spans) * step_j(host) + cut_s * swing_w)


def step_j(host: Emulator, most_w: float = 400.0) -> float:
    """What the counter of a GPU may not have counted yet, at the start and at the end."""
    return 2 * most_w * float(host.setting(0, "counter_period_ms")) / MILLISECONDS_PER_S
