"""From what meters add up to, to `Usage`, and through the assessor to a `Footprint`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from footprint.accounting import assessor
from footprint.accounting.node import rest_of_node
from footprint.accounting.profile import at_its_hours
from footprint.accounting.site import site as make_site
from footprint.accounting.site import site_words
from footprint.catalog import Catalog
from footprint.catalog.peaks import peak_flop_per_s, reference_peak
from footprint.derivation import Derivation, Plain
from footprint.errors import InputError, UnknownName
from footprint.formulas import compute, energy, node
from footprint.units import S_PER_H
from footprint.values import (
    Accelerator,
    Assumption,
    Footprint,
    Meter,
    MeterUsage,
    Progress,
    Range,
    Rates,
    Site,
    Usage,
    UsageLine,
)

__all__ = ["SERVER", "Measured", "assess", "live_site", "per_kwh", "usage_of", "with_rest_of_nodes"]

SERVER = "server"
"""Stands for the accelerator of a host that has none: its hours carry the host's embodied carbon alone."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the meters of a run add up to, before anything is assessed."""

    name: str
    meters: tuple[MeterUsage, ...]
    progress: Progress
    duration_s: float  # from the first start to the last sign of life, pauses left out
    hourly_it_energy_kwh: tuple[tuple[int, float], ...] = ()


def device_of(meter: Meter, catalog: Catalog) -> tuple[Accelerator, str]:
    """The catalog's record of a metered accelerator, or one made of what the driver says, with a note."""
    try:
        return catalog.accelerator(meter.name, meter.memory_gb), ""
    except (UnknownName, InputError):
        pass
    unknown = Accelerator(
        id=meter.name, name=meter.name, vendor="", generation="", memory_gb=meter.memory_gb or 0.0,
        tdp_w=meter.max_w or 0.0, per_node=1, peak_flop_per_s=(), source=meter.sensor,
    )  # fmt: skip
    told = (
        f"{meter.name} is in no table: its embodied carbon is the span of known devices, its price and peak not known"
    )
    return unknown, f"{told}; add its row to accelerators.csv in a folder named by FOOTPRINT_DATA"


def with_rest_of_nodes(
    measured: Measured, words: Mapping[str, Any], catalog: Catalog
) -> tuple[Measured, tuple[Assumption, ...]]:
    """Fans, network cards and power supplies beside what was metered: a line a host, by the node model."""
    rest: list[MeterUsage] = []
    ledger: list[Assumption] = []
    for host in dict.fromkeys(m.host for m in measured.meters):
        own = [m for m in measured.meters if m.host == host]
        if any(m.meter.scope == "node" for m in own):
            continue  # a meter at the plug has it all
        devices = [m for m in own if m.meter.component == "accelerator"]
        device = device_of(devices[0].meter, catalog)[0] if devices else None
        count = round(sum(m.meter.share for m in devices)) or (1 if devices else 0)
        host_share = min((m.meter.share for m in own if m.meter.component == "cpu"), default=1.0)
        rest_w, loss_share, told = rest_of_node(device, count, catalog, host_share)
        duration_s = max(m.duration_s for m in own)
        metered = total(m.it_energy_kwh for m in own)
        ends = [
            node.rest_energy_kwh(
                component_energy_kwh=getattr(metered, end), rest_w=getattr(rest_w, end),
                duration_h=duration_s / S_PER_H, psu_loss_share=getattr(loss_share, end),
            )
            for end in ("low", "mid", "high")
        ]  # fmt: skip
        elsewhere = own[0].meter.counted_in if all(m.meter.counted_in for m in own) else ""  # it goes with its parts
        meter = Meter(
            "node", "node", "fans, network, power supply", "node-model", "node", "default", source=told[0].source,
            counted_in=elsewhere,
        )  # fmt: skip
        drawn = Range(*ends)
        mean_w = energy.mean_power_w(drawn.mid, duration_s / S_PER_H) if duration_s else None
        rest.append(MeterUsage(host, meter, drawn, duration_s, 0.0, mean_w=mean_w))
        ledger += told
    return replace(measured, meters=(*measured.meters, *rest)), tuple(dict.fromkeys(ledger))


