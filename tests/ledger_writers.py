"""Many writers to one ledger, as processes: each has runs that grow, reads everybody's, and saves what it imports.

    python tests/ledger_writers.py URL FOLDER COUNT

They go on until there is a file `FOLDER/stop`. What each was told to be saved stands in `FOLDER/told-N`, a line each;
`through_a_crash` compares that, and the journals, with the ledger.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import handmade_runs as handmade

from footprint.errors import StoreError
from footprint.store import open_ledger
from footprint.store.entries import IMPORTED
from footprint.store.ledger import Ledger
from footprint.values import Run

OWN_RUNS, SHARED_IMPORTS, CATCHING_UP = 2, 5, 0.2
TAGS = ("night", "sft")
_ERROR_WAIT_S = _LOOK_S = 0.1


def journals(folder: Path) -> Path:
    return folder / "runs"


def read(folder: Path) -> Run:
    """A run that has come as far as its journal has lines."""
    lines = (folder / "gpu01-0-1.jsonl").read_text().splitlines()
    return grown(folder.name, len(lines), "finished" if "end" in lines[-1] else "running")


def grown(run_id: str, seconds: int, status: str = "finished") -> Run:
    return handmade.run(
        id=run_id, status=status, ended_utc_s=handmade.START_S + seconds, tags=TAGS, meters=(), windows=(),
        hourly_it_energy_kwh=(),
    )  # fmt: skip


def write(number: int, url: str, folder: Path) -> None:
    """One writer: it goes on whatever the server does."""
    rng = random.Random(number)
    grow = [journals(folder) / f"run-{number}-{i}" / "gpu01-0-1.jsonl" for i in range(OWN_RUNS)]
    ledger: Ledger | None = None
    count = errors = 0
    with (folder / f"told-{number}").open("a", buffering=1) as told:
        while count < OWN_RUNS or not (folder / "stop").exists():
            count += 1
            with grow[count % OWN_RUNS].open("a") as file:
                file.write("{}\n" * rng.randint(1, 5))
            try:
                ledger = ledger or open_ledger(url)
                if rng.random() < CATCHING_UP:
                    ledger.catch_up(journals(folder), read, progress=lambda found: rng.sample(list(found), len(found)))
                own, shared = f"import-{number}-{count}", f"shared-{rng.randrange(SHARED_IMPORTS)}"
                for run_id, length in ((own, count), (shared, rng.randrange(10_000))):
                    ledger.save(grown(run_id, length), IMPORTED)
                    told.write(f"{run_id} {length}\n")
            except StoreError:
                errors += 1
                time.sleep(_ERROR_WAIT_S)
    for path in grow:
        with path.open("a") as file:
            file.write("end\n")
    (folder / f"done-{number}").write_text(f"{count} {errors}")


def start(url: str, folder: Path, count: int) -> subprocess.Popen[bytes]:
    """All writers, as children of one process."""
    for number in range(count):
        for i in range(OWN_RUNS):
            (journals(folder) / f"run-{number}-{i}").mkdir(parents=True)
    words = [sys.executable, __file__, url, str(folder), str(count)]
    return subprocess.Popen(words)


@dataclass
class Watch:
    """How far each run had come when it was looked at last; what went back is kept."""

    server: Any
    database: str

    def __post_init__(self) -> None:
        self.lengths: dict[str, float] = {}
        self.went_back: list[str] = []
        self.looks = 0

    def look(self) -> None:
        import psycopg

        try:
            found = self.server.sql("SELECT id, ended_utc_s FROM runs", self.database)
        except psycopg.OperationalError:
            return
        self.looks += 1
        self.went_back += [run_id for run_id, at_s in found if at_s < self.lengths.get(run_id, at_s)]
        self.went_back += sorted(set(self.lengths) - {run_id for run_id, _ in found})
        self.lengths |= dict(found)


@dataclass(frozen=True)
class Told:
    """What was done and counted."""

    runs: int
    from_journals: int
    acknowledged: int
    rounds: int
    errors: int
    looks: int
    away_s: float


def through_a_crash(server: Any, database: str, folder: Path, count: int, seconds: float) -> Told:
    """Writers that write for so long, a server that crashes in the middle: nothing may be lost, nothing be there twice.

    Raises
    ------
    AssertionError
        When it is not so.
    """
    url = server.url(database)
    open_ledger(url).close()
    watch = Watch(server, database)
    begun_s, away_s, done_s = time.monotonic(), 0.0, float("inf")
    writers = start(url, folder, count)
    try:
        while writers.poll() is None:
            watch.look()
            now_s = time.monotonic()
            are_going = watch.looks > 1 and len(list(folder.glob("told-*"))) == count
            if not away_s and are_going and now_s - begun_s > seconds / 2:
                server.stop(signal.SIGQUIT)
                server.start()
                away_s = time.monotonic() - now_s
                done_s = time.monotonic() + seconds / 2
            if now_s > done_s:
                (folder / "stop").touch()
            time.sleep(_LOOK_S)
    finally:
        (folder / "stop").touch()
        writers.kill()
        writers.wait()
    assert writers.returncode == 0
    counts = check(url, folder, server, database)
    assert watch.went_back == []
    done = [[int(word) for word in file.read_text().split()] for file in folder.glob("done-*")]
    assert len(done) == count
    rounds, errors = map(sum, zip(*done, strict=True))
    return Told(*counts, rounds, errors, watch.looks, away_s)


def told(folder: Path) -> dict[str, int]:
    """What the writers were told to be in the ledger, and how far it had come."""
    found: dict[str, int] = {}
    for file in folder.glob("told-*"):
        for line in file.read_text().splitlines():
            run_id, length = line.split()
            found[run_id] = max(found.get(run_id, 0), int(length))
    return found


def check(url: str, folder: Path, server: Any, database: str) -> tuple[int, int, int]:
    """Catch up once more and compare; how many runs there are, from journals, and were acknowledged."""
    with open_ledger(url) as ledger:
        caught = ledger.catch_up(journals(folder), read)
        assert caught.skipped == ()
        entries = {entry.id: entry for entry in ledger.list()}
        assert len(entries) == len(ledger.list())
        lengths = {run_id: entry.ended_utc_s - handmade.START_S for run_id, entry in entries.items()}
        truth = {run.id: run for run in map(read, sorted(journals(folder).iterdir()))}
        for run_id, run in truth.items():
            assert lengths[run_id] == run.ended_utc_s - handmade.START_S, run_id
            assert entries[run_id].status == run.status, run_id
        saved = told(folder)
        lost = [run_id for run_id, length in saved.items() if lengths.get(run_id, -1) < length]
        assert lost == []
        unknown = {run_id for run_id in entries if run_id not in truth and run_id not in saved}
        assert all(run_id.startswith(("import-", "shared-")) for run_id in unknown)  # done, and cut off before told
        (total,) = ledger.totals()
        assert total.run_count == len(entries)
        assert abs(total.it_energy_kwh.mid / (29.0 * len(entries)) - 1) < 1e-9
        assert {t.key: t.run_count for t in ledger.totals("tag")} == dict.fromkeys(TAGS, len(entries))
        assert sum(t.run_count for t in ledger.totals("month")) == len(entries)
        for run_id in entries:
            found = ledger.get(run_id)
            assert isinstance(found, Run)
            assert found.ended_utc_s == entries[run_id].ended_utc_s, run_id
    for table, each in (("run_documents", 1), ("run_months", 1), ("run_tags", len(TAGS))):
        assert server.sql(f"SELECT count(*) FROM {table}", database) == [(each * len(entries),)]
    assert server.sql("SELECT count(*) FROM run_journals", database) == [(len(truth),)]
    return len(entries), len(truth), len(saved)


def main(url: str, folder: str, count: str) -> None:
    with open_ledger(url) as ledger:  # what is loaded here is not loaded by each
        ledger.save(grown("import-first", 1), IMPORTED)
    children = []
    for number in range(int(count)):
        child = os.fork()
        if child == 0:
            write(number, url, Path(folder))
            os._exit(0)
        children.append(child)
    sys.exit(sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0 for child in children))


if __name__ == "__main__":
    main(*sys.argv[1:])
