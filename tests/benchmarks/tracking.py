"""The live tracker beside its peers, over GPUs whose true energy is known: `python tests/benchmarks/tracking.py`.

footprint, codecarbon and zeus watch the same emulated GPUs at the same time, each in processes of its own
(`tracking_lab.py` says how they are held against the truth). What they cost is measured afterwards, when nothing else
of this runs, beside a plain loop of Python; limits in seconds hold for a machine that does nothing
else, and stretch by how slow this one is at the moment.

A peer that is not installed beside footprint is looked for in the interpreter that FOOTPRINT_PEERS_PYTHON names:

    python -m venv /tmp/peers && /tmp/peers/bin/pip install zeus codecarbon
    FOOTPRINT_PEERS_PYTHON=/tmp/peers/bin/python python tests/benchmarks/tracking.py
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from statistics import median

import compare
import tracking_lab as lab_of
from tracking_lab import COUNTERS, FAULTS, MEAN, OURS, SAMPLED, Error, Lab, picked, worst

PEERS = ("codecarbon", "zeus")
YARDSTICK = "yardstick"

LONG_S, MIDDLE_S = 60.0, 10.0
SHORT_S = (3.0, 1.0, 0.3)
LENGTHS_S = (MIDDLE_S, *SHORT_S, *SHORT_S, MIDDLE_S, *SHORT_S, *SHORT_S, *SHORT_S, MIDDLE_S)
"""Windows one after another, beside the long one."""

BRIEF_S = 30.0
BRIEF_LENGTHS_S = (MIDDLE_S, *SHORT_S, *SHORT_S, MIDDLE_S)
"""The same in half the time, held to the same limits."""

MS_PER_S, S_PER_MINUTE, PERCENT = 1000.0, 60.0, 100.0
STARTS_S = (0.35,) * 4

QUIET_BARE_MS = 17.0
"""What a bare interpreter takes to start on a machine of two cores that does nothing else."""

COUNTER_SHARE, COUNTER_MIDDLE_SHARE, POWER_SHARE, FAULT_SHARE = 0.002, 0.01, 0.015, 0.01
START_AND_STOP_MS, CPU_S, MEMORY_MB, IMPORT_MS = 60.0, 0.02, 40.0, 40.0
"""The limits: shares of the truth; CPU seconds a minute; what comes on top of a bare interpreter."""

YARDSTICKS = 0.95
"""CPU where the machine is too slow for seconds to mean anything: caches are cold at each reading, of all alike.
Measured are 0.78 to 0.84 times the yardstick; what is beyond is for minutes in which ours had worse luck."""


@dataclass
class Starts:
    """Milliseconds: the tool's imports, its first start and stop, a later one."""

    import_ms: float
    first_ms: float
    again_ms: float
    slowness: float  # of the machine meanwhile


@dataclass
class Seen:
    """What was seen of one tool."""

    errors: list[Error] = field(default_factory=list)
    faults: dict[int, float | None] = field(default_factory=dict)
    fault_error: str = ""  # what it raised
    fault_notes: tuple[str, ...] = ()
    times: dict[bool, float] = field(default_factory=dict)  # each rank sees one GPU -> how often they are counted
    starts: Starts | None = None
    cpu_s: tuple[float, ...] = ()  # a minute, by each ten seconds of one
    memory_mb: float = 0.0


