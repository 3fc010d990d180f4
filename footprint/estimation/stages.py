"""FLOP and memory of one stage: which formula its kind asks for."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from footprint.catalog import Catalog
from footprint.derivation import Derivation, Plain
from footprint.errors import InputError
from footprint.estimation import architecture as shape
from footprint.formulas import compute, memory
from footprint.units import BITS_PER_BYTE, BYTES_PER_GIB, Quantity
from footprint.values import Architecture, Range, Stage

UPDATING = ("pretrain", "long-context", "anneal", "sft", "reward", "preference", "rl", "distillation", "lora")
"""Kinds whose compute goes into parameter updates."""


@dataclass(frozen=True, slots=True)
class Work:
    """FLOP of a stage by how they run: `dense` as training or prefill, `generation` token by token."""

    dense_flop: Quantity
    generation_flop: Quantity


def work(stage: Stage, calculate: Derivation | Plain) -> Work | None:
    """FLOP of a drawn stage; None where only its hours are known."""
    if stage.training_flop is not None:
        return Work(stage.training_flop, 0.0)
    if stage.tokens is None or stage.params is None:
        return None
    part, tokens, repeats = stage.name, stage.tokens, stage.repeats_count
    if stage.kind == "synthetic":
        per_token = _generation(stage, calculate)
        made = calculate(
            compute.synthetic_flop, part=part, tokens=tokens, repeats_count=repeats, kept_share=stage.kept_share,
            forward_flop_per_token=per_token,
        )  # fmt: skip
        return Work(0.0, made)
    if stage.kind == "evaluation":
        forward = calculate(compute.forward_flop_per_token, part=part, params=_forward_params(stage))
        return Work(
            calculate(
                compute.evaluation_flop, part=part, tokens=tokens, repeats_count=repeats, forward_flop_per_token=forward
            ),
            0.0,
        )
    matmul, attention, total = _training(stage, calculate)
    if stage.kind == "lora":
        dense = calculate(
            compute.lora_flop, part=part, tokens=tokens, repeats_count=repeats, matmul_flop_per_token=matmul,
            attention_flop_per_token=attention,
        )  # fmt: skip
    elif stage.kind == "preference":
        dense = calculate(
            compute.preference_flop, part=part, tokens=tokens, repeats_count=repeats, training_flop_per_token=total,
            reference_passes_count=stage.reference_passes_count,
        )  # fmt: skip
    elif stage.kind == "distillation" and stage.teacher_params is not None:
        dense = calculate(
            compute.distillation_flop, part=part, tokens=tokens, repeats_count=repeats, training_flop_per_token=total,
            teacher_params=stage.teacher_params,
        )  # fmt: skip
    elif stage.kind == "rl":
        return _reinforcement(stage, total, calculate)
    else:
        dense = calculate(
            compute.stage_flop_update, part=part, tokens=tokens, repeats_count=repeats, training_flop_per_token=total
        )
    return Work(dense, 0.0)


def _training(stage: Stage, calculate: Derivation | Plain) -> tuple[Quantity, Quantity, Quantity]:
    """Matmul, attention and total training FLOP per token: by architecture, else 6ND."""
    arch, part = stage.architecture, stage.name
    if arch is None:
        total = calculate(compute.training_flop_per_token_6nd, part=part, params=stage.active_params)
        return total, 0.0, total
    context = shape.context(arch, stage.seq_len or 0)
    matmul = calculate(compute.matmul_flop_per_token, part=part, matmul_params=float(shape.matmul_params(arch)))
    attention = calculate(
        compute.attention_flop_per_token, part=part, n_attention_layers=float(shape.attention_layers(arch)),
        attention_dim=shape.attention_dim(arch), context_tokens=context,
    )  # fmt: skip
    total = calculate(
        compute.training_flop_per_token, part=part, matmul_flop_per_token=matmul, attention_flop_per_token=attention
    )
    return matmul, attention, total


def _generation(stage: Stage, calculate: Derivation | Plain) -> Quantity:
    arch = stage.architecture
    if arch is None:
        return calculate(compute.forward_flop_per_token, part=stage.name, params=stage.active_params)
    return calculate(
        compute.generation_flop_per_token, part=stage.name, matmul_params=float(shape.matmul_params(arch)),
        n_layers=float(shape.attention_layers(arch)), attention_dim=shape.attention_dim(arch),
        context_tokens=shape.context(arch, stage.seq_len or 0),
    )  # fmt: skip


def _reinforcement(stage: Stage, training_flop_per_token: Quantity, calculate: Derivation | Plain) -> Work:
    """Rollouts run token by token; reference, reward, value and policy run as training does."""
    per_token = _generation(stage, calculate)
    counts = {
        "tokens": stage.tokens,
        "repeats_count": stage.repeats_count,
        "samples_per_prompt_count": stage.samples_per_prompt_count,
    }
    whole = calculate(
        compute.rl_flop, part=stage.name, **counts, inner_epochs_count=stage.inner_epochs_count,
        generation_flop_per_token=per_token, training_flop_per_token=training_flop_per_token,
        reference_passes_count=stage.reference_passes_count,
        reward_params=0.0 if stage.reward_params is None else stage.reward_params,
        value_params=0.0 if stage.value_params is None else stage.value_params,
    )  # fmt: skip
    rollouts = calculate(compute.rollout_flop, part=stage.name, **counts, generation_flop_per_token=per_token)
    return Work(whole - rollouts, rollouts)


def _forward_params(stage: Stage) -> Quantity:
    return float(shape.matmul_params(stage.architecture)) if stage.architecture else stage.active_params


def check_memory(stages: Sequence[Stage], catalog: Catalog) -> None:
    """Refuse a plan of which a stage cannot fit on its accelerators even under ideal sharding.

    Weights, gradients and optimizer states sharded over all devices (ZeRO stage 3, arXiv 1910.02054), one
    sequence in flight with full recomputation (arXiv 2205.05198): a lower bound. Logits are left out, since a
    chunked loss never holds them all.

    Raises
    ------
    InputError
        Naming the neediest stage and the smallest count that fits, in whole nodes where a node holds several.
    """
    short = []
    for stage in stages:
        if stage.accelerator_count is None or stage.params is None or stage.kind == "evaluation":
            continue
        smallest = int(smallest_count(stage, catalog))
        if smallest > stage.accelerator_count:
            short.append((smallest, stage))
    if not short:
        return
    smallest, stage = max(short, key=lambda pair: pair[0])
    device, need = catalog.accelerator(stage.accelerator), required_bytes(stage, catalog)
    if smallest > device.per_node > 1:
        smallest = math.ceil(smallest / device.per_node) * device.per_node
    raise InputError(
        "count", stage.accelerator_count,
        f"cannot hold stage {stage.name}: {need / BYTES_PER_GIB:,.0f} GiB of weights, gradients, optimizer states "
        f"and activations on {device.memory_gb:g} GiB each",
        f"give --count {smallest} or more, a leaner --optimizer, or a larger device",
    )  # fmt: skip


def smallest_count(stage: Stage, catalog: Catalog) -> Quantity:
    """The fewest devices that could hold a stage; `params` may be a range, a number or an array of scenarios."""
    device = catalog.accelerator(stage.accelerator)
    return memory.smallest_count(
        total_bytes=required_bytes(stage, catalog),
        memory_bytes=device.memory_gb * BYTES_PER_GIB,
        usable_share=catalog.constant("usable_memory_share").high,
    )


def device_bytes(stage: Stage, catalog: Catalog) -> tuple[float, float, float]:
    """Bytes per parameter of weights, gradients and optimizer states, as the stage's kind needs them."""
    row = catalog.optimizer(stage.optimizer)
    weights, gradients, states = (float(row[f"{name}_bytes"] or 0.0) for name in ("weights", "gradients", "states"))
    if stage.kind in ("synthetic", "evaluation", "lora"):
        in_precision = _bits(stage.precision) / BITS_PER_BYTE
        return (min(weights, in_precision) if stage.kind == "lora" else in_precision), 0.0, 0.0
    return weights, gradients, states


