"""The keys of a Hugging Face configuration: read with their checks, and remembered as read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from footprint.errors import InputError

__all__ = ["Fields"]

# Keys that shape the model only in ways that change neither parameters nor FLOP, or not at all.
_HARMLESS = re.compile(
    r"drop|rope|rotary|_token_id|initializer|init_|activation|hidden_act|act_fn|softcap|eps|epsilon|aux_loss|z_loss"
    r"|router_jitter|routed_scaling|scoring|topk_method|topk_group|n_group|norm_topk|seq_aux|output_router"
    r"|use_cache|upcast|softmax|query_pre_attn|scale|clip_qkv|pretraining_tp|attention_softmax|quantization"
    r"|_attn_implementation|max_window_layers|summary_|layer_norm_type|normalization_type|layernorm_compute"
    r"|norm_type|cache_implementation|apply_residual|offset_alibi|slow_but_exact|masked_softmax|parallel_residual|reorder"
    r"|inference_runner|validate_runner|pre_allocate|max_batch_size|max_sequence_length|ep_size|partial_rotary"
    r"|learned_pos_emb|no_bias|low_precision|attention_window_size|bidirectional|label|logit"
)
_ARCHITECTURAL = re.compile(
    r"layer|head|dim|size|expert|hidden|^n_|num_|rank|window|norm|bias|ffn|mlp|attn|attention|moe|vocab|block|width"
)


class Fields:
    """The keys of a configuration, remembering which were read."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.read = {"architectures", "transformers_version", "torch_dtype", "dtype", "auto_map", "tokenizer_class"}

    def get(self, name: str, default: Any = None) -> Any:
        """A key's value; null counts as absent."""
        self.read.add(name)
        value = self.values.get(name)
        return default if value is None else value

    def count(self, *names: str, default: int | None = None) -> int:
        """A positive whole number under the first of these names, `default` where none is given."""
        value = self.optional_count(*names)
        if value is None and default is None:
            raise InputError(names[0], None, "is missing from the configuration", "add it, or state params and tokens")
        return default if value is None and default is not None else int(value or 0)

    def optional_count(self, *names: str) -> int | None:
        """Like `count`, None where none of the names is given."""
        found = [(name, self.get(name)) for name in names if self.get(name) is not None]
        return self._whole(*found[0], least=1) if found else None

    def number(self, name: str, default: int) -> int:
        """A whole number that may be zero."""
        return self._whole(name, self.get(name, default), least=0)

    def flag(self, name: str, default: bool) -> bool:
        """A boolean."""
        value = self.get(name, default)
        if not isinstance(value, bool):
            raise InputError(name, value, "must be true or false", "correct the configuration")
        return value

    def inner(self, name: str) -> Fields:
        """A nested object, empty where absent."""
        value = self.get(name, {})
        if not isinstance(value, Mapping):
            raise InputError(name, str(value), "must be an object", "correct the configuration")
        return Fields(value)

    def unknown(self) -> tuple[str, ...]:
        """Keys that look architectural and were not read."""
        rest = sorted(set(self.values) - self.read)
        return tuple(key for key in rest if _ARCHITECTURAL.search(key) and not _HARMLESS.search(key))

    @staticmethod
    def _whole(name: str, value: Any, least: int) -> int:
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        whole = whole and not isinstance(value, bool)
        if not whole or not least <= value <= 10**9:
            raise InputError(name, value, f"must be a whole number from {least} to 1e9", "correct the configuration")
        return int(value)
