"""How a run is recorded, beside what is said of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from footprint.measurement.sensors import detect

__all__ = ["Options"]


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is recorded."""

    folder: Path | None = None
    run_id: str | None = None
    pids: Callable[[], Iterable[int]] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    sensors: Collection[str] | None = None
    detect: Callable[..., Any] = detect
    clock: Callable[[], float] = time.monotonic
