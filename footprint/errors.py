"""Every error that footprint raises, as one small tree.

    FootprintError
    ├── InputError (ValueError)        a value that a user gave cannot be
    │   └── UnknownName (LookupError)  a name that no table knows; carries suggestions
    ├── DataError                      a row of a data file is wrong (file, line, column)
    ├── SensorError                    a sensor could not be read
    │   ├── SensorUnavailable          it is not there, or may not be read
    │   └── SensorLost                 it was there and answers no more
    ├── JournalError                   a file is no journal, or holds none that can be read
    ├── StoreError                     the ledger of runs cannot be opened, read or written
    ├── QueryError                     a server of past metrics does not answer, or not with what was asked
    └── MissingExtra (ImportError)     an optional package is not installed

A message names the field, the value and the bound, and ends with what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

__all__ = [
    "DataError",
    "FootprintError",
    "InputError",
    "JournalError",
    "MissingExtra",
    "QueryError",
    "SensorError",
    "SensorLost",
    "SensorUnavailable",
    "StoreError",
    "UnknownName",
]


class FootprintError(Exception):
    """Base of all errors that footprint raises on purpose."""


class InputError(FootprintError, ValueError):
    """A given value is impossible, malformed or contradicts another; a value of None is one that is missing."""

    def __init__(self, field: str, value: object, bound: str, fix: str) -> None:
        self.field, self.value, self.bound, self.fix = field, value, bound, fix
        told = field if value is None else f"{field} = {_quoted(value)}"
        super().__init__(f"{told}: {bound}; {fix}")


class UnknownName(InputError, LookupError):
    """A name that no table knows."""

    def __init__(self, field: str, value: object, known: Iterable[str], listing: str) -> None:
        names = sorted(set(known))
        self.suggestions = tuple(close_names(str(value), names))
        hint = f"did you mean {' or '.join(self.suggestions)}?" if self.suggestions else ""
        super().__init__(field, value, "is not a known name", f"{hint} {listing}".strip())


class DataError(FootprintError):
    """A data file, or one of its rows, breaks the rules of `data/README.md`."""

    def __init__(self, path: Path | str, line: int | None, column: str | None, problem: str) -> None:
        self.path, self.line, self.column = Path(path), line, column
        place = str(path) + (f", line {line}" if line else "") + (f", column {column}" if column else "")
        super().__init__(f"{place}: {problem}")


class SensorError(FootprintError):
    """A sensor could not be read; `sensor` and what it said."""

    def __init__(self, sensor: str, told: str, fix: str = "") -> None:
        self.sensor, self.told, self.fix = sensor, told, fix
        super().__init__(f"{sensor}: {told}" + (f"; {fix}" if fix else ""))


class SensorUnavailable(SensorError):
    """A sensor is not there, or may not be read."""


class SensorLost(SensorError):
    """A sensor was there and answers no more."""


class JournalError(FootprintError):
    """A file is no journal, or holds none that can be read."""

    def __init__(self, path: Path | str, problem: str, fix: str) -> None:
        self.path = Path(path)
        super().__init__(f"{path}: {problem}; {fix}")


class StoreError(FootprintError):
    """The ledger of runs cannot be opened, read or written."""


class QueryError(FootprintError):
    """A server of past metrics cannot be reached, refuses, or answers with something else."""

    def __init__(self, server: str, told: str, fix: str = "", *, status: int | None = None, is_too_much: bool = False):
        self.server, self.told, self.fix, self.status, self.is_too_much = server, told, fix, status, is_too_much
        super().__init__(f"{server}: {told}" + (f"; {fix}" if fix else ""))


class MissingExtra(FootprintError, ImportError):
    """An optional package is needed for what was asked."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}; install it with: pip install 'footprint[{extra}]'")


def close_names(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The known names nearest to a mistyped one, nearest first."""
    by_fold = {candidate.casefold(): candidate for candidate in known}
    folded = name.casefold()
    near = difflib.get_close_matches(folded, by_fold, n=most, cutoff=0.6)
    if len(folded) > 2:
        near += [c for c in by_fold if folded in c and c not in near]
    return [by_fold[c] for c in near[:most]]


def _quoted(value: object) -> str:
    text = str(value)
    return repr(text if len(text) <= 80 else text[:77] + "...") if isinstance(value, str) else text
