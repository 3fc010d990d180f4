"""One tool at work, in a process of its own: `python tracking_child.py TOOL SECONDS...` or `TOOL cost SECONDS`.

It runs under any interpreter that has the tool, so it imports nothing else of ours. It prints one line of JSON: of
each window, by the monotonic clock, from when to when the load was measured, what the tool says of each GPU in
joules, and how long its start and stop took; or what watching idly costs.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

J_PER_KWH = 3.6e6
WINDOW_S = 10.0
"""CPU seconds are counted over so long, as often as there is time for: a busy moment spoils one window. What a
tool does now and then must come in each of them."""

SYNC_S = 10.0

Joules = dict[str, Any]
"""GPU -> joules, or its low, middle and high ends."""


class Footprint:
    """The tracker, every sensor that answers."""

    def __init__(self) -> None:
        import footprint

        footprint.track  # noqa: B018 - its imports count as imports
        self._footprint = footprint

    def start(self) -> None:
        self._tracker = self._footprint.track("benchmark")
        self._run = self._tracker.start()

    def stop(self) -> Callable[[], Joules]:
        self._tracker.stop()
        run = self._run
        return lambda: self._told(run)

    @staticmethod
    def _told(run: Any) -> Joules:
        """Ends of the result, then those of the arithmetic alone, without the sensor's own error; beside them for how
        long it had to take power as that of the nearest reading, because a busy host read early or late."""
        told: Joules = {"notes": list(run.result.notes), "cut_s": Footprint._cut(run.id)}
        for one in run.result.meters:
            if one.meter.component == "accelerator":
                found, ratio = one.it_energy_kwh, one.meter.true_over_read_ratio
                ends = (found.low, found.mid, found.high, found.low / ratio.low, found.high / ratio.high)
                told[one.meter.id] = [end * J_PER_KWH for end in ends]
        return told

    @staticmethod
    def _cut(run_id: str) -> dict[str, float]:
        from pathlib import Path

        from footprint.measurement import journal

        first: dict[str, float] = {}
        last: dict[str, float] = {}
        begun_s, ended_s = 0.0, math.inf
        for path in journal.files_of(Path(os.environ["FOOTPRINT_FOLDER"]) / run_id):
            for tick in journal.read(path).ticks():
                begun_s = tick.begun_s or begun_s
                ended_s = tick.at_s if tick.end else ended_s
                for sample in () if tick.is_edge else tick.samples:
                    first.setdefault(sample.meter, sample.at_s)
                    last[sample.meter] = sample.at_s
        return {meter: max(begun_s - first[meter], 0.0) + max(at_s - ended_s, 0.0) for meter, at_s in last.items()}


class CodeCarbon:
    """Its offline tracker at the same interval; the energy of each GPU is added up where it makes it."""

    def __init__(self) -> None:
        from codecarbon import OfflineEmissionsTracker
        from codecarbon.core.gpu_device import GPUDevice

        self._make, self._joules = OfflineEmissionsTracker, {}  # type: ignore[var-annotated]
        inner = GPUDevice.delta

        def delta(device: Any, duration: Any) -> Any:
            found = inner(device, duration)
            had = self._joules.get(device.gpu_index, 0.0)
            self._joules[device.gpu_index] = had + device.energy_delta.kWh * J_PER_KWH
            return found

        GPUDevice.delta = delta

    def start(self) -> None:
        self._joules.clear()
        self._tracker = self._make(
            country_iso_code="FRA", measure_power_secs=1, save_to_file=False, log_level="critical",
            allow_multiple_runs=True,
        )  # fmt: skip
        self._tracker.start()

    def stop(self) -> Callable[[], Joules]:
        self._tracker.stop()
        told = {str(gpu): joules for gpu, joules in self._joules.items()}
        told["total"] = self._tracker.final_emissions_data.gpu_energy * J_PER_KWH  # of those that it takes for its own
        return lambda: told


class Zeus:
    """A window of its monitor over the GPUs whose counter it can read: with one that it cannot, it raises."""

    def __init__(self) -> None:
        import logging

        logging.disable(logging.CRITICAL)
        from zeus.device import get_gpus
        from zeus.monitor import ZeusMonitor

        self._make, self._gpus = ZeusMonitor, get_gpus
        self._readable: list[int] | None = None

    def start(self) -> None:
        if self._readable is None and "NARROW" in os.environ:
            self._readable = list(filter(self._is_readable, range(len(self._gpus()))))
        self._monitor = self._make(gpu_indices=self._readable, cpu_indices=[])
        self._monitor.begin_window("benchmark", sync_execution=False)

    def _is_readable(self, gpu: int) -> bool:
        try:
            self._gpus().get_total_energy_consumption(gpu)
        except Exception:  # noqa: BLE001 - its own, of any kind
            return False
        return True

    def stop(self) -> Callable[[], Joules]:
        found = self._monitor.end_window("benchmark", sync_execution=False)
        told = {str(gpu): joules for gpu, joules in found.gpu_energy.items()}
        return lambda: told


class Yardstick:
    """A plain loop of Python: each second ask each GPU twice, and the host's load; a line as JSON, synced in time."""

    def __init__(self) -> None:
        import ctypes

        library = ctypes.CDLL("libnvidia-ml.so.1")
        library.nvmlInit_v2()
        self._energy, self._load = library.nvmlDeviceGetTotalEnergyConsumption, library.nvmlDeviceGetUtilizationRates
        self._room, self._rates = ctypes.c_ulonglong(), (ctypes.c_uint * 2)()
        count = ctypes.c_uint()
        library.nvmlDeviceGetCount_v2(ctypes.byref(count))
        self._handles = [ctypes.c_void_p() for _ in range(count.value)]
        for i, handle in enumerate(self._handles):
            library.nvmlDeviceGetHandleByIndex_v2(i, ctypes.byref(handle))
        self._by_reference = ctypes.byref

    def start(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        path = os.path.join(os.environ["FOOTPRINT_FOLDER"], f"yardstick-{os.getpid()}")
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        load = os.open("/proc/stat", os.O_RDONLY)
        energy, rates = self._by_reference(self._room), self._by_reference(self._rates)
        synced_s = time.monotonic()
        while not self._stop.wait(1.0):
            row = []
            for device in self._handles:
                self._energy(device, energy)
                self._load(device, rates)
                row.append((self._room.value / 1000, self._rates[0] / 100))
            busy = os.pread(load, 512, 0).split(b"\n", 1)[0].split()
            line = {"t": time.monotonic(), "s": row, "cpu": [int(ticks) for ticks in busy[1:]]}
            os.write(handle, json.dumps(line).encode() + b"\n")
            if line["t"] - synced_s > SYNC_S:
                synced_s = line["t"]
                os.fsync(handle)
        os.close(load)
        os.close(handle)

    def stop(self) -> Callable[[], Joules]:
        self._stop.set()
        self._thread.join()
        return dict


TOOLS: dict[str, Callable[[], Any]] = {
    "footprint": Footprint,
    "codecarbon": CodeCarbon,
    "zeus": Zeus,
    "yardstick": Yardstick,
}


def resident_mb() -> float:
    """What of this process is in memory, shared pages too."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def windows(tool: Any, lengths_s: list[float]) -> list[dict[str, Any]]:
    """Measure so long, one after another; results are read when all are over."""
    rows: list[dict[str, Any]] = []
    ask: list[Callable[[], Joules]] = []
    for length_s in lengths_s:
        began_s = time.monotonic()
        tool.start()
        from_s = time.monotonic()
        print(f"started {from_s!r}", file=sys.stderr, flush=True)
        while (left_s := from_s + length_s - time.monotonic()) > 0:
            time.sleep(left_s)
        to_s = time.monotonic()
        try:
            ask.append(tool.stop())
        except Exception as error:  # noqa: BLE001 - what a tool says at a loss is told
            told = {"error": f"{type(error).__name__}: {error}"}
            ask.append(lambda told=told: told)  # type: ignore[misc]
        stopped_s = time.monotonic()
        row = {"seconds": length_s, "from_s": from_s, "to_s": to_s}
        rows.append({**row, "start_s": from_s - began_s, "stop_s": stopped_s - to_s})
    return [{**row, "joules": told()} for row, told in zip(rows, ask)]  # noqa: B905 - of any Python


def cost(tool: Any, seconds: float) -> dict[str, Any]:
    """CPU seconds in each window of an idle training, the start left out."""
    tool.start()
    time.sleep(1.5)
    spent = []
    for _ in range(max(int(seconds / WINDOW_S), 1)):
        before_s = time.process_time()
        time.sleep(WINDOW_S)
        spent.append(time.process_time() - before_s)
    found = {"cpu_s": spent, "window_s": WINDOW_S, "resident_mb": resident_mb()}
    tool.stop()
    return found


def main() -> None:
    """What was asked for, as JSON."""
    name, *rest = sys.argv[1:]
    bare_mb, began_s = resident_mb(), time.monotonic()
    tool = TOOLS[name]()
    found: dict[str, Any] = {
        "import_s": time.monotonic() - began_s,
        "bare_mb": bare_mb,
        "pid": os.getpid(),
        "folder": os.environ.get("FOOTPRINT_FOLDER"),
    }
    if rest[0] == "cost":
        found |= cost(tool, float(rest[1]))
    else:
        found["windows"] = windows(tool, [float(text) for text in rest])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
