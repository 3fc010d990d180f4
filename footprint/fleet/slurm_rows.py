"""Lines of `sacct --parsable2`, one by one: any columns in any order, whatever stands in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO

from footprint.fleet.slurm_words import JobId, job_id, known

__all__ = ["DELIMITER", "Found", "Row", "Skipped", "lines_of", "plain", "rows"]

DELIMITER = "\x1f"
"""Asked of sacct where we ask it: no name and no comment holds it."""

_BAR = "|"
_LONGEST_LINE = 1_000_000
_LONGEST_NAME = 100
_MOST_SKIPPED = 10_000


@dataclass(frozen=True, slots=True)
class Skipped:
    """A line that is in no job, or what of it is not used, and why."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Row:
    """A line under its header."""

    line: int
    cells: Mapping[str, str]
    id: JobId

    def get(self, *names: str) -> str:
        """The first of these columns that says something."""
        for name in names:
            told = self.cells.get(name)
            if told and (told := known(told)):
                return told
        return ""

    @property
    def key(self) -> tuple[str, str]:
        """Of its job: cluster and id without the step."""
        return self.get("cluster"), self.id.whole


@dataclass(slots=True)
class Found:
    """What reading comes upon beside jobs."""

    skipped: list[Skipped] = field(default_factory=list)
    more_count: int = 0  # that were skipped, and are not kept
    is_zone_assumed: bool = False

    def skip(self, line: int, reason: str) -> None:
        if len(self.skipped) < _MOST_SKIPPED:
            self.skipped.append(Skipped(line, reason))
        else:
            self.more_count += 1

    def in_order(self) -> tuple[Skipped, ...]:
        """By line; how many more there are, at the end."""
        told = sorted(self.skipped, key=lambda one: one.line)
        more = [Skipped(told[-1].line, f"and {self.more_count:,} more after these")] if self.more_count else []
        return (*told, *more)


def lines_of(stream: IO[str]) -> Iterator[str]:
    """The lines of a file, each no longer than any real one: what is not cannot fill the memory."""
    while line := stream.readline(_LONGEST_LINE):
        yield line
        while not line.endswith("\n") and (line := stream.readline(_LONGEST_LINE)):
            pass


def rows(lines: Iterable[str], found: Found) -> Iterator[Row]:
    """Each line with a job id, under the last header before it; headers may recur, as in files put together."""
    header: list[str] = []
    bar = _BAR
    for line, raw in enumerate(lines, 1):
        whole = (raw.removeprefix("\ufeff") if line == 1 else raw).rstrip("\r\n")
        if not whole.strip():
            continue
        if not header:
            bar = DELIMITER if DELIMITER in whole else _BAR
        cells = whole.split(bar)
        if "jobid" in whole.casefold():
            names = [cell.strip().casefold() for cell in cells]
            if {"jobid", "jobidraw"} & set(names):
                header = names
                continue
        if not header:
            found.skip(line, "stands before any header with JobID: save without --noheader")
            continue
        fitted = _fitted(cells, header, bar)
        if fitted is None:
            found.skip(line, f"has {len(cells)} fields where the header has {len(header)}")
            continue
        named = dict(zip(header[::-1], fitted[::-1], strict=True))  # of two columns of a name the first
        told = next((told for name in ("jobid", "jobidraw") if (told := known(named.get(name, "")))), "")
        name = job_id(told)
        if name is None:
            found.skip(line, f"has no job id: {told[:40]!r}" if told else "has no job id")
            continue
        yield Row(line, named, name)


def _fitted(cells: list[str], header: list[str], bar: str) -> list[str] | None:
    """As many cells as the header has: a last bar of --parsable is none, and bars inside a job's name are its own."""
    if len(cells) == len(header) + 1 and not cells[-1].strip():
        return cells[:-1]
    if len(cells) == len(header) - 1 and not header[-1]:
        return [*cells, ""]
    more = len(cells) - len(header)
    if more > 0 and "jobname" in header:
        at = header.index("jobname")
        return [*cells[:at], bar.join(cells[at : at + more + 1]), *cells[at + more + 1 :]]
    return cells if more == 0 else None


def plain(text: str) -> str:
    """What is safe to show and to file."""
    if not (text.isprintable() and "/" not in text and "\\" not in text):
        text = "".join(c if c.isprintable() and c not in "/\\" else "_" for c in text)
    return text[:_LONGEST_NAME].strip()
