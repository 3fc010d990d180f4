"""Homes with runs made by hand: journals as the tracker writes them, of runs long ended or still going on."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from footprint.measurement.journal import Header, JournalWriter, Tick
from footprint.measurement.tracker.boot import boot_id
from footprint.values import Meter, Sample

BEGAN_S = datetime(2026, 11, 3, 8, 0, tzinfo=UTC).timestamp()
DAY_S = 86_400
WATTS, EVERY_S, TICKS = 500.0, 300.0, 8
HOSTILE = (
    '<img src=x onerror="window.hurt=1">',
    '"; drop table runs; --',
    "a" * 10_000,
    "\u202eright to left\u202c \u200f",
    "<script>window.hurt=1</script>",
    "=1+1|{{7*7}}${7*7}",
)
"""Names that try to do something."""


def gpu(number: int) -> Meter:
    return Meter(
        f"GPU-{number:08x}-5f2c-4e1a-9d0b-aabbccddeeff", "accelerator", "NVIDIA H100 80GB HBM3", "nvml", "gpu",
        "measured", has_counter=True, period_s=0.1, max_w=700.0, idle_w=70.0,
    )  # fmt: skip


def header(run_id: str, meters: tuple[Meter, ...], host: str = "gpu01", **changes: object) -> Header:
    given = {
        "run": run_id, "name": run_id.split("-2026")[0], "host": host, "boot": f"boot of {host}", "pid": 4242,
        "restart_count": 0, "rank": 0, "started_utc_s": BEGAN_S, "started_s": 1000.0, "interval_s": EVERY_S,
        "meters": meters, "words": {"region": "aws/us-east-1"},
    }  # fmt: skip
    return Header(**given | changes)  # type: ignore[arg-type]


def measured(
    root: Path, run_id: str, host: str = "gpu01", gpus: Iterable[int] = (0,), end: str = "finished", **changes: object
) -> Path:
    """The journal of forty minutes at 500 W a device, long ended."""
    meters = tuple(gpu(i) for i in gpus)
    writer = JournalWriter(root / run_id, header(run_id, meters, host, **changes))
    for i in range(TICKS + 1):
        at_s = 1000.0 + EVERY_S * i
        samples = tuple(
            Sample(m.id, at_s, energy_j=WATTS * EVERY_S * i, power_w=WATTS, utilization=0.9, stale_s=0.0)
            for m in meters
        )
        writer.write(Tick(at_s, samples, end=end if i == TICKS else ""))
    writer.close()
    os.utime(writer.path, (BEGAN_S, BEGAN_S))
    return writer.path


def running(root: Path, run_id: str, steps: float | None = None, done: float = 0.0) -> Path:
    """The journal of forty minutes of this very process, which goes on; how far it is, where there is a whole."""
    began_s = time.monotonic() - EVERY_S * TICKS
    here = {
        "host": platform.node(), "boot": boot_id(), "pid": os.getpid(), "started_s": began_s,
        "started_utc_s": time.time() - EVERY_S * TICKS,
    }  # fmt: skip
    words = {"region": "aws/us-east-1", **({"steps": steps} if steps else {})}
    writer = JournalWriter(root / run_id, header(run_id, (gpu(0),), words=words, **here))
    for i in range(TICKS + 1):
        at_s = began_s + EVERY_S * i
        sample = Sample(gpu(0).id, at_s, energy_j=WATTS * EVERY_S * i, power_w=WATTS, utilization=0.9, stale_s=0.0)
        progress = {"steps_count": done * i / TICKS, "absolute": 1.0} if steps else {}
        writer.write(Tick(at_s, (sample,), progress=progress))
    writer.close()
    return writer.path


def many(root: Path, count: int) -> None:
    """So many runs over months, of several projects and ends."""
    for i in range(count):
        measured(
            root, f"run-{i:03d}", gpus=range(1 + i % 4), end=("finished", "finished", "failed", "stopped")[i % 4],
            name=f"sft-{i % 7}b", project=("llm", "vision", "speech")[i % 3], tags=(f"team-{i % 5}",),
            started_utc_s=BEGAN_S - i * DAY_S,
        )  # fmt: skip


def hostile(root: Path) -> None:
    """Runs whose names try to do something."""
    for i, name in enumerate(HOSTILE):
        measured(root, f"evil-{i}", name=name, project=name[:300], tags=(name[:300],), host=name[:300])


def long(root: Path, run_id: str = "long", gpus: int = 8, ticks: int = 125_000) -> Path:
    """A run of a million samples: a second's line for each of eight devices, a day and a half long."""
    meters = tuple(gpu(i) for i in range(gpus))
    writer = JournalWriter(root / run_id, header(run_id, meters, interval_s=1.0))
    writer.close()
    joules = 0.0
    with writer.path.open("a", encoding="utf-8") as lines:
        for i in range(ticks + 1):
            watts = 640.0 if (i // 600) % 7 else 120.0
            joules += watts
            samples = [[place, 0.0, joules, watts, 0.9 if watts > 200 else 0.0, 0.0] for place in range(gpus)]
            lines.write(json.dumps({"t": 1000.0 + i, "s": samples}, separators=(",", ":")) + "\n")
        lines.write(json.dumps({"t": 1001.0 + ticks, "end": "finished"}) + "\n")
    os.utime(writer.path, (BEGAN_S, BEGAN_S))
    return writer.path
