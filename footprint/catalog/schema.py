"""Which tables there are, what identifies a row, which columns are numbers and within which bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from footprint.units import unit_of

__all__ = [
    "ABOVE_ZERO",
    "INTEGERS",
    "MEASURES",
    "PROVENANCES",
    "REQUIRED",
    "TABLES",
    "Cell",
    "Key",
    "Row",
    "bounds",
    "is_number",
]

Cell = str | int | float | None
Row = Mapping[str, Cell]
Key = tuple[str, ...]

# Every table with the columns that identify a row; the shipped file's header is its schema.
TABLES: Mapping[str, Key] = MappingProxyType(
    {
        "accelerators": ("id",),
        "nodes": ("id",),
        "models": ("id",),
        "stages": ("model", "stage"),
        "optimizers": ("id",),
        "development": ("id",),
        "constants": ("id",),
        "grid_open": ("zone", "year", "basis", "scope", "source"),
        "grid_odbl": ("zone", "year", "basis", "scope"),
        "grid_water": ("zone",),
        "grid_marginal": ("zone", "year", "scope"),
        "grid_profiles": ("zone", "year", "month", "hour_utc"),
        "regions": ("id",),
        "region_years": ("id", "year"),
        "facilities": ("operator", "site", "year"),
        "prices": ("id",),
        "electricity": ("area", "kind", "period"),
        "runs": ("id",),
        "scores": ("model_id", "benchmark", "setting"),
        "throughput": ("id",),
        "throughput_rule": ("id",),
        "throughput_unseen": ("id",),
        "throughput_priors": ("id",),
        "ceilings": ("id",),
        "fit_exclusions": ("id",),
        "flop_conventions": ("id",),
        "mlperf": ("id",),
        "power": ("id",),
        "power_rule": ("id",),
        "processors": ("id",),
        "processor_power": ("id",),
        "sensors": ("id",),
        "sources": ("id",),
    }
)
PROVENANCES = ("read", "recalled", "derived")
REQUIRED = ("provenance", "source", "as_of")

# Numeric columns whose name carries no unit of `units.UNITS` and no word of `units.WORDS`.
INTEGERS = frozenset((
    "year", "map_year", "month", "hour_utc", "n_layers", "d_model", "d_ff", "n_heads", "n_kv_heads", "head_dim",
    "vocab", "norms_per_layer", "positions", "n_experts", "experts_per_token", "d_expert", "n_shared_experts",
    "d_shared_expert", "n_dense_layers", "moe_every", "q_rank", "kv_rank", "nope_dim", "rope_dim", "value_dim",
    "window", "window_every", "mtp_depth", "attn_dim", "seq_len", "tp", "pp", "cp", "ep", "dp", "vpp", "zero_stage",
    "micro_batch", "global_batch", "grad_accumulation",
))  # fmt: skip
MEASURES = frozenset((
    "low", "mid", "high", "latitude", "longitude", "score", "process_nm", "die_mm2", "flop_per_param_token",
))  # fmt: skip
ABOVE_ZERO = math.ulp(0.0)
_BOUNDS: Mapping[str, tuple[float, float]] = {
    "latitude": (-90.0, 90.0),
    "longitude": (-180.0, 180.0),
    "month": (1.0, 12.0),
    "hour_utc": (0.0, 23.0),
    "pue": (1.0, math.inf),
    "share": (0.0, 1.0),
    "goodput": (0.0, 1.0),
    "utilization": (0.0, 1.0),
    "tdp_w": (ABOVE_ZERO, math.inf),
    "max_w": (ABOVE_ZERO, math.inf),
    "memory_gb": (ABOVE_ZERO, math.inf),
}


def is_number(column: str) -> bool:
    """Whether the cells of a column are numbers: by its unit, its word, or one of the two lists above."""
    return unit_of(column) is not None or column in INTEGERS or column in MEASURES


def bounds(column: str) -> tuple[float, float]:
    """The lowest and the highest value that a numeric column may hold."""
    return _BOUNDS.get(column) or _BOUNDS.get(column.rsplit("_", 1)[-1]) or (0.0, math.inf)


def is_remark(column: str) -> bool:
    """Whether a column tells where a row comes from rather than what it is: searches pass it over."""
    return (
        column in (*REQUIRED, "note", "caution", "reason")
        or column.startswith("cross_check")
        or column.endswith(("_source", "_basis", "_provenance", "_recalled"))
    )
