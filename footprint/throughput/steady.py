"""Steady throughput of a setting on a parallel layout: the time of a step, part by part.

Arrays of settings and layouts in, arrays out; nothing loops. The equations are `formulas.step`, the constants
those of data/throughput_rule.csv.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from footprint.formulas import step
from footprint.throughput.setting import FFN_MATRICES, Setting
from footprint.units import Quantity

MATURE_SOFTWARE = 2023
"""First year of runs on fused attention (FlashAttention, arXiv 2205.14135, appeared in May 2022)."""
FIRST_SOFTWARE, BASE_SOFTWARE, LAST_SOFTWARE = 2021, 2024, 2026
"""Years of the measured configurations: software is taken to grow between the first and the last."""
BACKWARD_SHARE = 2 / 3
"""Of a micro-batch's time; gradients are exchanged while it runs."""
SHARDED_PASSES, REPLICATED_PASSES = 6, 4
"""Bytes per parameter that are exchanged: a micro-batch under ZeRO stage 3, a step otherwise."""
UPDATE_BYTES = 30
"""Bytes per parameter that an optimizer step reads and writes (16 of states, read and most of them written)."""
LOGITS_BYTES = 6
"""Bytes per token and vocabulary entry: logits in 2 bytes, their gradient and the 4-byte softmax, once each."""
PERMUTED_BYTES = 16
"""Bytes per width that routing a token to one expert moves: gathered, scattered, forward and backward, 2 each twice."""
FEWEST_SHARDS = 16
"""Replicas within the fast links from which on sharding stays within them."""
CAST_WIDTHS = (10, 4)
"""Bytes per d_model and FFN width that casting activations to 8 bits or less moves in a layer."""


@dataclass(frozen=True, slots=True)
class Constants:
    """What is calibrated; each is a row of data/throughput_rule.csv of the same name."""

    matmul_share: float  # of the ceiling, in BASE_SOFTWARE
    narrow_ratio: float
    attention_share: float
    traffic_ratio: float
    cast_ratio: float
    unfused_ratio: float
    tensor_exchange_ratio: float
    tensor_window_share: float  # of matrix products, beside which the device maker's stack exchanges
    expert_exchange_ratio: float
    remote_exchange_ratio: float
    expert_window_share: float  # of computation, which hides the exchange of experts
    expert_ratio: float
    permutation_ratio: float
    gradient_exchange_share: float
    layer_latency_s: float
    routing_latency_ratio: float  # over that of a layer, where it routes tokens
    collective_latency_s: float
    straggler_ratio: float
    bubble_ratio: float
    software_growth_ratio: float  # a year
    vendor_stack_ratio: float  # of both shares, where the device maker's own stack trains


@dataclass(frozen=True, slots=True)
class Layouts:
    """How a model is spread over devices, as arrays; `recomputed_share` of the layers run forward twice."""

    tensor: Quantity
    pipeline: Quantity
    context: Quantity
    expert: Quantity
    micro_batch: Quantity
    zero_stage: Quantity
    chunks: Quantity
    recomputed_share: Quantity

    def __getitem__(self, index: Any) -> Layouts:
        return Layouts(*(getattr(self, field.name)[index] for field in fields(self)))

    def same(self, other: Layouts) -> bool:
        """Whether every part of every layout is the other's."""
        return all(np.array_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))


PARTS = ("matmul", "attention", "memory", "tensor", "expert", "context", "pipeline", "latency", "gradients", "waiting")
"""Of a step's time, in the order in which `step_parts` gives them."""


def replicas(setting: Setting, layout: Layouts) -> Quantity:
    """Data-parallel replicas, at least one."""
    return np.maximum(setting.accelerator_count / (layout.tensor * layout.pipeline * layout.context), 1.0)


def micro_batches(setting: Setting, layout: Layouts) -> Quantity:
    """Micro-batches of a replica in a step, at least one: with fewer sequences than replicas, some wait."""
    a_round = replicas(setting, layout) * layout.micro_batch * setting.shape.seq_len
    return np.maximum(setting.global_batch_tokens / a_round, 1.0)


def local_params(setting: Setting, layout: Layouts) -> Quantity:
    """Parameters that one device holds before any sharding of replicas; experts are spread over `expert` devices."""
    shape = setting.shape
    routed = shape.n_layers * shape.d_model * shape.ffn_dim * FFN_MATRICES * shape.n_experts
    routed = np.where(shape.n_experts > 1, np.minimum(routed, shape.params - shape.matmul_params / 2), 0.0)
    return (shape.params - routed + routed / layout.expert) / (layout.tensor * layout.pipeline)


