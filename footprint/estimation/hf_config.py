"""Reads the `config.json` of a published model into an `Architecture`, without transformers.

Where a key is absent, the default of that family's configuration class in transformers holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from footprint.errors import InputError
from footprint.estimation.hf_families import READERS, SUPPORTED
from footprint.estimation.hf_fields import Fields
from footprint.values import Architecture

__all__ = ["SUPPORTED", "ReadConfig", "read_config"]


@dataclass(frozen=True, slots=True)
class ReadConfig:
    """What a configuration says of the model, and which of its architectural keys were not understood."""

    architecture: Architecture
    model_type: str
    name: str | None
    max_seq_len: int | None
    unknown_fields: tuple[str, ...] = ()


def read_config(source: str | Path | Mapping[str, Any]) -> ReadConfig:
    """Read a Hugging Face `config.json`, from its path (or its folder) or already parsed.

    Raises
    ------
    InputError
        When the file is missing or malformed, the kind is not a supported decoder, a needed key is absent,
        or a value is impossible.
    """
    fields = Fields(source if isinstance(source, Mapping) else _parse(Path(source)))
    model_type = str(fields.get("model_type", ""))
    if model_type not in READERS:
        known = ", ".join(SUPPORTED)
        raise InputError(
            "model_type", model_type or None, "is not a supported decoder-only transformer",
            f"use one of {known}, or state params and tokens",
        )  # fmt: skip
    architecture = READERS[model_type](fields)
    _check(architecture)
    name = fields.get("_name_or_path", "")
    return ReadConfig(
        architecture, model_type, str(name) or None,
        fields.optional_count("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx"),
        fields.unknown(),
    )  # fmt: skip


def _check(shape: Architecture) -> None:
    """What no single key can get wrong, but two together can."""
    for field, value, most in (
        ("num_experts_per_tok", shape.experts_per_token, shape.n_experts),
        ("first_k_dense_replace", shape.n_dense_layers, shape.n_layers),
        ("num_key_value_heads", shape.n_kv_heads, shape.n_heads),
    ):
        if value > most:
            raise InputError(field, value, f"must be at most {most}", "correct the configuration")
    if shape.n_heads % shape.n_kv_heads:
        bound = f"must divide the {shape.n_heads} attention heads"
        raise InputError("num_key_value_heads", shape.n_kv_heads, bound, "correct the configuration")


def _parse(path: Path) -> Mapping[str, Any]:
    path = path / "config.json" if path.is_dir() else path
    try:
        parsed = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError("config", str(path), "cannot be read", "give the path of a config.json") from error
    except UnicodeDecodeError as error:
        raise InputError("config", str(path), "is not UTF-8 text", "give the path of a config.json") from error
    except RecursionError as error:
        raise InputError("config", str(path), "is nested too deeply", "give the config.json of a model") from error
    except json.JSONDecodeError as error:
        raise InputError(
            "config", str(path), f"is not JSON at line {error.lineno}: {error.msg}", "repair the file"
        ) from error
    if not isinstance(parsed, Mapping):
        raise InputError("config", str(path), "is not a JSON object", "give the config.json of a model")
    return parsed
