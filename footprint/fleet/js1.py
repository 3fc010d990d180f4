"""What jobstats leaves in SLURM's AdminComment: how busy each device of a job was."""

from __future__ import annotations

import base64
import binascii
import json
import math
import zlib
from collections.abc import Iterator
from typing import Any

from footprint.units import PERCENT_PER_SHARE

__all__ = ["MARK", "utilizations"]

MARK = "JS1:"
_NOTHING = ("Short", "None", "")
"""Of a job too short to be seen, or without a node."""

_MOST_BYTES = 1_000_000
_MOST_DEVICES = 100_000
_GZIP = 16 + zlib.MAX_WBITS


def utilizations(comment: str) -> tuple[float, ...]:
    """The mean utilization of each device, 0 to 1; none where the comment is no JS1 or knows no devices.

    Raises
    ------
    ValueError
        When it is one and cannot be read: no base64, no gzip, larger than any real one, no such JSON.
    """
    if not comment.startswith(MARK) or comment.removeprefix(MARK).strip() in _NOTHING:
        return ()
    try:
        content = json.loads(_unpacked(comment.removeprefix(MARK).strip()))
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError("is not JSON") from None
    return tuple(_shares(content))


def _unpacked(told: str) -> bytes:
    try:
        packed = base64.b64decode(told, validate=True)
        stream = zlib.decompressobj(_GZIP)
        found = stream.decompress(packed, _MOST_BYTES)
    except (binascii.Error, ValueError):
        raise ValueError("is not base64") from None
    except zlib.error:
        raise ValueError("is not gzip") from None
    if stream.unconsumed_tail:
        raise ValueError(f"unpacks to more than {_MOST_BYTES} bytes")
    if not stream.eof:
        raise ValueError("is cut short")
    return found


def _shares(content: Any) -> Iterator[float]:
    nodes = content.get("nodes") if isinstance(content, dict) else None
    if not isinstance(nodes, dict):
        raise ValueError("has no nodes")
    count = 0
    for node in nodes.values():
        used = node.get("gpu_utilization", {}) if isinstance(node, dict) else None
        if not isinstance(used, dict):
            raise ValueError("has a node without a table of devices")
        for percent in used.values():
            count += 1
            if isinstance(percent, bool) or not isinstance(percent, int | float) or not math.isfinite(percent):
                raise ValueError("has a utilization that is no number")
            if not 0 <= percent <= PERCENT_PER_SHARE or count > _MOST_DEVICES:
                raise ValueError(
                    "has a utilization that is no percentage" if count <= _MOST_DEVICES else "has too many"
                )
            yield percent / PERCENT_PER_SHARE
