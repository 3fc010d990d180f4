"""Runs and plans as rows of the tables, and rows as entries."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from footprint import records
from footprint.errors import InputError, StoreError
from footprint.store.entries import PLAN, PLANNED, Entry
from footprint.store.schema import RANGED, three
from footprint.values import Footprint, MeterUsage, Range, Run

_LONGEST_NAME = 200
_LONGEST_SLUG, _DIGITS = 60, 6

Row = dict[str, Any]


def run_row(run: Run, kind: str, saved_utc_s: float) -> Row:
    """A measured or imported run in the columns of `runs`."""
    energy_share, hours_share = own_shares(run.meters)
    return _row(run.footprint) | {
        "id": storable(run.id),
        "kind": kind,
        "name": storable(run.name),
        "project": storable(run.project),
        "tags": json.dumps(run.tags),
        "status": storable(run.status),
        "evidence": storable(run.evidence),
        "started_utc_s": run.started_utc_s,
        "ended_utc_s": run.ended_utc_s,
        "hosts": json.dumps(run.hosts),
        "tokens": run.usage.tokens.mid if run.usage.tokens else run.progress.tokens or None,
        "mfu": run.mfu,
        "own_energy_share": energy_share,
        "own_hours_share": hours_share,
        "saved_utc_s": saved_utc_s,
        "catalog_digest": run.catalog_digest,
        "version": run.version,
    }


def plan_row(footprint: Footprint, name: str, saved_utc_s: float) -> Row:
    """A saved estimate in the columns of `runs`; its times are those of the saving."""
    return _row(footprint) | {
        "id": plan_id(name),
        "kind": PLAN,
        "name": storable(name),
        "project": "",
        "tags": "[]",
        "status": PLANNED,
        "evidence": "",
        "started_utc_s": saved_utc_s,
        "ended_utc_s": saved_utc_s,
        "hosts": "[]",
        "tokens": footprint.usage.tokens.mid if footprint.usage.tokens else None,
        "mfu": _main_mfu(footprint),
        "own_energy_share": 1.0,
        "own_hours_share": 1.0,
        "saved_utc_s": saved_utc_s,
        "catalog_digest": footprint.catalog_digest,
        "version": footprint.version,
    }


def _row(footprint: Footprint) -> Row:
    facility, lines = footprint.facility, footprint.usage.lines
    counts = [line.accelerator_count for line in lines if line.accelerator_count]
    values: dict[str, Range | None] = {
        "it_energy_kwh": facility.it_energy_kwh,
        "facility_energy_kwh": facility.facility_energy_kwh,
        "operational_location_kgco2e": facility.operational_location_kgco2e,
        "total_location_kgco2e": footprint.total_location_kgco2e,
        "electricity_usd": facility.electricity_usd,
    }
    row: Row = {}
    for field, value in values.items():
        ends = (None, None, None) if value is None else (value.low, value.mid, value.high)
        row |= dict(zip(three(field), ends, strict=True))
    rental = footprint.rental_on_demand_usd
    return row | {
        "accelerator": storable(", ".join(dict.fromkeys(line.accelerator for line in lines if line.accelerator))),
        "accelerator_count": max(counts, default=None),
        "accelerator_hours": footprint.usage.accelerator_hours.mid,
        "rental_usd": rental.mid if rental else None,
        "coverage_share": footprint.usage.coverage_share,
    }


def _main_mfu(footprint: Footprint) -> float | None:
    main = max(footprint.usage.lines, key=lambda line: line.accelerator_hours.mid, default=None)
    return main.mfu.mid if main is not None and main.mfu is not None else None


def own_shares(meters: Iterable[MeterUsage]) -> tuple[float, float]:
    """Of a run's energy and of its accelerator-hours, the shares that no other run counts."""
    energies = [(m.it_energy_kwh.mid, not m.meter.counted_in) for m in meters]
    hours = [
        (m.duration_s * m.meter.share, not m.meter.counted_in) for m in meters if m.meter.component == "accelerator"
    ]
    energy_share = _own(energies)
    return energy_share, _own(hours) if hours else energy_share


def _own(parts: list[tuple[float, bool]]) -> float:
    whole = sum(amount for amount, _ in parts)
    if not whole:
        return 0.0 if parts and not any(is_own for _, is_own in parts) else 1.0
    return sum(amount for amount, is_own in parts if is_own) / whole


def month_shares(run: Run) -> dict[str, float]:
    """How a run's energy falls on the months, UTC; all of it on the first where the hours are not known."""
    shares: dict[str, float] = {}
    whole = sum(kwh for _, kwh in run.hourly_it_energy_kwh)
    for at_utc_s, kwh in run.hourly_it_energy_kwh if whole else ():
        month = month_of(at_utc_s)
        shares[month] = shares.get(month, 0.0) + kwh / whole
    return shares or {month_of(run.started_utc_s): 1.0}


def month_of(utc_s: float) -> str:
    """'2026-11'."""
    return datetime.fromtimestamp(utc_s, UTC).strftime("%Y-%m")


def plan_id(name: str) -> str:
    """One id a name: a plan that is saved again replaces the one before."""
    digest = hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest()
    return f"plan-{re.sub(r'[^A-Za-z0-9._]+', '-', name).strip('-')[:_LONGEST_SLUG]}-{digest[:_DIGITS]}"


def checked_name(name: str) -> str:
    """A name under which a plan can be saved.

    Raises
    ------
    InputError
        When it is empty, too long, or would break a line.
    """
    if not name.strip():
        raise InputError("name", name, "is empty", "name the plan, such as sft-7b")
    if len(name) > _LONGEST_NAME:
        raise InputError("name", name, f"is longer than {_LONGEST_NAME} characters", "choose a shorter one")
    if not name.isprintable():
        raise InputError("name", name, "holds characters that cannot be printed", "leave out line breaks and controls")
    return name


def storable(text: str) -> str:
    """Text that every database takes: no lone surrogates, no NUL."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def entry(row: Mapping[str, Any]) -> Entry:
    """A row of `runs` as a value."""
    given = {name: row[name] for name in Entry.__dataclass_fields__ if name in row}
    bill = [row[name] for name in three("electricity_usd")]
    return Entry(
        **given
        | {field: Range(*(row[name] for name in three(field))) for field in RANGED}
        | {
            "electricity_usd": None if None in bill else Range(*bill),
            "evidence": row["evidence"] or "",
            "tags": tuple(json.loads(row["tags"])),
            "hosts": tuple(json.loads(row["hosts"])),
        }
    )


def document(value: Run | Footprint) -> str:
    """A record as compact JSON, in ASCII so that every database takes it."""
    return json.dumps(records.to_dict(value), separators=(",", ":"), allow_nan=False)


def of_document(kind: str, run_id: str, body: str) -> Run | Footprint:
    """The record again.

    Raises
    ------
    StoreError
        When the document is damaged.
    """
    try:
        plain = json.loads(body)
        return records.from_plain(Footprint, plain) if kind == PLAN else records.from_plain(Run, plain)
    except (ValueError, TypeError) as error:
        raise StoreError(
            f"the ledger's record of {run_id} cannot be read ({error}); "
            f"delete it with: footprint runs delete {run_id}, a measured run is then read again from its journals"
        ) from error
