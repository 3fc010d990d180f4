"""Prometheus' remote read: a request for series as they are kept, and its answer taken apart.

Messages are protocol buffers (prompb/remote.proto) in frames (storage/remote/chunked.go), whose sums are not looked
at: the transport has its own. A request is packed as Snappy wants it, without being made smaller.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from footprint.fleet import varints

__all__ = ["HEADERS", "KIND", "Kept", "kept_of", "request"]

KIND = "application/x-streamed-protobuf"
"""Of an answer that is streamed in chunks."""

HEADERS: Mapping[str, str] = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Read-Version": "0.1.0",
}

_LIKE = 2
_XOR = 1
_STREAMED = 1
_MORE = 0x80
_MOST_LITERAL = 2**16
_SUM_BYTES = 4
_FIRST, _SECOND = 0x0A, 0x12
"""The first and second field of a message, of bytes."""

_NUMBER = rb"[\x80-\xff]*[\x00-\x7f]"
_CHUNK = re.compile(
    rb"\x12%(n)s(?:\x08(%(n)s))?(?:\x10%(n)s)?\x18%(kind)c\x22(%(n)s)" % {b"n": _NUMBER, b"kind": _XOR}, re.DOTALL
)
"""A chunk up to its samples: the times of the first and last of them, their encoding, their length."""


@dataclass(slots=True)
class Kept:
    """A series as it is kept: its chunks of samples lie in the answer from some bytes to others."""

    labels: dict[str, str]
    first_ms: int = 0  # when its first sample was
    begins: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)


def request(metrics: Iterable[str], label: str, pattern: str, started_ms: int, ended_ms: int) -> bytes:
    """The body of a request for the series of some metrics that have a label like a pattern."""
    matchers = (("__name__", "|".join(metrics)), (label, pattern))
    told = b"".join(
        _field(3, _number(1, _LIKE) + _field(2, name.encode()) + _field(3, value.encode())) for name, value in matchers
    )
    return _packed(_field(1, _number(1, started_ms) + _number(2, ended_ms) + told) + _number(2, _STREAMED))


def kept_of(answer: bytes) -> Iterator[Kept]:
    """The series of an answer; one that comes in several frames as several.

    Raises
    ------
    ValueError
        When it is no such answer, or has samples of another encoding.
    """
    at, whole = 0, len(answer)
    try:
        while at < whole:
            size, at = varints.read(answer, at)
            at += _SUM_BYTES
            end = at + size
            if end > whole:
                raise ValueError("an answer ends within a frame")
            while at < end and answer[at] == _FIRST:
                size, at = varints.read(answer, at + 1)
                if at + size > end:
                    raise ValueError("a series ends beyond its frame")
                yield _kept(answer, at, at + size)
                at += size
            at = end
    except IndexError as error:
        raise ValueError("an answer ends within a field") from error


def _kept(data: bytes, at: int, end: int) -> Kept:
    labels: dict[str, str] = {}
    while at < end and data[at] == _FIRST:
        size, begun = (data[at + 1], at + 2) if data[at + 1] < _MORE else varints.read(data, at + 1)
        at = begun + size
        name, value = _label(data[begun:at])
        labels[name] = value
    found = Kept(labels)
    begins, ends, first = found.begins, found.ends, b""
    while at < end:
        head = _CHUNK.match(data, at)
        if head is None:
            raise ValueError("samples are kept in another way")
        first = first or head[1] or b"\0"
        begun = head.end()
        at = begun + _told(head[2])
        begins.append(begun)
        ends.append(at)
    if at > end:
        raise ValueError("a chunk ends beyond its series")
    found.first_ms = _told(first or b"\0")
    return found


@lru_cache(2**14)
def _told(varint: bytes) -> int:
    """Most are lengths, which come again and again."""
    return varints.read(varint, 0)[0]


@lru_cache(2**14)
def _label(data: bytes) -> tuple[str, str]:
    """Name and value; most come in series after series."""
    name, at = _text(data, 0, _FIRST)
    value, _ = _text(data, at, _SECOND)
    return name, value


def _text(data: bytes, at: int, key: int) -> tuple[str, int]:
    if data[at] != key:
        raise ValueError("a label lacks its name or value")
    size, at = varints.read(data, at + 1)
    return str(data[at : at + size], "utf-8"), at + size


def _number(place: int, value: int) -> bytes:
    return varints.written(place << 3) + varints.written(value)


def _field(place: int, value: bytes) -> bytes:
    return varints.written(place << 3 | 2) + varints.written(len(value)) + value


def _packed(data: bytes) -> bytes:
    """Snappy's block format, of literals alone."""
    out = bytearray(varints.written(len(data)))
    for i in range(0, len(data), _MOST_LITERAL):
        part = data[i : i + _MOST_LITERAL]
        out += bytes([61 << 2]) + (len(part) - 1).to_bytes(2, "little") + part
    return bytes(out)
