"""What a stage will reach: its shape, devices and batch as a setting of the throughput model, gaps filled and told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from footprint.catalog import Catalog
from footprint.catalog.peaks import reference_peak
from footprint.errors import InputError, UnknownName
from footprint.estimation import architecture as shape
from footprint.estimation.stages import device_bytes, smallest_count
from footprint.formulas import compute
from footprint.throughput.measured import USUAL_VOCAB
from footprint.throughput.rule import rule_of
from footprint.throughput.setting import Setting, Shape, hardware_of, scalars, shape_of_size
from footprint.throughput.steady import LAST_SOFTWARE
from footprint.throughput.usual import has_vendor_stack, is_vendor_stack, usual_batch_tokens, usual_count
from footprint.units import read_quantity
from footprint.values import Accelerator, Assumption, Stage

LAYOUT_WORDS = {
    "tp": "tensor", "pp": "pipeline", "cp": "context", "ep": "expert", "zero": "zero_stage", "mb": "micro_batch",
    "vpp": "chunks", "recompute": "recomputed_share",
}  # fmt: skip
"""Short words of a layout and the parts that they name; the long ones are known too."""
RECOMPUTATION = {"none": 0.0, "full": 1.0}
MOST_ZERO_STAGE = 3
Told = tuple[str, float | str, str, str, str]
"""A field, its value, its origin, its source and a note."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a plan says of how its stages are trained, beside their own words."""

    year: int | None
    framework: str | None
    node: str | None = None


def read_layout(value: Any) -> dict[str, float]:
    """The fixed parts of a layout from "tp=8,pp=16,zero=1,recompute=none" or a mapping.

    Raises
    ------
    InputError, UnknownName
        For a part that is unknown, or a number that cannot be.
    """
    pairs = value.items() if isinstance(value, Mapping) else _pairs(str(value))
    found: dict[str, float] = {}
    for word, number in pairs:
        name = LAYOUT_WORDS.get(str(word), str(word))
        if name not in LAYOUT_WORDS.values():
            known = (*LAYOUT_WORDS, *LAYOUT_WORDS.values())
            raise UnknownName("layout", str(word), known, "parts of a layout: " + ", ".join(LAYOUT_WORDS))
        found[name] = _part(name, number)
    return found


def _pairs(text: str) -> list[tuple[str, str]]:
    pairs = []
    for one in filter(None, (part.strip() for part in text.split(","))):
        name, sign, value = one.partition("=")
        if not sign:
            raise InputError("layout", one, "is not PART=NUMBER", "write tp=8,pp=16,recompute=none")
        pairs.append((name.strip(), value.strip()))
    return pairs


def _part(name: str, value: Any) -> float:
    if name == "recomputed_share":
        number = RECOMPUTATION.get(str(value))
        number = read_quantity(value, "layout recompute") if number is None else number
        if not 0 <= number <= 1:
            raise InputError("layout recompute", value, "must be from 0 to 1", "write none, full or a share")
        return number
    number = read_quantity(value, f"layout {name}")
    least, most = (0, MOST_ZERO_STAGE) if name == "zero_stage" else (1, math.inf)
    if number != int(number) or not least <= number <= most:
        bound = f"must be a whole number from {least}" + (f" to {most}" if math.isfinite(most) else "")
        raise InputError(f"layout {name}", value, bound, "write for example tp=8,pp=16,zero=1")
    return number


