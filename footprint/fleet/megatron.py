"""Runs by the lines that they printed: Megatron-LM with --log-energy, its kin, nanotron and torchtitan.

Megatron-LM states, for each accelerator and iteration, the joules that the driver's counters moved on all ranks. It
stops that watch while it evaluates or saves, as it stops the clock of its iterations: what lies between two lines
beyond their iterations is such a pause, and is filled in. Lines without energy tell hours and work, and energy follows
from the hours.

it_energy = sum(joules x iterations) x accelerators + watts of a pause x its seconds x accelerators
"""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TextIO

from footprint.catalog import Catalog
from footprint.errors import DataError, InputError
from footprint.fleet.devices import Device
from footprint.fleet.families import Family
from footprint.fleet.gathering import Interval
from footprint.fleet.imported import Asked, Imported, Record, assessed, digest
from footprint.fleet.iterations import LONGEST_LINE, Facts, Iteration, facts_of, iteration_of, lines_of
from footprint.fleet.meters import accelerator_of, meter_of
from footprint.fleet.modelled import allocated
from footprint.units import J_PER_KWH, S_PER_MINUTE
from footprint.values import Meter, MeterUsage, Progress, Range, Run

__all__ = ["EXPECTED", "MOST_DEVICES", "read", "short_lines", "spread"]

EXPECTED = (
    "a log with lines of Megatron-LM ('iteration 10/ 500 | ... | elapsed time per iteration (ms): 512.0 | energy per "
    "GPU (J/iter/GPU): 301.2 |'), nanotron or torchtitan"
)
MOST_DEVICES = 1_000_000
_MOST_TOLD_APART = 1024
"""Devices; of more, those of a host are one line: they are known together anyway."""
_LONGEST_PAUSE_S = 30 * S_PER_MINUTE
"""Between two lines, for evaluation and checkpoints: after a longer one the training had been started anew."""
_MOST_STEPS = 100
"""Kinds of distances between lines that are counted, to find the usual one."""
_COPY_S = S_PER_MINUTE
"""Within it the same iteration again is another rank's line."""
_TOOL = "megatron"
_DEFAULT_A_HOST = 8
_CLOCK_S = 1.0
"""Lines tell whole seconds, on some versions: shorter pauses cannot be told from the clock."""


@dataclass(slots=True)
class _Start:
    """What one start of the training printed; per accelerator."""

    first: Iteration
    before: int | None  # the iteration that the start before it had reached
    loaded: int | None  # the iteration of its checkpoint
    world_size: int | None
    begun_s: float | None
    last_s: float | None
    iterations_count: int = 0
    busy_s: float = 0.0
    energy_s: float = 0.0  # of which the energy is known
    energy_j: float = 0.0
    flop: float = 0.0
    tokens: float = 0.0
    pauses: list[float] = field(default_factory=list)

    @property
    def paused_s(self) -> float:
        """Beside its iterations, between two lines."""
        return sum(self.pauses)


