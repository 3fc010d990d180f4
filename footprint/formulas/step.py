"""The time of one optimizer step of a transformer on a parallel layout. Floats or arrays in, the same out.

A micro-batch of `tokens_count` tokens passes the layers that one device holds, forward and backward: matrix
multiplications, attention, memory traffic and the exchanges between devices, one after the other. Micro-batches
follow each other through the pipeline; gradients are exchanged at the end. The `_ratio` and `_share` parameters
are calibrated on measured runs (METHODOLOGY, section "Hours").
"""

from __future__ import annotations

from footprint.units import Quantity

__all__ = [
    "attention_s",
    "context_exchange_bytes",
    "expert_exchange_bytes",
    "exposed_s",
    "gradient_bytes",
    "handover_bytes",
    "layer_traffic_bytes",
    "matmul_s",
    "pipelined_count",
    "remote_nodes_count",
    "step_s",
    "tensor_exchange_bytes",
    "unfused_attention_bytes",
]


def matmul_s(
    flop: Quantity,
    peak_flop_per_s: Quantity,
    matmul_share: Quantity,
    narrow_ratio: Quantity,
    memory_bytes_per_s: Quantity,
    rows_count: Quantity,
    inner_count: Quantity,
    columns_count: Quantity,
) -> Quantity:
    """Time of matrix multiplications of one shape: slower the narrower they are for the device's memory.

    matmul_s = flop / (peak_flop_per_s * matmul_share) * (1 + narrow_ratio * peak_flop_per_s / memory_bytes_per_s * (1 / rows_count + 1 / inner_count + 1 / columns_count))

    A product of M x K by K x N moves 2 (M K + K N + M N) bytes in 16 bits for 2 M K N FLOP: the second term is
    that time over the first when nothing overlaps. It doubles with the peak, which is why 8 bits never gain two.

    Parameters
    ----------
    flop : FLOP, >= 0
    peak_flop_per_s : FLOP/s, dense, at the precision in use
    matmul_share : share of the peak that large products reach, > 0 and <= 1
    narrow_ratio : calibrated, >= 0; 1 where nothing overlaps
    memory_bytes_per_s : bytes/s of the device's memory
    rows_count, inner_count, columns_count : M (tokens), K and N of one device's product, >= 1

    References
    ----------
    .. [1] Williams, Waterman, Patterson 2009, "Roofline", Communications of the ACM 52(4).
    """
    narrowness = 1 / rows_count + 1 / inner_count + 1 / columns_count
    return (
        flop / (peak_flop_per_s * matmul_share) * (1 + narrow_ratio * peak_flop_per_s / memory_bytes_per_s * narrowness)
    )


def attention_s(flop: Quantity, peak_flop_per_s: Quantity, attention_share: Quantity) -> Quantity:
    """Time of the attention core, which runs in 16 bits whatever the precision of the matrices.

    attention_s = flop / (peak_flop_per_s * attention_share)

    Parameters
    ----------
    flop : FLOP of scores and values, causal, >= 0
    peak_flop_per_s : FLOP/s, dense, 16 bits
    attention_share : share of that peak that a fused kernel reaches, calibrated

    References
    ----------
    .. [1] Dao 2023, "FlashAttention-2", arXiv 2307.08691, section 4.
    """
    return flop / (peak_flop_per_s * attention_share)


def layer_traffic_bytes(tokens_count: Quantity, d_model: Quantity, ffn_dim: Quantity) -> Quantity:
    """What one layer writes for its backward pass: the measure of its element-wise memory traffic.

    layer_traffic_bytes = tokens_count * (18 * d_model + 4 * ffn_dim)

    Parameters
    ----------
    tokens_count : tokens of a micro-batch on one device
    d_model, ffn_dim : model width, and FFN width that one token passes (all its experts)

    References
    ----------
    .. [1] Korthikanti et al. 2022, arXiv 2205.05198, section 4: 34 bytes per width with d_ff = 4 d_model.
    """
    return tokens_count * (18 * d_model + 4 * ffn_dim)