def watch(
    lab: Lab,
    tools: Sequence[str],
    seconds: float = LONG_S,
    lengths_s: Sequence[float] = LENGTHS_S,
    *,
    with_cost: bool = False,
) -> dict[str, Seen]:
    """Accuracy, faults and ranks of all tools, at once; what they cost too, where there is no time to do it apart."""
    mixed, faulty, ranks = lab_of.mixed_host(lab), lab_of.faulty_host(lab), lab_of.ranks_host(lab)
    seen = {tool: Seen() for tool in tools}
    running = {
        tool: (
            lab.launch(mixed, tool, seconds, NARROW="1"),
            lab.launch(mixed, tool, *lengths_s, NARROW="1"),
            lab.launch(faulty, tool, seconds, NARROW="1"),
        )
        for tool in tools
    }
    costing = launch_cost(lab, tools, seconds) if with_cost else {}
    while not all(faults.has_started() for _, _, faults in running.values()):
        time.sleep(0.05)
    moments_s = lab_of.break_things(faulty, time.monotonic(), seconds)
    for tool in tools:
        for apart in (False, True):
            own = lab_of.launch_ranks(lab, ranks, tool, MIDDLE_S, apart=apart)
            seen[tool].times[apart] = lab_of.times_counted(ranks, tool, own, apart=apart)
    for tool, (long, short, faults) in running.items():
        seen[tool].errors = lab_of.errors_of(mixed, (*long.found()["windows"], *short.found()["windows"]))
        (window,) = faults.found()["windows"]
        seen[tool].faults = lab_of.fault_errors(faulty, moments_s, window)
        seen[tool].fault_error = window["joules"].get("error", "")
        seen[tool].fault_notes = tuple(window["joules"].get("notes", ()))
    if with_cost:
        collect_cost(costing, seen)
    return seen


def launch_cost(lab: Lab, tools: Sequence[str], seconds: float = LONG_S) -> dict[str, lab_of.Running]:
    """Each tool, and the yardstick, beside a training that does nothing."""
    return {
        tool: lab.launch(lab_of.quiet_host(lab, f"cost-{tool}"), tool, "cost", seconds) for tool in (*tools, YARDSTICK)
    }


def collect_cost(costing: Mapping[str, lab_of.Running], seen: dict[str, Seen]) -> None:
    """CPU seconds a minute, and memory over a bare interpreter."""
    for tool, child in costing.items():
        found = child.found()
        own = seen.setdefault(tool, Seen())
        own.cpu_s = tuple(spent_s * S_PER_MINUTE / found["window_s"] for spent_s in found["cpu_s"])
        own.memory_mb = found["resident_mb"] - found["bare_mb"]


def slowness() -> float:
    """How many times slower than quiet the machine is at this moment, by a bare interpreter; at least once."""
    return max(compare.starts_ms({}, rounds=3)[compare.BARE] / QUIET_BARE_MS, 1.0)


def starts(lab: Lab, tool: str) -> Starts:
    """In a fresh process: import, then start and stop four times."""
    host = lab_of.quiet_host(lab, f"starts-{time.monotonic_ns()}")
    before = slowness()
    found = lab.launch(host, tool, *STARTS_S).found()
    took = [(window["start_s"] + window["stop_s"]) * MS_PER_S for window in found["windows"]]
    return Starts(found["import_s"] * MS_PER_S, took[0], min(took[1:]), max(before, slowness()))


def least(rounds: Sequence[Starts]) -> Starts:
    """Of each figure; noise only adds."""
    return Starts(*(min(getattr(one, name.name) for one in rounds) for name in fields(Starts)))


def times_the_yardstick(seen: Mapping[str, Seen], tool: str) -> float:
    """CPU of a tool over that of a plain loop, in the same minute: whatever else the machine does."""
    return median(seen[tool].cpu_s) / median(seen[YARDSTICK].cpu_s)


# ------------------------------------------------------------------------------------------------------ the table


def percent(share: float | None) -> str:
    """For a reader."""
    return "-" if share is None else f"{abs(share) * PERCENT:.{3 if abs(share) < COUNTER_MIDDLE_SHARE else 1}f} %"


def accuracy(errors: Sequence[Error]) -> str:
    """The worst of them; how many are in the band, where one is stated."""
    if not errors:
        return "not measured"
    inside = [one.is_inside for one in errors if one.is_inside is not None]
    told = f"{sum(inside)} of {len(inside)} in band" if inside else "no band"
    return f"{percent(worst(errors))}, {told}"


