"""A run on emulated GPUs, exported and scraped by a real Prometheus: its joules are the journal's."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from emulator import Emulator, Square
from export_runs import PATIENCE_S, exporting, fetched, server
from prometheus_fixture import needs_prometheus
from test_export_examples import queries

from footprint.measurement import journal

pytestmark = needs_prometheus

TRAIN = """
import sys, time, footprint
words = {"project": "llm", "country": "FRA", "steps": 1e6, "budget_kwh": 1}
with footprint.track("sft", interval_s=0.1, folder=sys.argv[1], **words) as run:
    print("on", flush=True)
    while True:
        time.sleep(0.05)
        run.step(tokens=1000)
"""
SCRAPE_S = 0.2
CONFIG = """
global:
  scrape_interval: 200ms
scrape_configs:
  - job_name: footprint
    static_configs:
      - targets: ["TARGET"]
"""
ENERGY = "footprint_energy_joules_total"


@pytest.fixture
def training(emulator: Callable[..., Emulator], tmp_path: Path) -> Iterator[Path]:
    """The folder of runs of a training on two GPUs, while it goes on."""
    host = emulator(gpus=2, wave=lambda i: Square(100 + 50 * i, 650, 0.7, duty=0.4, phase_s=0.1 * i))
    process = subprocess.Popen(
        [sys.executable, "-c", TRAIN, str(tmp_path / "runs")], env=host.env, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "on\n"
        yield tmp_path / "runs"
    finally:
        process.kill()
        process.wait()
        process.stdout and process.stdout.close()


def asked(url: str, query: str) -> list[dict[str, Any]]:
    return list(json.loads(fetched(f"{url}/api/v1/query?{urlencode({'query': query})}"))["data"]["result"])


def counters(runs: Path) -> tuple[float, dict[str, list[tuple[float, float]]]]:
    """What the journal says: seconds to add for UTC, and each GPU's counter by the journal's own clock."""
    (path,) = journal.files_of(next(runs.iterdir()))
    read = journal.read(path)
    found: dict[str, list[tuple[float, float]]] = {}
    for tick in read.ticks():
        for sample in tick.samples:
            if sample.energy_j is not None and not tick.is_edge and sample.meter.startswith("GPU"):
                found.setdefault(sample.meter, []).append((tick.at_s, sample.energy_j))
    return read.header.started_utc_s - read.header.started_s, found


def counted(readings: list[tuple[float, float]], at_s: float) -> float:
    """A counter at the last reading up to a moment."""
    return readings[bisect_right(readings, (at_s + 1e-4, float("inf"))) - 1][1]


def test_prometheus_has_the_joules_of_the_journal(training: Path, tmp_path: Path) -> None:
    with exporting("--prometheus", ":0", "--folder", training) as (_, link):
        target = link.removeprefix("http://").removesuffix("/metrics")
        (tmp_path / "prometheus.yml").write_text(CONFIG.replace("TARGET", target), encoding="utf-8")
        with server(
            "prometheus", f"--config.file={tmp_path / 'prometheus.yml'}", "--storage.tsdb.path=FOLDER",
            "--web.listen-address=127.0.0.1:PORT", "--log.level=error", ready="/-/ready",
        ) as url:  # fmt: skip
            energy = ENERGY + '{component="accelerator",origin="measured",run="sft",project="llm"}'
            until_s = time.monotonic() + PATIENCE_S
            while time.monotonic() < until_s:
                found = asked(url, f"{energy}[1h]")
                if len(found) == 2 and min(len(one["values"]) for one in found) >= 8:
                    break
                time.sleep(SCRAPE_S)
            (reading,) = asked(url, "footprint_reading_time_seconds[1h]")
            found = asked(url, f"{energy}[1h]")
            empty = [query for query in queries() if not asked(url, query)]
    assert empty == []  # each panel of the dashboard shows something
    offset_s, by_device = counters(training)
    read_at_s = {float(at): float(value) - offset_s for at, value in reading["values"]}
    assert {one["metric"]["device"] for one in found} == set(by_device)
    for one in found:
        samples = [(read_at_s[float(at)], float(value)) for at, value in one["values"] if float(at) in read_at_s]
        (first_s, first_j), (last_s, last_j) = samples[0], samples[-1]
        readings = by_device[one["metric"]["device"]]
        moved_j = counted(readings, last_s) - counted(readings, first_s)
        assert moved_j > 0
        assert last_j - first_j == pytest.approx(moved_j, rel=1e-3)
        assert [value for _, value in samples] == sorted(value for _, value in samples)
        lags_s = [float(at) - offset_s - read_at_s[float(at)] for at, _ in one["values"] if float(at) in read_at_s]
        assert min(lags_s) > -SCRAPE_S  # what is scraped is of the moment of the scrape, or a little before
