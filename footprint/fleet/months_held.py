"""What each start of a job held in a month, and what it drew by SLURM's own word where no metrics tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from functools import lru_cache

from footprint.catalog import Catalog
from footprint.fleet.devices import Job
from footprint.fleet.meters import accelerator_of
from footprint.fleet.modelled import allocated_w, used_w
from footprint.fleet.site_file import Partition, SiteFile
from footprint.fleet.slurm import Start
from footprint.units import J_PER_KWH, S_PER_H, W_PER_KW
from footprint.values import Accelerator, Range

__all__ = [
    "MOST_W",
    "NONE",
    "Held",
    "Span",
    "accelerators_part",
    "consumed",
    "held",
    "ids",
    "known_as",
    "may_have_accelerators",
    "modelled",
    "named",
    "spans",
    "whole",
]

LEAST_W, MOST_W = 50.0, 15_000.0
"""Of a node, by SLURM's own meter: what is outside is no reading of a node."""

NONE = "without accelerators"
_LAST_MONTH = 12


@dataclass(frozen=True, slots=True)
class Span:
    """A month, or what of it is asked for."""

    month: str  # "2026-10"
    started_s: float
    ended_s: float


@dataclass(frozen=True, slots=True)
class Held:
    """What of a start lies in a month, and the accelerators that it had."""

    start: Start
    job: Job  # within the month
    partition: Partition | None
    device: str  # the catalog's id; "" where nothing names it
    count: float  # parts of devices as parts; 0 where it is not known
    per_node: int

    @property
    def duration_s(self) -> float:
        return (self.job.ended_utc_s or 0.0) - (self.job.started_utc_s or 0.0)

    @property
    def share(self) -> float:
        """Of the start's time."""
        whole = self.start.job
        return self.duration_s / ((whole.ended_utc_s or 0.0) - (whole.started_utc_s or 0.0))

    @property
    def hours(self) -> float:
        """Accelerator-hours."""
        return self.count * self.duration_s / S_PER_H

    @property
    def is_whole_nodes(self) -> bool:
        """Whether nobody else was on its nodes."""
        start, partition = self.start, self.partition
        if start.is_exclusive or (partition is not None and partition.is_exclusive):
            return True
        return bool(start.nodes_count and self.count and self.count == self.per_node * start.nodes_count)


