"""What steady throughput depends on: the shape that is trained, the devices and their links, the batch."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np

from footprint.catalog import Catalog
from footprint.catalog.peaks import generation_of, peak_flop_per_s, reference_peak
from footprint.units import BITS_PER_BYTE, BYTES_PER_GB, BYTES_PER_GIB, Quantity
from footprint.values import Accelerator

LOW_PRECISIONS = ("fp8", "fp4", "int8")
USUAL_HEAD_DIM, USUAL_ASPECT, USUAL_FFN = 128, 128, 4
"""Of a model known by its size alone: head width, d_model over layers, d_ff over d_model (12 L h^2 parameters)."""
USUAL_EXPERTS_PER_TOKEN = 8
FFN_MATRICES = 3
"""Of a gated FFN."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What is trained; floats or arrays of one length. `ffn_dim` is the width of one expert, or of the FFN."""

    n_layers: Quantity
    d_model: Quantity
    ffn_dim: Quantity
    attention_dim: Quantity
    n_heads: Quantity
    kv_dim: Quantity
    vocab: Quantity
    n_experts: Quantity  # 1 for a dense model
    experts_per_token: Quantity
    params: Quantity
    matmul_params: Quantity  # of the experts that one token passes
    attention_flop: Quantity  # training, causal, per token
    seq_len: Quantity


@dataclass(frozen=True, slots=True)
class Hardware:
    """What it runs on: rates per device and direction."""

    reference_flop_per_s: Quantity  # dense, 16 bits
    peak_flop_per_s: Quantity  # dense, at the precision in use
    is_low_precision: Quantity
    memory_bytes: Quantity
    memory_bytes_per_s: Quantity
    link_bytes_per_s: Quantity
    domain_count: Quantity  # devices that the fast links join
    network_bytes_per_s: Quantity
    ceiling_share: Quantity  # of the peak, reached by large products
    generation_ratio: Quantity  # calibrated


@dataclass(frozen=True, slots=True)
class Setting:
    """A shape on a number of devices with a batch, and how its states are kept."""

    shape: Shape
    hardware: Hardware
    accelerator_count: Quantity
    global_batch_tokens: Quantity
    software_year: Quantity
    is_vendor_stack: Quantity  # the device maker's own training stack
    weights_bytes: Quantity  # per parameter
    gradients_bytes: Quantity
    states_bytes: Quantity


@lru_cache(maxsize=512)
def hardware_of(
    accelerator: Accelerator, precision: str, generation_ratio: float, catalog: Catalog, node: str | None = None
) -> Hardware:
    """Rates of a device; what the catalog does not have is filled from constants.csv.

    The network is that of `node` (an id of nodes.csv), or else the fastest of any node that carries the device.

    Raises
    ------
    InputError
        When the device has no peak at this precision.
    """
    _, reference = reference_peak(accelerator)
    rates = {
        str(row["id"]): float(row["network_gbit_per_s"]) / int(row["accelerator_count"] or 1)
        for row in catalog.rows("nodes")
        if row["accelerator"] == accelerator.id and row["network_gbit_per_s"]
    }
    fastest = max(rates.values(), default=catalog.constant("network_gbit_per_s").mid)
    network = rates.get(node or "", fastest)
    link = accelerator.link_gb_per_s or catalog.constant("link_gb_per_s").mid
    return Hardware(
        reference_flop_per_s=reference,
        peak_flop_per_s=peak_flop_per_s(accelerator, precision),
        is_low_precision=float(precision in LOW_PRECISIONS),
        memory_bytes=accelerator.memory_gb * BYTES_PER_GIB,
        memory_bytes_per_s=(accelerator.memory_bandwidth_gb_per_s or 0.0) * BYTES_PER_GB,
        link_bytes_per_s=link * BYTES_PER_GB,
        domain_count=float(accelerator.link_domain_count or accelerator.per_node),
        network_bytes_per_s=min(network * BYTES_PER_GB / BITS_PER_BYTE, link * BYTES_PER_GB),
        ceiling_share=ceiling_share(accelerator, catalog),
        generation_ratio=generation_ratio,
    )


@lru_cache(maxsize=512)
def ceiling_share(accelerator: Accelerator, catalog: Catalog) -> float:
    """Largest share of the dense peak that one product reached: measured on the device, on its kin, or the median."""
    rows = {str(row["id"]): float(row["ceiling_share"]) for row in catalog.rows("ceilings")}  # type: ignore[arg-type]
    for name in (accelerator.id, generation_of(accelerator)):
        if name in rows:
            return rows[name]
    return statistics.median(rows.values())


def shape_of_size(params: Quantity, active_params: Quantity, vocab: float, seq_len: Quantity) -> Shape:
    """A usual decoder of so many parameters: 12 L h^2, h = 128 L; with more than the active ones, a mixture of experts.

    Experts per token are taken as eight, so their number follows from the ratio of all to active parameters.
    """
    total, active = np.asarray(params, float), np.asarray(active_params, float)
    per_layer_cube = 4 * USUAL_ASPECT**2 + 2 * USUAL_FFN * USUAL_ASPECT**2  # attention 4 h^2, plain FFN 2 x 4 h^2
    layers = np.maximum(np.round((active / per_layer_cube) ** (1 / 3)), 1.0)
    width = np.sqrt(active / (layers * (4 + 2 * USUAL_FFN)))
    is_moe = total > active * (1 + 1 / USUAL_EXPERTS_PER_TOKEN)
    per_token = np.where(is_moe, USUAL_EXPERTS_PER_TOKEN, 1.0)
    experts = np.where(is_moe, np.round(per_token * total / active), 1.0)
    return Shape(
        n_layers=layers,
        d_model=width,
        ffn_dim=USUAL_FFN * width / per_token,
        attention_dim=width,
        n_heads=np.maximum(width / USUAL_HEAD_DIM, 1.0),
        kv_dim=width,
        vocab=vocab,
        n_experts=experts,
        experts_per_token=per_token,
        params=total,
        matmul_params=active,
        attention_flop=6 * layers * width * seq_len,
        seq_len=seq_len,
    )


def at(record: Any, index: Any) -> Any:
    """A record of arrays (records inside too) with every array taken at an index; floats stay."""
    return _mapped(record, lambda value: value[index] if getattr(value, "ndim", 0) else value)


def _mapped(record: Any, change: Any) -> Any:
    changes = {}
    for field in fields(record):
        value = getattr(record, field.name)
        changes[field.name] = _mapped(value, change) if hasattr(value, "__dataclass_fields__") else change(value)
    return replace(record, **changes)


def scalars(record: Any) -> Any:
    """A record with every number as a plain float: it can be compared and remembered."""
    return _mapped(record, float)


def broadcast(record: Any, shape: tuple[int, ...]) -> Any:
    """A record with every number as an array of a shape."""
    return _mapped(record, lambda value: np.broadcast_to(np.asarray(value, float), shape))


def stacked(records: list[Any]) -> Any:
    """Records of floats as one record of arrays."""
    first, values = records[0], {}
    for field in fields(first):
        column = [getattr(record, field.name) for record in records]
        nested = hasattr(column[0], "__dataclass_fields__")
        values[field.name] = stacked(column) if nested else np.array([float(v) for v in column])
    return replace(first, **values)
