"""What can be measured on this machine, what cannot, and the line that fixes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from footprint.report.terminal import aside, heading, render
from footprint.report.wording import plain, show_range
from footprint.units import MICROSECONDS_PER_S, PERCENT_PER_SHARE, show_number
from footprint.values import Finding, Meter, Range

_MOST_DEVICES = 16
_LONGEST_VALUE = 44


@dataclass(frozen=True, slots=True)
class ReadingTime:
    """How long one sensor takes to be read."""

    sensor: str
    reading_s: float  # by the clock
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that a tracked run writes to."""

    purpose: str
    path: str
    chosen_by: str
    is_writable: bool
    file_system: str = ""
    is_shared: bool | None = None  # by several hosts; None: not known
    free_gb: float | None = None
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All that `footprint doctor` found."""

    version: str
    system: tuple[tuple[str, str], ...]
    findings: tuple[Finding, ...]
    meters: tuple[Meter, ...]
    visible: tuple[tuple[str, str], ...]  # environment variables that choose devices, the deciding one first
    reading_times: tuple[ReadingTime, ...]
    overhead_share: float | None  # of one core, when a reading is taken each interval
    interval_s: float
    zone: str
    location_intensity_g_per_kwh: Range
    is_place_given: bool
    folders: tuple[Folder, ...]
    launcher: tuple[tuple[str, str], ...] = ()
    processes: str = ""
    notes: tuple[str, ...] = ()

    @property
    def measures(self) -> bool:
        """Whether anything is measured, beside what is modelled."""
        return any(meter.origin == "measured" for meter in self.meters)


def text(diagnosis: Diagnosis, width: int | None = None, color: bool = False) -> str:
    """For reading in a terminal: the sensors first, each with its fix."""
    system = " · ".join(f"{name} {plain(value)}" for name, value in diagnosis.system)
    items: list[RenderableType] = [heading(f"footprint {diagnosis.version}"), aside(system), Text()]
    items += [*_sensors(diagnosis.findings), Text(), *_devices(diagnosis), Text(), *_speed(diagnosis)]
    items += [*_place(diagnosis), Text(), *_folders(diagnosis.folders), Text(), *_processes(diagnosis)]
    items += [aside(f"note: {plain(note)}") for note in dict.fromkeys(diagnosis.notes)]
    return render(items, width, color)


def _sensors(findings: Iterable[Finding]) -> list[RenderableType]:
    rows = [
        (
            _yes_or_no(found.is_available),
            plain(found.sensor),
            _told(found.told, "" if found.is_available else found.fix),
        )
        for found in findings
    ]
    return [heading("Sensors"), _grid(rows)]


def _devices(diagnosis: Diagnosis) -> list[RenderableType]:
    """The accelerators by UUID, the rest of the host by name; and which variable chose them."""
    devices = [m for m in diagnosis.meters if m.component == "accelerator"]
    others = [m for m in diagnosis.meters if m.component != "accelerator"]
    rows = [
        (f"{place}", plain(m.name).removeprefix("NVIDIA "), plain(m.id), _how(m))
        for place, m in enumerate(devices[:_MOST_DEVICES])
    ]
    rows += [("", m.component, plain(m.name), _how(m)) for m in others]
    items: list[RenderableType] = [heading("What is counted"), _grid(rows)]
    if len(devices) > _MOST_DEVICES:
        items.append(aside(f"and {len(devices) - _MOST_DEVICES} accelerators more: --format json"))
    if not diagnosis.measures:
        items.append(Text("nothing is measured here: energy would be modelled from load and size", style="yellow"))
    if diagnosis.visible:
        (name, value), *rest = diagnosis.visible
        also = f"; {' and '.join(n for n, _ in rest)} set too" if rest else ""
        items.append(aside(f"chosen by {name}={_short(value)!r}{also}"))
    elif devices:
        items.append(aside("no variable chooses devices: all that the driver shows are counted"))
    return items


def _short(value: str) -> str:
    text = plain(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _how(meter: Meter) -> Text:
    """'energy counter', 'power' or 'modelled'."""
    words = ["energy counter" if meter.has_counter else "power"] if meter.origin == "measured" else [meter.origin]
    if meter.component == "accelerator" and meter.scope != "gpu":
        words.append(meter.scope)
    if meter.share < 1:
        words.append(f"{meter.share:.0%} of it")
    if meter.counted_in:
        words.append(f"counted in {plain(meter.counted_in)}")
    return Text(", ".join(words))


def _speed(diagnosis: Diagnosis) -> list[RenderableType]:
    if not diagnosis.reading_times:
        return []
    told = ", ".join(
        f"{plain(t.sensor)} {show_number(t.reading_s * MICROSECONDS_PER_S, 3)} µs" for t in diagnosis.reading_times
    )
    lines: list[RenderableType] = [heading("One reading"), Text(f"  {told}")]
    if diagnosis.overhead_share is not None:
        share = show_number(diagnosis.overhead_share * PERCENT_PER_SHARE, 2)
        lines.append(Text(f"  {share} % of one core, with a reading each {diagnosis.interval_s:g} s"))
    return [*lines, Text()]


def _place(diagnosis: Diagnosis) -> list[RenderableType]:
    grid = show_range("location_intensity_g_per_kwh", diagnosis.location_intensity_g_per_kwh)
    if diagnosis.is_place_given:
        return [heading("Place"), Text(f"  {plain(diagnosis.zone)}: {grid}")]
    fix = "give --region aws/us-east-1, --country FRA or --zone, or region= in Python"
    return [heading("Place"), _grid([(_yes_or_no(False), _told(f"none given: the world mean, {grid}", fix))])]


def _folders(folders: Iterable[Folder]) -> list[RenderableType]:
    rows = []
    for folder in folders:
        words = [folder.file_system] if folder.file_system else []
        if folder.is_shared is not None:
            words.append("shared by hosts" if folder.is_shared else "of this host alone")
        if folder.free_gb is not None:
            words.append(f"{folder.free_gb:,.0f} GB free")
        told = f"{plain(folder.path)} ({', '.join([folder.chosen_by, *words])})"
        state = "" if folder.is_writable else ": cannot be written"
        word = "hint" if folder.is_writable else "fix"
        rows.append((_yes_or_no(folder.is_writable), folder.purpose, _told(told + state, folder.fix, word)))
    return [heading("Folders"), _grid(rows)]


def _processes(diagnosis: Diagnosis) -> list[RenderableType]:
    lines: list[RenderableType] = [heading("Processes")]
    if diagnosis.launcher:
        lines.append(Text("  " + ", ".join(f"{name} {plain(value)}" for name, value in diagnosis.launcher)))
    else:
        lines.append(Text("  no launcher: neither torchrun nor SLURM, MPI or Kubernetes is seen"))
    return [*lines, Padding(Text(diagnosis.processes), (0, 0, 0, 2))] if diagnosis.processes else lines


def _told(told: str, fix: str, word: str = "fix") -> Text:
    line = Text(plain(told))
    if fix:
        line.append(f"\n{word}: {plain(fix)}", style="cyan")
    return line


def _yes_or_no(is_so: bool) -> Text:
    return Text("yes", style="green") if is_so else Text("no", style="yellow")


def _grid(rows: Sequence[tuple[str | Text, ...]]) -> RenderableType:
    """Columns as wide as they must be; the last wraps."""
    grid = Grid.grid(padding=(0, 2, 0, 0))
    count = max((len(row) for row in rows), default=1)
    for place in range(count):
        grid.add_column(no_wrap=place < count - 1, overflow="fold")
    for row in rows:
        grid.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    return Padding(grid, (0, 0, 0, 2))
