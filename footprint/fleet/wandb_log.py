"""Weights & Biases' own file of a run, `run-*.wandb`: records in blocks of 32 KiB, each a protocol buffer.

The blocks are those of LevelDB's log; of the buffers only a few fields are read, by their numbers. Neither needs a
package. What is torn at the end, as a killed run leaves it, is passed over.

References
----------
.. [1] github.com/google/leveldb, doc/log_format.md; protobuf.dev, encoding; wandb 0.31, wandb_internal.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from footprint.errors import DataError
from footprint.fleet import varints
from footprint.units import S_PER_NS

__all__ = ["MAGIC", "Value", "fields", "first", "records", "seconds", "text"]

MAGIC = b":W&B"
_HEADER_BYTES, _BLOCK_BYTES = 7, 32768
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST_RECORD_BYTES = 2**28

Value = int | bytes


def records(path: Path) -> Iterator[bytes]:
    """Each record's bytes, in order.

    Raises
    ------
    DataError
        When the file cannot be read or begins otherwise.
    """
    try:
        with path.open("rb") as file:
            block = file.read(_BLOCK_BYTES)
            if not block.startswith(MAGIC):
                raise DataError(path, None, None, "is no .wandb file: it does not begin with :W&B")
            place, whole = _HEADER_BYTES, bytearray()
            while block:
                for kind, piece in _pieces(block, place):
                    if kind in (_FULL, _FIRST):
                        whole.clear()
                    whole += piece
                    if kind in (_FULL, _LAST):
                        yield bytes(whole)
                        whole.clear()
                    elif len(whole) > _MOST_RECORD_BYTES:
                        whole.clear()
                block, place = file.read(_BLOCK_BYTES), 0
    except OSError as error:
        raise DataError(path, None, None, f"cannot be read ({error.strerror or error})") from error


def _pieces(block: bytes, place: int) -> Iterator[tuple[int, bytes]]:
    """A block's pieces; what follows one that cannot be is left out."""
    while place + _HEADER_BYTES <= len(block):
        _, length, kind = struct.unpack_from("<IHB", block, place)
        place += _HEADER_BYTES
        if not _FULL <= kind <= _LAST or place + length > len(block):
            return
        yield kind, block[place : place + length]
        place += length


def fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """A buffer's fields by number: whole numbers, and bytes of what is text or a buffer itself; a torn end is left."""
    place = 0
    with suppress(ValueError):
        while place < len(data):
            key, place = varints.read(data, place)
            kind = key & 7
            if kind == _VARINT:
                value, place = varints.read(data, place)
                yield key >> 3, value
            elif kind == _BYTES:
                length, place = varints.read(data, place)
                if place + length > len(data):
                    return
                yield key >> 3, data[place : place + length]
                place += length
            elif kind in (_FIXED64, _FIXED32):
                place += 8 if kind == _FIXED64 else 4
            else:
                return


def first(data: bytes, number: int) -> bytes:
    """The bytes of a field; none where it is not there."""
    return next((value for found, value in fields(data) if found == number and isinstance(value, bytes)), b"")


def text(data: bytes, number: int) -> str:
    """A field's text."""
    return first(data, number).decode("utf-8", "replace")


def seconds(data: bytes) -> float | None:
    """A timestamp: seconds and nanoseconds in UTC."""
    told = {number: value for number, value in fields(data) if isinstance(value, int)}
    return told[1] + told.get(2, 0) * S_PER_NS if 1 in told else None
