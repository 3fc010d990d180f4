"""Measured configurations as settings: what steady throughput is calibrated on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from footprint.catalog import Catalog, Row
from footprint.catalog.peaks import generation_of
from footprint.throughput.setting import (
    FFN_MATRICES,
    USUAL_HEAD_DIM,
    Setting,
    Shape,
    hardware_of,
    shape_of_size,
    stacked,
)
from footprint.throughput.steady import model_flop_per_token
from footprint.throughput.usual import is_vendor_stack, usual_batch_tokens
from footprint.units import FLOP_PER_TFLOP

Array = NDArray[np.float64]

UNFIT_FLAGS = (
    "proxy", "inconsistent", "not decoder", "model uncertain", "check", "repeat", "hybrid", "not filled",
    "device assumed", "power cap",
)  # fmt: skip
PRECISIONS = {"nvfp4": "fp4"}
"""Names of measured precisions under which the devices' peaks stand elsewhere."""
USUAL_VOCAB = 50_000
UNSTATED_COUNT = 64
USUAL_SEQ_LEN = 2_048
"""Of measured rows that do not say: those of the older tables."""
MLPERF = "mlperf"
TRAINING_BYTES = {"weights_bytes": 2.0, "gradients_bytes": 2.0, "states_bytes": 12.0}
"""Adam in mixed precision at its leanest (ZeRO, arXiv 1910.02054)."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Settings as arrays, what they reached, and what is left out together; `stated` are layouts as far as known."""

    settings: Setting
    log_mfu: Array  # over the 16-bit dense peak, causal attention
    weight: Array
    group: tuple[str, ...]
    labels: tuple[str, ...]
    generation: tuple[str, ...]
    is_moe: NDArray[np.bool_]
    stated: tuple[Mapping[str, float], ...]
    rows: tuple[Row, ...]

    def without(self, group: str) -> NDArray[np.bool_]:
        """Which rows belong to other groups."""
        others: NDArray[np.bool_] = np.array(self.group) != group
        return others


def causal_mfu(row: Row) -> float:
    """A row's MFU with causal attention, over the 16-bit peak; 0 where it states none.

    Where only the full-attention figure is known, it is scaled by (6 N + 6 L d s) / (6 N + 12 L d s).
    """
    if row["std_causal_mfu"] or not row["fit_mfu"]:
        return float(row["std_causal_mfu"] or 0.0)
    shape = [row[name] for name in ("matmul_params", "n_layers", "attn_dim", "seq_len")]
    if None in shape:
        return float(row["fit_mfu"])
    params, layers, width, length = (float(value) for value in shape)  # type: ignore[arg-type]
    core = layers * width * length
    return float(row["fit_mfu"]) * (params + core) / (params + 2 * core)


def measured_rows(catalog: Catalog) -> list[Row]:
    """Measured configurations fit for calibration: each source's best per model, device, count, length, precision."""
    excluded = {str(row["id"]) for row in catalog.rows("fit_exclusions")}
    return [
        row
        for row in catalog.rows("throughput")
        if row["best"] == "yes"
        and row["mode"] == "pretrain"
        and row["provenance"] != "recalled"
        and (row["active_params"] or row["params"])
        and causal_mfu(row)
        and row["id"] not in excluded
        and not is_doubtful(row)
    ]


def is_doubtful(row: Row) -> bool:
    """Whether a flag says that the row is not of a whole known model on a known device."""
    return any(flag in str(row["flags"] or "") for flag in UNFIT_FLAGS)


def measured(catalog: Catalog) -> Measured:
    """Measured configurations as settings, each weighted by 1/sqrt(the rows of its source); MLPerf is one source."""
    rows = measured_rows(catalog)
    contests = list(catalog.rows("mlperf"))
    settings = [_setting(row, catalog) for row in rows] + [_contest_setting(row, catalog) for row in contests]
    both = [*rows, *contests]
    reached = [causal_mfu(row) for row in rows] + [
        _contest_mfu(row, setting) for row, setting in zip(contests, settings[len(rows) :], strict=True)
    ]
    groups = [str(row["source_id"]) for row in rows] + [MLPERF] * len(contests)
    return Measured(
        settings=stacked(settings),
        log_mfu=np.log(reached),
        weight=weights(groups),
        group=tuple(groups),
        labels=tuple(str(row["id"]) for row in both),
        generation=tuple(generation_of(catalog.accelerator(str(row["accelerator"]))) for row in both),
        is_moe=np.array([bool(row.get("n_experts")) for row in both]),
        stated=tuple([stated_layout(row) for row in rows] + [_contest_layout(row) for row in contests]),
        rows=tuple(both),
    )


def _contest_setting(row: Row, catalog: Catalog) -> Setting:
    """An MLPerf entry: the published architecture on its devices with its batch."""
    model = next(m for m in catalog.rows("models") if m["id"] == row["model_id"])
    length = float(row["seq_len"])  # type: ignore[arg-type]
    batch = float(row["global_batch"]) * length  # type: ignore[arg-type]
    count = float(row["accelerator_count"])  # type: ignore[arg-type]
    shape = shape_of_row(model, length)
    return setting_of(
        shape, str(row["accelerator"]), precision_of(row), count, batch, year_of(row), catalog, str(row["framework"])
    )


def _contest_mfu(row: Row, setting: Setting) -> float:
    """From its tokens per second while training, by our own FLOP."""
    rate = float(row["accelerator_train_tokens_per_s"])  # type: ignore[arg-type]
    return rate * float(model_flop_per_token(setting)) / float(setting.hardware.reference_flop_per_s)


def _contest_layout(row: Row) -> dict[str, float]:
    names = {"tensor": "tp", "pipeline": "pp", "context": "cp", "micro_batch": "micro_batch"}
    return {name: float(row[column]) for name, column in names.items() if row[column] is not None}  # type: ignore[arg-type]


