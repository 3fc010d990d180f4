"""What an app is started with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

HOST, PORT = "127.0.0.1", 8050


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the app listens, and which runs and tables it shows."""

    host: str = HOST
    port: int = PORT  # 0: any that is free
    token: str | None = None
    store: str | None = None
    folder: Path | None = None
    data: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    refresh_s: float = 2.0  # between two looks at what runs
