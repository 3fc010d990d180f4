"""The months of a site: what its jobs used and cost, by user, account, project or partition, with waste apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from footprint.accounting.metered import scaled, total
from footprint.accounting.profile import at_its_hours
from footprint.accounting.site import site as make_site
from footprint.accounting.site import site_words
from footprint.catalog import Catalog
from footprint.errors import UnknownName
from footprint.fleet.devices import Job
from footprint.fleet.hosts import NODE_GRADE, beside
from footprint.fleet.many import JobEnergy, many_energies
from footprint.fleet.months_bills import bill
from footprint.fleet.months_groups import IDLE, USEFUL, Group, row_of, shares, total_of
from footprint.fleet.months_held import NONE, Held, Span, held, ids, modelled, named, spans
from footprint.fleet.months_sums import Kind, Priced
from footprint.fleet.prometheus import Prometheus
from footprint.fleet.site_file import SiteFile
from footprint.fleet.slurm import Accounting, Start
from footprint.fleet.slurm_words import MIXED
from footprint.measurement.limits import limits
from footprint.studies import JobsRow, JobsTable
from footprint.units import S_PER_H
from footprint.values import Assumption, Range, Site
from footprint.version import __version__

__all__ = ["GROUPS", "jobs_table"]

GROUPS: dict[str, Callable[[Start], str]] = {
    "user": lambda start: start.job.user,
    "account": lambda start: start.job.account,
    "project": lambda start: start.job.project or start.job.account,
    "partition": lambda start: start.partition,
    "month": lambda start: "",
}
NOBODY = "(none)"
_WELL = ("finished", "running")
_MOST_TOLD = 6
_MOST_OVER = 0.01
Shown = Callable[[Sequence[Job]], Iterable[Job]]


@dataclass(frozen=True, slots=True)
class Energy:
    """What a start's accelerators drew in a month."""

    held: Held
    kwh: Range
    grades: tuple[tuple[str, float], ...]
    idle_kwh: Range | None  # None: nothing tells


@dataclass(slots=True)
class _Told:
    """What a reader must know: reasons, and the ids that each is true of."""

    left: dict[str, list[str]] = field(default_factory=dict)  # in no row
    noted: dict[str, list[str]] = field(default_factory=dict)  # in a row, with a word

    def note(self, why: str, which: str) -> None:
        self.noted.setdefault(why, []).append(which)


def jobs_table(
    accounting: Accounting,
    started_s: float,
    ended_s: float,
    by: str,
    site: SiteFile,
    catalog: Catalog,
    words: Mapping[str, Any],
    *,
    server: Prometheus | None = None,
    model: str | None = None,
    shown: Shown = tuple,
) -> JobsTable:
    """What the jobs of a site cost between two moments, by group and month.

    Parameters
    ----------
    accounting : the starts; of each only what lies between the moments is counted
    by : one of `GROUPS`
    site : what the site says of itself
    words : of the place, as for a tracked run; they come before the site's
    server : where metrics are; None: energy is by utilization that SLURM keeps, else by hours and rating
    model : the accelerators' name, where nothing else tells it
    shown : is given the jobs whose metrics are asked for and hands them on, for a progress bar

    Raises
    ------
    UnknownName
        For what jobs cannot be grouped by.
    QueryError
        When the server does not answer.
    """
    if by not in GROUPS:
        raise UnknownName("by", by, GROUPS, f"write {', '.join(GROUPS)}")
    told = _Told()
    place = site.under(words)
    base, ledger, site_notes = make_site(site_words(place), (), catalog)
    rows, months = list[JobsRow](), list[JobsRow]()
    jobs: set[tuple[str, str]] = set()
    lines: set[int] = set()
    weights: dict[str, float] = {}
    here = base
    for span in spans(*_extent(accounting.starts, started_s, ended_s), site.zone()):
        groups, here, more = _month(accounting.starts, span, by, site, base, catalog, server, model, shown, told)
        ledger = (*ledger, *more)
        priced = Priced(here, catalog)
        own = [row_of(name, span.month, group, priced) for name, group in groups.items()]
        rows += sorted(own, key=lambda row: (-row.whole.it_energy_kwh.mid, row.group))
        whole = Group()
        for group in groups.values():
            whole.take(group)
        if groups:
            months.append(row_of("", span.month, whole, priced))
        jobs |= whole.jobs
        lines |= whole.starts
        for grade, kwh in whole.grades.items():
            weights[grade] = weights.get(grade, 0.0) + kwh
    return JobsTable(
        name=site.cluster or next((one.cluster for one in accounting.starts if one.cluster), ""),
        by=by,
        started_utc_s=started_s,
        ended_utc_s=ended_s,
        rows=tuple(rows),
        total=total_of(months, len(jobs), len(lines), shares(weights)),
        site=here,
        currency=site.currency,
        currency_usd=site.usd_per_currency,
        billing_unit=site.billing.unit if site.billing is not None else "",
        timezone=site.timezone or "UTC",
        skipped=tuple(_left(told, accounting)),
        notes=tuple(dict.fromkeys((*_notes(told), *accounting.assumed, *site_notes))),
        ledger=tuple(dict.fromkeys(ledger)),
        catalog_digest=catalog.digest(),
        version=__version__,
    )


