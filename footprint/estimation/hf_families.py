"""How each family's configuration names its widths, and what it assumes where a key is absent.

Defaults are those of the family's configuration class in transformers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from footprint.errors import InputError
from footprint.estimation.hf_fields import Fields
from footprint.values import Architecture

__all__ = ["READERS", "SUPPORTED"]


@dataclass(frozen=True, slots=True)
class _Family:
    """What a Llama-like family does where its configuration is silent."""

    kv_heads: int | None = None  # None: as many as query heads
    head_dim: int | None = None  # None: model width over heads
    tied: bool = False
    qkv_bias: bool | None = False  # None: read `attention_bias`
    norms_per_layer: int = 2
    norm_weights: bool = True
    qk_norm: str = ""
    window: int | None = None  # used when `sliding_window` is absent
    window_every: int = 1
    window_switch: bool = False  # only with `use_sliding_window`
    experts: str = ""


_LLAMA_LIKE = {
    "llama": _Family(qkv_bias=None),
    "mistral": _Family(kv_heads=8, window=4096),
    "mixtral": _Family(kv_heads=8, experts="mixtral"),
    "qwen2": _Family(kv_heads=32, qkv_bias=True, window_switch=True),
    "qwen2_moe": _Family(kv_heads=16, qkv_bias=True, window_switch=True, experts="qwen2_moe"),
    "qwen3": _Family(kv_heads=32, head_dim=128, qkv_bias=None, qk_norm="head", window_switch=True),
    "qwen3_moe": _Family(kv_heads=4, qkv_bias=None, qk_norm="head", window_switch=True, experts="qwen3_moe"),
    "gemma": _Family(kv_heads=16, head_dim=256, tied=True, qkv_bias=None),
    "gemma2": _Family(
        kv_heads=4, head_dim=256, tied=True, qkv_bias=None, norms_per_layer=4, window=4096, window_every=2
    ),
    "gemma3_text": _Family(
        kv_heads=4, head_dim=256, tied=True, qkv_bias=None, norms_per_layer=4, qk_norm="head",
        window=4096, window_every=6,
    ),
    "olmo": _Family(qkv_bias=None, norms_per_layer=0, norm_weights=False),
    "olmo2": _Family(qkv_bias=None, qk_norm="full"),
    "olmo3": _Family(qkv_bias=None, qk_norm="full", window=4096, window_every=4),
    "phi3": _Family(),
    "deepseek_v2": _Family(qkv_bias=None, experts="deepseek"),
    "deepseek_v3": _Family(qkv_bias=None, experts="deepseek"),
}  # fmt: skip


def _llama_like(family: _Family) -> Callable[[Fields], Architecture]:
    def read(fields: Fields) -> Architecture:
        d_model, n_heads = fields.count("hidden_size"), fields.count("num_attention_heads")
        n_layers = fields.count("num_hidden_layers")
        head_dim = _head_dim(fields, family, d_model, n_heads)
        bias = fields.flag("attention_bias", False) if family.qkv_bias is None else family.qkv_bias
        window, window_every = _window(fields, family, n_layers)
        return Architecture(
            n_layers=n_layers,
            d_model=d_model,
            d_ff=fields.count("intermediate_size"),
            n_heads=n_heads,
            n_kv_heads=fields.count("num_key_value_heads", default=family.kv_heads or n_heads),
            head_dim=head_dim,
            vocab=fields.count("vocab_size"),
            tied=fields.flag("tie_word_embeddings", family.tied),
            qkv_bias=bias,
            output_bias=bias and family.qkv_bias is None,
            ffn_bias=fields.flag("mlp_bias", False),
            norms_per_layer=family.norms_per_layer,
            final_norm=family.norm_weights,
            qk_norm=family.qk_norm,
            window=window,
            window_every=window_every,
            **_EXPERTS[family.experts](fields, n_layers),
        )

    return read


def _head_dim(fields: Fields, family: _Family, d_model: int, n_heads: int) -> int:
    given = fields.optional_count("head_dim")
    if given or family.head_dim:
        return given or family.head_dim or 0
    if family.experts == "deepseek":
        return fields.count("v_head_dim")
    return _divided(d_model, n_heads)


def _divided(d_model: int, n_heads: int) -> int:
    if d_model % n_heads:
        raise InputError(
            "num_attention_heads", n_heads, f"must divide the width {d_model}", "correct the configuration"
        )
    return d_model // n_heads


def _window(fields: Fields, family: _Family, n_layers: int) -> tuple[int, int]:
    """(window in tokens or 0, one layer in so many is global or 1 for none)."""
    absent = "sliding_window" not in fields.values
    window = family.window or 0 if absent else fields.number("sliding_window", 0)
    if family.window_switch:
        on = fields.flag("use_sliding_window", False)
        # the first max_window_layers attend to everything; a mix of both kinds is read as global
        window = window if on and fields.number("max_window_layers", 28) == 0 else 0
    every = fields.count("sliding_window_pattern", default=family.window_every)
    kinds = fields.get("layer_types", [])
    if isinstance(kinds, list) and kinds:
        n_global = sum(kind == "full_attention" for kind in kinds)
        every = n_layers // n_global if 0 < n_global < n_layers else 1
        window = 0 if n_global == n_layers else window
    return window, every if window else 1


def _no_experts(fields: Fields, n_layers: int) -> dict[str, Any]:
    return {}


def _mixtral(fields: Fields, n_layers: int) -> dict[str, Any]:
    return {
        "n_experts": fields.count("num_local_experts", default=8),
        "experts_per_token": fields.count("num_experts_per_tok", default=2),
        "d_expert": fields.count("intermediate_size"),
    }


def _qwen_moe(fields: Fields, n_layers: int) -> dict[str, Any]:
    dense = fields.get("mlp_only_layers", [])
    if dense != list(range(len(dense))):
        raise InputError("mlp_only_layers", str(dense), "must be the first layers", "state the architecture by hand")
    return {
        "experts_per_token": fields.count("num_experts_per_tok", default=8),
        "n_experts": fields.count("num_experts", default=128),
        "d_expert": fields.count("moe_intermediate_size", default=768),
        "moe_every": fields.count("decoder_sparse_step", default=1),
        "n_dense_layers": len(dense),
    }


def _qwen2_moe(fields: Fields, n_layers: int) -> dict[str, Any]:
    return _qwen_moe(fields, n_layers) | {
        "n_experts": fields.count("num_experts", default=60),
        "experts_per_token": fields.count("num_experts_per_tok", default=4),
        "d_expert": fields.count("moe_intermediate_size", default=1408),
        "n_shared_experts": 1,
        "d_shared_expert": fields.count("shared_expert_intermediate_size", default=5632),
        "shared_expert_gate": True,
    }


def _deepseek(fields: Fields, n_layers: int) -> dict[str, Any]:
    width = fields.count("moe_intermediate_size")
    n_shared = fields.number("n_shared_experts", 0)
    return {
        "n_experts": fields.count("n_routed_experts"),
        "experts_per_token": fields.count("num_experts_per_tok"),
        "d_expert": width,
        "n_shared_experts": n_shared,
        "d_shared_expert": width if n_shared else 0,
        "n_dense_layers": fields.number("first_k_dense_replace", 3 if _is_v3(fields) else 0),
        "moe_every": fields.count("moe_layer_freq", default=1),
        "router_bias": _is_v3(fields),
        "q_rank": fields.number("q_lora_rank", 0),
        "kv_rank": fields.count("kv_lora_rank"),
        "nope_dim": fields.count("qk_nope_head_dim"),
        "rope_dim": fields.count("qk_rope_head_dim"),
        "value_dim": fields.count("v_head_dim"),
    }


def _is_v3(fields: Fields) -> bool:
    return bool(fields.get("model_type") == "deepseek_v3")


_EXPERTS: dict[str, Callable[[Fields, int], dict[str, Any]]] = {
    "": _no_experts, "mixtral": _mixtral, "qwen2_moe": _qwen2_moe, "qwen3_moe": _qwen_moe, "deepseek": _deepseek,
}  # fmt: skip


def _plain(
    fields: Fields, layers: tuple[str, ...], width: tuple[str, ...], heads: tuple[str, ...], ffn: tuple[str, ...]
) -> dict[str, Any]:
    """The widths of a family with one plain FFN of four widths and biases everywhere."""
    d_model, n_heads = fields.count(*width), fields.count(*heads)
    return {
        "n_layers": fields.count(*layers),
        "d_model": d_model,
        "d_ff": fields.count(*ffn, default=4 * d_model),
        "n_heads": n_heads,
        "n_kv_heads": n_heads,
        "head_dim": _divided(d_model, n_heads),
        "vocab": fields.count("vocab_size"),
        "gated": False,
        "tied": fields.flag("tie_word_embeddings", True),
        "qkv_bias": True,
        "output_bias": True,
        "ffn_bias": True,
        "norm_bias": True,
    }


_HF_NAMES = (("num_hidden_layers",), ("hidden_size",), ("num_attention_heads",), ("intermediate_size",))


def _gpt2(fields: Fields) -> Architecture:
    widths = _plain(
        fields, ("n_layer", "num_hidden_layers"), ("n_embd", "hidden_size"), ("n_head", "num_attention_heads"),
        ("n_inner",),
    )  # fmt: skip
    return Architecture(**widths, positions=fields.count("n_positions", "max_position_embeddings", default=1024))


def _gpt_bigcode(fields: Fields) -> Architecture:
    shape = _gpt2(fields)
    return replace(shape, n_kv_heads=1) if fields.flag("multi_query", True) else shape


def _bloom(fields: Fields) -> Architecture:
    widths = _plain(
        fields, ("n_layer", "num_hidden_layers"), ("hidden_size", "n_embed"), ("n_head", "num_attention_heads"), ()
    )
    return Architecture(**widths, embedding_norm=True)


def _opt(fields: Fields) -> Architecture:
    widths = _plain(fields, *_HF_NAMES[:3], ("ffn_dim",))
    projected = fields.count("word_embed_proj_dim", default=widths["d_model"])
    if projected != widths["d_model"]:
        raise InputError(
            "word_embed_proj_dim", projected, f"must equal hidden_size {widths['d_model']}", "state params and tokens"
        )
    bias = fields.flag("enable_bias", True)
    before = fields.flag("do_layer_norm_before", True) and not fields.flag("_remove_final_layer_norm", False)
    widths |= {"qkv_bias": bias, "output_bias": bias, "ffn_bias": bias, "final_norm": before}
    return Architecture(**widths, positions=fields.count("max_position_embeddings", default=2048) + 2)


def _mpt(fields: Fields) -> Architecture:
    widths = _plain(fields, ("n_layers",), ("d_model",), ("n_heads",), ())
    attention = fields.inner("attn_config")
    multi_query = attention.get("attn_type", "multihead_attention") == "multiquery_attention"
    heads = attention.count("kv_n_heads", default=1 if multi_query else widths["n_heads"])
    bias = not fields.flag("no_bias", True)
    return Architecture(
        **widths | {
            "n_kv_heads": heads,
            "d_ff": widths["d_model"] * fields.count("expansion_ratio", default=4),
            "qkv_bias": bias, "output_bias": bias, "ffn_bias": bias, "norm_bias": bias,
            "qk_norm": "full" if attention.flag("qk_ln", False) else "",
            "positions": 0 if attention.flag("alibi", True) else fields.count("max_seq_len", default=2048),
        }
    )  # fmt: skip


def _gpt_neox(fields: Fields) -> Architecture:
    widths = _plain(fields, *_HF_NAMES)
    bias = fields.flag("attention_bias", True)
    tied = fields.flag("tie_word_embeddings", False)
    return Architecture(**widths | {"tied": tied, "qkv_bias": bias, "output_bias": bias})


def _falcon(fields: Fields) -> Architecture:
    widths = _plain(
        fields, ("num_hidden_layers", "n_layer"), ("hidden_size", "n_embed"), ("num_attention_heads", "n_head"),
        ("ffn_hidden_size",),
    )  # fmt: skip
    new, parallel = fields.flag("new_decoder_architecture", False), fields.flag("parallel_attn", True)
    shared = 1 if fields.flag("multi_query", True) else widths["n_heads"]
    given = fields.optional_count("num_kv_heads", "n_head_kv")
    two_norms = fields.count("num_ln_in_parallel_attn", default=2 if new else 1) == 2 or not parallel
    bias = fields.flag("bias", False)
    fields.flag("alibi", False)
    return Architecture(
        **widths | {
            "n_kv_heads": (given or widths["n_heads"]) if new else shared,
            "qkv_bias": bias, "output_bias": bias, "ffn_bias": bias, "norms_per_layer": 2 if two_norms else 1,
        }
    )  # fmt: skip


def _phi(fields: Fields) -> Architecture:
    widths = _plain(fields, *_HF_NAMES)
    tied = fields.flag("tie_word_embeddings", False)
    kv_heads = fields.count("num_key_value_heads", default=widths["n_heads"])
    qk_norm = "head" if fields.flag("qk_layernorm", False) else ""
    return Architecture(
        **widths | {"tied": tied, "n_kv_heads": kv_heads, "qk_norm": qk_norm, "norms_per_layer": 1, "head_bias": True}
    )


def _starcoder2(fields: Fields) -> Architecture:
    widths = _plain(fields, *_HF_NAMES)
    bias = fields.flag("use_bias", True)
    window = fields.number("sliding_window", 0)
    kv_heads = fields.count("num_key_value_heads", default=2)
    return Architecture(
        **widths | {"n_kv_heads": kv_heads, "qkv_bias": bias, "output_bias": bias, "ffn_bias": bias, "window": window}
    )


READERS: dict[str, Callable[[Fields], Architecture]] = {
    **{model_type: _llama_like(family) for model_type, family in _LLAMA_LIKE.items()},
    "gpt2": _gpt2,
    "gpt_bigcode": _gpt_bigcode,
    "bloom": _bloom,
    "opt": _opt,
    "mpt": _mpt,
    "gpt_neox": _gpt_neox,
    "falcon": _falcon,
    "phi": _phi,
    "starcoder2": _starcoder2,
}

SUPPORTED = tuple(sorted(READERS))