def required_bytes(stage: Stage, catalog: Catalog) -> Quantity:
    """Bytes over all devices together: states, and activations of one sequence where the architecture is known."""
    weights, gradients, states = device_bytes(stage, catalog)
    need = memory.state_bytes(
        params=stage.params.mid if isinstance(stage.params, Range) else stage.params,
        weights_bytes=weights,
        gradients_bytes=gradients,
        states_bytes=states,
    )
    arch = stage.architecture
    if arch is None or stage.seq_len is None or not (gradients or states):
        return need
    return need + memory.activation_bytes(
        n_layers=arch.n_layers, d_model=arch.d_model, ffn_dim=shape.ffn_dim(arch), seq_len=stage.seq_len,
        sequences_count=1,
    )  # fmt: skip


def _bits(precision: str) -> int:
    """Bits of a weight in a precision, as its name ends: bf16, tf32, fp8, fp4."""
    return int(re.sub(r"\D", "", precision))


def is_moe(architecture: Architecture | None, params: Quantity, active_params: Quantity) -> Quantity:
    """Whether a model is a mixture of experts: it has experts, or fewer active parameters than parameters.

    Ranges, numbers or arrays; an array of scenarios is answered one by one.
    """
    if architecture is not None and architecture.n_experts:
        return True
    if params is None or active_params is None:
        return False
    total, active = (x.mid if isinstance(x, Range) else x for x in (params, active_params))
    return active < total
