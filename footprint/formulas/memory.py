"""Memory that training cannot do without: a lower bound on the number of accelerators.

Fitting is a necessary condition, not a sufficient one: fragmentation, communication buffers, uneven
shards and unsharded layers come on top. Floats or arrays in, the same out.
"""

from __future__ import annotations

from footprint.units import Quantity

__all__ = [
    "activation_bytes",
    "device_activation_bytes",
    "device_state_bytes",
    "logits_bytes",
    "smallest_count",
    "state_bytes",
]


def state_bytes(
    params: Quantity, weights_bytes: Quantity, gradients_bytes: Quantity, states_bytes: Quantity
) -> Quantity:
    """Memory of weights, gradients and optimizer states of the whole model, over all accelerators together.

    Leaves out activations, buffers and any replication: it is what ideal sharding (ZeRO stage 3) spreads.

    state_bytes = params * (weights_bytes + gradients_bytes + states_bytes)

    Parameters
    ----------
    params : float or array
        All parameters, for a mixture of experts too, > 0.
    weights_bytes : float or array
        Bytes per parameter of the weights in use: 2 in BF16, 0.5 in 4 bits.
    gradients_bytes : float or array
        Bytes per parameter of the gradients: 2 in BF16, 4 in FP32, times the trained share for adapters.
    states_bytes : float or array
        Bytes per parameter of master weights and optimizer: 12 for Adam in mixed precision (16 in all).

    References
    ----------
    .. [1] Rajbhandari et al. 2020, "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models",
       arXiv 1910.02054, section 3.1.
    """
    return params * (weights_bytes + gradients_bytes + states_bytes)


def activation_bytes(
    n_layers: Quantity, d_model: Quantity, ffn_dim: Quantity, seq_len: Quantity, sequences_count: Quantity
) -> Quantity:
    """Memory of activations under full recomputation: each layer's input, and one layer at work.

    The working layer keeps 18 bytes per width and 4 per FFN width with fused attention. Leaves out what a
    gated FFN keeps beyond a plain one (2 to 4 bytes more per FFN width) and routed copies of tokens:
    a lower bound.

    activation_bytes = seq_len * sequences_count * (2 * n_layers * d_model + 18 * d_model + 4 * ffn_dim)

    Parameters
    ----------
    n_layers, d_model : float or array
        Layers and model width, >= 1.
    ffn_dim : float or array
        FFN width that one token passes: d_ff, or experts per token times expert width plus shared.
    seq_len : float or array
        Tokens in a sequence, >= 1.
    sequences_count : float or array
        Sequences in flight at once over all accelerators together, >= 1.

    References
    ----------
    .. [1] Korthikanti et al. 2022, "Reducing Activation Recomputation in Large Transformer Models",
       arXiv 2205.05198, sections 4 and 5.
    """
    return seq_len * sequences_count * (2 * n_layers * d_model + 18 * d_model + 4 * ffn_dim)


def smallest_count(total_bytes: Quantity, memory_bytes: Quantity, usable_share: Quantity) -> Quantity:
    """Fewest accelerators that could hold a training run if everything were sharded evenly.

    A necessary condition only: it assumes ZeRO stage 3 or tensor and pipeline parallelism without any
    replication, and sequence or context parallelism over all accelerators. A plan below it cannot run;
    one above it may still not.

    smallest_count = -(-total_bytes // (memory_bytes * usable_share))

    Parameters
    ----------
    total_bytes : float or array
        States, activations and logits together, >= 0.
    memory_bytes : float or array
        Memory of one accelerator, > 0.
    usable_share : float or array
        Share of it that tensors can fill, > 0 and <= 1; the driver, the context and fragments take the rest.

    References
    ----------
    .. [1] Rajbhandari et al. 2020, arXiv 1910.02054, section 3.
    .. [2] Korthikanti et al. 2022, arXiv 2205.05198, section 4.2.
    """
    return -(-total_bytes // (memory_bytes * usable_share))


def device_state_bytes(
    params_count: Quantity,
    weights_bytes: Quantity,
    gradients_bytes: Quantity,
    states_bytes: Quantity,
    shards_count: Quantity,
    state_shards_count: Quantity,
) -> Quantity:
    """Memory of weights, gradients and optimizer states on one device of a parallel layout.

    device_state_bytes = params_count * ((weights_bytes + gradients_bytes) / shards_count + states_bytes / state_shards_count)

    Parameters
    ----------
    params_count : parameters that the device's model-parallel part holds
    weights_bytes, gradients_bytes, states_bytes : bytes per parameter, as for `state_bytes`
    shards_count : replicas over which weights and gradients are spread: 1 below ZeRO stage 3
    state_shards_count : replicas over which optimizer states are spread: 1 without ZeRO

    References
    ----------
    .. [1] Rajbhandari et al. 2020, arXiv 1910.02054, section 5.
    """
    return params_count * ((weights_bytes + gradients_bytes) / shards_count + states_bytes / state_shards_count)


def device_activation_bytes(
    tokens_count: Quantity,
    d_model: Quantity,
    ffn_dim: Quantity,
    tensor_count: Quantity,
    layers_in_flight_count: Quantity,
    recomputed_share: Quantity,
    scores_count: Quantity,
    repeated_dim: Quantity,
) -> Quantity:
    """Memory of activations on the first pipeline stage.

    device_activation_bytes = tokens_count / tensor_count * (layers_in_flight_count * ((1 - recomputed_share) * (18 * d_model + 4 * ffn_dim + 5 * scores_count + 10 * repeated_dim * (tensor_count - 1)) + recomputed_share * 2 * d_model) + recomputed_share * (18 * d_model + 4 * ffn_dim + 5 * scores_count + 10 * repeated_dim * (tensor_count - 1)))

    4 bytes per FFN width: a gated FFN recomputes its product, as tuned stacks do. Routed copies of tokens are left out.

    Parameters
    ----------
    tokens_count : tokens of a micro-batch on one device group
    d_model, ffn_dim : model width, and FFN width that one token passes
    tensor_count : devices that share the activations
    layers_in_flight_count : layers of the stage times micro-batches that it holds at once
    recomputed_share : share of the layers that keep their input alone, 0 to 1
    scores_count : attention scores that a token keeps, heads times length; 0 where a fused kernel spares them
    repeated_dim : model width where every device of `tensor_count` keeps it whole; 0 under sequence parallelism

    References
    ----------
    .. [1] Korthikanti et al. 2022, arXiv 2205.05198, sections 4 and 5.
    """
    kept = 18 * d_model + 4 * ffn_dim + 5 * scores_count + 10 * repeated_dim * (tensor_count - 1)
    per_layer = (1 - recomputed_share) * kept + recomputed_share * 2 * d_model
    return tokens_count / tensor_count * (layers_in_flight_count * per_layer + recomputed_share * kept)


def logits_bytes(tokens_count: Quantity, vocab: Quantity, tensor_count: Quantity) -> Quantity:
    """Memory of the logits of a micro-batch: 2 bytes, and 4 for the softmax.

    logits_bytes = 6 * tokens_count * vocab / tensor_count

    Parameters
    ----------
    tokens_count : tokens of a micro-batch
    vocab : vocabulary entries
    tensor_count : devices that share them

    References
    ----------
    .. [1] Korthikanti et al. 2022, arXiv 2205.05198, section 4.3 (4 s b v bytes in FP32), with the 16-bit copy.
    """
    return 6 * tokens_count * vocab / tensor_count
