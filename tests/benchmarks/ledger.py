"""The ledger of runs on both engines: 10,000 runs listed and added up, and twenty writers through a crash.

python tests/benchmarks/ledger.py             # prints the tables; ends with 1 where a limit is passed
python tests/benchmarks/ledger.py --seconds 6 --runs 1000
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import handmade_runs as handmade
import ledger_writers
from postgres_server import Server, missing

from footprint import store
from footprint.store import rows
from footprint.store.entries import Filter
from footprint.store.ledger import Ledger

LIST_S, TOTALS_S = 3.0, 1.0
"""What a listing and the totals of 10,000 runs may take."""

REPEATS, TIMED = 5, 100


def fill(ledger: Ledger, count: int) -> float:
    """Runs of a year in 20 projects; seconds a run of the first ones, each with its own document."""
    begun_s = time.perf_counter()
    save(ledger, range(TIMED), count)
    spent_s = time.perf_counter() - begun_s
    body = rows.document(handmade.run())
    with mock.patch.object(rows, "document", return_value=body):  # most of the time, and not asked for below
        save(ledger, range(TIMED, count), count)
    return spent_s / TIMED


def save(ledger: Ledger, numbers: Iterable[int], count: int) -> None:
    for i in numbers:
        started = handmade.START_S - 3600.0 * (i * 8760 // count)
        run = handmade.run(
            id=f"run-{i}-{i:06x}", name=f"sft-{i % 50}", project=f"project-{i % 20}", started_utc_s=started,
            ended_utc_s=started + 4.5 * 3600, tags=(f"tag-{i % 7}", "night"),
            hourly_it_energy_kwh=tuple((int(started) + 3600 * hour, 6.4) for hour in range(5)),
        )  # fmt: skip
        ledger.save(run)


def ms(work: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        begun_s = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun_s)
    return statistics.median(times) * 1e3


def questions(ledger: Ledger) -> dict[str, float]:
    return {
        "list": ms(ledger.list),
        "list, one project": ms(lambda: ledger.list(Filter(project="project-7"))),
        "list, name and tag": ms(lambda: ledger.list(Filter(name="sft-1*", tags=("night",)))),
        "handles": ms(ledger.handles),
        "totals": ms(ledger.totals),
        "totals by month": ms(lambda: ledger.totals("month")),
        "totals by tag": ms(lambda: ledger.totals("tag")),
        "months by project": ms(ledger.months_by_project),
        "get": ms(lambda: ledger.get("run-77-00004d")),
    }


def of_both(count: int, server: Server | None) -> list[str]:
    """The table of times; what was too slow comes back."""
    with tempfile.TemporaryDirectory() as folder:
        urls = {"SQLite": f"sqlite:///{folder}/ledger.sqlite"}
        if server is not None:
            urls["PostgreSQL"] = server.url(server.new())
        found = {}
        for kind, url in urls.items():
            with store.open_ledger(url) as ledger:
                found[kind] = {"save, each": fill(ledger, count) * 1e3}
            found[kind]["open"] = ms(lambda url=url: store.open_ledger(url).close())  # type: ignore[misc]
            with store.open_ledger(url) as ledger:
                found[kind] |= questions(ledger)
    print(f"{f'{count} runs, ms':22}" + "".join(f"{kind:>12}" for kind in found))
    for name in next(iter(found.values())):
        print(f"{name:22}" + "".join(f"{times[name]:12.1f}" for times in found.values()))
    limits = {"list": LIST_S * 1e3, "totals by month": TOTALS_S * 1e3}
    return [
        f"{kind}: {name} {times[name]:.0f} ms" for kind, times in found.items() for name in limits
        if times[name] > limits[name]
    ]  # fmt: skip


def writers(count: int, seconds: float) -> None:
    """Twenty processes, a server that crashes in the middle: raises where anything is lost or stands there twice."""
    server = Server(is_safe=True)
    try:
        with tempfile.TemporaryDirectory() as made:
            folder, database = Path(made), server.new()
            told = ledger_writers.through_a_crash(server, database, folder, count, seconds)
            print(
                f"{count} writers for {seconds:g} s, the server killed and away for {told.away_s:.1f} s: {told.rounds} "
                f"rounds, {told.errors} of them without the ledger; {told.runs} runs, {told.from_journals} of them "
                f"from journals, {told.acknowledged} saves acknowledged; nothing lost, nothing twice, none went back "
                f"in {told.looks} looks"
            )
    finally:
        server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--writers", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    if told := missing():
        print(f"PostgreSQL {told}", file=sys.stderr)
    server = None if told else Server()
    try:
        slow = of_both(given.runs, server)
    finally:
        if server is not None:
            server.close()
    if server is not None and given.seconds:
        writers(given.writers, given.seconds)
    print(*slow, sep="\n", file=sys.stderr)
    sys.exit(bool(slow))


if __name__ == "__main__":
    main()
