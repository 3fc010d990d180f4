"""A site's YAML as text, lists and fields, and what each of them may be; errors name the field."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

from footprint.accounting import words as read
from footprint.errors import InputError, UnknownName

__all__ = ["NOTHING", "amount", "fields_of", "flag", "load", "named", "number", "one_of", "shown", "text"]

NOTHING = ("", "~", "null")
"""Of a field that stands there and says nothing."""

_MOST_BYTES = 1_000_000
_MOST_NAME = 100
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def load(path: Path) -> Any:
    import yaml  # here, not above: only a site's file needs it

    class Loader(yaml.BaseLoader):
        """Scalars as they are written; a name that recurs is refused."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
            names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            twice = next((name for at, name in enumerate(names) if name in names[:at]), None)
            if twice is not None:
                line = node.start_mark.line + 1
                raise InputError("site", str(twice)[:_MOST_NAME], f"stands twice below line {line}", "keep one of them")
            return super().construct_mapping(node, deep)

    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or "no name of a file"
        raise InputError(
            "site", str(path), f"cannot be read ({told})", "name a YAML file; see examples/site.yaml"
        ) from None
    if len(content) > _MOST_BYTES:
        raise InputError("site", str(path), f"is larger than {_MOST_BYTES} bytes", "name a site's file")
    try:
        return yaml.load(content.decode("utf-8"), Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "its encoding"
        problem = getattr(error, "problem", None) or "not text"
        raise InputError("site", str(path), f"is not YAML at {place} ({problem})", "correct that line") from None
    except (RecursionError, ValueError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("site", str(path), "is nested in a way that cannot be read", "write plain words") from None


def fields_of(name: str, value: Any, known: tuple[str, ...] | None) -> dict[str, Any]:
    """Fields without those that are empty; unknown ones are refused."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        fix = "write lines such as `pue: 1.2`; see examples/site.yaml"
        raise InputError(name, shown(value), "is no list of fields", fix)
    for key in value if known is not None else ():
        if key not in (known or ()):
            raise UnknownName(name, key, known or (), f"its fields are {', '.join(known or ())}")
    return {key: one for key, one in value.items() if not (isinstance(one, str) and one.strip() in NOTHING)}


def named(name: str, value: Any) -> dict[str, Any]:
    """A mapping whose keys are names of the site's own; one that says nothing is kept."""
    if value is None:
        return {}
    fields_of(name, value, None)
    long = next((key for key in value if len(key) > _MOST_NAME or not key.isprintable()), None)
    if long is not None:
        raise InputError(name, ascii(long[:_MOST_NAME]), "is no name", f"keep it to {_MOST_NAME} plain characters")
    return dict(value)


def shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "nothing" if value is None else "a list" if isinstance(value, list) else "fields"


def text(name: str, value: Any, *, may_lack: bool = False) -> str:
    if may_lack and value == "":
        return ""
    told = read.name(name, value if isinstance(value, str) else None)
    if len(told) > _MOST_NAME or not told.isprintable():
        raise InputError(name, ascii(told[:_MOST_NAME]), "is no name", f"keep it to {_MOST_NAME} plain characters")
    return told


def number(name: str, value: Any) -> str:
    """A number or a range: text, or a list of its ends."""
    if isinstance(value, list) and 2 <= len(value) <= 3 and all(isinstance(one, str) for one in value):
        return ":".join(value)
    if not isinstance(value, str):
        raise InputError(name, shown(value), "is not a number", "write 1.2, or 1.1:1.2:1.4 for a range")
    return value


def amount(name: str, value: Any) -> float:
    """A number that is not negative."""
    if not isinstance(value, str):
        raise InputError(name, shown(value), "is not a number", "write a plain number")
    return read.quantity(name, value, at_least=0)


def one_of(name: str, value: Any, known: tuple[str, ...]) -> str:
    if value not in known:
        raise UnknownName(name, shown(value), known, f"write {', '.join(known)}")
    return str(value)


def flag(name: str, value: Any) -> bool:
    told = shown(value).casefold()
    if told not in (*_TRUE, *_FALSE):
        raise InputError(name, shown(value), "is neither true nor false", "write true or false")
    return told in _TRUE
