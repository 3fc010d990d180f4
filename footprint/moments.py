"""Moments as people write them: '2026-11', '2026-11-03T08:00', 'today', '7d' for seven days ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from footprint.errors import InputError

_AGO = re.compile(r"^(\d{1,6})\s*(min|h|d|w)(?:\s+ago)?$")
_SPANS = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DAYS = {"today": 0, "yesterday": 1}
_DATE = re.compile(r"^(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?$")


def moment(field: str, text: str, is_end: bool = False, now: datetime | None = None) -> datetime:
    """'2026', '2026-11-03', '2026-11-03T08:00', 'today', '7d': a moment in UTC, or the end of the span that it names.

    Days, such as today, begin where `now` is.

    Raises
    ------
    InputError
        When it is none of these.
    """
    told = text.strip()
    try:
        if match := _AGO.match(told):
            return (now or datetime.now(UTC)) - timedelta(**{_SPANS[match[2]]: int(match[1])})
        if told.casefold() in _DAYS:
            that = (now or datetime.now(UTC)).date() - timedelta(days=_DAYS[told.casefold()] - is_end)
            return datetime(that.year, that.month, that.day, tzinfo=UTC)
        if match := _DATE.match(told):
            year, month, day = (int(part) if part else None for part in match.groups())
            first = datetime(year or 1, month or 1, day or 1, tzinfo=UTC)
            return _after(first, month, day) if is_end else first
        found = datetime.fromisoformat(told)
    except (ValueError, OverflowError) as error:
        fix = "write 2026-11, 2026-11-03, 2026-11-03T08:00 (UTC), today, or 7d for seven days ago"
        raise InputError(field, text, "is no moment", fix) from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _after(first: datetime, month: int | None, day: int | None) -> datetime:
    if day is not None:
        return first + timedelta(days=1)
    if month is None:
        return first.replace(year=first.year + 1)
    return first.replace(year=first.year + month // 12, month=month % 12 + 1)