def step_parts(setting: Setting, layout: Layouts, constants: Constants) -> dict[str, Quantity]:
    """Seconds of one optimizer step by part (`PARTS`); together they are the step."""
    shape, device = setting.shape, setting.hardware
    tokens = layout.micro_batch * shape.seq_len / layout.context
    layers = shape.n_layers / layout.pipeline
    again = 1 + layout.recomputed_share / 3
    one = {
        "matmul": _matmul(setting, layout, constants, tokens),
        "attention": _attention(setting, layout, constants, tokens, again),
        "memory": _memory(setting, layout, constants, tokens, layers),
        **_exchanges(setting, layout, constants, tokens, layers),
        "latency": constants.layer_latency_s * layers * again * _latencies(setting, layout, constants),
    }
    beside_s = constants.tensor_window_share * setting.is_vendor_stack * one["matmul"]
    one["tensor"] = step.exposed_s(one["tensor"], beside_s)
    window_s = constants.expert_window_share * (one["matmul"] + one["attention"] + one["memory"])
    one["expert"] = (shape.n_experts > 1) * step.exposed_s(one["expert"], window_s)
    micro_batch_s = sum(one.values())
    count = micro_batches(setting, layout)
    held = local_params(setting, layout)
    gradients = _exposed_gradients(setting, layout, constants, held, count, micro_batch_s)
    update = UPDATE_BYTES * held / replicas(setting, layout) / device.memory_bytes_per_s
    passes = step.pipelined_count(count, layout.pipeline, layout.chunks, constants.bubble_ratio)
    whole = step.step_s(
        micro_batch_s, np.maximum(passes, layout.pipeline), gradients, update,
        constants.collective_latency_s, np.log2(np.maximum(setting.accelerator_count, 1.0)), constants.straggler_ratio,
    )  # fmt: skip
    parts = {name: value * count for name, value in one.items()}
    parts["gradients"] = gradients + update
    parts["waiting"] = whole - sum(parts.values())
    return parts


def _latencies(setting: Setting, layout: Layouts, constants: Constants) -> Quantity:
    """Latencies of a layer: its own, a third of it for tensor parallelism, those of routing."""
    return 1 + (layout.tensor > 1) / 3 + constants.routing_latency_ratio * (setting.shape.n_experts > 1)


def tokens_per_s(setting: Setting, layout: Layouts, constants: Constants) -> Quantity:
    """Steady tokens per second and accelerator."""
    seconds: Any = sum(step_parts(setting, layout, constants).values())
    used = layout.tensor * layout.pipeline * layout.context
    return setting.global_batch_tokens / seconds / np.maximum(setting.accelerator_count, used)


def model_flop_per_token(setting: Setting) -> Quantity:
    """What MFU counts: 6 per active matmul parameter, and causal attention."""
    return 6 * setting.shape.matmul_params + setting.shape.attention_flop


def mfu(setting: Setting, layout: Layouts, constants: Constants) -> Quantity:
    """Model FLOP/s over the dense 16-bit peak; above one is possible at lower precision alone."""
    flop_per_s = tokens_per_s(setting, layout, constants) * model_flop_per_token(setting)
    return flop_per_s / setting.hardware.reference_flop_per_s


def _matmul(setting: Setting, layout: Layouts, constants: Constants, tokens: Quantity) -> Quantity:
    """Projections, FFN or experts, and the head: each with the narrowness of its own products."""
    shape, device = setting.shape, setting.hardware
    head = shape.d_model * shape.vocab
    projections = 2 * shape.n_layers * shape.d_model * (shape.attention_dim + shape.kv_dim)
    ffn = np.maximum(shape.matmul_params - head - projections, shape.matmul_params / 20)
    is_moe = shape.n_experts > 1
    routed = np.maximum(tokens * shape.experts_per_token / shape.n_experts * layout.expert, 1.0)
    share = device.ceiling_share * np.minimum(constants.matmul_share * _tuned(setting, constants), 1.0)
    again = 1 + layout.recomputed_share / 3

    def seconds(params: Quantity, rows: Quantity, columns: Quantity) -> Quantity:
        flop = 6 * params * tokens / (layout.tensor * layout.pipeline)
        return step.matmul_s(
            flop, device.peak_flop_per_s, share, constants.narrow_ratio, device.memory_bytes_per_s,
            rows, shape.d_model, np.maximum(columns / layout.tensor, 1.0),
        )  # fmt: skip

    experts = 1 + constants.expert_ratio * is_moe
    in_layers = seconds(projections, tokens, shape.attention_dim) + experts * seconds(
        ffn, np.where(is_moe, routed, tokens), shape.ffn_dim
    )
    return again * in_layers + seconds(head, tokens, shape.vocab)


def _attention(setting: Setting, layout: Layouts, constants: Constants, tokens: Quantity, again: Quantity) -> Quantity:
    flop = setting.shape.attention_flop * tokens / (layout.tensor * layout.pipeline) * again
    device = setting.hardware
    share = device.ceiling_share * np.minimum(constants.attention_share * _tuned(setting, constants), 1.0)
    fused = step.attention_s(flop, device.reference_flop_per_s, share)
    written = step.unfused_attention_bytes(tokens, setting.shape.n_heads, setting.shape.seq_len)
    written = written * setting.shape.n_layers / (layout.tensor * layout.pipeline)
    early = setting.software_year < MATURE_SOFTWARE
    return fused + constants.unfused_ratio * early * written / device.memory_bytes_per_s