def usage_of(measured: Measured, words: Mapping[str, Any], catalog: Catalog) -> tuple[Usage, tuple[str, ...]]:
    """Hours and IT energy: a line for each kind of accelerator, the hosts' energy shared out by hours."""
    notes: list[str] = []
    by_device: dict[str, list[MeterUsage]] = {}
    devices: dict[str, Accelerator] = {}
    for one in measured.meters:
        if one.meter.component == "accelerator":
            device, note = device_of(one.meter, catalog)
            notes += [note] if note else []
            devices[device.id] = device
            by_device.setdefault(device.id, []).append(one)
    host = total(m.it_energy_kwh for m in measured.meters if m.meter.component != "accelerator")
    hours = {name: sum(m.duration_s * m.meter.share for m in own) / S_PER_H for name, own in by_device.items()}
    all_hours = sum(hours.values())
    flop, flop_note = training_flop(measured.progress, words)
    notes += [flop_note] if flop_note else []
    tokens = Range.exactly(measured.progress.tokens) if measured.progress.tokens else None
    lines = []
    for name, own in by_device.items():
        share = hours[name] / all_hours if all_hours else 1 / len(by_device)
        part = None if flop is None else Range.exactly(flop * share)
        count = sum(m.meter.share for m in own)
        lines.append(
            UsageLine(
                name=name,
                accelerator=name,
                accelerator_hours=Range.exactly(hours[name]),
                nameplate_energy_kwh=Range.exactly(energy.nameplate_energy_kwh(hours[name], devices[name].tdp_w)),
                it_energy_kwh=total((*(m.it_energy_kwh for m in own), scaled(host, share))),
                accelerator_count=round(count) if count >= 1 else 1,
                wall_clock_h=Range.exactly(measured.duration_s / S_PER_H),
                training_flop=part,
                mfu=_mfu(flop, devices[name], all_hours, words),
            )
        )
    if not lines and measured.meters:
        lines.append(_server_line(measured, host))
    return (
        Usage(
            lines=tuple(lines),
            accelerator_hours=Range.exactly(all_hours),
            it_energy_kwh=total(m.it_energy_kwh for m in measured.meters),
            nameplate_energy_kwh=total(line.nameplate_energy_kwh for line in lines),
            wall_clock_h=Range.exactly(measured.duration_s / S_PER_H),
            training_flop=None if flop is None else Range.exactly(flop),
            update_flop=None if flop is None else Range.exactly(flop),
            tokens=tokens,
            coverage_share=coverage(measured.meters),
        ),
        tuple(dict.fromkeys(notes)),
    )


def _server_line(measured: Measured, host: Range) -> UsageLine:
    durations = {m.host: m.duration_s for m in measured.meters}
    return UsageLine(
        name=SERVER, accelerator=SERVER, accelerator_hours=Range.exactly(sum(durations.values()) / S_PER_H),
        nameplate_energy_kwh=host, it_energy_kwh=host,
    )  # fmt: skip


def training_flop(progress: Progress, words: Mapping[str, Any]) -> tuple[float | None, str]:
    """FLOP done: as the framework counts them, else tokens by what the user said of the model."""
    if progress.training_flop is not None:
        return progress.training_flop, ""
    if not progress.tokens:
        return None, ""
    if words.get("flop_per_token"):
        return progress.tokens * float(words["flop_per_token"]), ""
    params = words.get("active_params") or words.get("params")
    if not params:
        return None, ""
    per_token = compute.training_flop_per_token_6nd(float(params))
    return progress.tokens * float(per_token), "training FLOP by 6 N D: attention is left out"


def _mfu(flop: float | None, device: Accelerator, hours: float, words: Mapping[str, Any]) -> Range | None:
    peak = device_peak(device, words)
    if flop is None or peak is None or not hours:
        return None
    return Range.exactly(float(energy.implied_mfu(flop, hours, peak)))


