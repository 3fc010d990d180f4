"""Running runs made by hand, for tests of what shows them."""

from __future__ import annotations

import math
from dataclasses import replace

from handmade import footprint, impact

from footprint.report.live import Now
from footprint.report.live_power import MeterNow
from footprint.values import Forecast, Meter, Progress, Range, Run

STARTED_UTC_S = 1_700_000_000.0
NOW_UTC_S = STARTED_UTC_S + 8040.0
SO_FAR_KWH = Range(11.9, 12.1, 12.3)


def device(place: int, host: str = "node-1", watts: float | None = 612.0) -> MeterNow:
    meter = Meter(
        id=f"GPU-{host}-{place}", component="accelerator", name="NVIDIA H100 80GB HBM3", sensor="nvml", scope="gpu",
        origin="measured", has_counter=True, max_w=700.0,
    )  # fmt: skip
    trace = tuple(400 + 250 * math.sin(0.3 * (i + place)) for i in range(60))
    return MeterNow(host, meter, watts, 0.94, trace)


def host_part(component: str, watts: float, origin: str = "modelled") -> MeterNow:
    meter = Meter(id=component, component=component, name=component, sensor="cpu-load", scope="package", origin=origin)
    return MeterNow("node-1", meter, watts, None, (watts,) * 60)


def run(status: str = "running", name: str = "sft-7b", notes: tuple[str, ...] = ()) -> Run:
    whole = footprint()
    measured = replace(
        whole,
        name=name,
        usage=replace(whole.usage, coverage_share=0.998),
        facility=impact("facility", SO_FAR_KWH),
        model_card=impact("model-card", SO_FAR_KWH),
    )
    return Run(
        id="r-0123456789", name=name, status=status, started_utc_s=STARTED_UTC_S, ended_utc_s=NOW_UTC_S,
        usage=measured.usage, footprint=measured, hosts=("node-1",), mfu=0.41, notes=notes,
        progress=Progress(6120.0, 1.22e9, 0.0, 10_000.0, 2e9), stalled_it_energy_kwh=0.3,
    )  # fmt: skip


FORECAST = Forecast(
    done_share=0.612,
    ended_utc_s=Range(NOW_UTC_S + 4700.0, NOW_UTC_S + 5100.0, NOW_UTC_S + 6200.0),
    facility_energy_kwh=Range(20.5, 21.6, 23.4),
    operational_location_kgco2e=Range(7.4, 7.9, 8.6),
    electricity_usd=Range(1.6, 1.7, 1.9),
)


def now(devices: int = 8, **changes: object) -> Now:
    meters = (
        *(device(i) for i in range(devices)), host_part("cpu", 212.0), host_part("ram", 88.0),
        host_part("node", 410.0, "default"),
    )  # fmt: skip
    shown = Now(
        run=run(), at_utc_s=NOW_UTC_S, meters=meters, facility_power_w=6100.0, forecast=FORECAST,
        tokens_per_s=41_200.0, joules_per_token=0.312, budgets=(("facility_energy_kwh", 50.0),),
    )  # fmt: skip
    return replace(shown, **changes)  # type: ignore[arg-type]