def _memory(setting: Setting, layout: Layouts, constants: Constants, tokens: Quantity, layers: Quantity) -> Quantity:
    """Element-wise traffic of the layers, of routing, of casts and of the logits."""
    shape, device = setting.shape, setting.hardware
    ffn = shape.ffn_dim * shape.experts_per_token
    written = constants.traffic_ratio * step.layer_traffic_bytes(tokens, shape.d_model, ffn)
    written = written * (1 + layout.recomputed_share / 4)
    cast = CAST_WIDTHS[0] * shape.d_model + CAST_WIDTHS[1] * ffn
    written = written + constants.cast_ratio * device.is_low_precision * tokens * cast
    routed = PERMUTED_BYTES * tokens * shape.d_model * shape.experts_per_token
    written = written + constants.permutation_ratio * (shape.n_experts > 1) * routed
    logits = constants.traffic_ratio * LOGITS_BYTES * tokens * shape.vocab / layout.pipeline
    return (layers * written + logits) / (layout.tensor * device.memory_bytes_per_s)


def _exchanges(
    setting: Setting, layout: Layouts, constants: Constants, tokens: Quantity, layers: Quantity
) -> dict[str, Quantity]:
    """Seconds of one micro-batch's exchanges within its model: tensor, expert, context, pipeline.

    A tensor-parallel group that is wider than the fast links reduces within them first, then between nodes over the
    network of all of a node's devices.
    """
    shape, device = setting.shape, setting.hardware
    fast, slow, domain = device.link_bytes_per_s, device.network_bytes_per_s, device.domain_count
    tensor = layers * step.tensor_exchange_bytes(tokens, shape.d_model, layout.tensor)
    nodes = np.maximum(layout.expert / domain, 1.0)
    near = np.minimum(layout.expert, domain)
    inside = shape.experts_per_token * (near - 1) / near
    outside = constants.remote_exchange_ratio * step.remote_nodes_count(nodes, shape.experts_per_token)
    expert = sum(
        step.expert_exchange_bytes(tokens, shape.d_model, layout.tensor, destinations) / rate
        for destinations, rate in ((inside, fast), (outside, slow))
    )
    context = layers * step.context_exchange_bytes(tokens, shape.kv_dim / layout.tensor, layout.context)
    handed = step.handover_bytes(tokens, shape.d_model, layout.tensor, layout.chunks)
    return {
        "tensor": constants.tensor_exchange_ratio * (1 + layout.recomputed_share / 2) * tensor
        * np.where(layout.tensor <= domain, 1 / fast, 1 / fast + 1 / (slow * domain)),
        "expert": constants.expert_exchange_ratio * (shape.n_experts > 1) * layers * expert,
        "context": constants.tensor_exchange_ratio / 3 * context
        / np.where(layout.context * layout.tensor <= domain, fast, slow),
        "pipeline": constants.tensor_exchange_ratio * (layout.pipeline > 1) * handed / slow,
    }  # fmt: skip


def domain_replicas(setting: Setting, layout: Layouts) -> Quantity:
    """Replicas that the fast links join."""
    within = setting.hardware.domain_count / layout.tensor
    return np.maximum(np.minimum(replicas(setting, layout), within), 1.0)


def shards_within_domain(setting: Setting, layout: Layouts) -> Quantity:
    """Whether sharded parameters stay within the fast links: where these join many replicas, as in a pod."""
    return domain_replicas(setting, layout) >= FEWEST_SHARDS


def _exposed_gradients(
    setting: Setting, layout: Layouts, constants: Constants, held: Quantity, count: Quantity, micro_batch_s: Quantity
) -> Quantity:
    """What is left of the replicas' exchange beside the backward passes that it overlaps with.

    Between nodes (or pods) replicas are reduced within the node first, so its devices share its network for one copy.
    """
    device, data = setting.hardware, replicas(setting, layout)
    fast = device.link_bytes_per_s
    crossing = np.minimum(fast, device.network_bytes_per_s * domain_replicas(setting, layout))
    sharded = layout.zero_stage > 2
    once = step.gradient_bytes(held, data, REPLICATED_PASSES)
    each = step.gradient_bytes(held, data, SHARDED_PASSES * count)
    crosses = data * layout.tensor > device.domain_count
    inside = sharded & shards_within_domain(setting, layout)
    slow = np.where(sharded & ~inside, each, once) / crossing
    quick = np.where(sharded, each, once) / fast
    spent = np.where(crosses, slow + inside * quick, quick)
    window = np.where(sharded, count, np.minimum(count, layout.pipeline)) * micro_batch_s * BACKWARD_SHARE
    return step.exposed_s(spent / constants.gradient_exchange_share, window)


def _tuned(setting: Setting, constants: Constants) -> Quantity:
    """How a setting's kernels fare against those of a middling stack of `BASE_SOFTWARE`: generation, year, stack."""
    years = np.clip(setting.software_year, FIRST_SOFTWARE, LAST_SOFTWARE) - BASE_SOFTWARE
    stack = constants.vendor_stack_ratio**setting.is_vendor_stack
    return setting.hardware.generation_ratio * constants.software_growth_ratio**years * stack