def _extent(starts: Sequence[Start], started_s: float, ended_s: float) -> tuple[float, float]:
    """Of what is asked for the part in which there are starts."""
    begun = [one.job.started_utc_s for one in starts if one.job.started_utc_s is not None]
    ended = [one.job.ended_utc_s for one in starts if one.job.ended_utc_s is not None]
    return max(started_s, min(begun, default=ended_s)), min(ended_s, max(ended, default=started_s))


# one month


def _month(
    found: Sequence[Start],
    span: Span,
    by: str,
    site: SiteFile,
    base: Site,
    catalog: Catalog,
    server: Prometheus | None,
    model: str | None,
    shown: Shown,
    told: _Told,
) -> tuple[dict[str, Group], Site, tuple[Assumption, ...]]:
    """Sums by group, and the site at the hours in which the month's energy was drawn."""
    groups: dict[str, Group] = {}
    hourly: dict[int, float] = {}
    own, left = held(found, span, site, catalog, model, has_metrics=server is not None)
    for why, which in left.items():
        told.left.setdefault(why, []).extend(which)
    for one in _energies(own, server, catalog, model, shown, told):
        start = one.held.start
        if MIXED in start.accelerator:
            told.note("with accelerators of several types, counted as of one", start.id)
        group = groups.setdefault(GROUPS[by](start) or (span.month if by == "month" else NOBODY), Group())
        with_hosts, kind, hosts = _with_hosts(one, site, catalog, told)
        _add(group, with_hosts, kind, hosts, site)
        _spread(with_hosts, hourly)
    here, ledger = at_its_hours(base, sorted(hourly.items()), catalog)
    return groups, here, ledger


def _energies(
    own: Sequence[Held],
    server: Prometheus | None,
    catalog: Catalog,
    model: str | None,
    shown: Shown,
    told: _Told,
) -> Iterator[Energy]:
    """Measured where the metrics tell, else by what SLURM does."""
    stalled = limits(catalog).stalled_utilization
    if server is None:
        for one in own:
            yield from _by_slurm(one, catalog, stalled, told)
        return
    by_job: dict[tuple[Any, ...], list[Held]] = {}
    for one in own:
        by_job.setdefault(_key(one.job), []).append(one)
    for energy in many_energies([one.job for one in own], server, catalog, model=model, shown=shown):
        one = by_job[_key(energy.job)].pop()
        if energy.it_energy_kwh is None:
            why = next((f" ({note})" for note in energy.notes if one.start.job.id not in note), "")
            told.note(f"without metrics{why}, by SLURM's word or by rating", one.start.id)
            yield from _by_slurm(one, catalog, stalled, told)
        elif one.count and energy.accelerators_held > one.count * (1 + _MOST_OVER):
            told.note("with more devices in the metrics of their hosts than were allocated, by rating", one.start.id)
            yield from _by_slurm(one, catalog, stalled, told)
        else:
            yield _measured(one, energy, catalog, stalled, told)


def _key(job: Job) -> tuple[Any, ...]:
    return job.id, job.started_utc_s, job.ended_utc_s, job.hosts


def _measured(one: Held, found: JobEnergy, catalog: Catalog, stalled: float, told: _Told) -> Energy:
    """What the metrics say; devices that were allocated and are in none, by rating."""
    kwh, idle = found.it_energy_kwh, found.stalled_it_energy_kwh
    assert kwh is not None
    grades = [(found.evidence or "D", kwh.mid)]
    each = one.count / (one.start.accelerators_count or one.count or 1)  # of a device; a part where it is parted
    missing = one.count - max(found.accelerators_held, found.accelerators_count * each)
    missing = missing if missing > _MOST_OVER * one.count else 0.0
    counted = replace(named(one, found.accelerator, catalog), count=found.accelerators_held + missing)
    if missing:
        rest = modelled(replace(counted, count=missing), catalog, stalled)
        told.note("with fewer devices in the metrics than were allocated, the others by rating", one.start.id)
        if rest is not None:
            kwh = total((kwh, rest[1]))
            grades.append((rest[0], rest[1].mid))
    return Energy(counted, kwh, tuple(grades), idle)


