"""Moments as people write them are read in UTC, or told that they are none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from footprint.errors import InputError
from footprint.moments import moment

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "is_end", "expected"),
    [
        ("2026", False, datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026", True, datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-11", False, datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11", True, datetime(2026, 12, 1, tzinfo=UTC)),
        ("2026-12", True, datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-11-03", False, datetime(2026, 11, 3, tzinfo=UTC)),
        ("2026-11-30", True, datetime(2026, 12, 1, tzinfo=UTC)),
        ("2026-11-03T08:00", True, datetime(2026, 11, 3, 8, tzinfo=UTC)),
        ("2026-11-03T08:00Z", False, datetime(2026, 11, 3, 8, tzinfo=UTC)),
        ("2026-11-03T08:00+02:00", False, datetime(2026, 11, 3, 6, tzinfo=UTC)),
        ("7d", False, NOW - timedelta(days=7)),
        ("90 min ago", False, NOW - timedelta(minutes=90)),
        ("2w", True, NOW - timedelta(weeks=2)),
        ("today", False, datetime(2026, 11, 25, tzinfo=UTC)),
        ("Today", True, datetime(2026, 11, 26, tzinfo=UTC)),
        ("yesterday", False, datetime(2026, 11, 24, tzinfo=UTC)),
        ("yesterday", True, datetime(2026, 11, 25, tzinfo=UTC)),
    ],
)
def test_moments_are_read_in_utc_and_an_end_is_the_end_of_what_was_named(
    text: str, is_end: bool, expected: datetime
) -> None:
    assert moment("since", text, is_end, NOW) == expected


def test_today_is_the_day_where_now_is() -> None:
    east = NOW.replace(hour=22).astimezone(timezone(timedelta(hours=5)))
    assert moment("since", "today", False, east) == datetime(2026, 11, 26, tzinfo=UTC)


@pytest.mark.parametrize("text", ["tomorrow", "2026-13", "2026-02-30", "", "999999w", "9999", "\x1b[31m"])
def test_a_moment_that_is_none_is_told(text: str) -> None:
    with pytest.raises(InputError, match=r"until = .*: is no moment; write 2026-11, 2026-11-03"):
        moment("until", text, is_end=True)