def unfused_attention_bytes(tokens_count: Quantity, n_heads: Quantity, seq_len: Quantity) -> Quantity:
    """Memory traffic of attention scores where no fused kernel spares it: written forward, read and written backward.

    unfused_attention_bytes = 15 * tokens_count * n_heads * seq_len

    Parameters
    ----------
    tokens_count : tokens of a micro-batch on one device
    n_heads : attention heads
    seq_len : tokens of a sequence

    References
    ----------
    .. [1] Korthikanti et al. 2022, arXiv 2205.05198, section 4.1: 5 a s^2 bytes a layer and sequence, here passed thrice.
    """
    return 15 * tokens_count * n_heads * seq_len


def tensor_exchange_bytes(tokens_count: Quantity, d_model: Quantity, tensor_count: Quantity) -> Quantity:
    """What a device sends for one layer under tensor parallelism: four all-reduces of 2-byte activations in a ring.

    tensor_exchange_bytes = 16 * tokens_count * d_model * (tensor_count - 1) / tensor_count

    Parameters
    ----------
    tokens_count : tokens of a micro-batch on one device group
    d_model : model width
    tensor_count : devices that share a layer's matrices, >= 1

    References
    ----------
    .. [1] Shoeybi et al. 2019, "Megatron-LM", arXiv 1909.08053, section 3; sequence parallelism sends as much.
    """
    return 16 * tokens_count * d_model * (tensor_count - 1) / tensor_count


def expert_exchange_bytes(
    tokens_count: Quantity, d_model: Quantity, tensor_count: Quantity, destinations_count: Quantity
) -> Quantity:
    """What a device sends for one layer of experts: tokens out and back, forward and backward, 2 bytes each.

    expert_exchange_bytes = 8 * tokens_count * d_model / tensor_count * destinations_count

    Parameters
    ----------
    tokens_count : tokens of a micro-batch on one device group
    d_model : model width
    tensor_count : devices that share a token's activations, >= 1
    destinations_count : copies of a token that leave the device (or, between nodes, the node)

    References
    ----------
    .. [1] Lepikhin et al. 2020, "GShard", arXiv 2006.16668, section 3.2 (two all-to-all a layer and pass).
    """
    return 8 * tokens_count * d_model / tensor_count * destinations_count


def remote_nodes_count(nodes_count: Quantity, experts_per_token: Quantity) -> Quantity:
    """Other nodes that a token's experts are expected to lie on: a token goes to each of them once.

    remote_nodes_count = (nodes_count - 1) * (1 - (1 - 1 / nodes_count) ** experts_per_token)

    Parameters
    ----------
    nodes_count : nodes over which the experts are spread, >= 1
    experts_per_token : experts that one token passes

    References
    ----------
    .. [1] Uniform routing; sending once per node as in DeepSeek-V3, arXiv 2412.19437, section 3.2.2.
    """
    return (nodes_count - 1) * (1 - (1 - 1 / nodes_count) ** experts_per_token)


def context_exchange_bytes(tokens_count: Quantity, kv_dim: Quantity, context_count: Quantity) -> Quantity:
    """What a device sends for one layer under context parallelism: keys and values around a ring, thrice.

    context_exchange_bytes = 12 * tokens_count * kv_dim * (context_count - 1)

    Parameters
    ----------
    tokens_count : tokens of a micro-batch on one device
    kv_dim : key width of that device
    context_count : devices that share a sequence, >= 1

    References
    ----------
    .. [1] Liu, Zaharia, Abbeel 2023, "Ring Attention", arXiv 2310.01889; forward once, backward twice.
    """
    return 12 * tokens_count * kv_dim * (context_count - 1)


