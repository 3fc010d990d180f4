"""Measured runs made by hand, for tests of what stores and shows them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import handmade

from footprint.values import (
    Assumption,
    Footprint,
    Gap,
    Impact,
    Meter,
    MeterUsage,
    Progress,
    Range,
    Run,
    Segment,
    Site,
    Usage,
    UsageLine,
    WindowUsage,
)

START_S = datetime(2026, 11, 3, 8, 0, tzinfo=UTC).timestamp()
HOURS = 4.5
GPU_KWH = 2.9
COUNT = 8
HOSTILE = "a\x1b[31mb\nc\x9b0m=1+2|<script>alert(1)</script>[red]d[/red]\u202e"


def around(mid: float, share: float = 0.05) -> Range:
    """A range about a middle."""
    return Range(mid * (1 - share), mid, mid * (1 + share))


def site() -> Site:
    return replace(handmade.site(), pue=Range(1.1, 1.15, 1.2))


def impact(convention: str, it_kwh: Range, price: float | None = 0.085) -> Impact:
    def times(ratio: float, share: float = 0.1) -> Range:
        return around(it_kwh.mid * ratio, share)

    return Impact(
        convention=convention,
        it_energy_kwh=it_kwh,
        facility_energy_kwh=times(1.15),
        operational_location_kgco2e=times(1.15 * 0.369),
        onsite_water_l=times(0.18),
        offsite_water_l=times(1.15 * 1.7),
        electricity_usd=None if price is None else times(1.15 * price),
    )


def footprint(
    name: str = "sft-7b", it_kwh: float = 29.0, hours: float = HOURS, price: float | None = 0.085
) -> Footprint:
    """Eight accelerators for some hours."""
    energy = around(it_kwh)
    line = UsageLine(
        name="measured",
        accelerator="h100-sxm5-80gb",
        accelerator_hours=Range.exactly(COUNT * hours),
        nameplate_energy_kwh=Range.exactly(COUNT * hours * 0.7),
        it_energy_kwh=energy,
        accelerator_count=COUNT,
        wall_clock_h=Range.exactly(hours),
        tokens=Range.exactly(2e9),
    )
    usage = Usage(
        lines=(line,),
        accelerator_hours=line.accelerator_hours,
        it_energy_kwh=energy,
        nameplate_energy_kwh=line.nameplate_energy_kwh,
        wall_clock_h=line.wall_clock_h,
        training_flop=Range.exactly(8.4e19),
        tokens=line.tokens,
        coverage_share=0.853,
    )
    facility = impact("facility", energy, price)
    return Footprint(
        name=name,
        usage=usage,
        site=site(),
        facility=facility,
        model_card=impact("model-card", line.nameplate_energy_kwh, price),
        embodied_kgco2e=around(1.2, 0.5),
        total_location_kgco2e=around(facility.operational_location_kgco2e.mid + 1.2, 0.15),
        rental_on_demand_usd=around(250.0, 0.3),
        sci_kgco2e_per_token=around(6.7e-9, 0.15),
        ledger=(
            Assumption("pue", Range(1.1, 1.15, 1.2), "catalog", "AWS, 2024"),
            Assumption("zone", "US-MIDA-PJM", "catalog", "regions.csv"),
        ),
        catalog_digest="0123456789abcdef",
        version="0.1.0",
    )


def gpu(number: int, **changes: Any) -> MeterUsage:
    """One accelerator of the run."""
    meter = Meter(
        id=f"GPU-{number:08x}-5f2c-4e1a-9d0b-aabbccddeeff",
        component="accelerator",
        name="NVIDIA H100 80GB HBM3",
        sensor="nvml",
        scope="gpu",
        origin="measured",
        source="total energy counter",
        has_counter=True,
        counted_in=changes.pop("counted_in", ""),
    )
    given = {
        "host": "gpu01",
        "meter": meter,
        "it_energy_kwh": around(GPU_KWH, 0.05),
        "duration_s": HOURS * 3600,
        "coverage_share": 0.98,
        "mean_w": 644.0,
        "peak_w": 702.0,
        "stalled_it_energy_kwh": 0.11,
        "counter_over_power_ratio": 1.012,
    }
    return MeterUsage(**given | changes)


def host_meters() -> tuple[MeterUsage, ...]:
    """Processor, memory and the rest of a node: read, modelled, assumed."""

    def one(
        name: str, component: str, sensor: str, origin: str, kwh: float, coverage: float, told: str = ""
    ) -> MeterUsage:
        meter = Meter(name, component, told or name, sensor, "node", origin, "the maker's rating")
        return MeterUsage("gpu01", meter, around(kwh, 0.2), HOURS * 3600, coverage, kwh / HOURS * 1000, None)

    return (
        one("package-0", "cpu", "rapl", "measured", 1.1, 0.99),
        one("package-1", "cpu", "rapl", "measured", 1.0, 0.99),
        one("ram", "ram", "ram-size", "modelled", 0.9, 0.0),
        one("node", "node", "node-model", "default", 2.8, 0.0, "fans, network, power supply"),
    )


def run(**changes: Any) -> Run:
    """A finished run on one host."""
    result = changes.pop("footprint", None) or footprint(changes.get("name", "sft-7b"))
    given = {
        "id": "sft-7b-20261103T080000Z-3f9c2a",
        "name": "sft-7b",
        "status": "finished",
        "started_utc_s": START_S,
        "ended_utc_s": START_S + HOURS * 3600,
        "usage": result.usage,
        "footprint": result,
        "project": "llm",
        "tags": ("sft", "night"),
        "hosts": ("gpu01",),
        "evidence": "A",
        "meters": (*(gpu(i) for i in range(COUNT)), *host_meters()),
        "progress": Progress(steps_count=4000, tokens=2e9, total_steps_count=4000, training_flop=8.4e19),
        "mfu": 0.412,
        "stalled_it_energy_kwh": COUNT * 0.11,
        "hourly_it_energy_kwh": tuple(
            (int(START_S) + 3600 * i, 29.0 / HOURS * (1 if i < 4 else 0.5)) for i in range(5)
        ),
        "journals": ("/home/u/.local/share/footprint/runs/sft-7b-20261103T080000Z-3f9c2a/gpu01-0-4242.jsonl",),
        "catalog_digest": "0123456789abcdef",
        "version": "0.1.0",
    }
    return Run(**given | changes)


def eventful() -> Run:
    """A run with everything that can be told: windows, a restart, gaps, resets, a plan and notes."""
    middle = START_S + 2 * 3600
    return run(
        status="failed",
        hosts=("gpu01", "gpu02"),
        meters=(
            gpu(0, gaps=(Gap(START_S + 600, START_S + 790, "the driver did not answer"),), coverage_share=0.99),
            gpu(1, resets_count=1, counter_over_power_ratio=1.09),
            gpu(2, host="gpu02", attributed_it_energy_kwh=around(1.4, 0.1)),
            gpu(3, host="gpu02", counted_in="other-20261103T075900Z-aaaaaa"),
            *host_meters(),
        ),
        windows=(
            WindowUsage("epoch", 3, 15000.0, around(27.0)),
            WindowUsage("epoch/step", 4000, 14100.0, around(25.5)),
            WindowUsage("epoch/checkpoint", 12, 800.0, around(1.2)),
            WindowUsage("evaluation", 3, 900.0, around(1.3)),
        ),
        segments=(
            Segment("gpu01", 0, START_S, middle, "interrupted", Progress(1800, 9e8), around(12.0), around(0.9)),
            Segment("gpu02", 0, START_S, middle, "interrupted", Progress(1800, 9e8), around(1.2)),
            Segment("gpu01", 1, middle + 300, START_S + HOURS * 3600, "failed", Progress(4000, 2e9), around(15.8)),
        ),
        wasted_it_energy_kwh=around(0.9),
        planned=footprint("sft-7b", it_kwh=24.0, hours=4.0),
        notes=(
            "no price of electricity is known for Atlantis",
            f"{gpu(1).meter.id} on gpu01: its counter was reset 1 times; bridged by power",
        ),
    )


def renamed(one: Run, name: str) -> Run:
    """The same run under another name, shown in its footprint too."""
    return replace(one, name=name, footprint=replace(one.footprint, name=name))