@dataclass(slots=True)
class _Log:
    """What a log adds up to, line by line."""

    facts: Facts = field(default_factory=Facts)
    starts: list[_Start] = field(default_factory=list)
    first: str = ""
    redone_count: int = 0
    steps: Counter[int] = field(default_factory=Counter)
    is_titan: bool = False
    _known_starts: int = 0
    _before: Iteration | None = None
    _recent: dict[int, float] = field(default_factory=dict)

    def take(self, line: str) -> None:
        """The next line."""
        one = iteration_of(line)
        if one is None:
            facts_of(line, self.facts)
            return
        if self._is_copy(one):
            return
        self.first = self.first or line.strip()
        self.is_titan = self.is_titan or one.elapsed_s is None
        before = self._before
        is_marked = self.facts.starts_count > self._known_starts
        self._known_starts = self.facts.starts_count
        if before is None or is_marked or one.number < before.number or _again(before, one):
            loaded, self.facts.loaded = self.facts.loaded, None
            self._begin(one, before, loaded)
        elif one.number == before.number:
            return
        elif _paused_s(before, one) > _LONGEST_PAUSE_S:
            self._begin(one, before, before.number)
        else:
            self._go_on(before, one)
        self._before = one

    def _is_copy(self, one: Iteration) -> bool:
        """Whether another rank told this before, perhaps some lines ago."""
        told_s = self._recent.get(one.number)
        if one.at_s is None or (told_s is not None and abs(one.at_s - told_s) <= _COPY_S):
            return one.at_s is not None
        self._recent[one.number] = one.at_s
        if len(self._recent) > _MOST_STEPS:
            del self._recent[next(iter(self._recent))]
        return False

    def _begin(self, one: Iteration, before: Iteration | None, loaded: int | None) -> None:
        self.starts.append(
            _Start(one, None if before is None else before.number, loaded, self.facts.world_size, one.at_s, one.at_s)
        )

    def _go_on(self, before: Iteration, one: Iteration) -> None:
        start, count = self.starts[-1], one.number - before.number
        if len(self.steps) < _MOST_STEPS or count in self.steps:
            self.steps[count] += 1
        between_s = None if one.at_s is None or before.at_s is None else one.at_s - before.at_s
        busy_s = one.elapsed_s * count if one.elapsed_s is not None else max(between_s or 0.0, 0.0)
        paused_s = _paused_s(before, one)
        if paused_s > _CLOCK_S:
            start.pauses.append(paused_s)
        self._add(start, one, count, busy_s)
        start.last_s = one.at_s if one.at_s is not None else start.last_s

    def close(self) -> None:
        """After the last line: what each start's first line tells of."""
        usual = self.steps.most_common(1)[0][0] if self.steps else 1
        for start in self.starts:
            one, count = start.first, 1
            if start.loaded is not None and start.loaded < one.number:
                count = one.number - start.loaded
            elif one.number % usual == 0:
                count = usual
            if start.before is not None:
                self.redone_count += max(start.before - (one.number - count), 0)
            if one.elapsed_s is not None:
                self._add(start, one, count, one.elapsed_s * count)
                start.begun_s = None if start.begun_s is None else start.begun_s - one.elapsed_s * count

    def _add(self, start: _Start, one: Iteration, count: int, busy_s: float) -> None:
        start.iterations_count += count
        start.busy_s += busy_s
        if one.energy_j is not None:
            start.energy_j += one.energy_j * count
            start.energy_s += busy_s
        start.flop += (one.flop_per_s or 0.0) * busy_s
        if one.tokens_per_s is not None:
            start.tokens += one.tokens_per_s * busy_s
        elif one.batch_samples is not None and self.facts.seq_len is not None:
            start.tokens += one.batch_samples * count * self.facts.seq_len


def _paused_s(before: Iteration, one: Iteration) -> float:
    """Seconds between two lines beyond the iterations between them; 0 where nobody can tell."""
    if one.at_s is None or before.at_s is None or one.elapsed_s is None:
        return 0.0
    return one.at_s - before.at_s - one.elapsed_s * (one.number - before.number)


def _again(before: Iteration, one: Iteration) -> bool:
    """Whether the same iteration was done once more, rather than told by another rank."""
    if one.number != before.number or one.at_s is None or before.at_s is None:
        return False
    return one.at_s - before.at_s > _COPY_S


def read(path: Path, asked: Asked, catalog: Catalog) -> Imported:
    """The run of a log, restarts and all.

    Raises
    ------
    DataError
        When no line of it tells an iteration; its message names what was expected.
    InputError
        When neither it nor the user says how many accelerators there were, or which.
    """
    log = _Log()
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in lines_of(short_lines(file)):
                log.take(line)
        log.close()
        modified_s = path.stat().st_mtime
    except OSError as error:
        raise DataError(path, None, None, f"cannot be read ({error.strerror or error}); expected {EXPECTED}") from error
    if not log.starts:
        raise DataError(path, None, None, f"has no line of an iteration; expected {EXPECTED}")
    return Imported(path, (_run(log, path, modified_s, asked, catalog),))


