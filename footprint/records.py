"""Values as plain data and back: keys are the field names, a Range becomes low, mid and high, None stays null."""

from __future__ import annotations

import json
import typing
from collections.abc import Hashable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import lru_cache
from types import UnionType
from typing import Any, TypeVar, Union

from footprint.errors import InputError
from footprint.units import FAR_BEYOND

SCHEMA_VERSION = 1
"""Raised when a key of the JSON is renamed, removed or changes its meaning; not when one is added."""

Record = TypeVar("Record")

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


def from_plain(kind: type[Record], plain: Mapping[str, Any]) -> Record:
    """The record again. Unknown keys are passed over, missing ones take their default: older and newer files are read.

    Raises
    ------
    InputError
        Where a key without a default is missing, or a value is not of its field's kind.
    """
    if not isinstance(plain, Mapping):
        raise InputError(kind.__name__, type(plain).__name__, "is not an object", "give the JSON of a whole record")
    hints = _hints(typing.cast("Hashable", kind))
    values: dict[str, Any] = {}
    for one in fields(kind):  # type: ignore[arg-type]
        if one.name in plain:
            values[one.name] = _read(hints[one.name], plain[one.name], f"{kind.__name__}.{one.name}")
        elif one.default is MISSING and one.default_factory is MISSING:
            raise InputError(f"{kind.__name__}.{one.name}", None, "is missing", "give the JSON of a whole record")
    return kind(**values)


@lru_cache(maxsize=64)
def _hints(kind: Hashable) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _read(hint: Any, value: Any, where: str) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (UnionType, Union):
        return _read_one_of(inner, value, where)
    if is_dataclass(hint):
        return from_plain(typing.cast("type[Any]", hint), value)
    if origin is tuple:
        if isinstance(value, Mapping):  # pairs, written as an object
            value = list(value.items())
        if not isinstance(value, (list, tuple)):
            raise InputError(where, str(value)[:40], "is not a list", "give the JSON of a whole record")
        if inner[-1] is Ellipsis:
            return tuple(_read(inner[0], item, where) for item in value)
        if len(value) != len(inner):
            raise InputError(where, str(value)[:40], f"must hold {len(inner)}", "give the JSON of a whole record")
        return tuple(_read(kind, item, where) for kind, item in zip(inner, value, strict=True))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > FAR_BEYOND:
            raise InputError(
                where, str(value)[:40], f"must be below {FAR_BEYOND:.0e}", "give the JSON of a whole record"
            )
        return float(value)
    if not isinstance(value, hint):
        raise InputError(where, str(value)[:40], f"is not {hint.__name__}", "give the JSON of a whole record")
    return value


def _read_one_of(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    """None where it may be; an object where a record may stand; else the plain kind that fits."""
    if value is None:
        return None
    some = [kind for kind in kinds if kind is not type(None)]
    if isinstance(value, Mapping):
        some = [kind for kind in some if is_dataclass(kind) or typing.get_origin(kind) is tuple] or some
    elif any(kind in (str, int, float) and isinstance(value, kind) for kind in some):
        some = [kind for kind in some if kind in (str, int, float) and isinstance(value, kind)]
    return _read(some[0], value, where)


def _field(field: Field[Any], value: Any) -> Any:
    return dict(value) if str(field.type).startswith(_PAIRS) and value is not None else to_plain(value)