def _by_slurm(one: Held, catalog: Catalog, stalled: float, told: _Told) -> Iterator[Energy]:
    found = modelled(one, catalog, stalled)
    if found is None:
        told.left.setdefault("with neither metrics nor accelerators that are named", []).append(one.start.id)
        return
    grade, kwh, idle = found
    yield Energy(one, kwh, ((grade, kwh.mid),), idle)


def _add(group: Group, one: Energy, kind: Kind, hosts: Range | None, site: SiteFile) -> None:
    """Into the parts of a group: what ended early whole, of the rest what was held idle apart."""
    start, seconds = one.held.start, one.held.count * one.held.duration_s
    group.jobs.add((start.cluster, start.id))
    group.starts.add(start.line)
    group.bill.take(bill(one.held, site))
    for grade, kwh in one.grades:
        group.grades[grade] = group.grades.get(grade, 0.0) + kwh
    if start.job.status not in _WELL:
        part = group.part(start.state.split()[0].rstrip("+").upper() if start.state else "UNKNOWN")
        part.start_count += 1
        part.add(kind, seconds, one.kwh, hosts)
        return
    idle = one.idle_kwh
    share = min(idle.mid / one.kwh.mid, 1.0) if idle is not None and one.kwh.mid else 0.0
    useful = group.part(USEFUL)
    useful.start_count += 1
    useful.add(kind, seconds, scaled(one.kwh, 1 - share), hosts)
    group.knows_idle |= idle is not None
    if idle is not None and share:
        apart = group.part(IDLE)
        apart.start_count += 1
        apart.add(kind, 0.0, idle)


def _with_hosts(one: Energy, site: SiteFile, catalog: Catalog, told: _Told) -> tuple[Energy, Kind, Range | None]:
    """How the hosts' energy is known, and what a meter says of it; the accelerators' too where none of theirs is."""
    at = one.held
    found = beside(at, one.kwh, [grade for grade, _ in one.grades], site, catalog)
    if found.unused:
        told.note(f"whose ConsumedEnergyRaw is {found.unused} and not used", at.start.id)
    kind = Kind(at.device, at.per_node, found.how, found.host_w)
    kwh = found.accelerators_it_energy_kwh
    if kwh is None:
        return one, kind, found.it_energy_kwh
    idle = None if one.idle_kwh is None else scaled(one.idle_kwh, kwh.mid / one.kwh.mid)
    within = replace(one, kwh=kwh, grades=((NODE_GRADE, kwh.mid),), idle_kwh=idle)
    return within, kind, found.it_energy_kwh


def _spread(one: Energy, hourly: dict[int, float]) -> None:
    """Evenly over the hours of the start's time."""
    begun_s, ended_s = one.held.job.started_utc_s or 0.0, one.held.job.ended_utc_s or 0.0
    each = one.kwh.mid / (ended_s - begun_s)
    hour = begun_s - begun_s % S_PER_H
    while hour < ended_s:
        inside_s = min(hour + S_PER_H, ended_s) - max(hour, begun_s)
        hourly[int(hour)] = hourly.get(int(hour), 0.0) + each * inside_s
        hour += S_PER_H


def _notes(told: _Told) -> Iterator[str]:
    for why, which in told.noted.items():
        yield f"{starts(len(which))} {why}: {ids(which, _MOST_TOLD)}"


def _left(told: _Told, accounting: Accounting) -> Iterator[tuple[str, str]]:
    """What is in no row, and why: starts, jobs that held nothing, lines."""
    for why, which in told.left.items():
        yield f"{starts(len(which))}: {ids(which, _MOST_TOLD)}", why
    count, first = accounting.unwanted_count, accounting.unwanted_ids
    if count:
        more = f" and {count - len(first):,} more" if count > len(first) else ""
        yield f"{starts(count)}: {', '.join(first)}{more}", NONE
    for why, count in accounting.idle_counts.items():
        which = [one.id for one in accounting.idle if one.why == why]
        more = f" and {count - _MOST_TOLD:,} more" if count > _MOST_TOLD else ""
        yield f"{count:,} job{'' if count == 1 else 's'}: {', '.join(which[:_MOST_TOLD])}{more}", why
    yield from ((f"line {one.line}", one.reason) for one in accounting.skipped)


def starts(count: int) -> str:
    """'1 start', '3 starts'."""
    return f"{count:,} start{'' if count == 1 else 's'}"
