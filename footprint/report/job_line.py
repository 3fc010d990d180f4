"""A past job in one line, and under it how well it is known."""

from __future__ import annotations

from footprint import evidence
from footprint.report.run_wording import duration
from footprint.report.wording import hardware, plain, show_range
from footprint.values import Run

__all__ = ["text"]


def text(run: Run) -> str:
    """'4242: 8 × H100 SXM5 80GB, 10 h 00 min, 48.1 kWh ...' and its evidence under it."""
    found = run.footprint
    facility = found.facility
    parts = [
        f"{hardware(found)}, {duration(run.ended_utc_s - run.started_utc_s)}",
        f"IT {show_range('it_energy_kwh', facility.it_energy_kwh)}",
        f"facility {show_range('facility_energy_kwh', facility.facility_energy_kwh)}",
        show_range("operational_location_kgco2e", facility.operational_location_kgco2e),
    ]
    if facility.electricity_usd is not None:
        parts.append(show_range("electricity_usd", facility.electricity_usd))
    if run.mfu is not None and run.usage.lines[0].mfu is not None:
        parts.append(f"MFU {show_range('mfu', run.usage.lines[0].mfu)}")
    lines = [f"{plain(run.name)}: " + "; ".join(parts), plain(evidence.told(run))]
    return "\n".join(line for line in lines if line) + "\n"
