"""Series as a server keeps them: chunks decoded, answers taken apart, connections that go on."""

from __future__ import annotations

import contextlib
import math
import struct
import subprocess
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from http.client import IncompleteRead
from http.server import BaseHTTPRequestHandler
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib import request as web

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving import serving

from footprint.fleet.access import Access
from footprint.fleet.chunks import decoded
from footprint.fleet.connections import Connections
from footprint.fleet.families import FAMILIES
from footprint.fleet.many_days import Gauges, Part, Stay
from footprint.fleet.many_hands import Hands, worth
from footprint.fleet.many_kept import kept_parts
from footprint.fleet.prometheus import Columns, KeptAnswer, Prometheus
from footprint.fleet.readings import Reading, goes_on, thinned
from footprint.fleet.remote_read import kept_of, request

Samples = Sequence[tuple[int, float]]

# chunks


def varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def word(value: float) -> int:
    return int.from_bytes(struct.pack(">d", value), "big")


def encoded(samples: Samples) -> bytes:
    """A chunk as Prometheus writes one, bit by bit as text."""
    bits = "".join(f"{byte:08b}" for byte in len(samples).to_bytes(2, "big"))
    leading, trailing = -1, 0
    for place, (at_ms, value) in enumerate(samples):
        if place == 0:
            bits += "".join(f"{byte:08b}" for byte in varint(at_ms << 1)) + f"{word(value):064b}"
            continue
        apart = at_ms - samples[place - 1][0]
        if place == 1:
            bits += "".join(f"{byte:08b}" for byte in varint(apart))
        else:
            change = apart - (samples[place - 1][0] - samples[place - 2][0])
            sizes = [(size, head) for size, head in ((14, "10"), (17, "110"), (20, "1110")) if fits(change, size)]
            size, head = (0, "0") if change == 0 else sizes[0] if sizes else (64, "1111")
            bits += head + (f"{change % 2**size:0{size}b}" if size else "")
        differs = word(value) ^ word(samples[place - 1][1])
        if not differs:
            bits += "0"
            continue
        own_leading = min(64 - differs.bit_length(), 31)
        own_trailing = (differs & -differs).bit_length() - 1
        if leading >= 0 and own_leading >= leading and own_trailing >= trailing:
            bits += "10"
        else:
            leading, trailing = own_leading, own_trailing
            bits += f"11{leading:05b}{(64 - leading - trailing) % 64:06b}"
        bits += f"{differs >> trailing:0{64 - leading - trailing}b}"
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def fits(change: int, size: int) -> bool:
    return -(2 ** (size - 1)) + 1 <= change <= 2 ** (size - 1)


moments = st.lists(st.one_of(st.integers(1, 40_000), st.integers(1, 2**40)), min_size=1, max_size=60)
values = st.one_of(st.floats(), st.sampled_from([0.0, 1.0, 1e12, math.nan]), st.integers(0, 10**13).map(float))


@st.composite
def chunk(draw: st.DrawFn) -> Samples:
    at_ms, found = draw(st.integers(0, 2**41)), []
    for apart in draw(moments):
        at_ms += apart
        found.append((at_ms, draw(values)))
    return found


def same(found: float, told: float) -> bool:
    return word(found) == word(told)


@given(st.lists(chunk(), min_size=1, max_size=5))
def test_chunks_side_by_side_are_each_what_was_written(chunks: list[Samples]) -> None:
    written = [encoded(samples) for samples in chunks]
    ends = [sum(map(len, written[: i + 1])) for i in range(len(written))]
    counts, times, found = decoded(b"".join(written), [0, *ends[:-1]], ends)
    told = [sample for samples in chunks for sample in samples]
    assert counts.tolist() == [len(samples) for samples in chunks]
    assert times.tolist() == [at_ms for at_ms, _ in told]
    assert all(same(one, value) for one, (_, value) in zip(found.tolist(), told, strict=True))


@pytest.mark.parametrize("apart", [[30_000] * 130, [30_000, 30_001, 29_990] * 50, [30_000, 600_000, 1, 2**45, 30_000]])
def test_steady_and_broken_rows_of_moments_are_read(apart: list[int]) -> None:
    at_ms, samples = 1_790_812_800_000, []
    for i, one in enumerate(apart):
        at_ms += one
        samples.append((at_ms, 1e9 + 17_000.0 * i))
    data = encoded(samples)
    _, times, found = decoded(data, [0], [len(data)])
    assert list(zip(times.tolist(), found.tolist(), strict=True)) == samples


