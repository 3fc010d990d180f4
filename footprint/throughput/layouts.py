"""The parallel layouts of a setting: which fit in memory, and which of them is fastest."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from footprint.formulas import memory
from footprint.throughput.setting import Setting, at, broadcast
from footprint.throughput.steady import (
    MATURE_SOFTWARE,
    Constants,
    Layouts,
    domain_replicas,
    local_params,
    mfu,
    replicas,
    shards_within_domain,
)
from footprint.units import Quantity

CHOICES: Mapping[str, tuple[int, ...]] = {
    "tensor": (1, 2, 4, 8),
    "pipeline": (1, 2, 4, 8, 16),
    "context": (1, 2, 4, 8, 16),
    "expert": (1, 4, 8, 16, 32, 64),
    "micro_batch": (1, 2, 4, 8, 16),
    "zero_stage": (1, 3),
}
"""What is searched, unless fixed: powers of two, tensor parallelism within eight devices."""
MOST_CHUNKS = 8
"""Groups of layers that a pipeline stage interleaves, where nothing is said."""
SHORTEST_SLICE = 2048
"""Tokens of a sequence that a device keeps under context parallelism, at least."""
RECOMPUTED_STEPS = 8
"""Recomputation is searched in eighths of the layers."""

Bools = NDArray[np.bool_]


@lru_cache(maxsize=64)
def grid(fixed: tuple[tuple[str, float], ...] = ()) -> Layouts:
    """All combinations of the choices, or of the fixed ones; chunks and recomputation follow later (NaN)."""
    told = dict(fixed)
    lists = [(told[name],) if name in told else choices for name, choices in CHOICES.items()]
    found = np.array(list(itertools.product(*lists)), float).T
    rest = {name: np.full(found.shape[1], told.get(name, np.nan)) for name in ("chunks", "recomputed_share")}
    layouts = Layouts(**dict(zip(CHOICES, found, strict=True)), **rest)
    if "zero_stage" in told:
        return layouts
    return layouts[(layouts.zero_stage < 3) | (layouts.pipeline == 1)]


def possible(setting: Setting, layouts: Layouts, fixed: Mapping[str, float]) -> Bools:
    """Layouts that the shape and the devices allow, whatever the memory; a setting of floats."""
    shape, count = setting.shape, setting.accelerator_count
    data = count / (layouts.tensor * layouts.pipeline * layouts.context)
    allowed: Bools = data >= 1
    free = {
        "tensor": layouts.tensor <= max(shape.n_heads, 1),
        "pipeline": layouts.pipeline <= shape.n_layers,
        "expert": (layouts.expert <= shape.n_experts) & (layouts.expert <= np.maximum(data * layouts.context, 1)),
        "context": (layouts.context == 1) | (shape.seq_len / layouts.context >= SHORTEST_SLICE),
        "micro_batch": (layouts.micro_batch == 1)
        | (data * layouts.micro_batch * shape.seq_len <= setting.global_batch_tokens),
    }
    for name, is_possible in free.items():
        if name not in fixed:
            allowed = allowed & is_possible
    return allowed


def filled(setting: Setting, layouts: Layouts, usable_share: float) -> tuple[Layouts, Bools, NDArray[np.float64]]:
    """Layouts with chunks and the least recomputation that fits, whether they fit, and the bytes that they take.

    Before recomputation by parts (arXiv 2205.05198, May 2022) stacks recomputed whole layers, all of them.
    """
    shape = setting.shape
    usual = np.where(layouts.pipeline > 1, np.clip(np.floor(shape.n_layers / layouts.pipeline), 1, MOST_CHUNKS), 1)
    chunks = np.where(np.isnan(layouts.chunks), usual, layouts.chunks)
    layouts = Layouts(*(chunks if f.name == "chunks" else getattr(layouts, f.name) for f in fields(layouts)))
    full, plain = _device_bytes(setting, layouts)
    room = usable_share * setting.hardware.memory_bytes
    needed = np.clip((plain - room) / np.maximum(plain - full, 1.0), 0, 1)
    needed = np.ceil(needed * RECOMPUTED_STEPS - 1e-9) / RECOMPUTED_STEPS + 0.0  # no negative zero
    needed = np.where(setting.software_year < MATURE_SOFTWARE, 1.0, needed)
    share = np.where(np.isnan(layouts.recomputed_share), needed, layouts.recomputed_share)
    layouts = Layouts(*(share if f.name == "recomputed_share" else getattr(layouts, f.name) for f in fields(layouts)))
    taken = plain - share * (plain - full)
    return layouts, taken <= room * (1 + 1e-9), taken


def _device_bytes(setting: Setting, layouts: Layouts) -> tuple[Quantity, Quantity]:
    """Bytes of the fullest device with full recomputation, and with none."""
    shape = setting.shape
    data = replicas(setting, layouts)
    shared = data * layouts.context
    copies = np.where(shape.n_experts > 1, np.maximum(shared / layouts.expert, 1.0), shared)
    sharded = layouts.zero_stage > 2
    within = shards_within_domain(setting, layouts)
    shards = np.where(within, np.minimum(copies, domain_replicas(setting, layouts)), copies)
    held = local_params(setting, layouts)
    states = memory.device_state_bytes(
        held, setting.weights_bytes, setting.gradients_bytes, setting.states_bytes,
        np.where(sharded, shards, 1.0), np.where(sharded, shards, np.where(layouts.zero_stage > 0, copies, 1.0)),
    )  # fmt: skip
    tokens = layouts.micro_batch * shape.seq_len / layouts.context
    ffn = shape.ffn_dim * shape.experts_per_token
    flight = layouts.pipeline * np.where(
        layouts.chunks > 1, 1 + (layouts.pipeline - 1) / (layouts.pipeline * layouts.chunks), 1
    )
    layers = shape.n_layers / layouts.pipeline * flight
    logits = memory.logits_bytes(tokens, shape.vocab, layouts.tensor) / np.where(layouts.pipeline > 1, 2, 1)
    bare = states + logits
    early = setting.software_year < MATURE_SOFTWARE
    scores, repeated = early * shape.n_heads * shape.seq_len, early * shape.d_model
    full, plain = (
        bare
        + memory.device_activation_bytes(tokens, shape.d_model, ffn, layouts.tensor, layers, share, scores, repeated)
        for share in (1.0, 0.0)
    )
    return full, plain


def candidates(
    setting: Setting, fixed: Mapping[str, float], usable_share: float
) -> tuple[Layouts, NDArray[np.float64], bool]:
    """Layouts of one setting that fit, their bytes, and whether any did; else all, as if states could be offloaded.

    Parameters
    ----------
    setting : of floats
    fixed : parts of the layout that are given, by name; they are not questioned
    usable_share : of a device's memory
    """
    found = grid(tuple(sorted(fixed.items())))
    allowed = possible(setting, found, fixed)
    found = found[allowed] if allowed.any() else found
    layouts, fits, taken = filled(setting, found, usable_share)
    if fits.any():
        return layouts[fits], taken[fits], True
    return layouts, taken, False


def fastest(
    setting: Setting, fixed: Mapping[str, float], usable_share: float, constants: Constants
) -> tuple[Layouts, float, float, bool]:
    """The fastest layout of one setting: itself (arrays of length one), its MFU, its bytes, whether it fits."""
    layouts, taken, fits = candidates(setting, fixed, usable_share)
    reached = mfu(broadcast(setting, taken.shape), layouts, constants)
    best = int(np.argmax(reached))
    return layouts[best : best + 1], float(reached[best]), float(taken[best]), fits


def fastest_of_many(
    setting: Setting, fixed: Mapping[str, float], usable_share: float, constants: Constants
) -> NDArray[np.float64]:
    """MFU of the fastest layout of each of many settings (arrays of one length)."""
    count = len(setting.accelerator_count)
    own = [candidates(at(setting, i), fixed, usable_share)[0] for i in range(count)]
    rows = np.repeat(np.arange(count), [len(one.tensor) for one in own])
    layouts = joined(own)
    reached = mfu(at(setting, rows), layouts, constants)
    starts = np.searchsorted(rows, np.arange(count))
    return np.maximum.reduceat(reached, starts)


def joined(layouts: list[Layouts]) -> Layouts:
    """Layouts of several settings in one row."""
    return Layouts(*(np.concatenate([getattr(one, f.name) for one in layouts]) for f in fields(Layouts)))