def precision_of(row: Row) -> str:
    """The precision under which the device's peak stands."""
    return PRECISIONS.get(str(row["precision"]), str(row["precision"]))


def stated_layout(row: Row) -> dict[str, float]:
    """The parts of a layout that a row states; where it states the main ones, there are no others."""
    names = {
        "tensor": "tp", "pipeline": "pp", "context": "cp", "expert": "ep", "micro_batch": "micro_batch",
        "zero_stage": "zero_stage", "chunks": "vpp",
    }  # fmt: skip
    found = {name: float(row[column]) for name, column in names.items() if row[column] is not None}  # type: ignore[arg-type]
    if None not in (row["tp"], row["micro_batch"], row["global_batch_tokens"]):
        found = {"context": 1.0, "chunks": 1.0} | found
    if row["recomputation"]:
        found["recomputed_share"] = _recomputed_share(row)
    return found


def _recomputed_share(row: Row) -> float:
    """Of the layers: all, none, or what is left where queries, keys and values wait in the host's memory."""
    if row["recomputation"] != "all but qkv":
        return float(row["recomputation"] == "full")
    kept = row["n_layers"] * row["d_model"] * row["attn_dim"] * (1 + 2 * row["n_kv_heads"] / row["n_heads"])  # type: ignore[operator]
    return 1 - float(kept / row["matmul_params"])  # type: ignore[operator]


def year_of(row: Row) -> int:
    """The year that a measurement dates from."""
    return int(str(row["as_of"])[:4])


def setting_of(
    shape: Shape,
    accelerator: str,
    precision: str,
    count: float,
    batch: float | None,
    year: float,
    catalog: Catalog,
    framework: str = "",
    count_known: bool = True,
    node: str | None = None,
) -> Setting:
    """A setting of floats under mixed-precision Adam; the generation's ratio is put in by whoever has one."""
    device = catalog.accelerator(accelerator)
    tokens = batch or usual_batch_tokens(count, float(shape.seq_len), count_known, catalog)
    hardware, stack = (
        hardware_of(device, precision, 1.0, catalog, node),
        float(is_vendor_stack(framework, device.vendor, year)),
    )
    return Setting(shape, hardware, count, tokens, year, stack, **TRAINING_BYTES)


def _setting(row: Row, catalog: Catalog) -> Setting:
    count = float(row["accelerator_count"] or UNSTATED_COUNT)
    batch = float(row["global_batch_tokens"]) if row["global_batch_tokens"] else None
    shape = shape_of_row(row, float(row["seq_len"] or USUAL_SEQ_LEN))
    shape = replace(shape, attention_flop=_attention_flop(row) or shape.attention_flop)
    node = str(row["node"]) if row["node"] else None
    return setting_of(
        shape, str(row["accelerator"]), precision_of(row), count, batch, year_of(row), catalog,
        str(row["framework"]), node=node,
    )  # fmt: skip


def _attention_flop(row: Row) -> float | None:
    """Causal attention's FLOP a token as the row counts them: fewer where layers look at a window. None: not stated.

    The full-attention MFU exceeds the causal one by just these.
    """
    names = ("std_full_mfu", "std_causal_mfu", "peak_bf16_tflop_per_s", "accelerator_tokens_per_s")
    if None in [row[name] for name in names]:
        return None
    full, causal, peak, rate = (float(row[name]) for name in names)  # type: ignore[arg-type]
    return (full - causal) * peak * FLOP_PER_TFLOP / rate


def shape_of_row(row: Row, seq_len: float) -> Shape:
    """The shape that a row of throughput.csv or runs.csv states; what it leaves blank follows from its size."""
    active = float(row["active_params"] or row["params"])  # type: ignore[arg-type]
    total = float(row["params"] or active)
    usual = shape_of_size(total, active, float(row["vocab"] or USUAL_VOCAB), seq_len)
    layers, width = float(row["n_layers"] or usual.n_layers), row["d_model"]
    d_model = float(width) if width else math.sqrt(float(usual.d_model) ** 2 * float(usual.n_layers) / layers)
    attention_dim = float(row.get("attn_dim") or d_model)
    heads = float(row["n_heads"] or max(attention_dim / USUAL_HEAD_DIM, 1.0))
    experts = float(row["n_experts"] or usual.n_experts)
    per_token = float(row["experts_per_token"] or (usual.experts_per_token if experts > 1 else 1.0))
    matmul_params = float(row.get("matmul_params") or active)
    kv_dim = attention_dim * float(row["n_kv_heads"] or heads) / heads
    rest = matmul_params - d_model * float(usual.vocab) - 2 * layers * d_model * (attention_dim + kv_dim)
    width_of_rest = max(rest, matmul_params / 3) / (FFN_MATRICES * layers * d_model * per_token)
    return replace(
        usual,
        n_layers=layers,
        d_model=d_model,
        ffn_dim=float(row["d_ff"] or width_of_rest),
        attention_dim=attention_dim,
        n_heads=heads,
        kv_dim=kv_dim,
        n_experts=experts,
        experts_per_token=per_token,
        matmul_params=matmul_params,
        attention_flop=6 * layers * attention_dim * seq_len,
    )


def weights(groups: Sequence[str]) -> Array:
    """1/sqrt(the rows of each row's group)."""
    counts = {g: groups.count(g) for g in set(groups)}
    return np.array([counts[g] ** -0.5 for g in groups])


def with_generations(setting: Setting, ratios: Any) -> Setting:
    """The setting with its devices' calibrated ratios."""
    return replace(setting, hardware=replace(setting.hardware, generation_ratio=ratios))
