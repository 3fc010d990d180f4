"""A month of a site: the energy of all its jobs from a real Prometheus, held against what is known by construction.

    nice .venv/bin/python tests/benchmarks/site.py [--devices 1000] [--days 30] [--grow] [--plot growth.html] [--clean]

Blocks are built once into the folder of temporary files and kept by their parameters (1000 devices for 30 days: 1 GB,
five minutes). Prometheus and the client share the machine; the client is a process of its own with those that it
starts, and its peak of memory is all of theirs together. Limits for 1,000 devices x 30 days on two cores that do
nothing else: 60 s and 500 MB, for the library and with `--command` for `footprint jobs` too; beyond them, or where a
job is wrong, it says so and fails. `--grow` asks for the jobs of parts of the site, by devices and by days.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from site_build import built
from site_world import BEGUN_S, DAY_S, PER_HOST, STEP_S, Plan, Planned

from footprint.catalog import open_catalog
from footprint.fleet.access import Access
from footprint.fleet.many import JobEnergy, many_energies
from footprint.fleet.prometheus import Prometheus
from footprint.units import J_PER_KWH

MOST_S, MOST_MB = 60.0, 500.0
MOST_OFF = 0.001
EDGE_W = 700.0 - 72.0
"""What a device may draw more inside a job than beside it: a scrape of it at each edge is what cannot be known."""


@dataclass(frozen=True)
class Measured:
    """One run of the client, and how far from the truth it was."""

    devices: int
    days: float
    jobs: int
    device_jobs: int
    wall_s: float
    client_cpu_s: float
    server_cpu_s: float
    peak_mb: float
    start_mb: float
    requests: int
    samples: int
    told: int
    exact: int  # within a thousandth
    at_edges: int  # within a scrape at each edge, and no more than two hours long or told
    wrong: int
    sum_off: float  # of all energy
    stalled_off: float


@contextlib.contextmanager
def served(data: Path) -> Iterator[tuple[str, int]]:
    """Prometheus over the blocks, as they are: its address and process."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = int(one.getsockname()[1])
    settings = data.parent / "prometheus.yml"
    settings.write_text("global: {}\n", encoding="utf-8")
    process = subprocess.Popen(
        [
            "prometheus", f"--config.file={settings}", f"--storage.tsdb.path={data}", "--log.level=error",
            "--storage.tsdb.retention.time=10y", f"--web.listen-address=127.0.0.1:{port}",
            "--storage.tsdb.min-block-duration=2h", "--storage.tsdb.max-block-duration=2h",
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 60
        while True:
            assert process.poll() is None, "prometheus ended"
            assert time.monotonic() < until, "prometheus is not ready"
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/-/ready", timeout=2):
                break
            time.sleep(0.1)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait(timeout=60)


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def part_of(plan: Plan, devices: int, days: float) -> list[Planned]:
    """The jobs of some devices that ended within some days."""
    until_s = BEGUN_S + days * DAY_S
    return [one for one in plan.jobs if max(one.devices) < devices and (one.job.ended_utc_s or 0.0) <= until_s]


def measured(plan: Plan, url: str, pid: int, devices: int, days: float) -> Measured:
    """Ask for all jobs of a part of the site, in this process."""
    own = part_of(plan, devices, days)
    jobs = [one.job for one in own]
    catalog, server = open_catalog(), Prometheus(Access(url))
    start_mb = tree_mb(os.getpid())
    begun_s, begun_cpu_s, server_s = time.perf_counter(), _own_cpu_s(), cpu_s(pid)
    found = list(many_energies(jobs, server, catalog))
    wall_s, client_s, served_s = time.perf_counter() - begun_s, _own_cpu_s() - begun_cpu_s, cpu_s(pid) - server_s
    exact, at_edges, wrong, told = judged(own, found)
    truth = sum(one.joules for one in own) / J_PER_KWH
    stalled = sum(one.stalled_j for one in own) / J_PER_KWH
    return Measured(
        devices, days, len(jobs), sum(len(one.devices) for one in own), wall_s, client_s, served_s, 0.0,
        start_mb, server.requests_count, server.samples_count, told, exact, at_edges, wrong,
        sum(one.it_energy_kwh.mid for one in found if one.it_energy_kwh) / (truth or math.nan) - 1,
        sum(one.stalled_it_energy_kwh.mid for one in found if one.stalled_it_energy_kwh) / (stalled or math.nan) - 1,
    )  # fmt: skip


def judged(own: Sequence[Planned], found: Iterable[JobEnergy]) -> tuple[int, int, int, int]:
    """How many are exact, within a scrape at each edge, wrong; and how many are told at all."""
    truths = {(one.job.id, one.job.started_utc_s): one for one in own}
    exact = at_edges = wrong = told = 0
    for one in found:
        truth = truths[one.job.id, one.job.started_utc_s]
        if one.it_energy_kwh is None:
            wrong += (truth.job.ended_utc_s or 0.0) - (truth.job.started_utc_s or 0.0) > 2 * STEP_S
            continue
        told += 1
        off_kwh = abs(one.it_energy_kwh.mid - truth.joules / J_PER_KWH)
        edge_kwh = 2 * STEP_S * EDGE_W * len(truth.devices) * truth.share / J_PER_KWH
        if off_kwh <= MOST_OFF * truth.joules / J_PER_KWH:
            exact += 1
        elif off_kwh <= edge_kwh and any("edges lie between readings" in note for note in one.notes):
            at_edges += 1
        else:
            wrong += 1
    return exact, at_edges, wrong, told


def _own_cpu_s() -> float:
    """Of this process, and those that it has started and that have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def tree_mb(pid: int) -> float:
    """What a process and those that it has started hold in memory just now; what they share counts for each."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        told = [(task / "children").read_text().split() for task in Path(f"/proc/{pid}/task").iterdir()]
    except (OSError, IndexError):  # it has ended
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20 + sum(tree_mb(int(one)) for own in told for one in own)


def watched(words: Sequence[str]) -> tuple[str, float]:
    """Run a command: what it prints, and the most that it and what it starts held at once."""
    peak_mb = 0.0
    with (
        tempfile.TemporaryFile("w+") as told,
        subprocess.Popen(words, stdout=told, stderr=subprocess.DEVNULL) as process,
    ):
        while process.poll() is None:
            peak_mb = max(peak_mb, tree_mb(process.pid))
            time.sleep(0.1)
        assert process.returncode == 0, f"{words} ended with {process.returncode}"
        told.seek(0)
        return told.read(), peak_mb


def apart(home: Path | None, size: tuple[int, int, float], url: str, pid: int, devices: int, days: float) -> Measured:
    """The same in a process of its own."""
    words = [sys.executable, __file__, "--client", json.dumps([str(home or ""), size, url, pid, devices, days])]
    told, peak_mb = watched(words)
    return replace(Measured(**json.loads(told)), peak_mb=peak_mb)


def client(words: str) -> None:
    home, (devices, days, pace), url, pid, of_devices, of_days = json.loads(words)
    plan, _ = built(devices, days, pace, Path(home) if home else None)
    print(json.dumps(asdict(measured(plan, url, pid, of_devices, of_days))))


def command(plan: Plan, url: str, folder: Path) -> tuple[float, float, float]:
    """`footprint jobs` over the whole site, as a user types it: seconds, CPU seconds and peak MB."""
    saved = folder / "sacct.txt"
    saved.write_text("".join(sacct(plan)), encoding="utf-8")
    words = [
        sys.executable, "-m", "footprint", "jobs", "--since", "2026-10", "--until", "2026-10", "--by", "account",
        "--sacct", str(saved), "--prometheus", url, "--country", "FR", "--out", str(folder / "month.csv"),
    ]  # fmt: skip
    begun_s, begun_cpu_s = time.perf_counter(), _own_cpu_s()
    _, peak_mb = watched(words)
    return time.perf_counter() - begun_s, _own_cpu_s() - begun_cpu_s, peak_mb


def sacct(plan: Plan) -> Iterator[str]:
    """The jobs as `sacct --parsable2` writes them, requeued ones as often as they started."""
    yield "JobID|JobIDRaw|Cluster|User|Account|Partition|State|Start|End|ElapsedRaw|NNodes|NodeList|AllocTRES|JobName\n"
    for one in plan.jobs:
        job, begun_s, ended_s = one.job, int(one.job.started_utc_s or 0), int(one.job.ended_utc_s or 0)
        state = "FAILED" if job.status == "failed" else "COMPLETED"
        count = len(one.devices)
        yield (
            f"{job.id}|{job.id}|site|{job.user}|{job.account}|gpu|{state}|{begun_s}|{ended_s}|{ended_s - begun_s}|"
            f"{len(job.hosts)}|{','.join(job.hosts)}|billing={count},gres/gpu={count},gres/gpu:h100={count},"
            f"node={len(job.hosts)}|{job.name}\n"
        )


# shown


def table(rows: Sequence[Measured]) -> None:
    from rich.console import Console
    from rich.table import Table

    shown = Table(title="Energy of all jobs of a site")
    columns = (
        "devices", "days", "jobs", "s", "client CPU s", "server CPU s", "peak MB", "requests", "M samples", "exact",
        "at edges", "wrong", "sum off", "stalled off",
    )  # fmt: skip
    for name in columns:
        shown.add_column(name, justify="right")
    for one in rows:
        shown.add_row(
            f"{one.devices:,}", f"{one.days:g}", f"{one.jobs:,}", f"{one.wall_s:.1f}", f"{one.client_cpu_s:.1f}",
            f"{one.server_cpu_s:.1f}", f"{one.peak_mb:.0f}", f"{one.requests:,}", f"{one.samples / 1e6:.1f}",
            f"{one.exact:,}", f"{one.at_edges:,}", f"{one.wrong:,}", f"{one.sum_off:+.4%}", f"{one.stalled_off:+.2%}",
        )  # fmt: skip
    Console(width=140).print(shown)


def plot(rows: Sequence[Measured], path: Path) -> None:
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=1, cols=2, subplot_titles=("CPU seconds, client and server", "peak of the client, MB"))
    most_days, most_devices = max(one.days for one in rows), max(one.devices for one in rows)
    for name, own, size in (
        ("by devices", [one for one in rows if one.days == most_days], "devices"),
        ("by days", [one for one in rows if one.devices == most_devices], "days"),
    ):
        own = sorted(own, key=lambda one: one.devices * one.days)
        x = [one.devices * one.days for one in own]
        text = [f"{getattr(one, size):g} {size}" for one in own]
        figure.add_scatter(
            x=x, y=[one.client_cpu_s + one.server_cpu_s for one in own], name=name, text=text, row=1, col=1
        )
        figure.add_scatter(x=x, y=[one.peak_mb for one in own], name=name, text=text, showlegend=False, row=1, col=2)
    figure.update_xaxes(title_text="device-days", rangemode="tozero")
    figure.update_yaxes(rangemode="tozero")
    figure.write_html(path) if path.suffix == ".html" else figure.write_image(path)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--devices", type=int, default=1000)
    asked.add_argument("--days", type=int, default=30)
    asked.add_argument("--pace", type=float, default=1.0, help="of all durations of jobs")
    asked.add_argument("--grow", action="store_true", help="parts of the site too")
    asked.add_argument("--plot", type=Path, help="an HTML file, or a picture")
    asked.add_argument("--home", type=Path, help="where blocks are kept")
    asked.add_argument("--clean", action="store_true", help="remove the blocks in the end")
    asked.add_argument("--command", action="store_true", help="`footprint jobs` of the whole site too")
    asked.add_argument("--client", help=argparse.SUPPRESS)
    words = asked.parse_args()
    if words.client:
        client(words.client)
        return
    home = words.home or Path(tempfile.gettempdir()) / "footprint-site"
    begun_s = time.perf_counter()
    plan, data = built(words.devices, words.days, words.pace, home)
    print(f"blocks in {data}, {time.perf_counter() - begun_s:.0f} s")
    sizes = [(words.devices, float(words.days))]
    if words.grow:
        sizes += [(words.devices // part // PER_HOST * PER_HOST, float(words.days)) for part in (8, 4, 2)]
        sizes += [(words.devices, words.days / part) for part in (8, 4, 2)]
    rows = list[Measured]()
    wrong = list[str]()
    with served(data) as (url, pid):
        for size in sizes:
            rows.append(apart(home, (words.devices, words.days, words.pace), url, pid, *size))
            table(rows)
        wrong += beyond("all jobs", rows[0].wall_s, rows[0].peak_mb)
        if words.command:
            took_s, used_s, peak_mb = command(plan, url, data.parent)
            print(f"footprint jobs: {took_s:.1f} s, {used_s:.1f} s of CPU, {peak_mb:.0f} MB at most")
            wrong += beyond("footprint jobs", took_s, peak_mb)
    if words.plot:
        plot(rows, words.plot)
    if words.clean:
        shutil.rmtree(data.parent)
    if any(one.wrong for one in rows):
        wrong.append(f"{max(one.wrong for one in rows)} jobs are beyond {MOST_OFF:.1%} and a scrape at each edge")
    if wrong:
        sys.exit("\n".join(wrong))


def beyond(what: str, took_s: float, peak_mb: float) -> Iterator[str]:
    """Which limits it does not keep."""
    if took_s > MOST_S:
        yield f"{what}: {took_s:.0f} s, more than {MOST_S:.0f}"
    if peak_mb > MOST_MB:
        yield f"{what}: {peak_mb:.0f} MB, more than {MOST_MB:.0f}"


if __name__ == "__main__":
    main()
