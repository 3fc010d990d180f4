"""How a measured run is worded: who, where and when, what it rests on, and what to know of it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime

from footprint import evidence
from footprint.report.wording import hardware, place, plain, show_range
from footprint.units import H_PER_DAY, S_PER_H, S_PER_MINUTE
from footprint.values import MeterUsage, Progress, Range, Run

KINDS = {"measured": "measured", "modelled": "modelled", "default": "assumed"}
"""What a component's energy rests on, by its meter's origin."""

ASSUMED = KINDS["default"]
_MOST_HOSTS = 3
_MOST_DEVICES = 5
_UUID = re.compile(r"^((?:GPU|MIG)-[0-9a-fA-F]{8})-[0-9a-fA-F-]{27}$")
_TENTH = 0.1
_LEAST_PART = _TENTH**2
_AUDIT_S = S_PER_H
"""Readings of power are rare and tell of a moment: over less time they differ from a counter that is right."""


def utc(seconds: float) -> str:
    """'2026-11-03T08:00:00Z'; the bare number where no calendar has it."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{seconds:g} s"


def duration(seconds: float) -> str:
    """'4.5 s', '12 min', '3 h 05 min', '2 d 4 h'."""
    if seconds < S_PER_MINUTE:
        return f"{seconds:.2g} s"
    hours, minutes = divmod(int(seconds // S_PER_MINUTE), int(S_PER_H // S_PER_MINUTE))
    days, rest = divmod(hours, int(H_PER_DAY))
    if days:
        return f"{days} d {rest} h"
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def title(run: Run) -> str:
    """Name and status."""
    return f"{plain(run.name or run.id)} · {plain(run.status)}"


def subtitle(run: Run) -> list[str]:
    """What it ran on and where; when and which run it is; how well its energy is known, where it was graded."""
    hosts = ", ".join(plain(host) for host in run.hosts[:_MOST_HOSTS])
    if len(run.hosts) > _MOST_HOSTS:
        hosts += f" and {len(run.hosts) - _MOST_HOSTS} hosts more"
    on = " on ".join(words for words in (hardware(run.footprint), hosts) if words)
    about = [f"{utc(run.started_utc_s)} to {utc(run.ended_utc_s)}"]
    about += [f"project {plain(run.project)}"] if run.project else []
    about += ["tags " + ", ".join(plain(tag) for tag in run.tags)] if run.tags else []
    known = plain(evidence.told(run))
    where = f"{on} · {place(run.footprint)}" if on else place(run.footprint)
    return [where, " · ".join(about), *([known[0].upper() + known[1:]] if known else [])]


def tokens_of(run: Run) -> float:
    """Tokens trained on, 0 where nobody told."""
    return run.progress.tokens or (run.usage.tokens.mid if run.usage.tokens else 0.0)


def done_share(progress: Progress) -> float | None:
    """Of the first of steps, tokens and epochs whose total is known."""
    for done, total in (
        (progress.steps_count, progress.total_steps_count),
        (progress.tokens, progress.total_tokens),
        (progress.epochs_count, progress.total_epochs_count),
    ):
        if total:
            return min(1.0, done / total)
    return None


def lasted(run: Run) -> Range:
    return Range.exactly(max(0.0, run.ended_utc_s - run.started_utc_s) / S_PER_H)


def by_hours(run: Run, most: int) -> tuple[int, list[float]]:
    """IT energy, kWh, of every hour from the first on; of every so many hours where there are more than `most`."""
    hours = dict(run.hourly_it_energy_kwh)
    if not hours:
        return 1, []
    first, hour_s = min(hours), int(S_PER_H)
    count = (max(hours) - first) // hour_s + 1
    each = -(-count // most)
    starts = range(first, first + count * hour_s, each * hour_s)
    return each, [math.fsum(hours.get(start + i * hour_s, 0.0) for i in range(each)) for start in starts]


def is_by_accelerators(run: Run) -> bool:
    """Whether the hours hold the accelerators' energy alone, where a past job's metrics told no more."""
    hours = math.fsum(kwh for _, kwh in run.hourly_it_energy_kwh)
    own = math.fsum(one.it_energy_kwh.mid for one in run.meters if one.meter.component == "accelerator")
    rest = math.fsum(one.it_energy_kwh.mid for one in run.meters) - own
    return rest > 0 and abs(hours - own) < min(_LEAST_PART * own, rest / 2)


def measured_share(run: Run) -> float | None:
    """Of the IT energy, what sensors read without a gap; the rest is modelled or assumed."""
    if run.usage.coverage_share is not None:
        return run.usage.coverage_share
    whole = math.fsum(one.it_energy_kwh.mid for one in run.meters)
    read = (one.it_energy_kwh.mid * one.coverage_share for one in run.meters if kind_of(one) == KINDS["measured"])
    return math.fsum(read) / whole if whole else None


def card(run: Run) -> str:
    """What a model card would state of it."""
    found = run.footprint.model_card
    fields = ("facility_energy_kwh", "operational_location_kgco2e")
    told = ", ".join(show_range(field, getattr(found, field), bounds=False) for field in fields)
    return f"As model cards state it (TDP x hours x PUE): {told}"


def remarks(run: Run, most_gaps: int | None = None) -> list[str]:
    """Gaps, resets, the counters' audit, what other runs count, and the run's own notes."""
    meters = tuple(f"{one.meter.id} on {one.host}" for one in run.meters)
    notes = [plain(note) for note in dict.fromkeys(run.notes) if not note.startswith(meters)]  # told better here
    return [*_gaps(run, most_gaps), *_resets(run), *_audit(run), *_elsewhere(run), *notes]


def _gaps(run: Run, most: int | None) -> Iterator[str]:
    gaps = [(one, gap) for one in run.meters for gap in one.gaps]
    for one, gap in gaps[:most]:
        lasted = duration(gap.ended_utc_s - gap.started_utc_s)
        yield f"gap: {whose(one)} for {lasted} from {utc(gap.started_utc_s)}: {plain(gap.reason)}"
    if most is not None and len(gaps) > most:
        yield f"and {len(gaps) - most} gaps more: --format json has them"


def _resets(run: Run) -> Iterator[str]:
    for one in run.meters:
        if one.resets_count:
            times = "once" if one.resets_count == 1 else f"{one.resets_count} times"
            yield f"reset: the counter of {whose(one)} began anew {times}; integrated power stands in for what it lost"


def _audit(run: Run) -> Iterator[str]:
    audited = [(m.counter_over_power_ratio, m) for m in run.meters if m.duration_s >= _AUDIT_S]
    ratios = [(ratio, m) for ratio, m in audited if ratio is not None]
    if not ratios:
        return
    low, high = min(r for r, _ in ratios), max(r for r, _ in ratios)
    span = f"{low:.3f}" if f"{low:.3f}" == f"{high:.3f}" else f"{low:.3f} to {high:.3f}"
    yield f"audit: counted over integrated energy is {span} on {len(ratios)} meter{'s' if len(ratios) > 1 else ''}"


def _elsewhere(run: Run) -> Iterator[str]:
    others: dict[str, list[MeterUsage]] = {}
    for one in run.meters:
        if one.meter.counted_in:
            others.setdefault(one.meter.counted_in, []).append(one)
    for other, same in others.items():
        names = ", ".join(short_id(one.meter.id) for one in same[:_MOST_DEVICES]) + (
            ", ..." if len(same) > _MOST_DEVICES else ""
        )
        yield f"counted by run {plain(other)} already, so in no total twice: {names}"


def label(text: str) -> str:
    """A name for machines: one line that begins with what counts, so that a formula is seen and quoted."""
    return plain(text).strip()


def whose(one: MeterUsage) -> str:
    """A meter with its host."""
    return f"{plain(one.host)} {short_id(one.meter.id)}"


def short(name: str) -> str:
    """A device's name without its maker's."""
    return plain(name).removeprefix("NVIDIA ")


def short_id(meter: str) -> str:
    """'GPU-5f2c4e1a' of a whole UUID; other names stay."""
    match = _UUID.match(meter)
    return match[1] if match else plain(meter)


def kind_of(one: MeterUsage) -> str:
    """Measured, modelled or assumed."""
    return KINDS.get(one.meter.origin, ASSUMED)


def percent(share: float) -> str:
    """'84%', '0.4%'."""
    return f"{share:.0%}" if share == 0 or abs(share) >= _TENTH else f"{share:.1%}"
