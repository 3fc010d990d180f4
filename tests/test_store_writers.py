"""Twenty writers at one team's ledger while its server crashes: nothing is lost, nothing stands there twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import ledger_writers
import pytest
from postgres_server import Server, missing

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
    told = ledger_writers.through_a_crash(safe_server, safe_server.new(), tmp_path, WRITERS, SECONDS)
    assert told.from_journals == WRITERS * ledger_writers.OWN_RUNS
    assert told.acknowledged >= WRITERS
