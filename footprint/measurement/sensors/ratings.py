"""What a processor is rated at, found by its name however the kernel, a cloud or a hypervisor writes it.

A row of data/processors.csv for the part comes first, then the table of the installed codecarbon, read by path
(importing it would start NVML), then the processor's generation by what it says of itself, then its family by how
the name begins, and for what nobody knows a rating by its threads.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from footprint.catalog import Catalog, Row
from footprint.values import Range

__all__ = ["Rating", "folded", "rating"]

CODECARBON = "data/hardware/cpu_power.csv"
MOST_TDP_W = 2000.0
"""No socket comes near: a larger number in a foreign table is a mistake."""

_MARKS = re.compile(r"\((?:r|tm|c)\)|[®™]")
_NOISE = re.compile(
    r"\([^)]*\)|\s@.*|@.*|\bwith\b.*|\bw/.*|,.*|\b\d+(?:st|nd|rd|th) gen(?:eration)?\b"
    r"|\b(?:\d+|dual|triple|quad|six|eight|twelve|sixteen)-core\b|\b(?:cpu|processor|series|chip)\b"
)


@dataclass(frozen=True, slots=True)
class Rating:
    """Watts that a socket is rated at, and its threads where somebody knows them."""

    tdp_w: float
    true_over_rated_ratio: Range  # 1 where the part is known
    threads_count: int | None
    is_known: bool  # the part itself, not its kin
    source: str


def folded(name: str) -> str:
    """A processor's name in small letters, without marks, clock, core count and fillers."""
    return " ".join(_NOISE.sub(" ", _MARKS.sub(" ", name.casefold())).split()).rstrip(" -_")


def rating(name: str, identity: str, threads_count: int, catalog: Catalog) -> Rating:
    """The rating of one socket.

    Parameters
    ----------
    name : as the kernel writes it; may be empty
    identity : vendor, family and model as in `host.Processor`
    threads_count : that this host sees; what an unknown processor is rated by
    catalog : for data/processors.csv and the rating of a thread
    """
    rows = catalog.rows("processors")
    key = folded(name)
    kin = _generation(identity, rows) or _named(key, "generation", rows) or _family(key, rows)
    part = _named(key, "part", rows)
    if part is not None:
        return _of_row(part, is_known=True)
    tdp_w = codecarbon_tdp_w(key)
    if tdp_w is not None:
        threads = None if kin is None else _of_row(kin, is_known=False).threads_count
        return Rating(tdp_w, Range.exactly(1.0), threads, True, f"codecarbon {CODECARBON}")
    if kin is not None:
        return _of_row(kin, is_known=False)
    a_thread = catalog.constant("cpu_thread_w")
    ratio = Range(a_thread.low / a_thread.mid, 1.0, a_thread.high / a_thread.mid)
    source = f"constants.csv, cpu_thread_w: {a_thread.mid:g} W for each of {threads_count} threads"
    return Rating(a_thread.mid * threads_count, ratio, threads_count, False, source)


def _of_row(row: Row, is_known: bool) -> Rating:
    low, tdp_w, high = (float(row[name] or 0) for name in ("tdp_low_w", "tdp_w", "tdp_high_w"))
    threads = int(float(row["threads_count"] or 0)) or None
    source = f"processors.csv, {row['id']} ({row['provenance']})"
    return Rating(tdp_w, Range(low / tdp_w, 1.0, high / tdp_w), threads, is_known, source)


def _named(key: str, kind: str, rows: tuple[Row, ...]) -> Row | None:
    return next((row for row in rows if row["kind"] == kind and row["id"] == key), None)


def _generation(identity: str, rows: tuple[Row, ...]) -> Row | None:
    if not identity:
        return None
    return next((row for row in rows if identity in str(row["cpuinfo"] or "").split(";")), None)


def _family(key: str, rows: tuple[Row, ...]) -> Row | None:
    """The row whose id begins a name, at a word's end; the longest of several."""
    begins = [row for row in rows if row["kind"] == "family" and re.match(rf"{re.escape(str(row['id']))}\b", key)]
    return max(begins, key=lambda row: len(str(row["id"])), default=None)


def codecarbon_tdp_w(key: str) -> float | None:
    """The rating that codecarbon's table has for a folded name, None for none or for what is no number there."""
    telling = max((word for word in key.split() if any(c.isdigit() for c in word)), key=len, default="")
    if not telling:
        return None
    for line in _codecarbon_lines():
        if telling in line:
            listed, _, watts = line.rpartition(",")
            if folded(listed.strip('"')) == key and (tdp_w := _watts(watts)) is not None:
                return tdp_w
    return None


def _watts(cell: str) -> float | None:
    try:
        watts = float(cell)
    except ValueError:
        return None
    return watts if 0 < watts < MOST_TDP_W and math.isfinite(watts) else None


@lru_cache(maxsize=1)
def _codecarbon_lines() -> tuple[str, ...]:
    """The table's lines in small letters; empty where it is not installed or lies elsewhere."""
    spec = find_spec("codecarbon")
    if spec is None or not spec.submodule_search_locations:
        return ()
    try:
        text = (Path(spec.submodule_search_locations[0]) / CODECARBON).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    return tuple(text.casefold().splitlines())
