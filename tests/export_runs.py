"""Runs made by hand for tests of the exporter, and the servers that take its numbers."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from prometheus_fixture import _end_with_parent, _free_port

from footprint.measurement.journal import Header, JournalWriter, Tick
from footprint.measurement.tracker.boot import boot_id
from footprint.values import Meter, Sample

PATIENCE_S = 60.0
Labels = dict[str, str]


def gpu(place: int = 0, **more: Any) -> Meter:
    told: dict[str, Any] = {"has_counter": True, "period_s": 0.1, "max_w": 700.0, "memory_gb": 80.0}
    return Meter(f"GPU-{place}", "accelerator", "NVIDIA H100 80GB HBM3", "nvml", "gpu", "measured", **{**told, **more})


class Process:
    """One process's journal: so many watts on each of its meters, a step and a thousand tokens a second."""

    def __init__(
        self,
        root: Path,
        run: str = "run-1",
        name: str = "sft",
        *,
        ago_s: float = 100.0,
        meters: Sequence[Meter] = (gpu(),),
        watts: float = 500.0,
        host: str = "",
        pid: int | None = None,
        restart: int = 0,
        rank: int = 0,
        project: str = "",
        **words: Any,
    ) -> None:
        import platform

        self.now_s = time.monotonic() - ago_s
        self.watts, self.count, self.drawn_j = watts, 0, 1e6
        self.meters = tuple(meters)
        header = Header(
            run, name, host or platform.node(), boot_id(), os.getpid() if pid is None else pid, restart, rank,
            time.time() - ago_s, self.now_s, 1.0, self.meters, project=project, words=words,
        )  # fmt: skip
        self.header = header
        self.writer = JournalWriter(root / run, header)

    def go_on(self, seconds: int = 1, utilization: float | None = 0.9, **progress: float) -> Process:
        for _ in range(seconds):
            samples = [
                Sample(m.id, self.now_s, self.drawn_j, self.watts, utilization, stale_s=0.0) for m in self.meters
            ]
            done = {"steps_count": float(self.count), "run_tokens": 1000.0 * self.count, **progress}
            self.writer.write(Tick(self.now_s, tuple(samples), progress=done))
            self.now_s, self.drawn_j, self.count = self.now_s + 1.0, self.drawn_j + self.watts, self.count + 1
        return self

    def end(self, status: str = "finished") -> Process:
        self.writer.write(Tick(self.now_s - 1.0, end=status))
        self.writer.close()
        return self


def aged(folder: Path, seconds: float) -> None:
    """Make a run's files as old as that."""
    for path in folder.iterdir():
        before = path.stat().st_mtime - seconds
        os.utime(path, (before, before))


class Page:
    """A page of metrics, taken apart by the client library's own parser."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples = [s for family in text_string_to_metric_families(text) for s in family.samples]

    def values(self, metric: str, /, **labels: str) -> list[float]:
        return [
            s.value for s in self.samples if s.name == metric and all(s.labels.get(k) == v for k, v in labels.items())
        ]

    def value(self, metric: str, /, **labels: str) -> float:
        (found,) = self.values(metric, **labels)
        return float(found)

    @property
    def names(self) -> set[str]:
        return {s.name for s in self.samples}


def fetched(url: str, **headers: str) -> str:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=PATIENCE_S) as answer:
        return str(answer.read().decode())


@contextlib.contextmanager
def exporting(*arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`footprint export` as a process, and where its page is; ended with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "footprint", "export", *map(str, arguments)],
        stderr=subprocess.PIPE, text=True, preexec_fn=_end_with_parent,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        told = process.stderr.readline() if "--prometheus" in arguments else ""
        link = re.search(r"http://\S+/metrics", told)
        assert link or not told, told
        yield process, link[0] if link else ""
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=PATIENCE_S)
        process.stderr and process.stderr.close()


@contextlib.contextmanager
def server(*command: str, ready: str) -> Iterator[str]:
    """A program that serves on loopback: PORT and FOLDER in its arguments are filled in; where it is."""
    with tempfile.TemporaryDirectory(prefix="server-") as folder:
        for _ in range(5):  # a port may be taken between its choice and its use
            port = str(_free_port())
            process = subprocess.Popen(
                [part.replace("PORT", port).replace("FOLDER", folder) for part in command],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=_end_with_parent,
            )  # fmt: skip
            url = f"http://127.0.0.1:{port}"
            if answers(url + ready, process):
                break
        else:
            raise AssertionError(f"{command[0]} does not start")
        try:
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=PATIENCE_S)


def answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
            if answer.status == 200:
                return True
        time.sleep(0.05)
    process.kill()
    process.wait()
    return False
