"""Readings as a time-series database keeps them: chunks of XOR-encoded samples, many decoded side by side.

The format is Prometheus' own (tsdb/docs/format/chunks.md, after Gorilla, VLDB 2015): the first sample whole, the second
with its distance in time, each further one with what changed in the distance, and in the value's bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["decoded"]

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]

_WORD, _BYTE = 64, 8
_HEAD_BYTES = 2

_U = np.arange(_WORD + 1).astype(np.uint64)
"""Small numbers as shifts want them."""

_PREFIX = np.array([1] * 8 + [2] * 4 + [3] * 2 + [4] * 2, np.uint64)
_CHANGE = np.array([0] * 8 + [14] * 4 + [17] * 2 + [20, _WORD], np.uint64)
"""By the four bits that come: how many of them say how long a change in distance is, and how long it is."""

_CONTROL = np.array([1, 1, 2, 13], np.uint64)
"""By the two bits that come: how many say which bits of a value change."""

_CHANGES = np.array([0, 0, 1, 1], np.uint64)

_LOOK_EACH, _PAD_BYTES = 32, 1024
"""After so many samples it is looked whether a chunk has ended; in between none gets beyond so many bytes."""


def decoded(data: bytes, begins: Sequence[int], ends: Sequence[int]) -> tuple[Ints, Ints, Floats]:
    """Chunks that lie in data from some bytes to others: how many samples each has, and all of them in this order,
    milliseconds since 1970 and values.

    Raises
    ------
    ValueError
        When a chunk is none.
    """
    first, last = np.array(begins, np.uint64) * _U[_BYTE], np.array(ends, np.uint64) * _U[_BYTE]
    bits = _Bits(data)
    counts = (bits.word(first) >> _U[_WORD - _HEAD_BYTES * _BYTE]).astype(np.int64)
    if (counts.astype(np.uint64) * _U[2] > last - first).any():  # a sample takes two bits at least
        raise ValueError("a chunk tells of more than it holds")
    order = np.argsort(-counts, kind="stable")
    walk, most = _Walk(bits, first[order] + _U[_HEAD_BYTES * _BYTE]), counts.max(initial=0)
    times, values = np.empty((most, counts.size), np.int64), np.empty((most, counts.size), np.uint64)
    for place, count in enumerate(np.searchsorted(-counts[order], -np.arange(most), side="left").tolist()):
        walk.step(place, count)  # of those that have one more
        times[place], values[place] = walk.time, walk.value
        if place % _LOOK_EACH == 0 and (walk.at > last[order]).any():
            break
    if (walk.at > last[order]).any():
        raise ValueError("a chunk ends within a sample")
    back = np.empty_like(order)
    back[order] = np.arange(order.size)
    is_there = np.arange(most) < counts[:, None]
    return counts, times.T[back][is_there], values.T[back][is_there].view(np.float64)


class _Bits:
    """A row of bits, read at many places at once."""

    def __init__(self, data: bytes) -> None:
        padded = data + bytes(_PAD_BYTES - len(data) % _BYTE)
        self._words: Words = np.frombuffer(padded, ">u8").astype(np.uint64)

    def word(self, at: Words) -> Words:
        """The 64 bits that come at each place."""
        place, inside = (at >> _U[6]).view(np.int64), at & _U[_WORD - 1]
        found: Words = self._words.take(place)
        found <<= inside
        place += 1
        rest = self._words.take(place)
        rest >>= _U[1]  # in two steps: of a word that is read from its first bit on, nothing is left
        rest >>= _U[_WORD - 1] - inside
        found |= rest
        return found


class _Walk:
    """Where each chunk has come to, sample by sample."""

    def __init__(self, bits: _Bits, at: Words) -> None:
        self._bits, self.at = bits, at
        self.time, self._apart = np.zeros(at.size, np.int64), np.zeros(at.size, np.int64)
        self.value = np.zeros(at.size, np.uint64)
        self._trailing, self._size = np.zeros(at.size, np.uint64), np.ones(at.size, np.uint64)

    def step(self, place: int, count: int) -> None:
        """The next sample of the first so many chunks."""
        at = self.at[:count]
        if place == 0:
            number = self._varint(count).view(np.uint64)
            self.time[:count] = (number >> _U[1]).view(np.int64) ^ -(number & _U[1]).view(np.int64)
            self.value[:count] = self._bits.word(at)
            at += _U[_WORD]
            return
        if place == 1:
            self._apart[:count] = self._varint(count)
            head = self._bits.word(at)
        else:
            head = self._change(count)
        self.time[:count] += self._apart[:count]
        self._differ(count, head)

    def _varint(self, count: int) -> Ints:
        """Seven bits a byte, the lowest first, until one without the eighth."""
        found, at, open_ = np.zeros(count, np.int64), self.at[:count], np.ones(count, bool)
        for shift in range(0, _WORD, _BYTE - 1):
            byte = (self._bits.word(at) >> _U[_WORD - _BYTE]).view(np.int64)
            found |= np.where(open_, (byte & 0x7F) << shift, 0)
            at += np.where(open_, _U[_BYTE], _U[0])
            open_ &= byte >= 0x80
            if not open_.any():
                break
        return found

    def _change(self, count: int) -> Words:
        """What changed in the distance; then the bits that follow it, one less than a word."""
        at = self.at[:count]
        head = self._bits.word(at)
        at += _U[1]
        places = np.flatnonzero(head.view(np.int64) < 0)  # the others go on as before
        head <<= _U[1]
        if places.size:
            own = self._bits.word(at[places] - _U[1])
            kind = (own >> _U[_WORD - 4]).view(np.int64)
            prefix, size = _PREFIX[kind], _CHANGE[kind]
            bits = self._bits.word(at[places] + prefix - _U[1]) >> (_U[_WORD] - size)
            signed, half = bits.view(np.int64), np.left_shift(_U[1], size - _U[1])
            self._apart[places] += np.where(bits > half, signed - (half << _U[1]).view(np.int64), signed)
            at[places] += prefix + size - _U[1]
            head[places] = self._bits.word(at[places])
        return head

    def _differ(self, count: int, head: Words) -> None:
        """The bits of the value that changed: none, some where the last ones did, or some elsewhere."""
        at, size, trailing = self.at[:count], self._size[:count], self._trailing[:count]
        kind = (head >> _U[_WORD - 2]).view(np.int64)  # 0 and 1: none; 2: where the last ones did; 3: elsewhere
        places = np.flatnonzero(kind == 3)
        if places.size:
            own = head[places]
            bits = (own >> _U[51]) & _U[0x3F]
            bits[bits == 0] = _WORD
            leading = (own >> _U[57]) & _U[0x1F]
            size[places], trailing[places] = bits, np.maximum(_WORD - (leading + bits).view(np.int64), 0)
        control, changed = _CONTROL.take(kind), size * _CHANGES.take(kind)
        head <<= control
        far = np.flatnonzero(control + changed > _U[_WORD - 1])  # their bits do not end in this word
        if far.size:
            head[far] = self._bits.word(at[far] + control[far])
        head >>= _U[_WORD] - changed
        head <<= trailing
        self.value[:count] ^= head
        at += control
        at += changed
