"""Footprints made by hand, for tests of what shows them."""

from __future__ import annotations

from dataclasses import replace

from footprint.studies import Backtest, BacktestGroup, BacktestRow, Neighbour
from footprint.values import (
    Assumption,
    Footprint,
    Impact,
    Plan,
    Published,
    Range,
    Sensitivity,
    Site,
    Stage,
    Step,
    Usage,
    UsageLine,
)

HOURS = Range(26.1e6, 30.6e6, 36.2e6)
FLOP = Range.exactly(4.14e25)
NAMEPLATE_KWH = Range(18.27e6, 21.42e6, 25.34e6)
IT_KWH = Range(27.0e6, 32.13e6, 38.9e6)


def site() -> Site:
    """A region with every number that a site has."""
    return Site(
        zone="US-MIDA-PJM",
        pue=Range(1.05, 1.09, 1.2),
        location_intensity_g_per_kwh=Range(330.0, 369.0, 410.0),
        intensity_basis="lifecycle",
        intensity_scope="production",
        wue_l_per_kwh=Range(0.1, 0.18, 0.3),
        water_intensity_l_per_kwh=Range(1.0, 1.7, 3.0),
        lifetime_h=Range(35040.0, 43800.0, 52560.0),
        fleet_utilization=Range(0.6, 0.75, 0.9),
        server_cost_ratio=Range.exactly(1.64),
        network_cost_share=Range.exactly(0.19),
        depreciation_share=Range(0.28, 0.32, 0.37),
        region="aws/us-east-1",
    )


def impact(convention: str, it_kwh: Range) -> Impact:
    def times(ratio: float) -> Range:
        return Range(it_kwh.low * ratio, it_kwh.mid * ratio, it_kwh.high * ratio)

    return Impact(
        convention=convention,
        it_energy_kwh=it_kwh,
        facility_energy_kwh=times(1.09),
        operational_location_kgco2e=times(0.4),
        onsite_water_l=times(0.18),
        offsite_water_l=times(1.7),
        operational_market_kgco2e=None,
        electricity_usd=times(0.085),
    )


