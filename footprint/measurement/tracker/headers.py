"""A journal's first line, as a start of a run writes it."""

from __future__ import annotations

import os
import platform
import time

from footprint import records
from footprint.measurement.journal import Header
from footprint.measurement.launcher import Launch
from footprint.measurement.tracker.boot import boot_id
from footprint.measurement.tracker.words import TrackWords
from footprint.values import Meter
from footprint.version import __version__

__all__ = ["header_of"]


def header_of(run_id: str, words: TrackWords, launch: Launch, meters: tuple[Meter, ...], now_s: float) -> Header:
    """Who writes, what is metered and what was said of it, at a moment of the host's clock."""
    return Header(
        run=run_id, name=words.name, host=platform.node(), boot=boot_id(), pid=os.getpid(),
        restart_count=launch.restart_count, rank=launch.rank, started_utc_s=time.time(), started_s=now_s,
        interval_s=words.interval_s, meters=meters, project=words.project, tags=words.tags, words=words.plain(),
        planned=None if words.planned is None else records.to_plain(words.planned), version=__version__,
    )  # fmt: skip
