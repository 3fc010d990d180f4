"""Values as plain data: keys are the field names, a Range becomes low, mid and high, None stays null."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import Any

SCHEMA_VERSION = 1
"""Raised when a key of the JSON is renamed, removed or changes its meaning; not when one is added."""


def to_plain(value: Any) -> Any:
    """Dictionaries, lists, numbers and strings. Tuples of (name, value) pairs become objects."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple):
        if value and all(_is_pair(item) for item in value):
            return {name: to_plain(item) for name, item in value}
        return [to_plain(item) for item in value]
    return value


def to_dict(value: Any) -> dict[str, Any]:
    """A record with the version of the schema on top."""
    return {"schema_version": SCHEMA_VERSION, **to_plain(value)}


def to_json(value: Any) -> str:
    """A record as JSON text: UTF-8, no NaN."""
    return json.dumps(to_dict(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _is_pair(item: Any) -> bool:
    return isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str)
