"""What a run is usually like where nobody says: its count, its batch, the stack that trains it."""

from __future__ import annotations

import math

from footprint.catalog import Catalog
from footprint.units import S_PER_H

USUAL_MFU, FEWEST_USUAL, MOST_USUAL = 2 / 5, 8, 16_384
"""For a count that nobody gives: a usual MFU, a node, and the most devices of a published run."""
VENDOR_STACKS = {
    "nvidia": (("nemo", "megatron-bridge", "megatron-lm", "megatron-core", "transformer engine"), 2024),
    "google": (("maxtext", "paxml"), 0),
}
"""Device makers' own frameworks, and the year from which on: NVIDIA's use Transformer Engine by default since 2024."""


def usual_batch_tokens(accelerator_count: float, seq_len: float, count_known: bool, catalog: Catalog) -> float:
    """Tokens of a step where none are given: four million, more on many devices, and a sequence at least.

    Where the count is unknown too, the batch is taken to keep that many devices busy.
    """
    fewest, each = catalog.constant("global_batch_tokens").mid, catalog.constant("tokens_per_accelerator")
    return max(fewest, (each.mid if count_known else each.high) * accelerator_count, seq_len)


def is_vendor_stack(framework: str, vendor: str, year: float) -> bool:
    """Whether a framework is the device maker's own, with its low-level kernels."""
    names, since = VENDOR_STACKS.get(vendor, ((), 0))
    return year >= since and any(name in framework.casefold() for name in names)


def usual_count(flop: float, reference_flop_per_s: float, catalog: Catalog) -> float:
    """Devices of a run where none are given: as many, in powers of two, as end it in the time that such runs take."""
    hours = flop / (reference_flop_per_s * USUAL_MFU * S_PER_H)
    count = hours / catalog.constant("wall_clock_h").mid
    return min(max(2.0 ** math.floor(math.log2(max(count, 1.0))), FEWEST_USUAL), MOST_USUAL)


def has_vendor_stack(vendor: str, year: float) -> bool:
    """Whether the device maker had a training stack of its own by then: what a well-tuned run is taken to use."""
    return vendor in VENDOR_STACKS and year >= VENDOR_STACKS[vendor][1]
