"""Memory that training cannot do without: a lower bound on the number of accelerators.

Fitting is a necessary condition, not a sufficient one: fragmentation, communication buffers, uneven
shards and unsharded layers come on top. Floats or arrays in, the same out.
"""

from __future__ import annotations

from footprint.units import Quantity

__all__ = ["activation_bytes", "smallest_count", "state_bytes"]


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
