"""Counts what a decoder-only transformer is made of, from the widths in `Architecture`.

Only matrices that a token is multiplied with cost FLOP; `params` adds embeddings, norms and biases, so that
it meets published totals to the last unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from footprint.formulas.compute import mean_causal_context, mean_windowed_context
from footprint.values import Architecture

__all__ = [
    "active_params",
    "attention_dim",
    "attention_layers",
    "context",
    "ffn_dim",
    "matmul_params",
    "params",
    "read_row",
]


def read_row(row: Mapping[str, str | int | float | None]) -> Architecture | None:
    """The architecture in a row of `models`, None where the shape is not public; a blank cell is the default."""
    if row.get("n_layers") is None:
        return None
    given: dict[str, Any] = {}
    for field in fields(Architecture):
        cell = row.get(field.name)
        if isinstance(field.default, bool) and cell is not None:
            given[field.name] = cell == "yes"
        elif cell is not None or field.default is MISSING:
            given[field.name] = cell
    return Architecture(**given)


def matmul_params(arch: Architecture) -> int:
    """Weights that one token is multiplied with: projections, active experts, router, vocabulary head.

    The head counts tied or not, the input embedding never; each depth of multi-token prediction adds its
    projection of two widths to one, a layer and a head.
    """
    body = sum(count * _layer_matmul(arch, moe) for moe, count in _layer_kinds(arch))
    extra = arch.mtp_depth * (2 * arch.d_model**2 + _layer_matmul(arch, _is_moe(arch)) + arch.d_model * arch.vocab)
    return body + arch.d_model * arch.vocab + extra


def params(arch: Architecture) -> int:
    """All parameters, embeddings, norms, biases and every expert included; rotary buffers are none."""
    body = sum(count * _layer_params(arch, moe, arch.n_experts) for moe, count in _layer_kinds(arch))
    return body + _outside_layers(arch) + _mtp_params(arch, arch.n_experts)


def active_params(arch: Architecture, input_embedding: bool = True) -> int:
    """Parameters that one token uses: all of them but the experts that it is not routed to.

    Publishers differ: Mixtral, Qwen, Llama 4 and GLaM count the input embedding (the default here), DeepSeek
    leaves it out.

    Parameters
    ----------
    arch : Architecture
    input_embedding : bool
        Whether the table of an untied input embedding counts, although a token looks up one row.
    """
    body = sum(count * _layer_params(arch, moe, arch.experts_per_token) for moe, count in _layer_kinds(arch))
    total = body + _outside_layers(arch) + _mtp_params(arch, arch.experts_per_token)
    return total if input_embedding or arch.tied else total - arch.vocab * arch.d_model


def attention_dim(arch: Architecture) -> float:
    """Width of the attention core: query heads times head width; in latent attention the mean of key and value."""
    if arch.kv_rank:
        return arch.n_heads * (arch.nope_dim + arch.rope_dim + arch.value_dim) / 2
    return float(arch.n_heads * arch.head_dim)


def attention_layers(arch: Architecture) -> int:
    """Layers with an attention core, those of multi-token prediction included."""
    return arch.n_layers + arch.mtp_depth


def context(arch: Architecture, seq_len: float) -> float:
    """Mean tokens attended to over the layers: causal, and shorter where a layer has a sliding window."""
    whole = float(mean_causal_context(seq_len))
    if not arch.window or arch.window >= seq_len:
        return whole
    windowed = float(mean_windowed_context(seq_len, arch.window))
    n_global = arch.n_layers // arch.window_every if arch.window_every > 1 else 0
    return (n_global * whole + (arch.n_layers - n_global) * windowed) / arch.n_layers


def ffn_dim(arch: Architecture) -> int:
    """Widest FFN that one token passes in a layer: dense, or its routed and shared experts together."""
    if not _is_moe(arch):
        return arch.d_ff
    routed = arch.experts_per_token * arch.d_expert + arch.n_shared_experts * arch.d_shared_expert
    return max(arch.d_ff if _dense_layers(arch) else 0, routed)


def _is_moe(arch: Architecture) -> bool:
    return arch.n_experts > 0


def _moe_layers(arch: Architecture) -> int:
    """Every `moe_every`-th layer after the leading dense ones."""
    if not _is_moe(arch):
        return 0
    return arch.n_layers // arch.moe_every - arch.n_dense_layers // arch.moe_every


def _dense_layers(arch: Architecture) -> int:
    return arch.n_layers - _moe_layers(arch)


def _layer_kinds(arch: Architecture) -> tuple[tuple[bool, int], tuple[bool, int]]:
    """(is a mixture of experts, how many such layers)."""
    return (False, _dense_layers(arch)), (True, _moe_layers(arch))


def _attention_matmul(arch: Architecture) -> int:
    h, a = arch.d_model, arch.n_heads
    if not arch.kv_rank:
        return 2 * h * a * arch.head_dim + 2 * h * arch.n_kv_heads * arch.head_dim
    query_width = a * (arch.nope_dim + arch.rope_dim)
    query = arch.q_rank * (h + query_width) if arch.q_rank else h * query_width
    key_value = arch.kv_rank * (h + a * (arch.nope_dim + arch.value_dim)) + h * arch.rope_dim
    return query + key_value + a * arch.value_dim * h


def _ffn_matmul(arch: Architecture, width: int, gated: bool) -> int:
    return (3 if gated else 2) * arch.d_model * width


def _experts_matmul(arch: Architecture, experts_count: int) -> int:
    """Router, shared experts with their gate, and so many routed experts."""
    gated = arch.gated and arch.gated_experts
    routed = experts_count * _ffn_matmul(arch, arch.d_expert, gated)
    shared = arch.n_shared_experts * _ffn_matmul(arch, arch.d_shared_expert, gated)
    return routed + shared + arch.d_model * (arch.n_experts + (1 if arch.shared_expert_gate else 0))


def _layer_matmul(arch: Architecture, moe: bool) -> int:
    ffn = _experts_matmul(arch, arch.experts_per_token) if moe else _ffn_matmul(arch, arch.d_ff, arch.gated)
    return _attention_matmul(arch) + ffn


def _layer_params(arch: Architecture, moe: bool, experts_count: int) -> int:
    ffn = _experts_matmul(arch, experts_count) if moe else _ffn_matmul(arch, arch.d_ff, arch.gated)
    router_bias = arch.n_experts if moe and arch.router_bias else 0
    ffn_biases = 0 if moe else _ffn_biases(arch)
    norms = arch.norms_per_layer * _norm_params(arch)
    return _attention_matmul(arch) + _attention_small(arch) + ffn + router_bias + ffn_biases + norms


def _attention_small(arch: Architecture) -> int:
    """Biases, norms and position projections inside attention."""
    query, key = arch.n_heads * arch.head_dim, arch.n_kv_heads * arch.head_dim
    biases = (query + 2 * key if arch.qkv_bias else 0) + (arch.d_model if arch.output_bias else 0)
    norms = {"": 0, "head": 2 * arch.head_dim, "full": query + key}[arch.qk_norm]
    latent_norms = arch.q_rank + arch.kv_rank
    return biases + norms + latent_norms + (arch.d_model * query if arch.relative_positions else 0)


def _ffn_biases(arch: Architecture) -> int:
    return ((2 if arch.gated else 1) * arch.d_ff + arch.d_model) if arch.ffn_bias else 0


def _norm_params(arch: Architecture) -> int:
    return arch.d_model * (2 if arch.norm_bias else 1)


def _outside_layers(arch: Architecture) -> int:
    """Embeddings, learned positions, the norms before and after the layers, the head."""
    embeddings = arch.vocab * arch.d_model * (1 if arch.tied else 2) + arch.positions * arch.d_model
    norms = (int(arch.final_norm) + int(arch.embedding_norm)) * _norm_params(arch)
    return embeddings + norms + (arch.vocab if arch.head_bias else 0)


def _mtp_params(arch: Architecture, experts_count: int) -> int:
    """Multi-token prediction shares embedding and head: a projection, three norms and a layer a depth."""
    if not arch.mtp_depth:
        return 0
    layer = _layer_params(arch, _is_moe(arch), experts_count)
    return arch.mtp_depth * (2 * arch.d_model**2 + 3 * _norm_params(arch) + layer)
