"""Values as plain data: keys are the field names, a Range becomes low, mid and high, None stays null."""

from __future__ import annotations

import json
from dataclasses import Field, fields, is_dataclass
from typing import Any

SCHEMA_VERSION = 1
"""Raised when a key of the JSON is renamed, removed or changes its meaning; not when one is added."""

_PAIRS = "tuple[tuple[str,"


def to_plain(value: Any) -> Any:
    """Dictionaries, lists, numbers and strings. A field of (name, value) pairs becomes an object."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _field(f, getattr(value, f.name)) for f in fields(value)}
    return [to_plain(item) for item in value] if isinstance(value, tuple) else value


def to_dict(value: Any) -> dict[str, Any]:
    """A record with the version of the schema on top."""
    return {"schema_version": SCHEMA_VERSION, **to_plain(value)}


def to_json(value: Any) -> str:
    """A record as JSON text: UTF-8, no NaN."""
    return json.dumps(to_dict(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _field(field: Field[Any], value: Any) -> Any:
    return dict(value) if str(field.type).startswith(_PAIRS) and value is not None else to_plain(value)
