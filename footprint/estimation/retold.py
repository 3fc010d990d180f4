"""The words of an estimate, kept with its result and read again from its page or its JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from footprint.errors import InputError
from footprint.report import page_data
from footprint.values import Footprint, Range

PAGES = (".html", ".htm")
PLACES = ("region", "country", "zone")
"""Words that say where: one of them over those kept takes the place of all."""

_AGAIN = "name the page of a plan, made by: footprint report PLAN --out page.html"


def told(words: Mapping[str, Any]) -> str:
    """Words as JSON that needs no other file: a model's configuration stands in it."""
    return json.dumps({name: _plain(value, name) for name, value in words.items()}, ensure_ascii=False, allow_nan=False)


def is_record(path: Path) -> bool:
    """Whether a file is a page, or the JSON of a result, and not a plan in words."""
    if path.suffix.lower() in PAGES:
        return True
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    return '"schema_version"' in path.read_text(encoding="utf-8", errors="replace")


def read(path: Path) -> dict[str, Any]:
    """The words that a page, or the JSON of a result, was estimated from; of a run's page those of its plan.

    Raises
    ------
    InputError
        For a file that holds none.
    """
    found = page_data.read(path)
    if isinstance(found.get("planned"), Mapping):
        found = found["planned"]
    if "meters" in found and not found.get("words"):
        raise InputError("plan", str(path), "is the page of a measured run, and no plan", _AGAIN)
    return _mapping(found.get("words"), str(path))


def words_of(footprint: Footprint) -> dict[str, Any]:
    """The words that a footprint was estimated from.

    Raises
    ------
    InputError
        For one that does not have them.
    """
    return _mapping(footprint.words, footprint.name)


def _mapping(words: Any, where: str) -> dict[str, Any]:
    if not words:
        raise InputError("plan", where, "does not hold the words that it was estimated from", _AGAIN)
    try:
        plain = json.loads(words)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError("plan", where, "holds words that cannot be read", _AGAIN) from error
    if not isinstance(plain, dict):
        raise InputError("plan", where, "holds words that are no mapping", _AGAIN)
    return plain


def over(kept: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Kept words under those given; settings are joined, and a place takes the place of all places."""
    is_elsewhere = any(name in given for name in PLACES)
    words = {name: value for name, value in kept.items() if not (is_elsewhere and name in PLACES)} | dict(given)
    settings = [one["settings"] for one in (kept, given) if isinstance(one.get("settings"), Mapping)]
    return words | ({"settings": {**settings[0], **settings[1]}} if len(settings) == 2 else {})


def _plain(value: Any, name: str = "") -> Any:
    """Text, numbers, lists and mappings; the configuration that a path names is read."""
    if name == "config" and not isinstance(value, Mapping):
        path = Path(value) / "config.json" if Path(value).is_dir() else Path(value)
        return json.loads(path.read_text(encoding="utf-8"))
    if isinstance(value, Range):
        return f"{value.low}:{value.mid}:{value.high}"
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(inner) for inner in value]
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    return value.item() if hasattr(value, "item") else str(value)


def changed(subject: Any, found: Footprint) -> list[str]:
    """What differs between the makers of a page and of what was estimated from it again."""
    if subject is None or not is_record(Path(subject)):
        return []
    record = page_data.read(Path(subject))
    then = (str(record.get("version", "")), str(record.get("catalog_digest", "")))
    if then == (found.version, found.catalog_digest):
        return []
    return [
        f"made by footprint {then[0]} with data {then[1]}, estimated again by {found.version} with "
        f"{found.catalog_digest}: numbers may differ"
    ]
