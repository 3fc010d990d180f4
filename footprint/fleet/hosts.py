"""What hosts drew beside a start's accelerators: by SLURM's own meter, by the site's watts, or by the node's model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from footprint.accounting.metered import scaled, total
from footprint.catalog import Catalog
from footprint.evidence import evidence
from footprint.fleet.gathering import Interval
from footprint.fleet.meters import SACCT
from footprint.fleet.modelled import hosts_rest
from footprint.fleet.months_held import Held, accelerators_part, consumed, named, whole
from footprint.fleet.site_file import SiteFile
from footprint.fleet.slurm import Start
from footprint.units import J_PER_KWH, S_PER_H, W_PER_KW
from footprint.values import Meter, MeterUsage, Range

__all__ = [
    "GIVEN", "MODEL", "NODE", "NODE_GRADE", "PROCESSORS", "Allocation", "Beside", "beside", "given_kwh", "with_hosts",
]  # fmt: skip

MODEL, GIVEN, NODE, PROCESSORS = "model", "given", "node", "processors"
"""How the energy of hosts is known: by the model of the node, by the site's watts, by a meter of the node, or of its
processors alone."""

NODE_GRADE = "B"
"""Of a node's meter that SLURM read now and then, and that is known to be far off on some sites."""

_MODELLED = ("C", "D")


@dataclass(frozen=True, slots=True)
class Beside:
    """How the energy of hosts is known."""

    how: str
    it_energy_kwh: Range | None = None  # of hosts, where a meter tells it
    host_w: Range | None = None  # of a node, as the site says
    accelerators_it_energy_kwh: Range | None = None  # theirs too, where that meter knows better
    unused: str = ""  # why ConsumedEnergyRaw is not used


def beside(at: Held, kwh: Range, grades: Sequence[str], site: SiteFile, catalog: Catalog) -> Beside:
    """The one way for a job alone and for the months of a site.

    Parameters
    ----------
    at : the start within the time that is asked for
    kwh, grades : what its accelerators drew, and how well that is known of each part of them
    site : says what ConsumedEnergyRaw covers, and what a node of the partition draws
    """
    metered_kwh, unused = consumed(at) if site.consumed_energy != "ignore" else (None, "")
    if metered_kwh is not None:
        metered = _scaled(catalog.constant("consumed_energy_ratio"), metered_kwh)
        if site.consumed_energy == "rapl":
            return Beside(PROCESSORS, metered)
        if all(grade in _MODELLED for grade in grades):
            part = accelerators_part(at, kwh.mid, catalog)
            return Beside(NODE, scaled(metered, 1 - part), accelerators_it_energy_kwh=scaled(metered, part))
        if metered_kwh > kwh.mid:
            rest = (max(end - kwh.mid, 0.0) for end in (metered.low, metered.mid, metered.high))
            return Beside(NODE, Range(*rest))
        unused = "less than their accelerators drew"
    if at.partition is not None and at.partition.host_w is not None:
        return Beside(GIVEN, host_w=at.partition.host_w, unused=unused)
    return Beside(MODEL, unused=unused)


def given_kwh(host_w: Range, per_node: int, hours: float) -> Range:
    """Of hosts by a node's watts: for accelerator-hours in nodes with so many of them."""
    return Range(*(end / per_node * hours / W_PER_KW for end in (host_w.low, host_w.mid, host_w.high)))


# a job alone: a line a host


@dataclass(frozen=True, slots=True)
class Allocation:
    """A start as SLURM tells it, and what the site says of the nodes that it had."""

    start: Start
    site: SiteFile

    def device_share(self, catalog: Catalog) -> float:
        """Of a device, that each of its accelerators is: 1 but for parts."""
        gres = self.site.gres_of(self.start.accelerator, catalog) if self.start.accelerator else None
        return 1.0 if gres is None else gres.share


def with_hosts(
    meters: Sequence[MeterUsage], allocation: Allocation | None, interval: Interval, catalog: Catalog
) -> tuple[list[MeterUsage], tuple[str, ...]]:
    """A job's accelerators with their hosts, and what to know of them."""
    if allocation is None or not meters:
        return [*meters, *hosts_rest(meters, interval, catalog)], ()
    at = named(whole(allocation.start, allocation.site, catalog), meters[0].meter.name, catalog)
    at = replace(at, count=at.count or sum(one.meter.share for one in meters))
    kwh = total(one.it_energy_kwh for one in meters)
    found = beside(at, kwh, _grades(meters), allocation.site, catalog)
    notes = (f"its ConsumedEnergyRaw is {found.unused} and not used",) if found.unused else ()
    if found.how == MODEL:
        return [*meters, *hosts_rest(meters, interval, catalog, at.per_node)], notes
    own = list(meters)
    if found.accelerators_it_energy_kwh is not None and kwh.mid:
        own = [_within(one, found.accelerators_it_energy_kwh, one.it_energy_kwh.mid / kwh.mid) for one in meters]
    return [*own, *_lines(meters, found, at.per_node, interval)], notes


def _grades(meters: Sequence[MeterUsage]) -> list[str]:
    told = [one for one in meters if one.meter.origin != "default"]
    grades = [evidence(told).grade] if told else []
    return grades + (["D"] if len(told) < len(meters) else [])


def _within(one: MeterUsage, accelerators: Range, share: float) -> MeterUsage:
    """An accelerator's part of its node's own meter."""
    energy = scaled(accelerators, share)
    meter = replace(
        one.meter, sensor=SACCT, origin="measured", source="ConsumedEnergyRaw of the node, in parts by the model",
    )  # fmt: skip
    return replace(
        one, meter=meter, it_energy_kwh=energy, coverage_share=1.0, mean_w=energy.mid * J_PER_KWH / one.duration_s
    )


def _lines(meters: Sequence[MeterUsage], found: Beside, per_node: int, interval: Interval) -> Iterator[MeterUsage]:
    by_host: dict[str, float] = {}
    for one in meters:
        by_host[one.host] = by_host.get(one.host, 0.0) + one.duration_s * one.meter.share
    seconds = sum(by_host.values())
    for host, own_s in by_host.items():
        share = min(own_s / interval.duration_s / per_node, 1.0)
        if found.it_energy_kwh is not None:
            energy = scaled(found.it_energy_kwh, own_s / seconds)
        elif found.host_w is not None:
            energy = given_kwh(found.host_w, per_node, own_s / S_PER_H)
        if found.how == PROCESSORS:
            meter = Meter(
                "cpu", "cpu", "processors", SACCT, "package", "measured", source="ConsumedEnergyRaw", share=share
            )
        elif found.how == NODE:
            meter = Meter(
                "node", "node", "host, by its own meter", SACCT, "node", "measured", source="ConsumedEnergyRaw"
            )
        else:
            meter = Meter(
                "node", "node", "host, by the site's watts", "site", "node", "modelled", source="host_w", share=share
            )
        coverage_share = 1.0 if meter.origin == "measured" else 0.0
        mean_w = energy.mid * J_PER_KWH / interval.duration_s
        yield MeterUsage(host, meter, energy, interval.duration_s, coverage_share, mean_w=mean_w)


def _scaled(ratio: Range, kwh: float) -> Range:
    return Range(kwh * ratio.low, kwh * ratio.mid, kwh * ratio.high)
