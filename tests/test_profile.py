"""The hour in which energy is drawn moves its carbon, by the hand-made shape of a zone's day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from handmade_runs import site
from hypothesis import given
from hypothesis import strategies as st

from footprint.accounting.profile import at_its_hours
from footprint.catalog import Catalog, Row, open_catalog
from footprint.values import Range, Site

ZONE = "FRA"
"""No row of the shipped table is of it."""


def at(month: int, hour: int, day: int = 15, year: int = 2026) -> int:
    return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp())


def row(hour: int, ratio: float, month: int = 6, year: int = 2022, source: str = "by hand") -> Row:
    return {
        "zone": ZONE, "year": year, "month": month, "hour_utc": hour, "ratio": ratio,
        "annual_intensity_g_per_kwh": 100.0, "provenance": "derived", "source": source, "as_of": "2026",
    }  # fmt: skip


DAY = (row(2, 0.5), row(3, 1.0), row(19, 2.0))


def catalog(*rows: Row) -> Catalog:
    return open_catalog().with_rows("grid_profiles", rows or DAY)


def place(**changes: object) -> Site:
    plain = replace(site(), zone=ZONE, location_intensity_g_per_kwh=Range(80.0, 100.0, 130.0))
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_energy_of_the_night_carries_the_nights_intensity() -> None:
    moved, (told,) = at_its_hours(place(), [(at(6, 2), 7.0)], catalog())
    assert moved.location_intensity_g_per_kwh == Range(40.0, 50.0, 65.0)
    assert (told.field, told.value, told.origin, told.source) == ("hourly_intensity_ratio", 0.5, "catalog", "by hand")
    assert "1 hours; the shape of 2022" in told.note


def test_hours_weigh_by_their_energy() -> None:
    moved, _ = at_its_hours(place(), [(at(6, 2), 3.0), (at(6, 19), 1.0)], catalog())
    assert moved.location_intensity_g_per_kwh.mid == pytest.approx(100.0 * (3 * 0.5 + 1 * 2.0) / 4, rel=1e-12)


def test_the_same_energy_at_every_hour_of_a_whole_shape_leaves_the_year_as_it_is() -> None:
    shape = [row(hour, 0.4 if hour < 12 else 1.6) for hour in range(24)]
    moved, _ = at_its_hours(place(), [(at(6, hour), 2.0) for hour in range(24)], catalog(*shape))
    assert moved.location_intensity_g_per_kwh.mid == pytest.approx(100.0, rel=1e-12)


@given(st.lists(st.tuples(st.sampled_from((2, 3, 19)), st.floats(0.001, 1e6)), min_size=1, max_size=10))
def test_the_ratio_lies_between_the_least_and_the_most_of_the_hours(drawn: list[tuple[int, float]]) -> None:
    moved, _ = at_its_hours(place(), [(at(6, hour), energy) for hour, energy in drawn], catalog())
    ratios = {2: 0.5, 3: 1.0, 19: 2.0}
    hours = [ratios[hour] for hour, _ in drawn]
    found = moved.location_intensity_g_per_kwh.mid / 100.0
    assert min(hours) * (1 - 1e-9) <= found <= max(hours) * (1 + 1e-9)


def test_hours_are_those_of_utc_whatever_the_day_and_year() -> None:
    for day, year in ((1, 2024), (30, 2026)):
        moved, _ = at_its_hours(place(), [(at(6, 19, day, year), 1.0)], catalog())
        assert moved.location_intensity_g_per_kwh.mid == 200.0


def test_an_hour_without_a_row_counts_as_the_years_mean() -> None:
    moved, _ = at_its_hours(place(), [(at(6, 2), 1.0), (at(12, 2), 1.0)], catalog())
    assert moved.location_intensity_g_per_kwh.mid == pytest.approx(75.0, rel=1e-12)


def test_the_newest_shape_of_a_zone_is_taken_whatever_the_order_of_rows() -> None:
    for rows in ((row(2, 0.9, year=2019), row(2, 0.3, year=2024)), (row(2, 0.3, year=2024), row(2, 0.9, year=2019))):
        moved, (told,) = at_its_hours(place(), [(at(6, 2), 1.0)], catalog(*rows))
        assert moved.location_intensity_g_per_kwh.mid == pytest.approx(30.0, rel=1e-12)
        assert "2024" in told.note


def test_a_zone_without_a_shape_stays_as_it_is() -> None:
    elsewhere = place(zone="ISL")
    assert at_its_hours(elsewhere, [(at(6, 2), 1.0)], catalog()) == (elsewhere, ())


def test_an_intensity_that_was_given_stays_as_it_was_given() -> None:
    given = place(intensity_basis="given")
    assert at_its_hours(given, [(at(6, 2), 1.0)], catalog()) == (given, ())


@pytest.mark.parametrize("hours", [[], [(at(6, 2), 0.0)]])
def test_without_energy_there_is_nothing_to_weigh(hours: list[tuple[int, float]]) -> None:
    assert at_its_hours(place(), hours, catalog()) == (place(), ())


def test_every_shape_that_is_shipped_averages_to_about_one() -> None:
    shapes: dict[str, list[float]] = {}
    for one in open_catalog().rows("grid_profiles"):
        shapes.setdefault(str(one["zone"]), []).append(float(one["ratio"] or 0))
    for zone, ratios in shapes.items():
        assert len(ratios) == 12 * 24, zone
        assert sum(ratios) / len(ratios) == pytest.approx(1.0, abs=0.02), zone
