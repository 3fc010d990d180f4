"""The data inside a page: written so that no name in it ends the script around it, and read again."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from footprint.errors import InputError

ELEMENT = "footprint"
"""The id of the script that holds them."""

_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
_BLOCK = re.compile(rf'<script type="application/json" id="{ELEMENT}">(.*?)</script>', re.DOTALL)
_FIX = "name a page that footprint wrote: footprint report PLAN --out page.html"


def script(data: Any, element: str = ELEMENT) -> str:
    """A script that holds data as JSON: ASCII, and without a character that HTML would act on."""
    return f'<script type="application/json" id="{element}">{safe(json.dumps(data, allow_nan=False))}</script>'


def safe(json_text: str) -> str:
    """JSON in which no string can open or close a tag: U+2028 and U+2029 are escaped by `json` already."""
    return re.sub("[<>&]", lambda match: _UNSAFE[match.group()], json_text)


def read(path: Path) -> dict[str, Any]:
    """The record inside a page, or of a .json file: a footprint's or a run's as plain data.

    Raises
    ------
    InputError
        Where there is none.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError("page", str(path), f"cannot be read ({error.strerror})", "name a page that exists") from error
    except UnicodeDecodeError as error:
        raise InputError("page", str(path), "is not UTF-8 text", _FIX) from error
    if path.suffix.lower() != ".json":
        found = _BLOCK.search(text)
        if found is None:
            raise InputError("page", str(path), "holds no footprint", _FIX)
        text = found[1]
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError("page", str(path), "holds data that are not JSON", _FIX) from error
    if not isinstance(data, dict) or "schema_version" not in data:
        raise InputError("page", str(path), "holds no record of a footprint or run", _FIX)
    return data
