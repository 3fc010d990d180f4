"""From a table's row to the value that the other rooms read."""

from __future__ import annotations

from footprint.catalog.schema import REQUIRED, Row
from footprint.errors import InputError
from footprint.units import FLOP_PER_TFLOP
from footprint.values import Accelerator, Node, Range

__all__ = ["PRECISIONS", "accelerator_of", "node_of", "number", "text"]

PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "fp8", "fp4")


def text(row: Row, column: str) -> str:
    """A cell as text, empty for an empty one."""
    value = row[column]
    return "" if value is None else str(value)


def number(row: Row, column: str) -> float | None:
    """A numeric cell, None for an empty one."""
    value = row[column]
    return None if value is None else float(value)


def accelerator_of(row: Row) -> Accelerator:
    """The record of a row of accelerators.csv; raises InputError where it lacks TDP or memory."""
    for column in ("tdp_w", "memory_gb"):
        if row[column] is None:
            fix = "its vendor publishes none; give a row of your own in accelerators.csv (FOOTPRINT_DATA)"
            raise InputError("accelerator", row["id"], f"has no {column}", fix)
    peaks = ((p, number(row, f"peak_{p}_dense_tflop_per_s")) for p in PRECISIONS)
    embodied = [number(row, f"embodied_{end}kgco2e") for end in ("low_", "", "high_")]
    low, mid, high = (embodied[i] if embodied[i] is not None else embodied[1] for i in range(3))
    return Accelerator(
        id=text(row, "id"),
        name=text(row, "name"),
        vendor=text(row, "vendor"),
        generation=text(row, "generation"),
        memory_gb=float(row["memory_gb"] or 0),
        tdp_w=float(row["tdp_w"] or 0),
        per_node=int(row["per_node_count"] or 1),
        peak_flop_per_s=tuple((p, float(round(peak * FLOP_PER_TFLOP))) for p, peak in peaks if peak is not None),
        idle_w=number(row, "idle_w"),
        link_gb_per_s=number(row, "link_gb_per_s"),
        link_domain_count=None if row["link_domain_count"] is None else int(row["link_domain_count"]),
        memory_bandwidth_gb_per_s=number(row, "memory_bandwidth_gb_per_s"),
        embodied_kgco2e=None if low is None or mid is None or high is None else Range(low, mid, high),
        launch_price_usd=number(row, "launch_price_usd"),
        released=text(row, "released"),
        form_factor=text(row, "form_factor"),
        **_origin(row),
    )


def _origin(row: Row) -> dict[str, str]:
    return {column: text(row, column) for column in REQUIRED}


def node_of(row: Row) -> Node:
    """The record of a row of nodes.csv that has max_w and idle_w."""
    return Node(
        id=text(row, "id"),
        name=text(row, "name"),
        accelerator=text(row, "accelerator"),
        accelerator_count=int(row["accelerator_count"] or 1),
        max_w=float(row["max_w"] or 0),
        idle_w=float(row["idle_w"] or 0),
        training_w=number(row, "training_w"),
        embodied_host_kgco2e=number(row, "embodied_host_kgco2e"),
        network_gbit_per_s=number(row, "network_gbit_per_s"),
        **_origin(row),
    )
