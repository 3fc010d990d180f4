"""Where the ledger lies: a file in footprint's home, unless a file or a URL is named."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from footprint.measurement import journal

FILE_NAME = "ledger.sqlite"
VARIABLE = "FOOTPRINT_STORE"


def ledger_url(url_or_path: str | Path | None, environment: Mapping[str, str]) -> str:
    """The URL of the database that was named, or of the one in footprint's home."""
    told = url_or_path or environment.get(VARIABLE) or journal.home(environment) / FILE_NAME
    if isinstance(told, str) and "://" in told:
        return told
    return f"sqlite:///{Path(told).expanduser().absolute()}"
