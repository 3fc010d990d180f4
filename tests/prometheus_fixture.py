"""A real Prometheus on loopback with a cluster whose energy is known: what each device drew was written by hand.

`Cluster` writes readings as OpenMetrics, promtool makes blocks of them, and Debian's prometheus serves them.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

IDLE_W, BUSY_W = 70.0, 600.0
SCRAPE_S = 30.0
MODEL = "NVIDIA H100 80GB HBM3"
ENERGY, POWER = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "DCGM_FI_DEV_POWER_USAGE"
_PR_SET_PDEATHSIG = 1
Labels = Mapping[str, str]
Steps = Sequence[tuple[float, float]]


def missing() -> str:
    """Why there is no Prometheus here, or nothing."""
    lacking = [name for name in ("prometheus", "promtool") if shutil.which(name) is None]
    return f"needs {' and '.join(lacking)}: apt-get install prometheus" if lacking else ""


def busy_from(started_s: float, ended_s: float, busy_w: float = BUSY_W) -> Steps:
    """Watts from moments on: idle, busy over a job, idle again."""
    return ((float("-inf"), IDLE_W), (started_s, busy_w), (ended_s, IDLE_W))


def watts_at(steps: Steps, at_s: float) -> float:
    """The power at a moment; at a step the one before it, which is what a meter has seen."""
    return [w for begun_s, w in steps if begun_s < at_s][-1]


def joules(steps: Steps, since_s: float, until_s: float) -> float:
    """The truth."""
    ends = [begun_s for begun_s, _ in steps[1:]] + [float("inf")]
    return sum(
        max(min(end, until_s) - max(begun, since_s), 0.0) * w for (begun, w), end in zip(steps, ends, strict=True)
    )


@dataclass
class Cluster:
    """Readings by series."""

    series: dict[str, dict[tuple[tuple[str, str], ...], list[tuple[float, float]]]] = field(default_factory=dict)

    def add(self, metric: str, labels: Labels, at_s: float, value: float) -> None:
        own = self.series.setdefault(metric, {}).setdefault(tuple(sorted(labels.items())), [])
        own.append((at_s, value))

    def device(
        self,
        uuid: str,
        host: str,
        steps: Steps,
        since_s: float,
        until_s: float,
        *,
        place: str = "0",
        phase_s: float = 0.0,
        clock_s: float = 0.0,
        resets: Sequence[float] = (),
        gaps: Sequence[tuple[float, float]] = (),
        names: tuple[str | None, str | None] = (ENERGY, POWER),
        per_j: float = 1000.0,
        uuid_label: str = "UUID",
        host_label: str = "Hostname",
        labels: Callable[[float], Iterable[Labels]] = lambda at_s: ({},),
        scraper: str = "dcgm",
        scrape_s: float = SCRAPE_S,
        before_j: float = 1e6,
    ) -> None:
        """A device that is scraped: `labels` gives further ones by time, several for several series at once."""
        at_s = since_s + phase_s
        while at_s <= until_s:
            if not any(begun < at_s < ended for begun, ended in gaps):
                zero_s = max((r for r in resets if r <= at_s), default=None)
                drawn_j = before_j + joules(steps, since_s, at_s) if zero_s is None else joules(steps, zero_s, at_s)
                for more in labels(at_s):
                    own = {
                        uuid_label: uuid, host_label: host, "gpu": place, "modelName": MODEL, "job": scraper,
                        "instance": f"{host}:9400", **more,
                    }  # fmt: skip
                    if names[0]:
                        self.add(names[0], own, at_s + clock_s, round(drawn_j * per_j))
                    if names[1]:
                        self.add(names[1], own, at_s + clock_s, watts_at(steps, at_s))
            at_s += scrape_s

    def write(self, path: Path) -> None:
        """As OpenMetrics, grouped by metric and series."""
        with path.open("w", encoding="utf-8") as file:
            for metric, own in self.series.items():
                file.write(f"# TYPE {metric} gauge\n")
                for labels, samples in own.items():
                    told = ",".join(f'{name}="{value}"' for name, value in labels)
                    file.writelines(f"{metric}{{{told}}} {value!r} {at_s:.3f}\n" for at_s, value in samples)
            file.write("# EOF\n")


@dataclass(frozen=True)
class Server:
    """A running Prometheus."""

    url: str
    process: subprocess.Popen[bytes]


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _end_with_parent() -> None:
    """A test that is killed leaves no server behind (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@contextlib.contextmanager
def serving(cluster: Cluster, flags: Sequence[str] = ()) -> Iterator[Server]:
    """Prometheus with these readings, on a port of its own, until the end of the block."""
    folder = Path(tempfile.mkdtemp(prefix="prometheus-"))
    process = None
    try:
        cluster.write(folder / "readings.txt")
        data = folder / "data"
        made = subprocess.run(
            [
                "promtool", "tsdb", "create-blocks-from", "--max-block-duration=64h", "openmetrics",
                str(folder / "readings.txt"), str(data),
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        (folder / "prometheus.yml").write_text("global: {}\n", encoding="utf-8")
        port = _free_port()
        process = subprocess.Popen(
            [
                "prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={data}",
                "--storage.tsdb.retention.time=10y", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error",
                *flags,
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=_end_with_parent,
        )  # fmt: skip
        url = f"http://127.0.0.1:{port}"
        _wait(url, process)
        yield Server(url, process)
    finally:
        if process is not None:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=20)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(url: str, process: subprocess.Popen[bytes], most_s: float = 30.0) -> None:
    until = time.monotonic() + most_s
    while time.monotonic() < until:
        assert process.poll() is None, "prometheus ended"
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/-/ready", timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.05)
    raise AssertionError("prometheus is not ready")


needs_prometheus = pytest.mark.skipif(bool(missing()), reason=missing() or "it is there")


@functools.cache
def started_at() -> float:
    """When the fixture's jobs begin: off the scrapes' grid by design."""
    return 1_793_000_000.0
