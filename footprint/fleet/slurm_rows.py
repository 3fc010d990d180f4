"""Lines of `sacct --parsable2`, one by one: any columns in any order, whatever stands in them."""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO

from footprint.fleet.slurm_words import JobId, job_id, known

__all__ = ["Found", "Idle", "Row", "Skipped", "delimiter", "lines_of", "listed", "plain", "rows"]

_UNIT, _NONCE_BYTES = "\x1f", 8
_BAR = "|"
_OWN = re.compile(f"{_UNIT}[0-9a-f]{{{2 * _NONCE_BYTES}}}{_UNIT}")
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


def listed(skipped: Iterable[Skipped]) -> list[str]:
    """Each reason once, with the first line of which it is true."""
    first: dict[str, Skipped] = {}
    counts = Counter[str]()
    for one in skipped:
        first.setdefault(one.reason, one)
        counts[one.reason] += 1
    more = {why: f", and so of {count - 1:,} more" if count > 1 else "" for why, count in counts.items()}
    return [f"{one}{more[why]}" for why, one in first.items()]


@dataclass(frozen=True, slots=True)
class Idle:
    """A job that held nothing: it waits, was cancelled before it began, or took no time."""

    id: str  # as sacct writes it
    label: str
    why: str


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
    idle: list[Idle] = field(default_factory=list)
    idle_counts: Counter[str] = field(default_factory=Counter)  # of all of them, by why
    is_zone_assumed: bool = False

    def held_nothing(self, one: Idle) -> None:
        self.idle_counts[one.why] += 1
        if len(self.idle) < _MOST_SKIPPED:
            self.idle.append(one)

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


def delimiter() -> str:
    """To ask of sacct: nobody who names a job, with line breaks or bars, can guess it and forge a line."""
    return _UNIT + secrets.token_hex(_NONCE_BYTES) + _UNIT


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
    for line, raw in enumerate(_records(lines), 1):
        whole = (raw.removeprefix("\ufeff") if line == 1 else raw).rstrip("\r\n")
        if not whole.strip():
            continue
        if not header:
            own = _OWN.search(whole)
            bar = own[0] if own is not None else _UNIT if _UNIT in whole else _BAR
        cells = whole.split(bar)
        if "jobid" in whole.casefold():
            names = [cell.strip().casefold() for cell in cells]
            if {"jobid", "jobidraw"} & set(names):
                header = names
                continue
        if not header:
            found.skip(line, "stands before any header with JobID: save with --parsable2, without --noheader")
            continue
        fitted = _fitted(cells, header, bar)
        if fitted is None:
            count = f"{len(cells)} field{'' if len(cells) == 1 else 's'}"
            why = ": of a name with line breaks?" if len(cells) < len(header) else ""
            found.skip(line, f"has {count} where the header has {len(header)}{why}")
            continue
        named = dict(zip(header[::-1], fitted[::-1], strict=True))  # of two columns of a name the first
        told = next((told for name in ("jobid", "jobidraw") if (told := known(named.get(name, "")))), "")
        name = job_id(told)
        if name is None:
            found.skip(line, f"has no job id: {told[:40]!r}" if told else "has no job id")
            continue
        yield Row(line, named, name)


def _records(lines: Iterable[str]) -> Iterator[str]:
    """Lines; under a delimiter of our own those that line breaks in names have broken up are whole again."""
    rest = iter(lines)
    record = next(rest, "")
    own = _OWN.search(record)
    if own is None:
        yield record
        yield from rest
        return
    bar, count = own[0], record.count(own[0])
    for line in rest:
        if bar in line and record.count(bar) >= count:
            yield record
            record = line
        elif len(record) < _LONGEST_LINE:
            record = record.rstrip("\n") + "\n" + line
    yield record


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
