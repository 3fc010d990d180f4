"""Sums of what many jobs used, and what they cost: assessed as groups, for the assessor is linear in energy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from footprint.accounting import assessor
from footprint.accounting.metered import Measured, total, with_rest_of_nodes
from footprint.catalog import Catalog
from footprint.derivation import Plain
from footprint.fleet.hosts import GIVEN, NODE, PROCESSORS, given_kwh
from footprint.fleet.meters import SENSOR
from footprint.fleet.months_held import known_as
from footprint.studies import Drawn, JobsPart
from footprint.units import S_PER_H, W_PER_KW
from footprint.values import Meter, MeterUsage, Progress, Range, Site, Usage

__all__ = ["Ends", "Kind", "Priced", "Sum"]


@dataclass(frozen=True, slots=True)
class Kind:
    """Accelerators of one kind, in hosts of one kind."""

    device: str
    per_node: int
    host: str
    host_w: Range | None = None  # of a node, as the site says


class Ends:
    """A sum of ranges."""

    __slots__ = ("high", "low", "mid")

    def __init__(self) -> None:
        self.low = self.mid = self.high = 0.0

    def add(self, value: Range, by: float = 1.0) -> None:
        self.low += value.low * by
        self.mid += value.mid * by
        self.high += value.high * by

    def range(self) -> Range:
        mid = max(self.mid, 0.0)
        return Range(min(max(self.low, 0.0), mid), mid, max(self.high, mid))


@dataclass(slots=True)
class _Own:
    seconds: float = 0.0  # of accelerators
    accelerators: Ends = field(default_factory=Ends)
    hosts: Ends = field(default_factory=Ends)  # metered


@dataclass(slots=True)
class Sum:
    """What some starts used."""

    start_count: int = 0
    kinds: dict[Kind, _Own] = field(default_factory=dict)

    def add(self, kind: Kind, seconds: float, accelerators: Range, hosts: Range | None = None) -> None:
        own = self.kinds.setdefault(kind, _Own())
        own.seconds += seconds
        own.accelerators.add(accelerators)
        if hosts is not None:
            own.hosts.add(hosts)

    def take(self, other: Sum) -> None:
        """Add another sum."""
        self.start_count += other.start_count
        for kind, own in other.kinds.items():
            self.add(kind, own.seconds, own.accelerators.range(), own.hosts.range())

    @property
    def hours(self) -> float:
        return sum(own.seconds for own in self.kinds.values()) / S_PER_H


class Priced:
    """What IT energy costs on a site: through the one assessor."""

    def __init__(self, site: Site, catalog: Catalog) -> None:
        from footprint.uncertainty import draw  # here, not above: only a result needs draws

        self._catalog = catalog
        self._site = draw(site)
        self._ratio = catalog.constant("processor_memory_ratio")

    def part(self, name: str, found: Sum) -> tuple[JobsPart, tuple[Drawn, ...]]:
        """A part of the jobs, and which equipment drew its energy."""
        meters = [one for at, (kind, own) in enumerate(found.kinds.items()) for one in self._meters(str(at), kind, own)]
        measured, _ = with_rest_of_nodes(Measured(name, tuple(meters), Progress(), 0.0), {}, self._catalog)
        devices = total(m.it_energy_kwh for m in measured.meters if m.meter.component == "accelerator")
        hosts = total(m.it_energy_kwh for m in measured.meters if m.meter.component != "accelerator")
        drawn = (Drawn("accelerators", devices), Drawn("hosts", hosts))
        return self._assessed(name, found, total((devices, hosts))), drawn

    def _meters(self, host: str, kind: Kind, own: _Own) -> Iterator[MeterUsage]:
        """As if one accelerator had run for all of the seconds, with its part of a host."""
        hours = own.seconds / S_PER_H

        def usage(component: str, scope: str, energy: Range, share: float = 1.0) -> MeterUsage:
            name = kind.device or "accelerator"
            meter = Meter(component, component, name, SENSOR, scope, "modelled", share=share)
            return MeterUsage(host, meter, energy, own.seconds, 0.0)

        yield usage("accelerator", "gpu", own.accelerators.range())
        if kind.host == NODE:
            yield usage("node", "node", own.hosts.range())
        elif kind.host == GIVEN and kind.host_w is not None:
            yield usage("node", "node", given_kwh(kind.host_w, kind.per_node, hours))
        elif kind.host == PROCESSORS:
            yield usage("cpu", "package", own.hosts.range(), 1 / kind.per_node)
        else:
            known = known_as(kind.device, self._catalog)
            rated_kwh = (known.tdp_w if known is not None else 0.0) * hours / W_PER_KW
            r = self._ratio
            yield usage(
                "cpu", "package", Range(*(rated_kwh * end for end in (r.low, r.mid, r.high))), 1 / kind.per_node
            )

    def _assessed(self, name: str, found: Sum, it_energy_kwh: Range) -> JobsPart:
        from footprint.uncertainty import draw, summarise

        hours = found.hours
        usage = Usage((), Range.exactly(hours), it_energy_kwh, Range.exactly(it_energy_kwh.mid))
        impact = assessor.assess(draw(usage), self._site, Plain()).facility
        market, usd = impact.operational_market_kgco2e, impact.electricity_usd
        return JobsPart(
            name=name,
            start_count=found.start_count,
            accelerator_hours=hours,
            it_energy_kwh=it_energy_kwh,
            facility_energy_kwh=summarise(impact.facility_energy_kwh),
            operational_location_kgco2e=summarise(impact.operational_location_kgco2e),
            operational_market_kgco2e=None if market is None else summarise(market),
            electricity_usd=None if usd is None else summarise(usd),
        )