@given(st.binary(min_size=2, max_size=80))
def test_bytes_that_are_no_chunk_are_refused_or_read_and_never_more(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        counts, _, found = decoded(data, [0], [len(data)])
        assert counts.sum() == found.size <= 4 * len(data)


def test_no_chunks_are_no_samples() -> None:
    counts, times, found = decoded(b"", [], [])
    assert counts.size == times.size == found.size == 0


# answers


def field(place: int, value: bytes) -> bytes:
    return varint(place << 3 | 2) + varint(len(value)) + value


def number(place: int, value: int) -> bytes:
    return varint(place << 3) + varint(value)


def frame(labels: dict[str, str], chunks: Sequence[bytes], encoding: int = 1) -> bytes:
    told = b"".join(field(1, field(1, name.encode()) + field(2, value.encode())) for name, value in labels.items())
    for one in chunks:
        told += field(
            2, number(1, 1_790_812_800_000) + number(2, 1_790_812_900_000) + number(3, encoding) + field(4, one)
        )
    message = field(1, told)
    return varint(len(message)) + b"\x00" * 4 + message


LONG = {"UUID": "GPU-1", "modelName": "an accelerator with a name " * 8}


def test_an_answer_is_its_series_with_their_chunks() -> None:
    chunks = [b"ab", b"c" * 300]
    answer = frame(LONG, chunks) + frame({"UUID": "π"}, chunks[:1])
    first, second = kept_of(answer)
    assert (first.labels, second.labels) == (LONG, {"UUID": "π"})
    assert [answer[b:e] for b, e in zip(first.begins, first.ends, strict=True)] == chunks
    assert [answer[b:e] for b, e in zip(second.begins, second.ends, strict=True)] == chunks[:1]
    assert list(kept_of(b"")) == []


def test_samples_of_another_encoding_are_refused() -> None:
    with pytest.raises(ValueError, match="kept in another way"):
        list(kept_of(frame(LONG, [b"ab"], encoding=2)))


def test_a_torn_answer_is_refused_wherever_it_was_torn() -> None:
    answer = frame(LONG, [b"ab", b"c" * 300])
    for length in range(1, len(answer)):
        with pytest.raises(ValueError, match="ends"):
            list(kept_of(answer[:length]))


@given(st.binary(max_size=60))
def test_anything_else_is_no_answer_or_no_series(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert all(0 <= end <= len(data) for one in kept_of(data) for end in one.ends)


def test_a_request_names_metrics_a_pattern_and_a_span() -> None:
    body = request(["energy", "power"], "UUID", "GPU-1|GPU-2" * 8000, 1000, 2000)
    size, packed = 0, body
    for shift in range(0, 35, 7):
        byte, packed = packed[0], packed[1:]
        size |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
    plain = b""
    while packed:  # literals with two bytes of length
        assert packed[0] == 61 << 2
        length = int.from_bytes(packed[1:3], "little") + 1
        plain, packed = plain + packed[3 : 3 + length], packed[3 + length :]
    assert len(plain) == size
    matchers = field(3, number(1, 2) + field(2, b"__name__") + field(3, b"energy|power")) + field(
        3, number(1, 2) + field(2, b"UUID") + field(3, b"GPU-1|GPU-2" * 8000)
    )
    assert plain == field(1, number(1, 1000) + number(2, 2000) + matchers) + number(2, 1)


# a day's readings

DAY = 1_790_812_800.0
FAMILY = FAMILIES[0]


class Keeper(Prometheus):
    """A server that has these series, and what it was asked for."""

    def __init__(self, *series: tuple[dict[str, str], Samples], drawn: dict[str, float] | None = None) -> None:
        super().__init__(Access("http://127.0.0.1:9"))
        self.series, self.drawn = series, drawn or {}

    def kept(self, metrics: Iterable[str], label: str, values: Iterable[str], *_: object) -> KeptAnswer:
        wanted, of = set(metrics), set(values)
        answer = b"".join(
            frame(labels, [encoded(samples)])
            for labels, samples in self.series
            if labels["__name__"] in wanted and labels[label] in of
        )
        return answer, list(kept_of(answer))

    def columns(self, *_: object) -> list[Columns]:
        return [({"UUID": uuid}, array("d", [DAY]), array("d", [told])) for uuid, told in self.drawn.items()]


def stay(uuid: str, begun_s: float, ended_s: float, *, job: str = "") -> Stay:
    return Stay(uuid, DAY + begun_s, DAY + ended_s, ({"hpc_job": job},) if job else ())


def parts_of(
    stays: Sequence[Stay], *series: tuple[dict[str, str], Samples], drawn: dict[str, float] | None = None
) -> list[Any]:
    gauges = Gauges(FAMILY, FAMILY.powers[0] if drawn is not None else "", FAMILY.utilization, 30.0, 75.0, True)
    found = kept_parts(gauges, stays, DAY, Keeper(*series, drawn=drawn), 0.05)
    assert found is not None
    return found


def steady(
    uuid: str, *, since: int = 0, count: int = 200, watts: float = 500.0, **labels: str
) -> tuple[dict[str, str], Samples]:
    """A reading each 30 s, of millijoules."""
    return {"__name__": FAMILY.counter, "UUID": uuid, **labels}, [
        (int(DAY + 30 * i) * 1000, 1e9 + 30e3 * watts * i) for i in range(since, since + count)
    ]


def used(uuid: str, levels: Sequence[float]) -> tuple[dict[str, str], Samples]:
    """Per cent each 30 s."""
    return {"__name__": FAMILY.utilization, "UUID": uuid}, [
        (int(DAY + 30 * i) * 1000, level) for i, level in enumerate(levels)
    ]


def test_the_readings_about_a_moment_bear_what_the_counter_moved_beside_them() -> None:
    idle, busy = steady("a", watts=100.0, count=20), steady("a", since=20, watts=500.0, hpc_job="7")
    one, other = parts_of([stay("a", 30 * 19 + 10.0, 5000.0, job="7"), stay("b", 600.0, 5000.0)], busy, idle)
    assert (one.start.before.at_s, one.start.after.at_s) == (DAY + 570, DAY + 600)
    assert (one.start.before.power_w, one.start.after.power_w) == (pytest.approx(100.0), pytest.approx(500.0))
    assert one.start.is_marked
    assert not one.start.many
    assert other.start.before is other.start.after is None
    assert not one.is_troubled


def test_the_readings_about_a_short_jobs_edges_bear_power_where_it_was_read() -> None:
    power = ({"__name__": FAMILY.powers[0], "UUID": "a"}, [(int(DAY + 600) * 1000, 444.0)])
    (one,) = parts_of([stay("a", 610.0, 1000.0)], steady("a"), power, drawn={})
    assert one.start.before.power_w == 444.0
    assert one.start.after.power_w == pytest.approx(500.0)


def test_edges_of_another_day_are_not_told() -> None:
    (one,) = parts_of([stay("a", -9000.0, 1000.0)], steady("a"))
    assert one.start is None
    assert (one.end.before.at_s, one.end.after.at_s) == (DAY + 990, DAY + 1020)


def test_a_job_whose_label_is_on_no_reading_within_it_is_not_marked() -> None:
    stays = [
        stay("a", 595.0, 620.0, job="7"),
        stay("a", 301.0, 600.0, job="7"),
        stay("a", 10.0, 5000.0, job="8"),
    ]
    found = parts_of(stays, steady("a", count=20, hpc_job="7"), steady("a", since=20))
    assert [one.start.is_marked for one in found] == [False, True, False]


def test_series_of_one_device_at_once_are_one_counter_and_told() -> None:
    (one,) = parts_of([stay("a", 100.0, 5000.0)], steady("a", GPU_I_ID="1"), steady("a", GPU_I_ID="2"))
    assert one.start.many
    assert one.start.after.energy_j == pytest.approx(1e6 + 500.0 * 120)


def test_falls_stands_and_gaps_are_told_to_whom_they_meet() -> None:
    labels, samples = steady("a")
    broken = [(at_ms, value - (9e8 if i > 70 else 0)) for i, (at_ms, value) in enumerate(samples) if not 130 < i < 150]
    held, readings = steady("b")
    frozen = [(at_ms, min(value, readings[50][1]) if i < 55 else value) for i, (at_ms, value) in enumerate(readings)]
    spans = [(0.0, 2000.0), (2000.0, 3500.0), (3600.0, 4200.0), (4600.0, 5900.0)]
    found = parts_of([stay("a", *span) for span in spans], (labels, broken))
    assert [one.is_troubled for one in found] == [False, True, False, False]
    assert [one.gap_s for one in found] == [0.0, 0.0, pytest.approx(570.0), 0.0]
    stands = parts_of([stay("b", *span) for span in [(0.0, 1400.0), (1400.0, 2000.0)]], (held, frozen))
    assert [one.is_troubled for one in stands] == [False, True]


def test_a_counter_that_is_collected_less_often_than_scraped_does_not_stand() -> None:
    labels, samples = steady("a")
    seldom = [(at_ms, samples[i // 2 * 2][1]) for i, (at_ms, _) in enumerate(samples)]
    (one,) = parts_of([stay("a", 100.0, 5000.0)], (labels, seldom))
    assert not one.is_troubled


def test_what_a_device_did_is_told_of_all_readings_with_what_it_drew_meanwhile() -> None:
    levels = [0.0 if 40 <= i < 60 else 90.0 for i in range(200)]
    first, last = parts_of(
        [stay("a", 0.0, 3000.0), stay("a", 4000.0, 5000.0)], steady("a", watts=120.0), used("a", levels)
    )
    assert (first.seen.count, first.seen.idle_count, first.seen.watts_count) == (100, 20, 20)
    assert first.seen.used == pytest.approx(80 * 0.9)
    assert first.seen.idle_w == pytest.approx(20 * 120.0)
    assert (last.seen.count, last.seen.idle_count) == (33, 0)


def test_counters_are_held_against_power_in_the_end_of_the_day() -> None:
    day = steady("a", count=2880, watts=300.0)
    (one,) = parts_of([stay("a", 100.0, 5000.0)], day, drawn={"a": 720 * 330.0})
    assert one.counted_j / one.powered_j == pytest.approx(300 / 330, rel=0.005)


def test_a_day_without_a_reading_tells_nothing() -> None:
    (one,) = parts_of([stay("a", 100.0, 5000.0)])
    assert one.start.before is one.start.after is None
    assert one.seen.count == 0
    assert one.counted_j == 0


def test_what_a_server_does_not_hand_out_is_not_told() -> None:
    gauges = Gauges(FAMILY, "", "", 30.0, 75.0, True)
    assert kept_parts(gauges, [stay("a", 0.0, 60.0)], DAY, Prometheus(Access("http://127.0.0.1:9")), 0.05) is None


# connections


class Talk:
    """A server that keeps connections open, or closes each after so many answers."""

    def __init__(self) -> None:
        self.connections_count = 0
        self.most_answers = 1000
        self.paths: list[str] = []
        self.tokens: list[str] = []
        self.url = ""


@pytest.fixture
def talk() -> Iterator[Talk]:
    told = Talk()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            told.connections_count += 1
            self.answers_count = 0

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            told.paths.append(self.path)
            told.tokens += [token for token in [self.headers["Authorization"]] if token]
            is_read = self.path.endswith("/read")
            body = b"no such page" if is_read else b'{"status":"success","data":{"resultType":"vector","result":[]}}'
            self.send_response(404 if is_read else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.answers_count += 1
            self.close_connection = self.answers_count >= told.most_answers

        def log_message(self, *_: object) -> None:
            return

    with serving(Handler) as told.url:
        yield told


def test_a_connection_goes_on_from_request_to_request(talk: Talk) -> None:
    one = Prometheus(Access(talk.url))
    for _ in range(5):
        assert one.instant("up", 1.0) == []
    assert talk.connections_count == 1


def test_a_connection_that_the_server_has_closed_is_made_anew(talk: Talk) -> None:
    talk.most_answers = 2
    one = Prometheus(Access(talk.url))
    for _ in range(5):
        assert one.instant("up", 1.0) == []
    assert talk.connections_count == 3
    assert len(talk.paths) == 5


def test_a_server_that_hands_out_nothing_as_it_keeps_it_is_asked_once(talk: Talk) -> None:
    one = Prometheus(Access(talk.url))
    for _ in range(2):
        with pytest.raises(ValueError, match="hands out nothing"):
            one.kept(["energy"], "UUID", ["GPU-1"], 0.0, 60.0)
    assert one.instant("up", 1.0) == []
    assert talk.paths == ["/api/v1/read", "/api/v1/query"]


# readings of which few are needed


def rows(count: int, **changes: float) -> list[Reading]:
    return [Reading(30.0 * i, 1000.0 * i, 33.0, changes.get(f"share_{i}"), False) for i in range(count)]


def test_of_a_counter_that_rises_a_reading_each_ten_minutes_is_kept_and_the_ends() -> None:
    readings = rows(100)
    found = list(thinned(readings))
    assert goes_on(readings)
    assert found[0] == (readings[0], False)
    assert found[-1][0] == readings[-1]
    assert [has_passed for _, has_passed in found[1:-1]] == [True] * (len(found) - 2)
    assert all(after[0].at_s - before[0].at_s <= 600 for before, after in pairwise(found))
    assert len(found) == 6


def test_what_happens_is_kept_on_both_sides() -> None:
    readings = rows(15)
    readings[5:] = [one._replace(energy_j=one.energy_j - 5000.0) for one in readings[5:]]  # type: ignore[operator]
    readings = [one for one in readings if one.at_s != 300.0]
    readings[12:] = [one._replace(share=0.5) for one in readings[12:]]
    kept = [(round(one.at_s / 30), has_passed) for one, has_passed in thinned(readings)]
    assert not goes_on(readings)
    assert kept == [(0, False), (4, True), (5, False), (12, True), (13, False), (14, False)]


def test_without_a_counter_every_reading_is_kept() -> None:
    readings = [one._replace(energy_j=None) for one in rows(50)]
    assert [one for one, has_passed in thinned(readings) if not has_passed] == readings


# processes beside this one


def ask(hands: Hands) -> list[Part] | None:
    gauges = Gauges(FAMILY, "", "", 30.0, 75.0, True)
    return hands.parts(gauges, [stay("a", 0.0, 60.0)], DAY, 0.05).result(timeout=120)


def test_a_process_beside_this_one_asks_with_the_same_access_and_its_requests_count(talk: Talk) -> None:
    server = Prometheus(Access(talk.url, {"Authorization": "Bearer secret"}))
    with closing(Hands(1, server)) as hands:
        assert ask(hands) is None  # this server hands out nothing
        (process,) = hands.started
        assert "secret" not in " ".join(map(str, process.args))  # type: ignore[arg-type]
    assert process.returncode is not None
    assert talk.tokens == ["Bearer secret"]
    assert talk.paths == ["/api/v1/read"]
    assert server.requests_count == 1


def test_what_a_lost_process_had_to_do_is_done_here(talk: Talk) -> None:
    server = Prometheus(Access(talk.url))
    with closing(Hands(1, server)) as hands:
        assert ask(hands) is None
        hands.started[0].kill()
        hands.started[0].wait(timeout=60)
        assert ask(hands) is None
        assert len(hands.started) == 1
    assert server.requests_count == 2


def test_without_processes_all_is_done_here(talk: Talk) -> None:
    server = Prometheus(Access(talk.url))
    with closing(Hands(0, server)) as hands:
        assert ask(hands) is None
        assert not hands.started


def test_processes_are_started_where_there_is_much_to_do() -> None:
    assert worth(10) == 0
    assert 1 <= worth(100_000) <= 2


def test_a_script_without_a_guard_is_run_once(talk: Talk, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from footprint.fleet.access import Access\n"
        "from footprint.fleet.families import FAMILIES\n"
        "from footprint.fleet.many_days import Gauges, Stay\n"
        "from footprint.fleet.many_hands import Hands\n"
        "from footprint.fleet.prometheus import Prometheus\n"
        f"hands = Hands(1, Prometheus(Access({talk.url!r})))\n"
        "gauges = Gauges(FAMILIES[0], '', '', 30.0, 75.0, True)\n"
        "print('found', hands.parts(gauges, [Stay('a', 0.0, 60.0, ())], 0.0, 0.05).result(), len(hands.started))\n"
        "hands.close()\n",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "found None 1\n"
    assert done.stderr == ""


# answers in chunks


@pytest.mark.parametrize("most", [None, 7])
def test_an_answer_in_many_small_chunks_is_read_whole_or_as_much_as_is_wanted(most: int | None) -> None:
    parts = [b"a" * size for size in (1, 5, 300, 70_000, 1)]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for part in parts:
                self.wfile.write(f"{len(part):x};more=1\r\n".encode() + part + b"\r\n")
                self.wfile.flush()
            self.wfile.write(b"0\r\nTrailer: one\r\n\r\n" if not self.path.endswith("torn") else b"5\r\nab")
            self.close_connection = self.path.endswith("torn")

        def log_message(self, *_: object) -> None:
            return

    with serving(Handler) as url:
        connections = Connections()
        opener = web.build_opener(connections)
        for _ in range(2):
            with opener.open(url) as answer:
                assert len(answer.read(2**20 if most is None else most)) == (most or sum(map(len, parts)))
                connections.hand_back(answer)
        with opener.open(f"{url}/torn") as answer, pytest.raises(IncompleteRead):
            answer.read(2**20)