def short_lines(file: TextIO) -> Iterator[str]:
    """Lines, those of progress bars without an end in pieces."""
    while line := file.readline(LONGEST_LINE):
        yield line


def _run(log: _Log, path: Path, modified_s: float, asked: Asked, catalog: Catalog) -> Run:
    sizes = sorted({one.world_size for one in log.starts if one.world_size})
    if len(sizes) > 1 and not asked.count:
        bound = f"is not the same at all starts in {path.name}: {', '.join(str(size) for size in sizes)}"
        raise InputError("count", None, bound, "split the log at its starts, or give --count")
    count = asked.count or log.facts.world_size
    if not count:
        raise InputError("count", None, f"is missing: {path.name} does not tell the world size", "give --count 64")
    if count > MOST_DEVICES:
        raise InputError("count", count, f"must be at most {MOST_DEVICES}", "count accelerators")
    model = asked.model or log.facts.model
    spans, has_times = _spans(log, modified_s, asked)
    record = Record(_TOOL, digest(log.first, count), path.name, name=path.stem, model=model)
    energy_s = sum(one.energy_s for one in log.starts)
    flop = sum(one.flop for one in log.starts) * count
    tokens = sum(one.tokens for one in log.starts) * (count if log.is_titan else 1)
    steps = sum(one.iterations_count for one in log.starts)
    record.progress = Progress(steps_count=steps, tokens=tokens, training_flop=flop or None)
    record.notes += _told(log, has_times, energy_s)
    if energy_s:
        meters = tuple(_metered(log, spans, count, model or "GPU", has_times, catalog))
    else:
        if not model:
            raise InputError("accelerator", None, "is missing: the log states no energy", "give --accelerator h100-sxm")
        duration_s = sum(span.duration_s for span in spans)
        meters = tuple(spread(count, model, Interval(0.0, duration_s), catalog))
        record.notes.append("no energy in the log: hours by its clock, energy by the rating; Megatron: --log-energy")
    return assessed(record, spans, meters, asked, catalog)


def spread(count: int, model: str, interval: Interval, catalog: Catalog) -> Iterator[MeterUsage]:
    """Accelerators of which nothing is known but their hours, on hosts as full as such hosts are."""
    hosts = dict(_hosts(count, model, catalog))
    if count <= _MOST_TOLD_APART:
        yield from allocated(list(hosts), hosts.__getitem__, model, interval, catalog)
        return
    for one in allocated(list(hosts), lambda _: 1, model, interval, catalog):
        yield _alike(one, hosts[one.host])


def _alike(one: MeterUsage, count: int) -> MeterUsage:
    """So many devices of a host that are known together, as one."""
    meter = replace(one.meter, id=f"gpu-0-{count - 1}", share=float(count))
    energy = one.it_energy_kwh
    whole = Range(energy.low * count, energy.mid * count, energy.high * count)
    return replace(one, meter=meter, it_energy_kwh=whole, mean_w=(one.mean_w or 0.0) * count)


def _hosts(count: int, model: str, catalog: Catalog) -> Iterator[tuple[str, int]]:
    """Hosts and how many of the accelerators are on each."""
    known = accelerator_of(model, catalog)
    a_host = known.per_node if known is not None and known.per_node else _DEFAULT_A_HOST
    for first in range(0, count, a_host):
        yield ("" if count <= a_host else f"host-{first // a_host}"), min(a_host, count - first)


