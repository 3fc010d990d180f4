"""The other processes of a run, as far as their journals lie in its folder: for numbers of all of it as it goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from footprint.errors import JournalError
from footprint.measurement import journal
from footprint.measurement.following import GrowingJournal
from footprint.measurement.metering import HostIntegral, Limits, MeterIntegral

__all__ = ["Companions"]

LATE_RATIO = 30
"""An earlier start's journal that was silent for so many intervals before this one began is left out."""


class _Companion:
    def __init__(self, growing: GrowingJournal, limits: Limits) -> None:
        header = growing.journal.header
        self.growing, self.rank = growing, header.rank
        self.last_utc_s, self.has_ended = header.started_utc_s, False
        self.host = HostIntegral(header.meters, header.interval_s, limits, header.started_utc_s - header.started_s)
        self.progress: dict[str, float] = {}

    def refresh(self) -> None:
        for tick in self.growing.gained():
            self.host.push(tick.at_s, tick.samples, tick.is_edge)
            self.progress.update(tick.progress)
            self.has_ended = bool(tick.end)
            header = self.growing.journal.header
            self.last_utc_s = header.started_utc_s + tick.at_s - header.started_s


class Companions:
    """Journals of other processes in a run's folder.

    Parameters
    ----------
    own : this process's journal
    started_utc_s : when this process began; journals of earlier starts are left out
    limits : as for metering
    ranks : only these; None for all
    """

    def __init__(self, own: Path, started_utc_s: float, limits: Limits, ranks: frozenset[int] | None = None) -> None:
        self._own, self._started_utc_s, self._limits, self._ranks = own, started_utc_s, limits, ranks
        self._found: dict[Path, _Companion | None] = {}

    def beside(self, own: Path) -> Companions:
        """The same where this process's journal has been moved."""
        return Companions(own, self._started_utc_s, self._limits, self._ranks)

    def refresh(self) -> None:
        """Read what is new."""
        for path in journal.files_of(self._own.parent):
            if path not in self._found and path.name != self._own.name:
                self._found[path] = self._opened(path)
        for one in self._all():
            one.refresh()

    def _opened(self, path: Path) -> _Companion | None:
        try:
            found = _Companion(GrowingJournal(journal.read(path)), self._limits)
        except JournalError:
            return None
        if self._ranks is not None and found.rank not in self._ranks:
            return None
        found.refresh()
        late_s = LATE_RATIO * found.growing.journal.header.interval_s
        is_earlier = found.last_utc_s + (0.0 if found.has_ended else late_s) < self._started_utc_s
        return None if is_earlier else found

    def _all(self) -> Iterator[_Companion]:
        return (one for one in list(self._found.values()) if one is not None)

    @property
    def count(self) -> int:
        """How many processes there are beside this one."""
        return sum(1 for _ in self._all())

    def meters(self) -> list[MeterIntegral]:
        """Everything that they count."""
        return [meter for one in self._all() for meter in one.host.by_meter.values()]

    def progress(self) -> list[Mapping[str, float]]:
        """How far each says it is."""
        return [one.progress for one in self._all()]