def spans(started_s: float, ended_s: float, zone: tzinfo | None) -> tuple[Span, ...]:
    """The months of an interval, the first and the last as far as they are in it."""
    where = zone or UTC
    found = []
    first = datetime.fromtimestamp(started_s, where).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while first.timestamp() < ended_s:
        year, month = (first.year + first.month // _LAST_MONTH, first.month % _LAST_MONTH + 1)
        after = first.replace(year=year, month=month, fold=0)
        begun_s, until_s = max(first.timestamp(), started_s), min(after.timestamp(), ended_s)
        found.append(Span(f"{first:%Y-%m}", begun_s, until_s))
        first = after
    return tuple(found)


def held(
    starts: Iterable[Start], span: Span, site: SiteFile, catalog: Catalog, model: str | None, *, has_metrics: bool
) -> tuple[list[Held], dict[str, list[str]]]:
    """What lies in a month, and why starts that do are in no row, with their ids."""
    found: list[Held] = []
    left: dict[str, list[str]] = {}
    for start in starts:
        begun_s, ended_s = start.job.started_utc_s or 0.0, start.job.ended_utc_s or 0.0
        if not (begun_s < span.ended_s and ended_s > span.started_s):
            continue
        one = _held(start, span, site, catalog, model)
        why = _lacks(one, site, has_metrics=has_metrics)
        if why:
            left.setdefault(why, []).append(start.id)
        else:
            found.append(one)
    return found, left


def _held(start: Start, span: Span, site: SiteFile, catalog: Catalog, model: str | None) -> Held:
    begun_s, ended_s = start.job.started_utc_s or 0.0, start.job.ended_utc_s or 0.0
    inside = replace(start.job, started_utc_s=max(begun_s, span.started_s), ended_utc_s=min(ended_s, span.ended_s))
    partition = site.partition(start.partition)
    gres = site.gres_of(start.accelerator, catalog) if start.accelerator else None
    device = site.device_of(start.accelerator, start.partition, catalog) or model or ""
    known = known_as(device, catalog)
    per_node = _per_node(partition, known)
    count = (start.accelerators_count or 0) * (gres.share if gres is not None else 1.0)
    if start.accelerators_count is None and partition is not None and partition.is_exclusive and partition.accelerator:
        count = float(per_node * (start.nodes_count or len(start.job.hosts)))
    return Held(start, inside, partition, known.id if known is not None else "", count, per_node)


def _per_node(partition: Partition | None, known: Accelerator | None) -> int:
    told = partition.accelerators_per_node if partition is not None else None
    return told or (known.per_node if known is not None else 0) or 1


def whole(start: Start, site: SiteFile, catalog: Catalog) -> Held:
    """A start over all of its time."""
    span = Span("", start.job.started_utc_s or 0.0, start.job.ended_utc_s or 0.0)
    return _held(start, span, site, catalog, None)


def named(one: Held, device: str, catalog: Catalog) -> Held:
    """With the accelerators that the metrics or the user name."""
    known = known_as(device, catalog)
    return replace(one, device=device, per_node=_per_node(one.partition, known)) if device else one


def may_have_accelerators(start: Start, site: SiteFile) -> bool:
    """Whether a start had any, as far as accounting and site tell; where both say nothing it may have."""
    if start.accelerators_count is not None:
        return start.accelerators_count > 0
    partition = site.partition(start.partition)
    return not start.resources or (partition is not None and partition.accelerator is not None)


def _lacks(one: Held, site: SiteFile, *, has_metrics: bool) -> str:
    """Why nothing can be said of a start; nothing where something can."""
    if not may_have_accelerators(one.start, site) or not (one.count or has_metrics):
        return NONE
    if not one.device and not has_metrics:
        kind = one.start.accelerator or one.start.partition or "its partition"
        return f"with accelerators that nothing names: put {kind} into the site's file, or give --accelerator"
    return ""


@lru_cache(maxsize=256)
def known_as(device: str, catalog: Catalog) -> Accelerator | None:
    """The catalog's record, looked up once; None for a name that it does not know."""
    return accelerator_of(device, catalog) if device else None


# without metrics


def modelled(one: Held, catalog: Catalog, stalled_utilization: float) -> tuple[str, Range, Range | None] | None:
    """The grade, kWh of its accelerators, and kWh of those that did next to nothing (None: not known).

    By what its comment or its steps say of utilization: C; else by hours and a share of the rating: D.
    """
    known = known_as(one.device, catalog)
    if known is None or not known.tdp_w or not one.count:
        return None
    told, share = one.start.utilizations, one.start.utilization
    if told and share is not None:
        idle = [busy for busy in told if busy < stalled_utilization]
        watts = used_w(known, share, catalog)
        idle_w = used_w(known, sum(idle) / len(idle), catalog) if idle else Range.exactly(0.0)
        return "C", _kwh(watts, one.hours), _kwh(idle_w, one.hours * len(idle) / len(told))
    if share is not None:
        energy = _kwh(used_w(known, share, catalog), one.hours)
        return "C", energy, energy if share < stalled_utilization else None
    return "D", _kwh(allocated_w(known, catalog), one.hours), None


def _kwh(watts: Range, hours: float) -> Range:
    return Range(*(w * hours / W_PER_KW for w in (watts.low, watts.mid, watts.high)))


def consumed(one: Held) -> tuple[float | None, str]:
    """kWh of its nodes by SLURM's own meter within the month, or why that is not used."""
    joules, start = one.start.consumed_j, one.start
    if joules is None:
        return None, ""
    nodes = start.nodes_count or len(start.job.hosts)
    if not one.is_whole_nodes:
        return None, "on nodes that others may have shared"
    whole_s = one.duration_s / one.share
    if not nodes or not LEAST_W <= joules / whole_s / nodes <= MOST_W:
        return None, f"outside {LEAST_W:.0f} to {MOST_W:,.0f} W a node"
    return joules * one.share / J_PER_KWH, ""


def accelerators_part(one: Held, kwh: float, catalog: Catalog) -> float:
    """Of a node's energy the accelerators' share: as they and processors beside them are modelled."""
    known = known_as(one.device, catalog)
    beside_w = (known.tdp_w if known is not None else 0.0) * catalog.constant("processor_memory_ratio").mid
    return kwh / (kwh + beside_w * one.hours / W_PER_KW)


def ids(left: Sequence[str], most: int) -> str:
    """The first few of many."""
    told = ", ".join(left[:most])
    return told + (f" and {len(left) - most} more" if len(left) > most else "")