def _spans(log: _Log, modified_s: float, asked: Asked) -> tuple[list[Interval], bool]:
    """When each start ran: by its lines; where they tell no time, one after another up to when the file was written."""
    spans: list[Interval] = []
    for one in log.starts:
        if one.begun_s is not None and one.last_s is not None and one.last_s > one.begun_s:
            spans.append(Interval(one.begun_s, one.begun_s + one.busy_s + one.paused_s))
    if len(spans) == len(log.starts):
        return spans, True
    busy_s = sum(one.busy_s for one in log.starts)
    if not busy_s:
        raise InputError("log", None, "has one line of a step alone, and no time", "import it when there are more")
    begun_s = modified_s - busy_s if asked.started_utc_s is None else asked.started_utc_s
    return [Interval(begun_s, begun_s + busy_s)], False


def _metered(
    log: _Log, spans: list[Interval], count: int, model: str, has_times: bool, catalog: Catalog
) -> Iterator[MeterUsage]:
    """The same of each accelerator: the log tells their mean."""
    duration_s = sum(span.duration_s for span in spans)
    energy_s, counted_j = sum(one.energy_s for one in log.starts), sum(one.energy_j for one in log.starts)
    silent_s, mean_w = max(duration_s - energy_s, 0.0), counted_j / energy_s
    known = accelerator_of(model, catalog)
    family = Family("megatron-lm", "", "", "", "energy per GPU (J/iter/GPU)", 1.0)
    for host, held in _hosts(count, model, catalog):
        is_many = count > _MOST_TOLD_APART and known is not None
        for place in range(1 if is_many else held):
            # without times nobody can say how long it paused: then it is no counter that saw all
            meter = meter_of(Device(f"gpu-{place}", family, host, str(place), model), True, "", catalog)
            meter = replace(meter, sensor=_TOOL, has_counter=has_times)
            usage = MeterUsage(
                host=host,
                meter=meter,
                it_energy_kwh=_filled(counted_j, silent_s, mean_w, meter),
                duration_s=duration_s,
                coverage_share=min(energy_s / duration_s, 1.0),
                mean_w=(counted_j + mean_w * silent_s) / duration_s,
            )
            yield _alike(usage, held) if is_many else usage


def _filled(counted_j: float, silent_s: float, mean_w: float, meter: Meter) -> Range:
    """Joules counted, and those of pauses: at the mean power, from idle to the limit."""
    band = meter.true_over_read_ratio
    low_w, high_w = min(meter.idle_w or 0.0, mean_w), max(meter.max_w or mean_w, mean_w)
    return Range(
        (counted_j + low_w * silent_s) * band.low / J_PER_KWH,
        (counted_j + mean_w * silent_s) * band.mid / J_PER_KWH,
        (counted_j + high_w * silent_s) * band.high / J_PER_KWH,
    )


def _told(log: _Log, has_times: bool, energy_s: float) -> Iterator[str]:
    pauses = list(itertools.chain.from_iterable(one.pauses for one in log.starts))
    if has_times:
        yield "its times name no zone: they are read as this machine's"
    else:
        yield "it tells no times: pauses for evaluation, checkpoints and restarts are not in it; its end is the file's"
    if pauses and not log.is_titan:
        busy_s = sum(one.busy_s for one in log.starts)
        share = sum(pauses) / (sum(pauses) + busy_s)
        usual_s = statistics.median(pauses)
        yield (
            f"{len(pauses)} pauses beside its iterations (evaluation, checkpoints), {share:.1%} of the time, usually "
            f"{usual_s:.3g} s: their energy is filled in at the mean power, from idle to the limit"
        )
    if len(log.starts) > 1:
        yield (
            f"{len(log.starts)} starts in one log, {log.redone_count} iterations done again; what lay between them is "
            "not counted"
        )
    if energy_s:
        yield (
            "Megatron asks the driver for the accelerator by its logical number: under CUDA_VISIBLE_DEVICES it may "
            "have read another one's counter"
        )
    if log.is_titan:
        yield "torchtitan's steps tell no time of their own: evaluation and checkpoints count as work"
