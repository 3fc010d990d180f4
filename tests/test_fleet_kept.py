"""Series as a server keeps them: chunks decoded, answers taken apart, connections that go on."""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving import serving

from footprint.fleet.access import Access
from footprint.fleet.chunks import decoded
from footprint.fleet.families import FAMILIES
from footprint.fleet.many_days import Edge, Gauges, Line
from footprint.fleet.many_kept import Counters, counters_of
from footprint.fleet.prometheus import KeptAnswer, Prometheus
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


def test_a_request_names_a_metric_a_pattern_and_a_span() -> None:
    body = request("energy", "UUID", "GPU-1|GPU-2" * 8000, 1000, 2000)
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
    matchers = field(3, number(1, 0) + field(2, b"__name__") + field(3, b"energy")) + field(
        3, number(1, 2) + field(2, b"UUID") + field(3, b"GPU-1|GPU-2" * 8000)
    )
    assert plain == field(1, number(1, 1000) + number(2, 2000) + matchers) + number(2, 1)


# a day's counters

DAY = 1_790_812_800.0


class Keeper(Prometheus):
    """A server that has these series."""

    def __init__(self, *series: tuple[dict[str, str], Samples]) -> None:
        super().__init__(Access("http://127.0.0.1:9"))
        self.answer = b"".join(frame(labels, [encoded(samples)]) for labels, samples in series)

    def kept(self, *_: object) -> KeptAnswer:
        return self.answer, list(kept_of(self.answer))


def day_of(*series: tuple[dict[str, str], Samples], uuids: Sequence[str] = ("a", "b")) -> Counters:
    gauges = Gauges(FAMILIES[0], "", "", 30.0, 90.0, True)
    found = counters_of(gauges, uuids, DAY, Keeper(*series))
    assert found is not None
    return found


def steady(
    uuid: str, *, since: int = 0, count: int = 200, watts: float = 500.0, **labels: str
) -> tuple[dict[str, str], Samples]:
    """A reading each 30 s, of millijoules."""
    return {"UUID": uuid, **labels}, [
        (int(DAY + 30 * i) * 1000, 1e9 + 30e3 * watts * i) for i in range(since, since + count)
    ]


def edge(uuid: str, at_s: float, *, job: str = "", until_s: float = 1e9) -> Edge:
    return Edge(uuid, DAY + at_s, ({"hpc_job": job},) if job else (), (DAY + at_s, DAY + until_s))


def test_the_readings_about_a_moment_bear_what_the_counter_moved_beside_them() -> None:
    idle, busy = steady("a", watts=100.0, count=20), steady("a", since=20, watts=500.0, hpc_job="7")
    one, other = edge("a", 30 * 19 + 10.0, job="7"), edge("b", 600.0)
    day_of(busy, idle).fill([one, other], 120.0)
    assert one.before is not None
    assert one.after is not None
    assert (one.before.at_s, one.after.at_s) == (DAY + 570, DAY + 600)
    assert (one.before.power_w, one.after.power_w) == (pytest.approx(100.0), pytest.approx(500.0))
    assert one.is_marked
    assert not one.many
    assert other.before is other.after is None


def test_a_job_whose_label_is_on_no_reading_within_it_is_not_marked() -> None:
    counters = day_of(steady("a", count=20, hpc_job="7"), steady("a", since=20))
    edges = [
        edge("a", 595.0, job="7", until_s=620.0),
        edge("a", 301.0, job="7", until_s=600.0),
        edge("a", 10.0, job="8"),
    ]
    counters.fill(edges, 120.0)
    assert [one.is_marked for one in edges] == [False, True, False]


def test_series_of_one_device_at_once_are_one_counter_and_told() -> None:
    counters = day_of(steady("a", GPU_I_ID="1"), steady("a", GPU_I_ID="2"))
    one = edge("a", 100.0)
    counters.fill([one], 120.0)
    assert one.many
    assert counters.keys.size == 200


def test_falls_and_gaps_are_told_in_their_half_hours() -> None:
    labels, samples = steady("a")
    broken = [(at_ms, value - (9e8 if i > 70 else 0)) for i, (at_ms, value) in enumerate(samples) if not 130 < i < 150]
    counters = day_of((labels, broken))
    lines = [Line(np.zeros(1), np.zeros(1), set(), {}) for _ in range(2)]
    counters.tell(lines, DAY)
    assert lines[0].troubled == {1}
    assert lines[0].gaps_s == {2: pytest.approx(570.0)}
    assert not lines[1].troubled
    assert counters.slots(DAY)[0, :4].tolist() == [
        pytest.approx(one) for one in (1e6, 1e6 + 9e5, 1e6 + 9e5, 1e6 + 1.8e6)
    ]


def test_a_day_without_a_reading_is_a_day_without_counters() -> None:
    counters = day_of()
    one = edge("a", 100.0)
    counters.fill([one], 120.0)
    counters.tell([Line(np.zeros(1), np.zeros(1), set(), {})] * 2, DAY)
    assert np.isnan(counters.slots(DAY)).all()
    assert one.before is one.after is None


# connections


class Talk:
    """A server that keeps connections open, or closes each after so many answers."""

    def __init__(self) -> None:
        self.connections_count = 0
        self.most_answers = 1000
        self.paths: list[str] = []
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
    assert one.kept("energy", "UUID", ["GPU-1"], 0.0, 60.0) is None
    assert one.kept("energy", "UUID", ["GPU-1"], 0.0, 60.0) is None
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