def footprint(name: str = "llama-3.1-405b", third_party: bool = False) -> Footprint:
    line = UsageLine(
        name="pretrain",
        kind="pretrain",
        accelerator="h100-sxm",
        accelerator_hours=HOURS,
        nameplate_energy_kwh=NAMEPLATE_KWH,
        it_energy_kwh=IT_KWH,
        accelerator_count=16384,
        wall_clock_h=Range(1593.0, 1868.0, 2209.0),
        training_flop=FLOP,
        tokens=Range.exactly(16.4e12),
        mfu=Range(0.36, 0.41, 0.46),
        goodput=Range(0.85, 0.9, 0.95),
    )
    stage = Stage(name="pretrain", kind="pretrain", accelerator="h100-sxm", precision="bf16", tokens=line.tokens)
    facility = impact("facility", IT_KWH)
    long_source = "Meta, The Llama 3 Herd of Models, arXiv 2407.21783, section 3.3 and table 4, July 2024"
    return Footprint(
        name=name,
        usage=Usage(
            lines=(line,),
            accelerator_hours=HOURS,
            it_energy_kwh=IT_KWH,
            nameplate_energy_kwh=NAMEPLATE_KWH,
            wall_clock_h=line.wall_clock_h,
            training_flop=FLOP,
            tokens=line.tokens,
        ),
        site=site(),
        facility=facility,
        model_card=impact("model-card", NAMEPLATE_KWH),
        embodied_kgco2e=Range(96e3, 210e3, 400e3),
        total_location_kgco2e=Range(10.9e6, 13.06e6, 15.9e6),
        rental_on_demand_usd=Range(91e6, 120.4e6, 180e6),
        rental_spot_usd=None,
        rental_reserved_3y_usd=Range(60e6, 71e6, 80e6),
        ownership_usd=Range(40e6, 52e6, 71e6),
        sci_kgco2e_per_token=Range(6.6e-7, 8e-7, 9.7e-7),
        plan=Plan(name=name, stages=(stage,), model="llama-3.1-405b", organization="Meta", third_party=third_party),
        published=(
            Published(
                run_id="llama-3.1-405b",
                model="Llama 3.1 405B",
                accelerator_hours=30.84e6,
                energy_kwh=None,
                energy_basis="tdp",
                energy_boundary="accelerator_x_pue",
                location_kgco2e=8.93e6,
                source="https://github.com/meta-llama/llama-models",
            ),
        ),
        steps=(
            Step(
                "pretrain",
                "it_energy_kwh",
                "it_energy_kwh = accelerator_hours * accelerator_power_w / W_PER_KW",
                (("accelerator_hours", 30.6e6), ("accelerator_power_w", 1050.0)),
                32.13e6,
                "ISO/IEC 30134-2 (the IT boundary of PUE).",
            ),
            Step(
                "facility",
                "facility_energy_kwh",
                "facility_energy_kwh = it_energy_kwh * pue",
                (("it_energy_kwh", 32.13e6), ("pue", 1.09)),
                35.0217e6,
                "ISO/IEC 30134-2:2016, Power usage effectiveness.",
            ),
        ),
        ledger=(
            Assumption("tokens", 16.4e12, "catalog", long_source),
            Assumption("pue", Range(1.05, 1.09, 1.2), "catalog", "Meta sustainability report 2024"),
            Assumption("mfu", Range(0.36, 0.41, 0.46), "modelled", "throughput rule, 63 measured runs"),
            Assumption("fleet_utilization", Range(0.6, 0.75, 0.9), "default", "constants.csv", "no operator tells"),
            Assumption("region", "aws/us-east-1", "given", "the caller"),
            *(Assumption(f"field_{i}_w", 100.0 + i, "default", long_source) for i in range(20)),
        ),
        notes=("market-based carbon is not known for this operator",),
        catalog_digest="0123456789abcdef",
        version="0.1.0",
    )


def family() -> Footprint:
    members = (footprint("llama-3.1-8b"), footprint("llama-3.1-70b"), footprint("llama-3.1-405b"))
    return replace(footprint("llama-3.1"), parts=members)


def with_sensitivities() -> Footprint:
    output = "total_location_kgco2e"
    return replace(
        footprint(),
        sensitivities=(
            Sensitivity("pue", output, 0.97, 1.1),
            Sensitivity("mfu", output, 1.14, 0.89),
            Sensitivity("location_intensity_g_per_kwh", output, 0.9, 1.11),
        ),
    )


def backtest() -> Backtest:
    rows = tuple(
        BacktestRow(
            run_id=f"run-{i}",
            model=f"Model {i}",
            organization="Lab",
            tier="A",
            kind="pretrain",
            accelerator=accelerator,
            reported_accelerator_hours=hours,
            estimated_accelerator_hours=Range(hours * ratio * 0.7, hours * ratio, hours * ratio * 1.4),
            inside=0.7 * ratio <= 1 <= 1.4 * ratio,
            source="a card",
        )
        for i, (accelerator, hours, ratio) in enumerate(
            [("h100-sxm", 30.84e6, 1.02), ("a100-80gb", 1.72e6, 0.9), ("tpu-v4", 8.4e6, 1.9), ("mi250x", 5e5, 0.8)]
        )
    )
    group = BacktestGroup("all", 4, 1.18, 1.9, 0.96, 0.75)
    return Backtest(rows, (group,), (("run-8", "tokens unknown"), ("run-9", "tokens unknown")), "0" * 16, "0.1.0")


NEIGHBOUR = Neighbour("Llama 3.1 405B", "h100-sxm", 16384, 8192, "bf16", 0.41, "arXiv 2407.21783", 0.0)
