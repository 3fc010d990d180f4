"""Where the ledger lies, and by which names it knows the folders of journals."""

from __future__ import annotations

import os
import platform
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


def folder_key(folder: Path, host: str) -> str:
    """A folder as a ledger names it: 'gpu01:/runs/sft' where other hosts may have another one of that path."""
    return f"{host}:{folder}" if host else str(folder)


def here(key: str) -> Path | None:
    """The folder of a key as it is called on this host; None where it is another host's."""
    own = platform.node() + ":"
    if key.startswith(own):
        return Path(key.removeprefix(own))
    return Path(key) if os.path.isabs(key) else None
