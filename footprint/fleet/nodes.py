"""Whole hosts of a past job by their own meters: IPMI and Redfish, where a user says whether accelerators are in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from footprint.catalog import Catalog
from footprint.fleet.devices import host_of
from footprint.fleet.energy import Walk
from footprint.fleet.families import HOST_LABELS
from footprint.fleet.gathering import PAD_S, Interval
from footprint.fleet.meters import SENSOR, accelerator_of
from footprint.fleet.prometheus import Prometheus, Series, in_order, joined
from footprint.fleet.queries import hosts_like, selector
from footprint.fleet.readings import Reading, interval_of
from footprint.measurement.metering import Limits
from footprint.units import J_PER_KWH, S_PER_H
from footprint.values import Meter, MeterUsage, Range

__all__ = ["NODE_POWERS", "node_meters"]

NODE_POWERS = (
    "ipmi_dcmi_power_consumption_watts",
    "ipmi_dcmi_power_consumption_current_watts",
    "ceems_ipmi_dcmi_current_watts",
    "ceems_redfish_current_watts",
)
"""Gauges of a host's power at its supply, the plainest first."""

_TILE_S = 6 * S_PER_H
_HOSTS_A_QUERY = 50


def node_meters(
    meters: Sequence[MeterUsage],
    job: Interval,
    server: Prometheus,
    catalog: Catalog,
    limits: Limits,
    *,
    has_accelerators: bool,
) -> Iterator[MeterUsage]:
    """What hosts drew beside their accelerators; of a host that the job had in part, its part by accelerators."""
    hosts = list(dict.fromkeys(one.host for one in meters))
    for i in range(0, len(hosts), _HOSTS_A_QUERY):
        group = hosts[i : i + _HOSTS_A_QUERY]
        for host, metric, readings in _read(group, job, server):
            own = [one for one in meters if one.host == host]
            meter = Meter("node", "node", "host, by its own meter", SENSOR, "node", "measured", metric, window_s=0.0)
            walk = Walk(meter, job.started_s, job.ended_s, interval_of(readings), limits)
            walk.take(readings)
            yield _beside(walk.result(host).usage, own, catalog, has_accelerators=has_accelerators)


def _read(hosts: Sequence[str], job: Interval, server: Prometheus) -> Iterator[tuple[str, str, list[Reading]]]:
    rest = list(hosts)
    for metric in NODE_POWERS:
        for label in HOST_LABELS:
            if not rest:
                return
            found = _raw(selector(metric, hosts_like(label, rest)), job, server)
            by_host: dict[str, Series] = {}
            for one in found:  # the fullest, where several scrape one host
                host = host_of(one.labels, rest)
                if host in rest and len(one.samples) > len(by_host.get(host, Series({}, ())).samples):
                    by_host[host] = one
            for host, one in by_host.items():
                yield host, metric, [Reading(at_s, None, watts) for at_s, watts in one.samples if watts > 0]
            rest = [host for host in rest if host not in by_host]


def _raw(chosen: str, job: Interval, server: Prometheus) -> list[Series]:
    """In pieces of a few hours."""
    begun_s, calls = job.started_s - PAD_S, []
    while begun_s < job.ended_s + PAD_S:
        until_s = min(begun_s + _TILE_S, job.ended_s + PAD_S)
        calls.append(partial(server.raw, chosen, begun_s, until_s))
        begun_s = until_s
    return joined(one for answer in in_order(calls) for one in answer)


def _beside(node: MeterUsage, own: Sequence[MeterUsage], catalog: Catalog, *, has_accelerators: bool) -> MeterUsage:
    known = accelerator_of(own[0].meter.name, catalog)
    held = sum(one.meter.share for one in own)
    share = min(held / known.per_node, 1.0) if known is not None and known.per_node else 1.0
    metered_kwh = sum(one.it_energy_kwh.mid for one in own) if has_accelerators else 0.0
    whole = node.it_energy_kwh
    energy = Range(*(max(end * share - metered_kwh, 0.0) for end in (whole.low, whole.mid, whole.high)))
    note = "" if share == 1 else f"the job's part of its host by accelerators, {share:.3g}"
    if metered_kwh > whole.mid * share:
        note = "; ".join(filter(None, (note, "less than its accelerators drew: are they in it?")))
    meter = replace(node.meter, share=share, note=note)
    return replace(node, meter=meter, it_energy_kwh=energy, mean_w=energy.mid * J_PER_KWH / node.duration_s)