def setting_of_stage(
    stage: Stage, size: float, accelerator: Accelerator, how: Circumstances, catalog: Catalog
) -> tuple[Setting, list[Told]]:
    """A stage as a setting of floats, and what was assumed for it; `size` stands for parameters that nobody knows."""
    told: list[Told] = []
    length = float(stage.seq_len or catalog.constant("seq_len").mid)
    form = _shape(stage, size, length)
    count = float(stage.accelerator_count or 0)
    if not count:
        count = _count(stage, form, float(reference_peak(accelerator)[1]), catalog)
        told.append(("modelled_count", count, "default", "constants.csv", "for throughput alone: give --count"))
    batch = stage.batch_tokens
    if batch is None:
        batch = usual_batch_tokens(count, length, stage.accelerator_count is not None, catalog)
        told.append(("batch_tokens", batch, "default", "constants.csv", "tokens a step: give --batch-tokens"))
    year = float(how.year or LAST_SOFTWARE)
    if how.framework is None:
        tuned = has_vendor_stack(accelerator.vendor, year)
        note = "a well-tuned stack of its year is taken: give --framework"
        told.append(("framework", "the device maker's" if tuned else "any", "default", "throughput_rule.csv", note))
    else:
        tuned = is_vendor_stack(how.framework, accelerator.vendor, year)
    weights, gradients, states = device_bytes(stage, catalog)
    if how.node is not None:
        told.append(("node", how.node, "given", "nodes.csv", "its network"))
    ratio = rule_of(catalog).generation_ratio(accelerator)
    hardware = hardware_of(accelerator, stage.precision, ratio, catalog, how.node)
    setting = Setting(form, hardware, count, batch, year, float(tuned), weights, gradients, states)
    return scalars(setting), told


def _count(stage: Stage, form: Shape, peak_flop_per_s: float, catalog: Catalog) -> float:
    """Devices that nobody gave: as many as end the stage in the usual time, and twice what its states need."""
    flop = stage.training_flop.mid if stage.training_flop else 0.0
    if stage.tokens is not None:
        flop = 6 * float(form.matmul_params) * stage.tokens.mid * stage.repeats_count
    fits = 2 * float(smallest_count(stage, catalog)) if stage.params is not None else 1.0
    usual = usual_count(flop, peak_flop_per_s, catalog)
    return max(usual, 2.0 ** math.ceil(math.log2(max(fits, 1.0))))


def _shape(stage: Stage, size: float, length: float) -> Shape:
    """The architecture's shape, or that of a usual model of its size."""
    arch = stage.architecture
    if arch is None:
        if stage.params is None or stage.active_params is None:
            return shape_of_size(size, size, USUAL_VOCAB, length)
        return shape_of_size(stage.params.mid, stage.active_params.mid, USUAL_VOCAB, length)
    attention = compute.attention_flop_per_token(
        n_attention_layers=float(shape.attention_layers(arch)),
        attention_dim=shape.attention_dim(arch),
        context_tokens=shape.context(arch, length),
    )
    is_mixture = arch.n_experts > 0
    return Shape(
        n_layers=float(arch.n_layers),
        d_model=float(arch.d_model),
        ffn_dim=float(arch.d_expert if is_mixture else arch.d_ff),
        attention_dim=float(arch.n_heads * arch.head_dim),
        n_heads=float(arch.n_heads),
        kv_dim=float(arch.n_kv_heads * arch.head_dim),
        vocab=float(arch.vocab),
        n_experts=float(arch.n_experts) if is_mixture else 1.0,
        experts_per_token=float(arch.experts_per_token) if is_mixture else 1.0,
        params=float(shape.params(arch)),
        matmul_params=float(shape.matmul_params(arch)),
        attention_flop=attention,
        seq_len=length,
    )


def check_layout(stage: Stage, fixed: Mapping[str, float]) -> None:
    """Refuse a fixed layout that needs more devices than there are, or a number that does not divide them."""
    parts = {name: fixed.get(name, 1.0) for name in ("tensor", "pipeline", "context")}
    needed = math.prod(parts.values())
    count = stage.accelerator_count
    if count is not None and count % needed:
        product = " x ".join(f"{value:g}" for value in parts.values())
        fix = f"give a --count that is a multiple of {needed:g}, or other parts"
        raise InputError("layout", product, f"does not divide {count:,} accelerators", fix)


def assumptions(stage: Stage, told: list[Told]) -> list[Assumption]:
    """The told gaps as lines of the ledger."""
    return [Assumption(f"{stage.name}.{name}", *rest) for name, *rest in told]  # type: ignore[arg-type]
