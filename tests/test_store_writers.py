"""Twenty writers at one team's ledger while its server crashes: nothing is lost, nothing stands there twice."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import ledger_writers
import pytest
from postgres_server import Server, missing

from footprint.store import open_ledger

WRITERS, SECONDS = 20, 6.0


@pytest.fixture
def safe_server() -> Iterator[Server]:
    """One that keeps what it said to have kept."""
    if told := missing():
        pytest.skip(told)
    pytest.importorskip("psycopg", reason="needs psycopg: pip install 'footprint[postgres]'")
    server = Server(is_safe=True)
    yield server
    server.close()


@pytest.mark.slow
def test_twenty_writers_through_a_crash_lose_nothing_and_write_nothing_twice(
    safe_server: Server, tmp_path: Path
) -> None:
    database = safe_server.new()
    url = safe_server.url(database)
    open_ledger(url).close()
    watch = ledger_writers.Watch(safe_server, database)
    begun_s, has_crashed = time.monotonic(), False
    writers = ledger_writers.start(url, tmp_path, WRITERS, SECONDS)
    try:
        while writers.poll() is None:
            watch.look()
            if not has_crashed and watch.looks > 1 and time.monotonic() - begun_s > SECONDS / 2:
                safe_server.stop(signal.SIGQUIT)
                safe_server.start()
                has_crashed = True
            time.sleep(0.1)
        output, _ = writers.communicate()
    finally:
        writers.kill()
        writers.wait()
    assert writers.returncode == 0, output
    assert has_crashed
    counted = ledger_writers.check(url, tmp_path, safe_server, database)
    assert watch.went_back == []
    assert counted["from_journals"] == WRITERS * ledger_writers.OWN_RUNS
    assert counted["told"] > WRITERS
