"""The measured configurations nearest to a planned one."""

from __future__ import annotations

import math

from footprint.catalog import Catalog
from footprint.catalog.peaks import generation_of
from footprint.studies import Neighbour
from footprint.throughput.measured import is_doubtful
from footprint.values import Accelerator

OTHER_GENERATION, OTHER_DEVICE, OTHER_PRECISION, OTHER_KIND = 4.0, 1.0, 2.0, 3.0
"""How many doublings of size another generation, device, precision or sparsity counts for."""


def nearest(
    accelerator: Accelerator,
    active_params: float,
    moe: bool,
    precision: str,
    accelerator_count: int | None,
    seq_len: int | None,
    catalog: Catalog,
    most: int = 3,
) -> tuple[Neighbour, ...]:
    """The best measured rows by doublings of size, count and length away; at most one per source and model."""
    generation = {a.id: generation_of(a) for a in catalog.accelerators()}
    found: dict[tuple[str, str], tuple[float, Neighbour]] = {}
    for row in catalog.rows("throughput"):
        mfu, params = row["std_causal_mfu"], row["active_params"] or row["params"]
        if (
            row["best"] != "yes"
            or row["mode"] != "pretrain"
            or not mfu
            or not params
            or row["provenance"] == "recalled"
            or is_doubtful(row)
        ):
            continue
        device = str(row["accelerator"])
        away = abs(math.log2(float(params) / active_params))
        away += OTHER_GENERATION * (generation[device] != generation_of(accelerator))
        away += OTHER_DEVICE * (device != accelerator.id) + OTHER_PRECISION * (row["precision"] != precision)
        away += OTHER_KIND * (bool(row["n_experts"]) != moe)
        if accelerator_count and row["accelerator_count"]:
            away += abs(math.log2(float(row["accelerator_count"]) / accelerator_count)) / 2
        if seq_len and row["seq_len"]:
            away += abs(math.log2(float(row["seq_len"]) / seq_len)) / 2
        key = (str(row["source_id"]), str(row["model"]))
        if key not in found or away < found[key][0]:
            found[key] = (
                away,
                Neighbour(
                    model=str(row["model"]),
                    accelerator=device,
                    accelerator_count=int(float(row["accelerator_count"] or 0)),
                    seq_len=int(float(row["seq_len"] or 0)),
                    precision=str(row["precision"]),
                    mfu=float(mfu),
                    source=str(row["source"]),
                    distance_ratio=away,
                ),
            )
    return tuple(neighbour for _, neighbour in sorted(found.values(), key=lambda pair: pair[0])[:most])
