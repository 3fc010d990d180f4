"""Samples as the numbers of a journal's lines."""

from __future__ import annotations

import json
from collections.abc import Sequence

from footprint.units import MILLIJOULES_PER_J
from footprint.values import Sample

__all__ = ["counts_as_samples", "numbers", "packed"]


def counts_as_samples(at_s: float, meters: Sequence[str], counted_mj: Sequence[int]) -> tuple[Sample, ...]:
    """Counters that were read alone."""
    return tuple([Sample(m, at_s, mj / MILLIJOULES_PER_J) for m, mj in zip(meters, counted_mj, strict=True)])


def packed(place: int, sample: Sample, at_s: float) -> list[float | None]:
    """[meter, seconds after the line, joules, watts, utilization, staleness, attributed share], empty ends cut."""
    packed = [place, round(sample.at_s - at_s, 6), sample.energy_j, sample.power_w, sample.utilization]
    if sample.stale_s is not None or sample.attributed_share is not None:
        packed += sample.stale_s, sample.attributed_share
    while packed[-1] is None:
        packed.pop()
    return packed


def numbers(rows: list[list[float | None]]) -> str:
    """As JSON. Python writes lists of numbers in the same way, at a fifth of the cost; but not numbers that are none,
    nor those of other libraries, whose names show."""
    text = repr(rows).replace(" ", "").replace("None", "~")
    if "n" in text:
        return json.dumps(rows, separators=(",", ":"))
    return text.replace("~", "null")