def rows(seen: Mapping[str, Seen]) -> list[list[str]]:
    """What is held, to which limit, and what each tool does."""
    tools = [tool for tool in seen if tool != YARDSTICK]
    yardstick_s = median(seen[YARDSTICK].cpu_s)
    table = [["worst of all GPUs and windows", "limit", *tools]]

    def row(name: str, limit: str, tell: Callable[[Seen], str]) -> None:
        table.append([name, limit, *(tell(seen[tool]) for tool in tools)])

    def accurate(name: str, limit: str, kinds: Sequence[str], seconds: float, beats: bool | None = None) -> None:
        row(name, limit, lambda own: accuracy(picked(own.errors, kinds, seconds, beats)))

    accurate("counter of 20 to 100 ms, 60 s", percent(COUNTER_SHARE), COUNTERS, LONG_S)
    accurate("  10 s", percent(COUNTER_MIDDLE_SHARE), COUNTERS, MIDDLE_S)
    for seconds in SHORT_S:
        accurate(f"  {seconds:g} s", "in band", COUNTERS, seconds)
    accurate("no counter, power of 1 s, 60 s", percent(POWER_SHARE), (MEAN,), LONG_S)
    for seconds in (MIDDLE_S, *SHORT_S):
        accurate(f"  {seconds:g} s", "in band", (MEAN,), seconds)
    accurate("no counter, 25 of 100 ms, 60 s", percent(POWER_SHARE), (SAMPLED,), LONG_S, beats=False)
    accurate("  waves that beat with 100 ms", "in band", (SAMPLED,), LONG_S, beats=True)
    for seconds in (MIDDLE_S, *SHORT_S):
        accurate(f"  {seconds:g} s, all waves", "in band", (SAMPLED,), seconds)
    for gpu, name in FAULTS.items():
        row(
            name,
            percent(FAULT_SHARE),
            lambda own, gpu=gpu: "raises" if own.fault_error else percent(own.faults.get(gpu)),
        )
    row("8 ranks, each sees 8 GPUs", "1.00 times", lambda own: f"{own.times[False]:.3f} times")
    row("8 ranks, each sees its own", "1.00 times", lambda own: f"{own.times[True]:.3f} times")
    row("start and stop, first", f"{START_AND_STOP_MS:.0f} ms", lambda own: f"{own.starts.first_ms:.1f} ms")
    row("  again in the process", f"{START_AND_STOP_MS:.0f} ms", lambda own: f"{own.starts.again_ms:.1f} ms")
    row("  its imports before", "", lambda own: f"{own.starts.import_ms:.0f} ms")
    row("CPU beside 8 GPUs, a minute", f"{CPU_S} s", lambda own: f"{median(own.cpu_s):.4f} s")
    limit = f"{YARDSTICKS:g} times"
    row("  over a plain loop of Python", limit, lambda own: f"{median(own.cpu_s) / yardstick_s:.2f} times")
    row("memory over bare Python", f"{MEMORY_MB:.0f} MB", lambda own: f"{own.memory_mb:.1f} MB")
    return table


def main() -> int:
    """Watch everything, and print one table."""
    if not lab_of.has_compiler():
        print("the emulator needs a C compiler (cc, gcc or clang), and there is none")
        return 1
    pythons = {tool: compare.python_with(tool) for tool in PEERS}
    with tempfile.TemporaryDirectory() as name:
        found = {tool: python for tool, python in pythons.items() if python is not None}
        lab = Lab.made(Path(name), found)
        tools = [OURS, *found]
        seen = watch(lab, tools)
        collect_cost(launch_cost(lab, tools), seen)
        for tool in tools:
            seen[tool].starts = least([starts(lab, tool) for _ in range(3)])
        own = compare.starts_ms({"import": ["-c", "import footprint"]})
    print(compare.table(rows(seen)) + "\n")
    print(f"import footprint: {own['import']:.1f} ms over a bare interpreter, limit {IMPORT_MS:.0f} ms")
    print(f"a plain loop of Python that asks each second: {median(seen[YARDSTICK].cpu_s):.4f} CPU seconds a minute")
    slow = max(own[compare.BARE] / QUIET_BARE_MS, 1.0)
    print(f"a bare interpreter starts in {own[compare.BARE]:.1f} ms: {slow:.1f} times what a quiet machine takes")
    for tool in tools:
        if seen[tool].fault_error:
            print(f"{tool}, where GPUs are lost: {seen[tool].fault_error[:100]}")
    for tool, python in pythons.items():
        if python is None:
            how = f"python -m venv DIR && DIR/bin/pip install {tool}, then {compare.PEERS_VARIABLE}=DIR/bin/python"
            print(f"{tool} is not installed: {how}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