def handover_bytes(
    tokens_count: Quantity, d_model: Quantity, tensor_count: Quantity, chunks_count: Quantity
) -> Quantity:
    """What a pipeline stage hands over for one micro-batch: activations forward, their gradients backward.

    handover_bytes = 4 * tokens_count * d_model / tensor_count * chunks_count

    Parameters
    ----------
    tokens_count : tokens of a micro-batch
    d_model : model width
    tensor_count : devices that share the activations, >= 1
    chunks_count : groups of layers that a device holds (interleaving), >= 1

    References
    ----------
    .. [1] Narayanan et al. 2021, arXiv 2104.04473, section 2.2.
    """
    return 4 * tokens_count * d_model / tensor_count * chunks_count


def gradient_bytes(params_count: Quantity, data_count: Quantity, passes_bytes: Quantity) -> Quantity:
    """What a device sends in a step to keep its replicas one: gradients reduced, parameters gathered.

    gradient_bytes = passes_bytes * params_count * (data_count - 1) / data_count

    Parameters
    ----------
    params_count : parameters that one device's group holds
    data_count : replicas, >= 1
    passes_bytes : bytes per parameter: 4 a step (2-byte gradients, 2-byte parameters), or 6 a micro-batch where
        parameters are sharded too (ZeRO stage 3: gathered forward and backward, gradients reduced)

    References
    ----------
    .. [1] Rajbhandari et al. 2020, "ZeRO", arXiv 1910.02054, section 7.
    """
    return passes_bytes * params_count * (data_count - 1) / data_count


def exposed_s(exchange_s: Quantity, window_s: Quantity) -> Quantity:
    """The part of an exchange that computation does not hide: none of a short one, all but the window of a long one.

    exposed_s = (exchange_s ** 3 + window_s ** 3) ** (1 / 3) - window_s

    Parameters
    ----------
    exchange_s : s
    window_s : s of computation that it may overlap with

    References
    ----------
    .. [1] A smooth max(exchange_s - window_s, 0); the power is this project's choice.
    """
    return (exchange_s**3 + window_s**3) ** (1 / 3) - window_s


def pipelined_count(
    micro_batches_count: Quantity, pipeline_count: Quantity, chunks_count: Quantity, bubble_ratio: Quantity
) -> Quantity:
    """Micro-batches' time that a pipeline takes for its micro-batches, filling and draining included.

    pipelined_count = micro_batches_count + bubble_ratio * (pipeline_count - 1) / chunks_count

    Never less than `pipeline_count`: one micro-batch passes all stages in turn, however they interleave.

    Parameters
    ----------
    micro_batches_count : micro-batches of a replica in a step, >= 1
    pipeline_count, chunks_count : stages of the pipeline, and groups of layers a device, >= 1
    bubble_ratio : calibrated; 1 for the plain schedule

    References
    ----------
    .. [1] Narayanan et al. 2021, arXiv 2104.04473, section 2.2 (bubble).
    """
    return micro_batches_count + bubble_ratio * (pipeline_count - 1) / chunks_count


def step_s(
    micro_batch_s: Quantity,
    passes_count: Quantity,
    exposed_gradient_s: Quantity,
    update_s: Quantity,
    latency_s: Quantity,
    doublings_count: Quantity,
    straggler_ratio: Quantity,
) -> Quantity:
    """Time of an optimizer step: micro-batches, the pipeline's filling, gradients, update, and waiting for each other.

    step_s = (micro_batch_s * passes_count + exposed_gradient_s + update_s + latency_s * doublings_count) * (1 + straggler_ratio * doublings_count)

    Parameters
    ----------
    micro_batch_s : s of one micro-batch on one device
    passes_count : micro-batches' time of a step, the larger of `pipelined_count` and the pipeline's stages
    exposed_gradient_s, update_s : s, once a step
    latency_s : s, calibrated, once a step for each doubling of the devices
    doublings_count : log2 of the devices, >= 0
    straggler_ratio : calibrated: how much slower the slowest is, for each doubling

    References
    ----------
    .. [1] Shoeybi et al. 2019, "Megatron-LM", arXiv 1909.08053; waiting is this project's measure of weak scaling.
    """
    once = exposed_gradient_s + update_s + latency_s * doublings_count
    return (micro_batch_s * passes_count + once) * (1 + straggler_ratio * doublings_count)
