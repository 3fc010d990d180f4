"""Where numbers are brought to, other than by a scrape: a Pushgateway, and node_exporter's folder of text files."""

from __future__ import annotations

import base64
import os
import platform
import re
from contextlib import suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from footprint.errors import FootprintError, InputError
from footprint.export.metrics import exposition
from footprint.export.runs import Shown
from footprint.export.sending import send
from footprint.fleet.access import Access

__all__ = ["FILE", "Output", "Pushgateway", "Textfile"]

FILE = "footprint.prom"
JOB = "footprint"


class Output(Protocol):
    """Takes numbers each interval."""

    name: str

    def send(self, shown: Shown) -> None:
        """Bring them there; raises a FootprintError where that fails, and is called again."""

    def close(self) -> None:
        """The end of the exporter."""


class Pushgateway:
    """Pushes each run as a group of its own: job, instance and run_id.

    A group is deleted when its run has left, and at the exporter's end: a Pushgateway forgets nothing by itself, and
    numbers that nobody renews would be taken for those of now.

    Parameters
    ----------
    access : address and headers
    keeps : leave groups there
    instance : this machine's name
    """

    name = "pushgateway"

    def __init__(self, access: Access, *, keeps: bool = False, instance: str | None = None) -> None:
        exposition(Shown((), 0.0, 0))  # what is missing is told now
        self._access, self._keeps = access, keeps
        self._instance = instance or platform.node() or "localhost"
        self._pushed: dict[str, None] = {}

    def send(self, shown: Shown) -> None:
        problem: FootprintError | None = None
        there = {run.id for run in shown.runs}
        for run in shown.runs:
            body, kind = exposition(Shown((run,), shown.looked_utc_s, 0), has_exporter=False)
            try:
                send(self._access, self._path(run.id), "PUT", body, kind)
                self._pushed[run.id] = None
            except FootprintError as error:
                problem = error
        for run_id in [one for one in self._pushed if one not in there]:
            if not self._keeps:
                send(self._access, self._path(run_id), "DELETE")
            del self._pushed[run_id]
        if problem is not None:
            raise problem

    def close(self) -> None:
        for run_id in () if self._keeps else tuple(self._pushed):
            with suppress(FootprintError):
                send(self._access, self._path(run_id), "DELETE")

    def _path(self, run_id: str) -> str:
        pairs = (("job", JOB), ("instance", self._instance), ("run_id", run_id))
        return "/metrics" + "".join(f"/{_part(name, value)}" for name, value in pairs)


class Textfile:
    """Writes a file for node_exporter's textfile collector, whole or not at all; removed at the end.

    Parameters
    ----------
    folder : the collector's

    Raises
    ------
    InputError
        When nothing can be written there.
    """

    name = "textfile"

    def __init__(self, folder: Path, *, keeps: bool = False) -> None:
        exposition(Shown((), 0.0, 0))
        self.path, self._keeps = folder / FILE, keeps
        if not folder.is_dir():
            fix = "name the folder that node_exporter reads: --collector.textfile.directory"
            raise InputError("textfile", str(folder), "is no folder", fix)
        if not os.access(folder, os.W_OK):
            raise InputError("textfile", str(folder), "cannot be written", "name a folder that you may write in")

    def send(self, shown: Shown) -> None:
        body, _ = exposition(shown)
        new = self.path.with_name(f".{FILE}.{os.getpid()}")  # not *.prom: the collector does not read it
        try:
            new.write_bytes(body)
            new.chmod(0o644)
            os.replace(new, self.path)
        except OSError as error:
            with suppress(OSError):
                new.unlink()
            fix = "make room there, or name another folder"
            raise InputError(
                "textfile", str(self.path), f"cannot be written ({error.strerror or error})", fix
            ) from error

    def close(self) -> None:
        if not self._keeps:
            with suppress(OSError):
                self.path.unlink()


def _part(name: str, value: str) -> str:
    """A label in a Pushgateway's path; as base64 where it holds what a path cannot."""
    if re.fullmatch(r"[A-Za-z0-9._~-]+", value) and value.strip("."):
        return f"{name}/{value}"
    coded = base64.urlsafe_b64encode(value.encode("utf-8", "replace")).decode("ascii")
    return f"{name}@base64/{quote(coded, safe='=') or '='}"