def device_peak(device: Accelerator, words: Mapping[str, Any]) -> float | None:
    """Dense peak at the precision given, else at 16 bits; None where the table has none."""
    try:
        precision = words.get("precision")
        return peak_flop_per_s(device, str(precision)) if precision else reference_peak(device)[1]
    except InputError:
        return None


def coverage(meters: Iterable[MeterUsage]) -> float | None:
    """The measured share of the energy: what sensors read, without gaps, over everything."""
    read = whole = 0.0
    for one in meters:
        whole += one.it_energy_kwh.mid
        read += one.it_energy_kwh.mid * one.coverage_share if one.meter.origin == "measured" else 0.0
    return read / whole if whole else None


def assess(
    measured: Measured, words: Mapping[str, Any], catalog: Catalog, **rest: Any
) -> tuple[Usage, Footprint, Measured]:
    """The usage and its footprint, with the rest of the nodes among the meters."""
    from footprint.accounting.record import record  # here, not above: only a result needs draws
    from footprint.uncertainty import draw

    measured, node_ledger = with_rest_of_nodes(measured, words, catalog)
    usage, notes = usage_of(measured, words, catalog)
    site, ledger, site_notes = site_for(measured.meters, words, catalog)
    site, hour_ledger = at_its_hours(site, measured.hourly_it_energy_kwh, catalog)
    calculate = Derivation()
    drawn_site = draw(site)
    drawn_usage = draw(usage)
    assessment = assessor.assess(drawn_usage, drawn_site, calculate)
    footprint = record(
        measured.name, drawn_usage, drawn_site, assessment, calculate, catalog,
        site=site, ledger=(*ledger, *hour_ledger, *node_ledger), notes=(*notes, *site_notes), **rest,
    )  # fmt: skip
    return usage, replace(footprint, usage=usage), measured


def site_for(
    meters: Sequence[MeterUsage], words: Mapping[str, Any], catalog: Catalog
) -> tuple[Site, tuple[Assumption, ...], tuple[str, ...]]:
    """The site of the words, with rates for the metered accelerators, or for a server without any."""
    devices = {
        device.id: device
        for device in (device_of(m.meter, catalog)[0] for m in meters if m.meter.component == "accelerator")
    }
    site, ledger, notes = make_site(site_words(words), tuple(devices.values()), catalog)
    if devices or not meters:
        return site, ledger, notes
    row = catalog.constant_row("server_embodied_kgco2e")
    embodied = catalog.constant("server_embodied_kgco2e")
    told = Assumption("server_embodied_kgco2e", embodied, "default", str(row["source"]), str(row["note"] or ""))
    rates = Rates(SERVER, embodied_accelerator_kgco2e=Range.exactly(0.0), embodied_host_kgco2e=embodied)
    return replace(site, rates=(rates,)), (*ledger, told), notes


def live_site(words: Mapping[str, Any], catalog: Catalog) -> Site:
    """The site at its mid values: for numbers while a run goes on."""
    from footprint.uncertainty import mids

    return mids(make_site(site_words(words), (), catalog)[0])


def per_kwh(site: Site) -> tuple[float, float, float | None]:
    """Facility kWh, kg of operational location-based carbon and electricity's dollars of one kWh of IT energy."""
    one: Any = 1.0
    usage = Usage(lines=(), accelerator_hours=one, it_energy_kwh=one, nameplate_energy_kwh=one)
    found = assessor.assess(usage, site, Plain()).facility
    facility: Any = found.facility_energy_kwh
    carbon: Any = found.operational_location_kgco2e
    dollars: Any = found.electricity_usd
    return facility, carbon, dollars


def total(ranges: Iterable[Range]) -> Range:
    """The sum of ranges whose errors go together: sensors of one kind are off in one direction."""
    low = mid = high = 0.0
    for one in ranges:
        low, mid, high = low + one.low, mid + one.mid, high + one.high
    return Range(low, mid, high)


def scaled(value: Range, by: float) -> Range:
    """A range times a number that is not negative."""
    return Range(value.low * by, value.mid * by, value.high * by)
